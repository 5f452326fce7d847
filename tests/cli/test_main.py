"""Exit statuses, one line on stderr, and no traceback for a mistake of the user."""

import subprocess
import sys

import pytest

import imslab
from imslab import Malformed, cli
from imslab.cli import doctor


def failing_with(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``imslab doctor`` raise ``error``."""

    def fail() -> None:
        raise error

    monkeypatch.setattr(doctor, "python", fail)


@pytest.mark.parametrize("arguments", [["--help"], ["doctor", "--help"], ["lab", "--help"]])
def test_help_says_an_example(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == 0
    assert "Example: imslab" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"imslab {imslab.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nonsense"], "No such command"),
        (["doctor", "--nonsense"], "No such option"),
        (["lab", "--port", "many"], "Invalid value"),
        (["lab", "--port", "70000"], "Invalid value"),
    ],
)
def test_wrong_options(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == 2
    assert said in capsys.readouterr().err


def test_mistake_of_the_user_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failing_with(Malformed("nonce is\nnot base64", offset=3), monkeypatch)
    assert cli.main(["doctor"]) == 2
    assert capsys.readouterr().err == "imslab: nonce is not base64 at octet 3\n"


def test_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    failing_with(KeyboardInterrupt(), monkeypatch)
    assert cli.main(["doctor"]) == 130


def test_fault_of_imslab_asks_to_report_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failing_with(RuntimeError("broken"), monkeypatch)
    assert cli.main(["doctor"]) == 1
    said = capsys.readouterr().err
    assert "RuntimeError: broken" in said
    assert "report it" in said
    assert "Traceback" not in said


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    failing_with(RuntimeError("broken"), monkeypatch)
    with pytest.raises(RuntimeError, match="broken"):
        cli.main(["--debug", "doctor"])


def test_missing_library_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failing_with(ModuleNotFoundError("No module named 'pandas'", name="pandas"), monkeypatch)
    assert cli.main(["doctor"]) == 2
    assert capsys.readouterr().err.startswith("imslab: pandas is not installed: run `make lab`")


def test_nothing_heavy_is_loaded_for_help() -> None:
    code = (
        "import sys; from imslab.cli import main; main(['--help']);"
        "print(*{'numpy', 'scapy', 'matplotlib', 'pandas', 'aiortc', 'jupyterlab'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=30
    )
    assert done.stdout.splitlines()[-1] == ""
