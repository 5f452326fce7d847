"""The recorder keeps the end of what came, and counts all of it."""

import io
from functools import partial

import numpy as np
from PIL import Image

from imslab.media.recorder import Recorder
from imslab.media.sound import Samples


def piece(value: int, length: int = 100) -> Samples:
    return np.full(length, value, np.int16)


def test_nothing_came() -> None:
    recorder = Recorder()
    assert (recorder.sound(), recorder.png(), recorder.last(), recorder.seconds) == (None, [], None, 0.0)


def test_pieces_are_joined() -> None:
    recorder = Recorder()
    for value in (1, 2):
        recorder.hear(piece(value), 8000)
    sound = recorder.sound()
    assert sound is not None and sound.samples.tolist() == [1] * 100 + [2] * 100
    assert (sound.rate, recorder.samples, recorder.seconds) == (8000, 200, 0.025)


def test_only_the_last_seconds_are_kept() -> None:
    recorder = Recorder(seconds=0.25)  # 250 samples at 1000 a second
    for value in range(6):
        recorder.hear(piece(value), 1000)
        sound = recorder.sound()
        assert sound is not None and len(sound.samples) <= 250 + 99
    assert sound is not None and sorted(set(sound.samples.tolist())) == [3, 4, 5]
    assert recorder.seconds == 0.6


def test_another_rate_begins_again() -> None:
    recorder = Recorder()
    recorder.hear(piece(1), 8000)
    recorder.hear(piece(2), 48000)
    sound = recorder.sound()
    assert sound is not None and (set(sound.samples.tolist()), sound.rate) == ({2}, 48000)
    assert recorder.samples == 200


def test_only_the_last_pictures_are_kept_and_drawn_when_looked_at() -> None:
    recorder, drawn = Recorder(pictures=2), []

    def picture(number: int) -> np.ndarray:
        drawn.append(number)
        return np.full((4, 6, 3), number, np.uint8)

    for number in range(3):
        recorder.see(partial(picture, number), 72)
    assert (recorder.pictures, drawn) == (3, [])
    shades = [np.asarray(Image.open(io.BytesIO(octets)))[0, 0, 0] for octets in recorder.png()]
    assert shades == [1, 2] == drawn
    last = recorder.last()
    assert last is not None and last[0, 0, 0] == 2


def test_large_pictures_are_fewer() -> None:
    recorder = Recorder(octets=1000)
    for size, kept in ((400, 1), (400, 2), (200, 3), (1, 3), (5000, 1), (10, 1)):
        recorder.see(lambda: np.zeros((2, 2, 3), np.uint8), size)
        assert len(recorder.png()) == kept
