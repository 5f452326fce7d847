"""Run the notebooks, all cells in order, and store their outputs (``make notebooks``).

Each notebook runs in a fresh kernel, in its own directory, against the clock. What is stored is the
same on every machine: no path, no version, no time in the metadata. ``--check`` stores nothing, for CI.
"""

import argparse
import ast
import asyncio
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imslab.course.check import SOLVED
from imslab.data import path
from imslab.errors import ImslabError

SECONDS = 60.0  # for one notebook, the start of its kernel included
IPC = os.name != "nt"  # sockets that are files
LARGEST_OUTPUTS = 300_000  # octets in one notebook
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
LANGUAGE = {"file_extension": ".py", "mimetype": "text/x-python", "name": "python"}

_MACHINE_PATH = re.compile(
    r"(?<![\w.:/-])(?:/(?:home|root|Users|tmp|work|opt|private|var/folders)/[\w.-]+|[A-Z]:\\Users\\)"
)


_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_ARROW = re.compile(r"-+> ")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one notebook went: its faults (none is good), and the seconds that it took."""

    name: str
    seconds: float
    faults: tuple[str, ...]


def faults(notebook: Any) -> list[str]:
    """Return what is wrong with the form of a notebook that was run; see CONTRIBUTING.md."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if ended := list(_errors(notebook)):
        return ended  # the rest would only follow from them
    return [*_faults_of_cells(notebook, code), *_faults_of_outputs(code), *_faults_of_metadata(notebook)]


def _errors(notebook: Any) -> Iterator[str]:
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for number, cell in enumerate(code, 1):
        for output in cell.outputs:
            if output.output_type == "error":
                where = _last_line(output.get("traceback", []))
                yield f"code cell {number} ended with {output.ename}: {output.evalue[:200]}{where}"


def _last_line(traceback: list[str]) -> str:
    """Return the innermost line that a traceback of IPython points at, "" when there is none."""
    plain = _COLOUR.sub("", "\n".join(traceback))
    lines = [line for line in plain.splitlines() if _ARROW.match(line)]
    return f" (at {lines[-1].lstrip('- >')})" if lines else ""


def _faults_of_cells(notebook: Any, code: list[Any]) -> Iterator[str]:
    trees = [_tree(cell.source) for cell in code]
    for number, tree in enumerate(trees, 1):
        if tree is None:
            yield f"code cell {number} is not Python"
    importing = [n for n, tree in enumerate(trees, 1) if _has(tree, ast.Import, ast.ImportFrom)]
    if len(importing) != 1:
        yield f"it must have exactly one import cell, and imports in code cells {importing}"
    if not any(_has(tree, ast.Assert) for tree in trees):
        yield "it asserts nothing"
    if [cell.execution_count for cell in code] != list(range(1, len(code) + 1)):
        yield "it was not run from top to bottom: the counts are not 1, 2, 3 ..."
    identifiers = [cell.get("id", "") for cell in notebook.cells]
    if len(set(identifiers)) != len(identifiers) or not all(identifiers):
        yield "its cells have no ids of their own"
    for cell in notebook.cells:
        if found := _MACHINE_PATH.search(cell.source):
            yield f"a cell names a path of one machine: {found[0]}"


def _faults_of_outputs(code: list[Any]) -> Iterator[str]:
    outputs = [(n, output) for n, cell in enumerate(code, 1) for output in cell.outputs]
    for number, output in outputs:
        if output.get("name") == "stderr":
            yield f"code cell {number} wrote to stderr: {output.text[:200]!r}"
        elif found := _MACHINE_PATH.search(_text(output)):
            yield f"code cell {number} shows a path of one machine: {found[0]}"
    size = sum(len(json.dumps(output)) for _, output in outputs)
    if size > LARGEST_OUTPUTS:
        yield f"its outputs take {size} octets; {LARGEST_OUTPUTS} are allowed"


def _faults_of_metadata(notebook: Any) -> Iterator[str]:
    if dict(notebook.metadata) != {"kernelspec": KERNEL, "language_info": LANGUAGE}:
        yield "its metadata is not normalised: run make notebooks"
    extra = {key for cell in notebook.cells for key in cell.metadata} - {"tags"}
    if extra:
        yield f"its cells carry metadata beside tags: {', '.join(sorted(extra))}"


def normalise(notebook: Any) -> None:
    """Take out of a notebook what differs from machine to machine and from run to run."""
    notebook.metadata.clear()
    notebook.metadata.update(kernelspec=dict(KERNEL), language_info=dict(LANGUAGE))
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    taken: set[str] = set()
    for number, cell in enumerate(notebook.cells, 1):
        tags = cell.metadata.get("tags")
        cell.metadata.clear()
        if tags:
            cell.metadata["tags"] = list(tags)
        if cell.get("id", "") in taken | {""}:
            cell["id"] = f"cell-{number}"
        taken.add(cell["id"])
        for output in cell.get("outputs", ()):
            output.pop("transient", None)


