"""Fragments of IP datagrams: gathered, rewritten as a whole, and cut again where they were cut.

Spec: RFC 791, 3.2; RFC 8200, 4.5. The first octets that come for a place count.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

_MOST = 65_535  # octets of one datagram
_MOST_OPEN = 4_096  # datagrams that wait for more


@dataclass(slots=True)
class _Datagram:
    parts: list[tuple[int, bytes]] = field(default_factory=list)
    length: int | None = None

    def add(self, offset: int, more: bool, octets: bytes) -> None:
        self.parts.append((offset, octets))
        if not more:
            self.length = offset + len(octets)

    @property
    def whole(self) -> bytes | None:
        """The datagram, when every octet of it has come."""
        if self.length is None or self.length > _MOST:
            return None
        octets, covered = bytearray(self.length), 0
        for offset, part in sorted(self.parts, key=lambda place: place[0]):
            if offset > covered:
                return None
            octets[covered : offset + len(part)] = part[covered - offset :]
            covered = max(covered, offset + len(part))
        return bytes(octets[: self.length]) if covered >= self.length else None


class Fragments:
    """The fragmented datagrams of a capture. ``key`` is what their headers share."""

    def __init__(self) -> None:
        self._open: dict[Hashable, _Datagram] = {}
        self._done: list[tuple[Hashable, _Datagram, bytes]] = []
        self._new: dict[tuple[Hashable, int, bytes], bytes] = {}

    def survey(self, key: Hashable, offset: int, more: bool, octets: bytes) -> bytes | None:
        """Take in a fragment; return the datagram when this one completes it."""
        datagram = self._open.setdefault(key, _Datagram())
        datagram.add(offset, more, octets)
        whole = datagram.whole
        if whole is not None:
            self._done.append((key, self._open.pop(key), whole))
        elif len(self._open) > _MOST_OPEN:
            self._open.pop(next(iter(self._open)))
        return whole

    def close(self, rewrite: Callable[[Hashable, bytes], bytes]) -> None:
        """Rewrite every datagram that was whole."""
        for key, datagram, whole in self._done:
            new = rewrite(key, whole)
            for offset, part in datagram.parts:
                self._new[key, offset, part] = new[offset : offset + len(part)]
        self._done.clear()

    def part(self, key: Hashable, offset: int, octets: bytes) -> bytes | None:
        """Return the new octets of a fragment; None when its datagram was never whole."""
        return self._new.get((key, offset, octets))
