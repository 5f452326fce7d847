"""Which bits differ."""

from typing import Any

import pytest

from imslab.charts import bits, flipped
from imslab.errors import Malformed


def test_flipped_bits_are_counted() -> None:
    assert flipped(b"\x00\xff", b"\x01\x7f") == 2
    assert flipped(b"", b"") == 0
    with pytest.raises(Malformed, match="cannot xor"):
        flipped(b"\0", b"")


def test_every_meaning_has_its_name_and_its_count() -> None:
    picture = bits({"RES": (bytes(8), b"\xff" + bytes(7)), "CK": (bytes(16), bytes(16))}, title="x")
    texts = [text.get_text() for text in picture.figure.axes[0].texts]
    assert {"x", "RES", "8 of 64 (12%)", "CK", "0 of 128 (0%)"} <= set(texts)


def test_each_bit_stands_at_its_place() -> None:
    patches = bits({"A": (b"\x00", b"\x01")}).figure.axes[0].patches
    pale: Any = patches[0].get_path().vertices
    orange: Any = patches[1].get_path().vertices
    assert (len(pale), len(orange)) == (7 * 5, 5)  # a square has five corners: it is closed
    assert orange[:, 0].min() > pale[:, 0].max()


@pytest.mark.parametrize("pairs", [{}, {"A": (b"", b"")}, {"A": (bytes(513), bytes(513))}])
def test_what_cannot_be_drawn(pairs: dict[str, tuple[bytes, bytes]]) -> None:
    with pytest.raises(Malformed, match="1 to 4096 bits"):
        bits(pairs)
