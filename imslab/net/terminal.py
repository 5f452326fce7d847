"""A terminal: the UE machine with a card in it and a socket under it."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

from imslab.errors import CallFailed, ImslabError, Malformed, NetworkError, RegistrationFailed
from imslab.ims import Address, Node, Ue
from imslab.ims.call import Call, Times
from imslab.ims.indications import Delivered, Ending, Incoming, Indication, Text
from imslab.ims.node import Event, RandomSource
from imslab.ims.requests import Identity
from imslab.ims.ue import EXPIRES, CardAnswer, Registered, State
from imslab.net.call import Handler, TerminalCall
from imslab.net.drive import Driver
from imslab.net.esp import EspEnd, EspWay
from imslab.net.media import Media, bounded
from imslab.net.stream import StreamWire, TcpConnection
from imslab.net.tap import Clock, Tap
from imslab.net.udp import UdpWire
from imslab.net.websocket import WebSocketConnection, open_websocket

T = TypeVar("T")

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
    ``times``       how long calls wait
    ``on_call``     awaited with each call that comes in: it rings, and answers or refuses; without one every
                    call gets 480
    ``on_message``  called with each pager message
    ``ipsec``       transforms to offer, "encryption/integrity"; ``esp``: how ESP goes to the P-CSCF
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
        times: Times | None = None,
        on_call: Handler | None = None,
        on_message: Callable[[Text], None] | None = None,
        ipsec: tuple[str, ...] = (),
        esp: EspWay | None = None,
    ) -> None:
        self.identity, self.proxy, self.host = identity, proxy, host
        self._card, self._slow, self._after_card = card, slow, after_card
        self._algorithm, self._expires, self._origin, self._random = algorithm, expires, origin, random
        self.clock = clock or Clock()
        self.on_call, self.on_message = on_call, on_message
        self._times, self.ipsec, self._esp = times, ipsec, esp
        self.calls: list[TerminalCall] = []
        self._delivering: dict[str, asyncio.Future[Delivered]] = {}
        self._driver = Driver(self.clock, tap, on_event=on_event, after=self._after)
        self.ue: Ue | None = None
        self._stream: StreamWire | None = None
        self._waiting: asyncio.Future[None] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._lasting: set[asyncio.Task[Any]] = set()  # the event loop lets go of a task that nobody holds

    async def open(self) -> None:
        """Open the socket towards the P-CSCF; NetworkError when that fails."""
        transport = self.proxy.transport
        if self.ipsec and (transport not in ("UDP", "TCP") or self._esp is None):
            raise NetworkError("IPsec protects UDP and TCP, and needs a way for ESP, such as EspInUdp()")
        if transport == "UDP":
            await self._open_udp()
            return
        if transport not in ("TCP", "WS"):
            raise NetworkError(f"unknown transport {transport}: choose UDP, TCP or WS")
        wire = StreamWire(self._driver, TcpConnection if transport == "TCP" else WebSocketConnection)
        self._stream = wire
        if transport == "TCP":
            await wire.connect(self.proxy, self.host)
        else:
            await open_websocket(wire, self.proxy, local_host=self.host, origin=self._origin)
        esp = await self._open_esp(wire)
        self.ue = self._machine(wire.address)
        wire.serve(self.ue, transport)
        if esp is not None:
            esp.serve(self.ue)

    async def _open_udp(self) -> None:
        udp = await UdpWire.bind(self._driver, self.host, 0)
        esp = await self._open_esp(udp)
        self.ue = self._machine(udp.address)
        udp.serve(self.ue)
        if esp is not None:
            esp.serve(self.ue)

    async def _open_esp(self, wire: UdpWire | StreamWire) -> EspEnd | None:
        """Open the way for ESP beside ``wire``, which is closed when that fails; None without IPsec."""
        if not self.ipsec or self._esp is None:
            return None
        try:
            return await self._esp.open(self._driver, self.host)
        except BaseException:
            wire.close()
            raise

    async def register(self, algorithm: str | None = None) -> Registered:
        """Register and return what the network granted.

        Raises RegistrationFailed, MacFailure (the network did not prove itself) or CardError.
        """
        ue = await self._ready()
        ue.algorithm = algorithm or self._algorithm
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

    # -- calls and messages -----------------------------------------------------------------

    async def call(self, target: str, media: Media, *, early_media: bool = False) -> TerminalCall:
        """Call ``target``, a SIP or tel URI, and return the call when it is answered.

        ``early_media``  let the media flow before the answer, when the callee describes them (RFC 5009)

        Raises CallFailed, with the status and what to do, when it is not; what media raise; the media are
        closed then. To give up is to cancel the task that waits here.
        """
        call = await self.invite(target, media)
        await call.set_up(early_media=early_media)
        return call

    async def invite(self, target: str, media: Media) -> TerminalCall:
        """Send an INVITE and return the call at once: ``await call.ringing()``, ``await call.set_up()``."""
        ue = await self._ready()
        try:
            machine = ue.invite(target, await bounded(media.offer(), "no offer"), self.clock())
        except BaseException:
            await media.close()
            raise
        call = TerminalCall(self, machine, media)
        self.calls.append(call)
        self.step()
        return call

    async def message(self, target: str, text: str) -> None:
        """Send a pager message, and return when it has arrived; CallFailed when it has not."""
        ue = await self._ready()
        id_ = ue.message(target, text, self.clock())
        self._delivering[id_] = asyncio.get_running_loop().create_future()
        self.step()
        try:
            delivered = await self._delivering[id_]
        finally:
            del self._delivering[id_]
        if not 200 <= delivered.status < 300:
            raise CallFailed(f"the message was not delivered: {delivered.reason}", status=delivered.status)

    async def aclose(self) -> None:
        """Hang up every call, wait for the end of their media, and close the socket."""
        await asyncio.gather(*(call.hang_up() for call in list(self.calls)))
        self.close()

    def close(self) -> None:
        """Close the socket; calls end here and now, a registration is left to run out.

        The media of those calls are closed by tasks that the event loop still has to run: see ``aclose``.
        """
        if self.ue is not None and self.calls:
            for call in self.calls:
                self.ue.hang_up(call._machine, self.clock())
            self._driver.step(self.ue)
            self.ue.abandon("the terminal was closed", self.clock())
            self._told(self.ue)
        for id_, delivering in self._delivering.items():
            if not delivering.done():
                delivering.set_result(Delivered(id_, 503, "the terminal was closed"))
        for task in self._tasks:
            task.cancel()
        self._driver.close()
        self.ue, self._stream = None, None

    # -- what a call needs --------------------------------------------------------------------

    def ue_of(self, call: TerminalCall) -> Ue:
        """Return the machine that ``call`` belongs to; CallFailed when the terminal was closed."""
        if self.ue is None:
            raise CallFailed("the terminal was closed", status=None)
        return self.ue

    def step(self) -> None:
        """Carry what the machine wants sent."""
        if self.ue is not None:
            self._driver.step(self.ue)

    def start(self, work: Coroutine[Any, Any, T], *, lasts: bool = False) -> "asyncio.Task[T]":
        """Let ``work`` run until it ends, or, unless it ``lasts``, until the terminal is closed."""
        task = asyncio.ensure_future(work)
        tasks = self._lasting if lasts else self._tasks
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return task

    def give_up(self, machine: Call, ending: Ending) -> None:
        """End a call whose peer does not answer any more."""
        machine.over(ending, self.clock())
        self.step()

    def _told(self, ue: Ue) -> None:
        for indication in ue.indications():
            self._indicated(indication)

    def _indicated(self, indication: Indication) -> None:
        if isinstance(indication, Text):
            if self.on_message is not None:
                asyncio.get_running_loop().call_soon(self.on_message, indication)
        elif isinstance(indication, Delivered):
            waiting = self._delivering.get(indication.id)
            if waiting is not None and not waiting.done():
                waiting.set_result(indication)
        elif isinstance(indication, Incoming):
            call = TerminalCall(self, indication.call, None, indication.offer)
            self.calls.append(call)
            call.handler = self.start(self._handle(call))
        else:
            for call in [call for call in self.calls if call._machine is indication.call]:
                call.take(indication)
            self.calls = [call for call in self.calls if call.ending is None]

    async def _handle(self, call: TerminalCall) -> None:
        """Let the owner decide about a call that came in; what is not decided is refused."""
        failure: Exception | None = None
        try:
            if self.on_call is not None:
                await self.on_call(call)
        except Exception as error:
            failure = error
            self._driver.note(
                Event(self.clock(), Ue.name, "who takes calls has failed", call.peer, repr(error))
            )
        call.handler = None
        if call.ending is not None:
            return
        if call.media is None:
            status = 480 if failure is None else 488 if isinstance(failure, Malformed) else 500
            await call.refuse(status)
        elif failure is not None:
            await call.hang_up("who takes calls has failed")

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
            times=self._times,
            ipsec=self.ipsec,
            carrier=self._esp.port if self._esp is not None else 0,
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
        """Look, after each step, whether the card is wanted, and what there is to tell."""
        assert isinstance(node, Ue)
        while (request := node.card_request()) is not None:
            if self._slow:
                self.start(self._ask_slow_card(node, request.rand, request.autn))
            else:
                self._answered(node, self._ask_card(request.rand, request.autn))
        self._told(node)
        settled = node.state not in (State.REGISTERING, State.LEAVING)
        if settled and self._waiting is not None and not self._waiting.done():
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
