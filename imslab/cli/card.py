"""``imslab card``: read a card in a reader, publish a software card to a virtual one, record what is said."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, NoReturn

import typer

from imslab.data import profile_path
from imslab.errors import CardError, ImslabError

if TYPE_CHECKING:
    from imslab.uicc import IsimClient, IsimProfile, Link

_PATIENCE = 0.5  # seconds of silence after which the trace is written to the disk

app = typer.Typer(
    name="card",
    help="A card in a PC/SC reader: read it, be one, record it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Gsmtap = Annotated[
    str | None,
    typer.Option(
        metavar="HOST", help="Send every APDU, PINs and keys too, to HOST as GSMTAP: imslab card trace."
    ),
]


@app.command("read", epilog="Example: imslab card read --reader omnikey --pin")
def read(
    reader: Annotated[
        str | None, typer.Option(help="A part of the reader's name; default: the first with a card.")
    ] = None,
    atr: Annotated[str | None, typer.Option(help="How the card's ATR begins, in hex.")] = None,
    pin: Annotated[bool, typer.Option("--pin", help="Ask for PIN1 (once), and present it.")] = False,
    even_the_last: Annotated[
        bool, typer.Option("--even-the-last", help="Present the PIN though one try alone remains.")
    ] = False,
    exclusive: Annotated[bool, typer.Option("--exclusive", help="Keep other programs off the card.")] = False,
    gsmtap: Gsmtap = None,
) -> int:
    """Show the IMS profile of the card in a reader as a table; any card will do."""
    from imslab.uicc import IsimClient, pcsc

    link = pcsc.connect(reader, atr=atr, exclusive=exclusive)
    try:
        print(f"{link.name}: {link.protocol}, ATR {link.atr.hex()}")
        with _announced(link, gsmtap) as told:
            client = IsimClient(told)
            if pin:
                _present_pin(client, told, even_the_last)
            print(table(_profile(client)))
    finally:
        link.close()
    return 0


@app.command("serve", epilog="Example: imslab card serve --profile alice --t1 --state alice.card")
def serve(
    profile: Annotated[str, typer.Option(help="alice, bob, carol, or a profile's file.")] = "alice",
    t1: Annotated[bool, typer.Option("--t1", help="Speak T=1; default: T=0, as SIM cards do.")] = False,
    state: Annotated[
        Path | None, typer.Option(help="File that keeps what must survive power-off: SQN, PINs, updates.")
    ] = None,
    host: Annotated[str, typer.Option(help="Where vpcd listens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="vpcd's slot 0; slot 1: 35964.")] = 35963,
    gsmtap: Gsmtap = None,
) -> int:
    """Publish a software card to pcscd over the virtual reader vpcd, until Ctrl-C."""
    from imslab.uicc import Card, FileStore, Profile
    from imslab.uicc.vpcd import Slot

    known = Profile.load(_profile_file(profile))
    card = Card(known, protocol="T=1" if t1 else "T=0", store=FileStore(state) if state else None)
    print(f"{known.name}: {card.protocol}, ATR {card.reset().hex()}. Ctrl-C takes the card out.", flush=True)
    with _announced(card, gsmtap) as told, _terminable():
        slot = Slot(told, host=host, port=port, on_event=lambda what: print(what, flush=True))
        try:
            slot.serve()
        except KeyboardInterrupt:
            slot.leave()
    return 0


@app.command(
    "trace",
    epilog="Example: imslab card trace apdus.pcapng   (and elsewhere: imslab card read --gsmtap 127.0.0.1)",
)
def trace(
    file: Annotated[Path, typer.Argument(help="The pcapng file to write.")],
    host: Annotated[str, typer.Option(help="Address to hear GSMTAP on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="GSMTAP's port is 4729; 0: any.")] = 4729,
) -> int:
    """Record APDUs until Ctrl-C: of `card read` and `card serve` with --gsmtap, and of others' tools."""
    from imslab.net.gsmtap import Listener
    from imslab.net.tap import Clock
    from imslab.net.trace import TraceWriter

    listener, clock = Listener(host, port), Clock()
    try:
        with _private(file) as octets, _terminable():
            writer = TraceWriter(octets, comment="imslab card trace: APDUs heard as GSMTAP")
            writer.flush()
            where = f"{listener.address[0]}:{listener.address[1]}"
            with contextlib.suppress(KeyboardInterrupt):
                print(f"hears GSMTAP on {where}; the file holds PINs and keys.")
                print("Ctrl-C stops.", flush=True)
                while True:
                    if listener.record(writer, clock, _PATIENCE):
                        writer.flush()
            writer.flush()  # Ctrl-C may have come between a packet and its flush
            print(f"{writer.packets} packets in {file}")
    finally:
        listener.close()
    return 0


def table(profile: "IsimProfile") -> str:
    """Return a profile as lines of a name and a value; a list has a line for each."""
    rows = profile.rows()
    width = max(len(title) for title, _ in rows)
    lines = []
    for title, values in rows:
        first, *more = values
        lines.append(f"{title:{width}}  {first}")
        lines += [f"{'':{width}}  {value}" for value in more]
    return "\n".join(lines)


def _profile(client: "IsimClient") -> "IsimProfile":
    try:
        return client.read_profile()
    except CardError as error:
        if "PIN1 is needed" in error.meaning:
            raise CardError(
                f"{error}: imslab card read --pin", sw1=error.sw1, sw2=error.sw2, meaning=error.meaning
            ) from None
        raise


def _present_pin(client: "IsimClient", link: "Link", even_the_last: bool) -> None:
    from imslab.uicc.verification import remaining_tries

    left = remaining_tries(link)
    if left is None:
        print("PIN1 is not asked for.")
        return
    if left > 1 or (left and even_the_last):
        print(f"PIN1: {left} {'try remains' if left == 1 else 'tries remain'}.", flush=True)
        client.verify_pin(_ask_pin(), even_the_last=even_the_last)
        return
    client.verify_pin("0000")  # never sent: it says why not


def _ask_pin() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("PIN1", hide_input=True))
    return sys.stdin.readline().strip()


def _profile_file(name: str) -> Path:
    return Path(name) if Path(name).suffix or os.sep in name else profile_path(name)


@contextlib.contextmanager
def _announced(link: "Link", host: str | None) -> Iterator["Link"]:
    """Give ``link`` itself, or one that tells ``host`` what passes."""
    if host is None:
        yield link
        return
    from imslab.net.gsmtap import Announcer

    told = Announcer(link, host)
    try:
        yield told
    finally:
        told.close()


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM end the command as Ctrl-C does: the card leaves its reader, the trace is whole.

    SIGINT, too, is taken up: a shell's script starts what runs in the background with that one ignored.
    """

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _private(file: Path) -> Iterator[BinaryIO]:
    """Open a file for its owner alone: a trace of APDUs holds PINs, CK and IK."""
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        raise ImslabError(f"{file} cannot be written: {error.strerror or error}") from None
    with open(handle, "wb") as octets:
        yield octets
