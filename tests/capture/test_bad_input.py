"""Captures that are cut anywhere, and whose octets are changed, give a report or one clear line.

benchmarks/fuzz_capture.py does the same with many more, on captures from the field.
"""

import json
import random
from collections.abc import Iterator

import pytest
from scapy.contrib.gtp import GTP_U_Header
from scapy.layers.inet import IP, TCP, UDP, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment, fragment6
from scapy.layers.ipsec import ESP, SecurityAssociation
from scapy.layers.l2 import Dot1Q
from scapy.packet import Packet, Raw

from imslab.capture import open_capture
from imslab.capture.report import report
from imslab.errors import CaptureError
from tests.capture.frames import ETHER, ETHERNET, pcap
from tests.capture.test_file import block, enhanced, interface, option, section

SDP = b"v=0\r\no=- 1 1 IN IP4 a\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"
SIP = (
    b"INVITE sip:bob@example.org SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\n"
    b"To: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nContent-Type: application/sdp\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(SDP), SDP)
)
RTP = b"\x80\x08\x00\x01\x00\x00\x00\xa0\x12\x34\x56\x78" + bytes(160)
BELOW, BELOW6 = IP(src="10.0.0.1", dst="10.0.0.2"), IPv6(src="::1", dst="::2")
GTP = IP(src="192.0.2.1", dst="192.0.2.2") / UDP(sport=2152, dport=2152) / GTP_U_Header(teid=1, S=1)
KEYS = {"crypt_algo": "NULL", "auth_algo": "HMAC-SHA1-96", "auth_key": bytes(20)}


def packets() -> Iterator[Packet]:
    """Yield one of each kind that is looked into."""
    datagram = UDP(sport=5060, dport=5060) / Raw(SIP)
    yield BELOW / datagram
    yield BELOW6 / datagram
    yield from fragment(BELOW / datagram, 200)
    yield from fragment6(BELOW6 / IPv6ExtHdrFragment(id=1) / datagram, 250)
    for number in range(4):
        yield (
            BELOW / TCP(sport=5060, dport=5061, seq=number * 150, flags="A") / Raw(SIP[number * 150 :][:150])
        )
    yield GTP / BELOW / datagram
    yield SecurityAssociation(ESP, spi=1, **KEYS).encrypt(BELOW / datagram)
    yield BELOW / UDP(sport=4000, dport=4002) / Raw(RTP)
    yield BELOW / UDP(sport=4000, dport=3478) / Raw(b"\x40\x00\x00\xac" + RTP)
    yield (
        BELOW
        / UDP(sport=4729, dport=4729)
        / Raw(b"\x02\x04\x04" + bytes(13) + bytes.fromhex("00a4000c023f009000"))
    )


FRAMES = [
    bytes(ETHER / Dot1Q(vlan=1) / each if number % 3 else ETHER / each)
    for number, each in enumerate(packets())
]


def ng(order: str) -> bytes:
    """Write the frames as pcapng, with all that may stand around them."""
    octets = section(order, options=option(order, 1, b"comment")) + interface(order, ETHERNET)
    octets += block(order, 10, bytes(20)) + block(order, 4, bytes(24)) + block(order, 0x0BAD, bytes(8))
    for number, frame in enumerate(FRAMES):
        octets += enhanced(order, number * 1000, frame, options=option(order, 1, b"card time 9 us"))
    return octets


FILES = {"pcap": pcap(ETHERNET, *FRAMES), "pcapng": ng("<"), "pcapng, big": ng(">")}


def read(octets: bytes) -> bool:
    """Tell whether octets are a capture; anything but a report or one line is an error."""
    try:
        capture = open_capture(octets)
    except CaptureError as error:
        return "\n" in str(error)
    return bool(json.dumps(report(capture), allow_nan=False))


files = pytest.mark.parametrize("octets", FILES.values(), ids=FILES)


@files
def test_the_whole_file_is_all_there(octets: bytes) -> None:
    capture = open_capture(octets)
    found = report(capture)
    assert found["capture"]["packets"] == len(FRAMES)
    assert found["sip"]["messages"] == 7
    assert found["warnings"] == []


@files
def test_a_file_that_is_cut_anywhere(octets: bytes) -> None:
    rand = random.Random(1)
    for _ in range(20):
        assert read(octets[: rand.randrange(28, len(octets))])
    assert not read(octets[:3])


@files
def test_octets_that_are_changed_anywhere(octets: bytes) -> None:
    rand = random.Random(2)
    for _ in range(30):
        changed = bytearray(octets)
        for _ in range(rand.randint(1, 16)):
            changed[rand.randrange(28, len(octets))] = rand.randrange(256)
        assert read(bytes(changed))


@files
def test_whole_stretches_that_are_overwritten(octets: bytes) -> None:
    rand = random.Random(3)
    for value in (0x00, 0xFF, 0x7F, 0x80):
        for _ in range(5):
            place, length = rand.randrange(28, len(octets)), rand.choice((2, 4, 64, 1000))
            stretch = bytes([value]) * length
            assert read(octets[:place] + stretch + octets[place + length :])
