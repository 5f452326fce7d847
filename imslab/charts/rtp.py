"""A stream of RTP over its time: how late packets were, and which never came; and a player for its sound.

The upper half shows how much later than the earliest each packet came (arrival minus timestamp, as in RFC
3550, A.8), the lower one how many packets arrived in each piece of time, and how many were lost.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from imslab.charts.picture import BLUE, GREY, PALE, VERMILION, Picture, blank, style
from imslab.errors import Malformed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from imslab.capture.streams import RtpStream

MOST = 4_000  # points: more cannot be told apart, and make a large picture
PIECES = 60  # of the time, in which packets are counted


def rtp(stream: "RtpStream", *, title: str = "", width: float = 9.0) -> Picture:
    """Draw delay and losses of a stream. Raises Malformed for fewer than two packets, or an unknown clock."""
    codec = stream.codec
    if len(stream) < 2 or codec is None:
        raise Malformed("a stream to draw needs two packets and a codec that is known")
    with style():
        return _draw(stream, codec.clock_rate, title, width)


def lateness(stream: "RtpStream", clock: int) -> "tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]":
    """Return for each packet the seconds since the first, and how many ms later than the earliest it was."""
    packets = stream.packets
    ticks = np.diff(packets.timestamp, prepend=packets.timestamp[:1])
    said = np.cumsum((ticks + 2**31 & 0xFFFFFFFF) - 2**31) / clock
    arrived = (packets.time - packets.time[0]) / 1e9
    late = (arrived - said) * 1e3
    return arrived, late - late.min()


def losses(stream: "RtpStream", piece: float) -> "tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]":
    """Return, for each ``piece`` of a second, how many packets arrived and how many before them were lost."""
    packets = stream.packets
    number = ((packets.time - packets.time[0]) / (piece * 1e9)).astype(np.int64)
    step = np.diff(packets.seq, prepend=packets.seq[:1] - 1)
    gap = np.maximum((step + 0x8000 & 0xFFFF) - 0x8000 - 1, 0)
    return np.bincount(number), np.bincount(number, gap).astype(np.int64)


def _draw(stream: "RtpStream", clock: int, title: str, width: float) -> Picture:
    height = 3.9 if title else 3.6
    figure = blank(width, height)
    top, bottom = (
        figure.add_axes((0.8 / width, y / height, 1 - 1.0 / width, high / height))
        for y, high in ((1.75, 1.6), (0.5, 1.0))
    )
    seconds, late = lateness(stream, clock)
    some = slice(None, None, max(len(seconds) // MOST, 1))
    top.plot(seconds[some], late[some], ".", color=BLUE, markersize=2.5)
    _axis(top, "ms late")
    piece = max(float(seconds.max()) / PIECES, 0.02)
    arrived, lost = losses(stream, piece)
    middles = (np.arange(len(arrived)) + 0.5) * piece
    look: dict[str, Any] = {"width": piece * 0.9, "linewidth": 0}
    bottom.bar(middles, arrived, color=GREY, label=f"{len(stream)} arrived", **look)
    bottom.bar(middles, lost, bottom=arrived, color=VERMILION, label=f"{stream.lost} lost", **look)
    figure.legend(loc="lower right", ncols=2, fontsize=8.5, frameon=False)
    _axis(bottom, "packets")
    bottom.set_xlabel("s since the first packet", fontsize=9)
    for axes in (top, bottom):
        axes.set_xlim(0, len(arrived) * piece)
    if title:
        figure.text(0.5, 1 - 0.2 / height, title, ha="center", va="center", fontsize=11, weight="bold")
    return Picture(figure)


def _axis(axes: "Axes", label: str) -> None:
    axes.set_ylabel(label, fontsize=9)
    axes.set_ylim(bottom=0)
    axes.tick_params(labelsize=8)
    axes.grid(axis="y", color=PALE, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def player(wav: bytes) -> Any:
    """Return a player for a WAV file (IPython Audio)."""
    from IPython import display

    audio: Any = display.Audio
    return audio(data=wav)
