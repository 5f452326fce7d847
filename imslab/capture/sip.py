"""SIP in a capture: over UDP, TCP and WebSocket, on any port, told by what it looks like.

Spec: RFC 3261, sections 7 and 18.3; RFC 7118. A message is counted once, and belongs to the frame
that completes it. What begins like SIP and cannot be read is a warning with its frame.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from imslab.capture.file import CaptureFile
from imslab.capture.index import UDP, Column, Index
from imslab.capture.reassemble import Chunk, Endpoint, Stream, first_words, streams
from imslab.errors import Malformed
from imslab.sip import Message, StreamFramer, datagram
from imslab.sip.limits import BadMessage
from imslab.sip.websocket import FrameReader, sip_message

_TOKEN = rb"[A-Za-z0-9.!%*_+`'~-]+"
_START = re.compile(
    rb"[\r\n]*(?:SIP/2\.0 \d{3}|" + _TOKEN + rb" +<?[A-Za-z][\w+.-]*:[^\r\n]{0,4000}? +SIP/2\.0\s*?\r?\n)"
)
_UPGRADE = re.compile(rb"(?:GET [^\r\n]+ HTTP/1\.1|HTTP/1\.1 101)\b")
_LONGEST_LINE = 8192  # octets that may come without a line end before a stream is taken for something else
# The first four octets of SIP on a stream, in one direction or the other (ACK and BYE come with others).
_WORDS = tuple(
    int.from_bytes(word)
    for word in (b"SIP/", b"REGI", b"INVI", b"CANC", b"OPTI", b"SUBS", b"NOTI", b"MESS", b"PUBL", b"REFE")
)
_OPENING = int.from_bytes(b"GET ")
_SIPS, _TLS_HANDSHAKE = 5061, 0x1603


@dataclass(frozen=True, slots=True)
class SipEvent:
    """One SIP message on the wire.

    ``frame``                the frame that completes it, from 1;  ``at``: its time, epoch seconds
    ``source, destination``  (address, port);  ``transport``: "udp", "tcp" or "ws"
    ``problem``              what is wrong with it; the message is then what could be read
    """

    frame: int
    at: float
    source: Endpoint
    destination: Endpoint
    transport: str
    message: Message
    problem: str = ""


def read(
    capture: CaptureFile, index: Index, warnings: list[str], unreadable: list[int] | None = None
) -> list[SipEvent]:
    """Return the SIP messages of a capture in the order of their frames.

    ``unreadable`` takes the frames of what begins like SIP and gives no message at all.
    """
    unreadable = [] if unreadable is None else unreadable
    found = list(_datagrams(capture, index, warnings, unreadable))
    words = first_words(capture, index)
    _say_what_is_closed(index, words, warnings)
    rows = np.flatnonzero(np.isin(words, _WORDS)).tolist()
    rows += [int(row) for row in np.flatnonzero(words == _OPENING) if _opens_websocket(index, int(row))]
    for stream in streams(capture, index, rows):
        found += _messages(capture, stream, warnings, unreadable)
    return sorted(found, key=lambda event: event.frame)


def _say_what_is_closed(index: Index, words: Column, warnings: list[str]) -> None:
    """Warn of SIP over TLS (RFC 3261, 26.2.1; port 5061), which nothing here opens."""
    at_port = (index.flows.sport == _SIPS) | (index.flows.dport == _SIPS)
    rows = np.flatnonzero(at_port[index.flow] & (words >> 16 == _TLS_HANDSHAKE))
    if len(rows):
        connections = len(np.unique(index.flow[rows]))
        warnings.append(
            f"frame {int(index.frame[rows[0]])}: SIP over TLS (port {_SIPS}) was seen in {connections} "
            "directions and stays closed: TLS is not opened here"
        )


def looks_like_sip(octets: bytes) -> bool:
    """Tell whether octets begin with a start line of SIP (RFC 3261, 7.1 and 7.2)."""
    return _START.match(octets) is not None


def _datagrams(
    capture: CaptureFile, index: Index, warnings: list[str], unreadable: list[int]
) -> Iterator[SipEvent]:
    first = index.head[:, 0]
    letters = (first >= 0x21) & (first < 0x7F) | (first == 0x0D) | (first == 0x0A)
    for row in np.flatnonzero(letters & (index.protocol == UDP) & (index.length > 12)).tolist():
        octets = index.octets(row)
        if not looks_like_sip(octets):
            continue
        frame = int(index.frame[row])
        message, problem = _datagram(octets)
        if problem:
            cut = " (the capture holds only a part of it)" if index.cut[row] else ""
            warnings.append(f"frame {frame}: looks like SIP, but {problem}{cut}")
        if message is None:
            unreadable.append(frame)
        else:
            yield SipEvent(frame, _time(capture, frame), *index.endpoints(row), "udp", message, problem)


def _datagram(octets: bytes) -> tuple[Message | None, str]:
    """Return the message, or as much of it as can be read, and what is wrong with it."""
    try:
        return datagram(octets), ""
    except BadMessage as error:
        return error.message, str(error)
    except Malformed as error:
        return None, str(error)


def _opens_websocket(index: Index, row: int) -> bool:
    head = index.octets(row)[:4096].lower().split(b"\r\n\r\n", 1)[0]
    return b"websocket" in head  # a page that speaks of WebSockets opens none


class WebSocketReader:
    """Reads one direction of a WebSocket: the HTTP head, then frames with one SIP message in each."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._frames: FrameReader | None = None
        self._is_page = False

    def receive(self, octets: bytes) -> list[Message]:
        """Take octets, return the messages they complete; raise Malformed when the frames are broken.

        A message that is no SIP raises BadMessage; ``complete`` holds those before it.
        """
        if self._is_page:
            return []
        if self._frames is None:
            self._head += octets
            head, end, octets = bytes(self._head).partition(b"\r\n\r\n")
            if not end:
                return []
            if self._head.startswith(b"GET ") and b"websocket" not in head.lower():
                self._is_page = True  # a web page: a segment of it only began like SIP
                return []
            self._frames = FrameReader(deflate=b"permessage-deflate" in head.lower())
        found: list[Message] = []
        for frame in self._frames.receive(octets):
            if not frame.opcode.is_control and looks_like_sip(frame.payload):
                found += self._message(frame.payload, found)
        return found

    def _message(self, payload: bytes, before: list[Message]) -> list[Message]:
        try:
            message = sip_message(payload)
        except BadMessage as error:
            error.complete = before
            raise
        return [message] if message is not None else []


