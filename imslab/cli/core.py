"""``imslab core``: the embedded core alone, for other people's clients."""

import asyncio
import gc
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imslab.data import profile_path
from imslab.errors import ImslabError, Malformed

if TYPE_CHECKING:
    from imslab.ims.node import Event
    from imslab.net.core import Core
    from imslab.net.tap import Tap
    from imslab.uicc import Profile

_FLUSH = 1.0  # seconds between two writes of the trace


def core(
    host: Annotated[str, typer.Option(help="Address that the P-CSCF listens on.")] = "127.0.0.21",
    port: Annotated[int, typer.Option(min=0, max=65535, help="SIP over UDP and TCP; 0: any.")] = 5060,
    ws_port: Annotated[int, typer.Option(min=0, max=65535, help="SIP over WebSocket; 0: any.")] = 5080,
    profile: Annotated[
        list[Path] | None, typer.Option(help="A subscriber's profile (JSON, YAML); default: alice, bob.")
    ] = None,
    algorithm: Annotated[
        list[str] | None, typer.Option(help="Offer this digest algorithm; several in this order.")
    ] = None,
    qop: Annotated[str, typer.Option(help="Quality of protection to offer.")] = "auth",
    origin: Annotated[
        list[str] | None, typer.Option(help="A web origin whose pages may open a WebSocket.")
    ] = None,
    database: Annotated[str, typer.Option(help="SQLite file that keeps the subscribers' SQN.")] = ":memory:",
    trace: Annotated[Path | None, typer.Option(help="Write everything to this pcapng file.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Do not print what happens.")] = False,
) -> int:
    """Run P-CSCF, S-CSCF and HSS until Ctrl-C; prints where they listen and what happens."""
    from imslab.ims.scscf import ALGORITHMS, Policy
    from imslab.uicc import Profile

    profiles = [Profile.load(path) for path in profile or map(profile_path, ("alice", "bob"))]
    domains = sorted({p.domain for p in profiles})
    if len(domains) > 1:
        raise Malformed(f"the profiles have several domains: {', '.join(domains)}", expected="one")
    policy = Policy(algorithms=tuple(algorithm or ALGORITHMS), qop=qop)
    settings = {
        "host": host,
        "port": port,
        "websocket_port": ws_port,
        "domain": domains[0],
        "policy": policy,
        "origins": tuple(origin or ()),
        "database": database,
        "on_event": None if quiet else _show,
    }
    with _runner() as runner:
        return runner.run(_serve(settings, profiles, trace))


def _runner() -> asyncio.Runner:
    """Return a runner on uvloop where it is installed, for its faster sockets."""
    try:
        import uvloop
    except ImportError:  # Windows has none
        return asyncio.Runner()
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


async def _serve(settings: dict[str, object], profiles: "list[Profile]", trace: Path | None) -> int:
    from imslab.net.core import Core
    from imslab.net.tap import Clock

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    clock = Clock()
    tap = None if trace is None else _open_trace(trace, clock)
    core = Core(clock=clock, tap=tap, **settings)  # type: ignore[arg-type]
    try:
        await core.start()
        core.add(profiles)
        # What is there now stays; what comes and goes is mostly freed by its reference count.
        gc.freeze()
        gc.set_threshold(20_000, 50, 100)
        _introduce(core, profiles)
        while not stop.is_set():
            await _sleep_or(stop, _FLUSH if tap else None)
            if tap is not None:
                tap.flush()
    finally:
        core.close()
        if tap is not None:
            tap.flush()
    return 0


async def _sleep_or(stop: asyncio.Event, seconds: float | None) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return


def _open_trace(path: Path, clock: object) -> "Tap":
    from imslab.net.tap import Tap
    from imslab.net.trace import TraceWriter

    try:
        file = path.open("wb")
    except OSError as error:
        raise ImslabError(f"{path} cannot be written: {error.strerror or error}") from None
    writer = TraceWriter(file, comment="imslab core: live, from the core's side")
    return Tap(writer, clock)  # type: ignore[arg-type]


def _introduce(core: "Core", profiles: "list[Profile]") -> None:
    for transport, address in core.addresses.items():
        print(f"P-CSCF listens on {address.host}:{address.port} ({transport})")
    for profile in profiles:
        print(f"subscriber {profile.impi}: {profile.impu[0]}")
    print("Ctrl-C stops.", flush=True)


def _show(event: "Event") -> None:
    about = f" {event.about}" if event.about else ""
    why = f" ({event.why})" if event.why else ""
    print(f"{event.node}: {event.what}{about}{why}", flush=True)
