"""What TURN relays: ChannelData among other things that begin like it, and the DATA of indications."""

import struct

import pytest
from scapy.layers.inet import IP, UDP
from scapy.packet import Packet, Raw

from imslab.capture.ip import Via
from tests.capture.frames import RAW, built, payloads

RTP = b"\x80\x08" + bytes(range(30))
STUN = b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12)
DTLS = b"\x16\xfe\xfd" + bytes(20)


def datagram(payload: bytes, sport: int = 40000) -> Packet:
    return IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=sport, dport=3478) / Raw(payload)


def channel(inner: bytes, *, number: int = 0x4000, padding: int = 0, sport: int = 40000) -> Packet:
    return datagram(struct.pack("!HH", number, len(inner)) + inner + bytes(padding), sport)


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def indication(*attributes: bytes, kind: int = 0x0017, cookie: int = 0x2112A442, length: int = -1) -> bytes:
    body = b"".join(attributes)
    return struct.pack("!HHI12s", kind, len(body) if length < 0 else length, cookie, bytes(12)) + body


@pytest.mark.parametrize("inner", [RTP, STUN, DTLS], ids=["RTP", "STUN", "DTLS"])
@pytest.mark.parametrize("padding", [0, 1, 3])
@pytest.mark.parametrize("number", [0x4000, 0x4FFF])
def test_channel_data(inner: bytes, padding: int, number: int) -> None:
    rows = built(RAW, channel(inner, number=number, padding=padding))
    assert (rows.octets(0), rows.via.tolist()) == (inner, [Via.TURN])
    assert rows.endpoints(0) == (("10.0.0.1", 40000), ("10.0.0.2", 3478))


OTHERS = {
    "a length that is not its own": datagram(b"\x40\x00\x00\x21" + RTP),
    "a length of nothing": datagram(b"\x40\x00\x00\x00" + bytes(3)),
    "too much behind it": channel(RTP, padding=4),
    "another channel": channel(RTP, number=0x5000),
    "text in it": channel(b"REGISTER sip:x SIP/2.0"),
    "SIP": datagram(b"INVITE sip:bob@example.org SIP/2.0\r\n\r\n"),
    "only a header": datagram(b"\x40\x00\x00\x00"),
}


@pytest.mark.parametrize("packet", OTHERS.values(), ids=OTHERS)
def test_what_only_begins_like_channel_data(packet: Packet) -> None:
    rows = built(RAW, packet)
    assert (rows.octets(0), rows.via.tolist()) == (bytes(packet[UDP].payload), [0])


def test_one_that_does_not_fit_speaks_against_all_of_its_flow() -> None:
    rows = built(RAW, channel(RTP), datagram(b"ACK sip:x SIP/2.0\r\n\r\n"), channel(RTP, sport=1))
    assert rows.via.tolist() == [0, 0, Via.TURN]
    assert rows.octets(0)[4:] == rows.octets(2) == RTP


def test_rows_keep_the_order_of_their_frames() -> None:
    rows = built(RAW, channel(RTP), datagram(RTP), channel(STUN), datagram(DTLS))
    assert rows.frame.tolist() == [1, 2, 3, 4]
    assert [rows.octets(row) for row in range(4)] == [RTP, RTP, STUN, DTLS]


PEER = attribute(0x0012, bytes(8))


@pytest.mark.parametrize("kind", [0x0016, 0x0017], ids=["Send", "Data"])
def test_an_indication_has_a_row_and_what_it_relays_another(kind: int) -> None:
    message = indication(PEER, attribute(0x0013, RTP + b"odd"), kind=kind)
    rows = built(RAW, datagram(message), datagram(RTP))
    assert [rows.octets(row) for row in range(3)] == [message, RTP + b"odd", RTP]
    assert (rows.frame.tolist(), rows.via.tolist()) == ([1, 1, 2], [0, Via.TURN, 0])
    assert rows.flow[0] == rows.flow[1]


WITHOUT = {
    "no data": indication(PEER),
    "empty": indication(attribute(0x0013, b"")),
    "a request": indication(attribute(0x0013, RTP), kind=0x0001),
    "another cookie": indication(attribute(0x0013, RTP), cookie=0x2112A443),
    "too long": indication(struct.pack("!HH", 0x0013, 500) + RTP),
    "over the end": indication(struct.pack("!HH", 0x0012, 65535), attribute(0x0013, RTP)),
    "too many": indication(*[attribute(0x8022, b"x")] * 16, attribute(0x0013, RTP)),
    "bare": indication(),
    "short": b"\x00\x17",
}


@pytest.mark.parametrize("message", WITHOUT.values(), ids=WITHOUT)
def test_an_indication_without_data_has_one_row(message: bytes) -> None:
    assert payloads(RAW, datagram(message)) == [message]


def test_data_behind_many_attributes() -> None:
    message = indication(*[attribute(0x8022, b"x")] * 15, attribute(0x0013, RTP))
    assert payloads(RAW, datagram(message)) == [message, RTP]
