"""The UDP datagram inside an ESP packet in transport mode.

Spec: RFC 768 (UDP), RFC 4303, 3.1.1 (what follows the IP header goes into ESP). The addresses of the outer IP
header are those of the datagram, and its checksum covers them.
"""

import ipaddress
import struct

from imslab.errors import EspError, Malformed
from imslab.octets import checksum

HEADER = 8  # octets
MOST = 65_535 - HEADER - 120  # octets of payload: IP, ESP and its padding have to fit around it

_UDP = 17


def datagram(source: tuple[str, int], destination: tuple[str, int], payload: bytes) -> bytes:
    """Return ``payload`` with a UDP header of 8 octets; an end is (IP literal, port).

    Raises Malformed for what is no address, and for a payload that one packet cannot carry.
    """
    if len(payload) > MOST:
        raise Malformed(f"{len(payload)} octets do not fit into one ESP packet")
    length = HEADER + len(payload)
    head = struct.pack("!HHH", source[1], destination[1], length)
    pseudo = pseudo_header(source[0], destination[0], _UDP, length)
    # A checksum of 0 would say that there is none (RFC 768).
    return head + (checksum(pseudo + head + b"\0\0" + payload) or 0xFFFF).to_bytes(2) + payload


def payload_of(octets: bytes) -> tuple[int, int, bytes]:
    """Return source port, destination port and payload; EspError when the octets are no UDP datagram.

    The checksum is not looked at: a NAT makes it wrong (RFC 3948, 3.1.2), and ESP has proved more.
    """
    if len(octets) < HEADER:
        raise EspError(f"{len(octets)} octets are no UDP datagram: its header has {HEADER}")
    source_port, destination_port, length, _ = struct.unpack("!HHHH", octets[:HEADER])
    if not HEADER <= length <= len(octets):
        raise EspError(f"a UDP datagram of {length} octets in {len(octets)}")
    return source_port, destination_port, octets[HEADER:length]


def pseudo_header(source: str, destination: str, protocol: int, length: int) -> bytes:
    """Return what a checksum covers beside the datagram itself (RFC 768; RFC 9293, 3.1; RFC 8200, 8.1)."""
    try:
        ends = [ipaddress.ip_address(host).packed for host in (source, destination)]
    except ValueError:
        raise Malformed(f"{source!r} or {destination!r} is no IP address") from None
    return b"".join(ends) + struct.pack("!II", length, protocol)
