"""IPv4 and IPv6 headers with everything that may stand between them and their payload."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import (
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    PadN,
)
from scapy.layers.ipsec import AH
from scapy.packet import Packet, Raw

from tests.capture.frames import ETHER, ETHERNET, RAW, TCP4, V4, V6, built, payloads

EXTENSIONS = {
    "hop by hop": IPv6ExtHdrHopByHop(),
    "destination": IPv6ExtHdrDestOpt(),
    "long destination": IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(20))]),
    "routing": IPv6ExtHdrRouting(addresses=["::9"]),
    "authentication": AH(nh=17, payloadlen=4, spi=1, seq=1, icv=bytes(12)),
    "atomic fragment": IPv6ExtHdrFragment(offset=0, m=0),
    "two": IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt(),
    "all": IPv6ExtHdrHopByHop() / IPv6ExtHdrRouting() / IPv6ExtHdrFragment() / IPv6ExtHdrDestOpt(),
}


@pytest.mark.parametrize("extension", EXTENSIONS.values(), ids=EXTENSIONS)
def test_ipv6_extension_headers(extension: Packet) -> None:
    packet = IPv6(src="::1", dst="::2") / extension / UDP(sport=1, dport=2) / Raw(b"payload")
    assert payloads(RAW, packet) == [b"payload"]


@pytest.mark.parametrize(("count", "found"), [(7, [b"payload"]), (8, [b"payload"]), (9, [])])
def test_extension_headers_without_end(count: int, found: list[bytes]) -> None:
    packet: Packet = IPv6()
    for _ in range(count):
        packet = packet / IPv6ExtHdrDestOpt()
    assert payloads(RAW, packet / UDP() / Raw(b"payload")) == found


def test_an_extension_header_that_does_not_end_has_no_row() -> None:
    packet = bytearray(bytes(IPv6() / IPv6ExtHdrDestOpt() / UDP() / Raw(b"payload")))
    packet[41] = 200
    assert payloads(RAW, bytes(packet)) == []


def test_ipv4_options_and_authentication() -> None:
    assert payloads(RAW, IP(options=b"\x01" * 40) / UDP() / Raw(b"payload")) == [b"payload"]
    header = AH(nh=17, payloadlen=4, spi=1, seq=1, icv=bytes(12))
    assert payloads(RAW, IP(proto=51) / header / UDP() / Raw(b"payload")) == [b"payload"]


def test_ipv4_has_no_extension_headers() -> None:
    assert payloads(RAW, IP(proto=60) / IPv6ExtHdrDestOpt() / UDP() / Raw(b"payload")) == []


def test_addresses_ports_and_frames() -> None:
    rows = built(RAW, V4, b"\x45", V6, TCP4)
    assert rows.frame.tolist() == [1, 3, 4]
    assert rows.protocol.tolist() == [17, 17, 6]
    assert rows.endpoints(0) == (("10.0.0.1", 5060), ("10.0.0.2", 5070))
    assert rows.endpoints(1) == (("2001:db8::1", 5060), ("2001:db8::2", 5070))
    assert rows.endpoints(2) == (("10.0.0.1", 1), ("10.0.0.2", 2))


def test_padding_of_the_link_layer_is_no_payload() -> None:
    assert (
        payloads(ETHERNET, bytes(ETHER / V4) + bytes(20), bytes(ETHER / V6) + bytes(20)) == [b"payload"] * 2
    )


@pytest.mark.parametrize(("packet", "place"), [(V4, 2), (V6, 4), (TCP4, 2)], ids=["IPv4", "IPv6", "TCP"])
def test_a_length_of_zero_means_to_the_end(packet: Packet, place: int) -> None:
    # segmentation offload: the card fills the length in after the capture
    octets = bytearray(bytes(packet))
    octets[place : place + 2] = bytes(2)
    assert payloads(RAW, bytes(octets)) == [b"payload"]


def test_a_length_that_is_too_large_ends_with_the_packet() -> None:
    octets = bytearray(bytes(V4))
    octets[2:4] = b"\xff\xff"
    rows = built(RAW, bytes(octets))
    assert (rows.octets(0), rows.cut.tolist()) == (b"payload", [False])


@pytest.mark.parametrize("first", [0x44, 0x40, 0x55, 0x75, 0x15], ids=hex)
def test_a_header_that_is_none_has_no_row(first: int) -> None:
    assert payloads(RAW, bytes([first]) + bytes(V4)[1:]) == []


def test_options_that_run_over_the_end_have_no_row() -> None:
    octets = bytes([0x4F]) + bytes(V4)[1:]
    assert payloads(RAW, octets[:59]) == []


def test_both_versions_keep_their_order() -> None:
    rows = built(RAW, V6, V4, V6, V6, V4)
    assert rows.frame.tolist() == [1, 2, 3, 4, 5]
    assert len({rows.endpoints(row) for row in range(5)}) == 2


@pytest.mark.parametrize(
    "packet", [bytes(V4), bytes(V6), bytes(TCP4)], ids=["UDP/IPv4", "UDP/IPv6", "TCP/IPv4"]
)
def test_a_packet_cut_anywhere_is_read_within_its_bounds(packet: bytes) -> None:
    for length in range(len(packet)):
        rows = built(RAW, packet[:length], b"", original=len(packet))
        assert (rows.start + rows.length <= 24 + 16 + length).all()
        assert (rows.cut == (length < len(packet))).all()


def test_a_packet_cut_by_the_capture_is_marked() -> None:
    rows = built(RAW, bytes(V4)[:-3], original=len(bytes(V4)))
    assert (rows.length.tolist(), rows.cut.tolist()) == ([4], [True])
    assert built(RAW, V4).cut.tolist() == [False]


def test_padding_that_was_cut_off_is_no_loss() -> None:
    assert built(ETHERNET, ETHER / V4, original=60).cut.tolist() == [False]


PORTS = st.integers(0, 65535).filter(lambda port: port not in (2152, 4500, 4789, 6081, 8472))  # of tunnels


@settings(deadline=None)
@given(
    st.binary(max_size=1400).filter(lambda octets: octets[:1] < b"@"),
    PORTS,
    PORTS,
    st.booleans(),
    st.booleans(),
)
def test_what_scapy_builds_is_read(payload: bytes, sport: int, dport: int, is_tcp: bool, is_v6: bool) -> None:
    below = IPv6(src="2001:db8::7", dst="::9") if is_v6 else IP(src="198.51.100.7", dst="192.0.2.9")
    above = TCP(sport=sport, dport=dport, seq=77) if is_tcp else UDP(sport=sport, dport=dport)
    rows = built(ETHERNET, ETHER / below / above / Raw(payload))
    assert rows.octets(0) == payload
    assert rows.endpoints(0) == ((below.src, sport), (below.dst, dport))
    assert (rows.seq.tolist(), rows.protocol.tolist()) == ([77 * is_tcp], [6 if is_tcp else 17])
