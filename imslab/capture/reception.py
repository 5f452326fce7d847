"""What arrived of each stream: counts, losses, order, jitter and gaps, for all streams at once.

Spec: RFC 3550, 6.4.1 and A.3 (losses); RFC 3611, 4.1 for what a duplicate is.

Losses are counted over distinct sequence numbers: a packet that came twice does not make up for one
that never came (RFC 3550's own number, expected - received, can be negative).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imslab.capture.index import Column, Mask
from imslab.capture.jitter import Real, jitter
from imslab.capture.rtp import RtpPackets, steps

_RARE = 0.05  # the share of steps of a timestamp below which they are chance
_ENOUGH = 512  # packets that are looked at to learn how a timestamp grows


@dataclass(frozen=True, slots=True)
class Reception:
    """One row for each stream; times in seconds, jitter in milliseconds.

    ``expected``     highest minus lowest extended sequence number, plus 1
    ``unique``       distinct sequence numbers;  ``lost``: those expected that never came
    ``duplicates``   copies;  ``reordered``: packets behind a later one, not copies
    ``gaps``         how often numbers are missing;  ``longest_gap``: the most that are missing in a row
    ``began, ended`` of the first and the last packet, epoch seconds
    ``longest_wait`` between two packets
    ``jitter_mean, jitter_max``  NaN where the clock of the codec is not known
    ``is_copy``      not of streams but of packets: which of them came before
    """

    packets: Column
    expected: Column
    unique: Column
    lost: Column
    duplicates: Column
    reordered: Column
    gaps: Column
    longest_gap: Column
    first_seq: Column
    last_seq: Column
    markers: Column
    octets: Column
    began: Real
    ended: Real
    longest_wait: Real
    jitter_mean: Real
    jitter_max: Real
    is_copy: Mask


def receive(packets: RtpPackets, clock: Column, is_media: Mask) -> Reception:
    """Count what arrived of each group.

    ``clock``     the clock rate of each packet in Hz; 0 where it is not known, and for keys pressed
    ``is_media``  which packets carry sound or picture
    """
    first, count, many = packets.first, packets.count, len(packets.first)
    last = first + count - 1
    key, expected = _keys(packets)
    copy, late = _order(key)
    unique = count - _sums(copy, first)
    wait = _since_last(packets)
    return Reception(
        count,
        expected,
        unique,
        expected - unique,
        count - unique,
        _sums(late, first),
        *(_gaps(key[~copy], packets.group[~copy], many) if copy.any() else _gaps(key, packets.group, many)),
        packets.seq[first],
        packets.seq[last],
        _sums(packets.marker, first),
        _sums(packets.size, first),
        packets.time[first] / 1e9,
        packets.time[last] / 1e9,
        _most(wait, first) / 1e9,
        *jitter(packets, clock, is_media),
        copy,
    )


def extended(packets: RtpPackets) -> Column:
    """Return the sequence numbers with their cycles, counted from the first packet of each group."""
    total = np.cumsum(steps(packets))
    start = packets.seq[packets.first] - total[packets.first]
    return total + start[packets.group]


def instants(packets: RtpPackets, counted: Mask) -> Column:
    """Return how many timestamps follow each other in each group, among the packets that are counted."""
    change = np.ones(len(packets), np.bool_)
    change[1:] = np.diff(packets.timestamp) != 0
    change[packets.first] = True
    return _sums(change & counted, packets.first)


def frame_ticks(packets: RtpPackets, group: int) -> int:
    """Return by how much the timestamp of a group grows with one packet of sound; 0 when it never does.

    That is the smallest step that is no rarity: with pauses, and noise in them, there are longer ones.
    """
    place = packets.of(group)
    place = slice(place.start, min(place.stop, place.start + _ENOUGH))
    ticks, step = np.diff(packets.timestamp[place]), np.diff(packets.seq[place])
    sizes, many = np.unique(ticks[(ticks > 0) & (step == 1)], return_counts=True)
    usual = sizes[many >= _RARE * many.sum()]
    return int(usual[0]) if len(usual) else 0


def _keys(packets: RtpPackets) -> tuple[Column, Column]:
    """Return extended numbers, moved so that each group's lie above those before; how many are expected."""
    number = extended(packets)
    lowest = -_most(-number, packets.first)
    expected = _most(number, packets.first) - lowest + 1
    base = np.cumsum(expected) - expected - lowest
    return number + base[packets.group], expected


def _order(key: Column) -> tuple[Mask, Mask]:
    """Return which packets are copies of an earlier one, and which others come behind a later one."""
    copy = np.zeros(len(key), np.bool_)
    if (np.diff(key) > 0).all():
        return copy, copy
    place = np.argsort(key, kind="stable")
    copy[place[1:]] = np.diff(key[place]) == 0
    return copy, (key < np.maximum.accumulate(key)) & ~copy


def _gaps(key: Column, group: Column, groups: int) -> tuple[Column, Column]:
    """Return how often numbers are missing in each group, and the most that are missing in a row."""
    missing = np.diff(key) - 1
    if (missing < 0).any():
        place = np.argsort(key, kind="stable")
        missing, group = np.diff(key[place]) - 1, group[place]
    hole = np.flatnonzero((missing > 0) & (np.diff(group) == 0))
    owner, longest = group[hole], np.zeros(groups, np.int64)
    np.maximum.at(longest, owner, missing[hole])
    return np.bincount(owner, minlength=groups), longest


def _since_last(packets: RtpPackets) -> Column:
    """Return the nanoseconds since the packet before in the same group."""
    wait = np.diff(packets.time, prepend=packets.time[:1])
    wait[packets.first] = 0
    return wait


def _sums(values: NDArray[Any], first: Column) -> Column:
    return np.add.reduceat(values.astype(np.int64), first) if len(first) else first


def _most(values: Column, first: Column) -> Column:
    return np.maximum.reduceat(values, first) if len(first) else first
