"""HTTP in a capture: what a terminal asked of a BSF or a web application, over TCP, on any port.

Spec: RFC 9112, sections 2 and 6. A message belongs to the frame that completes it. What opens a WebSocket is
left to SIP; a body without Content-Length is not read, and what follows it in the connection neither.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from imslab.capture.file import CaptureFile
from imslab.capture.index import Index
from imslab.capture.reassemble import Endpoint, Stream, first_words, streams
from imslab.errors import Malformed
from imslab.ims.http import LONGEST_HEAD, Request, Response, content_length

_WORDS = tuple(int.from_bytes(word) for word in (b"GET ", b"POST", b"PUT ", b"HEAD", b"HTTP"))
_KEPT = 1 << 16  # octets of a body that are kept
_END = b"\r\n\r\n"

HttpMessage = Request | Response


@dataclass(frozen=True, slots=True)
class HttpEvent:
    """One HTTP message on the wire; ``frame`` (from 1) completes it, ``at`` is its time in epoch seconds."""

    frame: int
    at: float
    source: Endpoint
    destination: Endpoint
    message: HttpMessage


def read(capture: CaptureFile, index: Index, warnings: list[str]) -> list[HttpEvent]:
    """Return the HTTP messages of a capture in the order of their frames."""
    rows = np.flatnonzero(np.isin(first_words(capture, index), _WORDS)).tolist()
    found = [event for one in streams(capture, index, rows) for event in _messages(capture, one, warnings)]
    return sorted(found, key=lambda event: event.frame)


class HttpReader:
    """Cuts one direction of a connection into messages."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._message: HttpMessage | None = None
        self._missing = 0
        self._ended = False

    def receive(self, octets: bytes) -> list[HttpMessage]:
        """Take octets, return the messages they complete; raise Malformed when a head cannot be read."""
        if self._ended:
            return []
        self._held += octets
        found = []
        while (message := self._next()) is not None:
            found.append(message)
        return found

    def _next(self) -> HttpMessage | None:
        if self._message is None and not self._head():
            return None
        taken = bytes(self._held[: self._missing])
        del self._held[: len(taken)]
        self._missing -= len(taken)
        assert self._message is not None
        body = (self._message.body + taken)[:_KEPT]
        self._message = replace(self._message, body=body)
        if self._missing:
            return None
        message, self._message = self._message, None
        return message

    def _head(self) -> bool:
        """Read a head, when it is there; tell whether a message has begun."""
        head, end, _ = bytes(self._held[: LONGEST_HEAD + len(_END)]).partition(_END)
        if self._ended or not end:
            self._ended = self._ended or len(self._held) > LONGEST_HEAD
            return False
        del self._held[: len(head) + len(end)]
        message: HttpMessage = (Response if head[:5] == b"HTTP/" else Request).parse(head + end)
        self._ended = message.get("Upgrade") is not None or message.get("Transfer-Encoding") is not None
        if message.get("Upgrade") is not None:
            return False
        self._message, self._missing = message, content_length(message)
        return True


def _messages(capture: CaptureFile, stream: Stream, warnings: list[str]) -> Iterator[HttpEvent]:
    reader = HttpReader()
    for chunk in stream.chunks:
        if chunk.fresh:
            reader = HttpReader()
        try:
            complete = reader.receive(chunk.octets)
        except Malformed as error:
            warnings.append(f"frame {chunk.frame}: HTTP, but {error}")
            reader = HttpReader()  # the next message may begin with a segment
            continue
        at = int(capture.records.time[chunk.frame - 1]) / 1e9
        for message in complete:
            yield HttpEvent(chunk.frame, at, stream.source, stream.destination, message)
