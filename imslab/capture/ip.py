"""IP headers of many packets at once: from where a packet begins to where its payload begins.

Spec: RFC 791, section 3.1 (IPv4); RFC 8200, section 4 (IPv6 and its extension headers); RFC 4302, section 2
(authentication header). Link layers pad, so a packet ends where its length says; network cards that cut
segments hand over packets whose length is still 0, and those end where the capture of them ends.
"""

from dataclasses import dataclass
from enum import IntFlag

import numpy as np
from numpy.typing import NDArray

from imslab.capture.buffer import Octets
from imslab.capture.columns import Column, Columns, Mask
from imslab.capture.flows import Flows

_V4_HEADER, _V6_HEADER = 20, 40
_HOP_BY_HOP, _ROUTING, _FRAGMENT, _AUTHENTICATION, _DESTINATION = 0, 43, 44, 51, 60
_MOST_EXTENSIONS = 8
_NEVER = np.iinfo(np.int64).max


class Via(IntFlag):
    """What a datagram was taken out of."""

    FRAGMENTS = 1
    IP_IN_IP = 2
    GRE = 4
    GTP_U = 8
    VXLAN = 16
    GENEVE = 32
    ESP = 64
    TURN = 128
    ESP_IN_UDP = 256


@dataclass(frozen=True, slots=True)
class Packets(Columns):
    """IP packets.

    ``frame``    from 1;  ``at``: the position of the header;  ``end``: of what was captured
    ``cut``      the capture holds less of the frame than was sent;  ``via``: flags of Via
    """

    frame: Column
    at: Column
    end: Column
    cut: Mask
    via: Column


@dataclass(frozen=True, slots=True)
class Payloads(Columns):
    """What IP packets carry.

    ``at, end``        the positions of the payload and of its end; ``limit``: where it should have ended
    ``pair``           number of the pair of addresses, in Flows;  ``protocol``: of the payload
    ``fragment``       0 for a whole datagram, else the offset in 8 octets, and 0x2000 when more follow
    ``identification`` of the datagram that the fragment belongs to
    """

    frame: Column
    at: Column
    end: Column
    limit: Column
    cut: Mask
    via: Column
    pair: Column
    protocol: Column
    fragment: Column
    identification: Column


MORE = 0x2000
_OFFSET = 0x1FFF


def payloads(data: Octets, packets: Packets, flows: Flows) -> list[Payloads]:
    """Step over the IP headers of ``packets``; what is no IP packet drops out."""
    head = data.windows(packets.at, _V6_HEADER)
    version = head[:, 0] >> 4
    found = []
    for number, read in ((4, _version4), (6, _version6)):
        mine = version == number
        if mine.all():
            found.append(read(data, packets, head, flows))
        elif mine.any():
            found.append(read(data, packets[mine], head[mine], flows))
    return found


def _version4(data: Octets, packets: Packets, head: NDArray[np.uint8], flows: Flows) -> Payloads:
    length = (head[:, 0] & 15).astype(np.int64) * 4
    good = (length >= _V4_HEADER) & (packets.at + length <= packets.end)
    if not good.all():
        packets, head, length = packets[good], head[good], length[good]
    words = head.view(">u2")
    total = words[:, 1].astype(np.int64)
    limit = np.where(total >= length, packets.at + total, packets.at)
    found = Payloads(
        packets.frame,
        packets.at + length,
        np.where(limit > packets.at, np.minimum(packets.end, limit), packets.end),
        limit,
        packets.cut,
        packets.via,
        flows.pairs4(head[:, 12:20]),
        head[:, 9],
        words[:, 3].astype(np.uint16) & np.uint16(MORE | _OFFSET),
        words[:, 2].astype(np.uint32),
    )
    return stepped(data, found, (_AUTHENTICATION,))


def _version6(data: Octets, packets: Packets, head: NDArray[np.uint8], flows: Flows) -> Payloads:
    good = packets.at + _V6_HEADER <= packets.end
    if not good.all():
        packets, head = packets[good], head[good]
    length = head.view(">u2")[:, 2].astype(np.int64)
    limit = np.where(length > 0, packets.at + _V6_HEADER + length, packets.at)
    nothing = np.zeros(len(packets), np.uint32)
    found = Payloads(
        packets.frame,
        packets.at + _V6_HEADER,
        np.where(limit > packets.at, np.minimum(packets.end, limit), packets.end),
        limit,
        packets.cut,
        packets.via,
        flows.pairs6(head[:, 8:40]),
        head[:, 6],
        nothing,
        nothing,
    )
    return stepped(data, found)


_EXTENSIONS = (_HOP_BY_HOP, _ROUTING, _FRAGMENT, _AUTHENTICATION, _DESTINATION)


def stepped(data: Octets, found: Payloads, extensions: tuple[int, ...] = _EXTENSIONS) -> Payloads:
    """Step over extension headers, up to the payload or to a fragment of it."""
    for _ in range(_MOST_EXTENSIONS):
        here = np.isin(found.protocol, extensions) & (found.fragment == 0)
        if not here.any():
            return found
        found = _over_one(data, found, here)
    return found[~np.isin(found.protocol, extensions)]


def _over_one(data: Octets, found: Payloads, here: Mask) -> Payloads:
    """Step over one extension header of the rows ``here``; a row drops out when it ends within one."""
    header = data.windows(found.at, 8)
    is_fragment = here & (found.protocol == _FRAGMENT)
    size = (header[:, 1].astype(np.int64) + 1) * 8
    size = np.where(found.protocol == _AUTHENTICATION, (header[:, 1].astype(np.int64) + 2) * 4, size)
    size = np.where(here, np.where(is_fragment, 8, size), 0)
    word = header.view(">u2")[:, 1].astype(np.int64)
    fragment = word >> 3 | (word & 1) * MORE
    identification = header.view(">u4")[:, 1].astype(np.int64)
    stepped_over = Payloads(
        found.frame,
        found.at + size,
        found.end,
        found.limit,
        found.cut,
        found.via,
        found.pair,
        np.where(here, header[:, 0], found.protocol),
        np.where(is_fragment, fragment, found.fragment),
        np.where(is_fragment, identification, found.identification),
    )
    good = stepped_over.at <= found.end
    return stepped_over if good.all() else stepped_over[good]
