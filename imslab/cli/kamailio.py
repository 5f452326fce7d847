"""``imslab kamailio``: a real IMS core, configured for the lab's subscribers, with our HSS behind it."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imslab.cli import serving

if TYPE_CHECKING:
    from imslab.kamailio import Configuration
    from imslab.uicc import Profile

app = typer.Typer(
    help="A real IMS core: Kamailio's P-, I- and S-CSCF, with imslab's HSS behind them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_Pcscf = Annotated[str, typer.Option("--p-cscf", help="Address of the P-CSCF.")]
_Icscf = Annotated[str, typer.Option("--i-cscf", help="Address of the I-CSCF.")]
_Scscf = Annotated[str, typer.Option("--s-cscf", help="Address of the S-CSCF.")]
_Hss = Annotated[str, typer.Option("--hss", help="Address of our HSS (Diameter Cx).")]
_Port = Annotated[int, typer.Option(min=1, max=65535, help="SIP over UDP and TCP, of each CSCF.")]
_WsPort = Annotated[int, typer.Option(min=1, max=65535, help="SIP over WebSocket, of the P-CSCF.")]
_Algorithm = Annotated[str, typer.Option(help="What the S-CSCF offers: AKAv1-MD5 or AKAv2-MD5.")]
_Profiles = Annotated[
    list[Path] | None,
    typer.Option("--profile", help="A subscriber's profile (JSON, YAML); default: alice, bob."),
]
_HOME = ("127.0.0.21", "127.0.0.25", "127.0.0.31", "127.0.0.41")


@app.command("write", epilog="Example: imslab kamailio write build/kamailio --algorithm AKAv2-MD5")
def write(
    directory: Annotated[Path, typer.Argument(help="Where the files go.")],
    p_cscf: _Pcscf = _HOME[0],
    i_cscf: _Icscf = _HOME[1],
    s_cscf: _Scscf = _HOME[2],
    hss: _Hss = _HOME[3],
    port: _Port = 5060,
    ws_port: _WsPort = 5080,
    algorithm: _Algorithm = "AKAv1-MD5",
    profile: _Profiles = None,
) -> int:
    """Write the configuration of P-, I- and S-CSCF, to read, to change, and to run elsewhere."""
    profiles = serving.subscribers(profile)
    where = _configuration((p_cscf, i_cscf, s_cscf, hss), port, ws_port, algorithm, profiles)
    for name, file in where.write(directory.absolute()).items():
        print(f"{name}: {file.name}     kamailio -DD -E -f {directory / file.name}")
    print("Start the HSS first (imslab kamailio run starts all four), then S-CSCF, I-CSCF, P-CSCF.")
    return 0


@app.command("run", epilog="Example: imslab kamailio run --algorithm AKAv2-MD5 --trace kamailio.pcapng")
def run(
    p_cscf: _Pcscf = _HOME[0],
    i_cscf: _Icscf = _HOME[1],
    s_cscf: _Scscf = _HOME[2],
    hss: _Hss = _HOME[3],
    port: _Port = 5060,
    ws_port: _WsPort = 5080,
    algorithm: _Algorithm = "AKAv1-MD5",
    profile: _Profiles = None,
    directory: Annotated[
        Path | None, typer.Option(help="Keep configuration and logs here; else they go at the end.")
    ] = None,
    database: Annotated[str, typer.Option(help="SQLite file that keeps the subscribers' SQN.")] = ":memory:",
    trace: Annotated[
        Path | None, typer.Option(help="Write the hops of the core, and Cx, to this pcapng.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Do not print what happens at the HSS.")] = False,
) -> int:
    """Run Kamailio and our HSS until Ctrl-C; prints where the P-CSCF listens and who asks the HSS."""
    profiles = serving.subscribers(profile)
    where = _configuration((p_cscf, i_cscf, s_cscf, hss), port, ws_port, algorithm, profiles)
    return asyncio.run(_serve(where, profiles, directory, database, trace, quiet))


def _configuration(
    hosts: tuple[str, ...], port: int, ws_port: int, algorithm: str, profiles: "list[Profile]"
) -> "Configuration":
    from imslab.kamailio import Configuration

    p_cscf, i_cscf, s_cscf, hss = hosts
    return Configuration(
        p_cscf,
        i_cscf,
        s_cscf,
        hss,
        profiles[0].domain,
        port,
        ws_port,
        algorithm=algorithm,
        trace=(p_cscf, 9060),
    )


async def _serve(
    where: "Configuration",
    profiles: "list[Profile]",
    directory: Path | None,
    database: str,
    trace: Path | None,
    quiet: bool,
) -> int:
    from imslab.kamailio import Kamailio
    from imslab.net.tap import Clock

    stop, clock = serving.stopped_by_signals(), Clock()
    tap = None if trace is None else serving.open_trace(trace, clock, "imslab kamailio: the hops of the core")
    kept = None if directory is None else directory.absolute()
    shown = None if quiet else serving.show
    core = Kamailio(where, directory=kept, database=database, clock=clock, tap=tap, on_event=shown)
    async with core:
        core.add(profiles)
        await serving.serve(core, profiles, tap, stop)
    if tap is not None:
        tap.flush()
    return 0
