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


def decide_srtp(seq: Integers, roc: int, window: int, opens: Open) -> tuple[Integers, Integers]:
    """Return the reason and the index of each packet of one SSRC, given their sequence numbers in order."""

    def indices(accepted: Booleans) -> tuple[Integers, Integers]:
        index = _follow(seq[accepted], roc)
        highest = _highest_before(accepted, index)
        return index if len(index) == len(seq) else guess(highest, seq, roc), highest

    found = _decide(len(seq), indices, window, opens)
    return found or _one_by_one(seq, RtpIndex(roc, window), opens)


def decide_srtcp(index: Integers, window: int, opens: Open) -> tuple[Integers, Integers]:
    """Return the reason of each packet of one SSRC, and its index, which SRTCP carries."""

    def indices(accepted: Booleans) -> tuple[Integers, Integers]:
        return index, _highest_before(accepted, index[accepted])

    found = _decide(len(index), indices, window, opens)
    return found or _one_by_one(index, ReplayWindow(window), opens)


def guess(highest: Integers, seq: Integers, roc: int) -> Integers:
    """Return the likeliest index of each packet (appendix A), given the highest before it, or -1."""
    index: Integers = np.where(highest < 0, roc * SEQUENCES, highest - highest % SEQUENCES) + seq
    ahead = np.where(highest < 0, 0, index - highest)
    last = SEQUENCES * (1 << 32)  # there is no ROC beyond 2^32 - 1, and none before 0
    index[(ahead < -(1 << 15)) & (index < last - SEQUENCES)] += SEQUENCES
    index[(ahead > 1 << 15) & (index >= SEQUENCES)] -= SEQUENCES
    return index


def _follow(seq: Integers, roc: int) -> Integers:
    """Return the indices of packets that are all accepted, in order."""
    if not len(seq):
        return seq
    steps = (np.diff(seq) + (1 << 15)) % SEQUENCES - (1 << 15)
    index: Integers = roc * SEQUENCES + seq[0] + np.concatenate(([0], np.cumsum(steps)))
    highest = np.concatenate(([-1], np.maximum.accumulate(index)[:-1]))
    if np.array_equal(guess(highest, seq, roc), index):
        return index
    # From one to the next is not from the highest to the next: a reordered packet over half of all numbers.
    state = RtpIndex(roc)
    for at, one in enumerate(seq.tolist()):
        index[at] = state.guess(one)
        state.highest = max(index[at].item(), -1 if state.highest is None else state.highest)
    return index


def _highest_before(accepted: Booleans, index: Integers) -> Integers:
    """Return for each packet the highest index that was accepted before it; -1 where none was."""
    highest = np.full(len(accepted) + 1, -1, np.int64)
    highest[1:][accepted] = index
    before: Integers = np.maximum.accumulate(highest)[:-1]
    return before


def _duplicates(accepted: Booleans, index: Integers) -> Booleans:
    """Tell which packets have an index that a packet before them was accepted with."""
    if len(index) < 2 or np.all(np.diff(index) > 0):
        return np.zeros(len(index), np.bool_)
    order = np.lexsort((~accepted, index))  # of each index, the accepted ones first, in order of arrival
    first = np.concatenate(([True], np.diff(index[order]) != 0))
    head = order[np.maximum.accumulate(np.where(first, np.arange(len(index)), 0))]
    found = np.empty(len(index), np.bool_)
    found[order] = accepted[head] & (head < order)
    return found


def _decide(
    count: int, indices: Callable[[Booleans], tuple[Integers, Integers]], window: int, opens: Open
) -> tuple[Integers, Integers] | None:
    accepted = np.ones(count, np.bool_)
    tried = np.full(count, _UNTRIED, np.int64)  # the index under which the tag was checked last
    right = np.zeros(count, np.bool_)
    for _ in range(_ROUNDS):
        index, highest = indices(accepted)
        replayed = (highest - index >= window) | _duplicates(accepted, index)
        which = np.flatnonzero(~replayed & (tried != index))
        if len(which):
            right[which] = opens(which, index[which])
            tried[which] = index[which]
        now = right & ~replayed
        if np.array_equal(now, accepted):
            return _reasons(replayed, right), index
        accepted = now
    return None


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
