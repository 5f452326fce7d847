"""Test sound: each subscriber has a pitch, so that a recording tells who spoke.

Samples are 16-bit signed integers, one channel. WAV is RIFF with linear PCM.
"""

import io
import math
import wave
import zlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from imslab.errors import Malformed

Samples = NDArray[np.int16]

_LOWEST, _STEP, _PITCHES = 330, 5, 130  # hertz; 130 keeps the names of the lab far apart
_AMPLITUDE = 8_000  # a quarter of full scale: -12 dBFS
_QUIET = 50  # below this there is no pitch to speak of


def pitch(name: str) -> float:
    """Return the pitch of a subscriber in hertz, 330 to 975: it follows from the name."""
    return float(_LOWEST + _STEP * (zlib.crc32(name.encode()) % _PITCHES))


class Voice(Protocol):
    """What an end says: a test tone unless it is given another."""

    def take(self, count: int) -> Samples:
        """Return the next ``count`` samples, at once."""


class Tone:
    """An endless sine, taken in pieces that fit together without a click."""

    def __init__(self, frequency: float, rate: int) -> None:
        self.frequency, self.rate = frequency, rate
        self._taken = 0

    def take(self, count: int) -> Samples:
        """Return the next ``count`` samples."""
        at = np.arange(self._taken, self._taken + count) / self.rate
        self._taken += count
        return (_AMPLITUDE * np.sin(2 * math.pi * self.frequency * at)).astype(np.int16)


@dataclass(frozen=True)
class Sound:
    """Recorded sound.

    ``samples``  16-bit samples, one channel
    ``rate``     samples in a second
    """

    samples: Samples = field(repr=False)
    rate: int

    def __post_init__(self) -> None:
        if self.samples.dtype != np.int16 or self.samples.ndim != 1 or self.rate <= 0:
            raise Malformed("not a sound", expected="a row of 16-bit samples and a positive rate")

    @classmethod
    def read(cls, wav: bytes) -> "Sound":
        """Read a WAV file of 16-bit samples; of several channels the first. Raises Malformed."""
        try:
            with wave.open(io.BytesIO(wav)) as reader:
                channels, width, rate, count = reader.getparams()[:4]
                octets = reader.readframes(count)
        except (wave.Error, EOFError) as error:
            raise Malformed(f"not a WAV file: {error}") from None
        if width != 2:
            raise Malformed(f"a WAV file of {8 * width} bits", expected="16 bits")
        return cls(np.frombuffer(octets, "<i2").astype(np.int16)[::channels], rate)

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.samples) / self.rate

    @cached_property
    def wav(self) -> bytes:
        """The sound as the octets of a WAV file."""
        file = io.BytesIO()
        with wave.open(file, "wb") as writer:
            writer.setnchannels(1)
            writer.setsampwidth(2)
            writer.setframerate(self.rate)
            writer.writeframes(self.samples.astype("<i2").tobytes())
        return file.getvalue()

    @property
    def pitch(self) -> float | None:
        """The strongest frequency in hertz, from the spectrum of the whole sound; None when it is silent."""
        if not len(self.samples) or np.abs(self.samples.astype(np.int32)).max() < _QUIET:
            return None
        swing = self.samples - self.samples.mean()  # a constant is no tone
        spectrum = np.abs(np.fft.rfft(swing * np.hanning(len(swing))))
        return float(np.argmax(spectrum) * self.rate / len(self.samples))
