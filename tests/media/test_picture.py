"""The test picture: the name, the clock, the colour; PNG files."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from imslab.media.picture import (
    CLOCK_BOX,
    HEIGHT,
    NAME_BOX,
    WIDTH,
    Pixels,
    TestPicture,
    clock_text,
    colour,
    png,
)

AT = 1_700_000_000.25  # 22:13:20.25 UTC


def part(pixels: Pixels, box: tuple[int, int, int, int]) -> Pixels:
    left, top, right, bottom = box
    return pixels[top:bottom, left:right]


def written(pixels: Pixels) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows and the columns that hold white letters."""
    white: NDArray[np.bool_] = np.all(pixels > 200, axis=2)
    return np.flatnonzero(white.any(axis=1)), np.flatnonzero(white.any(axis=0))


def test_the_clock_tells_hundredths_of_a_second_in_utc() -> None:
    assert clock_text(AT) == "22:13:20.25"
    assert clock_text(0) == "00:00:00.00"


def test_a_picture_has_the_name_the_clock_and_the_bar() -> None:
    pixels = TestPicture("alice").draw(AT)
    assert pixels.shape == (HEIGHT, WIDTH, 3)
    assert pixels.dtype == np.uint8
    assert tuple(pixels[0, 0]) == colour("alice")
    for box in (NAME_BOX, CLOCK_BOX):
        rows, columns = written(part(pixels, box))
        assert len(rows) > 20 and len(columns) > 60
    assert written(pixels[-6:])[1].tolist() == list(range(WIDTH // 4 + 1))  # a quarter of a second


def test_a_hundredth_of_a_second_changes_the_clock_and_not_the_name() -> None:
    picture = TestPicture("alice")
    one, other = picture.draw(AT), picture.draw(AT + 0.01)
    assert np.array_equal(part(one, NAME_BOX), part(other, NAME_BOX))
    assert not np.array_equal(part(one, CLOCK_BOX), part(other, CLOCK_BOX))
    assert np.array_equal(picture.draw(AT), one)


@pytest.mark.parametrize("name", ["", "a", "alice", "sip:a.very.long.name.of.somebody@example.org", "Łukasz"])
def test_every_name_fits_into_its_box(name: str) -> None:
    rows, columns = written(TestPicture(name).draw(AT)[: CLOCK_BOX[1] - 10])
    if name:
        left, top, right, bottom = NAME_BOX
        assert top <= rows.min() and rows.max() <= bottom
        assert left - 2 <= columns.min() and columns.max() <= right + 2
    else:
        assert not len(rows)


def test_the_names_of_the_lab_have_colours_that_differ() -> None:
    colours = [colour(name) for name in ("alice", "bob", "carol", "mallory")]
    apart = [np.abs(np.subtract(a, b)).sum() for a in colours for b in colours if a != b]
    assert len(apart) == 12 and min(apart) > 80
    assert max(map(max, colours)) < 128  # dark: white letters stand out


def test_png_is_read_back() -> None:
    pixels = TestPicture("bob").draw(AT)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png(pixels)))), pixels)
