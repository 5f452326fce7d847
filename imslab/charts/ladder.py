"""The ladder: who sent what to whom, from top to bottom, with the time at the left.

Rows are equally high, whatever the time between them: at a login a millisecond may hold ten
arrows and the next second none. A row carries its time in milliseconds since the first arrow
and the number of its frame, so that the same packet is found in Wireshark.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from imslab.capture.views import APDU, CX, SIP, Arrow
from imslab.charts.picture import BLUE, GREEN, GREY, PALE, VERMILION, Picture, blank, style
from imslab.errors import Malformed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {APDU: VERMILION, SIP: BLUE, CX: GREEN}
MEANING = {APDU: "APDU (card)", SIP: "SIP", CX: "Diameter Cx (HSS)"}
MOST = 400  # arrows in one ladder: more cannot be read, nor drawn in a second
_ROW, _HEAD, _FOOT, _LEFT = 0.36, 0.62, 0.34, 1.25  # inches
_LETTER = 0.074  # inches, the mean width of a letter in 9 point DejaVu Sans


def ladder(
    arrows: Iterable[Arrow],
    names: Mapping[str, str] | None = None,
    *,
    title: str = "",
    width: float = 9.0,
    columns: Sequence[str] | None = None,
) -> Picture:
    """Draw ``arrows`` between the columns of their nodes.

    ``names``    what a node is called, for each address that an arrow names
    ``columns``  the nodes from left to right; else as they appear, a card to the left of its terminal

    Raises Malformed when there is no arrow, more than 400, or one of an unknown kind.
    """
    rows = sorted(arrows, key=lambda arrow: arrow.at)
    _check(rows)
    nodes = list(columns) if columns else node_order(rows)
    nodes += [node for node in node_order(rows) if node not in nodes]
    with style():
        return _draw(rows, nodes, names or {}, title, width)


def node_order(arrows: Sequence[Arrow]) -> list[str]:
    """Return the nodes in the order of their first arrow; who speaks only APDUs stands left of its peer."""
    nodes = list(dict.fromkeys(node for arrow in arrows for node in (arrow.source, arrow.destination)))
    others = {node for arrow in arrows if arrow.kind != APDU for node in (arrow.source, arrow.destination)}
    peers = {arrow.destination: arrow.source for arrow in reversed(arrows) if arrow.kind == APDU}
    for card in [node for node in nodes if node not in others and peers.get(node) in others]:
        nodes.remove(card)
        nodes.insert(nodes.index(peers[card]), card)
    return nodes


def _check(rows: Sequence[Arrow]) -> None:
    if not rows:
        raise Malformed("there is nothing to draw", expected="at least one arrow")
    if len(rows) > MOST:
        raise Malformed(
            f"{len(rows)} arrows are too many for one ladder; take a part, with between() or where()"
        )
    unknown = {arrow.kind for arrow in rows} - set(COLOURS)
    if unknown:
        raise Malformed(f"unknown kind of arrow {sorted(unknown)[0]!r}", expected=" or ".join(COLOURS))


def _draw(
    rows: Sequence[Arrow], nodes: Sequence[str], names: Mapping[str, str], title: str, width: float
) -> Picture:
    head = _HEAD + (0.3 if title else 0.0)
    height = head + _ROW * len(rows) + _FOOT
    figure = blank(width, height)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)  # inches from the top: a row is found by its number
    axes.axis("off")
    pitch = (width - _LEFT) / len(nodes)
    place = {node: _LEFT + (i + 0.5) * pitch for i, node in enumerate(nodes)}
    if title:
        axes.text(width / 2, 0.2, title, ha="center", va="center", fontsize=11, weight="bold")
    _lifelines(axes, place, names, top=head, bottom=height - _FOOT, pitch=pitch)
    for number, arrow in enumerate(rows):
        _arrow(axes, arrow, rows[0].at, place, y=head + _ROW * (number + 0.72), pitch=pitch)
    _legend(axes, rows, y=height - _FOOT / 2)
    return Picture(figure)


def _lifelines(
    axes: "Axes",
    place: Mapping[str, float],
    names: Mapping[str, str],
    *,
    top: float,
    bottom: float,
    pitch: float,
) -> None:
    axes.text(0.62, top - 0.2, "ms", ha="right", va="center", fontsize=8, color=GREY)
    axes.text(1.12, top - 0.2, "frame", ha="right", va="center", fontsize=8, color=GREY)
    for node, x in place.items():
        axes.plot([x, x], [top - 0.02, bottom], color=PALE, linewidth=1.2, zorder=1)
        name = names.get(node, node)
        axes.text(
            x,
            top - 0.38,
            shortened(name, pitch / 0.085),
            ha="center",
            va="center",
            fontsize=10,
            weight="bold",
        )
        if name != node:
            address = shortened(node, pitch / 0.062)
            axes.text(x, top - 0.18, address, ha="center", va="center", fontsize=7, color=GREY)


def _arrow(
    axes: "Axes", arrow: Arrow, start: float, place: Mapping[str, float], *, y: float, pitch: float
) -> None:
    colour = COLOURS[arrow.kind]
    x0, x1 = place[arrow.source], place[arrow.destination]
    axes.text(0.62, y, f"{(arrow.at - start) * 1e3:.2f}", ha="right", va="center", fontsize=8, color=GREY)
    if arrow.frame is not None:
        axes.text(1.12, y, f"{arrow.frame}", ha="right", va="center", fontsize=8, color=GREY)
    if x0 == x1:  # a node that speaks to itself: a dot, with the label beside it
        axes.plot([x0], [y], marker="o", markersize=4, color=colour, zorder=3)
    else:
        head = {"arrowstyle": "-|>,head_width=0.18,head_length=0.4", "color": colour, "linewidth": 1.3}
        axes.annotate("", (x1, y), (x0, y), arrowprops={**head, "shrinkA": 0, "shrinkB": 0}, zorder=3)
    middle = (x0 + x1) / 2
    span = 2 * min(middle - _LEFT, max(place.values()) + pitch / 2 - middle)  # nothing else is in this row
    ground = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
    text = shortened(_label(arrow), span / _LETTER)
    axes.text(
        middle, y - 0.1, text, ha="center", va="center", fontsize=8.5, color=colour, bbox=ground, zorder=2
    )
    if arrow.detail:
        detail = shortened(arrow.detail, span / _LETTER * 1.3)
        axes.text(
            middle,
            y + 0.08,
            detail,
            ha="center",
            va="center",
            fontsize=6.5,
            color=GREY,
            bbox=ground,
            zorder=2,
        )


def _label(arrow: Arrow) -> str:
    return arrow.label if arrow.seconds is None else f"{arrow.label} ({arrow.seconds * 1e3:.1f} ms)"


def _legend(axes: "Axes", rows: Sequence[Arrow], *, y: float) -> None:
    x = _LEFT
    for kind in (kind for kind in COLOURS if any(arrow.kind == kind for arrow in rows)):
        axes.plot([x, x + 0.3], [y, y], color=COLOURS[kind], linewidth=2)
        axes.text(x + 0.38, y, MEANING[kind], va="center", fontsize=8, color=GREY)
        x += 0.8 + len(MEANING[kind]) * _LETTER


def shortened(text: str, most: float) -> str:
    """Return ``text``, or as much of it as ``most`` letters hold, with an ellipsis."""
    most = max(int(most), 4)
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
