"""Every link layer and what may lie between it and IP, on frames that scapy builds."""

import struct
from typing import Any, cast

import pytest
from scapy.contrib.mpls import MPLS
from scapy.layers.dot11 import Dot11, Dot11QoS, RadioTap
from scapy.layers.l2 import LLC, SNAP, CookedLinux, CookedLinuxV2, Dot1AD, Dot1Q, Dot3
from scapy.layers.ppp import HDLC, PPP, PPPoE
from scapy.packet import Packet, Raw

from imslab.capture import index
from imslab.capture.link import LINK_NAMES, network
from tests.capture.frames import ETHER, ETHERNET, V4, V6, built, payloads

SNAPPED = LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP()
OLD_TAG = b"\x91\x00\x00\x07"
TO_AP = Dot11(type=2, subtype=0, FCfield=1)


def wlan(header: Packet, packet: Packet) -> bytes:
    kind = struct.pack("!H", 0x0800 if packet is V4 else 0x86DD)
    return bytes(header) + bytes.fromhex("aaaa03000000") + kind + bytes(packet)


def cisco(packet: Packet) -> bytes:
    return b"\x0f\x00" + struct.pack("!H", 0x0800 if packet is V4 else 0x86DD) + bytes(packet)


FRAMES = {
    "Ethernet": (1, lambda p: ETHER / p),
    "VLAN": (1, lambda p: ETHER / Dot1Q(vlan=42, prio=5) / p),
    "QinQ": (1, lambda p: ETHER / Dot1AD(vlan=7) / Dot1Q(vlan=42) / p),
    "old QinQ": (1, lambda p: bytes(ETHER)[:12] + OLD_TAG + bytes(ETHER / Dot1Q() / p)[12:]),
    "three tags": (1, lambda p: ETHER / Dot1Q(vlan=1) / Dot1Q(vlan=2) / Dot1Q(vlan=3) / p),
    "802.3 with SNAP": (1, lambda p: Dot3(src="02::1", dst="02::2") / SNAPPED / p),
    "MPLS": (1, lambda p: ETHER / MPLS(label=16, s=1) / p),
    "two labels": (1, lambda p: ETHER / MPLS(label=100, s=0) / MPLS(label=16, s=1) / p),
    "MPLS in VLAN": (1, lambda p: ETHER / Dot1Q(type=0x8847) / MPLS(label=16, s=1) / p),
    "pseudo-wire": (1, lambda p: ETHER / MPLS(label=16, s=1) / Raw(bytes(4)) / ETHER / p),
    "PPPoE": (1, lambda p: ETHER / PPPoE(sessionid=9) / PPP() / p),
    "PPPoE in QinQ": (1, lambda p: ETHER / Dot1AD() / Dot1Q() / PPPoE(sessionid=9) / PPP() / p),
    "MPLS in PPP": (9, lambda p: b"\xff\x03\x02\x81" + bytes(MPLS(label=16, s=1) / p)),
    "PPP": (9, lambda p: PPP() / p),
    "PPP in HDLC": (9, lambda p: HDLC() / PPP() / p),
    "PPP, protocol in one octet": (9, lambda p: (b"\x21" if p is V4 else b"\x57") + bytes(p)),
    "PPP_HDLC": (50, lambda p: HDLC() / PPP() / p),
    "PPP_HDLC of Cisco": (50, cisco),
    "C_HDLC": (104, cisco),
    "PPP_ETHER": (51, lambda p: PPPoE(sessionid=9) / PPP() / p),
    "PPP_PPPD": (166, lambda p: b"\x01\x03" + bytes(PPP() / p)),
    "PPP_WITH_DIR": (204, lambda p: b"\x01" + bytes(HDLC() / PPP() / p)),
    "ATM_RFC1483": (100, lambda p: SNAPPED / p),
    "SLL": (113, lambda p: CookedLinux() / p),
    "SLL with VLAN": (113, lambda p: CookedLinux(proto=0x8100) / Dot1Q(vlan=42) / p),
    "SLL2": (276, lambda p: CookedLinuxV2() / p),
    "SLL2 with VLAN": (276, lambda p: CookedLinuxV2(proto=0x8100) / Dot1Q(vlan=42) / p),
    "802.11": (105, lambda p: wlan(TO_AP, p)),
    "802.11 with QoS": (105, lambda p: wlan(Dot11(type=2, subtype=8, FCfield=2) / Dot11QoS(), p)),
    "802.11 with HT control": (105, lambda p: wlan(Raw(b"\x88\x82" + bytes(22) + bytes(2) + bytes(4)), p)),
    "802.11 between access points": (105, lambda p: wlan(Raw(b"\x08\x03" + bytes(28)), p)),
    "radiotap": (127, lambda p: wlan(RadioTap() / TO_AP, p)),
    "prism": (119, lambda p: wlan(Raw(bytes(144)) / TO_AP, p)),
    "AVS as prism": (119, lambda p: wlan(Raw(b"\x80\x21\x10\x02\x00\x00\x00\x40" + bytes(56)) / TO_AP, p)),
    "AVS": (163, lambda p: wlan(Raw(b"\x80\x21\x10\x01\x00\x00\x00\x40" + bytes(56)) / TO_AP, p)),
    "RAW": (101, bytes),
    "RAW of BSD": (12, bytes),
    "RAW of OpenBSD": (14, bytes),
    "NULL with a header of HDLC": (0, cisco),
}  # fmt: skip