class _Reader:
    """Reads one direction of a connection: finds out what it holds, then cuts it into messages."""

    def __init__(self) -> None:
        self.transport = ""
        self._held = b""
        self._framer: StreamFramer | WebSocketReader | None = None

    def receive(self, octets: bytes) -> list[Message]:
        """Take octets, return the messages they complete; raise Malformed when the rest cannot be read."""
        if self._framer is None:
            octets = (self._held + octets).lstrip(b"\r\n")
            self._framer = self._recognised(octets)
            if self._framer is None:
                self._held = octets if b"\n" not in octets and len(octets) < _LONGEST_LINE else b""
                return []
        return self._framer.receive(octets)

    def _recognised(self, octets: bytes) -> "StreamFramer | WebSocketReader | None":
        if looks_like_sip(octets):
            self.transport = "tcp"
            return StreamFramer()
        if _UPGRADE.match(octets):
            self.transport = "ws"
            return WebSocketReader()
        return None


def _messages(
    capture: CaptureFile, stream: Stream, warnings: list[str], unreadable: list[int]
) -> Iterator[SipEvent]:
    reader = _Reader()
    for chunk in stream.chunks:
        if chunk.fresh:
            reader = _Reader()
        complete, broken, problem = _received(reader, chunk)
        place = chunk.frame, _time(capture, chunk.frame), stream.source, stream.destination, reader.transport
        for message in complete:
            yield SipEvent(*place, message)
        if problem:
            warnings.append(f"frame {chunk.frame}: {reader.transport} stream, but {problem}")
            reader = _Reader()  # the next message may begin with a segment
            if broken is None:
                unreadable.append(chunk.frame)
            else:
                yield SipEvent(*place, broken, problem)


def _received(reader: _Reader, chunk: Chunk) -> tuple[list[Message], Message | None, str]:
    """Return the messages that the chunk completes, then a broken one, and what is wrong with that."""
    try:
        return reader.receive(chunk.octets), None, ""
    except BadMessage as error:
        return list(error.complete), error.message, str(error)
    except Malformed as error:
        return [], None, str(error)


def _time(capture: CaptureFile, frame: int) -> float:
    return int(capture.records.time[frame - 1]) / 1e9


def view(value: object, name: str) -> Any:
    """Return what the typed view ``name`` gives, or None when what it reads is missing or broken.

    A capture shows what was on the wire, and what was on the wire may be broken.
    """
    try:
        return getattr(value, name)
    except Malformed:
        return None
