"""G.711 against the values of ITU-T G.711, tables 1a to 2b, and what a codec must keep."""

import numpy as np
import pytest

from imslab.errors import Malformed
from imslab.media.g711 import G711, PIECE, RATE
from imslab.media.sound import Sound, Tone

# octet -> sample: the largest, the smallest and the middle of both laws
PCMU = {0x00: -32124, 0x80: 32124, 0xFF: 0, 0x7F: 0, 0xEF: 132}
PCMA = {0x2A: -32256, 0xAA: 32256, 0xD5: 8, 0x55: -8}


@pytest.mark.parametrize(("encoding", "values"), [("PCMU", PCMU), ("PCMA", PCMA)])
def test_the_values_of_the_recommendation(encoding: str, values: dict[int, int]) -> None:
    codec = G711(encoding)
    assert codec.decode(bytes(values)).tolist() == list(values.values())
    positive = {octet: value for octet, value in values.items() if value}
    assert codec.encode(np.array(list(positive.values()), np.int16)) == bytes(positive)


@pytest.mark.parametrize("encoding", ["PCMU", "PCMA"])
def test_a_tone_comes_through(encoding: str) -> None:
    codec, tone = G711(encoding), Tone(600, RATE)
    pieces = [tone.take(PIECE) for _ in range(50)]
    octets = [codec.encode(piece) for piece in pieces]
    assert {len(piece) for piece in octets} == {PIECE}
    decoded = np.concatenate([codec.decode(piece) for piece in octets])
    assert Sound(decoded, RATE).pitch == 600
    assert np.abs(decoded - np.concatenate(pieces)).max() <= 256  # half of the coarsest step at this level


def test_no_octets_are_no_sound() -> None:
    assert len(G711("PCMA").decode(b"")) == 0
    assert len(G711("PCMA").decode(bytes(3000))) == 3000


@pytest.mark.parametrize("encoding", ["G722", "pcma", ""])
def test_other_codecs_are_refused(encoding: str) -> None:
    with pytest.raises(Malformed, match="PCMU or PCMA"):
        G711(encoding)
