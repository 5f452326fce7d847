"""A token bucket: how much one page may ask for, on average and at once (as in RFC 2697, one colour)."""

from imslab.errors import BridgeRefused


class Bucket:
    """Holds at most ``burst`` and gains ``rate`` a second. ``what`` names it in the refusal."""

    def __init__(self, what: str, rate: float, burst: float, now: float) -> None:
        self._what, self._rate, self._burst = what, rate, burst
        self._level, self._at = burst, now

    def take(self, now: float) -> None:
        """Take one; raise BridgeRefused, which says how long to wait, when less than one is left."""
        gained = max(0.0, now - self._at) * self._rate
        self._level, self._at = min(self._burst, self._level + gained), now
        if self._level < 1:
            seconds = (1 - self._level) / self._rate
            raise BridgeRefused("TooMany", f"too many {self._what}: wait {seconds:.1f} s")
        self._level -= 1
