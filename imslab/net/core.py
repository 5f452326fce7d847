"""The embedded core: P-CSCF, S-CSCF and HSS in one process, on one address.

The P-CSCF listens on UDP, TCP and WebSocket. The hop to the S-CSCF and the questions to the HSS
stay in memory, and are written into the trace as if they had crossed a wire. A foreign HSS can take the
place of our own: then the S-CSCF asks over Diameter Cx.
"""

import ssl
from collections.abc import Callable, Iterable
from typing import Any

from imslab.errors import ImslabError
from imslab.ims import Address, Hss, Pcscf, Scscf
from imslab.ims import cx as cx_values
from imslab.ims.node import Event, RandomSource
from imslab.ims.procedure import Later
from imslab.ims.scscf import Policy
from imslab.ims.webrtc_access import EnhancedPcscf, Vouch, WebScscf
from imslab.ipsec import TRANSFORMS
from imslab.net import cx, diameter
from imslab.net.drive import Driver
from imslab.net.esp import EspWay
from imslab.net.randomness import Randomness
from imslab.net.remote_hss import RemoteHss, address_of
from imslab.net.stream import StreamWire, TcpConnection
from imslab.net.tap import Clock, Tap
from imslab.net.udp import UdpWire
from imslab.net.websocket import WebSocketConnection
from imslab.uicc.profile import Profile

DOMAIN = "ims.mnc001.mcc001.3gppnetwork.org"
SIP_PORT, WEBSOCKET_PORT = 5060, 5080


class Core:
    """A home network that fits into a cell.

    ``host``      where the P-CSCF listens; ``port`` 0 takes any free one
    ``scscf``     address that the S-CSCF has in the trace; nothing listens there
    ``hss``       a foreign HSS, "aaa://HOST:PORT": subscribers are provisioned there; None: our own
    ``policy``    what the S-CSCF offers and allows
    ``database``  an SQLite file for the subscribers, or ":memory:"
    ``origins``   web origins that may open a WebSocket
    ``vouch``     opens the other ways of TS 33.203, annex X: it says whose a token of the web server is, and
                  subscribers with a password may log in with it; None: IMS AKA alone
    ``tls``       the WebSocket is within TLS (wss); the trace shows what is inside
    ``esp``       how ESP comes to the P-CSCF; without a way for it, it offers no IPsec
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.21",
        port: int = SIP_PORT,
        websocket_port: int = WEBSOCKET_PORT,
        scscf: str = "127.0.0.31",
        domain: str = DOMAIN,
        policy: Policy | None = None,
        hss: str | None = None,
        database: str = ":memory:",
        origins: tuple[str, ...] = (),
        random: RandomSource | None = None,
        clock: Clock | None = None,
        tap: Tap | None = None,
        on_event: Callable[[Event], None] | None = None,
        tls: ssl.SSLContext | None = None,
        vouch: Vouch | None = None,
        esp: EspWay | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self.tap = tap
        self.domain, self.host = domain, host
        self._ports = (port, websocket_port)
        self._scscf_address = Address(scscf, SIP_PORT)
        self._policy, self._origins, self._random = policy, origins, random or Randomness()
        self._on_event, self._tls, self._vouch = on_event, tls, vouch
        self.esp = esp
        self._hss_address = None if hss is None else address_of(hss)
        self._hss = Hss(database, random=self._random) if hss is None else None
        self._remote: RemoteHss | None = None
        self.addresses: dict[str, Address] = {}
        self._driver: Driver | None = None
        self.pcscf: Pcscf | None = None
        self.scscf: Scscf | None = None

    async def start(self) -> None:
        """Open the sockets and go to work.

        Raises NetworkError, with nothing left open, when an address is taken or no foreign HSS answers.
        """
        driver = Driver(self.clock, self.tap, on_event=self._on_event)
        port, websocket_port = self._ports
        tcp, websocket = StreamWire(driver, TcpConnection), StreamWire(driver, WebSocketConnection)
        udp = await UdpWire.bind(driver, self.host, port)
        try:
            # TCP takes the port that UDP has got: a UE that knows one knows both (RFC 3263, 4.2).
            await tcp.listen(self.host, udp.address.port)
            await websocket.listen(self.host, websocket_port, self._tls)
            esp = None if self.esp is None else await self.esp.open(driver, self.host, server=True)
        except BaseException:
            for wire in (udp, tcp, websocket):
                wire.close()
            raise
        self.addresses = {"UDP": udp.address, "TCP": tcp.address, "WS": websocket.address}
        pcscf, scscf = self._nodes(udp.address)
        driver.add(pcscf, scscf)
        udp.serve(pcscf)
        tcp.serve(pcscf, "TCP")
        websocket.serve(pcscf, "WS")
        if esp is not None:
            esp.serve(pcscf)
        self._driver, self.pcscf, self.scscf = driver, pcscf, scscf
        if self._hss_address is not None:
            self._remote = self._foreign(self._hss_address, driver, scscf)
            try:
                await self._remote.start()
            except BaseException:
                self.close()
                raise

    @property
    def hss(self) -> Hss:
        """Our own HSS; ImslabError when there is a foreign one in its place."""
        if self._hss is None:
            raise ImslabError(f"the HSS is at {self._hss_address}: subscribers are provisioned there")
        return self._hss

    def add(self, profiles: Iterable[Profile]) -> None:
        """Make these cards' owners subscribers."""
        for profile in profiles:
            self.hss.add(profile)

    def close(self) -> None:
        """Close all sockets and the database."""
        if self._driver is not None:
            self._driver.close()
            self._driver = None
        if self._remote is not None:
            self._remote.close()
            self._remote = None
        if self._hss is not None:
            self._hss.close()

    def _foreign(self, address: Address, driver: Driver, scscf: Scscf) -> RemoteHss:
        host = self._scscf_address.host
        node = diameter.Node(f"scscf.{self.domain}", self.domain, host, cx.APPLICATION)
        return RemoteHss(
            address,
            node,
            random=self._random,
            pushed=scscf.pushed,
            after=lambda: driver.step(scscf),
            # On this machine the S-CSCF has an address of its own, and a ladder a column for it.
            host=host if address.host.startswith("127.") else None,
            clock=self.clock,
            tap=self.tap,
            on_event=self._on_event,
        )

    def _nodes(self, address: Address) -> tuple[Pcscf, Scscf]:
        common: dict[str, Any] = {"random": self._random}
        access = {**common, "origins": self._origins, "ipsec": () if self.esp is None else TRANSFORMS}
        towards = (address, self._scscf_address, self.domain)
        serving = (self._scscf_address, self.domain, self._ask)
        if self._vouch is None:
            pcscf = Pcscf(*towards, **access)
            return pcscf, Scscf(*serving, policy=self._policy, **common)
        pcscf = EnhancedPcscf(*towards, vouch=self._vouch, **access)
        return pcscf, WebScscf(*serving, policy=self._policy, **common)

    def _ask(self, request: cx_values.Request, now: float) -> cx_values.Answer | Later:
        if self._remote is not None:
            return self._remote.ask(request, now)
        asked = self.clock() if self.tap is not None else 0.0
        answer = self.hss.ask(request, now)
        if self.tap is not None:
            self.tap.asked(self._scscf_address, request, answer, asked, self.clock())
        return answer
