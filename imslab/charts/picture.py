"""A finished chart: shown by a notebook, saved as SVG or PNG, the same octets in every run.

No pyplot: there is no global figure to leak from one cell into the next. Colours are those of
Okabe and Ito (2008), which people with any colour vision can tell apart; the ground is white,
so that a chart reads alike in a light and in a dark notebook.
"""

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imslab.errors import Malformed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLACK, GREY, PALE = "#000000", "#595959", "#d0d0d0"
BLUE, SKY, GREEN = "#0072B2", "#56B4E9", "#009E73"
VERMILION, ORANGE, YELLOW, PURPLE = "#D55E00", "#E69F00", "#F0E442", "#CC79A7"

_PALETTE = 48  # colours in a PNG: a handful, and the shades at the edges of letters
_LONGEST = 300  # letters of a label that are looked at
DOTS_PER_INCH = 100  # a figure of 9 inches is then as wide as a notebook's output area
_STYLE: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],
    "text.parse_math": False,  # a "$" in a URI is a "$"
    "svg.fonttype": "none",  # text stays text: small, searchable, selectable
    "svg.hashsalt": "imslab",  # ids are then the same in every run
    "path.simplify": True,
}
_CELL_WIDTH = 800  # pixels: what a cell's output has on a screen of 1250, with the file browser open
_POINTS = re.compile(r' (width|height)="([\d.]+)pt"')
_TAG = re.compile(r"<[^>]*>")
_LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_NO_TURN = re.compile(r' transform="rotate\(-?0 [^"]*\)"')
_LONE = re.compile(r'<g id="(?:patch|text)_\d+">(<path [^>]*/>|<text [^>]*>[^<]*</text>)</g>')
_BETWEEN = re.compile(r">\s+<")
_NOISE = re.compile(r"\s*<metadata>.*?</metadata>|<!--.*?-->\s*|<\?xml.*?\?>\s*|<!DOCTYPE.*?>\s*", re.DOTALL)


class Picture:
    """A chart that is drawn. In a notebook it shows itself."""

    def __init__(self, figure: "Figure") -> None:
        self.figure = figure

    def svg(self) -> str:
        """Return the chart as SVG with its text as text and its numbers rounded to 1/100 point."""
        file = io.BytesIO()
        with style():
            self.figure.savefig(file, format="svg", facecolor="white", metadata={"Date": None})
        return _slim(file.getvalue().decode("utf-8"))

    def png(self) -> bytes:
        """Return the chart as PNG, 100 dots an inch."""
        file = io.BytesIO()
        with style():
            self.figure.savefig(
                file, format="png", facecolor="white", dpi=DOTS_PER_INCH, metadata={"Software": None}
            )
        return _few_colours(file.getvalue())

    def save(self, path: str | PathLike[str]) -> Path:
        """Write the chart to ``path``, which ends in .svg or .png (else Malformed); return the path."""
        target = Path(path)
        if target.suffix not in (".svg", ".png"):
            raise Malformed(f"a picture is saved as .svg or .png, not {target.suffix or 'without an ending'}")
        target.write_bytes(self.svg().encode("utf-8") if target.suffix == ".svg" else self.png())
        return target

    # Both are stored in a notebook: JupyterLab shows no SVG in a notebook that it does not trust
    # yet (a fresh clone), and takes the PNG then.
    def _repr_svg_(self) -> str:
        return _no_wider(self.svg())

    def _repr_png_(self) -> bytes:
        return self.png()


@contextmanager
def style() -> Iterator[None]:
    """Draw and save within this, so that the reader's own matplotlib settings do not matter."""
    import matplotlib as mpl

    with mpl.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph", UserWarning)  # a box stands for a letter no font has
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield


def blank(width: float, height: float) -> "Figure":
    """Return an empty figure of ``width`` by ``height`` inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DOTS_PER_INCH)
    FigureCanvasAgg(figure)
    return figure


def fitted(figure: "Figure", text: str, room: float, size: float, weight: str = "normal") -> str:
    """Return ``text``, or as much of it as ``room`` inches hold, with an ellipsis.

    What cannot be shown (control characters, octets that are no text) is shown as a dot.
    """
    from matplotlib.font_manager import FontProperties

    text = "".join(letter if letter.isprintable() else "·" for letter in text[:_LONGEST])
    font = FontProperties(family="DejaVu Sans", size=size, weight=weight)
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]  # only Agg has one

    def inches(letters: str) -> float:
        return float(renderer.get_text_width_height_descent(letters, font, ismath=False)[0]) / figure.dpi

    if inches(text) <= room:
        return text
    low, high = 0, len(text) - 1
    while low < high:  # the longest beginning that leaves room for the ellipsis
        middle = (low + high + 1) // 2
        low, high = (middle, high) if inches(text[:middle] + "…") <= room else (low, middle - 1)
    return text[:low].rstrip() + "…"


def _no_wider(svg: str) -> str:
    """Return the picture at most 800 pixels wide: JupyterLab cuts a wider SVG off, it does not shrink it."""
    root, rest = svg.split(">", 1)
    widths = [float(points) * 96 / 72 for points in re.findall(r' width="([\d.]+)pt"', root)]
    if not widths or widths[0] <= _CELL_WIDTH:
        return svg
    scale = _CELL_WIDTH / widths[0]
    root = _POINTS.sub(lambda m: f' {m[1]}="{float(m[2]) * scale:.2f}pt"', root)
    return f"{root}>{rest}"


def _slim(svg: str) -> str:
    """Drop what says nothing (metadata, groups of one) and round the coordinates; text is left alone.

    Half the octets of a strip of octets go: a notebook stores many of them.
    """
    svg = _TAG.sub(lambda tag: _LONG_NUMBER.sub(_rounded, " ".join(tag.group().split())), _NOISE.sub("", svg))
    return _LONE.sub(r"\1", _BETWEEN.sub("><", _NO_TURN.sub("", svg)))


def _few_colours(png: bytes) -> bytes:
    """Return the picture with a palette of 48 colours, which a notebook stores in fewer octets."""
    from PIL import Image

    file = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(_PALETTE).save(file, "PNG", optimize=True)
    return file.getvalue()


def _rounded(number: re.Match[str]) -> str:
    return f"{float(number.group()):.2f}".rstrip("0").rstrip(".") or "0"
