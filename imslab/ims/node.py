"""What every node is: a machine that takes octets and the time, and gives octets to send.

The caller owns clock and sockets. It calls ``receive`` for what arrives, ``handle_timer`` when
``timer()`` is due, and after each of them sends ``outgoing()`` and reads ``events()``.
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from imslab.errors import EspError, Malformed
from imslab.ipsec.database import Database, SaSet
from imslab.sip import Credentials, Message

# A source of octets: the caller passes os.urandom, a test passes a seeded one.
RandomSource = Callable[[int], bytes]


ESP, ESP_TCP = "ESP", "ESP-TCP"  # UDP and TCP that IPsec protects
_AS_SIP = {ESP: "UDP", ESP_TCP: "TCP"}


class Address(NamedTuple):
    """One end of a hop: ``transport`` is "UDP", "TCP" or "WS", as in Via (RFC 3261, RFC 7118).

    A connection is known by the remote end's address, so the same value names a datagram's
    sender and a TCP or WebSocket connection. With "ESP" (UDP within it) and "ESP-TCP" it is an end
    behind IPsec: its port is the protected server port there (3GPP TS 33.203, 7.1).
    """

    host: str
    port: int
    transport: str = "UDP"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}/{self.transport}"

    @property
    def reliable(self) -> bool:
        """Tell whether the transport itself repeats what is lost (RFC 3261, 17)."""
        return self.sip_transport != "UDP"

    @property
    def is_protected(self) -> bool:
        """Tell whether IPsec protects what comes from and goes to this end."""
        return self.transport in _AS_SIP

    @property
    def sip_transport(self) -> str:
        """Return the transport as SIP sees it: IPsec lies below, and is no transport of its own."""
        return _AS_SIP.get(self.transport, self.transport)

    def is_same_end(self, other: "Address") -> bool:
        """Tell whether ``other`` is the same host and port, and both or none of the two are protected."""
        return self[:2] == other[:2] and self.is_protected is other.is_protected

    @property
    def uri(self) -> str:
        """Return the SIP URI of this address, with the transport when it is not UDP."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        transport = "" if self.sip_transport == "UDP" else f";transport={self.sip_transport.lower()}"
        return f"sip:{host}:{self.port}{transport}"


def protected(used: SaSet) -> Address:
    """Return the end that a set of associations leads to."""
    return Address(*used.peer, ESP if used.streams is None else ESP_TCP)


class Send(NamedTuple):
    """Octets of one SIP message that a node wants on the wire.

    ``message``  the same, as the value it was written from: a message is immutable, so that a driver
                 may hand it to another node of its own and spare that node the parsing
    """

    octets: bytes
    source: Address
    destination: Address
    message: Message | None = None


class Event(NamedTuple):
    """Something worth a line in a log: ``what`` in a few words, about whom, and why."""

    at: float
    node: str
    what: str
    about: str = ""
    why: str = ""


