"""A picture is the same in every run, small, and needs nothing of the reader's settings."""

import io
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import pytest
from PIL import Image

from imslab.capture.views import Arrow
from imslab.charts import Picture, ladder, octets, timing
from imslab.charts.picture import blank, fitted, style
from imslab.errors import Malformed


@pytest.fixture
def pictures(arrows: list[Arrow], names: dict[str, str]) -> list[Picture]:
    return [ladder(arrows, names), timing(arrows, names), octets([("RAND", bytes(16)), ("AMF", b"\x80\0")])]


def test_svg_is_small_and_well_formed(pictures: list[Picture]) -> None:
    for picture in pictures:
        svg = picture.svg()
        ElementTree.fromstring(svg)
        assert len(svg.encode()) < 60_000
        assert "<metadata" not in svg
        assert "<?xml" not in svg


def test_text_stays_text(arrows: list[Arrow], names: dict[str, str]) -> None:
    texts = "".join(ElementTree.fromstring(ladder(arrows, names).svg()).itertext())
    for text in (
        "P-CSCF",
        "REGISTER",
        "401 Unauthorized · AKAv2-MD5",
        "127.0.0.10",
        "DB: RES CK IK (12.4 ms)",
    ):
        assert text in texts


def test_numbers_are_rounded_but_text_is_not() -> None:
    picture = ladder([Arrow(0.0, "a", "b", "v 1.23456789", "SIP")])
    inside, outside = "".join(re.findall(r"<[^>]*>", picture.svg())), re.sub(r"<[^>]*>", "", picture.svg())
    assert not re.search(r"\d\.\d{3,}", inside)
    assert "1.23456789" in outside


def test_png_is_900_wide_and_small(pictures: list[Picture]) -> None:
    widths = [Image.open(io.BytesIO(picture.png())).width for picture in pictures]
    assert widths[:2] == [900, 900]
    assert all(len(picture.png()) < 50_000 for picture in pictures)


def test_every_run_gives_the_same_octets(arrows: list[Arrow], names: dict[str, str]) -> None:
    for draw in (ladder, timing):
        first, second = draw(arrows, names), draw(arrows, names)
        assert first.svg() == second.svg() == first.svg()
        assert first.png() == second.png()


def test_the_readers_settings_do_not_matter(arrows: list[Arrow]) -> None:
    plain = ladder(arrows).svg()
    with mpl.rc_context(
        {"font.size": 30, "axes.facecolor": "black", "svg.fonttype": "path", "text.color": "red"}
    ):
        assert ladder(arrows).svg() == plain
        assert mpl.rcParams["font.size"] == 30


def test_pyplot_is_not_used(arrows: list[Arrow]) -> None:
    sys.modules.pop("matplotlib.pyplot", None)
    ladder(arrows).png()
    assert "matplotlib.pyplot" not in sys.modules


def test_a_notebook_gets_both_forms(pictures: list[Picture]) -> None:
    assert pictures[0]._repr_svg_().startswith("<svg")
    assert pictures[0]._repr_png_().startswith(b"\x89PNG")


def test_save(tmp_path: Path, pictures: list[Picture]) -> None:
    assert pictures[0].save(tmp_path / "a.svg").read_text("utf-8") == pictures[0].svg()
    assert pictures[0].save(str(tmp_path / "a.png")).read_bytes() == pictures[0].png()
    for name in ("a.pdf", "a"):
        with pytest.raises(Malformed, match=r"\.svg or \.png"):
            pictures[0].save(tmp_path / name)


def test_markup_in_a_label_is_text() -> None:
    svg = ladder([Arrow(0.0, "a", "b", "<script>&$x$", "SIP")]).svg()
    assert "<script>" not in svg
    assert "<script>&$x$" in "".join(ElementTree.fromstring(svg).itertext())


HOSTILE = ["a\x00b\r\nc", "\udcff\udc80", "\u200b\u202e", "漢字 \U0001f600", "x" * 100_000, "$\\frac{"]


@pytest.mark.parametrize("label", HOSTILE, ids=range(len(HOSTILE)))
def test_whatever_stands_in_a_capture_can_be_drawn(label: str) -> None:
    arrows = [Arrow(0.0, "a", "b", label, "SIP", label), Arrow(0.1, "b", "a", label, "SIP")]
    for picture in (ladder(arrows, {"a": label}, title=label), timing(arrows, {"b": label})):
        ElementTree.fromstring(picture.svg())
        assert picture.png().startswith(b"\x89PNG")
        assert len(picture.svg()) < 60_000


@pytest.mark.parametrize(("room", "text"), [(5.0, "P-CSCF in Paris"), (0.7, "P-CSCF in…"), (0.0, "…")])
def test_a_text_is_shortened_to_its_room(room: float, text: str) -> None:
    with style():
        assert fitted(blank(1, 1), "P-CSCF in Paris", room, 8) == text


def test_a_picture_is_never_wider_than_its_cell(pictures: list[Picture]) -> None:
    """JupyterLab cuts off what is wider; the proportions stay."""
    shapes = []
    for svg in (pictures[0].svg(), pictures[0]._repr_svg_()):
        root = svg.partition(">")[0]
        shapes.append([float(re.findall(rf' {side}="([\d.]+)pt"', root)[0]) for side in ("width", "height")])
        assert "viewBox" in root
    (width, height), (shown_width, shown_height) = shapes
    assert width * 96 / 72 > 800 >= shown_width * 96 / 72 > 799
    assert shown_width / shown_height == pytest.approx(width / height, rel=1e-3)


def test_a_small_picture_is_shown_as_it_is() -> None:
    picture = octets({"AMF": b"\x80\x00"})
    assert picture._repr_svg_() == picture.svg()
