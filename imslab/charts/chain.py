"""A chain of nodes: who stands beside whom, what they speak, and which two share a secret."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from imslab.charts.ladder import COLOURS
from imslab.charts.picture import BLACK, GREY, PALE, YELLOW, Picture, blank, style
from imslab.errors import Malformed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BOX, _TALL, _TOP = 1.12, 0.78, 0.3  # inches


def chain(
    nodes: Sequence[tuple[str, str]],
    links: Sequence[tuple[str, str]],
    *,
    shared: tuple[str, str, str] | None = None,
    also: Collection[str] = (),
    title: str = "",
    width: float = 9.0,
) -> Picture:
    """Draw ``nodes`` from left to right as boxes, with what neighbours say to each other.

    ``nodes``   (name, what it is in a few words; a new line is kept)
    ``links``   (kind, label) between each node and the next; the kinds are those of a ladder: APDU, SIP, Cx
    ``shared``  (name, name, text): these two know what the text says; a bracket joins them
    ``also``    who knows it as well

    Raises Malformed when there are not 2 to 7 nodes, when the links do not fit between them, when a kind is
    unknown, or when ``shared`` or ``also`` names a node that is not there.
    """
    names = [name for name, _ in nodes]
    if not 2 <= len(nodes) <= 7 or len(links) != len(nodes) - 1:
        raise Malformed("a chain has 2 to 7 nodes, and a link between each and the next")
    if unknown := {kind for kind, _ in links} - set(COLOURS):
        raise Malformed(f"unknown kind of link {sorted(unknown)[0]!r}", expected=" or ".join(COLOURS))
    if shared is not None and not {*shared[:2]} <= {*names}:
        raise Malformed(f"{shared[0]!r} and {shared[1]!r} are not both in the chain")
    if absent := [name for name in also if name not in names]:
        raise Malformed(f"{absent[0]!r} is not in the chain")
    with style():
        return _draw(nodes, links, shared, {*also, *(shared or ())[:2]}, title, width)


def _draw(
    nodes: Sequence[tuple[str, str]],
    links: Sequence[tuple[str, str]],
    shared: tuple[str, str, str] | None,
    knowing: set[str],
    title: str,
    width: float,
) -> Picture:
    top = _TOP + (0.3 if title else 0.0)
    figure = blank(width, top + _TALL + (0.75 if shared else 0.2))
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(0, width)
    axes.set_ylim(figure.get_figheight(), 0)
    axes.axis("off")
    if title:
        axes.text(width / 2, 0.2, title, ha="center", va="center", fontsize=11, weight="bold")
    pitch = (width - 0.2 - _BOX) / (len(nodes) - 1)
    left = {name: 0.1 + pitch * number for number, (name, _) in enumerate(nodes)}
    for name, note in nodes:
        _box(axes, left[name], top, name, note, knows=name in knowing)
    for (name, _), (kind, label) in zip(nodes, links, strict=False):
        _link(axes, left[name] + _BOX, left[name] + pitch, top + _TALL / 2, COLOURS[kind], label)
    if shared is not None:
        ends = left[shared[0]] + _BOX / 2, left[shared[1]] + _BOX / 2
        _bracket(axes, ends, top + _TALL, shared[2])
    return Picture(figure)


def _box(axes: "Axes", x: float, y: float, name: str, note: str, *, knows: bool) -> None:
    from matplotlib.patches import FancyBboxPatch

    shape = FancyBboxPatch(
        (x + 0.06, y + 0.06), _BOX - 0.12, _TALL - 0.12, boxstyle="round,pad=0.06",
        facecolor=YELLOW if knows else "white", edgecolor=GREY if knows else PALE, linewidth=1.3,
    )  # fmt: skip
    axes.add_patch(shape)
    middle = x + _BOX / 2
    axes.text(middle, y + 0.21, name, ha="center", va="center", fontsize=10, weight="bold", color=BLACK)
    axes.text(middle, y + 0.52, note, ha="center", va="center", fontsize=7.5, color=BLACK, linespacing=1.2)


def _link(axes: "Axes", x0: float, x1: float, y: float, colour: str, label: str) -> None:
    arrow = {"arrowstyle": "<|-|>,head_width=0.16,head_length=0.35", "color": colour, "linewidth": 1.5}
    axes.annotate("", (x1, y), (x0, y), arrowprops={**arrow, "shrinkA": 1, "shrinkB": 1})
    axes.text(
        (x0 + x1) / 2, y - 0.08, label, ha="center", va="bottom", fontsize=7.5, color=colour, linespacing=1.1
    )


def _bracket(axes: "Axes", ends: tuple[float, float], y: float, text: str) -> None:
    (x0, x1), low = ends, y + 0.22
    axes.plot([x0, x0, x1, x1], [y + 0.05, low, low, y + 0.05], color=GREY, linewidth=1.2, linestyle="--")
    axes.text((x0 + x1) / 2, low + 0.2, text, ha="center", va="center", fontsize=9, color=BLACK)
