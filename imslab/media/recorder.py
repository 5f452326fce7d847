"""The recorder: what an endpoint heard and saw last, and how much of it there was."""

from collections import deque
from collections.abc import Callable

import numpy as np

from imslab.media.picture import Pixels, png
from imslab.media.sound import Samples, Sound

_SECONDS = 60.0  # of sound, at most
_PICTURES = 150  # at most


class Recorder:
    """Keeps the last minute of sound and the last 150 pictures.

    ``samples``   how many samples of sound came, altogether
    ``pictures``  how many pictures came, altogether
    """

    def __init__(self, *, seconds: float = _SECONDS, pictures: int = _PICTURES) -> None:
        self.samples = self.pictures = 0
        self.rate = 0
        self._seconds = seconds
        self._heard: deque[Samples] = deque()
        self._kept = 0  # samples in _heard
        self._seen: deque[Callable[[], Pixels]] = deque(maxlen=pictures)

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

    def see(self, picture: Callable[[], Pixels]) -> None:
        """Keep a picture, given as what returns its pixels: few of all pictures are ever looked at."""
        self.pictures += 1
        self._seen.append(picture)

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
        return [png(pixels()) for pixels in self._seen]

    def last(self) -> Pixels | None:
        """Return the pixels of the newest picture."""
        return self._seen[-1]() if self._seen else None
