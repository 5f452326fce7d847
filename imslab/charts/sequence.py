"""What a USIM remembers of sequence numbers, and how it judges new ones: SEQ over IND.

Spec: 3GPP TS 33.102, annex C.2.
"""

from typing import TYPE_CHECKING

from imslab.aka import Freshness, SqnArray
from imslab.aka.sqn import split_sqn
from imslab.charts.picture import BLUE, GREEN, GREY, PALE, VERMILION, Picture, blank, style
from imslab.errors import Malformed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_IND = 64  # columns


def sqn_array(array: SqnArray, *sqns: bytes, title: str = "", width: float = 9.0) -> Picture:
    """Draw SEQ_MS of each IND as a bar, and each of ``sqns`` (6 octets) as the mark that the card gives it.

    A triangle is accepted; a cross is refused, with the reason. Lines show the highest SEQ_MS and, where they
    fall into the picture, the limits delta and L. Raises Malformed when IND has more than 6 bits.
    """
    if 1 << array.ind_length > MOST_IND:
        raise Malformed(f"an array of {1 << array.ind_length} is too wide to draw", expected=f"{MOST_IND}")
    with style():
        return _draw(array, sqns, title, width)


def _draw(array: SqnArray, sqns: tuple[bytes, ...], title: str, width: float) -> Picture:
    figure = blank(width, 3.1 if title else 2.8)
    high = figure.get_figheight()
    above = 1.25 if title else 0.95
    axes = figure.add_axes((0.75 / width, 0.72 / high, 1 - 0.95 / width, 1 - above / high))
    indices = range(1 << array.ind_length)
    axes.bar(indices, [array.seq_ms.get(ind, 0) for ind in indices], width=0.8, color=BLUE, alpha=0.75)
    seqs = [split_sqn(sqn, array.ind_length)[0] for sqn in sqns]
    top = max([*array.seq_ms.values(), *seqs, 1])
    axes.set_xlim(-0.7, len(indices) - 0.3)
    axes.set_ylim(0, top * 1.22)
    _limits(axes, array, top * 1.22)
    for sqn in sqns:
        _mark(axes, array, sqn)
    _scale(axes, len(indices))
    _legend(figure, array, sqns)
    if title:
        figure.text(0.5, 1 - 0.2 / high, title, ha="center", va="center", fontsize=11, weight="bold")
    return Picture(figure)


def _limits(axes: "Axes", array: SqnArray, top: float) -> None:
    highest, _ = split_sqn(array.highest, array.ind_length)
    lines = {"highest SEQ_MS": highest}
    if array.delta is not None:
        lines["SEQ_MS + delta"] = highest + array.delta
    if array.age_limit is not None:
        lines["SEQ_MS - L"] = highest - array.age_limit
    for text, seq in lines.items():
        if 0 < seq < top:
            axes.axhline(seq, color=GREY, linewidth=1, linestyle="--", zorder=1)
            axes.annotate(
                text, (1, seq), (-3, 2), xycoords=("axes fraction", "data"), textcoords="offset points",
                ha="right", fontsize=7.5, color=GREY,
            )  # fmt: skip


def _mark(axes: "Axes", array: SqnArray, sqn: bytes) -> None:
    seq, ind = split_sqn(sqn, array.ind_length)
    verdict = array.check(sqn)
    good = verdict is Freshness.ACCEPT
    colour = GREEN if good else VERMILION
    axes.plot([ind], [seq], marker="^" if good else "X", markersize=9, color=colour, zorder=3, clip_on=False)
    axes.annotate(
        str(verdict), (ind, seq), (7, 0), textcoords="offset points", va="center", fontsize=8, color=colour,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5}, zorder=2,
    )  # fmt: skip


def _scale(axes: "Axes", columns: int) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xticks(range(0, columns, 1 if columns <= 32 else 4))
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_xlabel("IND (the last bits of SQN)", fontsize=9)
    axes.set_ylabel("SEQ", fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(axis="y", color=PALE, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _legend(figure: "Figure", array: SqnArray, sqns: tuple[bytes, ...]) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Patch | Line2D] = [
        Patch(color=BLUE, alpha=0.75, label="SEQ_MS(IND): what the card remembers")
    ]
    verdicts = {array.check(sqn) is Freshness.ACCEPT for sqn in sqns}
    marks = ((True, "^", GREEN, "fresh"), (False, "X", VERMILION, "refused: AUTS"))
    for _, marker, colour, text in (mark for mark in marks if mark[0] in verdicts):
        handles.append(Line2D([], [], linestyle="", marker=marker, markersize=8, color=colour, label=text))
    figure.legend(handles=handles, loc="lower center", ncols=3, fontsize=8.5, frameon=False)
