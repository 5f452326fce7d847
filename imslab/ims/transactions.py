"""The transaction layer of a node: every request that it asks or serves, until that is over.

Spec: RFC 3261, 17 and 18 (the layer between transport and transaction user), 9 (CANCEL), 8.1.3.1 (a
timeout is a 408, a transport error a 503). A server transaction belongs to the address that its request
came from, so nobody can answer, cancel or acknowledge what somebody else has asked.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from contextlib import suppress

from imslab.errors import Malformed
from imslab.ims.node import Address
from imslab.ims.timers import Action, Timer, Timers
from imslab.sip import Message, transaction
from imslab.sip.transaction import InviteClient, InviteServer, NonInviteClient, NonInviteServer

MOST = 50_000  # transactions of one node: beyond that, new requests get 503

AnyTransaction = InviteClient | NonInviteClient | InviteServer | NonInviteServer


class _Entry(ABC):
    """What client and server have in common: a transaction, its peer, and its place in the layer."""

    __slots__ = ("_layer", "_timer", "peer", "transaction")

    def __init__(self, layer: "Transactions", machine: AnyTransaction, peer: Address) -> None:
        self._layer, self.transaction, self.peer = layer, machine, peer
        self._timer: Timer | None = None

    @property
    def request(self) -> Message:
        """The request that the transaction is about."""
        return self.transaction.request

    def _touched(self, now: float) -> None:
        """Send what waits, and set the clock for what comes next."""
        machine = self.transaction
        while True:
            for message in machine.outgoing():
                self._layer.send(message, self.peer)
            at = machine.timer()
            if at is None or at > now:
                break
            machine.handle_timer(now)
        if self._timer is not None and self._timer.at != at:
            self._timer.cancel()
            self._timer = None
        if at is not None and (self._timer is None or not self._timer.is_running):
            self._timer = self._layer.timers.start(at, self._due)
        if machine.is_terminated:
            self._ended(now)

    def _due(self, now: float) -> None:
        self.transaction.handle_timer(now)
        self._touched(now)

    @abstractmethod
    def _ended(self, now: float) -> None:
        """Leave the layer: the machine is terminated."""


class Client(_Entry):
    """A request that the node has sent.

    ``answered``  called with each response that the transaction user has to see; a request that got no
                  answer in 64*T1, or could not be sent, is answered with a 408 or a 503 made here
    """

    __slots__ = ("answered",)
    transaction: InviteClient | NonInviteClient

    def __init__(
        self,
        layer: "Transactions",
        machine: InviteClient | NonInviteClient,
        peer: Address,
        answered: Callable[["Client", Message, float], None],
    ) -> None:
        super().__init__(layer, machine, peer)
        self.answered = answered

    @property
    def silent(self) -> bool:
        """Whether nobody has answered: the last response was made here."""
        return self.transaction.timed_out or self.transaction.failed

    def response(self, response: Message, now: float) -> None:
        """Take a response from the wire."""
        self.transaction.handle_response(response, now=now)
        delivered = self.transaction.delivered()
        self._touched(now)
        for one in delivered:
            self.answered(self, one, now)

    def unreachable(self, now: float) -> None:
        """End the transaction: its request could not be sent."""
        if not self.transaction.is_terminated:
            self.transaction.handle_transport_error()
            self._touched(now)

    def abandon(self, now: float) -> None:
        """Wait no longer: an INVITE that was cancelled is not answered (RFC 3261, 9.1)."""
        self.transaction.terminate()
        self._touched(now)

    def _ended(self, now: float) -> None:
        if self._layer.clients.pop(self.transaction.key, None) is self and self.silent:
            status = 408 if self.transaction.timed_out else 503
            tag = None if self.request.to.tag else self._layer.new_tag()
            self.answered(self, Message.reply(self.request, status, to_tag=tag), now)


class Server(_Entry):
    """A request that the node has to answer.

    ``cancelled``  called when a CANCEL asks to end it; None while nobody cares
    """

    __slots__ = ("_key", "_tag", "cancelled")
    transaction: InviteServer | NonInviteServer

    def __init__(
        self,
        layer: "Transactions",
        machine: InviteServer | NonInviteServer,
        peer: Address,
        key: object,
    ) -> None:
        super().__init__(layer, machine, peer)
        self._key, self._tag = key, ""
        self.cancelled: Action | None = None

    @property
    def tag(self) -> str:
        """The To tag of every response that is made here (RFC 3261, 8.2.6.2)."""
        if not self._tag:
            with suppress(Malformed):  # a request that is answered with 400: its To may be the reason
                self._tag = self.request.to.tag or ""
            self._tag = self._tag or self._layer.new_tag()
        return self._tag

    @property
    def has_answered(self) -> bool:
        """Whether a final response has been sent."""
        return self.transaction.state not in (transaction.State.TRYING, transaction.State.PROCEEDING)

    def reply(
        self, status: int, now: float, headers: Iterable[tuple[str, object]] = (), body: bytes = b""
    ) -> Message:
        """Answer the request, and return the response that was sent."""
        tag = None if status == 100 else self.tag
        response = Message.reply(self.request, status, headers=headers, body=body, to_tag=tag)
        self.respond(response, now)
        return response

    def respond(self, response: Message, now: float) -> None:
        """Send a response. A 2xx goes out also when the transaction has ended (RFC 6026, 7.1)."""
        if self.transaction.is_terminated and 200 <= response.status < 300:
            self._layer.send(response, self.peer)
            return
        self.transaction.respond(response, now=now)
        self._touched(now)

    def again(self, request: Message, now: float) -> bool:
        """Take a copy of the request, or its ACK; return whether nobody else needs it."""
        accepted = self.transaction.state is transaction.State.ACCEPTED
        self.transaction.handle_request(request, now=now)
        self._touched(now)
        return request.method != "ACK" or not accepted

    def _ended(self, now: float) -> None:
        self._layer.servers.pop(self._key, None)


class Transactions:
    """All transactions of one node.

    ``send``     writes a message to an address
    ``new_tag``  gives a tag that nobody can guess
    """

    def __init__(
        self,
        send: Callable[[Message, Address], object],
        new_tag: Callable[[], str],
        timers: Timers,
        timing: transaction.Timing = transaction.DEFAULT_TIMING,
        most: int = MOST,
    ) -> None:
        self.send, self.new_tag = send, new_tag
        self.timers, self.timing = timers, timing
        self.clients: dict[transaction.Key, Client] = {}
        self.servers: dict[object, Server] = {}
        self._most = most

    def ask(
        self,
        request: Message,
        peer: Address,
        now: float,
        answered: Callable[[Client, Message, float], None],
    ) -> Client:
        """Send a request (no ACK), and send it again until it is answered."""
        kind = InviteClient if request.method == "INVITE" else NonInviteClient
        machine = kind(request, now=now, reliable=peer.reliable, timing=self.timing)
        client = Client(self, machine, peer, answered)
        self.clients[machine.key] = client
        client._touched(now)
        return client

    def response(self, response: Message, source: Address, now: float) -> bool:
        """Give a response to whom it belongs; False when nobody has asked, or asked somebody else."""
        client = self.clients.get(transaction.client_key(response))
        if client is None or not client.peer.is_same_end(source):
            return False
        client.response(response, now)
        return True

    def serve(self, request: Message, source: Address, now: float) -> Server | None:
        """Return the transaction of a new request; None when it is a copy, which is dealt with here.

        A CANCEL is dealt with here as well, and an ACK that ends a transaction. An ACK of a 2xx starts none:
        ``acknowledges`` tells.
        """
        key = (source, transaction.server_key(request))
        if (known := self.servers.get(key)) is not None:
            known.again(request, now)
            return None
        if len(self.servers) >= self._most:
            self.send(Message.reply(request, 503, headers=[("Retry-After", "5")]), source)
            return None
        server = self._serve(request, source, now, key)
        if request.method == "CANCEL":
            self._cancel(server, now)
            return None
        return server

    def acknowledges(self, ack: Message, source: Address, now: float) -> bool:
        """Take an ACK; return whether it was for a failure (or for nothing), so that nobody else needs it."""
        server = self.servers.get((source, transaction.server_key(ack)))
        return server is not None and server.again(ack, now)

    def unreachable(self, message: Message | None, now: float) -> None:
        """Take notice that a message could not be sent (RFC 3261, 17.1.4)."""
        if message is not None and message.is_request and message.method != "ACK":
            client = self.clients.get(transaction.client_key(message))
            if client is not None:
                client.unreachable(now)

    def lost(self, peer: Address, now: float) -> None:
        """Take notice that a connection has ended: who is behind it will answer nothing any more."""
        for client in [client for client in self.clients.values() if client.peer == peer]:
            client.unreachable(now)

    def _serve(self, request: Message, source: Address, now: float, key: object) -> Server:
        machine: InviteServer | NonInviteServer
        if request.method == "INVITE":
            machine = InviteServer(request, now=now, reliable=source.reliable, timing=self.timing)
        else:
            machine = NonInviteServer(request, now=now, reliable=source.reliable, timing=self.timing)
        server = self.servers[key] = Server(self, machine, source, key)
        server._touched(now)
        return server

    def _cancel(self, cancel: Server, now: float) -> None:
        invite = self.servers.get((cancel.peer, transaction.cancelled_key(cancel.request)))
        if invite is None:
            cancel.reply(481, now)
            return
        cancel._tag = invite.tag  # RFC 3261, 9.2: the same as in the responses to the INVITE
        cancel.reply(200, now)
        if invite.cancelled is not None:
            invite.cancelled(now)
