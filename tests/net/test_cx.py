"""Cx values through Diameter octets and back; the AVPs are those of TS 29.229."""

import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imslab.aka import AuthenticationVector
from imslab.errors import Malformed
from imslab.ims.cx import (
    PASSWORD_SCHEME,
    Answer,
    Assignment,
    LocationInfoAnswer,
    LocationInfoRequest,
    MultimediaAuthAnswer,
    MultimediaAuthRequest,
    Request,
    Result,
    ServerAssignmentAnswer,
    ServerAssignmentRequest,
    UserAuthorizationAnswer,
    UserAuthorizationRequest,
)
from imslab.net.cx import LAB, PORT, Framer, decode, encode
from imslab.net.trace import TraceWriter

IMPI, IMPU, SERVER = "1@ims.example", "sip:alice@ims.example", "sip:127.0.0.11:5060"
VECTOR = AuthenticationVector(bytes(range(16)), bytes(range(16, 32)), b"\x00resres\xff", b"C" * 16, b"I" * 16)
UAR = UserAuthorizationRequest(IMPU, IMPI, "ims.visited")
MAR = MultimediaAuthRequest(IMPU, IMPI, SERVER)
SAR = ServerAssignmentRequest(IMPU, IMPI, SERVER, Assignment.REGISTRATION)
LIR = LocationInfoRequest(IMPU)
PAIRS: list[tuple[Request, Answer]] = [
    (UAR, UserAuthorizationAnswer(Result.SUCCESS, IMPI, "")),
    (UAR, UserAuthorizationAnswer(Result.SUCCESS, IMPI, SERVER)),
    (UAR, UserAuthorizationAnswer(Result.AUTHORIZATION_REJECTED)),
    (MAR, MultimediaAuthAnswer(Result.SUCCESS, VECTOR)),
    (MultimediaAuthRequest(IMPU, IMPI, SERVER, bytes(30)), MultimediaAuthAnswer(Result.USER_UNKNOWN)),
    (
        MultimediaAuthRequest(IMPU, IMPI, SERVER, scheme=PASSWORD_SCHEME),
        MultimediaAuthAnswer(Result.SUCCESS, ha1="939e7578ed9e3c518a452acee763bce9"),
    ),
    (SAR, ServerAssignmentAnswer(Result.SUCCESS, (IMPU, "tel:+1<&>"))),
    (SAR, ServerAssignmentAnswer(Result.UNABLE_TO_COMPLY)),
    (LIR, LocationInfoAnswer(Result.SUCCESS, SERVER)),
    (LIR, LocationInfoAnswer(Result.SUCCESS)),
    (LIR, LocationInfoAnswer(Result.USER_UNKNOWN)),
]


@pytest.mark.parametrize(("request_", "answer"), PAIRS, ids=lambda value: type(value).__name__)
def test_values_come_back(request_: Request, answer: Answer) -> None:
    question, reply = (decode(octets) for octets in encode(request_, answer, 7))
    assert (question.value, reply.value) == (request_, answer)
    assert (question.is_request, reply.is_request) == (True, False)
    assert question.identifier == reply.identifier == 7
    assert question.session == reply.session == f"{LAB.scscf};0;7"
    assert (question.origin, reply.origin) == (LAB.scscf, LAB.hss)


@pytest.mark.parametrize("result", list(Result))
def test_every_result_comes_back(result: Result) -> None:
    for request_, answer in ((MAR, MultimediaAuthAnswer(result)), (SAR, ServerAssignmentAnswer(result))):
        message = decode(encode(request_, answer, 1)[1])
        assert message.value == answer
        assert message.result == result


def avps(octets: bytes) -> dict[tuple[int, int], bytes]:
    """Read the AVPs of a message by RFC 6733, 4.1, without the library."""
    found, at = {}, 20
    while at < len(octets):
        code, flags, length = int.from_bytes(octets[at : at + 4]), octets[at + 4], octets[at + 5 : at + 8]
        header = 12 if flags & 0x80 else 8
        vendor = int.from_bytes(octets[at + 8 : at + 12]) if flags & 0x80 else 0
        found[code, vendor] = octets[at + header : at + int.from_bytes(length)]
        at += int.from_bytes(length) + -int.from_bytes(length) % 4
    return found


def test_an_maa_has_the_avps_that_an_s_cscf_asks_for() -> None:
    octets = encode(MAR, MultimediaAuthAnswer(Result.SUCCESS, VECTOR), 1)[1]
    assert octets[:1] == b"\x01"
    assert octets[4:12] == bytes.fromhex("4000012f 01000000")  # P, command 303, application 16777216
    outer = avps(octets)
    assert outer[1, 0] == IMPI.encode()
    assert outer[601, 10415] == IMPU.encode()
    assert outer[607, 10415] == bytes.fromhex("00000001")
    assert outer[268, 0] == (2001).to_bytes(4)
    item = avps(bytes(20) + outer[612, 10415])
    assert item[613, 10415] == bytes.fromhex("00000001")
    assert item[608, 10415] == b"Digest-AKAv1-MD5"
    assert item[609, 10415] == VECTOR.rand + VECTOR.autn
    assert item[610, 10415] == VECTOR.xres
    assert item[625, 10415] == VECTOR.ck
    assert item[626, 10415] == VECTOR.ik


