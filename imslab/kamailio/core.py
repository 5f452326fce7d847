"""Kamailio at work: three processes, our HSS behind them, and the same face as the embedded core.

Start: HSS, S-CSCF, I-CSCF, P-CSCF, each waited for. Stop: SIGTERM to each process group, SIGKILL after five
seconds. Nothing is left behind but what is written into ``directory``, when one is given.
"""

import asyncio
import os
import re
import shutil
import signal
import socket
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from imslab.errors import NetworkError
from imslab.ims import Address, Hss
from imslab.ims.node import Event, RandomSource
from imslab.kamailio.configuration import CSCFS, Configuration
from imslab.net.hep import SIP, TCP, Copy, HepListener
from imslab.net.hss import HssServer
from imslab.net.randomness import Randomness
from imslab.net.tap import Clock, Tap
from imslab.net.udp import cannot_bind
from imslab.uicc.profile import Profile

PACKAGES = (
    "kamailio",
    "kamailio-ims-modules",
    "kamailio-presence-modules",
    "kamailio-websocket-modules",
    "kamailio-tls-modules",
    "kamailio-extra-modules",
)
INSTALL = f"sudo apt install {' '.join(PACKAGES)}"
_START = 20.0  # seconds that a CSCF may take until it listens and has found the HSS
_QUIET = 0.1  # seconds without a copy after which nothing more is on its way
_STOP = 5.0  # seconds that it may take to end
_FAULT = re.compile(r"(?:CRITICAL|ERROR): (?!ims_ipsec_pcscf)(.*)")


