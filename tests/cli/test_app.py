"""The program: all commands when asked what there is, one when one is named."""

import subprocess
import sys

import pytest

from imslab.cli.app import COMMANDS, GROUPS, app_for


@pytest.mark.parametrize("arguments", [[], ["--help"], ["--debug"], ["nonsense"]])
def test_all_commands(arguments: list[str]) -> None:
    app = app_for(arguments)
    assert [one.name for one in app.registered_commands] == list(COMMANDS)
    assert [one.name for one in app.registered_groups] == list(GROUPS)


@pytest.mark.parametrize("name", COMMANDS)
def test_one_command(name: str) -> None:
    app = app_for(["--debug", name, "--option"])
    assert [one.name for one in app.registered_commands] == [name]
    assert app.registered_groups == []


@pytest.mark.parametrize("name", GROUPS)
def test_one_group_and_only_once(name: str) -> None:
    for _ in range(2):
        (found,) = app_for([name]).registered_groups
        assert found.typer_instance is not None
        commands = [
            one.name or getattr(one.callback, "__name__", "")
            for one in found.typer_instance.registered_commands
        ]
        assert len(commands) == len(set(commands))


def test_a_command_does_not_load_the_others() -> None:
    code = (
        "import sys; from imslab.cli.app import app_for; app_for(['inspect']);"
        "print([name for name in sys.modules if name in ('asyncio', 'imslab.cli.core', 'imslab.cli.doctor')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_a_plain_command_takes_text_and_flags_without_pydantic() -> None:
    code = (
        "import sys; from imslab.cli import main;"
        "status = main(['--debug', 'inspect', 'no-such-file', '--json', '--srtp', 'x', '--srtp', 'y']);"
        "print(status, 'pydantic' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "2 False"
    assert "unknown SRTP profile" in done.stderr
