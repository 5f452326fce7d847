"""Where no browser can be driven: what is said, and that notebook 10 runs on the captured trace."""

import ast
import inspect
from pathlib import Path
from typing import Any

import nbformat
import pytest

from imslab.course.check import SOLVED
from imslab.web import stage

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "10-the-demo.ipynb"


@pytest.mark.parametrize(
    ("playwright", "program", "words"),
    [(False, True, "playwright"), (True, False, "apt install chromium"), (True, True, "")],
)
def test_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, playwright: bool, program: bool, words: str
) -> None:
    monkeypatch.setattr(stage, "find_spec", lambda name: object() if playwright else None)
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/x" if program else None)
    assert words in stage.missing()
    assert (stage.missing() == "") is (words == "")


async def test_notebook_10_runs_on_the_captured_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SOLVED, "1")
    cells = [c.source for c in nbformat.read(NOTEBOOK, as_version=4).cells if c.cell_type == "code"]
    switched = [source.replace("# live = False", "live = False", 1) for source in cells]
    assert switched != cells
    names: dict[str, Any] = {"__name__": "__main__"}
    for source in switched:
        code = compile(source, "cell", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        result = eval(code, names)
        if inspect.iscoroutine(result):
            await result
    assert names["show"] is None and names["login"].result == "registered"
