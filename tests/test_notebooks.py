"""The form of the stored notebooks, without running them; ``make notebooks ARGS=--check`` runs them."""

import ast
from pathlib import Path

import nbformat
import pytest

from imslab.course.edition import TAG
from imslab.course.run import faults

NOTEBOOKS = sorted((Path(__file__).resolve().parent.parent / "notebooks").glob("*.ipynb"))
names = pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)


def test_the_course_starts_at_00() -> None:
    assert [file.name for file in NOTEBOOKS[:1]] == ["00-start-here.ipynb"]  # `make lab` opens it
    numbers = [int(file.name[:2]) for file in NOTEBOOKS]
    assert numbers[:7] == list(range(7)) and len(set(numbers)) == len(numbers)  # 13 and 14 came before 07


@names
def test_form(file: Path) -> None:
    notebook = nbformat.read(file, as_version=4)
    nbformat.validate(notebook)
    assert faults(notebook) == []


@names
def test_stored_as_the_runner_writes_it(file: Path) -> None:
    # A difference here means that an editor wrote the file: run make notebooks.
    assert file.read_text("utf-8") == nbformat.writes(nbformat.read(file, as_version=4)) + "\n"


@names
def test_no_class_and_hardly_a_function(file: Path) -> None:
    cells = [cell.source for cell in nbformat.read(file, as_version=4).cells if cell.cell_type == "code"]
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    nodes = [node for source in cells for node in ast.walk(compile(source, file.name, "exec", flags))]
    assert not any(isinstance(node, ast.ClassDef) for node in nodes)
    assert sum(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in nodes) <= 2


@names
def test_has_exercises_with_a_check_and_an_attack_that_fails(file: Path) -> None:
    cells = nbformat.read(file, as_version=4).cells
    solutions = [cell for cell in cells if TAG in cell.metadata.get("tags", [])]
    checks = [cell for cell in cells if cell.cell_type == "code" and "check(" in cell.source]
    assert len(checks) >= len([cell for cell in solutions if cell.cell_type == "code"]) >= 1
    assert any("refuses(" in cell.source for cell in cells)
