"""DTLS handshakes of a call: roles, flights, fingerprints against SDP, and the keys they lead to."""

import re
from pathlib import Path

import pytest

from imslab.capture import Capture, open_capture
from imslab.capture.dtls import DtlsSession
from imslab.data import path
from imslab.errors import Malformed
from imslab.srtp.keylog import KeyLog

TRACE = path("traces", "webrtc-call.pcapng")


@pytest.fixture(scope="module")
def capture() -> Capture:
    return open_capture(TRACE)


@pytest.fixture(scope="module")
def session(capture: Capture) -> DtlsSession:
    return capture.dtls[0]


def changed(old: bytes, new: bytes) -> Capture:
    """Return the trace with what a pattern finds replaced, as long as before: checksums are not looked at."""
    octets = TRACE.read_bytes()
    written = re.sub(old, new, octets)
    assert written != octets
    assert len(written) == len(octets)
    return open_capture(written)


def test_a_handshake_between_the_two_ends_of_each_call(capture: Capture, session: DtlsSession) -> None:
    names = capture.names
    assert {names[session.client[0]], names[session.server[0]]} == {"alice", "bob"}
    assert session.call_id == capture.call(0).call_id
    assert [one.profile for one in capture.dtls] == ["AEAD_AES_128_GCM", "AES_CM_128_HMAC_SHA1_80"]
    assert [one.call_id for one in capture.dtls] == [call.call_id for call in capture.call_list]
    assert session.frames == tuple(sorted(session.frames))


def test_flights_alternate_and_name_their_messages(session: DtlsSession) -> None:
    hello, choice, keys, done = session.flights[:4]
    assert hello.messages == ("ClientHello",)
    assert choice.messages[:2] == ("ServerHello", "Certificate")
    assert keys.messages[-2:] == ("ChangeCipherSpec", "Finished")
    assert done.messages[:2] == ("ChangeCipherSpec", "Finished")
    assert [flight.source for flight in (hello, choice, keys, done)] == [
        session.client, session.server, session.client, session.server,
    ]  # fmt: skip
    assert hello.at < choice.at < keys.at < done.at


def test_certificates_are_those_of_the_signalling(session: DtlsSession) -> None:
    assert session.matches == {"client": True, "server": True}
    assert all(
        re.fullmatch("sha-256 ([0-9A-F]{2}:){31}[0-9A-F]{2}", text) for text in session.fingerprints.values()
    )


def test_another_fingerprint_in_the_sdp_is_seen() -> None:
    found, _ = changed(rb"(a=fingerprint:sha-\d+ )..:..", rb"\1AA:55").dtls
    assert found.matches == {"client": False, "server": False}


def test_without_a_fingerprint_nobody_knows() -> None:
    found, _ = changed(rb"a=fingerprint:", rb"a=fingerprxxx:").dtls
    assert found.matches == {"client": None, "server": None}
    assert len(found.fingerprints) == 2


def test_a_fingerprint_that_cannot_be_read_is_none() -> None:
    found, _ = changed(rb"a=fingerprint:sha-\d\d\d", rb"a=fingerprint:sha-xxx").dtls
    assert found.matches == {"client": None, "server": None}


def test_keys_of_both_ends_out_of_the_secrets_in_the_file(capture: Capture, session: DtlsSession) -> None:
    client, server = session.keys(KeyLog.parse(capture.file.secrets[0][1]))
    assert (client.sockets, server.sockets) == (frozenset([session.client]), frozenset([session.server]))
    assert client.origin.endswith("client")
    assert client.key.hex() not in repr(client)
    assert client.key != server.key


def test_without_secrets_there_are_no_keys(session: DtlsSession) -> None:
    assert session.keys(KeyLog()) == []


def test_every_packet_of_the_call_is_opened(capture: Capture) -> None:
    assert len(capture.rtp) == 8
    assert all(stream.decrypted == len(stream) and stream.encrypted == "srtp" for stream in capture.rtp)
    assert all(not report.is_srtcp for report in capture.rtcp)


def without_secrets() -> bytes:
    """Return the trace without its Decryption Secrets Block."""
    octets, at = TRACE.read_bytes(), 0
    kept = b""
    while at < len(octets):
        kind, size = (
            int.from_bytes(octets[at : at + 4], "little"),
            int.from_bytes(octets[at + 4 : at + 8], "little"),
        )
        kept += b"" if kind == 10 else octets[at : at + size]
        at += size
    return kept


def test_a_key_log_beside_the_file_does_as_well(capture: Capture, tmp_path: Path) -> None:
    closed = open_capture(without_secrets())
    assert [stream.decrypted for stream in closed.rtp] == [0] * 8
    assert [stream.encrypted for stream in closed.rtp] == ["srtp"] * 8
    assert all(report.is_srtcp for report in closed.rtcp)
    (tmp_path / "keys.log").write_bytes(capture.file.secrets[0][1])
    opened = open_capture(without_secrets(), keylog=tmp_path / "keys.log")
    assert [stream.decrypted for stream in opened.rtp] == [len(stream) for stream in capture.rtp]


def test_a_broken_key_log_is_a_warning() -> None:
    capture = open_capture(without_secrets(), keylog=b"CLIENT_RANDOM nonsense\n")
    assert any("line 1 of the key log" in warning for warning in capture.warnings)


def test_a_broken_handshake_is_a_warning_and_no_more(session: DtlsSession) -> None:
    hello = session.handshake.client_hello
    assert hello is not None
    octets = bytearray(TRACE.read_bytes())
    at = octets.index(hello.random) - 34 + 20  # within the header of the handshake message: its length
    octets[at + 6 : at + 9] = b"\xff\xff\xff"
    capture = open_capture(bytes(octets))
    assert isinstance(capture.dtls, list)
    assert isinstance(capture.warnings, list)


def test_a_part_without_the_handshake_has_none(capture: Capture, session: DtlsSession) -> None:
    assert capture.where([1, 2]).dtls == []
    assert capture.where([session.frames[0]]).dtls == [session]


def test_keys_that_do_not_fit_are_refused() -> None:
    with pytest.raises(Malformed):
        open_capture(TRACE, srtp="AEAD_AES_128_GCM:AAAA")
