"""Where the records of a file lie, when each of them only says how long it is.

One record leads to the next, so a file is read from its beginning, one record after the other, which is slow
in Python. But where several headers in a row look right, there is a record, and the file can be entered. So
many chains are followed at once, on arrays. No guess is trusted: a chain counts when the one before it ends
exactly where it begins; where one does not, the rest is walked one by one.
"""

from array import array
from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from imslab.capture.columns import Column, Mask

_SPACING = 65_536  # octets between the places where a file is entered, at least
_MOST_CHAINS = 4_096
_SEARCHED = 2_048  # octets that are looked through for a record at each place
_CERTAIN = 3  # records in a row that have to look right
_FEW = 4  # chains that are not worth an array, ...
_PATIENCE = 2_000  # ... for more steps than this
_SMALL = 2**21  # octets of a file that is not worth it


class Walk(NamedTuple):
    """The positions of records, and where the next one should be: there is none, or it is faulty."""

    positions: Column
    stop: int


class Format(Protocol):
    """What a file format says of its records."""

    def following(self, at: Column) -> Column:
        """Return where the records at ``at`` end; -1 where there is no good record."""

    def looks_right(self, at: Column) -> Mask:
        """Tell where a record could be; it may be wrong, but not often."""

    def candidates(self, window: NDArray[np.uint8]) -> Mask:
        """Tell cheaply at which octets of ``window`` (n by _SEARCHED) a record could begin."""

    def one_by_one(self, position: int) -> "tuple[array[int], int]":
        """Walk from ``position``; return the positions of records and where the next one should be."""


def walk(form: Format, windows: Callable[[Column, int], NDArray[np.uint8]], first: int, end: int) -> Walk:
    """Return the records from ``first`` on; ``windows`` reads octets at many positions."""
    heads = np.array([first], np.int64)
    if end - first > _SMALL:
        heads = np.concatenate([heads, _entries(form, windows, first, end)])
        found, stop, is_wrong = _chains(form, heads, end)
        if not is_wrong:
            return Walk(found, stop)
    else:
        found, stop = np.zeros(0, np.int64), first
    rest, stop = form.one_by_one(stop)
    return Walk(np.concatenate([found, np.frombuffer(rest, np.int64)]) if len(found) else _own(rest), stop)


def _own(positions: "array[int]") -> Column:
    return np.array(positions, np.int64)


def _entries(
    form: Format, windows: Callable[[Column, int], NDArray[np.uint8]], first: int, end: int
) -> Column:
    """Return positions in the middle of the file where records seem to be."""
    spacing = max(_SPACING, (end - first) // _MOST_CHAINS & ~3)  # blocks of pcapng begin at multiples of four
    places = np.arange(first + spacing, end - _SEARCHED, spacing)
    row, place = np.divmod(np.flatnonzero(form.candidates(windows(places, _SEARCHED))), _SEARCHED)
    at, good = places[row] + place, np.ones(len(row), np.bool_)
    following = at
    for _ in range(_CERTAIN):
        good[good] = form.looks_right(following[good])
        following = following.copy()
        following[good] = form.following(following[good])
        good &= (following >= 0) & (following < end)
    _, which = np.unique(row[good], return_index=True)
    return at[good][which]


def _chains(form: Format, heads: Column, end: int) -> tuple[Column, int, bool]:
    """Follow a chain from each head to the next head.

    Returns the positions that are certain, where the next record should be, and whether a guess was wrong.
    """
    limit = np.append(heads[1:], end)
    chain, at = np.arange(len(heads)), heads
    last, left = np.full(len(heads), -1, np.int64), np.full(len(heads), -1, np.int64)
    steps: list[Column] = []
    alone = 0
    while len(chain) and alone < _PATIENCE:
        alone += len(chain) <= _FEW
        steps.append(at)
        following = form.following(at)
        last[chain], left[chain] = at, following
        on = (following >= 0) & (following < limit[chain])
        chain, at = chain[on], following[on]
    last[chain], left[chain] = at, at
    bad = np.flatnonzero(left != limit)
    positions = np.sort(np.concatenate(steps))
    if not len(bad):
        return positions, end, False
    broken = int(bad[0])
    stop = int(left[broken])
    if stop < 0:  # a faulty record, and what comes behind it is not read
        stop = int(last[broken])
        return positions[positions < stop], stop, False
    return positions[positions < limit[broken]], stop, True
