"""Measurements side by side: every one a dot, the middle half a bar, the median a number with its unit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import quantiles
from typing import TYPE_CHECKING

from imslab.charts.picture import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PALE,
    PURPLE,
    VERMILION,
    Picture,
    blank,
    style,
)
from imslab.errors import Malformed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE)
_ROW = 0.32  # inches
MOST = 40  # rows


@dataclass(frozen=True, slots=True)
class Summary:
    """Median and quartiles of some measurements, in their unit."""

    count: int
    low: float
    median: float
    high: float


def summary(values: Sequence[float]) -> Summary:
    """Return count, first quartile, median and third quartile; Malformed when there is no value."""
    if not values:
        raise Malformed("there is nothing to summarise", expected="at least one value")
    if len(values) == 1:
        return Summary(1, values[0], values[0], values[0])
    low, middle, high = quantiles(values, n=4, method="inclusive")
    return Summary(len(values), low, middle, high)


def spread(
    groups: Mapping[str, Sequence[float]],
    *,
    unit: str = "ms",
    label: str = "",
    title: str = "",
    width: float = 9.0,
) -> Picture:
    """Draw one row for each group of values: dots, the quartiles as a bar, and the median in ``unit``.

    Groups whose names begin with the same word have the same colour. The axis ends beyond the quartiles, so
    that a single slow one does not press all others flat: what lies farther out is counted at its right end.
    Raises Malformed when there is no group, more than 40, or an empty one.
    """
    if not 1 <= len(groups) <= MOST:
        raise Malformed(f"a spread shows 1 to {MOST} groups, not {len(groups)}")
    rows = {name: summary(values) for name, values in groups.items()}
    with style():
        return _draw(groups, rows, unit, label, title, width)


def _draw(
    groups: Mapping[str, Sequence[float]],
    rows: Mapping[str, Summary],
    unit: str,
    label: str,
    title: str,
    width: float,
) -> Picture:
    top = 0.45 if title else 0.12
    height = top + _ROW * len(rows) + 0.6
    figure = blank(width, height)
    left = 0.3 + 0.075 * max(map(len, rows))
    box = left / width, 0.55 / height, 1 - (left + 2.0) / width, _ROW * len(rows) / height
    axes = figure.add_axes(box)
    end = _end(groups, rows)
    words = list(dict.fromkeys(name.split()[0] for name in rows))
    for row, (name, values) in enumerate(groups.items()):
        _row(axes, row, values, rows[name], _COLOURS[words.index(name.split()[0]) % len(_COLOURS)], unit, end)
    axes.set_xlim(0, end)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks(range(len(rows)), list(rows), fontsize=8.5)
    axes.set_xlabel(f"{label or 'time'} in {unit}", fontsize=9)
    axes.tick_params(axis="x", labelsize=8)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=PALE, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    if title:
        figure.text(0.5, 1 - 0.2 / height, title, ha="center", va="center", fontsize=11, weight="bold")
    return Picture(figure)


def _end(groups: Mapping[str, Sequence[float]], rows: Mapping[str, Summary]) -> float:
    fence = max(one.high + 3 * (one.high - one.low) for one in rows.values())
    return min(fence, max(max(values) for values in groups.values())) * 1.05 or 1.0


def _row(
    axes: "Axes", row: int, values: Sequence[float], found: Summary, colour: str, unit: str, end: float
) -> None:
    inside = [value for value in values if value <= end]
    axes.barh(row, found.high - found.low, left=found.low, height=0.5, color=colour, alpha=0.25, linewidth=0)
    axes.plot(inside, [row] * len(inside), "o", color=colour, markersize=3.2, alpha=0.65, markeredgewidth=0)
    axes.plot([found.median] * 2, [row - 0.32, row + 0.32], color=colour, linewidth=2.2)
    text = f"{found.median:.3g} {unit}"
    axes.annotate(
        text, (1, row), (10, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
        va="center", fontsize=8.5, color=BLACK,
    )  # fmt: skip
    if beyond := len(values) - len(inside):
        axes.annotate(
            f"+{beyond} up to {max(values):.3g}", (1, row), (72, 0), xycoords=("axes fraction", "data"),
            textcoords="offset points", va="center", fontsize=7.5, color=GREY,
        )  # fmt: skip
