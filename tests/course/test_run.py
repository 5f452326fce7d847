"""The notebook runner: what it refuses, what it stores, and how a kernel that hangs or dies ends it."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from imslab import ImslabError
from imslab.course import run as runner
from imslab.course.check import SOLVED
from imslab.course.run import LARGEST_OUTPUTS, execute, faults, main, normalise, run

IMPORTS = "from imslab.course import check"


def notebook(*sources: str) -> Any:
    """Return a notebook as it is after a run: counted, with ids, normalised."""
    cells = [new_code_cell(source, execution_count=n) for n, source in enumerate(sources, 1)]
    made = new_notebook(cells=[new_markdown_cell("# A question"), *cells])
    normalise(made)
    return made


def good() -> Any:
    return notebook(IMPORTS, "answer = await one()\nassert answer == 1")


def test_a_good_notebook_has_no_fault() -> None:
    assert faults(good()) == []


def spoil_metadata(nb: Any) -> None:
    nb.metadata["language_info"]["version"] = "3.11.7"


def spoil_cell_metadata(nb: Any) -> None:
    nb.cells[1].metadata["execution"] = {"iopub.execute_input": "2026-01-01"}


def spoil_ids(nb: Any) -> None:
    nb.cells[1]["id"] = nb.cells[2]["id"]


def spoil_count(nb: Any) -> None:
    nb.cells[2].execution_count = 3


def show(output: Any) -> Callable[[Any], None]:
    def spoil(nb: Any) -> None:
        nb.cells[2].outputs = [output]

    return spoil


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (spoil_metadata, "metadata is not normalised"),
        (spoil_cell_metadata, "metadata beside tags: execution"),
        (spoil_ids, "no ids of their own"),
        (spoil_count, "not run from top to bottom"),
        (
            show(new_output("error", ename="MacFailure", evalue="no", traceback=[])),
            "ended with MacFailure: no",
        ),
        (show(new_output("stream", name="stderr", text="DeprecationWarning")), "wrote to stderr"),
        (
            show(new_output("stream", name="stdout", text="see /home/me/x.pcapng")),
            "path of one machine: /home/me",
        ),
        (
            show(new_output("execute_result", data={"text/plain": "PosixPath('/tmp/x1')"})),
            "path of one machine: /tmp/x1",
        ),
        (
            show(new_output("display_data", data={"image/svg+xml": "x" * LARGEST_OUTPUTS})),
            "300000 are allowed",
        ),
    ],
)
def test_faults_of_a_spoilt_notebook(spoil: Callable[[Any], None], words: str) -> None:
    spoilt = good()
    spoil(spoilt)
    (fault,) = faults(spoilt)
    assert words in fault


@pytest.mark.parametrize(
    ("sources", "words"),
    [
        (("x = 1\nassert x",), "exactly one import cell, and imports in code cells []"),
        ((IMPORTS, "import os\nassert os"), "imports in code cells [1, 2]"),
        ((IMPORTS, "x = 1"), "it asserts nothing"),
        ((IMPORTS, "assert True", "x ="), "code cell 3 is not Python"),
        ((IMPORTS, "assert open('/root/key')"), "a cell names a path of one machine: /root/key"),
    ],
)
def test_faults_of_the_source(sources: tuple[str, ...], words: str) -> None:
    assert words in " ".join(faults(notebook(*sources)))


def test_addresses_of_the_web_are_no_paths_of_a_machine() -> None:
    nb = good()
    nb.cells[2].outputs = [
        new_output("stream", name="stdout", text="https://example.org/home/page ws://x/tmp/y")
    ]
    assert faults(nb) == []


def test_normalise_keeps_ids_and_tags_and_nothing_else() -> None:
    nb = new_notebook(cells=[new_code_cell("1", metadata={"tags": ["solution"], "collapsed": True})])
    nb.metadata["widgets"] = {}
    identifier = nb.cells[0]["id"]
    normalise(nb)
    assert nb.cells[0]["id"] == identifier
    assert dict(nb.cells[0].metadata) == {"tags": ["solution"]}
    assert set(nb.metadata) == {"kernelspec", "language_info"}
    nbformat.validate(nb)


def stored(tmp_path: Path, *sources: str) -> Path:
    file = tmp_path / "00.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell(source) for source in sources]), file)
    return file


@pytest.fixture
def _package_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(runner.__file__).parents[2]))
    monkeypatch.setenv(SOLVED, "1")


@pytest.mark.usefixtures("_package_on_path")
def test_runs_in_a_real_kernel_and_stores_the_same_twice(tmp_path: Path) -> None:
    file = stored(tmp_path, IMPORTS, "answer = 7", "assert answer\ncheck('x', answer, expected=7)")
    before = file.read_text()
    assert run(file, store=False).faults == ()
    assert file.read_text() == before
    assert run(file, store=True).faults == ()
    first = file.read_text()
    assert "x: right" in first
    assert run(file, store=True).faults == ()
    assert file.read_text() == first


@pytest.mark.usefixtures("_package_on_path")
def test_the_line_that_failed_is_named(tmp_path: Path) -> None:
    file = stored(
        tmp_path, IMPORTS, "def f(x):\n    assert x > 1", "answer = 2\nassert answer\nf(answer - 1)"
    )
    (fault,) = run(file, store=True).faults
    assert fault == "code cell 3 ended with AssertionError:  (at 2     assert x > 1)"


@pytest.mark.usefixtures("_package_on_path")
def test_a_wrong_answer_in_a_solution_is_not_stored(tmp_path: Path) -> None:
    file = stored(tmp_path, IMPORTS, "answer = 6", "assert answer\ncheck('x', answer, expected=7)")
    before = file.read_text()
    (fault,) = run(file, store=True).faults
    assert "code cell 3 ended with AssertionError" in fault
    assert file.read_text() == before


@pytest.mark.parametrize(
    ("source", "seconds", "words"),
    [("while True: pass", 2, "longer than 2 s"), ("__import__('os')._exit(3)", 30, "kernel died")],
)
def test_a_kernel_that_hangs_or_dies(source: str, seconds: float, words: str, tmp_path: Path) -> None:
    nb = new_notebook(cells=[new_code_cell(source)])
    with pytest.raises(ImslabError, match=words):
        asyncio.run(execute(nb, tmp_path, seconds=seconds))


def test_main_says_which_file_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none.ipynb")]) == 2
    assert "there is no" in capsys.readouterr().err
