"""The timeline of an authentication: which message carried which number, equal octets in one colour.

A row is a message, a column a number. The first octets seen in a column have its full colour; others
are hatched, and numbered. RAND, AUTN and AUTS show their first octets; RES, CK and IK only that they are
there.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from imslab.capture.timeline import SECRET, VALUES, Sighting
from imslab.charts.ladder import COLOURS
from imslab.charts.octets import MEANING
from imslab.charts.picture import BLACK, GREY, PALE, Picture, blank, fitted, style
from imslab.errors import Malformed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROW, _HEAD, _FOOT = 0.34, 0.55, 0.32  # inches
_TIME, _FRAME, _WHO, _LABEL = 0.55, 0.98, 2.5, 4.05  # inches: where these columns end
_OF = {"AUTN": "MAC", "AUTS": "SQN"}  # whose colour a value takes that has none of its own
MOST = 120  # messages
_DIGITS = 6  # hex digits that are shown
_WHITE_ON = ("CK", "IK", "RES", "AUTN")


def timeline(
    sightings: Sequence[Sighting],
    names: Mapping[str, str] | None = None,
    *,
    title: str = "",
    width: float = 9.0,
) -> Picture:
    """Draw the messages that carry numbers of an authentication, in the order of time.

    Raises Malformed when there is none, or more than 120.
    """
    if not 1 <= len(sightings) <= MOST:
        raise Malformed(
            f"a timeline needs 1 to {MOST} messages with numbers of AKA, not {len(sightings)}: take a part, "
            "with between() or where()"
        )
    with style():
        return _draw(sightings, names or {}, title, width)


def _draw(sightings: Sequence[Sighting], names: Mapping[str, str], title: str, width: float) -> Picture:
    columns = [name for name in VALUES if any(name in one.values for one in sightings)]
    head = _HEAD + (0.3 if title else 0.0)
    height = head + _ROW * len(sightings) + _FOOT
    figure = blank(width, height)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.axis("off")
    if title:
        axes.text(width / 2, 0.2, title, ha="center", va="center", fontsize=11, weight="bold")
    pitch = (width - _LABEL - 0.1) / len(columns)
    for place, text in ((_TIME, "ms"), (_FRAME, "frame")):
        axes.text(place, head - 0.14, text, ha="right", va="center", fontsize=8, color=GREY)
    for number, name in enumerate(columns):
        x = _LABEL + pitch * (number + 0.5)
        axes.text(x, head - 0.14, name, ha="center", va="center", fontsize=9, weight="bold")
    seen: dict[str, list[bytes]] = {name: [] for name in columns}
    for row, one in enumerate(sightings):
        y = head + _ROW * (row + 0.5)
        _name_row(figure, axes, one, names, y, one.at - sightings[0].at)
        for number, name in enumerate(columns):
            if name in one.values:
                _cell(axes, name, one.values[name], seen[name], _LABEL + pitch * number, pitch, y)
    note = "the same colour, the same octets; hatched: others (2, 3 ...); · · ·: there, and not shown"
    axes.text(width / 2, height - _FOOT / 2, note, ha="center", va="center", fontsize=8, color=GREY)
    return Picture(figure)


def _name_row(
    figure: "Figure", axes: "Axes", one: Sighting, names: Mapping[str, str], y: float, since: float
) -> None:
    axes.plot([0.1, 8.9], [y + _ROW / 2] * 2, color=PALE, linewidth=0.5, zorder=0)
    axes.text(_TIME, y, f"{since * 1e3:.2f}", ha="right", va="center", fontsize=8, color=GREY)
    axes.text(_FRAME, y, f"{one.frame}", ha="right", va="center", fontsize=8, color=GREY)
    way = " → ".join(names.get(node, node) for node in (one.source, one.destination))
    room = _WHO - _FRAME - 0.1
    axes.text(_FRAME + 0.1, y, fitted(figure, way, room, 8), va="center", fontsize=8)
    label = fitted(figure, one.label, _LABEL - _WHO - 0.1, 8)
    axes.text(_WHO + 0.05, y, label, va="center", fontsize=8, color=COLOURS[one.kind])


def _cell(
    axes: "Axes", name: str, octets: bytes, seen: list[bytes], x: float, pitch: float, y: float
) -> None:
    from matplotlib.patches import Rectangle

    if octets not in seen:
        seen.append(octets)
    which = seen.index(octets)
    colour = MEANING[_OF.get(name, name)]
    look = {"facecolor": colour, "edgecolor": "white", "linewidth": 1.0}
    if which:
        look |= {"facecolor": "white", "edgecolor": colour, "hatch": "////"}
    box = Rectangle((x + 0.03, y - _ROW * 0.38), pitch - 0.06, _ROW * 0.76, **look)  # type: ignore[arg-type]
    axes.add_patch(box)
    text = "· · ·" if name in SECRET else octets.hex()[:_DIGITS] + "…"
    text += f"  ({which + 1})" if which else ""
    ground = {"facecolor": "white", "edgecolor": "none", "pad": 0.8} if which else None
    ink = "white" if name in _WHITE_ON and not which else BLACK
    axes.text(x + pitch / 2, y, text, ha="center", va="center", fontsize=7.5, color=ink, bbox=ground)
