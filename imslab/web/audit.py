"""What a bridge did for whom, without secrets: kept for a while, and told to whoever listens."""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

MOST = 1000  # entries that are kept
_LONGEST = 200  # letters of a word that came from outside


class Entry(NamedTuple):
    """One line: when (epoch seconds), which origin, what it did, and how that ended."""

    at: float
    origin: str
    what: str
    outcome: str

    def __str__(self) -> str:
        return f"{self.origin}: {self.what}: {self.outcome}"


class AuditLog:
    """The last 1000 entries; ``on_entry`` is called with each."""

    def __init__(self, on_entry: Callable[[Entry], None] | None = None) -> None:
        self.entries: deque[Entry] = deque(maxlen=MOST)
        self._on_entry = on_entry

    def note(self, at: float, origin: str, what: str, outcome: str = "ok") -> None:
        """Keep one entry; what a stranger sent is shortened, and has no line ends."""
        entry = Entry(at, _tame(origin), _tame(what), _tame(outcome))
        self.entries.append(entry)
        if self._on_entry is not None:
            self._on_entry(entry)


def _tame(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text[:_LONGEST])
