"""The recorder: what an endpoint heard and saw last, and how much of it there was."""

from collections import deque
from collections.abc import Callable

import numpy as np

from imslab.media.picture import Pixels, png
from imslab.media.sound import Samples, Sound

_SECONDS = 60.0  # of sound, at most
_PICTURES = 150  # at most
_OCTETS = 64 * 1024 * 1024  # of pictures, at most: a camera's are twenty times as large as the test picture


class Recorder:
    """Keeps the last minute of sound and the last 150 pictures, fewer when they are large.

    ``samples``   how many samples of sound came, altogether
    ``pictures``  how many pictures came, altogether
    """

    def __init__(
        self, *, seconds: float = _SECONDS, pictures: int = _PICTURES, octets: int = _OCTETS
    ) -> None:
        self.samples = self.pictures = 0
        self.rate = 0
        self._seconds, self._most = seconds, (pictures, octets)
        self._heard: deque[Samples] = deque()
        self._kept = 0  # samples in _heard
        self._seen: deque[tuple[Callable[[], Pixels], int]] = deque()
        self._held = 0  # octets in _seen

    def hear(self, samples: Samples, rate: int) -> None:
        """Keep a piece of sound; a change of rate (another codec) begins a new recording."""
        if rate != self.rate:
            self._heard.clear()
            self._kept, self.rate = 0, rate
        self._heard.append(samples)
        self.samples += len(samples)
        self._kept += len(samples)
        while self._kept - len(self._heard[0]) >= self._seconds * rate:
            self._kept -= len(self._heard.popleft())

    def see(self, picture: Callable[[], Pixels], octets: int) -> None:
        """Keep a picture of so many octets, given as what returns its pixels: few are ever looked at."""
        self.pictures += 1
        self._held += octets
        self._seen.append((picture, octets))
        while len(self._seen) > 1 and (len(self._seen) > self._most[0] or self._held > self._most[1]):
            self._held -= self._seen.popleft()[1]

    @property
    def seconds(self) -> float:
        """How much sound came, altogether."""
        return self.samples / self.rate if self.rate else 0.0

    def sound(self) -> Sound | None:
        """Return the sound that is kept, or None when none came."""
        if not self._heard:
            return None
        return Sound(np.concatenate(list(self._heard)), self.rate)

    def png(self) -> list[bytes]:
        """Return the pictures that are kept, oldest first, each as a PNG file."""
        return [png(pixels()) for pixels, _ in self._seen]

    def last(self) -> Pixels | None:
        """Return the pixels of the newest picture."""
        return self._seen[-1][0]() if self._seen else None
