"""Tunnels that scapy builds: what is within is the row; what only looks like a tunnel stays what it is."""

import struct

import pytest
from scapy.contrib.geneve import GENEVE
from scapy.contrib.gtp import GTP_U_Header, GTPPDUSessionContainer
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import GRE, GRE_PPTP
from scapy.layers.ppp import PPP
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet, Raw

from imslab.capture.ip import Via
from tests.capture.frames import ETHER, RAW, TCP4, V4, V6, built, payloads

OUTER4 = IP(src="192.0.2.1", dst="192.0.2.2")
OUTER6 = IPv6(src="2001:db8:1::1", dst="2001:db8:1::2")
GTP = OUTER4 / UDP(sport=2152, dport=2152)


def gtp(inner: bytes, *, flags: int = 0x30, kind: int = 0xFF, rest: bytes = b"", length: int = -1) -> Packet:
    octets = rest + inner
    head = struct.pack("!BBHI", flags, kind, len(octets) if length < 0 else length, 0x1234)
    return GTP / Raw(head + octets)


TUNNELS = {
    "IPv4 in IPv4": (OUTER4, Via.IP_IN_IP),
    "in IPv6": (OUTER6, Via.IP_IN_IP),
    "GRE": (OUTER4 / GRE(), Via.GRE),
    "GRE with key": (OUTER4 / GRE(key_present=1, key=77), Via.GRE),
    "GRE with all": (OUTER4 / GRE(chksum_present=1, key_present=1, seqnum_present=1), Via.GRE),
    "GRE of Ethernet": (OUTER6 / GRE(proto=0x6558) / ETHER, Via.GRE),
    "GRE of PPTP": (OUTER4 / GRE_PPTP(seqnum_present=1, acknum_present=1) / PPP(), Via.GRE),
    "GTP-U": (GTP / GTP_U_Header(teid=0x1234), Via.GTP_U),
    "GTP-U with a sequence number": (GTP / GTP_U_Header(teid=1, S=1, seq=7), Via.GTP_U),
    "GTP-U of 5G": (GTP / GTP_U_Header(teid=1, E=1, next_ex=0x85) / GTPPDUSessionContainer(QFI=5), Via.GTP_U),
    "GTP-U over IPv6": (OUTER6 / UDP(sport=40000, dport=2152) / GTP_U_Header(teid=1), Via.GTP_U),
    "GTP-U from its port": (OUTER4 / UDP(sport=2152, dport=40000) / GTP_U_Header(teid=1), Via.GTP_U),
    "VXLAN": (OUTER4 / UDP(sport=1, dport=4789) / VXLAN(vni=5) / ETHER, Via.VXLAN),
    "VXLAN of Linux": (OUTER4 / UDP(sport=1, dport=8472) / VXLAN(vni=5) / ETHER, Via.VXLAN),
    "Geneve": (OUTER6 / UDP(sport=1, dport=6081) / GENEVE(vni=5, proto=0x6558) / ETHER, Via.GENEVE),
    "Geneve with options": (
        OUTER4 / UDP(sport=1, dport=6081) / GENEVE(proto=0x6558, options=bytes(12)) / ETHER, Via.GENEVE,
    ),
    "Geneve of IP": (OUTER4 / UDP(sport=1, dport=6081) / GENEVE(vni=5), Via.GENEVE),
}  # fmt: skip


@pytest.mark.parametrize(("outer", "via"), TUNNELS.values(), ids=TUNNELS)
@pytest.mark.parametrize("inner", [V4, V6, TCP4], ids=["UDP/IPv4", "UDP/IPv6", "TCP/IPv4"])
def test_every_tunnel(outer: Packet, via: Via, inner: Packet) -> None:
    rows = built(RAW, outer / inner, inner)
    assert (rows.frame.tolist(), rows.via.tolist()) == ([1, 2], [via, 0])
    assert (rows.octets(0), rows.flow[0]) == (b"payload", rows.flow[1])


def test_several_extension_headers_of_gtp_u() -> None:
    extensions = (
        bytes.fromhex("0000008501100500") + bytes.fromhex("02112233445566c0") + bytes.fromhex("01abcd00")
    )
    extensions = (
        bytes(3) + b"\x85" + b"\x01\x10\x05\xc0" + b"\x02\x11\x22\x33\x44\x55\x66\x20" + b"\x01\xab\xcd\x00"
    )
    assert payloads(RAW, gtp(bytes(V4), flags=0x34, rest=extensions)) == [b"payload"]


def test_tunnels_in_each_other() -> None:
    inner = GTP / GTP_U_Header(teid=1) / OUTER6 / GRE() / GTP / GTP_U_Header(teid=2) / V4
    rows = built(RAW, OUTER4 / inner)
    assert (rows.octets(0), rows.via.tolist()) == (b"payload", [Via.IP_IN_IP | Via.GTP_U | Via.GRE])
    assert rows.encapsulation == {("GTP-U", 1): 1, ("GTP-U", 2): 1, ("GRE", 0): 1}


@pytest.mark.parametrize(("count", "found"), [(7, [1, 2]), (8, [2])])
def test_tunnels_without_end_are_left_out(count: int, found: list[int]) -> None:
    packet: Packet = OUTER4
    for _ in range(count - 1):
        packet = packet / OUTER4
    rows = built(RAW, packet / V4, V4)
    assert rows.frame.tolist() == found
    said = ["1 packets were left out: more than 8 IP headers in each other"]
    assert rows.warnings == ([] if 1 in found else said)


