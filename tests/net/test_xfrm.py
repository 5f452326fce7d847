"""The kernel is asked whether it does ESP; nothing of this machine changes by that."""

import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from imslab.net import xfrm

Run = Callable[..., subprocess.CompletedProcess[str]]


def answers(*answers: tuple[int, str]) -> tuple[Run, list[list[str]]]:
    """Return what takes the place of subprocess.run, and the commands that it was given."""
    asked: list[list[str]] = []
    left = iter(answers)

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        status, stderr = next(left)
        return subprocess.CompletedProcess(command, status, "", stderr)

    return run, asked


@pytest.fixture(autouse=True)
def programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")


@pytest.mark.parametrize(
    ("said", "obstacle", "asked"),
    [
        ([(0, "")], "", 1),
        ([(2, "Error: Requested type not found.\n")], "Requested type not found", 1),
        ([(1, "unshare: unshare failed: Operation not permitted"), (0, "")], "", 2),
        ([(1, "unshare: no"), (1, "unshare: unshare failed: EPERM")], "unshare: unshare failed: EPERM", 2),
        ([(3, "")], "exit status 3", 1),
    ],
)
def test_what_the_kernel_says(
    said: list[tuple[int, str]], obstacle: str, asked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, commands = answers(*said)
    monkeypatch.setattr(subprocess, "run", run)
    assert xfrm.obstacle() == obstacle and len(commands) == asked
    for command in commands:
        assert command[0] == "unshare" and "--net" in command, "never in the network of this machine"
        assert command[command.index("ip") :][:4] == ["ip", "xfrm", "state", "add"]


@pytest.mark.parametrize("absent", ["ip", "unshare"])
def test_programs_that_are_not_there(absent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None if name == absent else f"/bin/{name}")
    assert xfrm.obstacle() == f"cannot be asked: there is no {absent}"


def test_a_program_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(command: list[str], timeout: float, **_: Any) -> None:
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", hang)
    assert xfrm.obstacle() == "cannot be asked: TimeoutExpired"


@pytest.mark.component("ip", "unshare")
def test_this_machine_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    listing = ["ip", "xfrm", "state"]
    before = subprocess.run(listing, capture_output=True, check=False)
    assert isinstance(xfrm.obstacle(), str)
    assert subprocess.run(listing, capture_output=True, check=False).stdout == before.stdout
