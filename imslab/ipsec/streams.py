"""SIP over TCP under one set of associations: two connections, and the messages in them.

Spec: 3GPP TS 33.203, 7.1: what the terminal asks goes from its client port to the P-CSCF's server port, and
what the P-CSCF asks the other way round; answers come back on the same connection, under the association of
that direction. RFC 3261, 18.3 (a stream is cut into messages).
"""

from collections.abc import Callable

from imslab.errors import EspError
from imslab.ipsec import tcp
from imslab.ipsec.associations import Association, Associations
from imslab.ipsec.tcp import Connection
from imslab.sip import BadMessage, StreamFramer

_ANSWER = b"SIP/2.0 "


class _Line:
    """One of the two connections: what is sent goes under ``sends``, what comes came under ``receives``."""

    def __init__(
        self, sends: Association, receives: Association, new: Callable[[Association], Connection]
    ) -> None:
        self.sends, self.receives, self._new = sends, receives, new
        self.begin()

    def begin(self) -> None:
        """Start anew, with a connection that is not open yet."""
        self.connection, self.framer = self._new(self.sends), StreamFramer()


class Streams:
    """The two connections at one end.

    ``is_ue``   it is the terminal's;  ``random``: gives octets, for initial sequence numbers
    """

    def __init__(
        self,
        host: str,
        peer: str,
        associations: Associations,
        *,
        is_ue: bool,
        random: Callable[[int], bytes],
    ) -> None:
        def new(sends: Association) -> Connection:
            here, there = (host, sends.source_port), (peer, sends.destination_port)
            return Connection(here, there, int.from_bytes(random(4)))

        up = associations.request, associations.answer
        down = associations.network_request, associations.network_answer
        if is_ue:
            self._mine, self._theirs = _Line(*up, new), _Line(*down[::-1], new)
        else:
            self._mine, self._theirs = _Line(*down, new), _Line(*up[::-1], new)

    def post(self, message: bytes, now: float) -> None:
        """Send a message: a request on the connection that this end opens, an answer on the other's."""
        if message.startswith(_ANSWER):
            self._theirs.connection.send(message, now)
            return
        line = self._mine
        if line.connection.is_lost:
            line.begin()
        line.connection.send(message, now)
        if line.connection.peer_first is None and line.connection.due is None:
            line.connection.connect(now)

    def receive(self, association: Association, segment: bytes, now: float) -> list[bytes]:
        """Take a segment that came under ``association``, and return the messages that are whole now.

        Raises EspError for what is no segment, or a stream that cannot be followed: it is begun anew then.
        """
        line = self._mine if association is self._mine.receives else self._theirs
        called = tcp.opening(segment)
        if called is not None and line.connection.peer_first not in (None, called):
            line.begin()  # the other end had lost the connection
        octets = line.connection.receive(segment, now)
        try:
            return [bytes(message) for message in line.framer.receive(octets)] if octets else []
        except BadMessage as error:
            line.begin()
            raise EspError(f"the stream cannot be followed: {error}") from None

    def outgoing(self) -> list[tuple[Association, bytes]]:
        """Return, once, the segments to send now, each with its association."""
        lines = self._mine, self._theirs
        return [(line.sends, segment) for line in lines for segment in line.connection.outgoing()]

    @property
    def due(self) -> float | None:
        """When ``handle_timer`` wants to be called, or None."""
        times = (self._mine.connection.due, self._theirs.connection.due)
        return min((at for at in times if at is not None), default=None)

    def handle_timer(self, now: float) -> None:
        """Send again what was not acknowledged in time."""
        for line in (self._mine, self._theirs):
            line.connection.handle_timer(now)
