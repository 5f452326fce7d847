"""The proxy core: what the P-CSCF and the S-CSCF do alike with a request that is not for them.

Spec: RFC 3261, 16 (proxies; 16.7 is the response context, 16.8 timer C, 16.10 CANCEL), RFC 6026 (2xx that
come again). A proxy keeps both transactions of an INVITE until the last copy has died out; an ACK of a 2xx
passes without a transaction (16.11).
"""

from abc import abstractmethod
from collections.abc import Iterable
from functools import partial
from typing import NamedTuple

from imslab.errors import Malformed
from imslab.ims.node import Address, Node, RandomSource, Send
from imslab.ims.timers import Timer, Timers
from imslab.ims.transactions import Client, Server, Transactions
from imslab.sip import Message, NameAddr, Params, Uri, Via
from imslab.sip.transaction import DEFAULT_TIMING, Timing, cancel_for

TIMER_C = 181.0  # seconds an INVITE may ring: more than three minutes (RFC 3261, 16.6 step 11)
# Methods that open a dialog: their later requests have to come by here again (RFC 3261, 16.6 step 4).
RECORDED = frozenset(("INVITE", "SUBSCRIBE", "REFER"))


class Target(NamedTuple):
    """One way for a request to go on: as it is to be sent, but for Via and Max-Forwards, and where to."""

    request: Message
    destination: Address


class Branch:
    """One copy of a request on its way, and what came back (RFC 3261, 16.7)."""

    __slots__ = ("cancelled", "client", "destination", "final", "progressing", "request", "timer")

    def __init__(self, request: Message, destination: Address) -> None:
        self.request, self.destination = request, destination
        self.client: Client | None = None
        self.final: Message | None = None
        self.progressing = self.cancelled = False
        self.timer: Timer | None = None


