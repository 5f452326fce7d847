"""The files of the page, as a reader and a reviewer see them; what they do is tested in tests/browser."""

import re
from pathlib import Path

import pytest

from imslab.charts.octets import MEANING
from imslab.web.pages import CLIENT

MODULES = sorted(CLIENT.glob("*.js"))
ALL = sorted(path for path in CLIENT.iterdir() if path.is_file())


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_a_module_can_be_read_in_a_lesson(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    assert len(lines) <= 350
    assert lines[0].startswith("// "), "say what it is, and where that is specified"

    assert max(map(len, lines)) <= 120
    assert all(line == line.rstrip() and "\t" not in line for line in lines)


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_no_file_names_another_server(path: Path) -> None:
    text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
    assert re.findall(r"(?:https?:)?//[a-z0-9-]+\.[a-z]", text) == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_no_text_of_others_is_taken_for_markup(path: Path) -> None:
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", path.read_text("utf-8")
    )


def test_octets_have_the_colours_of_the_charts() -> None:
    style = (CLIENT / "style.css").read_text("utf-8")
    shown = dict(re.findall(r'\[data-meaning="([^"]+)"\] \{ --tint: (#\w+);', style))
    assert shown.keys() == {"RAND", "SQN xor AK", "SQN_MS xor AK*", "AMF", "MAC", "MAC-S", "RES"}
    assert {name: MEANING[name].lower() for name in shown} == {n: c.lower() for n, c in shown.items()}


def test_every_element_that_the_page_speaks_of_is_there() -> None:
    page = (CLIENT / "index.html").read_text("utf-8")
    there = set(re.findall(r'id="([\w-]+)"', page))
    wanted = set(re.findall(r'\$\("([\w-]+)"\)', (CLIENT / "app.js").read_text("utf-8")))
    assert wanted <= there
    labelled = set(re.findall(r'(?:aria-labelledby|for|href)="#?([\w-]+)"', page))
    assert labelled - there == set()
