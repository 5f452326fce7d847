"""Milestones: how long after the first moment each of the others came, for one or several who saw them."""

import math
from collections.abc import Mapping, Sequence

from imslab.charts.picture import BLUE, GREEN, GREY, ORANGE, PALE, PURPLE, VERMILION, Picture, blank, style
from imslab.errors import Malformed

_COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE)
_ROW, _LABELS, _VALUES = 0.34, 1.9, 1.15  # inches
MOST = 40  # milestones


def milestones(
    rows: Mapping[str, Sequence[tuple[str, float | None]]],
    *,
    label: str = "ms since the first",
    title: str = "",
    width: float = 9.0,
) -> Picture:
    """Draw one row for each milestone, in their order, with a dot for each who saw it, and the milliseconds.

    ``rows``  who -> (milestone, seconds since the start; None when it did not come) in the order of the steps

    Raises Malformed when there is no milestone, more than 40, or a time that is none.
    """
    names = list(dict.fromkeys(name for steps in rows.values() for name, _ in steps))
    times = [at for steps in rows.values() for _, at in steps if at is not None]
    if not times or len(names) > MOST:
        raise Malformed(f"milestones: 1 to {MOST} are needed, with a time", expected=f"not {len(names)}")
    if not all(math.isfinite(at) for at in times):
        raise Malformed("a milestone's time is no number of seconds")
    with style():
        return _draw(rows, names, max(*times, 1e-6) * 1e3, label, title, width)


def _draw(
    rows: Mapping[str, Sequence[tuple[str, float | None]]],
    names: list[str],
    end: float,
    label: str,
    title: str,
    width: float,
) -> Picture:
    height = 1.0 + _ROW * len(names) + (0.3 if title else 0.0)
    figure = blank(width, height)
    wide = width - _LABELS - _VALUES
    axes = figure.add_axes((_LABELS / width, 0.5 / height, wide / width, _ROW * len(names) / height))
    shift = 0.5 / max(len(rows), 1)
    for number, (who, steps) in enumerate(rows.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        seen = [(names.index(name), at * 1e3) for name, at in steps if at is not None]
        places = [row + (number - (len(rows) - 1) / 2) * shift for row, _ in seen]
        axes.hlines(places, 0, [at for _, at in seen], color=colour, linewidth=3.2, alpha=0.35)
        axes.plot([at for _, at in seen], places, "o", color=colour, markersize=6, label=who)
        for row, at in seen:
            axes.annotate(
                _millis(at), (1, row), (6 + 42 * number, 0), xycoords=("axes fraction", "data"),
                textcoords="offset points", va="center", fontsize=8, color=colour, annotation_clip=False,
            )  # fmt: skip
    axes.set_xlim(0, end * 1.03)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_yticks(range(len(names)), names, fontsize=9)
    axes.set_xlabel(label, fontsize=9)
    axes.tick_params(axis="x", labelsize=8)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=PALE, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    figure.legend(
        loc="upper center", ncols=4, fontsize=8.5, frameon=False,
        bbox_to_anchor=(0.5, 1 - (0.28 if title else 0.0) / height),
    )  # fmt: skip
    if title:
        figure.text(0.5, 1 - 0.18 / height, title, ha="center", va="center", fontsize=11, weight="bold")
    figure.text(1 - _VALUES / width + 0.01, 0.18 / height, "ms", fontsize=8, color=GREY)
    return Picture(figure)


def _millis(value: float) -> str:
    return f"{value:.1f}" if value < 1000 else f"{value:.0f}"
