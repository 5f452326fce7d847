"""The commands and their options, in the order in which ``imslab --help`` lists them."""

from typing import Annotated

import typer

import imslab
from imslab.cli import anonymise, card, card_write, core, demo, doctor, explain, inspect, kamailio, lab

app = typer.Typer(
    name="imslab",
    help="A laboratory for IMS authentication with the SIM card. Teaching crypto: not for production.",
    epilog="Example: imslab doctor",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"imslab {imslab.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True)] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of a fault in imslab.")] = False,
) -> None:
    """Options before the command; ``--debug`` is read by imslab.cli.main."""


app.command(
    "lab",
    epilog='Example: imslab lab --no-browser --port 8890     (from the checkout: make lab ARGS="...")',
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)(lab.lab)
app.command("doctor", epilog="Example: imslab doctor")(doctor.doctor)
app.command(
    "explain",
    epilog="Example: imslab explain --algorithm AKAv2-MD5 --nonce ... --response ... --k @k --opc @opc",
)(explain.explain)
app.command("inspect", epilog="Example: imslab inspect call.pcapng --k @k --opc @opc --keylog keys.log")(
    inspect.inspect
)
app.command("anonymise", epilog="Example: imslab anonymise field.pcapng public.pcapng --k @k --opc @opc")(
    anonymise.anonymise
)
app.command("core", epilog="Example: imslab core --port 5060 --profile data/profiles/alice.json")(core.core)
app.command("demo", epilog="Example: imslab demo --trace demo.pcapng")(demo.demo)
card.app.command(
    "write", epilog="Example: imslab card write --profile data/profiles/bob.json --adm @adm.txt"
)(card_write.write)
app.add_typer(card.app, name="card")
app.add_typer(kamailio.app, name="kamailio")
