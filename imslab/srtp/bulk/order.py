"""Which packets of a stream a receiver accepts, decided for all of them at once.

Spec: RFC 3711, section 3.3: guess the index, check for replay, check the tag, and only then move on. Whether
a packet is accepted depends on those before it and on its own tag. So assume an answer for all, work out with
it each packet's index and what is a replay, check the tags, and see whether the answer is the one that was
assumed. If so, it is the receiver's: it holds for the first packet, hence for the second, and so on. If not,
it is right for at least one packet more than before, and becomes the next assumption. In practice the first
or the second holds; after a few, the packets are decided one by one.
"""

from collections.abc import Callable
from enum import IntEnum

import numpy as np

from imslab.errors import Replayed
from imslab.srtp.bulk.rows import Booleans, Integers
from imslab.srtp.index import SEQUENCES, ReplayWindow, RtpIndex

# Opens packets, by their positions in the stream, under the indices that are given; says whose tag is right.
Open = Callable[[Integers, Integers], Booleans]

_ROUNDS = 4
_UNTRIED = -1


class Reason(IntEnum):
    """What became of a packet."""

    OPENED = 0
    AUTHENTICATION_FAILED = 1
    REPLAYED = 2
    MALFORMED = 3
    REFUSED = 4  # its MKI, or its E bit, is not this context's


def decide(numbers: Integers, state: ReplayWindow, opens: Open) -> tuple[Integers, Integers]:
    """Return the reason and the index of each packet of one SSRC, in order of arrival.

    ``numbers`` are sequence numbers with an ``RtpIndex``, or SRTCP's indices with a ``ReplayWindow``: what
    the receiver knew before, which moves on.
    """
    found = _decide(numbers, state, opens)
    if found is None:
        return _one_by_one(numbers, state, opens)
    reason, index = found
    accepted = index[reason == Reason.OPENED]
    recent = accepted[accepted > accepted.max(initial=0) - state.size]
    for one in np.sort(recent).tolist():
        state.accept(one)
    return found


def guess(highest: Integers, seq: Integers, roc: int) -> Integers:
    """Return the likeliest index of each packet (appendix A), given the highest before it, or -1."""
    index: Integers = np.where(highest < 0, roc * SEQUENCES, highest - highest % SEQUENCES) + seq
    ahead = np.where(highest < 0, 0, index - highest)
    last = SEQUENCES * (1 << 32)  # there is no ROC beyond 2^32 - 1, and none before 0
    index[(ahead < -(1 << 15)) & (index < last - SEQUENCES)] += SEQUENCES
    index[(ahead > 1 << 15) & (index >= SEQUENCES)] -= SEQUENCES
    return index


def _decide(numbers: Integers, state: ReplayWindow, opens: Open) -> tuple[Integers, Integers] | None:
    accepted = np.ones(len(numbers), np.bool_)
    tried = np.full(len(numbers), _UNTRIED, np.int64)  # the index under which the tag was checked last
    right, recent = np.zeros(len(numbers), np.bool_), np.array(state.recent, np.int64)
    for _ in range(_ROUNDS):
        index, highest = _indices(numbers, accepted, state)
        replayed = (highest - index >= state.size) | _duplicates(accepted, index, recent)
        which = np.flatnonzero(~replayed & (tried != index))
        if len(which):
            right[which] = opens(which, index[which])
            tried[which] = index[which]
        now = right & ~replayed
        if np.array_equal(now, accepted):
            return _reasons(replayed, right), index
        accepted = now
    return None


def _indices(numbers: Integers, accepted: Booleans, state: ReplayWindow) -> tuple[Integers, Integers]:
    """Return the index of each packet, and the highest that was accepted before it, or -1."""
    followed = numbers[accepted]
    if isinstance(state, RtpIndex):
        followed = _follow(followed, state)
    highest = np.empty(len(numbers) + 1, np.int64)
    highest[:] = highest[0] = -1 if state.highest is None else state.highest
    highest[1:][accepted] = followed
    highest = np.maximum.accumulate(highest)[:-1]
    if not isinstance(state, RtpIndex):
        return numbers, highest
    return followed if len(followed) == len(numbers) else guess(highest, numbers, state.roc), highest


def _follow(seq: Integers, state: RtpIndex) -> Integers:
    """Return the indices of packets that are all accepted, in order."""
    if not len(seq):
        return seq
    steps = (np.diff(seq) + (1 << 15)) % SEQUENCES - (1 << 15)
    index: Integers = state.guess(int(seq[0])) + np.concatenate(([0], np.cumsum(steps)))
    highest = np.concatenate(([-1 if state.highest is None else state.highest], index[:-1]))
    if np.array_equal(guess(np.maximum.accumulate(highest), seq, state.roc), index):
        return index
    # From one to the next is not from the highest to the next: a reordered packet over half of all numbers.
    walk = RtpIndex(state.roc)
    walk.highest = state.highest
    for at, one in enumerate(seq.tolist()):
        index[at] = walk.guess(one)
        walk.highest = max(index[at].item(), -1 if walk.highest is None else walk.highest)
    return index


def _duplicates(accepted: Booleans, index: Integers, recent: Integers) -> Booleans:
    """Tell which packets have an index that was accepted before: that of a ``recent`` one, or a packet's."""
    if len(recent):
        accepted = np.concatenate((np.ones(len(recent), np.bool_), accepted))
        index = np.concatenate((recent, index))
    if len(index) < 2 or np.all(np.diff(index) > 0):
        return np.zeros(len(index) - len(recent), np.bool_)
    order = np.lexsort((~accepted, index))  # of each index, the accepted ones first, in order of arrival
    first = np.concatenate(([True], np.diff(index[order]) != 0))
    head = order[np.maximum.accumulate(np.where(first, np.arange(len(index)), 0))]
    found = np.empty(len(index), np.bool_)
    found[order] = accepted[head] & (head < order)
    return found[len(recent) :]


def _reasons(replayed: Booleans, right: Booleans) -> Integers:
    failed = np.where(right, Reason.OPENED, Reason.AUTHENTICATION_FAILED)
    return np.where(replayed, Reason.REPLAYED, failed).astype(np.int64)


def _one_by_one(numbers: Integers, state: ReplayWindow, opens: Open) -> tuple[Integers, Integers]:
    """Decide as a session does: ``numbers`` are sequence numbers, or indices for SRTCP."""
    reasons, index = np.empty(len(numbers), np.int64), np.array(numbers)
    for at, number in enumerate(numbers.tolist()):
        one = state.guess(number) if isinstance(state, RtpIndex) else number
        index[at] = one
        reasons[at] = _decide_one(at, one, state, opens)
    return reasons, index


def _decide_one(at: int, index: int, state: ReplayWindow, opens: Open) -> Reason:
    try:
        state.check(index)
    except Replayed:
        return Reason.REPLAYED
    if not opens(np.array([at]), np.array([index]))[0]:
        return Reason.AUTHENTICATION_FAILED
    state.accept(index)
    return Reason.OPENED
