"""How long somebody waits between one sending and the next: a transaction's timers (RFC 3261, 17)."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from imslab.charts.picture import BLUE, GREEN, GREY, ORANGE, PALE, PURPLE, VERMILION, Picture, blank, style
from imslab.errors import Malformed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE)
MOST = 200  # instants in one row


def intervals(
    rows: Mapping[str, Sequence[float]],
    *,
    ends: Mapping[str, float] | None = None,
    levels: Mapping[str, float] | None = None,
    title: str = "",
    width: float = 9.0,
) -> Picture:
    """Draw a dot for each instant (seconds), as high as the wait that follows it.

    ``rows``    instants in their order, for each name; the last one waits for the row's end
    ``ends``    when somebody gave up, in seconds, by the name of the row: a cross on the time axis
    ``levels``  waits to mark by a line across, with their names: {"T2": 4.0}

    Raises Malformed when there is no instant, more than 200 in a row, or they go back in time.
    """
    _check(rows)
    with style():
        return _draw(rows, ends or {}, levels or {}, title, width)


def waits(instants: Sequence[float], end: float | None = None) -> list[float]:
    """Return the seconds between each instant and the next, and to ``end`` where that is given."""
    points = [*instants] if end is None else [*instants, end]
    return [after - before for before, after in pairwise(points)]


def _check(rows: Mapping[str, Sequence[float]]) -> None:
    if not rows or not all(rows.values()):
        raise Malformed("there is nothing to draw", expected="at least one instant in each row")
    if any(len(instants) > MOST for instants in rows.values()):
        raise Malformed(f"a row holds at most {MOST} instants")
    if any(wait < 0 for instants in rows.values() for wait in waits(instants)):
        raise Malformed("the instants go back in time")


def _draw(
    rows: Mapping[str, Sequence[float]],
    ends: Mapping[str, float],
    levels: Mapping[str, float],
    title: str,
    width: float,
) -> Picture:
    height = 3.4 if title else 3.1
    figure = blank(width, height)
    axes = figure.add_axes((0.75 / width, 0.62 / height, 1 - 1.0 / width, 2.15 / height))
    for number, (name, instants) in enumerate(rows.items()):
        _row(axes, name, instants, ends.get(name), _COLOURS[number % len(_COLOURS)])
    for name, level in levels.items():
        axes.axhline(level, color=GREY, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        label = f"{name} = {level:g} s"
        axes.annotate(
            label, (1, level), (0, 3), xycoords=("axes fraction", "data"), textcoords="offset points",
            ha="right", va="bottom", fontsize=8, color=GREY,
        )  # fmt: skip
    axes.set_ylim(bottom=0)
    axes.set_ymargin(0.2)
    axes.set_xlabel("s since the first copy was sent", fontsize=9)
    axes.set_ylabel("s until the next", fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(axis="y", color=PALE, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.legend(
        loc="upper center", ncols=4, fontsize=8.5, frameon=False,
        bbox_to_anchor=(0.5, 1 - (0.28 if title else 0.0) / height),
    )  # fmt: skip
    if title:
        figure.text(0.5, 1 - 0.18 / height, title, ha="center", va="center", fontsize=11, weight="bold")
    return Picture(figure)


def _row(axes: "Axes", name: str, instants: Sequence[float], end: float | None, colour: str) -> None:
    heights = waits(instants, end)
    seen = list(instants[: len(heights)])
    label = f"{name}: {len(instants)} sent" + ("" if end is None else f", given up at {end:g} s")
    axes.vlines(seen, 0, heights, color=colour, linewidth=1.2, zorder=2)
    axes.plot(seen or [instants[0]], heights or [0.0], "o", color=colour, markersize=5, zorder=3, label=label)
    for at, wait in zip(seen, heights, strict=True):
        axes.annotate(
            f"{wait:.3g}",
            (at, wait),
            (0, 5),
            textcoords="offset points",
            ha="center",
            fontsize=7.5,
            color=GREY,
        )
    if end is not None:
        axes.plot([end], [0], "X", color=colour, markersize=9, clip_on=False, zorder=4)
