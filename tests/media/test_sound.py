"""Tones: whose they are, that they fit together, that their pitch is found again, and WAV files."""

import io
import wave
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imslab.errors import Malformed
from imslab.media.sound import Sound, Tone, pitch

NAMES = ["alice", "bob", "carol", "mallory"]


def test_the_names_of_the_lab_are_more_than_three_semitones_apart() -> None:
    pitches = sorted(map(pitch, NAMES))
    assert min(b / a for a, b in pairwise(pitches)) > 2 ** (3 / 12)


@given(st.text(max_size=20))
def test_every_pitch_is_one_that_a_telephone_carries(name: str) -> None:
    assert 330 <= pitch(name) <= 975
    assert pitch(name) == pitch(name)


@given(st.lists(st.integers(0, 400), max_size=8))
def test_the_pieces_of_a_tone_fit_together(counts: list[int]) -> None:
    pieces, whole = Tone(440, 8000), Tone(440, 8000)
    joined = np.concatenate([np.zeros(0, np.int16), *(pieces.take(count) for count in counts)])
    assert np.array_equal(joined, whole.take(sum(counts)))


@pytest.mark.parametrize("rate", [8_000, 48_000])
@pytest.mark.parametrize("name", NAMES)
def test_the_pitch_is_found_again(name: str, rate: int) -> None:
    sound = Sound(Tone(pitch(name), rate).take(rate), rate)
    assert sound.pitch == pitch(name)
    assert sound.seconds == 1
    assert np.abs(sound.samples).max() == 8000


def test_a_constant_does_not_hide_the_tone() -> None:
    assert Sound(Tone(500, 8000).take(8000) + np.int16(9000), 8000).pitch == 500


@pytest.mark.parametrize("samples", [[], [0] * 100, [49, -49] * 50], ids=["none", "silence", "noise"])
def test_silence_has_no_pitch(samples: list[int]) -> None:
    assert Sound(np.array(samples, np.int16), 8000).pitch is None


def test_the_loudest_negative_sample_counts_as_loud() -> None:
    assert Sound(np.array([0, -32768] * 50, np.int16), 8000).pitch == 4000


def test_a_wav_file_is_read_back() -> None:
    sound = Sound(Tone(440, 8000).take(800), 8000)
    with wave.open(io.BytesIO(sound.wav)) as reader:
        assert reader.getparams()[:4] == (1, 2, 8000, 800)
        assert reader.readframes(800) == sound.samples.astype("<i2").tobytes()


@pytest.mark.parametrize(
    ("samples", "rate"),
    [(np.zeros(3), 8000), (np.zeros((2, 2), np.int16), 8000), (np.zeros(3, np.int16), 0)],
    ids=["floats", "two channels", "no rate"],
)
def test_what_is_no_sound_is_refused(samples: np.ndarray, rate: int) -> None:
    with pytest.raises(Malformed, match="not a sound"):
        Sound(samples, rate)


@pytest.mark.parametrize("channels", [1, 2])
def test_a_wav_file_of_others_is_read(channels: int) -> None:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(channels)
        writer.setsampwidth(2)
        writer.setframerate(8000)
        writer.writeframes(np.repeat(np.array([1, -2, 3], "<i2"), channels).tobytes())
    sound = Sound.read(file.getvalue())
    assert sound.samples.tolist() == [1, -2, 3] and sound.rate == 8000
    assert Sound.read(sound.wav).samples.tolist() == [1, -2, 3]


def test_what_is_no_wav_file_is_refused() -> None:
    with pytest.raises(Malformed, match="not a WAV file"):
        Sound.read(b"RIFFxxxx")
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((1, 1, 8000, 0, "NONE", "not compressed"))
    with pytest.raises(Malformed, match="8 bits"):
        Sound.read(file.getvalue())
