"""SIP over TCP: connections, and what all connections have in common (RFC 3261, 18; RFC 5626)."""

import asyncio
import ssl
from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, cast

from imslab.errors import Malformed, NetworkError
from imslab.ims.node import Address, Event, Node
from imslab.net.drive import Driver
from imslab.net.tap import Tap
from imslab.net.udp import cannot_bind
from imslab.net.waiting import PATIENCE, Waiting
from imslab.sip import BadMessage, Message, StreamFramer

MOST = 20_000  # connections of one server; fewer where the system allows fewer files
_UNSENT = 1 << 20  # octets that the other end has not read: who reads nothing is cut off
_BACKLOG = 1024  # connections that the kernel keeps until they are accepted


class Connection(asyncio.Protocol):
    """One TCP connection that carries SIP; a subclass knows how messages lie in its octets."""

    transport_name = ""

    def __init__(self, wire: "StreamWire", *, client: bool) -> None:
        self._wire, self._client = wire, client
        self._transport: asyncio.Transport | None = None
        self.local = self.remote = Address("", 0)

    @abstractmethod
    def send(self, octets: bytes) -> bool:
        """Send one SIP message; False when the connection is not (or no longer) open."""

    @abstractmethod
    def data_received(self, data: bytes) -> None:
        """Take octets from the wire."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the socket that asyncio has opened."""
        self._transport = cast(asyncio.Transport, transport)
        self.local = _address(transport.get_extra_info("sockname"), self.transport_name)
        self.remote = _address(transport.get_extra_info("peername"), self.transport_name)
        self._wire.opened(self)
        if self._tap is not None:
            ends = (self.local, self.remote) if self._client else (self.remote, self.local)
            self._tap.opened(*ends)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the wire that this connection has ended."""
        if self._transport is not None and self._tap is not None:
            self._tap.closed(self.local, self.remote)
        self._transport = None
        self._wire.lost(self)

    def close(self) -> None:
        """Close the connection after what was written is gone."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close the connection now, whatever is still to be written."""
        if self._transport is not None:
            self._transport.abort()

    @property
    def _tap(self) -> Tap | None:
        return self._wire.driver.tap

    def _received(self, data: bytes) -> None:
        if self._tap is not None:
            self._tap.stream(self.remote, self.local, data)

    def _write(self, octets: bytes) -> bool:
        if self._transport is None or self._transport.is_closing():
            return False
        if self._tap is not None:
            self._tap.stream(self.local, self.remote, octets)
        if self._transport.get_write_buffer_size() > _UNSENT:
            self._transport.abort()
            return False
        self._transport.write(octets)
        return True

    def _refuse(self, error: Malformed) -> None:
        # RFC 4475, 3.1.2.2 and 3.1.2.3: a stream that has lost its framing cannot be saved.
        self._wire.note("connection closed", str(self.remote), str(error))
        self.close()


class TcpConnection(Connection):
    """SIP on a bare TCP stream: Content-Length ends each message (RFC 3261, 18.3)."""

    transport_name = "TCP"

    def __init__(self, wire: "StreamWire", *, client: bool) -> None:
        super().__init__(wire, client=client)
        self._framer = StreamFramer()
        self._answered_pings = 0

    def data_received(self, data: bytes) -> None:
        """Cut the stream into messages; answer keep-alives (RFC 5626, 4.4.1)."""
        self._received(data)
        try:
            messages = self._framer.receive(data)
        except BadMessage as error:
            self._deliver(error.complete)
            self._refuse(error)
            return
        if new := self._framer.pings - self._answered_pings:
            self._answered_pings += new
            self._write(b"\r\n" * new)
        self._wire.heard(self, self._framer.pending, complete=bool(messages))
        self._deliver(messages)

    def _deliver(self, messages: Iterable[Message]) -> None:
        for message in messages:
            self._wire.arrived(bytes(message), self.remote)

    def send(self, octets: bytes) -> bool:
        """Send one message."""
        return self._write(octets)


