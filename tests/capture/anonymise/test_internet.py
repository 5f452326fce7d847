"""IP: headers, checksums, ICMP, extension headers and tunnels; payloads go to who reads them."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_RR
from scapy.layers.inet6 import (
    ICMPv6ND_NA,
    ICMPv6ND_RA,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptPrefixInfo,
    ICMPv6NDOptRDNSS,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrRouting,
)
from scapy.layers.l2 import GRE
from scapy.packet import Packet

from imslab.capture.anonymise.internet import Internet
from imslab.capture.anonymise.segments import Flow
from tests.capture.anonymise.parts import Parts, parts

A4, B4, A6, B6 = "192.0.2.7", "198.51.100.8", "2001:db8::7", "2001:db8:1::8"


class Upper:
    """Rewrites payloads to capitals, and notes the flows."""

    def __init__(self) -> None:
        self.surveys, self.flows = False, list[Flow]()

    def datagram(self, flow: Flow, octets: bytes) -> bytes:
        self.flows.append(flow)
        return octets if self.surveys else octets.upper()

    def segment(self, flow: Flow, seq: int, flags: int, octets: bytes) -> bytes:
        return self.datagram(flow, octets)

    def chunk(self, octets: bytes) -> bytes:
        return octets.upper()

    def sealed(self, octets: bytes, inside: Callable[[int, bytes], bytes]) -> bytes:
        return octets[:8] + inside(17, octets[8:])


def internet(made: Parts) -> Internet:
    return Internet(made.addresses, Upper(), lambda _, octets: octets.upper())


def is_right(packet: Packet) -> bool:
    """Tell whether the checksums of a packet are those that scapy computes."""
    again = packet.copy()
    for layer in (IP, UDP, TCP, ICMP):
        if again.haslayer(layer):
            del again[layer].chksum
    for kind in again.layers():
        if "cksum" in [field.name for field in kind.fields_desc]:
            del again[kind].cksum
    return bytes(again.__class__(bytes(again))) == bytes(packet)


PACKETS = [
    IP(src=A4, dst=B4) / UDP(sport=5060, dport=5070) / b"hello",
    IP(src=A4, dst=B4)
    / TCP(sport=5060, dport=5070, seq=7, options=[("MSS", 1400), ("Timestamp", (1, 2))])
    / b"hello",
    IP(src=A4, dst=B4, options=[IPOption_RR(routers=["192.0.2.9", "0.0.0.0"])]) / UDP(dport=9) / b"hello",
    IPv6(src=A6, dst=B6) / UDP(sport=5060, dport=5070) / b"hello",
    IPv6(src=A6, dst=B6) / IPv6ExtHdrDestOpt() / TCP(sport=5060, dport=5070) / b"hello",
    IP(src=A4, dst=B4) / ICMP(type=8, id=3, seq=4) / b"hello",
    IP(src=A4, dst=B4) / ICMP(type=3, code=3) / IP(src=B4, dst=A4) / UDP(sport=9, dport=8) / b"hello",
    IPv6(src=A6, dst=B6) / ICMPv6ND_NA(tgt=A6) / ICMPv6NDOptDstLLAddr(lladdr="00:11:22:33:44:55"),
    IPv6(src=A6, dst="ff02::1")
    / ICMPv6ND_RA()
    / ICMPv6NDOptPrefixInfo(prefix="2001:db8::")
    / ICMPv6NDOptRDNSS(dns=[A6]),
    IP(src=A4, dst=B4) / IP(src="10.1.1.1", dst="10.1.1.2") / UDP(dport=9) / b"hello",
    IP(src=A4, dst=B4) / IPv6(src=A6, dst=B6) / UDP(dport=9) / b"hello",
    IP(src=A4, dst=B4) / GRE(proto=0x800) / b"hello",
]


@pytest.mark.parametrize("packet", PACKETS, ids=lambda packet: packet.summary()[:50])
def test_addresses_are_others_and_checksums_right(made: Parts, packet: Packet) -> None:
    old = packet.__class__(bytes(packet))
    assert is_right(old)
    new = packet.__class__(internet(made).packet(bytes(old)))
    assert len(bytes(new)) == len(bytes(old))
    assert is_right(new)
    assert new.src == made.texts.ip(str(old.src))
    for address in (A4, B4, A6, B6, "10.1.1.1", "192.0.2.9", "2001:db8::"):
        assert address not in str(new.show(dump=True))
    assert b"hello" not in bytes(new)
    assert b"\x00\x11\x22\x33\x44\x55" not in bytes(new)


def test_ports_and_numbers_stay(made: Parts) -> None:
    new = IP(internet(made).packet(bytes(PACKETS[1])))
    assert (new[TCP].sport, new[TCP].dport, new[TCP].seq) == (5060, 5070, 7)
    assert new[TCP].options[:2] == [("MSS", 1400), ("Timestamp", (1, 2))]
    assert bytes(new[TCP].payload) == b"HELLO"


def test_what_a_link_layer_adds_becomes_zeros(made: Parts) -> None:
    assert internet(made).packet(bytes(PACKETS[0]) + b"trailer")[-7:] == bytes(7)


def test_a_route_is_another(made: Parts) -> None:
    packet = IPv6(src=A6, dst=B6) / IPv6ExtHdrRouting(addresses=[A6, B6]) / UDP(dport=9) / b"hello"
    new = IPv6(internet(made).packet(bytes(packet)))
    assert new[IPv6ExtHdrRouting].addresses == [made.texts.ip(A6), made.texts.ip(B6)]


@pytest.mark.parametrize("version", [4, 6])
def test_fragments(made: Parts, version: int) -> None:
    from scapy.layers.inet import fragment
    from scapy.layers.inet6 import IPv6ExtHdrFragment, fragment6

    text = b"a long message, " * 20
    if version == 4:
        old = fragment(IP(src=A4, dst=B4, id=7) / UDP(sport=5060, dport=5060) / text, 96)
    else:
        old = fragment6(
            IPv6(src=A6, dst=B6) / IPv6ExtHdrFragment() / UDP(sport=5060, dport=5060) / (text * 5), 1280
        )
    rewriter = internet(made)
    payloads = rewriter._payloads
    payloads.surveys = True
    for part in old[1:] + old[:1]:
        rewriter.packet(bytes(part))
    payloads.surveys = False
    rewriter.finish_fragments()
    new = b"".join(rewriter.packet(bytes(part))[20 if version == 4 else 48 :] for part in old)
    assert new[8:] == (text if version == 4 else text * 5).upper()


def test_a_first_fragment_alone_is_like_a_packet_that_was_cut(made: Parts) -> None:
    packet = IP(src=A4, dst=B4, flags="MF") / UDP(sport=5060, dport=5060, len=400) / b"hello!!!"
    new = internet(made).packet(bytes(packet))
    assert new[28:] == b"HELLO!!!"
    later = IP(src=A4, dst=B4, frag=9, proto=17) / b"hello!!!"
    assert internet(made).packet(bytes(later))[20:] == bytes(8)


def test_an_unknown_protocol_is_blanked(made: Parts) -> None:
    assert internet(made).packet(bytes(IP(src=A4, dst=B4, proto=99) / b"alice"))[20:] == bytes(5)
    assert internet(made).packet(bytes(IP(src=A4, dst=B4, proto=48) / b"alice"))[20:] == b"\x3b" + bytes(4)


def test_esp_goes_to_who_opens_it(made: Parts) -> None:
    inner = bytes(UDP(sport=1, dport=2) / b"hello")
    new = internet(made).packet(bytes(IP(src=A4, dst=B4, proto=50) / (b"spi.seq." + inner)))
    assert new[20:28] == b"spi.seq."
    assert new.endswith(b"HELLO")


@settings(deadline=None)
@given(st.binary(max_size=120), st.integers(0, 255))
def test_any_packet_keeps_its_length(octets: bytes, protocol: int) -> None:
    rewriter = internet(parts())
    v4 = b"\x45\0" + (len(octets) + 20).to_bytes(2) + bytes(5) + bytes((protocol,)) + bytes(10) + octets
    v6 = b"\x60\0\0\0" + len(octets).to_bytes(2) + bytes((protocol,)) + bytes(33) + octets
    for each in (
        octets,
        v4,
        v6,
        v4[: len(octets)],
        v6[: len(octets)],
        b"\x4f" + v4[1:],
        v4[:9] + b"\x04" + v4[10:20] + v4,
    ):
        assert len(rewriter.packet(each)) == len(each)
