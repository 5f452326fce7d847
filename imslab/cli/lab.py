"""``imslab lab``: JupyterLab on the notebooks of this checkout."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from imslab.data import path
from imslab.errors import ImslabError

FIRST = "notebooks/00-start-here.ipynb"
SETTINGS = Path(__file__).resolve().parent / "jupyter"  # labconfig/page_config.json: no announcements


def lab(
    context: typer.Context,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Print the address only.")] = False,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Listen on this port of 127.0.0.1, or fail.")
    ] = None,
) -> int:
    """Open JupyterLab on the first notebook; it listens on 127.0.0.1 only.

    Other options are passed on to `jupyter lab`.
    """
    command = jupyter_command(checkout(), no_browser=no_browser, port=port, more=context.args)
    os.environ.update(quiet())
    if os.name != "nt":  # exec does not keep the terminal on Windows
        os.execv(command[0], command)
    return subprocess.call(command)


def checkout() -> Path:
    """Return the directory that holds notebooks/; ImslabError when the first notebook is not there."""
    root = path().parent
    if not (root / FIRST).is_file():
        raise ImslabError(f"there is no {FIRST}: clone the repository and work in the checkout")
    return root


def quiet() -> dict[str, str]:
    """Return the environment in which JupyterLab asks neither the network nor the user about news."""
    already = os.environ.get("JUPYTER_CONFIG_PATH")
    return {"JUPYTER_CONFIG_PATH": os.pathsep.join(filter(None, [str(SETTINGS), already]))}


def jupyter_command(root: Path, *, no_browser: bool, port: int | None, more: list[str]) -> list[str]:
    """Return the command line that starts JupyterLab in ``root`` with this very Python."""
    command = [sys.executable, "-m", "jupyterlab"]
    command += [f"--ServerApp.root_dir={root}", "--ServerApp.ip=127.0.0.1"]
    command += [f"--LabApp.default_url=/lab/tree/{FIRST}"]
    if port is not None:
        command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    if no_browser:
        command += ["--no-browser"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command += ["--allow-root"]
    return command + more
