"""TCP streams: put together, rewritten as streams, and cut again where the segments were cut.

Spec: RFC 9293, 3.4. A segment that is sent again gets the same octets again. What comes after a hole in the
capture is a stream of its own.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

Flow = tuple[bytes, int, bytes, int]  # source, its port, destination, its port

_SYN = 0x02
_WRAP = 1 << 32
_FAR = 1 << 30  # a segment so far away is of another connection
_MOST = 1 << 28  # octets that are held at most: what is more is not looked into


@dataclass(slots=True)
class _Connection:
    """One direction: segments as (place from the first one on, octets)."""

    first: int
    segments: list[tuple[int, int, bytes]] = field(default_factory=list)  # place, sequence number, octets


class Segments:
    """The TCP segments of a capture, by direction."""

    def __init__(self) -> None:
        self._connections: dict[Flow, list[_Connection]] = {}
        self._new: dict[tuple[Flow, int, int, int], bytes] = {}
        self._held = 0
        self.left_out = 0

    def survey(self, flow: Flow, seq: int, flags: int, octets: bytes) -> None:
        """Take in a segment."""
        connections = self._connections.setdefault(flow, [])
        if flags & _SYN or not connections:
            start = (seq + bool(flags & _SYN)) % _WRAP
            if not connections or connections[-1].first != start:
                connections.append(_Connection(start))
        if not octets:
            return
        if self._held + len(octets) > _MOST:
            self.left_out += 1
            return
        here = connections[-1]
        place = (seq - here.first + _WRAP // 2) % _WRAP - _WRAP // 2
        if abs(place) > _FAR:
            here = _Connection(seq)
            connections.append(here)
            place = 0
        self._held += len(octets)
        here.segments.append((place, seq, octets))

    def each(self, look: Callable[[Flow, bytes], object]) -> None:
        """Show every stream to ``look``."""
        for flow, connections in self._connections.items():
            for connection in connections:
                for _, run, _ in _runs(connection.segments):
                    look(flow, run)

    def close(self, rewrite: Callable[[Flow, bytes], bytes]) -> None:
        """Rewrite every stream."""
        for flow, connections in self._connections.items():
            for connection in connections:
                for start, run, members in _runs(connection.segments):
                    new = rewrite(flow, run)
                    for place, seq, octets in members:
                        piece = new[place - start : place - start + len(octets)]
                        self._new[flow, seq, len(octets), hash(octets)] = piece
        self._connections.clear()

    def part(self, flow: Flow, seq: int, octets: bytes) -> bytes | None:
        """Return the new octets of a segment; None when it was left out."""
        return self._new.get((flow, seq, len(octets), hash(octets)))


def _runs(
    segments: list[tuple[int, int, bytes]],
) -> Iterator[tuple[int, bytes, list[tuple[int, int, bytes]]]]:
    """Yield (place, octets, segments) of each stretch without a hole."""
    members: list[tuple[int, int, bytes]] = []
    run, start = bytearray(), 0
    for segment in sorted(segments, key=lambda one: one[0]):
        place, _, octets = segment
        if members and place > start + len(run):
            yield start, bytes(run), members
            members = []
        if not members:
            run, start = bytearray(), place
        run += octets[max(start + len(run) - place, 0) :]
        members.append(segment)
    if members:
        yield start, bytes(run), members