def test_keys_and_endpoints_are_counted() -> None:
    rows = built(
        RAW,
        OUTER4 / GRE(key_present=1, key=77) / V4,
        OUTER4 / GRE() / V4,
        OUTER4 / GRE() / V6,
        GTP / GTP_U_Header(teid=0xFFFFFFFF) / V4,
        OUTER4 / UDP(dport=4789) / VXLAN(vni=5) / ETHER / V4,
        OUTER4 / UDP(dport=6081) / GENEVE(vni=6) / V4,
    )
    counts = {("GRE", 77): 1, ("GRE", 0): 2, ("GTP-U", 0xFFFFFFFF): 1, ("VXLAN", 5): 1, ("Geneve", 6): 1}
    assert rows.encapsulation == counts


PLAIN = {
    "a message that is no G-PDU": gtp(bytes(V4), kind=1),
    "another version": gtp(bytes(V4), flags=0x50),
    "GTP'": gtp(bytes(V4), flags=0x20),
    "a length beyond its datagram": gtp(bytes(V4), length=500),
    "something that is no IP": gtp(b"\x75" + bytes(60)),
    "too short for IP": gtp(b"\x45" + bytes(10)),
    "an IPv4 header of less than 20 octets": gtp(b"\x44" + bytes(60)),
    "an extension header without length": gtp(bytes(V4), flags=0x34, rest=bytes(3) + b"\x85" + bytes(4)),
    "extension headers without end": gtp(
        bytes(V4), flags=0x34, rest=bytes(3) + b"\x85" + b"\x01\x00\x00\x85" * 9
    ),
    "DNS from the port of GTP-U": OUTER4 / UDP(sport=2152, dport=53) / Raw(b"\x6b\xcb\x01" + bytes(40)),
    "VXLAN without its flag": OUTER4 / UDP(dport=4789) / Raw(bytes(8) + bytes(ETHER / V4)),
    "VXLAN with ARP": OUTER4 / UDP(dport=4789) / VXLAN() / Raw(bytes(ETHER)[:12] + b"\x08\x06" + bytes(28)),
    "short VXLAN": OUTER4 / UDP(dport=4789) / Raw(b"\x08" + bytes(9)),
    "Geneve of another version": OUTER4 / UDP(dport=6081) / Raw(b"\x40\x00\x08\x00" + bytes(4) + bytes(V4)),
    "Geneve that holds no IP": OUTER4 / UDP(dport=6081) / Raw(b"\x00\x00\x08\x00" + bytes(40)),
}  # fmt: skip


@pytest.mark.parametrize("packet", PLAIN.values(), ids=PLAIN)
def test_what_only_looks_like_a_tunnel_is_a_datagram(packet: Packet) -> None:
    rows = built(RAW, packet)
    assert (rows.octets(0), rows.via.tolist()) == (bytes(packet[UDP].payload), [0])
    assert rows.encapsulation == {}


@pytest.mark.parametrize(
    "packet",
    [
        OUTER4 / Raw(bytes([0x40, 0, 8, 0])) / V4,
        OUTER4 / Raw(bytes([0, 2, 8, 0])) / V4,
        OUTER4 / Raw(bytes([0, 0, 8, 6])) / V4,
        OUTER4 / Raw(bytes([0, 0, 8, 0])),
    ],
    ids=["routing", "version 2", "ARP", "nothing"],
)
def test_gre_that_cannot_be_read_has_no_row(packet: Packet) -> None:
    packet.proto = 47
    assert payloads(RAW, packet) == []


@pytest.mark.parametrize(
    ("kind", "flags", "header"),
    [(0x88BE, 0, 0), (0x88BE, 0x1000, 8), (0x22EB, 0x1000, 12)],
    ids=["I", "II", "III"],
)
def test_mirrored_ports(kind: int, flags: int, header: int) -> None:
    octets = struct.pack("!HH", flags, kind) + bytes(4 * (flags > 0)) + bytes(header) + bytes(ETHER / V4)
    outer = OUTER4.copy()
    outer.proto = 47
    assert payloads(RAW, outer / Raw(octets)) == [b"payload"]


def test_a_tunnel_that_the_capture_cuts_is_looked_into() -> None:
    packet = bytes(GTP / GTP_U_Header(teid=1) / V4)
    rows = built(RAW, packet[:-3], original=len(packet))
    assert (rows.octets(0), rows.cut.tolist(), rows.via.tolist()) == (b"payl", [True], [Via.GTP_U])


def test_icmp_quotes_packets_that_are_not_counted() -> None:
    quoted = IP(src="192.0.2.2", dst="192.0.2.1", proto=1) / Raw(b"\x03\x03" + bytes(6)) / V4
    assert payloads(RAW, quoted) == []
    assert payloads(RAW, GTP / GTP_U_Header() / quoted) == []


def test_tcp_on_the_port_of_a_tunnel_is_tcp() -> None:
    assert payloads(RAW, OUTER4 / TCP(dport=2152) / GTP_U_Header() / V4) == [bytes(GTP_U_Header() / V4)]
