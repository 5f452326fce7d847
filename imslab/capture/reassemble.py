"""TCP streams out of segments, for those conversations that hold something we read.

Spec: RFC 9293, section 3.4 (sequence numbers modulo 2**32). Segments may come twice, out of
order, overlapping, or not at all. Octets belong to the frame that made them readable: a segment
that waited for an earlier one belongs to the frame that brought the earlier one, as in Wireshark.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from imslab.capture.file import CaptureFile
from imslab.capture.flows import Endpoint
from imslab.capture.index import TCP, Column, Index

__all__ = ["Chunk", "Direction", "Endpoint", "Stream", "first_words", "streams"]

_SYN = 0x02
_MOST_WAITING = 256  # segments that wait behind a gap before it is given up
_WRAP = 2**32


@dataclass(frozen=True, slots=True)
class Chunk:
    """Octets of a stream in their order, and the frame that made them readable.

    ``fresh``  the octets do not follow those before: a new connection, or a gap in the capture
    """

    frame: int
    octets: bytes
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Stream:
    """One direction of a TCP connection; its chunks are put in order while they are read, once."""

    source: Endpoint
    destination: Endpoint
    chunks: Iterator[Chunk]


class Direction:
    """Puts the segments of one direction in order."""

    def __init__(self) -> None:
        self._next: int | None = None
        self._waiting: dict[int, bytes] = {}
        self._fresh = True
        self._last_frame = 0

    def receive(self, frame: int, seq: int, payload: bytes, *, syn: bool = False) -> list[Chunk]:
        """Take a segment; return what can be read now."""
        self._last_frame = frame
        lost = self._connect(seq) if syn else []
        if syn:
            seq = (seq + 1) % _WRAP  # SYN takes one number
        if self._next is None:
            self._next = seq
        if not payload:
            return lost
        if _distance(self._next, seq) > 0:
            kept = self._waiting.get(seq, b"")
            self._waiting[seq] = max(kept, payload, key=len)
            return lost + (self.give_up() if len(self._waiting) > _MOST_WAITING else [])
        return lost + self._deliver(frame, seq, payload)

    def give_up(self) -> list[Chunk]:
        """Return what waits behind gaps: the missing octets will not come."""
        found: list[Chunk] = []
        while self._waiting and self._next is not None:
            position = self._next
            seq = min(self._waiting, key=lambda waiting: _distance(position, waiting))
            payload = self._waiting.pop(seq)
            if _distance(position, seq) > 0:
                self._next, self._fresh = seq, True
            found += self._deliver(self._last_frame, seq, payload)
        return found

    def _connect(self, seq: int) -> list[Chunk]:
        """Start at a SYN; a copy of the SYN that opened this connection changes nothing."""
        following = (seq + 1) % _WRAP
        if self._next is not None and 0 <= _distance(following, self._next) < 2**16:
            return []
        lost = self.give_up()
        self._next, self._fresh = following, True
        return lost

    def _deliver(self, frame: int, seq: int, payload: bytes) -> list[Chunk]:
        """Hand on the new part of a segment that is due, and the segments that waited for it."""
        found: list[Chunk] = []
        following: tuple[int, bytes] | None = (seq, payload)
        while following is not None:
            at, octets = following
            new = octets[_distance(at, self._due) :]  # without what was seen already
            if new:
                found.append(Chunk(frame, new, self._fresh))
                self._fresh = False
                self._next = (self._due + len(new)) % _WRAP
            following = self._due_segment()
        return found

    @property
    def _due(self) -> int:
        return self._next or 0

    def _due_segment(self) -> tuple[int, bytes] | None:
        seq = next((waiting for waiting in self._waiting if _distance(self._due, waiting) <= 0), None)
        return None if seq is None else (seq, self._waiting.pop(seq))


def _distance(position: int, seq: int) -> int:
    """Return how far ``seq`` lies ahead of ``position``, modulo 2**32; negative when it lies behind."""
    return (seq - position + _WRAP // 2) % _WRAP - _WRAP // 2


def first_words(capture: CaptureFile, index: Index) -> Column:
    """Return the first four octets of each row's payload as a number; 0 when it has fewer, or is not TCP."""
    found = np.zeros(len(index), np.int64)
    rows = np.flatnonzero((index.protocol == TCP) & (index.length >= 4))
    found[rows] = index.data.u32(index.start[rows])
    return found


def streams(capture: CaptureFile, index: Index, rows: Iterable[int]) -> Iterator[Stream]:
    """Yield both directions of each conversation that one of ``rows`` belongs to."""
    wanted = np.array(list(rows), np.int64)
    if not len(wanted):
        return
    conversation = index.flows.conversations()
    mine = np.isin(conversation, conversation[index.flow[wanted]]) & (index.flows.protocol == TCP)
    near = np.flatnonzero(mine[index.flow] & ((index.length > 0) | (index.flags & _SYN != 0)))
    near = near[np.argsort(index.flow[near], kind="stable")]
    flow = index.flow[near]
    for part in np.split(near, np.flatnonzero(flow[1:] != flow[:-1]) + 1):
        yield Stream(*index.endpoints(int(part[0])), _chunks(index, part.tolist()))


def _chunks(index: Index, rows: list[int]) -> Iterator[Chunk]:
    half = Direction()
    for row in rows:
        syn = bool(index.flags[row] & _SYN)
        yield from half.receive(int(index.frame[row]), int(index.seq[row]), index.octets(row), syn=syn)
    yield from half.give_up()
