"""The test picture: the subscriber's name, a running clock and a bar that moves, in the subscriber's colour.

Whoever sees it knows who sends, that it moves, and (from the clock) how old it is.
"""

import colorsys
import io
import zlib
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]  # height, width, 3: red, green, blue

WIDTH, HEIGHT = 320, 240
CLOCK_BOX = (24, 150, 296, 200)  # left, top, right, bottom: where the clock stands
NAME_BOX = (24, 40, 296, 120)
_BAR = 12  # pixels: height of the bar at the lower edge
_HUES = 325  # which keeps the names of the lab far apart
_SMALLEST = 6  # pixels: height of letters


def colour(name: str) -> tuple[int, int, int]:
    """Return the colour of a subscriber: a dark one, so that white letters stand out."""
    hue = zlib.crc32(name.encode()) % _HUES / _HUES
    red, green, blue = (round(255 * part) for part in colorsys.hsv_to_rgb(hue, 0.7, 0.45))
    return red, green, blue


def clock_text(at: float) -> str:
    """Return the time of day (UTC) of ``at``, epoch seconds, to the hundredth of a second."""
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S.%f")[:-4]


class TestPicture:
    """Draws one subscriber's picture at any time."""

    __test__ = False  # its name is the field's; pytest need not look into it

    def __init__(self, name: str) -> None:
        from PIL import Image, ImageDraw

        self.name = name
        self._background = Image.new("RGB", (WIDTH, HEIGHT), colour(name))
        self._digits = _font(CLOCK_BOX, clock_text(0))
        _write(ImageDraw.Draw(self._background), NAME_BOX, name, _font(NAME_BOX, name))

    def draw(self, at: float) -> Pixels:
        """Return the picture at epoch second ``at``; the bar grows over each second."""
        from PIL import ImageDraw

        image = self._background.copy()
        pen = ImageDraw.Draw(image)
        _write(pen, CLOCK_BOX, clock_text(at), self._digits)
        pen.rectangle((0, HEIGHT - _BAR, round(at % 1 * WIDTH), HEIGHT), fill="white")
        return np.asarray(image)


def png(pixels: Pixels) -> bytes:
    """Return a picture as the octets of a PNG file."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def _write(pen: Any, box: tuple[int, int, int, int], text: str, font: Any) -> None:
    left, top, right, bottom = box
    pen.text(((left + right) / 2, (top + bottom) / 2), text, font=font, fill="white", anchor="mm")


@lru_cache
def _font(box: tuple[int, int, int, int], text: str) -> Any:
    """Return the font in which ``text`` is as large as fits into ``box``."""
    from PIL import ImageFont

    left, top, right, bottom = box
    size = bottom - top
    while size > _SMALLEST and ImageFont.load_default(size).getlength(text) > right - left:
        size -= 2
    return ImageFont.load_default(size)
