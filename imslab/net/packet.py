"""IP packets around a payload: the headers that a trace needs, with right checksums.

Spec: RFC 791 (IPv4), RFC 8200 (IPv6), RFC 768 (UDP), RFC 9293 (TCP), RFC 1071 (checksum).
An endpoint is ``(host, port)``; a host is an IPv4 or IPv6 literal, never a name.
"""

import ipaddress
import struct
from enum import IntFlag
from functools import lru_cache

from imslab.errors import Malformed
from imslab.octets import checksum

Endpoint = tuple[str, int]

UDP, TCP, ESP = 17, 6, 50  # protocol numbers (IANA)
_HOP_LIMIT = 64
_MOST = 65_535  # octets in an IPv4 packet, and in the payload of an IPv6 packet


class Flags(IntFlag):
    """The control bits of TCP that a trace uses (RFC 9293, 3.1)."""

    FIN = 0x01
    SYN = 0x02
    PSH = 0x08
    ACK = 0x10


def udp_packet(source: Endpoint, destination: Endpoint, payload: bytes) -> bytes:
    """Return one IP packet that holds ``payload`` in a UDP datagram.

    Raises Malformed for an address that is none, two families, a bad port, or a payload over 65,507 octets.
    """
    header = struct.pack("!HHHH", *_ports(source, destination), 8 + len(payload) & 0xFFFF, 0)
    return _packet(UDP, source[0], destination[0], header, payload, checksum_at=6)


def tcp_packet(
    source: Endpoint, destination: Endpoint, payload: bytes, *, seq: int, ack: int, flags: Flags
) -> bytes:
    """Return one IP packet that holds ``payload`` in a TCP segment; SYN carries an MSS of 1400 octets."""
    options = bytes.fromhex("02040578") if flags & Flags.SYN else b""
    offset = (5 + len(options) // 4) << 12
    header = struct.pack(
        "!HHIIHHHH",
        *_ports(source, destination),
        seq & 0xFFFFFFFF,
        ack & 0xFFFFFFFF,
        offset | int(flags),
        _MOST,
        0,
        0,
    )
    return _packet(TCP, source[0], destination[0], header + options, payload, checksum_at=16)


def esp_packet(source: str, destination: str, octets: bytes) -> bytes:
    """Return one IP packet that holds an ESP packet, which has no ports (RFC 4303, 3.1)."""
    return ip_packet(ESP, source, destination, octets)


def ip_packet(protocol: int, source: str, destination: str, octets: bytes) -> bytes:
    """Return one IP packet that holds ``octets`` of a protocol; raises as ``udp_packet`` does."""
    src, dst = _both(source, destination)
    return _ip_header(protocol, src, dst, _fitting(len(octets), src)) + octets


@lru_cache(maxsize=1024)
def packed_address(host: str) -> bytes:
    """Return the 4 or 16 octets of an IP literal (without a zone such as ``%eth0``), or raise Malformed."""
    try:
        return ipaddress.ip_address(host.partition("%")[0].strip("[]")).packed
    except (ValueError, AttributeError):
        raise Malformed(f"{host!r} is not an IP address", expected="an IPv4 or IPv6 literal") from None


def _ports(source: Endpoint, destination: Endpoint) -> tuple[int, int]:
    for _, port in (source, destination):
        if not isinstance(port, int) or not 0 <= port <= 0xFFFF:
            raise Malformed(f"{port!r} is not a port", expected="0 to 65535")
    return source[1], destination[1]


def _packet(
    protocol: int, source: str, destination: str, header: bytes, payload: bytes, *, checksum_at: int
) -> bytes:
    src, dst = _both(source, destination)
    length = _fitting(len(header) + len(payload), src)
    pseudo = src + dst + struct.pack("!II", length, protocol)
    # An even header keeps the payload on a 16-bit boundary, so the parts can be summed as one.
    value = checksum(pseudo + header + payload) or 0xFFFF  # 0 means "none" in UDP; in TCP they are equal
    header = header[:checksum_at] + struct.pack("!H", value) + header[checksum_at + 2 :]
    return _ip_header(protocol, src, dst, length) + header + payload


def _both(source: str, destination: str) -> tuple[bytes, bytes]:
    src, dst = packed_address(source), packed_address(destination)
    if len(src) != len(dst):
        raise Malformed(f"{source} and {destination} are of two families")
    return src, dst


def _fitting(length: int, src: bytes) -> int:
    """Return ``length``, or raise Malformed when one IP packet cannot hold so many octets."""
    if length + (20 if len(src) == 4 else 0) > _MOST:
        raise Malformed(f"{length} octets do not fit into one IP packet")
    return length


def _ip_header(protocol: int, src: bytes, dst: bytes, length: int) -> bytes:
    if len(src) == 16:
        return struct.pack("!IHBB", 6 << 28, length, protocol, _HOP_LIMIT) + src + dst
    dont_fragment = 0x4000  # so that the identification may stay 0 (RFC 6864)
    start = struct.pack("!BBHHHBB", 0x45, 0, 20 + length, 0, dont_fragment, _HOP_LIMIT, protocol)
    return start + struct.pack("!H", checksum(start + src + dst)) + src + dst
