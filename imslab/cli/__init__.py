"""The command line: ``imslab lab``, ``imslab doctor``, ``imslab explain`` and so on.

A command returns its exit status, or None for 0. A mistake of the user raises ImslabError: one line
on stderr, exit status 2. Ctrl-C: 130. Anything else is a fault of imslab: one line that asks to
report it, exit status 1, with the traceback after ``--debug``.
"""

import sys
from collections.abc import Sequence

from imslab.errors import ImslabError

INTERRUPTED = 130  # 128 + SIGINT, as shells have it
USAGE = 2
FAULT = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; ``arguments`` are those of the process by default."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
    except ImslabError as error:
        _say(_one_line(error))
        return USAGE
    except ModuleNotFoundError as error:
        if (error.name or "imslab").startswith("imslab"):
            raise
        _say(f"{error.name} is not installed: run `make lab` in the checkout")
        return USAGE
    except Exception as error:  # the last stand: no traceback for whoever only uses the program
        if "--debug" in arguments:
            raise
        _say(f"this is a fault in imslab: {type(error).__name__}: {_one_line(error)}")
        _say("please report it, with what `imslab --debug ...` prints")
        return FAULT


def _run(arguments: Sequence[str]) -> int:
    import typer

    from imslab.cli.app import app_for

    try:
        status = app_for(arguments)(args=list(arguments), prog_name="imslab", standalone_mode=False)
    except typer.Abort:
        return INTERRUPTED
    except Exception as error:
        # The errors of the option parser know how to show themselves; where their class lives
        # depends on the version of typer.
        if not hasattr(error, "show") or not hasattr(error, "exit_code"):
            raise
        error.show()
        return int(error.exit_code)
    return status if isinstance(status, int) else 0


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _say(text: str) -> None:
    print(f"imslab: {text}", file=sys.stderr)
