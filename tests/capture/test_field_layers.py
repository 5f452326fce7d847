"""Captures from the field in scapy's tree: every layer of ours is built again as it came."""

from collections import Counter
from pathlib import Path

from scapy.packet import Packet
from scapy.utils import rdpcap

from imslab.capture import layers

KINDS = (layers.SIP, layers.WebSocket, layers.DTLS, layers.SRTP, layers.GSMTAP)
LARGEST, PACKETS = 1_000_000, 60  # octets of a file, packets of it: scapy dissects 2,000 packets a second


def test_what_is_dissected_is_built_again_as_it_came(field_captures: Path) -> None:
    seen: Counter[str] = Counter()
    for file in sorted((field_captures / "captures").glob("*.pcap*")):
        if file.stat().st_size > LARGEST or file.name.startswith("corrupt"):
            continue
        layers.announced.forget()
        for packet in rdpcap(str(file), count=PACKETS):
            for found in filter(None, map(packet.getlayer, KINDS)):
                seen[found.__class__.__name__] += 1
                assert built(found) == bytes(found), file.name
    layers.announced.forget()
    assert {"SIP", "DTLS", "GSMTAP"} <= set(seen)


def built(packet: Packet) -> bytes:
    """Return what is built when the octets that came are forgotten."""
    copy = packet.copy()
    copy.clear_cache()
    return bytes(copy)
