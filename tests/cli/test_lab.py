"""``imslab lab``: the command line of JupyterLab, and a server that really starts."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from imslab.cli import lab, main
from imslab.cli.lab import FIRST, jupyter_command

ROOT = Path(__file__).resolve().parent.parent.parent


def command(**options: object) -> list[str]:
    defaults: dict[str, object] = {"no_browser": False, "port": None, "more": []}
    return jupyter_command(ROOT, **{**defaults, **options})  # type: ignore[arg-type]


def test_listens_on_this_machine_only_and_opens_the_first_notebook() -> None:
    line = command()
    assert "--ServerApp.ip=127.0.0.1" in line
    assert f"--LabApp.default_url=/lab/tree/{FIRST}" in line
    assert "--no-browser" not in line


def test_a_port_that_was_asked_for_is_taken_or_refused() -> None:
    line = command(port=8890)
    assert "--ServerApp.port=8890" in line
    assert "--ServerApp.port_retries=0" in line


@pytest.mark.parametrize(("user", "allowed"), [(0, True), (1000, False)])
def test_root_is_allowed_only_where_it_is_root(
    user: int, allowed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert ("--allow-root" in command()) == allowed


def test_other_options_are_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(lab, "checkout", lambda: ROOT)
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "mine")
    monkeypatch.setattr(os, "execv", lambda program, line: started.append(line))
    monkeypatch.setattr(subprocess, "call", lambda line: 0)
    assert main(["lab", "--no-browser", "--port", "8890", "--LabApp.token=x"]) == 0
    assert started[0][0] == sys.executable
    assert os.environ["JUPYTER_CONFIG_PATH"] == os.pathsep.join([str(lab.SETTINGS), "mine"])
    assert {"--no-browser", "--ServerApp.port=8890", "--LabApp.token=x"} <= set(started[0])


def test_outside_a_checkout_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lab, "path", lambda: tmp_path / "data")
    assert main(["lab"]) == 2
    assert "clone the repository" in capsys.readouterr().err


def test_the_server_starts_and_serves_the_first_notebook(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    line = [
        sys.executable,
        "-m",
        "imslab",
        "lab",
        "--no-browser",
        "--port",
        str(port),
        "--IdentityProvider.token=secret",
    ]
    environment = {**os.environ, "JUPYTER_RUNTIME_DIR": str(tmp_path), "JUPYTER_CONFIG_DIR": str(tmp_path)}
    log = tmp_path / "log"
    with log.open("wb") as stderr:
        server = subprocess.Popen(line, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stderr=stderr)
    try:
        assert _announced(server, log).startswith(f"http://127.0.0.1:{port}/lab/tree/{FIRST}")
        about = json.loads(_get(f"http://127.0.0.1:{port}/api/contents/{FIRST}?content=0&token=secret"))
        assert about["type"] == "notebook"
        page = _get(f"http://127.0.0.1:{port}/lab?token=secret")
        disabled = re.search(rb'"disabledExtensions": \[(.*?)\]', page)
        assert disabled
        assert b"apputils-extension:announcements" in disabled[1]
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait(10)


def _get(url: str) -> bytes:
    """Ask, and ask again for as long as nobody listens: Jupyter prints its address before it binds it."""
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return bytes(answer.read())
        except urllib.error.URLError as error:
            if not isinstance(error.reason, ConnectionRefusedError) or time.monotonic() > deadline:
                raise
        time.sleep(0.05)


def _announced(server: subprocess.Popen[bytes], log: Path) -> str:
    """Return the address that the server prints when it is ready."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and server.poll() is None:
        if found := re.search(r"http://127\.0\.0\.1:\d+/lab\S*", log.read_text()):
            return found[0]
        time.sleep(0.05)  # for another process: nothing here says when it is ready
    raise AssertionError(f"the server did not start: {log.read_text()}")
