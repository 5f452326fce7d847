"""The timing waterfall: where the milliseconds of a login go, and who spends them.

The time between two arrows belongs to the node that sends the second one: it had the message
and worked on it. When it is another node than the one that received the first, nobody was seen
to work: that time is the network's (or a timer's). The card's own time is measured where the
capture knows it, from the comment on the packet.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from imslab.capture.views import APDU, SIP, Arrow
from imslab.charts.ladder import MOST
from imslab.charts.picture import BLUE, GREEN, GREY, PALE, VERMILION, Picture, blank, fitted, style
from imslab.errors import Malformed

if TYPE_CHECKING:
    from matplotlib.patches import Patch

COLOURS = {"card": VERMILION, "UE": BLUE, "core": GREEN, "network": GREY}
_ROW, _LABELS = 0.24, 2.9  # inches


@dataclass(frozen=True, slots=True)
class Span:
    """Time spent by ``who`` ("card", "UE", "core", "network"), from ``start`` for ``seconds``."""

    start: float
    seconds: float
    who: str
    label: str


def timing(
    arrows: Iterable[Arrow], names: Mapping[str, str] | None = None, *, title: str = "", width: float = 9.0
) -> Picture:
    """Draw a bar for the time before each arrow but the first, and the sums for card, UE, core, network.

    Raises Malformed when there are fewer than two arrows, or more than 400.
    """
    rows = sorted(arrows, key=lambda arrow: arrow.at)
    if not 2 <= len(rows) <= MOST:
        raise Malformed(f"a timing needs 2 to {MOST} arrows, not {len(rows)}")
    with style():
        return _draw(spans(rows, names or {}), title, width)


def spans(rows: Sequence[Arrow], names: Mapping[str, str]) -> list[Span]:
    """Return who spent the time between each arrow and the one before."""
    roles = _roles(rows)
    found = []
    for before, after in pairwise(rows):
        who = roles[after.source] if after.source == before.destination else "network"
        label = f"{names.get(after.source, after.source)}: {after.label}"
        found.append(Span(before.at - rows[0].at, after.at - before.at, who, label))
    return found


def _roles(rows: Sequence[Arrow]) -> dict[str, str]:
    """Tell card, UE and core apart by what they do, since addresses and names are free to choose."""
    roles = {node: "core" for arrow in rows for node in (arrow.source, arrow.destination)}
    for arrow in rows:
        if arrow.kind == APDU and roles[arrow.source] != "card":
            roles[arrow.source], roles[arrow.destination] = "UE", "card"
    first = next((arrow for arrow in rows if arrow.kind == SIP), None)
    if first is not None and "UE" not in roles.values():
        roles[first.source] = "UE"  # no card in sight: the UE is who speaks first
    return roles


def _draw(bars: Sequence[Span], title: str, width: float) -> Picture:
    height = 1.15 + _ROW * len(bars) + (0.3 if title else 0.0)
    figure = blank(width, height)
    left, bottom = _LABELS / width, 0.5 / height
    tall = _ROW * len(bars) / height
    axes = figure.add_axes((left, bottom, 1 - left - 0.75 / width, tall))
    end = max(bar.start + bar.seconds for bar in bars) * 1e3 or 1.0
    for row, bar in enumerate(bars):
        # A bar of no width would not be seen: it gets at least a hair line.
        wide = max(bar.seconds * 1e3, end / 500)
        axes.barh(row, wide, left=bar.start * 1e3, height=0.72, color=COLOURS[bar.who], linewidth=0)
        axes.text(
            bar.start * 1e3 + wide + end / 120,
            row,
            _millis(bar.seconds),
            va="center",
            fontsize=7.5,
            color=GREY,
        )
    axes.set_xlim(0, end * 1.02)
    axes.set_ylim(len(bars) - 0.5, -0.5)
    axes.set_yticks(
        range(len(bars)), [fitted(figure, bar.label, _LABELS - 0.15, 8) for bar in bars], fontsize=8
    )
    axes.set_xlabel("ms since the first packet", fontsize=9)
    axes.tick_params(axis="x", labelsize=8)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=PALE, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    figure.legend(
        handles=_legend(bars), loc="upper center", ncols=4, fontsize=8.5, frameon=False,
        bbox_to_anchor=(0.5, 1 - (0.3 if title else 0.0) / height),
    )  # fmt: skip
    if title:
        figure.text(0.5, 1 - 0.2 / height, title, ha="center", va="center", fontsize=11, weight="bold")
    return Picture(figure)


def _legend(bars: Sequence[Span]) -> list["Patch"]:
    from matplotlib.patches import Patch

    total = sum(bar.seconds for bar in bars) or 1.0
    sums = {who: sum(bar.seconds for bar in bars if bar.who == who) for who in COLOURS}
    return [
        Patch(color=COLOURS[who], label=f"{who} {_millis(spent)} ({spent / total:.0%})")
        for who, spent in sums.items()
        if any(bar.who == who for bar in bars)
    ]


def _millis(seconds: float) -> str:
    return f"{seconds * 1e3:.2f} ms" if seconds < 0.1 else f"{seconds * 1e3:.0f} ms"