class ResponseContext:
    """A request, its branches, and which of their answers goes back (RFC 3261, 16.7)."""

    def __init__(self, proxy: "Proxy", server: Server) -> None:
        self.proxy, self.server = proxy, server
        self.branches: list[Branch] = []
        self._answered = False  # a final response went back
        server.cancelled = self.cancel

    @property
    def source(self) -> Address:
        """Where the request came from."""
        return self.server.peer

    def refuse(self, status: int, now: float, headers: Iterable[tuple[str, object]] = ()) -> None:
        """Answer the request here."""
        if not self._answered:
            self._answered = True
            self.server.reply(status, now, headers)

    def fork(self, targets: Iterable[Target], now: float) -> None:
        """Send the request on, to all targets at once; one that was cancelled meanwhile goes nowhere."""
        for target in () if self._answered else targets:
            request, destination = self.proxy._outward(target)
            branch = Branch(request, destination)
            self.branches.append(branch)
            if request.method == "INVITE":
                branch.timer = self.proxy._timers.start(now + TIMER_C, partial(self._overdue, branch))
            branch.client = self.proxy._transactions.ask(
                request, destination, now, partial(self._response, branch)
            )

    def cancel(self, now: float) -> None:
        """Cancel every branch that has not answered (RFC 3261, 16.10)."""
        if not self.branches:
            self.refuse(487, now)  # its way is still being looked for
        for branch in self.branches:
            if branch.final is None and not branch.cancelled:
                branch.cancelled = True
                if branch.progressing:
                    self._send_cancel(branch, now)

    def _send_cancel(self, branch: Branch, now: float) -> None:
        if branch.request.method != "INVITE":
            return  # nothing else can be cancelled (RFC 3261, 9.1)
        self.proxy._transactions.ask(cancel_for(branch.request), branch.destination, now, _ignore)
        self._wait(branch, now + self.proxy._transactions.timing.timeout, now)

    def _wait(self, branch: Branch, until: float, now: float) -> None:
        if branch.timer is not None:
            branch.timer.cancel()
        branch.timer = self.proxy._timers.start(until, partial(self._overdue, branch))

    def _overdue(self, branch: Branch, now: float) -> None:
        """Timer C: cancel a branch that rings for ever, and give up one that does not heed it (16.8)."""
        if branch.progressing and not branch.cancelled:
            branch.cancelled = True
            self._send_cancel(branch, now)
        elif branch.final is None:
            if branch.client is not None:
                branch.client.abandon(now)
            self._finish(branch, Message.reply(branch.request, 408, to_tag=self.server.tag), now)

    def _response(self, branch: Branch, client: Client, response: Message, now: float) -> None:
        status = response.status
        if client.transaction.failed:
            response = response.with_status(self.proxy._unreached(branch))
        if status < 200:
            self._provisional(branch, response, now)
        elif status < 300:
            self._success(branch, response, now)
        elif branch.final is None:
            self._finish(branch, response, now)

    def _provisional(self, branch: Branch, response: Message, now: float) -> None:
        if branch.final is not None:
            return
        first, branch.progressing = not branch.progressing, True
        if branch.cancelled and first:
            self._send_cancel(branch, now)  # it had to wait for this (RFC 3261, 9.1)
        elif not branch.cancelled and response.status > 100 and response.method == "INVITE":
            self._wait(branch, now + TIMER_C, now)
        if response.status > 100 and not self._answered:
            self._return(branch, response, now)

    def _success(self, branch: Branch, response: Message, now: float) -> None:
        # Of an INVITE every 2xx goes back, copies and those of other branches too; else the first alone.
        if response.method == "INVITE" or not self._answered:
            self._answered = True
            self._return(branch, response, now)
        if branch.final is None:
            self._end(branch, response)
            self.cancel(now)

    def _finish(self, branch: Branch, response: Message, now: float) -> None:
        self._end(branch, response)
        if response.status >= 600:
            self.cancel(now)
        if self._answered or any(other.final is None for other in self.branches):
            return
        self._answered = True
        finals = {id(other.final): other for other in self.branches}
        chosen = best([other.final for other in self.branches if other.final is not None])
        self._return(finals.get(id(chosen), branch), _presentable(chosen), now)

    def _end(self, branch: Branch, response: Message) -> None:
        branch.final = response
        if branch.timer is not None:
            branch.timer.cancel()
            branch.timer = None

    def _return(self, branch: Branch, response: Message, now: float) -> None:
        try:
            response = self.proxy._returning(self, branch, response.drop_first("Via"))
        except Malformed as error:
            self.proxy._note(now, "malformed response", str(branch.destination), str(error))
            if response.status >= 200:
                self.server.reply(502, now)
            return
        self.server.respond(response, now)


