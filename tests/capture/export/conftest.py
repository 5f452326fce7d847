"""tshark as the tests of what is exported ask it."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Tshark = Callable[..., list[list[str]]]


@pytest.fixture
def tshark(tmp_path: Path) -> Tshark:
    """Return what tshark finds: the wanted fields of each frame that a filter passes."""

    def ask(file: Path, *fields: str, only: str = "", config: Path | None = None, script: Path | None = None):
        command = ["tshark", "-r", str(file), "-T", "fields", "-E", "separator=/t"]
        command += [part for field in fields for part in ("-e", field)]
        command += ["-Y", only] if only else []
        command += ["-X", f"lua_script:{script}"] if script else []
        place = str(config or tmp_path / "no settings")
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=60,
            env=os.environ | {"WIRESHARK_CONFIG_DIR": place},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return [line.split("\t") for line in done.stdout.splitlines()]

    return ask