def test_a_resynchronisation_goes_into_sip_authorization() -> None:
    question = encode(MultimediaAuthRequest(IMPU, IMPI, SERVER, b"R" * 16 + b"A" * 14), PAIRS[4][1], 1)[0]
    assert avps(bytes(20) + avps(question)[612, 10415])[610, 10415] == b"R" * 16 + b"A" * 14


@pytest.mark.parametrize(("server", "code"), [("", 2001), (SERVER, 2002)])
def test_a_uaa_tells_first_from_subsequent_registration(server: str, code: int) -> None:
    reply = encode(UAR, UserAuthorizationAnswer(Result.SUCCESS, IMPI, server), 1)[1]
    inner = avps(bytes(20) + avps(reply)[297, 0])
    assert (inner[266, 0], inner[298, 0]) == ((10415).to_bytes(4), code.to_bytes(4))
    assert decode(reply).result == code


def test_a_uar_without_private_identity_names_the_derived_one() -> None:
    question = encode(UserAuthorizationRequest(IMPU, None, "v"), PAIRS[0][1], 1)[0]
    assert decode(question).impi == "alice@ims.example"


def test_names() -> None:
    assert [decode(octets).name for octets in encode(*PAIRS[3], 1)] == ["MAR", "MAA"]


def test_keys_are_not_in_the_repr() -> None:
    message = decode(encode(MAR, MultimediaAuthAnswer(Result.SUCCESS, VECTOR), 1)[1])
    for secret in (VECTOR.ck, VECTOR.ik, VECTOR.xres):
        assert repr(secret)[2:-1] not in repr(message)
        assert secret.hex() not in repr(message)


def test_a_vector_of_a_wrong_length_leaves_the_message_without_value() -> None:
    octets = encode(MAR, MultimediaAuthAnswer(Result.SUCCESS, VECTOR), 1)[1]
    broken = octets.replace(b"\x00\x00\x02\x61\xc0\x00\x00\x2c", b"\x00\x00\x02\x61\xc0\x00\x00\x2b")
    assert broken != octets
    assert decode(broken).value is None


def test_another_application_has_no_value() -> None:
    octets = bytearray(encode(*PAIRS[3], 1)[0])
    octets[8:12] = bytes(4)
    assert decode(bytes(octets)).value is None


@pytest.mark.parametrize("identifier", [-1, 2**32])
def test_an_identifier_has_32_bits(identifier: int) -> None:
    with pytest.raises(Malformed, match="identifier"):
        encode(*PAIRS[0], identifier)


@pytest.mark.parametrize("step", [1, 3, 20, 1000])
def test_the_framer_cuts_a_stream_however_it_comes(step: int) -> None:
    whole = [octets for number, pair in enumerate(PAIRS) for octets in encode(*pair, number)]
    stream, framer, found = b"".join(whole), Framer(), []
    for at in range(0, len(stream), step):
        found += framer.receive(stream[at : at + step])
    assert found == whole


@pytest.mark.parametrize("octets", [b"GET / HTTP/1.1\r\n", b"\x01\x00\x00\x13", b"\x01\xff\xff\xff"])
def test_the_framer_refuses_what_is_no_diameter(octets: bytes) -> None:
    with pytest.raises(Malformed):
        Framer().receive(octets)


def test_a_cut_message_is_malformed() -> None:
    octets = encode(*PAIRS[3], 1)[1]
    for length in range(len(octets)):
        with pytest.raises(Malformed):
            decode(octets[:length])


@given(st.data())
def test_nothing_but_malformed_comes_out_of_a_broken_message(data: st.DataObject) -> None:
    octets = bytearray(encode(*data.draw(st.sampled_from(PAIRS)), 1)[data.draw(st.integers(0, 1))])
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(4, len(octets) - 1))] = data.draw(st.integers(0, 255))
    with suppress(Malformed):
        _ = decode(bytes(octets)).name


@given(st.binary(max_size=64))
def test_nothing_but_malformed_comes_out_of_noise(noise: bytes) -> None:
    length = 20 + len(noise)
    with suppress(Malformed):
        decode(b"\x01" + length.to_bytes(3) + bytes(16) + noise)


@pytest.mark.component("tshark")
def test_tshark_reads_every_message(tmp_path: Path) -> None:
    path, client, server = tmp_path / "cx.pcapng", ("127.0.0.11", 40_000), ("127.0.0.12", PORT)
    with path.open("wb") as file:
        trace = TraceWriter(file)
        trace.tcp_open(1.0, client, server)
        for number, pair in enumerate(PAIRS):
            question, reply = encode(*pair, number)
            trace.tcp(2.0 + number, client, server, question)
            trace.tcp(2.5 + number, server, client, reply)
    worse = "_ws.malformed || _ws.expert.severity >= 6291456"
    assert _tshark(path, "-Y", worse) == ""
    rows = _tshark(path, "-Y", "diameter", "-Tfields", "-ediameter.cmd.code", "-ediameter.applicationId")
    assert len(rows.splitlines()) == 2 * len(PAIRS)
    assert set(rows.split()) == {"300", "301", "302", "303", "16777216"}
    assert "Unknown" not in _tshark(path, "-Y", "diameter", "-V")


def _tshark(path: Path, *options: str) -> str:
    command = ["tshark", "-r", str(path), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout
