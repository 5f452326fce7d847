"""WebSocket as a transport for SIP: the opening handshake, frames, and the rules of one message each.

Spec: RFC 6455, sections 4 and 5; RFC 7692 (permessage-deflate); RFC 7118. The live server and client
use a library; these functions read captures, and show what is in the octets.
"""

import base64
import hashlib
import zlib
from dataclasses import dataclass
from enum import IntEnum

from imslab.errors import Malformed
from imslab.sip.limits import DEFAULT_LIMITS, BadMessage, Limits
from imslab.sip.message import Message
from imslab.sip.syntax import is_token
from imslab.sip.uri import Uri

SUBPROTOCOL = "sip"  # RFC 7118, 4.1
PING = b"\r\n\r\n"  # RFC 7118, 6; RFC 5626, 3.5.1: a WebSocket message of its own
PONG = b"\r\n"

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
_DEFLATE_TAIL = b"\x00\x00\xff\xff"  # RFC 7692, 7.2.2


class Opcode(IntEnum):
    """The kinds of frames (RFC 6455, 5.2)."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10

    @property
    def is_control(self) -> bool:
        """Whether this is a control frame: at most 125 octets, never in fragments."""
        return self >= Opcode.CLOSE


def accept_key(key: str) -> str:
    """Return Sec-WebSocket-Accept for the client's Sec-WebSocket-Key (RFC 6455, 4.2.2)."""
    if not key.isascii():
        raise Malformed("Sec-WebSocket-Key is not ASCII")
    return base64.b64encode(hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()).decode()


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame, or one whole message when ``final``: the opcode and the unmasked payload.

    ``compressed``  RSV1: the payload is deflated (RFC 7692)
    """

    opcode: Opcode
    payload: bytes = b""
    final: bool = True
    compressed: bool = False

    def encode(self, mask: bytes | None = None) -> bytes:
        """Return the octets; ``mask``, 4 octets, is what a client must give and a server must not."""
        if mask is not None and len(mask) != 4:
            raise Malformed(f"a mask has 4 octets, not {len(mask)}")
        if self.opcode.is_control and (len(self.payload) > 125 or not self.final):
            raise Malformed("a control frame has at most 125 octets, in one piece")
        first = self.final << 7 | self.compressed << 6 | self.opcode
        flag, length = (0 if mask is None else 0x80), len(self.payload)
        if length < 126:
            head = bytes((first, flag | length))
        elif length < 65_536:
            head = bytes((first, flag | 126)) + length.to_bytes(2)
        else:
            head = bytes((first, flag | 127)) + length.to_bytes(8)
        return head + self.payload if mask is None else head + mask + masked(self.payload, mask)


def masked(payload: bytes, mask: bytes) -> bytes:
    """Return ``payload`` xor the repeated 4 octets of ``mask``: masks, and unmasks (RFC 6455, 5.3)."""
    key = (mask * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload) ^ int.from_bytes(key)).to_bytes(len(payload))


class FrameReader:
    """Cut a byte stream into frames and join fragments: ``receive`` gives whole messages and control frames.

    ``from_client``  True: every frame must be masked; False: none may be; None: either, for captures
    ``deflate``      whether permessage-deflate was negotiated
    """

    def __init__(
        self, *, from_client: bool | None = None, deflate: bool = False, limits: Limits = DEFAULT_LIMITS
    ) -> None:
        self.closed = False
        self._from_client, self._deflate = from_client, deflate
        self._bound = limits.head + limits.body + 4
        self._buffer = bytearray()
        self._parts: list[Frame] = []
        self._inflate = zlib.decompressobj(-15)

    def receive(self, octets: bytes) -> list[Frame]:
        """Take octets, return what they complete; be closed and raise Malformed when they break a rule."""
        if self.closed:
            raise Malformed("the WebSocket is closed: nothing is read any more")
        self._buffer += octets
        found: list[Frame] = []
        try:
            while (frame := self._next()) is not None:
                found += self._joined(frame)
        except Malformed:
            self.closed = True
            raise
        return found

    def _next(self) -> Frame | None:
        head = self._head()
        if head is None:
            return None
        start, length, mask = head
        if len(self._buffer) < start + length:
            return None
        first, payload = self._buffer[0], bytes(self._buffer[start : start + length])
        del self._buffer[: start + length]
        opcode = Opcode(first & 0x0F)
        return Frame(
            opcode, masked(payload, mask) if mask else payload, bool(first & 0x80), bool(first & 0x40)
        )

    def _head(self) -> tuple[int, int, bytes] | None:
        # (where the payload starts, its length, the mask); None until the header is whole
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        self._check_first(buffer[0], buffer[1])
        short = buffer[1] & 0x7F
        size = {126: 2, 127: 8}.get(short, 0)
        start = 2 + size + (4 if buffer[1] & 0x80 else 0)
        if len(buffer) < start:
            return None
        length = int.from_bytes(buffer[2 : 2 + size]) if size else short
        if size and length < (126 if size == 2 else 65_536):
            raise Malformed("a frame length is not in its shortest form")
        if length > self._bound:
            raise Malformed(f"a frame of {length} octets is longer than {self._bound}")
        return start, length, bytes(buffer[2 + size : start])

    def _check_first(self, first: int, second: int) -> None:
        opcode = first & 0x0F
        if opcode not in Opcode.__members__.values():
            raise Malformed(f"unknown WebSocket opcode {opcode}")
        if first & 0x30 or (first & 0x40 and not (self._deflate and opcode in (1, 2))):
            raise Malformed("a reserved bit is set, and no extension was agreed")
        if opcode >= 8 and (second & 0x7F > 125 or not first & 0x80):
            raise Malformed("a control frame has at most 125 octets, in one piece")
        if self._from_client is not None and bool(second & 0x80) is not self._from_client:
            raise Malformed("a client masks every frame, a server masks none")

    def _joined(self, frame: Frame) -> list[Frame]:
        if frame.opcode.is_control:
            return [frame]
        if bool(self._parts) is not (frame.opcode is Opcode.CONTINUATION):
            raise Malformed("a continuation without a start, or a start within a fragmented message")
        self._parts.append(frame)
        if sum(len(part.payload) for part in self._parts) > self._bound:
            raise Malformed(f"a fragmented message is longer than {self._bound} octets")
        if len(self._parts) > 4096:
            raise Malformed("a message in more than 4096 fragments")
        return [self._whole()] if frame.final else []

    def _whole(self) -> Frame:
        parts, self._parts = self._parts, []
        payload = b"".join(part.payload for part in parts)
        if parts[0].compressed:
            payload = self._inflated(payload)
        if parts[0].opcode is Opcode.TEXT:
            try:
                payload.decode("utf-8")
            except UnicodeDecodeError as error:
                raise Malformed("a text message that is not UTF-8", offset=error.start) from None
        return Frame(parts[0].opcode, payload)

    def _inflated(self, payload: bytes) -> bytes:
        try:
            inflated = self._inflate.decompress(payload + _DEFLATE_TAIL, self._bound + 1)
        except zlib.error:
            raise Malformed("a compressed message cannot be inflated") from None
        if len(inflated) > self._bound:
            raise Malformed(f"a compressed message is longer than {self._bound} octets")
        return inflated


def sip_message(payload: bytes, limits: Limits = DEFAULT_LIMITS) -> Message | None:
    """Read the one SIP message in a WebSocket message; None for a CRLF keep-alive (RFC 7118, 5 and 6).

    Content-Length may be absent; when it is there, nothing may follow the body. Raise BadMessage.
    """
    if payload in (PING, PONG):
        return None
    if len(payload) > limits.head + limits.body + 4:
        raise BadMessage(f"a WebSocket message of {len(payload)} octets", status=513)
    message = Message.parse(payload, limits)
    behind = len(payload) - len(bytes(message))
    if behind:
        text = f"{behind} octets behind the message: one SIP message in each WebSocket message"
        raise BadMessage(text, message=message, offset=len(payload) - behind)
    return message


def frame_for(octets: bytes) -> Frame:
    """Return the frame that carries ``octets``: text, or binary when they are not UTF-8 (RFC 7118, 4.2)."""
    try:
        octets.decode("utf-8")
    except UnicodeDecodeError:
        return Frame(Opcode.BINARY, octets)
    return Frame(Opcode.TEXT, octets)


def via_transport(secure: bool) -> str:
    """Return the transport of Via: WS, or WSS over TLS (RFC 7118, 5.1)."""
    return "WSS" if secure else "WS"


def contact_uri(user: str, token: str, secure: bool = False) -> Uri:
    """Return the Contact URI of a client that has no address: ``token.invalid``, transport=ws.

    RFC 7118, 5.2 and appendix B.1: the parameter is ``ws`` for both; what is secure is the scheme.
    """
    if not is_token(token):
        raise Malformed("bad host label", expected="a token")
    return Uri.parse(f"{'sips' if secure else 'sip'}:{user}@{token}.invalid;transport=ws")


def handshake_request(host: str, resource: str, key: str, origin: str | None = None) -> bytes:
    """Return the client's opening GET, which offers the subprotocol ``sip`` (RFC 7118, 4.1)."""
    rows = [
        f"GET {resource} HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        *([f"Origin: {origin}"] if origin else []),
        f"Sec-WebSocket-Protocol: {SUBPROTOCOL}",
        "Sec-WebSocket-Version: 13",
    ]
    return _http(rows)


def handshake_response(request: bytes) -> bytes:
    """Return the server's 101 for a client's opening GET; raise Malformed when that offers no ``sip``."""
    start, headers = _read_http(request)
    if not start.startswith("GET ") or headers.get("upgrade", "").lower() != "websocket":
        raise Malformed("not a WebSocket request", expected="GET with Upgrade: websocket")
    if SUBPROTOCOL not in _listed(headers, "sec-websocket-protocol"):
        raise Malformed(
            "the client does not offer the subprotocol sip", expected="Sec-WebSocket-Protocol: sip"
        )
    if "sec-websocket-key" not in headers:
        raise Malformed("the client gives no Sec-WebSocket-Key")
    accept = accept_key(headers["sec-websocket-key"])
    rows = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
    return _http([*rows, f"Sec-WebSocket-Accept: {accept}", f"Sec-WebSocket-Protocol: {SUBPROTOCOL}"])


def check_handshake_response(response: bytes, key: str) -> None:
    """Raise Malformed unless the server agreed: 101, the right accept value, and the subprotocol ``sip``.

    A client treats a refusal as a transport error: 503 for the request (RFC 3261, 8.1.3.1).
    """
    start, headers = _read_http(response)
    if start.split(" ")[1:2] != ["101"]:
        raise Malformed(f"the server refuses the WebSocket: {start[:60]!r}", expected="101")
    if headers.get("sec-websocket-accept") != accept_key(key):
        raise Malformed("Sec-WebSocket-Accept does not fit the key that was sent")
    if _listed(headers, "sec-websocket-protocol") != [SUBPROTOCOL]:
        raise Malformed("the server did not take the subprotocol sip")


def _http(rows: list[str]) -> bytes:
    text = "".join(f"{row}\r\n" for row in rows)
    if not text.isascii() or text.count("\n") != len(rows):
        raise Malformed("a handshake value is not one line of ASCII")
    return text.encode("ascii") + b"\r\n"


def _read_http(octets: bytes) -> tuple[str, dict[str, str]]:
    head, end, _ = octets.partition(b"\r\n\r\n")
    if not end or len(head) > DEFAULT_LIMITS.head:
        raise Malformed("the HTTP head does not end, or is too long", offset=len(octets))
    start, *lines = head.decode("latin-1").split("\r\n")
    pairs = [line.partition(":") for line in lines]
    return start, {name.lower(): value.strip() for name, _, value in pairs}


def _listed(headers: dict[str, str], name: str) -> list[str]:
    return [piece.strip() for piece in headers.get(name, "").split(",")]
