"""What ESP and SRTP of a capture held, as IP packets that stand for their frames.

Spec: RFC 4303, 3.1.1 (transport mode: the payload follows the IP header); RFC 3711, 3.1. Addresses and ports
are the innermost ones. The padding of RTP is left out, and its bit with it.
"""

from typing import TYPE_CHECKING

import numpy as np

from imslab.capture.export.copy import Replacement
from imslab.errors import Malformed
from imslab.ipsec.esp import IPV4, IPV6, NOTHING
from imslab.net.packet import ip_packet, udp_packet
from imslab.srtp.packet import header_length

if TYPE_CHECKING:
    from imslab.capture.capture import Capture

_PADDING = 0x20


def replacements(capture: "Capture") -> dict[int, Replacement]:
    """Return what stands for each frame whose ESP or SRTP was opened."""
    return _esp(capture) | _rtcp(capture) | _rtp(capture)  # SRTP may have been in ESP


def _esp(capture: "Capture") -> dict[int, Replacement]:
    found = {}
    opening = capture.whole.opening
    for one in opening.clear() if opening else ():
        packet = one.payload
        if one.next_header not in (IPV4, IPV6):
            try:
                packet = ip_packet(one.next_header, one.source, one.destination, one.payload)
            except Malformed:  # 65,535 octets and a header again: nobody sent that
                continue
        if one.next_header != NOTHING:
            found[one.frame] = Replacement(packet, f"imslab: was ESP, SPI 0x{one.spi:08x}")
    return found


def _rtp(capture: "Capture") -> dict[int, Replacement]:
    found, index = {}, capture.index
    for stream in capture.rtp:
        packets = stream.packets
        for place in np.flatnonzero(packets.opened).tolist():
            row, start = int(packets.row[place]), int(packets.start[place])
            head = header_length(index.octets(row))
            clear = index.data[start - head : start + int(packets.size[place])]
            octets = bytes((clear[0] & ~_PADDING,)) + clear[1:]
            found[int(index.frame[row])] = _datagram(stream.source, stream.destination, octets, "SRTP")
    return found


def _rtcp(capture: "Capture") -> dict[int, Replacement]:
    index = capture.index
    return {
        int(index.frame[row]): _datagram(*index.endpoints(row), octets, "SRTCP")
        for row, octets in capture.whole.rtcp_in_clear.items()
    }


def _datagram(source: tuple[str, int], destination: tuple[str, int], octets: bytes, what: str) -> Replacement:
    return Replacement(udp_packet(source, destination, octets), f"imslab: was {what}")
