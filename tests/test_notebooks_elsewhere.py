"""The same cells on the other kinds of lab: lines that stand as comments beside ``lab = imslab.Lab(...)``.

Pictures are drawn but not stored here; ``make notebooks`` runs the kind that is switched on.
"""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

import imslab
from imslab.course.check import SOLVED

NOTEBOOKS = sorted((Path(__file__).resolve().parent.parent / "notebooks").glob("*.ipynb"))
ON, OFF = (
    re.compile(r"^(lab = imslab\.Lab\()", re.MULTILINE),
    re.compile(r"^# (lab = imslab\.Lab\(.*)$", re.MULTILINE),
)


def alternatives() -> Iterator[Any]:
    """Give each notebook with each line of its lab cell that is not switched on, but for real readers."""
    for file in NOTEBOOKS:
        cells = [c.source for c in nbformat.read(file, as_version=4).cells if c.cell_type == "code"]
        for number, source in enumerate(cells):
            for line in OFF.findall(source):
                if "reader=" not in line:
                    kind = "trace" if "trace=" in line else "live"
                    yield pytest.param(cells, number, line, id=f"{file.stem}-{kind}")


@pytest.mark.parametrize(("cells", "number", "line"), list(alternatives()))
async def test_the_cells_run_on_it(
    cells: list[str], number: int, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SOLVED, "1")
    switched = ON.sub(r"# \1", cells[number]).replace(f"# {line}", line, 1)
    assert switched != cells[number]
    names: dict[str, Any] = {"__name__": "__main__"}
    for source in [*cells[:number], switched, *cells[number + 1 :]]:
        code = compile(source, "cell", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        result = eval(code, names)
        if inspect.iscoroutine(result):
            await result
    assert isinstance(names["lab"], imslab.Lab)
    assert (names["lab"].mode == "captured trace") is ("trace=" in line)
