"""The HSS on the wire: Diameter Cx over TCP, for S-CSCFs and I-CSCFs that imslab did not write.

Spec: RFC 6733, 5 (peers: CER, DWR, DPR) and 2.1 (TCP); 3GPP TS 29.228, 6.1 to 6.3 (what is asked) and 6.1.3,
6.6 (what an HSS says by itself: RTR, PPR).
"""

import asyncio
from collections.abc import Callable
from typing import cast

from imslab.errors import ImslabError, Malformed, NetworkError
from imslab.ims import cx as values
from imslab.ims.hss import Hss
from imslab.ims.node import Address, Event
from imslab.net import cx, diameter
from imslab.net.tap import Clock, Tap
from imslab.net.udp import cannot_bind

PATIENCE = 5.0  # seconds that a peer may take to answer RTR or PPR
_MOST_PEERS = 64
_INTRODUCTION = 10.0  # seconds until a peer must have said who it is (CER)
_UNSENT = 1 << 20  # octets that a peer has not read: one that reads nothing is cut off


class HssServer:
    """Answers Cx for one HSS; ``port`` 0 takes any that is free.

    ``node``      what the HSS says of itself to its peers
    ``on_event``  called for each peer that comes, goes, or sends what is no Diameter
    """

    def __init__(
        self,
        hss: Hss,
        *,
        host: str = "127.0.0.41",
        port: int = diameter.PORT,
        identity: str = cx.LAB.hss,
        realm: str = cx.LAB.realm,
        clock: Clock | None = None,
        tap: Tap | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        self.hss, self.clock, self.tap = hss, clock or Clock(), tap
        self.address = Address(host, port, "TCP")
        self.node = diameter.Node(identity, realm, host, cx.APPLICATION)
        self.answered = 0
        self._on_event = on_event
        self._server: asyncio.Server | None = None
        self._peers: set[_Peer] = set()
        self._identifier = 0

    @property
    def peers(self) -> list[str]:
        """The Diameter identities of those that are connected."""
        return sorted(peer.identity for peer in self._peers if peer.identity)

    async def start(self) -> None:
        """Open the socket; NetworkError when the address is taken or not there."""
        loop = asyncio.get_running_loop()
        host, port, _ = self.address
        try:
            self._server = await loop.create_server(lambda: _Peer(self), host, port, reuse_address=True)
        except OSError as error:
            raise cannot_bind(error, host, port, "TCP") from None
        self.address = Address(host, self._server.sockets[0].getsockname()[1], "TCP")

    def close(self) -> None:
        """Say goodbye to every peer (DPR) and close; a server can be closed twice."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for peer in list(self._peers):
            peer.leave()

    async def wait_for(self, *peers: str, seconds: float = 10.0) -> None:
        """Wait until these identities are connected; NetworkError when they do not come."""
        try:
            async with asyncio.timeout(seconds):
                while not set(peers) <= set(self.peers):
                    await asyncio.sleep(0.05)
        except TimeoutError:
            missing = ", ".join(sorted(set(peers) - set(self.peers)))
            raise NetworkError(f"{missing} did not connect to the HSS in {seconds:g} s") from None

    async def terminate(self, impi: str, *impus: str) -> None:
        """Take a user out of the network (RTR, TS 29.228 6.1.3): the S-CSCF that serves the user is told.

        ``impus``  only these identities; else all, by their names: Kamailio ignores an RTR that names none

        Raises ImslabError when nobody serves the user or the S-CSCF refuses, NetworkError when it is silent.
        """
        subscriber = self.hss.subscriber(impi)
        if subscriber is None or not subscriber.server:
            raise ImslabError(f"no S-CSCF serves {impi}: there is nobody to tell")
        identifier = self._next()
        peers = cx.Peers(self._asker(subscriber.server).identity, self.node.host, self.node.realm)
        octets = cx.encode_termination(impi, impus or subscriber.impus, peers, identifier=identifier)
        result = await self._push(subscriber.server, octets, identifier)
        if result != diameter.SUCCESS:
            raise ImslabError(f"the S-CSCF refused to let {impi} go (result {result})")
        self.hss.release(impi)

    async def push_profile(self, impi: str) -> None:
        """Tell the S-CSCF that serves a user what the subscription says now (PPR, TS 29.228 6.6).

        Raises as ``terminate`` does.
        """
        subscriber = self.hss.subscriber(impi)
        if subscriber is None or not subscriber.server:
            raise ImslabError(f"no S-CSCF serves {impi}: there is nobody to tell")
        identifier = self._next()
        peers = cx.Peers(self._asker(subscriber.server).identity, self.node.host, self.node.realm)
        octets = cx.encode_profile(impi, subscriber.impus, peers, identifier=identifier)
        result = await self._push(subscriber.server, octets, identifier)
        if result != diameter.SUCCESS:
            raise ImslabError(f"the S-CSCF refused the new profile of {impi} (result {result})")

    async def _push(self, server: str, octets: bytes, identifier: int) -> int:
        peer = self._asker(server)
        try:
            return await asyncio.wait_for(peer.ask(octets, identifier), PATIENCE)
        except TimeoutError:
            raise NetworkError(f"{peer.identity} did not answer in {PATIENCE:g} s") from None

    def _asker(self, server: str) -> "_Peer":
        """Return the peer that named itself ``server`` (a SIP URI) when it asked."""
        peer = next((peer for peer in self._peers if server in peer.servers), None)
        if peer is None:
            raise NetworkError(f"the S-CSCF {server} is not connected to the HSS")
        return peer

    def _next(self) -> int:
        self._identifier = (self._identifier + 1) % 2**32
        return self._identifier

    def _note(self, what: str, about: str, why: str = "") -> None:
        if self._on_event is not None:
            self._on_event(Event(self.clock(), "HSS", what, about, why))


class _Peer(asyncio.Protocol):
    """One connection: a CSCF that asks, and is told."""

    def __init__(self, server: HssServer) -> None:
        self.identity = ""
        self.servers: set[str] = set()  # the names of S-CSCFs that asked over this connection
        self._server, self._framer = server, diameter.Framer()
        self._transport: asyncio.Transport | None = None
        self._remote = Address("", 0, "TCP")
        self._waiting: dict[int, asyncio.Future[int]] = {}
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a connection, or refuse it when there are too many."""
        # A cast: neither asyncio's own transport nor uvloop's is an instance of what it implements.
        self._transport = cast(asyncio.Transport, transport)
        host, port = transport.get_extra_info("peername")[:2]
        self._remote = Address(host, port, "TCP")
        if len(self._server._peers) >= _MOST_PEERS:
            self._transport.abort()
            return
        self._server._peers.add(self)
        self._deadline = asyncio.get_running_loop().call_later(_INTRODUCTION, self._turn_out)
        if self._server.tap is not None:
            self._server.tap.opened(self._remote, self._server.address)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the peer, and tell those who wait for its answer."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._server._peers.discard(self)
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(NetworkError(f"{self.identity or self._remote} has hung up"))
        if self.identity:
            self._server._note("peer gone", self.identity)
        if self._server.tap is not None and self._transport is not None:
            self._server.tap.closed(self._remote, self._server.address)
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Answer what the octets complete; who sends something else than Diameter is cut off."""
        if self._server.tap is not None:
            self._server.tap.stream(self._remote, self._server.address, data)
        try:
            for octets in self._framer.receive(data):
                self._take(octets)
        except Malformed as error:
            self._server._note("no Diameter", str(self._remote), str(error))
            if self._transport is not None:
                self._transport.abort()

    def _turn_out(self) -> None:
        """Close on somebody who does not say who it is: peers are few, and its place is wanted."""
        if not self.identity and self._transport is not None:
            self._server._note("no peer", str(self._remote), f"no CER in {_INTRODUCTION:g} s")
            self._transport.abort()

    def leave(self) -> None:
        """Say that the node goes down, and close."""
        if self._transport is not None:
            self._send(self._server.node.request(diameter.DISCONNECT_PEER, self._server._next()))
            self._transport.close()

    async def ask(self, octets: bytes, identifier: int) -> int:
        """Send a request of the HSS and return the result code of the answer."""
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting[identifier] = answer
        try:
            self._send(octets)
            return await answer
        finally:
            del self._waiting[identifier]

    def _take(self, octets: bytes) -> None:
        said = cx.decode(octets)
        if not said.is_request:
            waiting = self._waiting.get(said.identifier)
            if waiting is not None and not waiting.done():
                waiting.set_result(said.result or 0)
        elif isinstance(said.value, values.Request) and self.identity:
            self._serve(said, said.value)
        else:
            self._base(octets, said)

    def _serve(self, said: cx.CxMessage, asked: values.Request) -> None:
        """Answer a question about a subscriber."""
        server = self._server
        if name := getattr(asked, "server", ""):
            self.servers.add(name)
        answer = server.hss.ask(asked, server.clock())
        server.answered += 1
        peers = cx.Peers(self.identity, server.node.host, server.node.realm)
        identifiers = {"identifier": said.identifier, "end_to_end": said.end_to_end}
        self._send(cx.encode_answer(answer, asked, peers, session=said.session, **identifiers))

    def _base(self, octets: bytes, said: cx.CxMessage) -> None:
        """Answer what Diameter itself asks: capabilities, watchdog, goodbye; refuse anything else."""
        header, _ = diameter.parse(octets)
        known = header.command in (diameter.DEVICE_WATCHDOG, diameter.DISCONNECT_PEER)
        if header.command == diameter.CAPABILITIES_EXCHANGE:
            self.identity = said.origin or str(self._remote)
            self._server._note("peer", self.identity, str(self._remote))
        elif not (known and self.identity):
            result = diameter.UNSUPPORTED_COMMAND if self.identity else diameter.UNABLE_TO_COMPLY
            self._send(self._server.node.answer(header, result))
            return
        self._send(self._server.node.answer(header))
        if header.command == diameter.DISCONNECT_PEER and self._transport is not None:
            self._transport.close()

    def _send(self, octets: bytes) -> None:
        if self._transport is None:
            raise NetworkError(f"{self.identity or self._remote} has hung up")
        if self._transport.get_write_buffer_size() > _UNSENT:
            self._transport.abort()
            return
        if self._server.tap is not None:
            self._server.tap.stream(self._server.address, self._remote, octets)
        self._transport.write(octets)
