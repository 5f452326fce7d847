"""The students' edition: the solved notebooks with the cells tagged ``solution`` emptied.

The solved notebook is the source; this is made from it (``make student-edition``) and never edited.
"""

import argparse
import ast
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from imslab.data import path
from imslab.errors import ImslabError

TAG = "solution"
PROMPT = "# Your answer goes here."


def empty(notebook: Any) -> Any:
    """Return a copy of ``notebook`` (an nbformat NotebookNode) without its solutions.

    A code cell tagged ``solution`` becomes ``name = ...`` for each name that it gives a value to;
    a markdown cell with that tag goes. Outputs go from every cell from the first solution on: they
    would show what the answer leads to.
    """
    from copy import deepcopy

    edition = deepcopy(notebook)
    edition.cells = [cell for cell in edition.cells if cell.cell_type == "code" or not _is_solution(cell)]
    solutions_begun = False
    for cell in edition.cells:
        if cell.cell_type != "code":
            continue
        if _is_solution(cell):
            solutions_begun = True
            cell.source = blank(cell.source)
        if solutions_begun:
            cell.outputs, cell.execution_count = [], None
    return edition


def blank(source: str) -> str:
    """Return what is left of a solution: a prompt, and ``...`` for each name that it assigns."""
    return "\n".join([PROMPT, *(f"{name} = ..." for name in assigned(source))])


def assigned(source: str) -> list[str]:
    """Return the names that a cell gives a value to, in their order; Malformed code gives none."""
    try:
        body = compile(source, "cell", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT).body
    except SyntaxError:
        return []
    targets = [target for statement in body for target in _targets(statement)]
    names = [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]
    return list(dict.fromkeys(names))


def write(source: Path, destination: Path) -> list[Path]:
    """Write the students' edition of every notebook in ``source`` to ``destination``."""
    import nbformat

    notebooks = sorted(source.glob("*.ipynb"))
    if not notebooks:
        raise ImslabError(f"there is no notebook in {source}")
    destination.mkdir(parents=True, exist_ok=True)
    written = []
    for file in notebooks:
        edition = empty(nbformat.read(file, as_version=4))
        nbformat.write(edition, destination / file.name)
        written.append(destination / file.name)
    return written


def _is_solution(cell: Any) -> bool:
    return TAG in cell.metadata.get("tags", [])


def _targets(statement: ast.stmt) -> list[ast.expr]:
    if isinstance(statement, ast.Assign):
        return statement.targets
    if isinstance(statement, ast.AnnAssign):
        return [statement.target]
    return []


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the students' edition of notebooks/ to build/student, or where the argument says."""
    parser = argparse.ArgumentParser(prog="make student-edition", description=main.__doc__)
    root = path().parent
    parser.add_argument("destination", nargs="?", type=Path, default=root / "build" / "student")
    destination = parser.parse_args(arguments).destination
    try:
        written = write(root / "notebooks", destination)
    except (ImslabError, OSError) as error:
        print(f"imslab: {error}", file=sys.stderr)
        return 2
    print(f"{len(written)} notebooks without solutions in {destination}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
