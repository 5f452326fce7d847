"""Tracks: what a frame holds, and when it is due."""

import asyncio

import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError

from imslab.media.picture import TestPicture
from imslab.media.sound import Sound, Tone
from imslab.media.tracks import PICTURES, PIECE, RATE, PictureTrack, VoiceTrack


class Loop:
    """A clock that stands still until somebody sleeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        self.slept: list[float] = []
        monkeypatch.setattr(asyncio, "sleep", self._sleep)
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: self.now)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 6))
        self.now += max(0.0, seconds)


async def test_the_tone_comes_in_pieces_of_20_ms(monkeypatch):
    loop, track = Loop(monkeypatch), VoiceTrack(Tone(600, RATE))
    frames = [await track.recv() for _ in range(50)]
    assert loop.slept == [0.0] + [0.02] * 49
    assert [frame.pts for frame in frames] == [PIECE * n for n in range(50)]
    assert {(frame.sample_rate, frame.samples, frame.time_base.denominator) for frame in frames} == {
        (RATE, PIECE, RATE)
    }
    sound = Sound(np.concatenate([frame.to_ndarray()[0] for frame in frames]), RATE)
    assert sound.pitch == 600


async def test_who_is_late_does_not_wait(monkeypatch):
    loop, track = Loop(monkeypatch), VoiceTrack(Tone(600, RATE))
    await track.recv()
    loop.now += 0.05
    for _ in range(4):
        await track.recv()
    assert loop.slept == [0.0, -0.03, -0.01, 0.01, 0.02]


async def test_a_picture_shows_the_time_at_which_it_was_due(monkeypatch):
    loop = Loop(monkeypatch)
    track = PictureTrack("alice", lambda: loop.now)
    frames = [await track.recv() for _ in range(3)]
    assert [frame.pts for frame in frames] == [90_000 // PICTURES * n for n in range(3)]
    drawn = TestPicture("alice").draw(100 + 2 / PICTURES)
    assert np.abs(frames[2].to_ndarray(format="rgb24").astype(int) - drawn).max() == 0


async def test_a_stopped_track_gives_nothing():
    for track in (VoiceTrack(Tone(600, RATE)), PictureTrack("alice", lambda: 0.0)):
        track.stop()
        with pytest.raises(MediaStreamError):
            await track.recv()