@pytest.mark.parametrize(("link", "frame"), FRAMES.values(), ids=FRAMES)
@pytest.mark.parametrize("packet", [V4, V6], ids=["IPv4", "IPv6"])
def test_every_link_layer(link: int, frame: object, packet: Packet) -> None:
    assert callable(frame)
    assert payloads(link, frame(packet)) == [b"payload"]


@pytest.mark.parametrize("family", ["02000000", "00000002"])
def test_null_in_the_byte_order_of_its_machine(family: str) -> None:
    for link in (0, 108):
        assert payloads(link, bytes.fromhex(family) + bytes(V4)) == [b"payload"]


@pytest.mark.parametrize("family", [10, 23, 24, 28, 30])
def test_null_with_ipv6_of_several_systems(family: int) -> None:
    assert payloads(0, struct.pack("<I", family) + bytes(V6)) == [b"payload"]
    assert payloads(108, struct.pack(">I", family) + bytes(V6)) == [b"payload"]


def test_enc_of_openbsd() -> None:
    assert payloads(109, struct.pack("<III", 2, 0x1234, 1) + bytes(V4)) == [b"payload"]


def test_tags_labels_and_sessions_are_counted() -> None:
    rows = built(
        ETHERNET,
        ETHER / Dot1AD(vlan=7) / Dot1Q(vlan=42, prio=7) / V4,
        ETHER / Dot1Q(vlan=42) / PPPoE(sessionid=9) / PPP() / V4,
        ETHER / MPLS(label=1000, s=0) / MPLS(label=16, s=1) / V6,
        ETHER / V4,
    )
    assert rows.encapsulation == {("VLAN", 7): 1, ("VLAN", 42): 2, ("PPPoE", 9): 1, ("MPLS", 1000): 1}


@pytest.mark.parametrize(
    "frame",
    [
        bytes(ETHER)[:12] + b"\x08\x06" + bytes(28),  # ARP
        bytes(ETHER / Dot1Q(vlan=1, type=0x0806)) + bytes(28),
        bytes(Dot3() / LLC(dsap=0x42, ssap=0x42, ctrl=3)) + bytes(40),  # spanning tree
        bytes(ETHER / PPPoE() / PPP(proto=0xC021)) + bytes(40),  # LCP
        bytes(ETHER / MPLS(label=16, s=1)) + b"\x70" + bytes(40),
        bytes(ETHER)[:13],
        b"",
    ],
    ids=["ARP", "ARP in VLAN", "spanning tree", "LCP", "neither 4 nor 6", "short", "nothing"],
)
def test_what_is_no_ip_has_no_row(frame: bytes) -> None:
    rows = built(ETHERNET, frame, ETHER / V4)
    assert (rows.frame.tolist(), rows.warnings) == ([2], [])


@pytest.mark.parametrize(
    ("link", "frame"),
    [
        (105, bytes(Dot11(type=0, subtype=8)) + bytes(60)),  # a beacon
        (105, wlan(Raw(b"\x08\x41" + bytes(22)), V4)),  # protected
        (105, wlan(Raw(b"\x48\x01" + bytes(22)), V4)),  # null function
        (0, struct.pack("<I", 7) + bytes(V4)),
        (109, struct.pack("<III", 7, 0, 0) + bytes(V4)),
    ],
    ids=["beacon", "protected", "no data", "other family", "other family in ENC"],
)
def test_what_cannot_be_read_has_no_row(link: int, frame: bytes) -> None:
    assert payloads(link, frame) == []


def test_many_tags_come_to_an_end() -> None:
    for count, found in ((8, [b"payload"]), (9, [])):
        frame = bytes(ETHER)[:12] + b"\x81\x00\x00\x01" * count + b"\x08\x00" + bytes(V4)
        assert payloads(ETHERNET, frame) == found


def test_a_stack_of_labels_without_end() -> None:
    assert payloads(ETHERNET, bytes(ETHER)[:12] + b"\x88\x47" + b"\x00\x01\x00\x40" * 40) == []


def test_link_types_that_are_not_known_are_counted() -> None:
    rows = built(147, b"x" * 60, b"y" * 60)
    assert len(rows) == 0
    assert rows.warnings == ["2 packets of link type 147 were left out: not known"]


def test_every_link_type_that_is_read_has_a_name() -> None:
    nothing, none = built(ETHERNET), cast(Any, None)
    read = [
        kind
        for kind in range(300)
        if network(nothing.data, kind, nothing.start, nothing.start, none) is not None
    ]
    assert read == sorted(LINK_NAMES) == sorted(index.LINK_NAMES)
