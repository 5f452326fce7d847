"""Connections of which the rest of a message is awaited: for how long, and how many octets of ours they hold.

A server that waits for everybody for ever is closed by whoever opens ten thousand connections and says
nothing, or one octet a minute. Here nothing is closed: the owner is told who has waited too long, or who has
to go so that others can be served: always whoever has been awaited the longest.
"""

from collections.abc import Hashable
from typing import Generic, TypeVar

PATIENCE = 32.0  # seconds for a first message, or for the rest of one: 64 * T1 (RFC 3261, 17.1.1.2)
MOST_OCTETS = 64 * 1024 * 1024  # of all unfinished messages of one server

T = TypeVar("T", bound=Hashable)


class Waiting(Generic[T]):
    """Those who are awaited, in the order in which that began; times in seconds."""

    def __init__(self, *, patience: float = PATIENCE, most_octets: int = MOST_OCTETS) -> None:
        self.octets = 0  # of all unfinished messages
        self._patience, self._most = patience, most_octets
        self._since: dict[T, float] = {}
        self._held: dict[T, int] = {}

    def __len__(self) -> int:
        return len(self._since)

    def begin(self, who: T, now: float) -> None:
        """Wait for the first message of ``who``."""
        self._since[who] = now

    def heard(self, who: T, octets: int, now: float, *, complete: bool) -> None:
        """Take notice that ``who`` has said something.

        ``octets``    of an unfinished message that it has sent so far
        ``complete``  whether it finished one: then only what it has begun since is awaited
        """
        self.octets += octets - self._held.pop(who, 0)
        if octets:
            self._held[who] = octets
        if complete:
            self._since.pop(who, None)
        if octets and who not in self._since:
            self._since[who] = now

    def end(self, who: T) -> None:
        """Forget somebody who has gone."""
        self.octets -= self._held.pop(who, 0)
        self._since.pop(who, None)

    def timer(self) -> float | None:
        """Return when the next one will have been awaited for too long."""
        first = next(iter(self._since.values()), None)
        return None if first is None else first + self._patience

    def overdue(self, now: float) -> list[T]:
        """Return those who have been awaited for too long at ``now``."""
        late = []
        for who, since in self._since.items():
            if since + self._patience > now:
                break
            late.append(who)
        return late

    def excess(self) -> list[T]:
        """Return those who have to go so that unfinished messages do not hold too many octets."""
        left, going = self.octets, []
        for who in self._since:
            if left <= self._most:
                break
            left -= self._held.get(who, 0)
            going.append(who)
        return going

    def oldest(self) -> T | None:
        """Return who has been awaited the longest; None when nobody is awaited."""
        return next(iter(self._since), None)
