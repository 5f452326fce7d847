"""Captures of frames that scapy builds, so that what reads them was not made by what writes them."""

import struct

from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

from imslab.capture import index
from imslab.capture.file import CaptureFile, read_file
from imslab.capture.index import Index

ETHERNET, RAW = 1, 101
SECONDS = 1_700_000_000

V4 = IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=5060, dport=5070) / Raw(b"payload")
V6 = IPv6(src="2001:db8::1", dst="2001:db8::2") / UDP(sport=5060, dport=5070) / Raw(b"payload")
TCP4 = (
    IP(src="10.0.0.1", dst="10.0.0.2") / TCP(sport=1, dport=2, seq=0xFFFFFFF0, flags="PA") / Raw(b"payload")
)
ETHER = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")


def pcap(link: int, *frames: bytes, original: int = 0, seconds: int = 0) -> bytes:
    """Write frames; each comes ``seconds`` after the one before, and had ``original`` octets when sent."""
    octets = struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link)
    for number, frame in enumerate(frames):
        time = SECONDS + number * seconds
        octets += struct.pack("<IIII", time, 0, len(frame), original or len(frame)) + frame
    return octets


def capture(link: int, *frames: bytes | Packet, original: int = 0, seconds: int = 0) -> CaptureFile:
    return read_file(pcap(link, *(bytes(frame) for frame in frames), original=original, seconds=seconds))


def built(link: int, *frames: bytes | Packet, original: int = 0, seconds: int = 0) -> Index:
    return index.build(capture(link, *frames, original=original, seconds=seconds))


def payloads(link: int, *frames: bytes | Packet) -> list[bytes]:
    rows = built(link, *frames)
    return [rows.octets(row) for row in range(len(rows))]
