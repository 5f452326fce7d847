"""Interarrival jitter, for all streams at once.

Spec: RFC 3550, 6.4.1 and A.8: J(i) = J(i-1) + (|D(i-1, i)| - J(i-1)) / 16, where D is how much longer one
packet was on the way than the other. A packet is compared with the newest before it: what comes late is
compared, but nothing is compared with it. Mean and maximum are taken over packets that follow another one
within a talkspurt: not over those that begin one (the marker bit, RFC 3551, 4.1), comfort noise, and what
comes late.
"""

import numpy as np
from numpy.typing import NDArray

from imslab.capture.index import Column, Mask
from imslab.capture.rtp import RtpPackets

Real = NDArray[np.float64]

_GAIN = 1 / 16  # RFC 3550, A.8
_BLOCK = 128  # packets that are smoothed in one matrix product


def jitter(packets: RtpPackets, clock: Column, is_media: Mask) -> tuple[Real, Real]:
    """Return mean and highest jitter of each group in milliseconds; NaN where the clock is not known.

    ``clock`` is the clock rate of each packet in Hz; packets with 0 are left out.
    """
    mean, highest = np.full((2, len(packets.first)), np.nan)
    counted = clock > 0
    if counted.all():
        return _jitter(packets, clock, is_media) if len(packets) else (mean, highest)
    owner = np.unique(packets.group[counted])
    if len(owner):
        mine = packets.take(counted)
        mean[owner], highest[owner] = _jitter(mine, clock[counted], is_media[counted])
    return mean, highest


def _jitter(packets: RtpPackets, clock: Column, is_media: Mask) -> tuple[Real, Real]:
    age = _age(packets)
    newest = _newest(packets, age)
    smooth = smoothed(_differences(packets, age, newest, clock), packets.first)
    regular = _regular(packets, newest, is_media)
    many = np.add.reduceat(regular.astype(np.int64), packets.first)
    smooth = np.where(regular, smooth, 0)
    mean: Real = np.add.reduceat(smooth, packets.first) / np.maximum(many, 1)
    return mean, np.maximum.reduceat(smooth, packets.first)


def _newest(packets: RtpPackets, age: Column) -> Mask:
    """Mark the packets whose timestamp lies behind none of those before."""
    if (np.delete(np.diff(age), packets.first[1:] - 1) >= 0).all():
        return np.ones(len(age), np.bool_)
    span = np.maximum.reduceat(age, packets.first) - np.minimum.reduceat(age, packets.first) + 1
    base = (np.cumsum(span) - np.minimum.reduceat(age, packets.first) - span)[packets.group]
    newest: Mask = np.maximum.accumulate(age + base) == age + base
    return newest


def _age(packets: RtpPackets) -> Column:
    """Return ticks since the first packet of the group, over the wraps of the timestamp."""
    ticks = np.diff(packets.timestamp, prepend=packets.timestamp[:1])
    age = np.cumsum((ticks + 2**31 & 0xFFFFFFFF) - 2**31)
    return age - age[packets.first][packets.group]


def _differences(packets: RtpPackets, age: Column, newest: Mask, clock: Column) -> Real:
    """Return |D| in milliseconds between each packet and the newest before it; 0 for the first of a group."""
    before = np.arange(-1, len(packets) - 1)
    if not newest.all():
        before = np.maximum.accumulate(np.where(newest[before], before, -1))
    before[packets.first] = packets.first
    passed = (packets.time - packets.time[before]) / 1e6
    difference: Real = np.abs(passed - (age - age[before]) * 1e3 / clock)
    return difference


def _regular(packets: RtpPackets, newest: Mask, is_media: Mask) -> Mask:
    follows = np.concatenate([[False], is_media[:-1]])
    follows[packets.first] = False
    regular: Mask = is_media & follows & newest & ~_begins_talk(packets)
    return regular


def _begins_talk(packets: RtpPackets) -> Mask:
    """Mark the first packets of talkspurts; who sets the marker on most packets says nothing with it."""
    many = np.add.reduceat(packets.marker.astype(np.int64), packets.first)
    return packets.marker & (many * 2 <= packets.count)[packets.group]


def smoothed(values: Real, first: Column) -> Real:
    """Return J(n) = J(n-1) + (values(n) - J(n-1)) / 16 for each group, from J = 0.

    ``first``: where each group begins. Blocks are one matrix product; only what one block hands to the next
    goes step by step.
    """
    count = np.diff(np.append(first, len(values)))
    blocks = -(-count // _BLOCK)
    start = (np.cumsum(blocks) - blocks) * _BLOCK  # where each group begins among the blocks
    place = np.arange(len(values)) + np.repeat(start - first, count)
    table = np.zeros(int(blocks.sum()) * _BLOCK)
    table[place] = values
    table = table.reshape(-1, _BLOCK) @ _weights().T
    fade = (1 - _GAIN) ** np.arange(1, _BLOCK + 1)
    table += np.outer(_carried(table[:, -1], start // _BLOCK, float(fade[-1])), fade)
    smooth: Real = table.reshape(-1)[place]
    return smooth


def _weights() -> Real:
    """Return how much the values of a block weigh in the jitter after each of its packets."""
    age = np.subtract.outer(np.arange(_BLOCK), np.arange(_BLOCK))
    weights: Real = np.where(age >= 0, _GAIN * (1 - _GAIN) ** np.abs(age), 0.0)
    return weights


def _carried(ends: Real, first: Column, fade: float) -> Real:
    """Return the jitter at the beginning of each block; ``ends``: what each alone would end with."""
    carried, carry, begins = np.zeros(len(ends)), 0.0, set(first.tolist())
    for block, end in enumerate(ends.tolist()):
        carried[block] = carry = 0.0 if block in begins else carry
        carry = end + carry * fade
    return carried
