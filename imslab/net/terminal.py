"""A terminal: the UE machine with a card in it and a socket under it."""

import asyncio
import os
from collections.abc import Callable
from typing import Protocol

from imslab.errors import ImslabError, NetworkError, RegistrationFailed
from imslab.ims import Address, Node, Ue
from imslab.ims.node import Event, RandomSource
from imslab.ims.requests import Identity
from imslab.ims.ue import EXPIRES, CardAnswer, Registered, State
from imslab.net.drive import Driver
from imslab.net.stream import StreamWire, TcpConnection
from imslab.net.tap import Clock, Tap
from imslab.net.udp import UdpWire
from imslab.net.websocket import WebSocketConnection, open_websocket

_PATIENCE = 40.0  # seconds; the transaction gives up after 32


class Authenticator(Protocol):
    """A card, as seen by the terminal: ``imslab.uicc.IsimClient`` is one."""

    def authenticate(self, rand: bytes, autn: bytes) -> CardAnswer:
        """Return RES, CK and IK, or raise MacFailure, SyncFailure or CardError."""
        ...


class Terminal:
    """One subscriber's terminal on one transport.

    ``card``        answers AUTHENTICATE; ``slow`` when it is a real one, which must not block the loop
    ``after_card``  called after each answer of the card, for the trace
    ``origin``      the web origin that a WebSocket handshake names
    """

    def __init__(
        self,
        identity: Identity,
        card: Authenticator,
        proxy: Address,
        *,
        host: str,
        slow: bool = False,
        algorithm: str | None = None,
        expires: int = EXPIRES,
        origin: str | None = None,
        random: RandomSource = os.urandom,
        clock: Clock | None = None,
        tap: Tap | None = None,
        on_event: Callable[[Event], None] | None = None,
        after_card: Callable[[], None] | None = None,
    ) -> None:
        self.identity, self.proxy, self.host = identity, proxy, host
        self._card, self._slow, self._after_card = card, slow, after_card
        self._algorithm, self._expires, self._origin, self._random = algorithm, expires, origin, random
        self.clock = clock or Clock()
        self._driver = Driver(self.clock, tap, on_event=on_event, after=self._after)
        self.ue: Ue | None = None
        self._stream: StreamWire | None = None
        self._waiting: asyncio.Future[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Open the socket towards the P-CSCF; NetworkError when that fails."""
        transport = self.proxy.transport
        if transport == "UDP":
            udp = await UdpWire.bind(self._driver, self.host, 0)
            self.ue = self._machine(udp.address)
            udp.serve(self.ue)
            return
        if transport not in ("TCP", "WS"):
            raise NetworkError(f"unknown transport {transport}: choose UDP, TCP or WS")
        wire = StreamWire(self._driver, TcpConnection if transport == "TCP" else WebSocketConnection)
        self._stream = wire
        if transport == "TCP":
            await wire.connect(self.proxy, self.host)
        else:
            await open_websocket(wire, self.proxy, local_host=self.host, origin=self._origin)
        self.ue = self._machine(wire.address)
        wire.serve(self.ue, transport)

    async def register(self, algorithm: str | None = None) -> Registered:
        """Register and return what the network granted.

        Raises RegistrationFailed, MacFailure (the network did not prove itself) or CardError.
        """
        ue = await self._ready()
        if algorithm is not None:
            ue.algorithm = algorithm
        ue.register(self.clock())
        await self._settled(ue)
        assert ue.registered is not None
        return ue.registered

    async def deregister(self) -> None:
        """Leave the network."""
        ue = await self._ready()
        ue.deregister(self.clock())
        await self._settled(ue)

    async def subscribe(self) -> dict[str, str]:
        """Subscribe to the reg event and return the first report: public identity -> state."""
        ue = await self._ready()
        ue.reginfo = {}
        ue.subscribe(self.clock())
        self._driver.step(ue)
        for _ in range(100):
            if ue.reginfo:
                break
            await asyncio.sleep(0.02)
        return dict(ue.reginfo)

    def close(self) -> None:
        """Close the socket; a registration is left to run out."""
        for task in self._tasks:
            task.cancel()
        self._driver.close()
        self.ue, self._stream = None, None

    async def _ready(self) -> Ue:
        if self._stream is not None and not self._stream.connections:
            self.close()  # the P-CSCF has hung up: begin anew
        if self.ue is None:
            await self.open()
        assert self.ue is not None
        return self.ue

    def _machine(self, address: Address) -> Ue:
        ue = Ue(
            self.identity,
            address,
            self.proxy,
            random=self._random,
            algorithm=self._algorithm,
            expires=self._expires,
        )
        self._driver.add(ue)
        return ue

    async def _settled(self, ue: Ue) -> None:
        """Carry on until the machine stands still, and raise what it failed with."""
        self._waiting = asyncio.get_running_loop().create_future()
        self._driver.step(ue)
        try:
            await asyncio.wait_for(self._waiting, _PATIENCE)
        except TimeoutError:
            raise RegistrationFailed(
                f"no end after {_PATIENCE:.0f} s", status=None, advice=f"is {self.proxy} reachable?"
            ) from None
        finally:
            self._waiting = None
        if ue.failure is not None:
            raise ue.failure

    def _after(self, node: Node) -> None:
        """Look, after each step, whether the card is wanted or the procedure has ended."""
        assert isinstance(node, Ue)
        if (request := node.card_request()) is not None:
            if self._slow:
                task = asyncio.ensure_future(self._ask_slow_card(node, request.rand, request.autn))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            else:
                self._answered(node, self._ask_card(request.rand, request.autn))
        elif node.state in (State.REGISTERING, State.LEAVING):
            return
        elif self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def _ask_slow_card(self, ue: Ue, rand: bytes, autn: bytes) -> None:
        self._answered(ue, await asyncio.to_thread(self._ask_card, rand, autn))

    def _ask_card(self, rand: bytes, autn: bytes) -> CardAnswer | ImslabError:
        try:
            return self._card.authenticate(rand, autn)
        except ImslabError as error:
            return error

    def _answered(self, ue: Ue, answer: CardAnswer | ImslabError) -> None:
        if self._after_card is not None:
            self._after_card()
        ue.card_answered(answer, self.clock())
        self._driver.step(ue)
