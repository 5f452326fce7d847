"""``imslab core``: the embedded core alone, for other people's clients."""

import asyncio
import gc
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imslab.cli import serving
from imslab.errors import Malformed

if TYPE_CHECKING:
    from imslab.net.esp import EspWay
    from imslab.uicc import Profile

_PROVENANCE = "imslab core: live, from the core's side"


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
    hss: Annotated[
        str | None,
        typer.Option(
            help="Ask a foreign HSS over Diameter Cx (aaa://HOST:PORT): it knows the subscribers, and"
            " --profile gives the domain alone."
        ),
    ] = None,
    esp: Annotated[
        str | None,
        typer.Option(
            help="Protect UDP and TCP with IPsec where a client asks: udp (RFC 3948), or raw (root)."
        ),
    ] = None,
    esp_port: Annotated[int, typer.Option(min=0, max=65535, help="ESP in UDP; 0: any.")] = 4500,
    trace: Annotated[Path | None, typer.Option(help="Write everything to this pcapng file.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Do not print what happens.")] = False,
) -> int:
    """Run P-CSCF, S-CSCF and HSS until Ctrl-C; prints where they listen and what happens."""
    from imslab.ims.scscf import ALGORITHMS, Policy

    if hss is not None and database != ":memory:":
        raise Malformed("--database is for our own HSS, --hss for a foreign one", expected="one of them")
    profiles = serving.subscribers(profile)
    policy = Policy(algorithms=tuple(algorithm or ALGORITHMS), qop=qop)
    settings = {
        "host": host,
        "port": port,
        "websocket_port": ws_port,
        "domain": profiles[0].domain,
        "policy": policy,
        "origins": tuple(origin or ()),
        "hss": hss,
        "database": database,
        "esp": None if esp is None else _way(esp, esp_port),
        "on_event": None if quiet else serving.show,
    }
    with _runner() as runner:
        return runner.run(_serve(settings, profiles if hss is None else [], trace))


def _way(name: str, port: int) -> "EspWay":
    from imslab.net.esp import EspInUdp, EspOverIp

    if name not in ("udp", "raw"):
        raise Malformed(f"--esp {name[:40]}", expected="udp or raw")
    return EspInUdp(port) if name == "udp" else EspOverIp()


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

    stop, clock = serving.stopped_by_signals(), Clock()
    tap = None if trace is None else serving.open_trace(trace, clock, _PROVENANCE)
    core = Core(clock=clock, tap=tap, **settings)  # type: ignore[arg-type]
    try:
        await core.start()
        core.add(profiles)
        if core.esp is not None:
            where = f"in UDP on {core.host}:{core.esp.port}" if core.esp.port else f"on {core.host}"
            print(f"P-CSCF takes ESP {where}")
        # What is there now stays; what comes and goes is mostly freed by its reference count.
        gc.freeze()
        gc.set_threshold(20_000, 50, 100)
        await serving.serve(core, profiles, tap, stop)
    finally:
        core.close()
        if tap is not None:
            tap.flush()
    return 0