class Node(ABC):
    """The queues that all nodes share.

    ``database``  the security associations of a node on the Gm interface: with them ESP comes in and goes out
    """

    name = "node"
    database: Database | None = None

    def __init__(self, address: Address, random: RandomSource) -> None:
        self.address = address
        self._random = random
        self._queue: list[Send] = []
        self._events: list[Event] = []

    @abstractmethod
    def receive(self, octets: bytes | Message, source: Address, now: float) -> None:
        """Take one SIP message that arrived from ``source``; what is malformed is noted or refused."""

    def admits(self, origin: str | None) -> bool:
        """Tell whether a WebSocket with this Origin may open; a node that is no server admits none."""
        return False

    def closed(self, source: Address, now: float) -> None:  # noqa: B027 -- most nodes do not care
        """Take notice that the connection with ``source`` has ended."""

    def unreachable(self, send: "Send", now: float) -> None:
        """Take notice that a message could not be sent: the connection is gone (RFC 3261, 17.1.4)."""
        self._note(now, "message not sent", str(send.destination), "no connection")

    def outgoing(self) -> list[Send]:
        """Return, once, what is to be sent now; what IPsec protects is sealed, each time that it is sent."""
        queue, self._queue = self._queue, []
        if self.database is None:
            return queue
        clear = [send for send in queue if not self._posted(send, self.database)]
        own = Address(self.address.host, 0, ESP)
        packets = self.database.outgoing()
        return clear + [Send(packet, own, Address(host, port, ESP)) for packet, (host, port) in packets]

    def events(self) -> list[Event]:
        """Return, once, what happened."""
        events, self._events = self._events, []
        return events

    def timer(self) -> float | None:
        """Return when ``handle_timer`` is next due, in the caller's seconds, or None."""
        return None

    def handle_timer(self, now: float) -> None:  # noqa: B027 -- a node without timers
        """Do what is due at ``now``."""

    def _send(self, message: Message, destination: Address) -> Send:
        send = Send(bytes(message), self.address, destination, message)
        self._queue.append(send)
        return send

    def _posted(self, send: Send, database: Database) -> bool:
        """Let what goes to an end behind IPsec be sealed; False for anything else."""
        if not send.destination.is_protected:
            return False
        try:
            database.post(send.destination[:2], send.octets)
        except (EspError, Malformed) as error:
            self._note(database.now, "message not sent", str(send.destination), str(error))
        return True

    def _opened(self, packet: bytes, source: Address, now: float) -> Iterator[tuple[bytes, Address, SaSet]]:
        """Yield the messages that an ESP packet brings, who sent them, and under which set.

        What cannot be opened is dropped, and nobody is told (RFC 4303, 3.4): answers would help who guesses.
        """
        try:
            if self.database is None:
                raise EspError("no association with anybody")
            used, messages = self.database.open(packet, source[:2], now)
        except EspError as error:
            self._note(now, "ESP packet dropped", str(source), str(error))
            return
        yield from ((message, protected(used), used) for message in messages)

    def _note(self, now: float, what: str, about: str = "", why: str = "") -> None:
        self._events.append(Event(now, self.name, what, about, why))

    def _token(self, octets: int = 8) -> str:
        return self._random(octets).hex()

    def _branch(self) -> str:
        # RFC 3261, 8.1.1.7: the magic cookie, then what is unique.
        return "z9hG4bK" + self._random(8).hex()


def credentials_of(request: Message) -> Credentials | None:
    """Return the Digest credentials of a request, or None; other schemes are nobody's here."""
    return next((c for c in request.authorization if c.is_digest), None)


def parsed(octets: bytes | Message) -> Message:
    """Return the message; BadMessage, which says what to answer, when the octets hold none."""
    return octets if isinstance(octets, Message) else Message.parse(octets)


class Answered:
    """The responses a server repeats when a request comes again (RFC 3261, 17.2.2, timer J).

    All entries live equally long, so a queue in order of arrival is enough to drop them. Octets are
    kept and not messages: tens of thousands of objects would slow every garbage collection.
    """

    LIFETIME = 32.0  # 64 * T1, in seconds

    def __init__(self, most: int = 200_000) -> None:
        self._responses: dict[object, Send | None] = {}
        self._order: deque[tuple[float, object]] = deque()
        self._most = most

    def first_time(self, key: object, now: float) -> bool:
        """Tell whether this request is new, and remember it."""
        self._expire(now)
        if key in self._responses:
            return False
        self._responses[key] = None
        self._order.append((now + self.LIFETIME, key))
        return True

    def answer(self, key: object, response: Send) -> None:
        """Remember the latest response to the request ``key``."""
        if key in self._responses:
            self._responses[key] = response._replace(message=None)

    def repeated(self, key: object) -> Send | None:
        """Return the response to send again, or None while there is none yet."""
        return self._responses.get(key)

    def _expire(self, now: float) -> None:
        order = self._order
        while order and (order[0][0] <= now or len(order) > self._most):
            self._responses.pop(order.popleft()[1], None)
