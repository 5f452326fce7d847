"""The session timer: two ends of a call prove to each other, now and then, that they are still there.

Spec: RFC 4028. One end refreshes at half of the interval; the other one hangs up when no refresh came, a
third of the interval (at most 32 s) before its end. So a peer or a core that is gone is noticed within it.
"""

from collections.abc import Callable

from imslab.errors import Malformed
from imslab.ims.timers import Action, Timer, Timers
from imslab.sip import Message

LEAST = 90  # seconds: no interval may be shorter (RFC 4028, 5)


class SessionTimer:
    """The session timer of one call.

    ``refresh``  sends a refresh;  ``expired``: what to do when the peer's did not come
    """

    def __init__(self, timers: Timers, *, refresh: Action, expired: Action) -> None:
        self._timers, self._refresh, self._expired = timers, refresh, expired
        self._timer: Timer | None = None
        self._end: Timer | None = None
        self.interval = 0

    def start(self, interval: int, *, ours: bool, now: float) -> None:
        """Begin an interval of so many seconds; ``ours`` when the refresh is our duty."""
        self.stop()
        self.interval = interval
        if ours:
            self._timer = self._timers.start(now + interval / 2, self._refresh)
            self._end = self._timers.start(now + interval, self._expired)
        else:
            self._end = self._timers.start(now + interval - min(32.0, interval / 3), self._expired)

    def again(self, now: float) -> None:
        """Try our refresh again before long: it could not be made, or was refused."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = self._timers.start(now + self.interval / 10, self._refresh)

    def stop(self) -> None:
        """Wait for nothing any more."""
        for timer in (self._timer, self._end):
            if timer is not None:
                timer.cancel()
        self._timer = self._end = None


def asked(interval: int) -> list[tuple[str, object]]:
    """Return the rows of a request that begins or refreshes a session: its sender goes on refreshing."""
    return [("Session-Expires", f"{interval};refresher=uac"), ("Min-SE", min(interval, LEAST))]


def granted(
    request: Message, interval: int, least: int, start: Callable[[int, bool], None]
) -> list[tuple[str, object]]:
    """Return the rows of the 2xx to ``request``, and ``start`` the timer as they say (RFC 4028, 9).

    A peer that does not know the extension is watched by our own refreshes.
    """
    wanted = request.session_expires
    known = "timer" in request.supported
    if wanted is not None:
        interval = max(wanted.seconds, least)
    refresher = (wanted.refresher if wanted is not None and known else None) or ("uac" if known else "uas")
    start(interval, refresher == "uas")
    rows: list[tuple[str, object]] = [("Session-Expires", f"{interval};refresher={refresher}")]
    return [*rows, ("Require", "timer")] if refresher == "uac" else rows


def agreed(response: Message, interval: int, least: int, start: Callable[[int, bool], None]) -> None:
    """Start the timer as the 2xx to our request says; ``interval`` is what we asked for (RFC 4028, 7.2).

    A peer that answers with less than ``least`` is not believed: it would keep us busy.
    """
    try:
        said = response.session_expires
        seconds = interval if said is None else max(said.seconds, least)
    except Malformed:
        said, seconds = None, interval
    # A peer that does not know the timer does not refresh: our refreshes find out whether it lives.
    start(seconds, said is None or said.refresher != "uas")


def too_small(request: Message, least: int) -> bool:
    """Tell whether a request asks for an interval that gets 422 (RFC 4028, 9)."""
    wanted = request.session_expires
    return wanted is not None and wanted.seconds < least and "timer" in request.supported
