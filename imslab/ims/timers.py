"""The deadlines of a node: a heap of them, fired by the caller's clock.

A node may wait for thousands of things at once; the next one is found without looking at all.
Times are seconds.
"""

import heapq
from collections.abc import Callable

Action = Callable[[float], None]


class Timer:
    """One deadline; ``cancel`` may be called at any time, also twice."""

    __slots__ = ("_action", "_timers", "at")

    def __init__(self, timers: "Timers", at: float, action: Action) -> None:
        self._timers, self._action, self.at = timers, action, at

    def cancel(self) -> None:
        """Let nothing happen when the time comes."""
        if self._action is not _nothing:
            self._action = _nothing
            self._timers._cancelled()

    @property
    def is_running(self) -> bool:
        """Whether the time has not come, and nobody has cancelled."""
        return self._action is not _nothing

    def _fire(self, now: float) -> None:
        action, self._action = self._action, _nothing
        action(now)


class Timers:
    """All deadlines of one node."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._count = 0  # equal times fire in the order in which they were set
        self._dead = 0

    def __len__(self) -> int:
        return len(self._heap) - self._dead

    def start(self, at: float, action: Action) -> Timer:
        """Call ``action(now)`` when ``at`` has come."""
        timer = Timer(self, at, action)
        self._count += 1
        heapq.heappush(self._heap, (at, self._count, timer))
        return timer

    def next(self) -> float | None:
        """Return the earliest deadline, or None when there is none."""
        heap = self._heap
        while heap and not heap[0][2].is_running:
            heapq.heappop(heap)
            self._dead -= 1
        return heap[0][0] if heap else None

    def fire(self, now: float) -> None:
        """Do what is due at ``now``, the earliest first."""
        while (at := self.next()) is not None and at <= now:
            heapq.heappop(self._heap)[2]._fire(now)

    def _cancelled(self) -> None:
        self._dead += 1
        if self._dead > 64 and self._dead > len(self._heap) // 2:
            self._heap = [entry for entry in self._heap if entry[2].is_running]
            heapq.heapify(self._heap)
            self._dead = 0


def _nothing(now: float) -> None:
    """Do nothing: the action of a timer that was cancelled, or has fired."""
