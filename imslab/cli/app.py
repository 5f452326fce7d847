"""The commands and their options, in the order in which ``imslab --help`` lists them.

Only the command that is asked for is imported: who inspects a capture does not wait for what serves a demo.
"""

from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import Annotated, Any, NamedTuple

import typer

import imslab
from imslab.cli.plain import PlainCommand, PlainGroup


class Command(NamedTuple):
    """Where a command is: a function in a module of this room, and how it is told to the option parser.

    ``plain``  its values are text and flags, and it is to begin at once
    """

    module: str
    function: str
    epilog: str
    settings: dict[str, Any] | None = None
    plain: bool = False


COMMANDS = {
    "lab": Command(
        "lab", "lab",
        'Example: imslab lab --no-browser --port 8890     (from the checkout: make lab ARGS="...")',
        {"allow_extra_args": True, "ignore_unknown_options": True},
    ),
    "doctor": Command("doctor", "doctor", "Example: imslab doctor"),
    "explain": Command(
        "explain", "explain",
        "Example: imslab explain --algorithm AKAv2-MD5 --nonce ... --response ... --k @k --opc @opc",
    ),
    "inspect": Command(
        "inspect", "inspect", "Example: imslab inspect call.pcapng --k @k --opc @opc --keylog keys.log",
        plain=True,
    ),
    "anonymise": Command(
        "anonymise", "anonymise",
        "Example: imslab anonymise field.pcapng public.pcapng --k @k --opc @opc",
    ),
    "core": Command("core", "core", "Example: imslab core --port 5060 --profile data/profiles/alice.json"),
    "interop": Command(
        "interop", "interop", "Example: imslab interop data/profiles/alice.json --peer sipp --out build"
    ),
    "demo": Command("demo", "demo", "Example: imslab demo --trace demo.pcapng"),
}  # fmt: skip
GROUPS = ("card", "kamailio")
_CARD_WRITE = Command(
    "card_write", "write", "Example: imslab card write --profile data/profiles/bob.json --adm @adm.txt"
)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"imslab {imslab.__version__}")
        raise typer.Exit


def app_for(arguments: Sequence[str] = ()) -> typer.Typer:
    """Return the program with the command that ``arguments`` name, or, where they name none, with all."""
    named = next((word for word in arguments if not word.startswith("-")), "")
    wanted = [named] if named in (*COMMANDS, *GROUPS) else [*COMMANDS, *GROUPS]
    app = typer.Typer(
        name="imslab",
        cls=PlainGroup,
        help="A laboratory for IMS authentication with the SIM card. Teaching crypto: not for production.",
        epilog="Example: imslab doctor",
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(options)
    for name in wanted:
        if name in COMMANDS:
            _add(app, name, COMMANDS[name])
        else:
            app.add_typer(_group(name), name=name)
    return app


def options(
    version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True)] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of a fault in imslab.")] = False,
) -> None:
    """Options before the command; ``--debug`` is read by imslab.cli.main."""


def _add(app: typer.Typer, name: str, command: Command) -> None:
    function = getattr(import_module(f"imslab.cli.{command.module}"), command.function)
    how: dict[str, Any] = {"epilog": command.epilog, "context_settings": command.settings}
    if command.plain:
        how["cls"] = PlainCommand
    app.command(name, **how)(function)


@cache
def _group(name: str) -> typer.Typer:
    app: typer.Typer = import_module(f"imslab.cli.{name}").app
    if name == "card":
        _add(app, "write", _CARD_WRITE)
    return app
