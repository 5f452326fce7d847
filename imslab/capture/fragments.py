"""Fragments of IP datagrams, put together.

Spec: RFC 791, section 3.2 (IPv4); RFC 8200, section 4.5 (IPv6). Pieces may come in any order and twice.
Where two overlap, the octets that came first count, and a difference is said. A datagram belongs to the frame
that completes it. Nothing is copied before a datagram is complete: what a fragment claims costs no memory.

Where a capture was made at several places at once, the same fragments come plain and in tunnels. They are not
told apart: the pieces that come first make the datagram, and copies make another one when all of them follow.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from imslab.capture.buffer import Octets
from imslab.capture.columns import Column
from imslab.capture.ip import MORE, Payloads, Via

_TIMEOUT = 60 * 10**9  # nanoseconds after which an identification is taken to be used again (RFC 8200, 4.5)
_MOST_OPEN = 10_000  # datagrams that wait for their pieces at a time
_LONGEST = 65_535  # octets of a datagram

Key = tuple[int, int, int]
Piece = tuple[int, int, int]  # where it begins and ends in the datagram, and its position in the data


@dataclass(slots=True)
class _Open:
    """A datagram of which some pieces are missing; ``pieces`` are in order and do not overlap."""

    key: Key
    since: int
    first: int
    last: int
    length: int | None = None
    held: int = 0
    count: int = 0
    pieces: list[Piece] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        return bool(self.pieces) and self.held == self.length == self.pieces[-1][1]


class Reassembler:
    """Takes fragments in the order of their frames and gives the datagrams that they complete.

    ``time``   nanoseconds of each frame; without it an identification is never taken to be used again
    ``known``  where datagrams were put together before, by their pieces
    """

    def __init__(self, data: Octets, time: Column, known: dict[tuple[Piece, ...], int]) -> None:
        self._data, self._time, self._known = data, time, known
        self._open: dict[Key, _Open] = {}
        self._done: dict[Key, None] = {}
        self._lost: list[tuple[int, int]] = []  # (first frame, fragments) of each
        self._differing: list[int] = []  # frames

    def receive(self, fragments: Payloads) -> Payloads | None:
        """Take fragments; return the datagrams that are complete now, appended to the data, or None."""
        complete: list[tuple[int, _Open]] = []
        for row, (key, frame, piece, more) in enumerate(_pieces(fragments)):
            waiting = self._waiting(key, frame)
            self._add(waiting, frame, piece, more)
            if waiting.is_complete:
                complete.append((row, self._open.pop(key)))
                self._remember(key)
        return self._whole(fragments, complete) if complete else None

    def warnings(self) -> list[str]:
        """Give up what is open; say what could not be put together, and where pieces contradict."""
        for waiting in self._open.values():
            self._lose(waiting)
        self._open.clear()
        found = []
        if self._lost:
            first, count = min(self._lost)[0], sum(fragments for _, fragments in self._lost)
            found.append(
                f"{count} fragments of {len(self._lost)} IP datagrams were left out: the other pieces are "
                f"not in the capture (the first is in frame {first})"
            )
        if self._differing:
            found.append(
                f"frame {min(self._differing)}: a fragment overlaps another one with different octets "
                f"({len(self._differing)} such in all); the octets that came first were kept"
            )
        return found

    def _waiting(self, key: Key, frame: int) -> _Open:
        """Return the datagram that a fragment belongs to."""
        now = int(self._time[frame - 1]) if len(self._time) else 0
        waiting = self._open.get(key)
        if waiting is not None and abs(now - waiting.since) <= _TIMEOUT:
            return waiting
        if waiting is not None:
            self._lose(self._open.pop(key))
        elif len(self._open) >= _MOST_OPEN:
            self._lose(self._open.pop(next(iter(self._open))))
        self._open[key] = _Open(key, now, frame, frame)
        return self._open[key]

    def _lose(self, waiting: _Open) -> None:
        # What comes again after its datagram is complete is a copy, and nothing is missing.
        if waiting.key not in self._done:
            self._lost.append((waiting.first, waiting.count))

    def _remember(self, key: Key) -> None:
        self._done[key] = None
        if len(self._done) > _MOST_OPEN:
            del self._done[next(iter(self._done))]

    def _add(self, waiting: _Open, frame: int, piece: Piece, more: bool) -> None:
        begin, end, at = piece
        waiting.count += 1
        waiting.first, waiting.last = min(waiting.first, frame), max(waiting.last, frame)
        if end > _LONGEST:
            return
        if not more and waiting.length is None:
            waiting.length = end
        if self._differs(waiting.pieces, piece):
            self._differing.append(frame)
        for free in list(_free(waiting.pieces, begin, end)):
            waiting.pieces.insert(bisect_right(waiting.pieces, free), (*free, at + free[0] - begin))
            waiting.held += free[1] - free[0]

    def _differs(self, pieces: list[Piece], new: Piece) -> bool:
        begin, end, at = new
        for known_begin, known_end, known_at in _overlapping(pieces, begin, end):
            first, last = max(begin, known_begin), min(end, known_end)
            ours = self._data[at + first - begin : at + last - begin]
            if ours != self._data[known_at + first - known_begin : known_at + last - known_begin]:
                return True
        return False

    def _whole(self, fragments: Payloads, complete: list[tuple[int, _Open]]) -> Payloads:
        """Append the datagrams to the data and return them as payloads."""
        of = fragments[np.array([row for row, _ in complete])]
        frame = np.array([waiting.last for _, waiting in complete], of.frame.dtype)
        start = np.array([self._position(waiting.pieces) for _, waiting in complete], np.int64)
        end = start + np.array([waiting.held for _, waiting in complete], np.int64)
        whole = np.zeros(len(start), np.int64)
        via = of.via | Via.FRAGMENTS
        return Payloads(frame, start, end, end, whole > 0, via, of.pair, of.protocol, whole, whole)

    def _position(self, pieces: list[Piece]) -> int:
        """Append a datagram to the data, unless it is there, and return its position."""
        key = tuple(pieces)
        if key not in self._known:
            octets = b"".join(self._data[at : at + end - begin] for begin, end, at in pieces)
            self._known[key] = self._data.append(octets)
        return self._known[key]


def _pieces(fragments: Payloads) -> Iterator[tuple[Key, int, Piece, bool]]:
    f = fragments
    columns = (f.pair, f.protocol, f.identification, f.frame, f.fragment, f.at, f.end)
    for row in zip(*(column.tolist() for column in columns), strict=True):
        pair, protocol, identification, frame, fragment, at, end = row
        begin = (fragment & ~MORE) * 8
        yield (pair, protocol, identification), frame, (begin, begin + end - at, at), fragment & MORE > 0


def _overlapping(pieces: list[Piece], begin: int, end: int) -> Iterator[Piece]:
    """Yield the pieces that share octets with those from ``begin`` to ``end``."""
    place = max(bisect_left(pieces, (begin,)) - 1, 0)
    while place < len(pieces) and pieces[place][0] < end:
        if pieces[place][1] > begin:
            yield pieces[place]
        place += 1


def _free(pieces: list[Piece], begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the parts from ``begin`` to ``end`` that no piece covers."""
    for known_begin, known_end, _ in _overlapping(pieces, begin, end):
        if begin < known_begin:
            yield begin, known_begin
        begin = max(begin, known_end)
    if begin < end:
        yield begin, end
