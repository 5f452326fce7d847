"""What the README and CONTRIBUTING tell people to type exists."""

import re
import subprocess
from pathlib import Path

import pytest

from imslab.cli.app import app_for

ROOT = Path(__file__).resolve().parent.parent
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
PAGES = {name: (ROOT / name).read_text("utf-8") for name in ("README.md", "CONTRIBUTING.md", ".ci/run")}
_ALL = app_for()
COMMANDS = {one.name for one in _ALL.registered_commands} | {one.name for one in _ALL.registered_groups}


def verbs(text: str) -> set[str]:
    """Return the verbs after ``make`` where a page shows code (indented, in back quotes, or in a script)."""
    shown = re.findall(r"`([^`]*)`|^ {4}(.*)$|^step (.*)$|^exec (.*)$", text, re.MULTILINE)
    code = "\n".join("".join(groups) for groups in shown)
    return set(re.findall(r"\bmake (?:--[\w-]+ )*([a-z][a-z-]+)", code))


@pytest.mark.parametrize("name", PAGES)
def test_make_verbs_exist(name: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE))
    assert verbs(PAGES[name])
    assert verbs(PAGES[name]) <= targets


def test_commands_of_the_command_line_exist_and_are_told() -> None:
    told = set(re.findall(r"`imslab ([a-z]+)", PAGES["README.md"]))
    assert told == COMMANDS


def test_readme_warns_before_anything_else() -> None:
    words = PAGES["README.md"].split("\n\n")[1]
    assert "Teaching crypto" in words
    assert "not for production" in words


def test_notebooks_in_the_table_are_the_notebooks() -> None:
    numbers = re.findall(r"^\| (\d\d) \|", PAGES["README.md"], re.MULTILINE)
    assert numbers == [file.name[:2] for file in sorted((ROOT / "notebooks").glob("*.ipynb"))]


def test_contributing_ends_with_the_review_questions() -> None:
    last = PAGES["CONTRIBUTING.md"].rstrip().rsplit("\n\n", 1)[-1]
    assert last.startswith("> Does the module docstring name specification and section?")
    assert last.endswith("does\n> each cell change what I believe?")


def test_every_verb_is_listed_with_what_it_does() -> None:
    phony = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)[0].split()
    listed = re.findall(r"^([a-z-]+):.*## \S", MAKEFILE, re.MULTILINE)
    assert phony == listed


@pytest.mark.component("make")
def test_make_alone_lists_the_verbs() -> None:
    done = subprocess.run(
        ["make", "-C", ROOT, "--no-print-directory"], capture_output=True, text=True, check=True
    )
    assert "  make lab " in done.stdout
    assert "  make test " in done.stdout
