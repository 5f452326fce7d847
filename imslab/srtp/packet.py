"""Where an RTP or RTCP packet's clear part ends.

Spec: RFC 3550, sections 5.1 (RTP header), 5.3.1 (header extension) and 6.4.1 (RTCP); RFC 3711, sections 3.1
and 3.4: the RTP header with its CSRC list and extension stays in clear, and so do the first 8 octets of RTCP.
"""

from imslab.errors import Malformed

FIXED_HEADER = 12
RTCP_CLEAR = 8
INDEX_WORD = 4
E_BIT = 1 << 31


def header_length(packet: bytes) -> int:
    """Return the octets of an RTP header, with CSRC list and extension; raise Malformed when it is cut."""
    if len(packet) < FIXED_HEADER:
        raise Malformed(f"an RTP packet of {len(packet)} octets", expected="at least 12")
    if packet[0] >> 6 != 2:
        raise Malformed(f"RTP version {packet[0] >> 6}", offset=0, expected="2")
    length = FIXED_HEADER + 4 * (packet[0] & 15)
    if packet[0] & 0x10:
        length += 4 + 4 * int.from_bytes(packet[length + 2 : length + 4])
    if length > len(packet):
        raise Malformed(f"an RTP packet of {len(packet)} octets with a header of {length}")
    return length


def check_rtcp(packet: bytes) -> bytes:
    """Return an RTCP packet that has at least its first 8 octets, and version 2; else raise Malformed."""
    if len(packet) < RTCP_CLEAR:
        raise Malformed(f"an RTCP packet of {len(packet)} octets", expected="at least 8")
    if packet[0] >> 6 != 2:
        raise Malformed(f"RTCP version {packet[0] >> 6}", offset=0, expected="2")
    return packet


def sequence_number(packet: bytes) -> int:
    """Return SEQ of an RTP packet, 16 bits."""
    return int.from_bytes(packet[2:4])


def ssrc(packet: bytes) -> int:
    """Return the SSRC of an RTP packet, 32 bits."""
    return int.from_bytes(packet[8:12])


def rtcp_ssrc(packet: bytes) -> int:
    """Return the SSRC of an RTCP packet's sender, 32 bits."""
    return int.from_bytes(packet[4:8])
