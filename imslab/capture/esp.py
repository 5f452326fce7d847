"""ESP packets as columns, and those of them that are not encrypted at all.

Spec: RFC 4303, section 2 (layout); RFC 5879 (how to tell NULL encryption from the octets alone); RFC 4543
(AES-GMAC has an IV of 8 octets); RFC 3948 (ESP in UDP). Nothing in an ESP packet says how it is protected.
But where the trailer is in clear, padding counts 1, 2, 3, the next header is one that we know, and the
lengths of the header within fit: a security association is taken for NULL when that holds for nearly all
its packets with one length of ICV.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from imslab.capture.buffer import Octets
from imslab.capture.columns import Column, Columns, Mask
from imslab.capture.flows import TCP, UDP
from imslab.capture.ip import Payloads, Via

HEADER = 8  # octets: SPI and sequence number
_TRAILER = 2  # octets: pad length and next header
_LAYOUTS = ((0, 12), (0, 16), (8, 16), (0, 32), (0, 0))  # octets of IV, of ICV
_IN_TEN = 9  # so many packets in ten of an association have to fit
_ICMP, _ICMPV6, _IP_IN_IP, _IPV6 = 1, 58, 4, 41


@dataclass(frozen=True, slots=True)
class EspPackets(Columns):
    """ESP packets, one row for each.

    ``frame``          from 1
    ``start, length``  from the SPI on: position in the data, and octets captured
    ``cut``            the capture holds less than was sent;  ``via``: flags of Via
    ``pair``           number of the pair of addresses (``Index.esp_addresses`` gives them)
    ``spi, sequence``  of the header
    ``opened``         its clear text is among the rows of the index
    """

    frame: Column
    start: Column
    length: Column
    cut: Mask
    via: Column
    pair: Column
    spi: Column
    sequence: Column
    opened: Mask

    @classmethod
    def read(cls, data: Octets, found: Payloads) -> "EspPackets":
        """Read the headers of what has IP protocol 50 (or lies in UDP)."""
        whole = found[found.at + HEADER <= found.end]
        words = data.windows(whole.at, HEADER).view(">u4").astype(np.int64)
        length, cut = whole.end - whole.at, whole.cut & (whole.end < whole.limit)
        closed = np.zeros(len(whole), np.bool_)
        return cls(
            whole.frame, whole.at, length, cut, whole.via, whole.pair, words[:, 0], words[:, 1], closed
        )


class _Trailer(NamedTuple):
    """Where clear text would lie, and what it would be, if a packet were laid out so."""

    at: Column
    end: Column
    protocol: Column
    fits: Mask


def in_clear(data: Octets, packets: EspPackets) -> tuple[EspPackets, Payloads]:
    """Return the packets, those with NULL encryption marked as opened, and what these hold."""
    _, association = np.unique(packets.spi << 32 | packets.pair, return_inverse=True)
    trailers = [_trailer(data, packets, *layout) for layout in _LAYOUTS]
    of = np.bincount(association, ~packets.cut)
    fitting = np.stack([np.bincount(association, trailer.fits) for trailer in trailers])
    best = fitting.argmax(axis=0)
    is_null = (fitting.max(axis=0) * 10 >= of * _IN_TEN) & (fitting.max(axis=0) > 0)
    choice = np.where(is_null, best, -1)[association]
    at, end, protocol = packets.start.copy(), packets.start.copy(), np.zeros(len(packets), np.int64)
    opened = np.zeros(len(packets), np.bool_)
    for number, trailer in enumerate(trailers):
        mine = (choice == number) & trailer.fits
        at[mine], end[mine], protocol[mine] = trailer.at[mine], trailer.end[mine], trailer.protocol[mine]
        opened |= mine
    whole = np.zeros(len(packets), np.int64)
    via = packets.via | Via.ESP
    inner = Payloads(packets.frame, at, end, end, whole > 0, via, packets.pair, protocol, whole, whole)
    return replace(packets, opened=opened), inner[opened]


def _trailer(data: Octets, packets: EspPackets, iv: int, icv: int) -> _Trailer:
    at, last = packets.start + HEADER + iv, packets.start + packets.length - icv - 1
    padding, protocol = data.u8(last - 1), data.u8(last)
    end = last - 1 - padding
    fits = ~packets.cut & (end - at >= 8) & _counts(data, end, padding)
    for kinds, check in (
        ((UDP,), _is_udp), ((TCP,), _is_tcp), ((_ICMP, _ICMPV6), _is_icmp), ((_IP_IN_IP, _IPV6), _is_ip),
    ):  # fmt: skip
        mine = fits & np.isin(protocol, kinds)
        fits[mine] = check(data, at[mine], end[mine])
    known = (UDP, TCP, _ICMP, _ICMPV6, _IP_IN_IP, _IPV6)
    return _Trailer(at, end, protocol, fits & np.isin(protocol, known))


def _counts(data: Octets, at: Column, padding: Column) -> Mask:
    """Tell where the padding at ``at`` is 1, 2, 3, ... (RFC 4303, 2.4), by its first and its last octet."""
    found: Mask = (padding == 0) | (data.u8(at) == 1) & (data.u8(at + padding - 1) == padding)
    return found


def _is_udp(data: Octets, at: Column, end: Column) -> Mask:
    found: Mask = data.u16(at + 4) == end - at
    return found


def _is_tcp(data: Octets, at: Column, end: Column) -> Mask:
    header, flags = (data.u8(at + 12) >> 4) * 4, data.u8(at + 13)
    reserved = data.u8(at + 12) & 0x0E
    found: Mask = (header >= 20) & (header <= end - at) & (reserved == 0)
    sane: Mask = (flags & 0x3F != 0) & (flags & 3 != 3)
    return found & sane


def _is_icmp(data: Octets, at: Column, end: Column) -> Mask:
    kind = data.u8(at)
    found: Mask = (data.u8(at + 1) <= 15) & ((kind <= 18) | (kind >= 128) & (kind <= 161))
    return found


def _is_ip(data: Octets, at: Column, end: Column) -> Mask:
    version, long = data.u8(at) >> 4, end - at
    four: Mask = (version == 4) & (data.u16(at + 2) == long)
    six: Mask = (version == 6) & (data.u16(at + 4) + 40 == long)
    return four | six
