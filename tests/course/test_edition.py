"""The students' edition has the questions and not the answers."""

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from imslab import ImslabError
from imslab.course.edition import PROMPT, assigned, empty, main, write


def solved() -> Any:
    shown = [new_output("execute_result", data={"text/plain": "42"})]
    return new_notebook(
        cells=[
            new_code_cell("shown = 42", outputs=shown, execution_count=1),
            new_markdown_cell("**Exercise 00-1.** What is the answer?"),
            new_code_cell("answer = 42", metadata={"tags": ["solution"]}, execution_count=2),
            new_markdown_cell("It is 42, since ...", metadata={"tags": ["solution"]}),
            new_code_cell("check('00-1', answer, expected=lambda: 6 * 7)", outputs=shown, execution_count=3),
        ]
    )


def test_solutions_go_and_questions_stay() -> None:
    edition = empty(solved())
    sources = [cell.source for cell in edition.cells]
    assert f"{PROMPT}\nanswer = ..." in sources
    assert "answer = 42" not in sources
    assert not any("It is 42" in source for source in sources)
    assert any("What is the answer?" in source for source in sources)
    nbformat.validate(edition)


def test_outputs_stay_only_before_the_first_solution() -> None:
    code = [cell for cell in empty(solved()).cells if cell.cell_type == "code"]
    assert [bool(cell.outputs) for cell in code] == [True, False, False]


def test_the_solved_notebook_is_not_touched() -> None:
    source = solved()
    empty(source)
    assert source == source | {"cells": source.cells}
    assert [cell.source for cell in source.cells if cell.cell_type == "code"][1] == "answer = 42"


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("a = 1\nb: int = 2", ["a", "b"]),
        ("a, (b, *c) = f()", ["a", "b", "c"]),
        ("a = await f()\na = 2", ["a"]),
        ("f(x)", []),
        ("a = = 2", []),
    ],
)
def test_names_that_a_solution_gives_a_value_to(source: str, names: list[str]) -> None:
    assert assigned(source) == names


def test_writes_every_notebook(tmp_path: Path) -> None:
    source, destination = tmp_path / "solved", tmp_path / "student" / "notebooks"
    source.mkdir()
    nbformat.write(solved(), source / "00.ipynb")
    assert write(source, destination) == [destination / "00.ipynb"]
    assert "42\\n" not in (destination / "00.ipynb").read_text()


def test_no_notebook_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ImslabError, match="there is no notebook"):
        write(tmp_path, tmp_path / "out")


def test_main_writes_where_it_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = main([str(tmp_path)])
    written = list(tmp_path.glob("*.ipynb"))
    assert (status == 0) == bool(written)
    assert capsys.readouterr()