def missing() -> str:
    """Say what of Kamailio is not installed, with the command that brings it; "" when all is there."""
    if shutil.which("kamailio", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin") is None:
        return f"kamailio is not installed: {INSTALL}"
    return ""


class Kamailio:
    """A home network of Kamailio's P-CSCF, I-CSCF and S-CSCF, with our HSS.

    It has what ``imslab.net.core.Core`` has: ``start``, ``add``, ``addresses``, ``hss``, ``close``.

    ``directory``  where configuration and logs go; None: a temporary one that goes with the core
    ``tap``        records the hops between the CSCFs (as Kamailio mirrors them) and Cx
    """

    def __init__(
        self,
        configuration: Configuration | None = None,
        *,
        directory: Path | None = None,
        database: str = ":memory:",
        random: RandomSource | None = None,
        clock: Clock | None = None,
        tap: Tap | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        self.configuration = configuration or Configuration()
        self.clock, self.tap = clock or Clock(), tap
        self.domain, self.host = self.configuration.domain, self.configuration.pcscf
        self.hss = Hss(database, random=random or Randomness())
        self.addresses: dict[str, Address] = {}
        self.directory = directory or Path()
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._is_temporary = directory is None
        self._on_event = on_event
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._hep: HepListener | None = None
        self._last_copy = 0.0
        # Kamailio takes the FQDN of its peer for the address to connect to, and compares it with Origin-Host.
        self.cx = HssServer(
            self.hss,
            host=self.configuration.hss,
            port=self.configuration.diameter_port,
            identity=self.configuration.hss,
            realm=self.domain,
            clock=self.clock,
            tap=tap,
            on_event=on_event,
        )

    async def start(self) -> None:
        """Start all; NetworkError, and nothing left running, when one does not come up or is missing."""
        if reason := missing():
            raise NetworkError(reason)
        try:
            await self._start()
        except BaseException:
            self.close()
            raise

    async def __aenter__(self) -> "Kamailio":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def add(self, profiles: Iterable[Profile]) -> None:
        """Make these cards' owners subscribers."""
        for profile in profiles:
            self.hss.add(profile)

    async def restart(self, name: str) -> None:
        """Stop one CSCF ("pcscf", "icscf" or "scscf") and start it again: it has forgotten everything."""
        await self._end(name)
        await self._run(name)

    async def stop(self) -> None:
        """Stop all and wait for their end."""
        self.cx.close()
        for name in reversed(CSCFS):
            await self._end(name)
        self.close()

    def close(self) -> None:
        """Kill what still runs, without waiting; a core can be closed twice."""
        self.cx.close()
        for process in self._processes.values():
            _signal(process, signal.SIGKILL)
        self._processes.clear()
        if self._hep is not None:
            self._hep.close()
            self._hep = None
        self.hss.close()
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None

    async def settled(self, seconds: float = 2.0) -> None:
        """Wait until no copy of a message has come for ``_QUIET`` seconds, ``seconds`` at most."""
        end = self.clock() + seconds
        while self.clock() < min(end, self._last_copy + _QUIET):
            await asyncio.sleep(_QUIET / 5)

    def log(self, name: str) -> str:
        """Return what a CSCF has written so far."""
        path = self.directory / f"{name}.log"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    async def _start(self) -> None:
        where = self.configuration
        if self._is_temporary:
            self._temporary = tempfile.TemporaryDirectory(prefix="imslab-kamailio-")
            self.directory = Path(self._temporary.name)
        for name in CSCFS:
            _must_be_free(getattr(where, name), where.port)
        _must_be_free(where.pcscf, where.websocket_port)
        self._hep = await HepListener.bind(*where.trace, self._seen)
        where.write(self.directory)
        await self.cx.start()
        for name in CSCFS:
            await self._run(name)
        self.addresses = {
            "UDP": Address(where.pcscf, where.port),
            "TCP": Address(where.pcscf, where.port, "TCP"),
            "WS": Address(where.pcscf, where.websocket_port, "WS"),
        }

    async def _run(self, name: str) -> None:
        file, run = self.directory / f"{name}.cfg", self.directory / name
        run.mkdir(exist_ok=True)
        program = shutil.which("kamailio") or "/usr/sbin/kamailio"
        options = ("-DD", "-E", "-f", str(file), "-P", str(run / "pid"), "-w", str(run), "-Y", str(run))
        with (self.directory / f"{name}.log").open("ab") as log:
            self._processes[name] = await asyncio.create_subprocess_exec(
                program, *options, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        try:
            async with asyncio.timeout(_START):
                while not await self._is_up(name):
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise NetworkError(
                f"Kamailio's {name} is not ready after {_START:g} s: {self._fault(name)}"
            ) from None

    async def _is_up(self, name: str) -> bool:
        """Tell whether a CSCF listens and, where it needs one, has the HSS as its peer."""
        if self._processes[name].returncode is not None:
            raise NetworkError(f"Kamailio's {name} ended at once: {self._fault(name)}")
        where = self.configuration
        if name != "pcscf" and f"{name}.{self.domain}" not in self.cx.peers:
            return False
        try:
            _, writer = await asyncio.open_connection(getattr(where, name), where.port)
        except OSError:
            return False
        writer.close()
        return True

    def _fault(self, name: str) -> str:
        """Return the last thing that a CSCF complained about."""
        found = _FAULT.findall(self.log(name))
        return found[-1] if found else f"its log says nothing ({name}.log)"

    async def _end(self, name: str) -> None:
        process = self._processes.pop(name, None)
        if process is None:
            return
        _signal(process, signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), _STOP)
        except TimeoutError:
            _signal(process, signal.SIGKILL)
            await process.wait()

    def _seen(self, copy: Copy) -> None:
        """Record a hop between two CSCFs, once: as the one saw it to whom it came, before it did anything.

        What passes between a terminal and the P-CSCF is recorded by the terminal, as it stood on the wire.
        """
        self._last_copy = self.clock()
        inside = {getattr(self.configuration, name) for name in CSCFS}
        hop = {copy.source[0], copy.destination[0]}
        receiver = getattr(self.configuration, _AGENTS.get(copy.agent, "pcscf"))
        if self.tap is None or copy.type != SIP or not hop <= inside or copy.destination[0] != receiver:
            return
        source, destination = (Address(*end) for end in (copy.source, copy.destination))
        if copy.protocol == TCP:
            self.tap.stream(source, destination, copy.payload, at=copy.at)
        else:
            self.tap.datagram(source, destination, copy.payload, at=copy.at)


_AGENTS = {1: "pcscf", 2: "icscf", 3: "scscf"}  # hep_capture_id in the templates


def _must_be_free(host: str, port: int) -> None:
    """Raise NetworkError when somebody listens there: his answers would be taken for Kamailio's."""
    for kind, transport in ((socket.SOCK_DGRAM, "UDP"), (socket.SOCK_STREAM, "TCP")):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:  # connections that have ended do not matter, listeners do
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                raise cannot_bind(error, host, port, transport) from None


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return
