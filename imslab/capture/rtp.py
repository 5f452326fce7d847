"""RTP in a capture: which packets have its form, and which of them belong together.

Spec: RFC 3550, 5.1 (the header) and A.1 (probation); RFC 5761, section 4 (RTP and RTCP on one port);
RFC 7983 (the first octet tells STUN, DTLS, TURN channel data and RTP apart).

A group is all packets of one SSRC between two sockets. Packets whose sockets stand in a session
description need no more than the form. Others are believed when their sequence numbers and
timestamps move as those of a stream do; nothing here looks at one packet at a time.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imslab.capture.file import CaptureFile
from imslab.capture.index import UDP, Column, Index, Mask

HEADER = 12  # octets, without CSRC and extension
_VERSION_2 = 0x80
_RTCP_TYPES = range(64, 96)  # payload types that would be read as RTCP (RFC 5761, 4)
_FEWEST = 3  # packets that an unannounced stream must have
_STEP = 64  # the widest step of a sequence number that is taken for a loss and not for chance
_STEADY = 0.8  # the share of such steps
_MIXER = np.uint64(0x9E3779B97F4A7C15)  # an odd number: 2**64 over the golden ratio
_BUCKET = 16  # bits: numpy sorts numbers of this width in one pass


@dataclass(frozen=True, slots=True)
class RtpPackets:
    """Packets that have the form of RTP, as columns; those of one group stand together, in their order.

    ``row``        of the index;  ``time``: nanoseconds since the epoch
    ``start``      where the media begin in ``index.data`` (behind CSRC and extension)
    ``size``       octets of media, without padding (of SRTP that no key opened: with its tag)
    ``opened``     the media were encrypted, and a key opened them
    ``group``      the number of the group;  ``first``: where each group begins in these columns
    """

    row: Column
    time: Column
    payload_type: Column
    marker: Mask
    seq: Column
    timestamp: Column
    ssrc: Column
    start: Column
    size: Column
    opened: Mask
    group: Column
    first: Column

    def __len__(self) -> int:
        return len(self.row)

    @property
    def count(self) -> Column:
        """How many packets each group has."""
        return np.diff(np.append(self.first, len(self)))

    def of(self, group: int) -> slice:
        """Return where the packets of a group stand."""
        start = int(self.first[group])
        return slice(start, int(self.first[group + 1]) if group + 1 < len(self.first) else len(self))

    def only(self, group: int) -> "RtpPackets":
        """Return the packets of one group."""
        place, zero = self.of(group), np.zeros(1, np.int64)
        columns = {name: getattr(self, name)[place] for name in self.__slots__}
        return RtpPackets(**{**columns, "group": columns["group"] * 0, "first": zero})

    def take(self, places: Column | Mask) -> "RtpPackets":
        """Return the packets at ``places``, with the groups that are left numbered again."""
        if isinstance(places, np.ndarray) and places.dtype == np.bool_ and places.all():
            return self
        names = [name for name in self.__slots__ if name != "first"]
        columns = {name: getattr(self, name)[places] for name in names}
        fresh = _starts(columns["group"])
        columns["group"] = np.cumsum(fresh) - 1
        return RtpPackets(**columns, first=np.flatnonzero(fresh))


def read(capture: CaptureFile, index: Index) -> RtpPackets:
    """Return all packets that have the form of RTP."""
    rows = np.flatnonzero(_form(index.head) & (index.protocol == UDP) & (index.length >= HEADER))
    start, size = _media(index, rows)
    fits = size >= 0
    if not fits.all():
        rows, start, size = rows[fits], start[fits], size[fits]
    words = index.words.take(rows, axis=0)
    group = _groups(index.flow[rows].astype(np.uint64) << np.uint64(32) | words[:, 2])
    order = np.argsort(group, kind="stable")
    words, group = words.take(order, axis=0).astype(np.int64), group[order]
    time = capture.records.time[index.frame[rows] - 1]
    fresh = _starts(group)
    return RtpPackets(
        rows[order],
        time[order],
        words[:, 0] >> 16 & 0x7F,
        (words[:, 0] & 0x800000).astype(np.bool_),
        words[:, 0] & 0xFFFF,
        words[:, 1],
        words[:, 2],
        start[order],
        size[order],
        np.zeros(len(rows), np.bool_),
        np.cumsum(fresh) - 1,
        np.flatnonzero(fresh),
    )


def _form(head: NDArray[np.uint8]) -> Mask:
    """Tell whose first octets are those of RTP: version 2, and no type that RTCP has (RFC 5761, 4)."""
    kind = head[:, 1] & 0x7F
    form: Mask = (head[:, 0] >> 6 == 2) & ((kind < _RTCP_TYPES[0]) | (kind > _RTCP_TYPES[-1]))
    return form


def _media(index: Index, rows: Column) -> tuple[Column, Column]:
    """Return where the media begin and how many octets they have; below 0 where the header does not fit."""
    at, first = index.start[rows], index.head[rows, 0]
    end = at + index.length[rows]
    start = at + HEADER
    special = np.flatnonzero(first & 0x1F)  # CSRC, or an extension
    if len(special):
        start[special] += (first[special] & 0x0F).astype(np.int64) * 4
        extended = special[first[special] & 0x10 != 0]
        start[extended] += 4 + 4 * index.data.u16(start[extended] + 2)
    size = end - start
    padded = np.flatnonzero((first & 0x20 != 0) & (size > 0))
    if len(padded):
        # Of SRTP the last octet is part of the tag and not a count: then the padding stays.
        count = index.data.u8(end[padded] - 1)
        size[padded] -= np.where(count <= size[padded], count, 0)
    return start, size


def _starts(group: Column) -> Mask:
    """Mark where a new group begins in a sorted column."""
    fresh = np.ones(len(group), np.bool_)
    fresh[1:] = group[1:] != group[:-1]
    return fresh


def _groups(key: NDArray[np.uint64]) -> NDArray[Any]:
    """Return a number for each different key: small ones that sort fast, where keys do not share them."""
    mixed = key * _MIXER
    bucket = (mixed >> np.uint64(64 - _BUCKET)).astype(np.uint16)
    member = np.zeros(1 << _BUCKET, np.int64)
    member[bucket] = np.arange(len(key))
    other = key[member[bucket]] != key
    if not other.any():
        return bucket
    group = bucket.astype(np.int64)  # what shares a bucket with another key gets a number of its own
    group[other] = (1 << _BUCKET) + np.unique(key[other], return_inverse=True)[1].reshape(-1)
    return group


def steps(packets: RtpPackets) -> Column:
    """Return how far each sequence number lies ahead of the one before it (modulo 2**16, signed).

    The first of each group has 0.
    """
    step = np.zeros(len(packets), np.int64)
    step[1:] = (np.diff(packets.seq) + 0x8000 & 0xFFFF) - 0x8000
    step[packets.first] = 0
    return step


def is_steady(packets: RtpPackets, step: Column) -> Mask:
    """Tell for each group whether its numbers move as those of a stream do."""
    if not len(packets):
        return np.zeros(0, np.bool_)
    first, count = packets.first, packets.count
    forward = np.zeros(len(packets), np.int64)
    forward[1:] = (np.diff(packets.timestamp) + 2**31 & 0xFFFFFFFF) - 2**31
    moves = (step > 0) & (step <= _STEP)
    likely = (moves & (forward >= 0)) | (step == 0) | (step < 0) & (step >= -_STEP)
    likely[first] = moves[first] = False
    steady = np.add.reduceat(likely, first) >= _STEADY * (count - 1)
    onward = np.add.reduceat(moves, first) * 3 >= count - 1  # not only copies of one packet
    return (count >= _FEWEST) & steady & onward


def is_known(index: Index, packets: RtpPackets, announced: Mask, step: Column) -> Mask:
    """Tell which groups are streams.

    ``announced`` marks the groups with a socket that a session description names. What a socket that sends
    a stream sends to the same host, in the form of RTP, is a stream too.
    """
    known = announced | is_steady(packets, step)
    if not known.any() or known.all():
        return known
    flow, flows = index.flow[packets.row[packets.first]], index.flows
    socket = flows.pair[flow] << 16 | flows.sport[flow]
    same: Mask = np.isin(socket, socket[known])
    return same
