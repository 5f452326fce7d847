"""Link layers, IP and transport of all packets at once, on packets that scapy builds."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import (
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
)
from scapy.layers.ipsec import AH
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

from imslab.capture import index
from imslab.capture.file import CaptureFile, read_file

V4 = IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=5060, dport=5070) / Raw(b"payload")
V6 = IPv6(src="2001:db8::1", dst="::2") / UDP(sport=5060, dport=5070) / Raw(b"payload")
TCP4 = (
    IP(src="10.0.0.1", dst="10.0.0.2") / TCP(sport=1, dport=2, seq=0xFFFFFFF0, flags="PA") / Raw(b"payload")
)
ETHER = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")


def capture(link: int, *packets: bytes, original: int = 0) -> CaptureFile:
    octets = struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link)
    for packet in packets:
        octets += struct.pack("<IIII", 1, 0, len(packet), original or len(packet)) + packet
    return read_file(octets)


def payloads(link: int, *packets: bytes) -> list[bytes]:
    file = capture(link, *packets)
    rows = index.build(file)
    return [rows.octets(row) for row in range(len(rows))]


SLL = struct.pack("!HHH8s", 0, 1, 6, bytes(8))
FORMS = {
    "raw": (101, b""),
    "raw (BSD)": (12, b""),
    "Ethernet": (1, bytes(ETHER)[:12] + b"TT"),
    "VLAN": (1, bytes(ETHER)[:12] + b"\x81\x00\x00\x2aTT"),
    "QinQ": (1, bytes(ETHER)[:12] + b"\x88\xa8\x00\x01\x81\x00\x00\x2aTT"),
    "SLL": (113, SLL + b"TT"),
    "SLL with VLAN": (113, SLL + b"\x81\x00\x00\x05TT"),
    "SLL2": (276, b"TT" + bytes(18)),
}


@pytest.mark.parametrize(("link", "header"), FORMS.values(), ids=FORMS)
@pytest.mark.parametrize(("packet", "kind"), [(V4, b"\x08\x00"), (V6, b"\x86\xdd")], ids=["IPv4", "IPv6"])
def test_link_layers(link: int, header: bytes, packet: Packet, kind: bytes) -> None:
    assert payloads(link, header.replace(b"TT", kind) + bytes(packet)) == [b"payload"]


@pytest.mark.parametrize("family", ["02000000", "00000002"])
def test_null_in_the_byte_order_of_its_machine(family: str) -> None:
    assert payloads(0, bytes.fromhex(family) + bytes(V4)) == [b"payload"]


@pytest.mark.parametrize("family", [10, 24, 28, 30])
def test_null_with_ipv6_of_several_systems(family: int) -> None:
    assert payloads(0, struct.pack("<I", family) + bytes(V6)) == [b"payload"]
    assert payloads(108, struct.pack(">I", family) + bytes(V6)) == [b"payload"]


def test_addresses_ports_and_frames() -> None:
    rows = index.build(capture(101, bytes(V4), b"\x45", bytes(V6), bytes(TCP4)))
    assert rows.frame.tolist() == [1, 3, 4]
    assert rows.protocol.tolist() == [17, 17, 6]
    assert rows.endpoints(0) == (("10.0.0.1", 5060), ("10.0.0.2", 5070))
    assert rows.endpoints(1) == (("2001:db8::1", 5060), ("::2", 5070))
    assert rows.seq.tolist() == [0, 0, 0xFFFFFFF0]
    assert rows.flags.tolist() == [0, 0, 0x18]


def test_padding_of_the_link_layer_is_no_payload() -> None:
    assert payloads(1, bytes(ETHER / V4) + bytes(20)) == [b"payload"]


def test_a_length_of_zero_means_to_the_end() -> None:
    # segmentation offload: the card fills the length in after the capture
    packet = bytearray(bytes(TCP4))
    packet[2:4] = bytes(2)
    assert payloads(101, bytes(packet)) == [b"payload"]


def test_options_are_stepped_over() -> None:
    tcp = TCP(options=[("MSS", 1400), ("NOP", None), ("WScale", 7)])
    assert payloads(101, bytes(IP(options=b"\x01" * 8) / tcp / Raw(b"payload"))) == [b"payload"]


EXTENSIONS = {
    "hop by hop": IPv6ExtHdrHopByHop(),
    "destination": IPv6ExtHdrDestOpt(),
    "routing": IPv6ExtHdrRouting(addresses=["::9"]),
    "authentication": AH(nh=17, payloadlen=4, spi=1, seq=1, icv=bytes(12)),
    "atomic fragment": IPv6ExtHdrFragment(offset=0, m=0),
    "two": IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt(),
}


@pytest.mark.parametrize("extension", EXTENSIONS.values(), ids=EXTENSIONS)
def test_ipv6_extension_headers(extension: Packet) -> None:
    packet = IPv6(src="::1", dst="::2") / extension / UDP(sport=1, dport=2) / Raw(b"payload")
    assert payloads(101, bytes(packet)) == [b"payload"]


@pytest.mark.parametrize(
    "fragment",
    [
        IP(flags="MF") / UDP() / Raw(b"payload"),
        IP(frag=4) / Raw(b"payload" * 3),
        IPv6() / IPv6ExtHdrFragment(offset=0, m=1) / UDP() / Raw(b"payload"),
        IPv6() / IPv6ExtHdrFragment(offset=9, m=0, nh=17) / Raw(b"payload" * 3),
    ],
)
def test_fragments_are_counted_and_left_out(fragment: Packet) -> None:
    rows = index.build(capture(101, bytes(fragment), bytes(V4)))
    assert rows.frame.tolist() == [2]
    (warning,) = rows.warnings
    assert warning.startswith("1 fragments of 1 IP datagrams were left out")


def test_unknown_link_types_are_counted() -> None:
    rows = index.build(capture(147, b"x" * 60, b"y" * 60))
    assert len(rows) == 0
    assert rows.warnings == ["2 packets of link type 147 were left out: not known"]


def test_a_packet_cut_by_the_capture_is_marked() -> None:
    rows = index.build(capture(101, bytes(V4)[:-3], original=len(bytes(V4))))
    assert (rows.length.tolist(), rows.cut.tolist()) == ([4], [True])
    assert index.build(capture(101, bytes(V4))).cut.tolist() == [False]


def test_other_protocols_have_no_row() -> None:
    assert len(index.build(capture(101, bytes(IP(proto=1) / Raw(b"x" * 20))))) == 0


def test_nothing_has_no_rows() -> None:
    assert len(index.build(capture(101))) == 0


@pytest.mark.parametrize(
    "packet", [bytes(V4), bytes(V6), bytes(TCP4)], ids=["UDP/IPv4", "UDP/IPv6", "TCP/IPv4"]
)
def test_a_packet_cut_anywhere_is_read_within_its_bounds(packet: bytes) -> None:
    for length in range(len(packet)):
        file = capture(101, packet[:length], b"")
        rows = index.build(file)
        assert (rows.start + rows.length <= 24 + 16 + length).all()


@given(st.data())
def test_wild_octets_are_read_within_their_packet(data: st.DataObject) -> None:
    link = data.draw(st.sampled_from([0, 1, 101, 108, 113, 276]))
    packets = data.draw(
        st.lists(st.binary(max_size=80) | st.just(bytes(V4)) | st.just(bytes(ETHER / V6)), max_size=4)
    )
    file = capture(link, *packets)
    rows = index.build(file)
    ends = file.records.offset + file.records.length
    assert (rows.start >= file.records.offset[rows.frame - 1]).all()
    assert (rows.start + rows.length <= ends[rows.frame - 1]).all()
    assert (rows.length >= 0).all()
