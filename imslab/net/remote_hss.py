"""An HSS at the other end of a TCP connection: what a core asks in place of its own.

Spec: RFC 6733, 2.1 (TCP) and 4.3.1 (``aaa`` URIs). The rules are those of `imslab.net.cx_peer`; here are
socket and clock, and a connection that was lost is opened again.
"""

import asyncio
import re
from collections.abc import Callable
from importlib import import_module
from typing import cast

from imslab.errors import Malformed, NetworkError
from imslab.ims import cx as values
from imslab.ims.node import Address, Event, RandomSource
from imslab.ims.procedure import Later
from imslab.net import diameter
from imslab.net.cx_peer import CxPeer, Pushed, State
from imslab.net.tap import Clock, Tap

AGAIN = 1.0  # seconds between two tries to find a lost HSS (RFC 6733, 12 has 30: Tc); a lab does not wait
_UNSENT = 1 << 20  # octets that an HSS has not read
_URI = re.compile(
    r"(?:aaa://)?(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+))(?::(\d{1,5}))?(?:;transport=tcp)?", re.IGNORECASE
)


def address_of(uri: str) -> Address:
    """Return where "aaa://HOST[:PORT]" leads; Malformed for anything but Diameter over TCP."""
    found = _URI.fullmatch(uri.strip())
    port = int(found[3] or diameter.PORT) if found else 0
    if found is None or not 0 < port < 65_536:
        raise Malformed(f"{uri!r} is no HSS's address", expected="aaa://HOST:PORT, over TCP")
    return Address(found[1] or found[2], port, "TCP")


class RemoteHss:
    """The Cx connection of one S-CSCF.

    ``address``  where the HSS listens;  ``host``: where we connect from, None: wherever the system likes
    ``node``     what we say of ourselves
    ``pushed``   carries out what the HSS says by itself
    ``after``    called after each step in which somebody may have got an answer
    """

    def __init__(
        self,
        address: Address,
        node: diameter.Node,
        *,
        random: RandomSource,
        pushed: Pushed,
        after: Callable[[], None],
        host: str | None = None,
        clock: Clock | None = None,
        tap: Tap | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        self.address, self.clock, self.tap = address, clock or Clock(), tap
        self.peer = CxPeer(node, random=random, pushed=pushed, note=self._note)
        self._after, self._host, self._on_event = after, host, on_event
        self._connection: _Connection | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._again: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()  # the state of the peer is another one
        self._closed = False
        import_module("diameter.message")  # a third of a second in which nobody should wait for an answer

    def ask(self, request: values.Request, now: float) -> values.Answer | Later:
        """Send a question; what it is answered, or that it is not, comes later."""
        answer = self.peer.ask(request, now)
        self._flush()
        return answer

    async def start(self) -> None:
        """Connect, and wait until the HSS has said who it is; NetworkError when it does not."""
        await self._connect()
        while self.peer.state is State.WAIT_CEA:
            self._changed.clear()
            await self._changed.wait()
        if self.peer.state is not State.OPEN:
            self.close()
            raise NetworkError(f"{self.address.host}:{self.address.port} does not take us for its S-CSCF")

    def close(self) -> None:
        """Say goodbye and close; it can be closed twice."""
        self._closed = True
        if self._again is not None:
            self._again.cancel()
        self.peer.leave(self.clock())
        self._settle()

    async def _connect(self) -> None:
        loop, (host, port, _) = asyncio.get_running_loop(), self.address
        local = (self._host, 0) if self._host else None
        try:
            await loop.create_connection(lambda: _Connection(self), host, port, local_addr=local)
        except OSError as error:
            why = error.strerror or str(error)
            raise NetworkError(f"no HSS at {host}:{port} ({why}): start it first") from None

    async def _find(self) -> None:
        """Try to connect until it works."""
        while True:
            await asyncio.sleep(AGAIN)
            try:
                await self._connect()
            except NetworkError:
                continue
            return

    def opened(self, connection: "_Connection") -> None:
        """Begin on a new connection."""
        if self._closed:
            connection.close()
            return
        self._connection = connection
        self.peer.connected(self.clock())
        self._settle()

    def received(self, octets: bytes) -> None:
        """Take what the HSS sent."""
        self.peer.receive(octets, self.clock())
        self._settle()

    def lost(self, connection: "_Connection", why: str) -> None:
        """Take notice that a connection has ended, and look for the HSS again."""
        if self._connection is not connection:
            return
        self._connection = None
        self.peer.lost(self.clock(), why)
        self._settle()
        if not self._closed:
            self._again = asyncio.ensure_future(self._find())

    def _settle(self) -> None:
        """Carry on after a step, and let those who got an answer go on."""
        self._flush()
        self._changed.set()
        if not self._closed:
            self._after()

    def _flush(self) -> None:
        """Send what waits, and set the clock."""
        if self._connection is not None:
            for octets in self.peer.outgoing():
                self._connection.send(octets)
            if self.peer.state is State.CLOSED:
                self._connection.close()
        at = self.peer.timer()
        if self._timer is not None and (at is None or self._timer.when() > self._when(at)):
            self._timer.cancel()
            self._timer = None
        if at is not None and self._timer is None:
            self._timer = asyncio.get_running_loop().call_at(self._when(at), self._fire)

    def _when(self, at: float) -> float:
        return asyncio.get_running_loop().time() + max(0.0, at - self.clock())

    def _fire(self) -> None:
        self._timer = None
        self.peer.handle_timer(self.clock())
        self._settle()

    def _note(self, now: float, what: str, about: str, why: str) -> None:
        if self._on_event is not None:
            self._on_event(Event(now, "S-CSCF", what, about, why))


class _Connection(asyncio.Protocol):
    """One TCP connection to the HSS."""

    def __init__(self, hss: RemoteHss) -> None:
        self._hss = hss
        self._transport: asyncio.Transport | None = None
        self._local = Address("", 0, "TCP")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the socket that asyncio has opened."""
        # A cast: neither asyncio's own transport nor uvloop's is an instance of what it implements.
        self._transport = cast(asyncio.Transport, transport)
        host, port = transport.get_extra_info("sockname")[:2]
        self._local = Address(host, port, "TCP")
        if self._hss.tap is not None:
            self._hss.tap.opened(self._local, self._hss.address)
        self._hss.opened(self)

    def data_received(self, data: bytes) -> None:
        """Take octets from the wire."""
        if self._hss.tap is not None:
            self._hss.tap.stream(self._hss.address, self._local, data)
        self._hss.received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell that the connection is gone."""
        if self._hss.tap is not None:
            self._hss.tap.closed(self._local, self._hss.address)
        self._transport = None
        self._hss.lost(self, str(exc or "it has hung up"))

    def send(self, octets: bytes) -> None:
        """Send one message; an HSS that reads nothing is given up."""
        if self._transport is None or self._transport.is_closing():
            return
        if self._transport.get_write_buffer_size() > _UNSENT:
            self._transport.abort()
            return
        if self._hss.tap is not None:
            self._hss.tap.stream(self._local, self._hss.address, octets)
        self._transport.write(octets)

    def close(self) -> None:
        """Close after what was written is gone."""
        if self._transport is not None:
            self._transport.close()
