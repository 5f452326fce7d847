"""The home network of a live lab: a core, the tap that records it, and the addresses that name its nodes."""

import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from imslab.errors import ImslabError, Malformed, NetworkError
from imslab.ims.scscf import Policy
from imslab.net.esp import EspInUdp, EspLink, EspOverIp, EspWay
from imslab.net.remote_hss import address_of
from imslab.net.tap import Clock, Tap
from imslab.net.trace import TraceWriter

if TYPE_CHECKING:
    from imslab.ims.node import Address, Event, RandomSource
    from imslab.kamailio import Kamailio
    from imslab.net.core import Core
    from imslab.net.gba import WebOperator

EMBEDDED, KAMAILIO = "embedded", "kamailio"
# How ESP goes between a terminal and the P-CSCF.
ESP_WAYS: dict[str, Callable[[], EspWay]] = {"link": EspLink, "udp": EspInUdp, "raw": EspOverIp}
# The last octet of each node's address; the names are the columns of a ladder.
_HOSTS = {
    "alice": 11,
    "alice's card": 111,
    "bob": 12,
    "bob's card": 112,
    "p-cscf": 21,
    "s-cscf": 31,
    "hss": 41,
}
_MORE_HOSTS = {KAMAILIO: {"i-cscf": 25}}
_WEB_HOSTS = {"bsf": 51, "naf": 61}  # named in the trace when they are there
_PROVENANCE = {
    EMBEDDED: "imslab: a live run of software cards, UEs and the embedded core",
    KAMAILIO: "imslab: a live run of software cards and UEs on Kamailio, with imslab's HSS",
}
_BLOCKS = range(50)  # labs side by side on one machine: 127.0.0.x, 127.0.1.x, ...
_HEP_PORT = 9060


class HomeNetwork:
    """A core that is recorded from its first packet on. Labs side by side take different addresses.

    ``kind``    "embedded" or "kamailio"
    ``policy``  what the embedded S-CSCF offers; Kamailio offers the first of its algorithms
    ``hss``     a foreign HSS that the embedded S-CSCF asks, "aaa://HOST:PORT"; None: our own
    ``esp``     how ESP goes to the embedded P-CSCF: "link", "udp" or "raw"
    """

    def __init__(
        self,
        kind: str,
        *,
        policy: Policy | None,
        hss: str | None = None,
        esp: str = "link",
        clock: Clock,
        random: "RandomSource",
        on_event: "Callable[[Event], None]",
    ) -> None:
        self.kind, self.clock, self.random = kind, clock, random
        self._policy, self._on_event, self._hss = policy, on_event, hss
        self.esp = None if kind == KAMAILIO else ESP_WAYS[esp]()
        self.hosts: dict[str, str] = {}
        self.web: WebOperator | None = None
        self._file = io.BytesIO()
        self.tap: Tap
        self.core: Core | Kamailio

    async def start(self) -> None:
        """Start the core on the first addresses that are free; NetworkError when none are."""
        for block in _BLOCKS:
            last = {**_HOSTS, **_MORE_HOSTS.get(self.kind, {})}
            self.hosts = {name: f"127.0.{block}.{octet}" for name, octet in last.items()}
            if self._hss is not None:
                self.hosts["hss"] = address_of(self._hss).host
            self._file = io.BytesIO()
            writer = TraceWriter(self._file, comment=_PROVENANCE[self.kind])
            self.tap = Tap(writer, self.clock, hss=self.hosts["hss"])
            core = self._make()
            try:
                await core.start()
            except NetworkError as error:
                core.close()
                if "is in use" not in str(error):
                    raise
                taken = error
                continue  # another notebook's lab is there: take the next block of addresses
            self.core = core
            break
        else:
            raise taken
        for name, host in self.hosts.items():
            self.tap.writer.name(host, name)

    @property
    def knows_subscribers(self) -> bool:
        """Whether the HSS is ours, so that the lab tells it who its subscribers are."""
        return self._hss is None

    @property
    def ue_tap(self) -> Tap | None:
        """The tap of a terminal: the embedded core tells by itself what passes between them."""
        return self.tap if self.kind == KAMAILIO else None

    def proxy(self, transport: str) -> "Address":
        """Return where the P-CSCF listens; Malformed for a transport that it does not have."""
        if transport not in self.core.addresses:
            raise Malformed(f"unknown transport {transport!r}", expected="UDP, TCP or WS")
        return self.core.addresses[transport]

    async def operator(self) -> "WebOperator":
        """Return the BSF and the web application, which begin to run when they are first asked for."""
        from imslab.net.gba import WebOperator

        if self.web is None:
            block = self.core.host.rpartition(".")[0]
            hosts = {name: f"{block}.{last}" for name, last in _WEB_HOSTS.items()}
            web = WebOperator(
                self.core.hss.ask, hosts=hosts, random=self.random, clock=self.clock, tap=self.tap
            )
            await web.start()
            self.web = web
            for name, host in hosts.items():
                self.tap.writer.name(host, name)
        return self.web

    async def settled(self) -> None:
        """Wait until what others have seen is told: Kamailio's copies come a moment after the messages."""
        if self.kind == KAMAILIO:
            await self.core.settled()  # type: ignore[union-attr]

    def octets(self) -> bytes:
        """Return the trace so far, with the secrets of its calls at its head."""
        self.tap.flush()
        return self.tap.writer.with_secrets(self._file.getvalue())

    async def stop(self) -> None:
        """Stop the core, and wait until it has stopped."""
        if self.kind == KAMAILIO:
            await self.core.stop()  # type: ignore[union-attr]
        self.close()

    def close(self) -> None:
        """Close every socket, at once."""
        if self.web is not None:
            self.web.close()
            self.web = None
        self.core.close()

    def _make(self) -> "Core | Kamailio":
        common: dict[str, Any] = {
            "random": self.random, "clock": self.clock, "tap": self.tap, "on_event": self._on_event,
        }  # fmt: skip
        host = self.hosts
        if self.kind == EMBEDDED:
            from imslab.net.core import Core

            common |= {"policy": self._policy, "hss": self._hss, "esp": self.esp}
            return Core(host=host["p-cscf"], scscf=host["s-cscf"], **common)
        from imslab.kamailio import Configuration, Kamailio

        where = Configuration(
            pcscf=host["p-cscf"],
            icscf=host["i-cscf"],
            scscf=host["s-cscf"],
            hss=host["hss"],
            algorithm=self._algorithm(),
            trace=(host["p-cscf"], _HEP_PORT),
        )
        return Kamailio(where, **common)

    def _algorithm(self) -> str:
        """Return what Kamailio offers: the strongest it knows, or the first that the policy names."""
        from imslab.kamailio.configuration import ALGORITHMS

        wanted: Sequence[str] = ALGORITHMS[::-1] if self._policy is None else self._policy.algorithms
        known = [name for name in wanted if name in ALGORITHMS]
        if not known:
            raise ImslabError(f"Kamailio knows none of {', '.join(wanted)}: offer {' or '.join(ALGORITHMS)}")
        return known[0]
