"""Frames: hardware addresses are others, what is inside is found, what nobody reads is blanked."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.contrib.mpls import MPLS
from scapy.layers.dot11 import Dot11, RadioTap
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import ARP, LLC, SNAP, CookedLinux, Dot1AD, Dot1Q, Dot3, Ether
from scapy.layers.ppp import HDLC, PPP, PPPoE
from scapy.packet import Packet

from imslab.capture.anonymise.links import Links
from tests.capture.anonymise.parts import Parts, parts

ONE, OTHER = "00:11:22:33:44:55", "66:77:88:99:aa:bc"
INNER = IP(src="192.0.2.7", dst="192.0.2.8") / UDP(sport=5060, dport=5060) / b"alice"
MACS = [bytes.fromhex(mac.replace(":", "")) for mac in (ONE, OTHER)]


def links(made: Parts) -> tuple[Links, list[bytes]]:
    seen: list[bytes] = []

    def network(octets: bytes) -> bytes:
        seen.append(octets)
        return b"\x45" + b"n" * (len(octets) - 1)

    return Links(made.addresses, network), seen


FRAMES: list[tuple[int, Packet]] = [
    (1, Ether(src=ONE, dst=OTHER) / INNER),
    (1, Ether(src=ONE, dst=OTHER) / Dot1Q(vlan=7) / INNER),
    (1, Ether(src=ONE, dst=OTHER) / Dot1AD(vlan=7) / Dot1Q(vlan=8) / INNER),
    (1, Ether(src=ONE, dst=OTHER) / MPLS(label=9, s=0) / MPLS(label=10, s=1) / INNER),
    (1, Ether(src=ONE, dst=OTHER, type=0x8864) / PPPoE(sessionid=5) / PPP(proto=0x21) / INNER),
    (1, Dot3(src=ONE, dst=OTHER) / LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(OUI=0, code=0x800) / INNER),
    (9, HDLC() / PPP(proto=0x21) / INNER),
    (101, INNER),
    (113, CookedLinux(src=MACS[0], lladdrlen=6, proto=0x800) / INNER),
    (
        127,
        RadioTap()
        / Dot11(type=2, addr1=ONE, addr2=OTHER, addr3=ONE)
        / LLC(dsap=0xAA, ssap=0xAA, ctrl=3)
        / SNAP(OUI=0, code=0x800)
        / INNER,
    ),
]


@pytest.mark.parametrize(
    ("link", "frame"), FRAMES, ids=lambda each: each.summary()[:40] if isinstance(each, Packet) else str(each)
)
def test_the_packet_inside_is_found(made: Parts, link: int, frame: Packet) -> None:
    rewriter, seen = links(made)
    new = rewriter.frame(link, bytes(frame))
    assert len(new) == len(bytes(frame))
    assert seen == [bytes(INNER)]
    assert not any(mac in new for mac in MACS)
    assert b"alice" not in new


def test_hardware_addresses_are_the_same_everywhere(made: Parts) -> None:
    rewriter, _ = links(made)
    new = Ether(
        rewriter.frame(
            1,
            bytes(
                Ether(src=ONE, dst="ff:ff:ff:ff:ff:ff") / ARP(hwsrc=ONE, psrc="192.0.2.7", pdst="192.0.2.8")
            ),
        )
    )
    assert new.src == new[ARP].hwsrc == made.addresses.mac(MACS[0]).hex(":")
    assert new.dst == "ff:ff:ff:ff:ff:ff"
    assert new[ARP].psrc == made.texts.ip("192.0.2.7")


@pytest.mark.parametrize(
    ("link", "octets"),
    [
        (1, MACS[0] + MACS[1] + b"\x88\xcc" + b"\x02\x07\x04alice's switch"),
        (1, MACS[0] + MACS[1] + b"\0\x26\xe0\xe0\x03alice"),
        (1, MACS[0] + b"alice"),
        (113, b"alice"),
        (276, b"alice"),
        (113, bytes(14) + b"\x12\x34alice"),
        (0, b"\2\0\0\0alice"),
        (105, b"\x80\0\0\0" + MACS[0] + MACS[1] + MACS[0] + b"\0\0alice's network"),
        (127, b"\0\0\xff\xffalice"),
    ],
)
def test_what_nobody_reads_is_blanked(made: Parts, link: int, octets: bytes) -> None:
    new = links(made)[0].frame(link, octets)
    assert len(new) == len(octets)
    assert b"alice" not in new
    assert MACS[0] not in new


def test_an_ethertype_that_nobody_reads_is_called_an_experiment(made: Parts) -> None:
    new = links(made)[0].frame(1, MACS[0] + MACS[1] + b"\x88\xcc" + b"LLDP")
    assert new[12:] == b"\x88\xb5" + bytes(4)


def test_an_unknown_link_type_is_counted(made: Parts) -> None:
    rewriter, _ = links(made)
    assert rewriter.frame(4711, b"alice") == bytes(5)
    assert rewriter.unknown == {4711: 1}


@settings(deadline=None)
@given(st.sampled_from([0, 1, 9, 50, 51, 101, 105, 108, 113, 127, 276, 147]), st.binary(max_size=90))
def test_any_frame_keeps_its_length(link: int, octets: bytes) -> None:
    rewriter = Links(parts().addresses, lambda inner: bytes(len(inner)))
    for each in (
        octets,
        octets[:12] + b"\x81\x00" + octets,
        octets[:12] + b"\x88\x47" + octets,
        octets[:12] + b"\x08\x06" + octets,
    ):
        assert len(rewriter.frame(link, each)) == len(each)
