"""Messages out of datagrams and byte streams.

Spec: RFC 3261, sections 7.5, 18.3 and 18.4; RFC 5626, section 3.5.1 (CRLF keep-alives);
RFC 4475, section 3.1.2.2, 3.1.2.3 and 3.3.9 (what closes a connection).
"""

from imslab.sip.limits import DEFAULT_LIMITS, BadMessage, Limits
from imslab.sip.message import Message, head_end

_END = b"\r\n\r\n"


def datagram(octets: bytes, limits: Limits = DEFAULT_LIMITS) -> Message | None:
    """Read one UDP datagram; None for a keep-alive: nothing but CR, LF and, as some send, NUL.

    Octets behind Content-Length are ignored; without Content-Length the body goes to the end.
    Raise BadMessage.
    """
    if len(octets) > limits.head + len(_END) + limits.body:
        raise BadMessage(f"a datagram of {len(octets)} octets", status=513)
    stripped = octets.lstrip(b"\r\n")
    return Message.parse(stripped, limits) if stripped.strip(b"\x00") else None


class StreamFramer:
    """Cut a byte stream (TCP, TLS) into messages, however the octets arrive.

    ``pings``   double CRLFs received between messages (RFC 5626): answer each with one CRLF
    ``pongs``   single CRLFs received between messages: answers to our own pings
    ``closed``  whether the framer gave up, after an error or ``eof``: it reads nothing any more
    """

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self.pings = self.pongs = 0
        self.closed = False
        self._limits = limits
        self._buffer = bytearray()
        self._searched = 0
        self._half_ping = False
        self._head: Message | None = None
        self._head_octets = 0

    @property
    def pending(self) -> int:
        """How many octets wait for the rest of their message."""
        return len(self._buffer)

    def receive(self, octets: bytes) -> list[Message]:
        """Take octets, return the messages that they complete.

        Raise BadMessage for a stream that cannot be followed any more: no or bad Content-Length, a bad start
        line, a bound exceeded. The framer is closed then; ``error.complete`` holds the messages before the
        fault, and the owner answers ``error.message``, if it can, and closes the connection.
        """
        if self.closed:
            raise BadMessage("the stream is closed: nothing is read any more")
        self._buffer += octets
        found: list[Message] = []
        try:
            while (message := self._next()) is not None:
                found.append(message)
        except BadMessage as error:
            error.complete = found
            self._close()
            raise
        return found

    def eof(self) -> None:
        """Say that no more octets come; raise BadMessage when a message was cut in the middle."""
        cut = len(self._buffer)
        self._close()
        if cut:
            raise BadMessage(f"the stream ended in the middle of a message, after {cut} octets", offset=cut)

    def _close(self) -> None:
        self.closed = True
        self._buffer.clear()
        self._head = None

    def _next(self) -> Message | None:
        if self._head is None:
            self._take_keep_alives()
            self._head = self._read_head()
        return None if self._head is None else self._read_body(self._head)

    def _take_keep_alives(self) -> None:
        # A CRLF counts as a pong at once; when a second one follows, the two were a ping.
        while self._buffer.startswith(b"\r\n"):
            del self._buffer[:2]
            self.pings += self._half_ping
            self.pongs += -1 if self._half_ping else 1
            self._half_ping = not self._half_ping
        if bytes(self._buffer[:2]) not in (b"", b"\r"):
            self._half_ping = False

    def _read_head(self) -> Message | None:
        end = self._buffer.find(_END, max(0, self._searched - 3), self._limits.head + len(_END))
        if end < 0:
            self._searched = len(self._buffer)
            if self._searched >= self._limits.head + len(_END):
                head_end(bytes(self._buffer), self._limits)  # raises: too long
            return None
        self._searched, self._head_octets = 0, end
        head = Message.from_head(bytes(self._buffer[:end]), self._limits)
        if head.content_length is None:
            raise BadMessage("no Content-Length on a stream: where does it end?", message=head)
        return head

    def _read_body(self, head: Message) -> Message | None:
        stop = self._head_octets + len(_END) + (head.content_length or 0)
        if len(self._buffer) < stop:
            return None
        octets = bytes(self._buffer[:stop])
        del self._buffer[:stop]
        self._head = None
        return head.with_octets(octets, self._head_octets)
