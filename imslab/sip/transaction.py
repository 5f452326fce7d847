"""The four SIP transactions, without clock or socket.

Spec: RFC 3261, section 17 (figures 5 to 8); RFC 6026 (the Accepted states, timers L and M). The caller owns
the clock: it passes ``now`` in, asks ``timer()`` when to come back, sends what ``outgoing()`` gives and
hands what ``delivered()`` gives to the transaction user. Times are seconds; ``reliable`` is True over
TCP, TLS and WebSocket, where nothing is sent twice.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum

from imslab.errors import Malformed
from imslab.sip.message import Message

Key = tuple[str, ...]


class State(Enum):
    """Names of RFC 3261, figures 5 to 8, and of RFC 6026."""

    CALLING = "Calling"
    TRYING = "Trying"
    PROCEEDING = "Proceeding"
    ACCEPTED = "Accepted"
    COMPLETED = "Completed"
    CONFIRMED = "Confirmed"
    TERMINATED = "Terminated"


@dataclass(frozen=True, slots=True)
class Timing:
    """The base times, in seconds (RFC 3261, table 4); ``td`` is the least that timer D may last."""

    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0
    td: float = 32.0

    @property
    def timeout(self) -> float:
        """64*T1: timers B, F, H, J, L and M."""
        return 64 * self.t1


DEFAULT_TIMING = Timing()


def key(message: Message) -> Key:
    """Return what identifies the transaction of a received message.

    A request is matched to a server transaction (RFC 3261, 17.2.3), an ACK to that of its INVITE; a response
    to a client transaction (17.1.3). Without the magic cookie the fields of RFC 2543 are compared.
    """
    return server_key(message) if message.is_request else client_key(message)


def client_key(message: Message) -> Key:
    """Return the key of the client transaction: the branch, and the method in CSeq (RFC 3261, 17.1.3)."""
    return "client", (message.via.branch or "").lower(), message.cseq.method


def server_key(request: Message) -> Key:
    """Return the key of the server transaction that ``request`` starts or belongs to."""
    method = "INVITE" if request.method == "ACK" else request.method
    return _server_key(request, method)


def cancelled_key(cancel: Message) -> Key:
    """Return the key of the INVITE server transaction that a CANCEL asks to end (RFC 3261, 9.2)."""
    return _server_key(cancel, "INVITE")


def _server_key(request: Message, method: str) -> Key:
    via = request.via
    if via.is_rfc3261:
        return "server", (via.branch or "").lower(), via.sent_by.lower(), method
    # RFC 2543: the To tag of an ACK is the one of the response, so it cannot help to find the INVITE.
    to_tag = "" if method == "INVITE" else request.to.tag or ""
    fields = request.uri.canonical, request.from_.tag or "", to_tag, request.call_id, str(request.cseq.number)
    return "rfc2543", *fields, str(via).lower(), method


def ack_for(invite: Message, response: Message) -> Message:
    """Return the ACK for a 300 to 699 response, by the rules of RFC 3261, 17.1.1.3."""
    to, caller = response.get("To"), invite.get("From")
    if to is None or caller is None:
        raise Malformed("no To in the response, or no From in the INVITE")
    headers: list[tuple[str, object]] = [("Via", invite.via), ("Max-Forwards", 70)]
    headers += [("Route", text) for text in invite.all("Route")]
    headers += [("From", caller), ("To", to), ("Call-ID", invite.call_id)]
    headers += [("CSeq", f"{invite.cseq.number} ACK")]
    return Message.request("ACK", invite.uri_text, headers)


def cancel_for(invite: Message) -> Message:
    """Return the CANCEL of an INVITE that is under way: the same hop, number and tags (RFC 3261, 9.1)."""
    headers: list[tuple[str, object]] = [("Via", invite.via), ("Max-Forwards", 70)]
    headers += [(name, text) for name in ("Route", "From", "To", "Call-ID") for text in invite.all(name)]
    headers += [("CSeq", f"{invite.cseq.number} CANCEL")]
    return Message.request("CANCEL", invite.uri_text, headers)


class _Transaction(ABC):
    """What all four share: the queues, the timers, the end.

    ``timed_out``  no answer came in 64*T1 (a client reports 408, RFC 3261, 8.1.3.1)
    ``failed``     the transport gave up (503)
    """

    def __init__(self, request: Message, state: State, *, reliable: bool, timing: Timing) -> None:
        self.request, self.state, self.reliable = request, state, reliable
        self.timed_out = self.failed = False
        self._timing = timing
        self._outgoing: list[Message] = []
        self._delivered: list[Message] = []
        self._deadlines: dict[str, float] = {}

    @property
    def is_terminated(self) -> bool:
        """Whether the transaction can be forgotten."""
        return self.state is State.TERMINATED

    def outgoing(self) -> list[Message]:
        """Return, once, the messages to send now."""
        queue, self._outgoing = self._outgoing, []
        return queue

    def delivered(self) -> list[Message]:
        """Return, once, the messages that the transaction user has to see."""
        queue, self._delivered = self._delivered, []
        return queue

    def timer(self) -> float | None:
        """Return when ``handle_timer`` is next due, or None when nothing is."""
        return min(self._deadlines.values(), default=None)

    def handle_timer(self, now: float) -> None:
        """Fire every timer that is due at ``now``, the earliest first."""
        while (due := self._due(now)) is not None:
            del self._deadlines[due]
            self._fire(due, now)

    def handle_transport_error(self) -> None:
        """End the transaction: the message could not be sent (RFC 3261, 17.1.4 and 17.2.4)."""
        self.failed = True
        self._terminate()

    def terminate(self) -> None:
        """End the transaction: nobody waits for its answer any more (RFC 3261, 9.1)."""
        self._terminate()

    def _due(self, now: float) -> str | None:
        due = [(at, name) for name, at in self._deadlines.items() if at <= now]
        return min(due)[1] if due else None

    @abstractmethod
    def _fire(self, name: str, now: float) -> None:
        """Do what timer ``name`` is for."""

    def _terminate(self) -> None:
        self.state = State.TERMINATED
        self._deadlines.clear()

    def _time_out(self) -> None:
        self.timed_out = True
        self._terminate()

    def _wait(self, name: str, now: float, seconds: float) -> None:
        """Leave only timer ``name`` running; over a reliable transport it is zero (L and M excepted)."""
        self._deadlines = {name: now + (0 if self.reliable and name not in "LM" else seconds)}


class _Client(_Transaction):
    """What both client transactions share: a request that is sent again, slower each time."""

    _resend, _give_up = "", ""

    def __init__(
        self,
        request: Message,
        state: State,
        *,
        now: float,
        reliable: bool,
        timing: Timing = DEFAULT_TIMING,
    ) -> None:
        super().__init__(request, state, reliable=reliable, timing=timing)
        self.key = client_key(request)
        self._outgoing.append(request)
        self._interval = timing.t1
        self._deadlines[self._give_up] = now + timing.timeout
        if not reliable:
            self._deadlines[self._resend] = now + timing.t1

    def _fire(self, name: str, now: float) -> None:
        if name == self._give_up:
            self._time_out()
        elif name == self._resend:
            self._outgoing.append(self.request)
            self._interval = self._next_interval()
            self._deadlines[name] = now + self._interval
        else:
            self._terminate()

    @abstractmethod
    def _next_interval(self) -> float:
        """Return the seconds to the next retransmission."""


class InviteClient(_Client):
    """The INVITE client transaction (RFC 3261, figure 5; RFC 6026, figure 3)."""

    _resend, _give_up = "A", "B"

    def __init__(
        self, request: Message, *, now: float, reliable: bool, timing: Timing = DEFAULT_TIMING
    ) -> None:
        super().__init__(request, State.CALLING, now=now, reliable=reliable, timing=timing)
        self._ack: Message | None = None

    def handle_response(self, response: Message, *, now: float) -> None:
        """Take a response: 2xx is for the user to acknowledge, 300 to 699 is acknowledged here."""
        if response.status < 200:
            self._handle_provisional(response)
        elif response.status < 300:
            self._handle_success(response, now)
        else:
            self._handle_failure(response, now)

    def _handle_provisional(self, response: Message) -> None:
        if self.state in (State.CALLING, State.PROCEEDING):
            self.state = State.PROCEEDING
            self._deadlines.clear()
            self._delivered.append(response)

    def _handle_success(self, response: Message, now: float) -> None:
        if self.state in (State.CALLING, State.PROCEEDING):
            self.state = State.ACCEPTED
            self._wait("M", now, self._timing.timeout)
        if self.state is State.ACCEPTED:
            self._delivered.append(response)

    def _handle_failure(self, response: Message, now: float) -> None:
        if self.state in (State.CALLING, State.PROCEEDING):
            self._ack = ack_for(self.request, response)
            self.state = State.COMPLETED
            self._wait("D", now, max(self._timing.td, self._timing.timeout))
            self._delivered.append(response)
        if self.state is State.COMPLETED and self._ack is not None:
            self._outgoing.append(self._ack)

    def _next_interval(self) -> float:
        return 2 * self._interval


class NonInviteClient(_Client):
    """The non-INVITE client transaction (RFC 3261, figure 6)."""

    _resend, _give_up = "E", "F"

    def __init__(
        self, request: Message, *, now: float, reliable: bool, timing: Timing = DEFAULT_TIMING
    ) -> None:
        super().__init__(request, State.TRYING, now=now, reliable=reliable, timing=timing)

    def handle_response(self, response: Message, *, now: float) -> None:
        """Take a response: 1xx slows retransmission, 200 to 699 ends it."""
        if self.state not in (State.TRYING, State.PROCEEDING):
            return  # a late copy, absorbed
        self._delivered.append(response)
        if response.status < 200:
            self.state = State.PROCEEDING
            return
        self.state = State.COMPLETED
        self._wait("K", now, self._timing.t4)

    def _next_interval(self) -> float:
        return self._timing.t2 if self.state is State.PROCEEDING else min(2 * self._interval, self._timing.t2)


class _Server(_Transaction):
    """What both server transactions share: the last response, sent again when the request comes again."""

    def __init__(self, request: Message, state: State, *, reliable: bool, timing: Timing) -> None:
        super().__init__(request, state, reliable=reliable, timing=timing)
        self.key = server_key(request)
        self._delivered.append(request)
        self._response: Message | None = None

    def _send(self, response: Message) -> None:
        self._response = response
        self._outgoing.append(response)

    def _repeat(self) -> None:
        if self._response is not None:
            self._outgoing.append(self._response)


class InviteServer(_Server):
    """The INVITE server transaction (RFC 3261, figure 7; RFC 6026, figure 5).

    It sends 100 Trying by itself when the user has not answered within 200 ms (17.2.1).
    """

    def __init__(
        self, request: Message, *, now: float, reliable: bool, timing: Timing = DEFAULT_TIMING
    ) -> None:
        super().__init__(request, State.PROCEEDING, reliable=reliable, timing=timing)
        self._interval = timing.t1
        self._deadlines["100"] = now + 0.2

    def handle_request(self, request: Message, *, now: float) -> None:
        """Take a copy of the INVITE, or its ACK."""
        if request.method != "ACK":
            if self.state in (State.PROCEEDING, State.COMPLETED):
                self._repeat()
        elif self.state is State.COMPLETED:
            self.state = State.CONFIRMED
            self._wait("I", now, self._timing.t4)
        elif self.state is State.ACCEPTED:
            self._delivered.append(request)

    def respond(self, response: Message, *, now: float) -> None:
        """Send the user's response; after a final one only further 2xx pass, in Accepted."""
        if self.state is State.ACCEPTED and 200 <= response.status < 300:
            self._send(response)
        if self.state is not State.PROCEEDING:
            return
        self._deadlines.clear()
        self._send(response)
        if response.status >= 300:
            self._complete(now)
        elif response.status >= 200:
            self.state = State.ACCEPTED
            self._wait("L", now, self._timing.timeout)

    def _complete(self, now: float) -> None:
        self.state = State.COMPLETED
        self._deadlines = {"H": now + self._timing.timeout}
        if not self.reliable:
            self._deadlines["G"] = now + self._timing.t1

    def _fire(self, name: str, now: float) -> None:
        if name == "100":
            self._send(Message.reply(self.request, 100))
        elif name == "G":
            self._repeat()
            self._interval = min(2 * self._interval, self._timing.t2)
            self._deadlines["G"] = now + self._interval
        elif name == "H":
            self._time_out()
        else:
            self._terminate()


class NonInviteServer(_Server):
    """The non-INVITE server transaction (RFC 3261, figure 8)."""

    def __init__(
        self, request: Message, *, now: float, reliable: bool, timing: Timing = DEFAULT_TIMING
    ) -> None:
        super().__init__(request, State.TRYING, reliable=reliable, timing=timing)

    def handle_request(self, request: Message, *, now: float) -> None:
        """Take a copy of the request: the last response goes out again, if there was one."""
        if self.state in (State.PROCEEDING, State.COMPLETED):
            self._repeat()

    def respond(self, response: Message, *, now: float) -> None:
        """Send the user's response; after a final one no other passes."""
        if self.state not in (State.TRYING, State.PROCEEDING):
            return
        self._send(response)
        if response.status < 200:
            self.state = State.PROCEEDING
            return
        self.state = State.COMPLETED
        self._wait("J", now, self._timing.timeout)

    def _fire(self, name: str, now: float) -> None:
        self._terminate()