async def execute(notebook: Any, directory: Path, *, seconds: float = SECONDS) -> None:
    """Run all cells of ``notebook`` in order in a fresh kernel; the outputs go into ``notebook``.

    A cell that fails leaves its error among the outputs, and the cells after it are not run. Raises
    ImslabError when the notebook takes longer than ``seconds``, or its kernel dies.
    """
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError
    from traitlets.config import Config

    with tempfile.TemporaryDirectory(prefix="imslab") as sockets:  # a short path, as sockets need
        client = NotebookClient(
            notebook,
            kernel_name="python3",
            timeout=None,
            shutdown_kernel="immediate",
            resources={"metadata": {"path": str(directory)}},
            # No TCP port that others on this machine could reach.
            config=Config({"KernelManager": {"transport": "ipc", "ip": f"{sockets}/kernel"}} if IPC else {}),
        )
        deadline = time.monotonic() + seconds
        try:
            await asyncio.wait_for(client.async_execute(), seconds)
        except CellExecutionError:
            pass  # the cell holds the error
        except (DeadKernelError, TimeoutError):
            # At the deadline nbclient stops the kernel, and may find it dead before it is told why.
            late = time.monotonic() >= deadline
            raise ImslabError(f"it takes longer than {seconds:g} s" if late else "its kernel died") from None


def run(file: Path, *, store: bool, seconds: float = SECONDS, student: bool = False) -> Outcome:
    """Run one notebook, and store its outputs if ``store`` is true and nothing is wrong with it.

    Of a ``student``'s edition only this is asked, that every cell runs.
    """
    import nbformat

    start = time.perf_counter()
    notebook = nbformat.read(file, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    try:
        asyncio.run(execute(notebook, file.parent, seconds=seconds))
        normalise(notebook)
        found = list(_errors(notebook)) if student else faults(notebook)
    except ImslabError as error:
        found = [str(error)]
    if store and not found:
        nbformat.write(notebook, file)
    return Outcome(file.name, time.perf_counter() - start, tuple(found))


def _tree(source: str) -> ast.Module | None:
    try:
        tree = compile(source, "cell", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except (SyntaxError, ValueError):
        return None
    return tree if isinstance(tree, ast.Module) else None


def _has(tree: ast.Module | None, *kinds: type[ast.AST]) -> bool:
    return tree is not None and any(isinstance(node, kinds) for node in ast.walk(tree))


def _text(output: Any) -> str:
    # Pictures are left out: base64 may read as anything.
    data = output.get("data", {})
    shown = [str(value) for kind, value in data.items() if kind.startswith("text/")]
    return "\n".join([str(output.get("text", "")), *shown])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the notebooks in order and store their outputs; exit status 1 when one is not as it must be."""
    parser = argparse.ArgumentParser(prog="make notebooks", description=main.__doc__)
    parser.add_argument("--check", action="store_true", help="run all, store nothing")
    parser.add_argument(
        "--student", action="store_true", help="an answer may be missing, and no form is asked for"
    )
    parser.add_argument("--seconds", type=float, default=SECONDS, help="time limit for each (%(default)g)")
    parser.add_argument("notebooks", nargs="*", type=Path, help="all of notebooks/ by default")
    given = parser.parse_args(arguments)
    files = given.notebooks or sorted((path().parent / "notebooks").glob("*.ipynb"))
    if absent := [file for file in files if not file.is_file()]:
        print(f"imslab: there is no {absent[0]}", file=sys.stderr)
        return 2
    # The kernels inherit these: a wrong answer in a solution is an error; the package is this one.
    os.environ[SOLVED] = "" if given.student else "1"
    os.environ["PYTHONPATH"] = os.pathsep.join([str(path().parent), os.environ.get("PYTHONPATH", "")]).rstrip(
        os.pathsep
    )
    with tempfile.TemporaryDirectory(prefix="imslab") as runtime:
        os.environ["JUPYTER_RUNTIME_DIR"] = runtime  # so that nothing is left
        outcomes = list(_with_progress(files, given))
    for outcome in outcomes:
        print(f"{outcome.name:40} {outcome.seconds:6.1f} s  {'ok' if not outcome.faults else 'NOT OK'}")
        for fault in outcome.faults:
            print(f"    {fault}")
    return 1 if not outcomes or any(outcome.faults for outcome in outcomes) else 0


def _with_progress(files: Sequence[Path], given: argparse.Namespace) -> Iterator[Outcome]:
    from tqdm import tqdm

    bar = tqdm(files, unit="notebook", disable=not sys.stderr.isatty())
    for file in bar:
        bar.set_description(file.name)
        store = not (given.check or given.student)
        yield run(file, store=store, seconds=given.seconds, student=given.student)


if __name__ == "__main__":
    sys.exit(main())
