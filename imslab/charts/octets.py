"""Octets in a strip, each cell coloured by what it means: a nonce, an AUTN, an APDU."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from imslab.charts.picture import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PALE,
    PURPLE,
    SKY,
    VERMILION,
    YELLOW,
    Picture,
    blank,
    style,
)
from imslab.errors import Malformed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Tints, for what stands beside a meaning of the same family: MAC-S, AK*, P1 and P2, an operator's value.
_PALE_GREEN, _MID_GREY, _PINK, _PALE_PINK, _MIST = "#80ceb9", "#a6a6a6", "#e6b8d2", "#f0d3e3", "#ededed"
# The same meaning has the same colour in every chart; what is not named here takes the next free one.
MEANING = {
    "RAND": SKY, "SQN": ORANGE, "SQN xor AK": ORANGE, "SQN_MS xor AK*": ORANGE, "AMF": YELLOW,
    "MAC": GREEN, "MAC-A": GREEN, "MAC-S": _PALE_GREEN, "AK": GREY, "AK*": _MID_GREY,
    "Ks": BLUE, "Ks_NAF": GREEN, "Ks_ext_NAF": GREEN, "Ks_int_NAF": BLACK, "NAF_Id": ORANGE, "IMPI": YELLOW,
    "RES": VERMILION, "XRES": VERMILION, "CK": BLUE, "IK": PURPLE,
    "K": BLACK, "OP": _PINK, "OPc": _PINK, "TOP": _PINK, "TOPc": _PINK,
    "CLA": PURPLE, "INS": BLUE, "P1": _PINK, "P2": _PALE_PINK, "Lc": PALE, "Le": _MID_GREY,
    "data": SKY, "SW1 SW2": VERMILION, "tag": BLUE, "length": PALE, "value": SKY,
    "server data": PALE, "unused": PALE, "filling": _MIST, "padding": _MIST,
}  # fmt: skip
_FREE = (SKY, ORANGE, GREEN, YELLOW, PURPLE, VERMILION, BLUE, PALE)
_DARK = {BLACK, BLUE, VERMILION, GREEN, GREY}  # white digits on these
_CONTROLS = {0x0D: r"\r", 0x0A: r"\n", 0x20: "\u00b7"}
MOST = 1024
_CELL = 0.42  # inches, of a cell's side at 16 cells a row
_LABEL, _LEFT = 0.075, 0.55  # inches


def octets(
    parts: Mapping[str, bytes] | Sequence[tuple[str, bytes]],
    *,
    title: str = "",
    per_row: int = 16,
    labels: Sequence[str] = (),
    text: bool | str = False,
) -> Picture:
    """Draw the octets of ``parts`` one after the other, ``per_row`` in a row, with a legend.

    A part is ``(meaning, octets)``; the number at the left of a row is the offset of its first octet, or
    ``labels`` say what each row is. ``text`` shows letters as letters, CR and LF as \\r and \\n, and a
    space as a dot: in all parts (True), or in those with one meaning. Raises Malformed when there is no
    octet, or more than 1024, or ``per_row`` is not 4 to 32.
    """
    strip = [(name, bytes(value)) for name, value in _pairs(parts)]
    count = sum(len(value) for _, value in strip)
    if not 1 <= count <= MOST:
        raise Malformed(f"a strip shows 1 to {MOST} octets, not {count}")
    if not 4 <= per_row <= 32:
        raise Malformed(f"a row holds 4 to 32 octets, not {per_row}")
    with style():
        return _draw(strip, title, per_row, labels, text)


def _hex(octet: int) -> str:
    return f"{octet:02x}"


def _letter(octet: int) -> str:
    if octet in _CONTROLS:
        return _CONTROLS[octet]
    return chr(octet) if 0x21 <= octet < 0x7F else _hex(octet)


def _pairs(parts: Mapping[str, bytes] | Sequence[tuple[str, bytes]]) -> Sequence[tuple[str, bytes]]:
    return list(parts.items()) if isinstance(parts, Mapping) else parts


def colours(names: Sequence[str]) -> dict[str, str]:
    """Return a colour for each meaning, the same one for the same name wherever that is possible."""
    chosen = {name: MEANING[name] for name in names if name in MEANING}
    free = [colour for colour in _FREE if colour not in chosen.values()] or list(_FREE)
    for name in names:
        if name not in chosen:
            chosen[name] = free[(len(chosen)) % len(free)]
            free = [colour for colour in free if colour != chosen[name]] or list(_FREE)
    return chosen


def _draw(
    strip: Sequence[tuple[str, bytes]],
    title: str,
    per_row: int,
    labels: Sequence[str],
    text: bool | str,
) -> Picture:
    cells = [(name, octet) for name, value in strip for octet in value]
    side = min(_CELL, (9.0 - _LEFT - 0.2) / per_row)
    rows = -(-len(cells) // per_row)
    top = 0.45 if title else 0.15
    width = _LEFT + side * min(per_row, max(len(cells), 8)) + 0.2
    legend = _legend_rows(strip, width)
    figure = blank(width, top + rows * side + 0.2 + 0.28 * len(legend))
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(0, width)
    axes.set_ylim(figure.get_figheight(), 0)
    axes.axis("off")
    if title:
        axes.text(_LEFT, 0.2, title, va="center", fontsize=11, weight="bold")
    chosen = colours([name for name, _ in strip])
    for at, (name, octet) in enumerate(cells):
        row, column = divmod(at, per_row)
        written = (_letter if text in (True, name) else _hex)(octet)
        _cell(axes, _LEFT + column * side, top + row * side, side, written, chosen[name])
        if column == 0:
            axes.text(
                _LEFT - 0.1,
                top + (row + 0.5) * side,
                labels[row] if row < len(labels) else f"{at}",
                ha="right",
                va="center",
                fontsize=8,
                color=GREY,
            )
    _legend(axes, legend, chosen, y=top + rows * side + 0.24)
    return Picture(figure)


def _cell(axes: "Axes", x: float, y: float, side: float, text: str, colour: str) -> None:
    from matplotlib.patches import Rectangle

    square = Rectangle((x, y), side, side, facecolor=colour, edgecolor="white", linewidth=1.5)
    axes.add_patch(square)
    square.set_clip_on(False)  # nothing to clip: saves a reference in each cell
    ink = "white" if colour in _DARK else BLACK
    axes.text(
        x + side / 2, y + side / 2, text, ha="center", va="center", fontsize=24 * side, color=ink,
        family=["DejaVu Sans Mono"],
    )  # fmt: skip


def _legend_rows(strip: Sequence[tuple[str, bytes]], width: float) -> list[list[tuple[str, str, float]]]:
    """Return rows of (meaning, text, x): as many entries in a row as the width holds."""
    lengths: dict[str, int] = {}
    for name, value in strip:
        lengths[name] = lengths.get(name, 0) + len(value)
    rows: list[list[tuple[str, str, float]]] = [[]]
    x = _LEFT
    for name, count in lengths.items():
        text = f"{name} ({count})"
        needed = 0.45 + len(text) * _LABEL
        if rows[-1] and x + needed > width:
            rows.append([])
            x = _LEFT
        rows[-1].append((name, text, x))
        x += needed
    return rows


def _legend(
    axes: "Axes", rows: Sequence[Sequence[tuple[str, str, float]]], chosen: Mapping[str, str], *, y: float
) -> None:
    from matplotlib.patches import Rectangle

    for number, row in enumerate(rows):
        for name, text, x in row:
            middle = y + 0.28 * number
            axes.add_patch(
                Rectangle((x, middle - 0.08), 0.16, 0.16, facecolor=chosen[name], edgecolor="none")
            )
            axes.text(x + 0.24, middle, text, va="center", fontsize=8.5)
