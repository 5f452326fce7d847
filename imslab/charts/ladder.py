"""The ladder: who sent what to whom, from top to bottom, with the time at the left.

Rows are equally high, whatever the time between them: at a login a millisecond may hold ten
arrows and the next second none. A row carries its time in milliseconds since the first arrow
and the number of its frame, so that the same packet is found in Wireshark.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from imslab.capture.views import APDU, CX, DTLS, HTTP, RTP, SIP, STUN, Arrow
from imslab.charts.picture import BLACK, BLUE, GREEN, GREY, PALE, VERMILION, Picture, blank, fitted, style
from imslab.errors import Malformed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's purple and orange, darker: letters in them must be read.
_PLUM, _OCHRE = "#94487a", "#8f6200"
COLOURS = {APDU: VERMILION, SIP: BLUE, CX: GREEN, HTTP: _PLUM, STUN: GREY, DTLS: _OCHRE, RTP: BLACK}
MEANING = {
    APDU: "APDU (card)", SIP: "SIP", CX: "Diameter Cx (HSS)", HTTP: "HTTP", STUN: "STUN", DTLS: "DTLS",
    RTP: "RTP, RTCP",
}  # fmt: skip
MOST = 400  # arrows in one ladder: more cannot be read, nor drawn in a second
_ROW, _HEAD, _FOOT, _LEFT = 0.36, 0.62, 0.34, 1.25  # inches
_TIME, _FRAME = 0.62, 1.12  # inches: where these two columns end
_LETTER = 0.074  # inches, the mean width of a letter in the legend


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
        _text(axes, width / 2, 0.2, title, width - 0.2, 11, weight="bold")
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
    _number(axes, _TIME, top - 0.2, "ms")
    _number(axes, _FRAME, top - 0.2, "frame")
    for node, x in place.items():
        axes.plot([x, x], [top - 0.02, bottom], color=PALE, linewidth=1.2, zorder=1)
        name = names.get(node, node)
        _text(axes, x, top - 0.38, name, pitch - 0.1, 10, weight="bold")
        if name != node:
            _text(axes, x, top - 0.18, node, pitch - 0.1, 7, color=GREY)


def _arrow(
    axes: "Axes", arrow: Arrow, start: float, place: Mapping[str, float], *, y: float, pitch: float
) -> None:
    colour = COLOURS[arrow.kind]
    x0, x1 = place[arrow.source], place[arrow.destination]
    _number(axes, _TIME, y, _millis(arrow.at - start))
    if arrow.frame is not None:
        _number(axes, _FRAME, y, f"{arrow.frame}")
    if x0 == x1:  # a node that speaks to itself
        axes.plot([x0], [y], marker="o", markersize=4, color=colour, zorder=3)
    else:
        head = {"arrowstyle": "-|>,head_width=0.18,head_length=0.4", "color": colour, "linewidth": 1.3}
        axes.annotate("", (x1, y), (x0, y), arrowprops={**head, "shrinkA": 0, "shrinkB": 0}, zorder=3)
    middle = (x0 + x1) / 2
    right = max(place.values()) + pitch / 2
    room = 2 * min(middle - _LEFT, right - middle) - 0.05  # nothing else is in this row
    ground = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
    _text(axes, middle, y - 0.1, _label(arrow), room, 8.5, color=colour, bbox=ground, zorder=2)
    if arrow.detail:
        _text(axes, middle, y + 0.08, arrow.detail, room, 6.5, color=GREY, bbox=ground, zorder=2)


def _text(axes: "Axes", x: float, y: float, text: str, room: float, size: float, **look: Any) -> None:
    """Write ``text`` around a place, shortened to ``room`` inches."""
    shown = fitted(cast("Figure", axes.figure), text, room, size, look.get("weight", "normal"))
    axes.text(x, y, shown, ha="center", va="center", fontsize=size, **look)


def _number(axes: "Axes", x: float, y: float, text: str) -> None:
    axes.text(x, y, text, ha="right", va="center", fontsize=8, color=GREY)


def _millis(seconds: float) -> str:
    millis = seconds * 1e3
    return f"{millis:.2f}" if millis < 1e5 else f"{millis:.0f}" if millis < 1e8 else f"{millis:.1e}"


def _label(arrow: Arrow) -> str:
    return arrow.label if arrow.seconds is None else f"{arrow.label} ({arrow.seconds * 1e3:.1f} ms)"


def _legend(axes: "Axes", rows: Sequence[Arrow], *, y: float) -> None:
    x = _LEFT
    for kind in (kind for kind in COLOURS if any(arrow.kind == kind for arrow in rows)):
        axes.plot([x, x + 0.3], [y, y], color=COLOURS[kind], linewidth=2)
        axes.text(x + 0.38, y, MEANING[kind], va="center", fontsize=8, color=GREY)
        x += 0.8 + len(MEANING[kind]) * _LETTER
