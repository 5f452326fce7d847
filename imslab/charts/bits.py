"""Which bits differ: two octet strings of each meaning, bit by bit. An avalanche is seen at once."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from imslab.charts.picture import GREY, PALE, VERMILION, Picture, blank, style
from imslab.errors import Malformed
from imslab.octets import xor

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 4096  # bits in one picture
_ROW = 64  # bits
_CELL, _LEFT, _RIGHT = 0.1, 0.95, 1.55  # inches


def bits(pairs: Mapping[str, tuple[bytes, bytes]], *, title: str = "") -> Picture:
    """Draw, for each meaning, the bits in which its two values differ, 64 in a row, and count them.

    Raises Malformed when two values have another length, or when there is no bit, or more than 4096.
    """
    flips = {name: xor(bytes(before), bytes(after)) for name, (before, after) in pairs.items()}
    count = 8 * sum(map(len, flips.values()))
    if not 1 <= count <= MOST:
        raise Malformed(f"a picture shows 1 to {MOST} bits, not {count}")
    with style():
        return _draw({name: value for name, value in flips.items() if value}, title)


def flipped(before: bytes, after: bytes) -> int:
    """Return in how many bits two strings of the same length differ; Malformed when it is not the same."""
    return int.from_bytes(xor(before, after)).bit_count()


def _draw(flips: Mapping[str, bytes], title: str) -> Picture:
    top = 0.5 if title else 0.15
    rows = {name: -(-8 * len(value) // _ROW) for name, value in flips.items()}
    height = top + sum(_CELL * 1.25 * count + 0.12 for count in rows.values()) + 0.32
    figure = blank(_LEFT + _ROW * _CELL + _RIGHT, height)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(0, figure.get_figwidth())
    axes.set_ylim(height, 0)
    axes.axis("off")
    if title:
        axes.text(_LEFT, 0.22, title, va="center", fontsize=11, weight="bold")
    y = top
    for name, value in flips.items():
        _strip(axes, name, value, y)
        y += _CELL * 1.25 * rows[name] + 0.12
    _cells(axes, [(_LEFT, y + 0.06)], VERMILION)
    axes.text(_LEFT + 0.18, y + 0.11, "bit flipped", va="center", fontsize=8.5)
    _cells(axes, [(_LEFT + 1.2, y + 0.06)], PALE)
    axes.text(_LEFT + 1.38, y + 0.11, "bit as before", va="center", fontsize=8.5)
    return Picture(figure)


def _strip(axes: "Axes", name: str, value: bytes, y: float) -> None:
    count, number = 8 * len(value), int.from_bytes(value)
    places: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    for bit in range(count):
        row, column = divmod(bit, _ROW)
        place = _LEFT + column * _CELL, y + row * _CELL * 1.25
        places[bool(number >> count - 1 - bit & 1)].append(place)
    _cells(axes, places[False], PALE)
    _cells(axes, places[True], VERMILION)
    middle = y + -(-count // _ROW) * _CELL * 1.25 / 2
    axes.text(_LEFT - 0.1, middle, name, ha="right", va="center", fontsize=9, weight="bold")
    end = _LEFT + min(count, _ROW) * _CELL
    ones = number.bit_count()
    text = f"{ones} of {count} ({ones / count:.0%})"
    axes.text(end + 0.1, middle, text, va="center", fontsize=8.5, color=GREY)


def _cells(axes: "Axes", places: list[tuple[float, float]], colour: str) -> None:
    """Draw all cells of one colour as one path: a picture of 500 bits stays small."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    if not places:
        return
    side = _CELL * 0.84
    corners = ((0, 0), (side, 0), (side, side), (0, side), (0, 0))
    vertices = [(x + dx, y + dy) for x, y in places for dx, dy in corners]
    codes = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY] * len(places)
    axes.add_patch(PathPatch(Path(vertices, codes), facecolor=colour, linewidth=0))
