"""What an endpoint sends through aiortc: the test tone and the test picture, paced by the loop's clock.

aiortc's own default tracks are silence and a green picture. This module loads aiortc and PyAV: import it
late.
"""

import asyncio
from fractions import Fraction

from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, VideoFrame

from imslab.media.picture import TestPicture
from imslab.media.sound import Voice
from imslab.net.tap import Clock

RATE, PIECE = 48_000, 960  # samples in a second, and in a piece of 20 ms: what Opus takes as it is
PICTURES = 15  # in a second
_VIDEO_RATE = 90_000  # ticks in a second (RFC 7741, and every other video payload format)


class _Paced(MediaStreamTrack):
    """A track that gives a frame ``a_second`` times a second, the first at once."""

    def __init__(self, a_second: float) -> None:
        super().__init__()
        self.count = 0
        self._interval = 1 / a_second
        self._started = 0.0

    async def _wait(self) -> None:
        if self.readyState != "live":
            raise MediaStreamError
        loop = asyncio.get_running_loop()
        if not self.count:
            self._started = loop.time()
        await asyncio.sleep(self._started + self.count * self._interval - loop.time())
        self.count += 1


class VoiceTrack(_Paced):
    """A tone, or another voice: 48 kHz, one channel."""

    kind = "audio"

    def __init__(self, voice: Voice) -> None:
        super().__init__(RATE / PIECE)
        self._voice = voice

    async def recv(self) -> AudioFrame:
        """Return the next 20 ms of sound when they are due."""
        await self._wait()
        frame = AudioFrame.from_ndarray(self._voice.take(PIECE)[None], format="s16", layout="mono")
        frame.sample_rate, frame.time_base = RATE, Fraction(1, RATE)
        frame.pts = (self.count - 1) * PIECE
        return frame


class PictureTrack(_Paced):
    """The test picture of a subscriber, drawn when it is due."""

    kind = "video"

    def __init__(self, name: str, clock: Clock) -> None:
        super().__init__(PICTURES)
        self._picture, self._clock = TestPicture(name), clock

    async def recv(self) -> VideoFrame:
        """Return the next picture when it is due."""
        await self._wait()
        frame = VideoFrame.from_ndarray(self._picture.draw(self._clock()), format="rgb24")
        frame.time_base = Fraction(1, _VIDEO_RATE)
        frame.pts = (self.count - 1) * _VIDEO_RATE // PICTURES
        return frame
