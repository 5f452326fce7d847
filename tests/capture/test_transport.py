"""UDP and TCP headers: what is payload, and what is not."""

import struct

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.packet import Packet, Raw

from tests.capture.frames import RAW, V4, built, payloads

BELOW = IP(src="10.0.0.1", dst="10.0.0.2")


def udp(claimed: int, payload: bytes = b"payload") -> Packet:
    return BELOW / UDP(sport=1, dport=2, len=claimed) / Raw(payload)


@pytest.mark.parametrize(
    ("claimed", "found"),
    [(15, b"payload"), (11, b"pay"), (8, b""), (500, b"payload"), (0, b"payload"), (7, b"payload")],
    ids=["right", "less", "nothing", "more", "offload", "nonsense"],
)
def test_a_datagram_ends_where_its_length_says(claimed: int, found: bytes) -> None:
    assert payloads(RAW, udp(claimed)) == [found]


def test_a_datagram_that_should_be_longer_is_marked_only_where_the_capture_was_cut() -> None:
    assert built(RAW, udp(500)).cut.tolist() == [False]
    assert built(RAW, udp(500), original=900).cut.tolist() == [True]
    assert built(RAW, udp(15), original=900).cut.tolist() == [False]


def test_options_of_tcp_are_stepped_over() -> None:
    tcp = TCP(options=[("MSS", 1400), ("NOP", None), ("WScale", 7), ("SAckOK", b"")])
    assert payloads(RAW, BELOW / tcp / Raw(b"payload")) == [b"payload"]


def test_sequence_numbers_and_flags() -> None:
    rows = built(RAW, BELOW / TCP(seq=2**32 - 1, flags="SA"), V4, BELOW / TCP(seq=5, flags="PA") / Raw(b"x"))
    assert rows.seq.tolist() == [2**32 - 1, 0, 5]
    assert rows.flags.tolist() == [0x12, 0, 0x18]
    assert rows.length.tolist() == [0, 7, 1]


@pytest.mark.parametrize("length", range(20))
def test_a_header_that_is_not_all_there_has_no_row(length: int) -> None:
    tcp = bytes(BELOW / TCP() / Raw(b"x"))
    assert payloads(RAW, tcp[: 20 + length]) == []
    if length < 8:
        assert payloads(RAW, bytes(V4)[: 20 + length]) == []


@pytest.mark.parametrize("offset", [0, 4, 15])
def test_a_data_offset_that_cannot_be_has_no_row(offset: int) -> None:
    octets = bytearray(bytes(BELOW / TCP() / Raw(b"x" * 7)))
    octets[32] = offset << 4
    assert payloads(RAW, bytes(octets)) == []


def test_a_segment_without_data_has_a_row() -> None:
    assert payloads(RAW, BELOW / TCP(flags="S")) == [b""]


@pytest.mark.parametrize("protocol", [1, 2, 58, 89, 132, 136, 255])
def test_other_protocols_have_no_row(protocol: int) -> None:
    assert (
        payloads(RAW, struct.pack("!BBHHHBBH8s", 0x45, 0, 60, 1, 0, 64, protocol, 0, bytes(8)) + bytes(40))
        == []
    )