class Proxy(Node):
    """A node that forwards: a subclass says where to, and what it changes on the way."""

    def __init__(self, address: Address, random: RandomSource, *, timing: Timing = DEFAULT_TIMING) -> None:
        super().__init__(address, random)
        self._timers = Timers()
        self._transactions = Transactions(self._send, self._new_tag, self._timers, timing)
        self._host = f"[{address.host}]" if ":" in address.host else address.host

    @abstractmethod
    def _route(self, context: ResponseContext, request: Message, now: float) -> None:
        """Fork ``request`` to where it has to go, or refuse it."""

    @abstractmethod
    def _way(self, request: Message, source: Address) -> Target | None:
        """Return the way of a request within a dialog, by its Route; None when it leads nowhere."""

    def _returning(self, context: ResponseContext, branch: Branch, response: Message) -> Message:
        """Return a response as it goes back, without our Via."""
        return response

    def _unreached(self, branch: Branch) -> int:
        """Return the status for a request that could not be sent (RFC 3261, 16.9)."""
        return 503

    def _proxied(self, request: Message, source: Address, now: float) -> None:
        """Take a request that is not for this node; its faults are answered."""
        if request.method == "ACK":
            self._acknowledged(request, source, now)
            return
        server = self._transactions.serve(request, source, now)
        if server is None:
            return
        context = ResponseContext(self, server)
        if request.max_forwards == 0:
            context.refuse(483, now)
            return
        if request.method == "INVITE":
            server.reply(100, now)
        try:
            self._route(context, request, now)
        except Malformed as error:
            self._note(now, "malformed request", str(source), str(error))
            context.refuse(400, now)

    def _acknowledged(self, ack: Message, source: Address, now: float) -> None:
        """Send the ACK of a 2xx on; that of a failure ends here, where its transaction is (RFC 3261, 17)."""
        if self._transactions.acknowledges(ack, source, now) or ack.max_forwards == 0:
            return
        way = self._way(ack, source)
        if way is not None:
            self._send(*self._outward(way))

    def _outward(self, target: Target) -> Target:
        """Add what every hop adds: Via, and one less in Max-Forwards (RFC 3261, 16.6)."""
        request, destination = target
        hops = 70 if request.max_forwards is None else request.max_forwards - 1
        port = self._via_port(destination)
        via = Via(self._via_transport(destination), self._host, port, self._via_params())
        return Target(request.prepend("Via", via).with_header("Max-Forwards", hops), destination)

    def _via_params(self) -> Params:
        return Params({"branch": self._branch()})

    def _via_transport(self, destination: Address) -> str:
        return destination.sip_transport

    def _via_port(self, destination: Address) -> int:
        return self.address.port

    def _new_tag(self) -> str:
        return self._token(6)

    # -- time and transport -----------------------------------------------------------------

    def unreachable(self, send: Send, now: float) -> None:
        """End the transaction of a request that could not be sent."""
        super().unreachable(send, now)
        self._transactions.unreachable(send.message, now)

    def timer(self) -> float | None:
        """Return when the next transaction wants to be looked at."""
        return self._timers.next()

    def handle_timer(self, now: float) -> None:
        """Retransmit, give up, cancel, as is due at ``now``."""
        self._timers.fire(now)


def best(responses: list[Message]) -> Message:
    """Return the final response (300 to 699) that tells the caller most (RFC 3261, 16.7 step 6).

    Challenges of the other branches are added to a 401 or 407 (step 7).
    """
    chosen = min(responses, key=lambda response: _rank(response.status))
    if chosen.status in (401, 407):
        for other in responses:
            if other is not chosen and other.status in (401, 407):
                for name in ("WWW-Authenticate", "Proxy-Authenticate"):
                    chosen = chosen.extended((name, row) for row in other.all(name))
    return chosen


# A 4xx that says what to change comes first; that somebody did not answer, or was cancelled, says least.
_HELPFUL, _UNHELPFUL = (401, 407, 415, 420, 484), (408, 430, 487)


def _rank(status: int) -> tuple[int, int]:
    if status >= 600:
        return 0, status
    return status // 100, -1 if status in _HELPFUL else int(status in _UNHELPFUL)


def _presentable(response: Message) -> Message:
    """Return a response as it may leave: a 503 and a 430 speak of our own neighbours, not of the callee."""
    # RFC 3261, 16.7 step 6 (503); RFC 5626, 5.3 and 11 (430 is between a proxy and its edge).
    other = {503: 500, 430: 480}.get(response.status)
    return response if other is None else response.with_status(other)


def hop(uri: Uri) -> Address:
    """Return where a URI of a Route leads; without transport it is UDP (RFC 3263, 4.1, with a literal)."""
    return Address(uri.address, uri.port_or_default, (uri.transport or "udp").upper())


def is_same_route(route: NameAddr, host: str, port: int) -> bool:
    """Tell whether a Route names the node at ``host``:``port``."""
    uri = route.uri
    return uri.address.lower() == host.lower() and uri.port_or_default == port


def _ignore(client: Client, response: Message, now: float) -> None:
    """Take the answer to a CANCEL: it says nothing about the INVITE (RFC 3261, 9.1)."""
