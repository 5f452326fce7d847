"""SIP over WebSocket: one message in each WebSocket message (RFC 7118, RFC 6455).

The framing is the library's (``websockets``, its protocol without I/O); here it is bound to a
connection, so that the trace holds the octets that really stood on the wire.
"""

import asyncio
from http import HTTPStatus

from websockets.client import ClientProtocol
from websockets.datastructures import MultipleValuesError
from websockets.exceptions import WebSocketException
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Origin, Subprotocol
from websockets.uri import parse_uri

from imslab.errors import NetworkError
from imslab.ims.node import Address
from imslab.net.stream import Connection, StreamWire

SUBPROTOCOL = Subprotocol("sip")  # RFC 7118, 4.1
_LARGEST = 1_048_576  # octets of one message
_KEEP_ALIVE = (b"\r\n\r\n", b"\r\n")  # RFC 7118, 6: a ping, and what answers it


class WebSocketConnection(Connection):
    """One WebSocket with the subprotocol ``sip``.

    ``opening``  (client) done when the handshake is, or failed with NetworkError
    """

    transport_name = "WS"

    def __init__(self, wire: StreamWire, *, client: bool) -> None:
        super().__init__(wire, client=client)
        self._protocol: ServerProtocol | ClientProtocol | None = None
        self._fragments = bytearray()
        self._kept = 0  # octets of what is not finished
        self._finished = False  # something whole came with the last octets: a message, or the handshake
        self.opening: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not client:
            self._protocol = ServerProtocol(subprotocols=[SUBPROTOCOL], max_size=_LARGEST)

    def open(self, uri: str, origin: str | None = None) -> None:
        """Send the client's half of the handshake, with ``origin`` when a browser's page does it."""
        protocol = ClientProtocol(
            parse_uri(uri),
            origin=Origin(origin) if origin else None,
            subprotocols=[SUBPROTOCOL],
            max_size=_LARGEST,
        )
        self._protocol = protocol
        protocol.send_request(protocol.connect())
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Take octets from the wire: the handshake, then frames."""
        self._received(data)
        protocol = self._protocol
        if protocol is None:
            return
        self._finished = False
        protocol.receive_data(data)
        for event in protocol.events_received():
            if isinstance(event, Request):
                self._admit(event)
            elif isinstance(event, Response):
                self._opened(event)
            else:
                self._frame(event)
        self._flush()
        # Of what is not finished the library keeps parts that it does not show: all that came counts.
        begun = len(protocol.reader.buffer) + len(self._fragments)
        self._kept = begun if self._finished else self._kept + len(data)
        self._wire.heard(self, self._kept, complete=self._finished)
        if protocol.close_expected() or protocol.state is State.CLOSED:
            self.close()

    def eof_received(self) -> bool:
        """Tell the protocol that nothing more comes."""
        if self._protocol is not None:
            self._protocol.receive_eof()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """End the handshake that was under way, then as any connection."""
        if not self.opening.done():
            self.opening.set_exception(NetworkError(f"{self.remote} closed during the WebSocket handshake"))
            self.opening.exception()  # a caller that gave up must not be told by the event loop
        super().connection_lost(exc)

    def send(self, octets: bytes) -> bool:
        """Send one SIP message: text where it is UTF-8, else binary (RFC 7118, 4.2)."""
        protocol = self._protocol
        if protocol is None or protocol.state is not State.OPEN:
            return False
        try:
            octets.decode("utf-8")
        except UnicodeDecodeError:
            protocol.send_binary(octets)
        else:
            protocol.send_text(octets)
        return self._flush()

    def _admit(self, request: Request) -> None:
        protocol = self._protocol
        assert isinstance(protocol, ServerProtocol)
        try:
            origin = request.headers.get("Origin")
        except MultipleValuesError:
            origin = "null"  # two of them: no page of ours
        if self._wire.admits(origin):
            response = protocol.accept(request)
        else:
            # RFC 6455, 10.2: a page of another origin must not use the person's connection.
            response = protocol.reject(HTTPStatus.FORBIDDEN, "This origin may not open a SIP connection.\n")
            self._wire.note("WebSocket refused", str(self.remote), f"origin {origin!r}")
        protocol.send_response(response)
        self._finished = True

    def _opened(self, response: Response) -> None:
        protocol = self._protocol
        assert protocol is not None
        if protocol.handshake_exc is None:
            self.opening.set_result(None)
        elif not self.opening.done():
            status = f"{response.status_code} {response.reason_phrase}"
            reason = (response.body or b"").decode("utf-8", "replace").strip()
            self.opening.set_exception(
                NetworkError(f"{self.remote} refused the WebSocket: {status}. {reason}")
            )

    def _frame(self, frame: object) -> None:
        assert isinstance(frame, Frame)
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            self._fragments += frame.data
            if frame.fin:
                octets, self._fragments = bytes(self._fragments), bytearray()
                self._message(octets)

    def _message(self, octets: bytes) -> None:
        ping, pong = _KEEP_ALIVE
        self._finished = True
        if octets == ping:
            self.send(pong)
        elif octets.strip(b"\r\n"):
            self._wire.arrived(octets, self.remote)

    def _flush(self) -> bool:
        assert self._protocol is not None
        sent = True
        for octets in self._protocol.data_to_send():
            sent = bool(octets) and self._write(octets)
        return sent

    def close(self) -> None:
        """Say goodbye with a close frame, then close the connection."""
        protocol = self._protocol
        if protocol is not None and protocol.state is State.OPEN:
            try:
                protocol.send_close(1000)
            except WebSocketException:
                pass
            else:
                self._flush()
        super().close()


async def open_websocket(
    wire: StreamWire, remote: Address, *, local_host: str | None = None, origin: str | None = None
) -> WebSocketConnection:
    """Connect to ``remote`` and do the handshake of RFC 7118, 4; NetworkError when it is refused."""
    connection = await wire.connect(remote, local_host)
    assert isinstance(connection, WebSocketConnection)
    connection.open(f"ws://{remote.host}:{remote.port}/", origin)
    try:
        await asyncio.wait_for(asyncio.shield(connection.opening), 10)
    except TimeoutError:
        connection.close()
        raise NetworkError(f"{remote} did not answer the WebSocket handshake in 10 s") from None
    return connection
