"""What ESP and SRTP held, as IP packets that stand for their frames."""

import io
from typing import Any

import pytest

from imslab.capture import export, open_capture
from imslab.capture.export.clear import replacements
from imslab.data import path
from imslab.ipsec import SecurityAssociation
from imslab.net.packet import ip_packet, udp_packet
from imslab.net.trace import TraceWriter
from imslab.srtp import Session
from imslab.srtp.profiles import Profile
from tests.capture.gm import KEYS, PAIRS, PCSCF, UE, Gm

A, B = ("10.0.0.2", 4000), ("10.0.0.3", 5000)


def in_clear(capture: Any, tmp_path: Any) -> Any:
    export.decrypted(capture, tmp_path / "clear.pcapng")
    return open_capture(tmp_path / "clear.pcapng")


@pytest.mark.parametrize("over", ["esp", "udp", "gtp"])
@pytest.mark.parametrize(("alg", "ealg"), PAIRS, ids=map("/".join, PAIRS))
def test_esp(alg: str, ealg: str, over: str, tmp_path: Any) -> None:
    capture = open_capture(Gm(alg, ealg, over=over).whole().octets, **KEYS)
    assert export.decrypted(capture, tmp_path / "clear.pcapng") == 2
    clear = open_capture(tmp_path / "clear.pcapng")
    assert clear.esp == [] and len(clear) == 4
    said = [(e.frame, e.source, e.destination, bytes(e.message)) for e in clear.sip]
    assert said == [(e.frame, e.source, e.destination, bytes(e.message)) for e in capture.sip]
    assert clear.file.packet_comment(2) == "imslab: was ESP, SPI 0x000007d2"
    assert (clear.file.records.time == capture.file.records.time).all()


def test_null_encryption_without_any_key(tmp_path: Any) -> None:
    capture = open_capture(Gm(ealg="null").whole().octets)
    assert len(in_clear(capture, tmp_path).sip) == 4


def test_what_stays_closed_stays_as_it_is(tmp_path: Any) -> None:
    capture = open_capture(Gm().whole().octets)
    assert replacements(capture) == {}
    clear = in_clear(capture, tmp_path)
    assert [clear.file.packet(n) for n in range(4)] == [capture.file.packet(n) for n in range(4)]


def test_a_tunnel_gives_the_packet_within_and_a_dummy_nothing() -> None:
    sa = SecurityAssociation(7, "aes-cbc", b"k" * 16, "hmac-sha-1-96", b"i" * 20)
    trace = TraceWriter(file := io.BytesIO())
    inner = udp_packet(("192.168.1.1", 1), ("192.168.1.2", 2), b"within")
    for number, (protocol, payload) in enumerate(((4, inner), (59, b"nothing"), (1, b"\x08\0icmp"))):
        trace.esp(1.0, UE, PCSCF, sa.seal(number + 1, protocol, payload, bytes(16)))
    table = f'"IPv4","*","*","*","AES-CBC [RFC3602]","{"k" * 16}","HMAC-SHA-1-96 [RFC2404]","{"i" * 20}"'
    place = io.StringIO(table)
    from imslab.capture import esp_sa
    from imslab.capture.capture import Capture
    from imslab.capture.file import read_file

    capture = Capture(read_file(file.getvalue()), esp_sa=esp_sa.parse(place.getvalue()))
    found = replacements(capture)
    assert found[1].octets == inner and 2 not in found
    assert found[3].octets == ip_packet(1, UE, PCSCF, b"\x08\0icmp")


# -- SRTP ------------------------------------------------------------------------------------------

RTP = bytes.fromhex("80080001 00000002 000000aa")
PADDED = bytes.fromhex("b0080002 000000a2 000000aa bede0001 aabbccdd")


def protected(*packets: bytes, profile: str = "AES_CM_128_HMAC_SHA1_80") -> tuple[bytes, dict[str, Any]]:
    master = Profile.named(profile)
    session = Session(profile, bytes(master.key_length), bytes(master.salt_length))
    trace = TraceWriter(file := io.BytesIO())
    for number in range(3, 12):  # so that a stream is seen
        rtp = RTP[:2] + number.to_bytes(2) + (number * 160).to_bytes(4) + RTP[8:] + b"media" * 4
        trace.udp(float(number), A, B, session.protect(rtp))
    for packet in packets:
        trace.udp(20.0, A, B, session.protect(packet))
    key = (profile, bytes(master.master_length))
    return file.getvalue(), {"srtp": [key]}


@pytest.mark.parametrize("profile", ["AES_CM_128_HMAC_SHA1_80", "AEAD_AES_128_GCM"])
def test_srtp(profile: str, tmp_path: Any) -> None:
    octets, keys = protected(profile=profile)
    clear = in_clear(open_capture(octets, **keys), tmp_path)
    assert len(clear) == 9
    assert clear.file.packet(0) == udp_packet(
        A, B, RTP[:2] + b"\0\3" + (480).to_bytes(4) + RTP[8:] + b"media" * 4
    )
    assert clear.file.packet_comment(0) == "imslab: was SRTP"
    assert [len(stream) for stream in clear.rtp] == [9]


def test_an_extension_stays_and_padding_goes_with_its_bit(tmp_path: Any) -> None:
    packet = PADDED[:2] + (12).to_bytes(2) + (12 * 160).to_bytes(4) + PADDED[8:] + b"sound" + b"\0\0\3"
    octets, keys = protected(packet)
    clear = in_clear(open_capture(octets, **keys), tmp_path)
    written = clear.file.packet(9)[28:]
    assert written == bytes((packet[0] & ~0x20,)) + packet[1:-3]


def test_our_own_calls(tmp_path: Any) -> None:
    for name, encrypted in (("webrtc-call", "srtp"), ("sdes-call", "srtp")):
        capture = open_capture(path("traces", f"{name}.pcapng"))
        replaced = replacements(capture)
        assert {stream.encrypted for stream in capture.rtp} == {encrypted}
        assert len(replaced) >= sum(stream.decrypted for stream in capture.rtp) > 100
        kinds = {one.comment.removeprefix("imslab: was ") for one in replaced.values()}
        assert kinds >= {"SRTP", "SRTCP"}
        clear = in_clear(capture, tmp_path)
        assert [report.type for report in clear.rtcp] == [report.type for report in capture.rtcp]
        before = {(s.source, s.ssrc): len(s) for s in capture.rtp}
        assert {(s.source, s.ssrc): len(s) for s in clear.rtp} == before


def test_a_part(tmp_path: Any) -> None:
    capture = open_capture(Gm().whole().octets, **KEYS)
    assert export.decrypted(capture.where([1, 3]), tmp_path / "clear.pcapng") == 1
    assert [event.message.method for event in open_capture(tmp_path / "clear.pcapng").sip] == ["REGISTER"] * 2
