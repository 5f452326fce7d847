"""One pass over all packets at once: link layer, IP, UDP and TCP, as columns.

Spec: the link types of tcpdump.org/linktypes.html (NULL, Ethernet with VLAN tags, RAW, Linux
SLL and SLL2), RFC 791, RFC 8200, RFC 768, RFC 9293.

Nothing here looks at one packet: each step moves a column of positions over one header, for
all packets that have that header. What does not fit drops out and is counted. Fragments of IP
datagrams are counted and left out.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imslab.capture.buffer import Octets
from imslab.capture.file import CaptureFile

Column = NDArray[np.int64]
Mask = NDArray[np.bool_]

UDP, TCP = 17, 6
_IPV4, _IPV6 = 0x0800, 0x86DD  # EtherTypes
_VLAN = (0x8100, 0x88A8, 0x9100)
_MOST_TAGS, _MOST_EXTENSIONS = 4, 8
_ETHERNET, _SLL, _SLL2 = 1, 113, 276
_NULL, _LOOP = 0, 108
_RAW = (12, 14, 101, 228, 229)
_V4_IN_V6 = bytes(10) + b"\xff\xff"
_FAMILY_V6 = (10, 23, 24, 28, 30)  # AF_INET6 of the systems that write NULL
LINK_NAMES: Mapping[int, str] = {
    _NULL: "NULL", _ETHERNET: "EN10MB", _LOOP: "LOOP", _SLL: "LINUX_SLL", _SLL2: "LINUX_SLL2",
    12: "RAW", 14: "RAW", 101: "RAW", 228: "IPV4", 229: "IPV6",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Index:
    """The packets that hold UDP or TCP, one row for each.

    ``frame``             the packet's number, from 1
    ``protocol``          17 or 6
    ``source, target``    addresses as 16 octets (IPv4 as ::ffff:a.b.c.d), an array of n by 16
    ``sport, dport``      ports
    ``data``              the octets of the file, and behind them those that lie in no file (see buffer)
    ``start, length``     of the payload: its position in ``data``, and octets
    ``cut``               the capture holds less of the payload than was sent
    ``seq, flags``        of TCP; 0 for UDP
    """

    frame: Column
    protocol: Column
    source: NDArray[np.uint8]
    target: NDArray[np.uint8]
    sport: Column
    dport: Column
    start: Column
    length: Column
    cut: Mask
    seq: Column
    flags: Column
    data: Octets = field(repr=False)
    warnings: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.frame)

    def octets(self, row: int) -> bytes:
        """Return the payload of a row."""
        start = int(self.start[row])
        return self.data[start : start + int(self.length[row])]

    def endpoints(self, row: int) -> tuple[tuple[str, int], tuple[str, int]]:
        """Return ((source address, port), (destination address, port)) of a row."""
        return (
            (address(self.source[row].tobytes()), int(self.sport[row])),
            (address(self.target[row].tobytes()), int(self.dport[row])),
        )


@lru_cache(maxsize=4096)
def address(octets: bytes) -> str:
    """Return the text of an address of 16 octets; IPv4 in its own form."""
    if octets.startswith(_V4_IN_V6):
        return str(ipaddress.IPv4Address(octets[12:]))
    return str(ipaddress.IPv6Address(octets))


def build(capture: CaptureFile) -> Index:
    """Go over all packets of ``capture`` and return those that hold UDP or TCP."""
    if not len(capture):
        return _empty(Octets(capture.data))
    octets, warnings = Octets(capture.data), list[str]()
    records = capture.records
    at = _network_layer(octets, records.offset, records.link, warnings)
    end = records.offset + records.length
    cut = records.length < records.original
    found = [_ip(octets, at, end, cut, version, warnings) for version in (4, 6)]
    return _sorted(found, warnings)


def _network_layer(octets: Octets, start: Column, link: Column, warnings: list[str]) -> Column:
    """Return where the IP header of each packet begins, or -1."""
    at = np.full(len(start), -1, np.int64)
    for kind in np.unique(link):
        mine = link == kind
        if kind == _ETHERNET:
            at[mine] = _after_type(octets, start[mine] + 12)
        elif kind == _SLL:
            at[mine] = _after_type(octets, start[mine] + 14)
        elif kind == _SLL2:
            at[mine] = np.where(_is_ip(octets.u16(start[mine])), start[mine] + 20, -1)
        elif kind in (_NULL, _LOOP):
            at[mine] = _after_family(octets, start[mine])
        elif kind in _RAW:
            at[mine] = start[mine]
        else:
            warnings.append(f"{int(mine.sum())} packets of link type {int(kind)} were left out: not known")
    return at


def _is_ip(ethertype: Column) -> Mask:
    return np.isin(ethertype, (_IPV4, _IPV6))


def _after_type(octets: Octets, at: Column) -> Column:
    """Step from an EtherType over VLAN tags to the IP header; -1 where there is none."""
    for _ in range(_MOST_TAGS):
        tagged = np.isin(octets.u16(at), _VLAN)
        if not tagged.any():
            break
        at = np.where(tagged, at + 4, at)
    return np.where(_is_ip(octets.u16(at)), at + 2, -1)


def _after_family(octets: Octets, at: Column) -> Column:
    """NULL: four octets of address family, in the byte order of the machine that captured."""
    big = octets.u32(at)
    little = octets.u8(at) | octets.u8(at + 1) << 8
    family = np.where(big > 0xFFFF, little, big)
    # Some systems write an HDLC header under this name: the EtherType is then in the last two octets.
    known = (family == 2) | np.isin(family, _FAMILY_V6) | _is_ip(octets.u16(at + 2))
    return np.where(known, at + 4, -1)


def _ip(octets: Octets, at: Column, end: Column, cut: Mask, version: int, warnings: list[str]) -> Index:
    """Step over the IP headers of one version."""
    header = 20 if version == 4 else 40
    rows = np.flatnonzero((at >= 0) & (at + header <= end) & (octets.u8(at) >> 4 == version))
    at, end, cut = at[rows], end[rows], cut[rows]
    if version == 4:
        after, limit, protocol, fragment = _ipv4(octets, at)
        prefix = np.frombuffer(_V4_IN_V6, np.uint8)
        both = octets.windows(at + 12, 8)
        fill = np.broadcast_to(prefix, (len(rows), 12))
        source, target = np.hstack([fill, both[:, :4]]), np.hstack([fill, both[:, 4:]])
    else:
        after, limit, protocol, fragment = _ipv6(octets, at)
        source, target = octets.windows(at + 8, 16), octets.windows(at + 24, 16)
    if fragment.any():
        warnings.append(
            f"{int(fragment.sum())} fragments of IPv{version} datagrams were left out (not reassembled)"
        )
    # Link layers pad, and network cards hand over packets whose length is still 0.
    end = np.where(limit > at, np.minimum(end, limit), end)
    keep = ~fragment & (after <= end) & ((protocol == UDP) | (protocol == TCP))
    addresses = source[keep], target[keep]
    return _transport(
        octets, rows[keep], after[keep], end[keep], protocol[keep], *addresses, cut[keep], limit[keep]
    )


def _ipv4(octets: Octets, at: Column) -> tuple[Column, Column, Column, Mask]:
    """Return where payload and end of each datagram are, its protocol, and whether it is a fragment."""
    header, total = (octets.u8(at) & 15) * 4, octets.u16(at + 2)
    after = np.where(header >= 20, at + header, np.iinfo(np.int64).max)
    return (
        after,
        np.where(total >= header, at + total, at),
        octets.u8(at + 9),
        octets.u16(at + 6) & 0x3FFF != 0,
    )


def _ipv6(octets: Octets, at: Column) -> tuple[Column, Column, Column, Mask]:
    length, following = octets.u16(at + 4), octets.u8(at + 6)
    limit = np.where(length > 0, at + 40 + length, at)
    after, fragment = at + 40, np.zeros(len(at), np.bool_)
    for _ in range(_MOST_EXTENSIONS):
        options = np.isin(following, (0, 43, 60))  # hop-by-hop, routing, destination options
        authentication, is_fragment = following == 51, following == 44
        # A fragment that holds the whole datagram ("atomic", RFC 6946) is none.
        fragment |= is_fragment & (octets.u16(after + 2) & 0xFFF9 != 0)
        size = np.where(options, (octets.u8(after + 1) + 1) * 8, 0)
        size = np.where(authentication, (octets.u8(after + 1) + 2) * 4, np.where(is_fragment, 8, size))
        if not size.any():
            break
        following = np.where(size > 0, octets.u8(after), following)
        after = after + size
    return after, limit, following, fragment


def _transport(
    octets: Octets,
    rows: Column,
    at: Column,
    end: Column,
    protocol: Column,
    source: NDArray[np.uint8],
    target: NDArray[np.uint8],
    cut: Mask,
    limit: Column,
) -> Index:
    is_tcp = protocol == TCP
    header = np.where(is_tcp, (octets.u8(at + 12) >> 4) * 4, 8)
    start = at + header
    length = end - start
    claimed = octets.u16(at + 4) - 8
    length = np.where(is_tcp | (claimed < 0), length, np.minimum(length, claimed))
    keep = (length >= 0) & (header >= np.where(is_tcp, 20, 8))
    cut = cut & (end < limit)
    at, is_tcp = at[keep], is_tcp[keep]
    return Index(
        rows[keep] + 1,
        protocol[keep],
        source[keep],
        target[keep],
        octets.u16(at),
        octets.u16(at + 2),
        start[keep],
        length[keep],
        cut[keep],
        np.where(is_tcp, octets.u32(at + 4), 0),
        np.where(is_tcp, octets.u8(at + 13), 0),
        octets,
    )


def _sorted(parts: list[Index], warnings: list[str]) -> Index:
    """Join the rows of both IP versions in the order of their frames."""
    order = np.argsort(np.concatenate([part.frame for part in parts]), kind="stable")
    names = [name for name in Index.__slots__ if name not in ("warnings", "data")]
    joined: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return Index(
        **{name: column[order] for name, column in joined.items()}, data=parts[0].data, warnings=warnings
    )


def _empty(data: Octets) -> Index:
    none, addresses, no = np.zeros(0, np.int64), np.zeros((0, 16), np.uint8), np.zeros(0, np.bool_)
    return Index(none, none, addresses, addresses, none, none, none, none, no, none, none, data)