class StreamWire:
    """All connections of one node over one transport, accepted or opened."""

    def __init__(self, driver: Driver, connection: Callable[..., Connection]) -> None:
        self.driver = driver
        self._new = connection
        self._node: Node | None = None
        self._server: asyncio.Server | None = None
        self.connections: dict[Address, Connection] = {}
        self.address = Address("", 0)
        self._waiting: Waiting[Connection] = Waiting()
        self._timer: asyncio.TimerHandle | None = None
        self._most = _files(MOST)

    async def listen(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        """Accept connections at ``host``:``port``, with ``tls`` inside it; NetworkError when that fails."""
        loop = asyncio.get_running_loop()
        name = self._new(self, client=False).transport_name
        try:
            self._server = await loop.create_server(
                lambda: self._new(self, client=False),
                host,
                port,
                ssl=tls,
                ssl_handshake_timeout=PATIENCE if tls else None,
                backlog=_BACKLOG,
            )
        except OSError as error:
            raise cannot_bind(error, host, port, name) from None
        self.address = _address(self._server.sockets[0].getsockname(), name)

    async def connect(self, remote: Address, local_host: str | None = None) -> Connection:
        """Open a connection to ``remote``; NetworkError when nobody answers there."""
        loop = asyncio.get_running_loop()
        local = (local_host, 0) if local_host else None
        try:
            _, connection = await loop.create_connection(
                lambda: self._new(self, client=True), remote.host, remote.port, local_addr=local
            )
        except OSError as error:
            raise NetworkError(f"no connection to {remote}: {error.strerror or error}") from None
        self.address = connection.local
        return connection

    def serve(self, node: Node, transport: str) -> None:
        """Hand what arrives to ``node``, and carry what it sends."""
        self._node = node
        self.driver.attach(node, transport, self)

    def admits(self, origin: str | None) -> bool:
        """Ask the node whether a WebSocket with this Origin may open."""
        return self._node is not None and self._node.admits(origin)

    def arrived(self, octets: bytes, source: Address) -> None:
        """Feed the node with one message."""
        if self._node is not None:
            self.driver.arrived(self._node, octets, source)

    def send(self, octets: bytes, destination: Address) -> bool:
        """Send one message over the connection to ``destination``."""
        connection = self.connections.get(destination)
        return connection is not None and connection.send(octets)

    def opened(self, connection: Connection) -> None:
        """Keep a new connection; when there are too many, whoever has kept us waiting the longest goes."""
        self.connections[connection.remote] = connection
        if self._server is None:
            return  # we have called: it is for the UE to wait, or not
        self._waiting.begin(connection, self.driver.clock())
        if len(self.connections) > self._most:
            self._give_up([self._waiting.oldest() or connection], "too many connections")
        self._arm()

    def heard(self, connection: Connection, octets: int, *, complete: bool) -> None:
        """Take notice of what came: ``octets`` of an unfinished message are kept."""
        if self._server is not None:
            self._waiting.heard(connection, octets, self.driver.clock(), complete=complete)
            self._give_up(self._waiting.excess(), "unfinished messages fill the memory")
            self._arm()

    def _arm(self) -> None:
        at = self._waiting.timer()
        if at is not None and self._timer is None:
            delay = max(0.0, at - self.driver.clock())
            self._timer = asyncio.get_running_loop().call_later(delay, self._lose_patience)

    def _lose_patience(self) -> None:
        self._timer = None
        late = self._waiting.overdue(self.driver.clock())
        self._give_up(late, f"no whole message in {PATIENCE:g} s")
        self._arm()

    def _give_up(self, connections: list[Connection], why: str) -> None:
        for connection in connections:
            self._waiting.end(connection)
            connection.abort()
        if connections:
            self.note("connections closed", f"{len(connections)}", why)

    def lost(self, connection: Connection) -> None:
        """Forget a connection, and tell the node."""
        self._waiting.end(connection)
        if self.connections.pop(connection.remote, None) is not None and self._node is not None:
            self._node.closed(connection.remote, self.driver.clock())
            self.driver.step(self._node)

    def note(self, what: str, about: str, why: str) -> None:
        """Report something that happened on a connection."""
        name = self._node.name if self._node is not None else "?"
        self.driver.note(Event(self.driver.clock(), name, what, about, why))

    def close(self) -> None:
        """Stop listening and close all connections."""
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for connection in list(self.connections.values()):
            connection.close()


def _files(most: int) -> int:
    """Return ``most``, or as many as leave half of the process's files to others."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return most
    return max(16, min(most, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2 - 64))


def _address(name: tuple[Any, ...] | None, transport: str) -> Address:
    host, port = name[:2] if name else ("", 0)  # a connection may be gone before it is looked at
    return Address(host, port, transport)
