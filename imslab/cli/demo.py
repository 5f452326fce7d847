"""``imslab demo``: two phones in a browser, each logged in with its SIM card by one click."""

import asyncio
import signal
from pathlib import Path
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from imslab.errors import ImslabError, NetworkError

if TYPE_CHECKING:
    from imslab.ims.node import Event
    from imslab.web.audit import Entry
    from imslab.web.server import Demo, Ports

_FLUSH = 1.0  # seconds between two writes of the trace
_TRIES = 10  # places for the page and its bridges, ten ports apart
_QUIET = ("connect", "disconnect", "resume")  # of the bridge: what says nothing to a person


def demo(
    host: Annotated[
        str, typer.Option(help="Address that serves the page; another than 127.0.0.1 needs --tls.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65000, help="Port of the page, 0: any; default: 8080 or a free one."),
    ] = None,
    tls: Annotated[
        bool, typer.Option("--tls", help="https and wss, with a certificate made now: for other machines.")
    ] = False,
    reader: Annotated[
        str | None, typer.Option(help="Alice's card is in this PC/SC reader: a part of its name, or auto.")
    ] = None,
    profile: Annotated[
        Path | None, typer.Option(help="What the network knows of the card in the reader (JSON, YAML).")
    ] = None,
    core: Annotated[
        str | None, typer.Option(help="Register at another core: ws://HOST:PORT or wss://HOST:PORT.")
    ] = None,
    answer_only: Annotated[
        bool, typer.Option("--answer-only", help="The bridges answer challenges; pages see no RES, CK, IK.")
    ] = False,
    passwords: Annotated[
        bool, typer.Option("--passwords", help="Open the other two ways to log in: a password, a web token.")
    ] = False,
    trace: Annotated[Path | None, typer.Option(help="Write everything to this pcapng file.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Do not print what happens.")] = False,
) -> int:
    """Run the browser demo until Ctrl-C; prints the two addresses to open, one for each subscriber."""
    from imslab.uicc import Profile

    _check(host, tls, core)
    with asyncio.Runner() as runner:
        settings = {
            "host": host,
            "tls": tls,
            "reader": reader,
            "profile": None if profile is None else Profile.load(profile),
            "core": core,
            "passwords": {name: token_urlsafe(6) for name in ("alice", "bob")} if passwords else None,
            "mode": "answer" if answer_only else "transmit",
            "on_event": None if quiet else _show,
        }
        return runner.run(_serve(settings, port, trace))


def _check(host: str, tls: bool, core: str | None) -> None:
    if not host.startswith("127.") and host != "localhost" and not tls:
        raise ImslabError(f"a browser lets no page of http://{host} use camera or card: add --tls")
    if core is not None and not core.startswith(("ws://", "wss://")):
        raise ImslabError(f"{core} is no WebSocket: write ws://HOST:PORT or wss://HOST:PORT")
    if core is not None and tls and core.startswith("ws://"):
        raise ImslabError("a page of https may not open ws://: take wss://, or leave --tls out")


async def _serve(settings: dict[str, object], port: int | None, trace: Path | None) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    file = None if trace is None else _open(trace)
    codes = _Codes()
    demo = await _started({**settings, "trace": file, "on_code": codes}, port)
    try:
        _introduce(demo)
        codes.show(demo)
        while not stop.is_set():
            await _sleep_or(stop, _FLUSH if file else None)
            demo.flush()
    finally:
        await demo.close()
        if file is not None and trace is not None:
            octets = demo.recording()
            file.close()
            trace.write_bytes(octets)
            print(f"The trace is in {trace}: imslab inspect {trace}, or Wireshark.")
    return 0


class _Codes:
    """Prints a pairing code that is new: the first ones stand in the addresses."""

    def __init__(self) -> None:
        self._demo: Demo | None = None

    def show(self, demo: "Demo") -> None:
        """Print the codes that come from now on."""
        self._demo = demo

    def __call__(self, name: str, code: str) -> None:
        """Print the next code, with the address that uses it."""
        if self._demo is not None:
            print(f"another page of {name}: {self._demo.page(name)}   (code {code})", flush=True)


async def _started(settings: dict[str, object], port: int | None) -> "Demo":
    """Start the demo: where it was told to, or at the first ports that are free."""
    from imslab.web.server import Demo, Ports

    places = (
        [_ports(port)]
        if port is not None
        else [Ports(web=8080 + 10 * n, bridge=8081 + 10 * n) for n in range(_TRIES)]
    )
    for place in places:
        demo = Demo(ports=place, **settings)  # type: ignore[arg-type]
        try:
            await demo.start()
        except NetworkError as error:
            taken = error
        else:
            return demo
    raise NetworkError(f"{taken}; choose another with --port")


def _ports(port: int) -> "Ports":
    from imslab.web.server import Ports

    return Ports(web=port, bridge=port and port + 1)


def _introduce(demo: "Demo") -> None:
    print("Open these two addresses in Chromium or Firefox, and click Log in:")
    for name in demo.people:
        print(f"  {name}: {demo.page(name)}")
    print("Each holds a code that pairs the page with that subscriber's card; it is good once.")
    for person in demo.people.values():
        if problem := person.card_problem():
            print(f"The page will ask for {person.name}'s card: {problem}")
    for name, password in demo.passwords.items():
        print(f"Password of {name}, in the settings of the page: {password}")
    if demo.certificate is not None:
        print("The certificate was made now, and your browser will ask: its SHA-256 fingerprint must be")
        print(f"  {demo.certificate.fingerprint.hex(':')}")
    print(f"Health: {demo.origin}/health    Ctrl-C stops.", flush=True)


def _show(event: "Event | Entry") -> None:
    from imslab.web.audit import Entry

    if isinstance(event, Entry):
        if event.what not in _QUIET or event.outcome != "ok":
            print(f"bridge: {event}", flush=True)
        return
    why = f" ({event.why})" if event.why else ""
    print(f"{event.node}: {event.what} {event.about}{why}".rstrip(), flush=True)


async def _sleep_or(stop: asyncio.Event, seconds: float | None) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("w+b")
    except OSError as error:
        raise ImslabError(f"{path} cannot be written: {error.strerror or error}") from None
