"""The UE: a SIM profile and a terminal that registers with it, calls and is called.

Spec: 3GPP TS 24.229, 5.1 (procedures at the UE), RFC 3261, RFC 3428 (MESSAGE). Registration and calls are
machines of their own; this is who they belong to, and who finds the one that a message is for.

Teaching code: it is not constant time.
"""

from imslab.errors import CallFailed, ImslabError, Malformed, RegistrationFailed
from imslab.ims import session_timer
from imslab.ims.agent import UserAgent
from imslab.ims.call import Call, Times
from imslab.ims.incoming import IncomingCall
from imslab.ims.indications import Ending
from imslab.ims.leg import Leg
from imslab.ims.messaging import Messaging
from imslab.ims.node import Address, RandomSource, parsed
from imslab.ims.outgoing import OutgoingCall
from imslab.ims.regevent import read_reginfo
from imslab.ims.registration import EXPIRES, MOST_CHALLENGES, Registered, Registration, State
from imslab.ims.requests import Identity
from imslab.ims.responder import PREFERENCE, CardAnswer, CardRequest
from imslab.ims.transactions import Client, Server
from imslab.ims.words import CAPABILITIES, unusable, warning
from imslab.sip import BadMessage, Message
from imslab.sip.offer import Negotiation
from imslab.sip.transaction import DEFAULT_TIMING, Timing

MOST_CALLS = 128  # at a time; the next one finds us busy

__all__ = [
    "EXPIRES",
    "MOST_CHALLENGES",
    "PREFERENCE",
    "CardAnswer",
    "CardRequest",
    "Registered",
    "State",
    "Ue",
]


class Ue(UserAgent):
    """One terminal with one card.

    ``address``    where it sends from and is reached
    ``proxy``      the P-CSCF, as the card's EF.P-CSCF names it
    ``algorithm``  the only digest algorithm to accept; None takes the strongest that is offered
    ``times``      how long its calls wait
    ``ipsec``      transforms to offer for the access, "encryption/integrity"; ``carrier``: as of UserAgent
    """

    def __init__(
        self,
        identity: Identity,
        address: Address,
        proxy: Address,
        *,
        random: RandomSource,
        algorithm: str | None = None,
        expires: int = EXPIRES,
        timing: Timing = DEFAULT_TIMING,
        times: Times | None = None,
        ipsec: tuple[str, ...] = (),
        carrier: int = 0,
    ) -> None:
        super().__init__(
            identity,
            address,
            proxy,
            random=random,
            algorithm=algorithm,
            timing=timing,
            ipsec=ipsec,
            carrier=carrier,
        )
        self.times = times or Times()
        self.reginfo: dict[str, str] = {}
        self._calls: list[Call] = []
        self._registration = Registration(self, expires)
        self._messaging = Messaging(self)

    # -- registration -----------------------------------------------------------------------

    @property
    def state(self) -> State:
        """Where the registration stands."""
        return self._registration.state

    @property
    def registered(self) -> Registered | None:
        """The registration that stands, or None."""
        return self._registration.registered

    @property
    def failure(self) -> ImslabError | None:
        """What the last registration failed with, or None."""
        return self._registration.failure

    @property
    def expires(self) -> int:
        """Seconds that a registration asks for."""
        return self._registration.expires

    def register(self, now: float) -> None:
        """Start a registration, or renew the one that stands."""
        self._registration.register(now)

    def deregister(self, now: float) -> None:
        """Start to leave: the same REGISTER with Expires 0 (TS 24.229, 5.1.1.6)."""
        self._registration.deregister(now)

    def subscribe(self, now: float) -> None:
        """Ask for the reg event: NOTIFYs fill ``reginfo`` (TS 24.229, 5.1.1.3)."""
        if self.registered is None:
            raise RegistrationFailed("no registration to watch", status=None, advice="register first")
        request = self.requests.subscribe(self.registered.service_routes, EXPIRES)
        self.ask(request, now, self._subscribed)

    def _subscribed(self, client: Client, response: Message, now: float) -> None:
        if response.status >= 200:
            self.note(now, f"SUBSCRIBE {response.status}", response.reason)

    # -- calls: TS 24.229, 5.1.3 and 5.1.4 ----------------------------------------------------

    @property
    def calls(self) -> list[Call]:
        """The calls that are not over."""
        self._calls = [call for call in self._calls if call.ending is None]
        return self._calls

    def invite(self, target: str, sdp: bytes, now: float) -> OutgoingCall:
        """Call ``target``, a SIP or tel URI, with the offer ``sdp``.

        Raises CallFailed without a registration, Malformed when target or offer cannot be read.
        """
        self._must_be_registered()
        call = OutgoingCall(self, target, sdp, self.times, now)
        self._calls.append(call)
        return call

    def ring(self, call: Call, now: float, sdp: bytes = b"", status: int = 180) -> None:
        """Say that ``call``, which came in, is alerting; with ``sdp`` the answer is given early."""
        _incoming(call).ring(now, sdp, status)

    def answer(self, call: Call, sdp: bytes, now: float) -> None:
        """Answer the call that came in, or the change that its peer offers."""
        if isinstance(call, IncomingCall) and call.is_waiting and not call.leg.changes.is_asked:
            call.answer(sdp, now)
        else:
            call.reached().changes.answer(sdp, now)

    def refuse(self, call: Call, status: int, now: float) -> None:
        """Refuse the call that came in (486, 603 ...), or the change that its peer offers (488)."""
        if isinstance(call, IncomingCall) and call.is_waiting and not call.leg.changes.is_asked:
            call.refuse(status, now)
        else:
            call.reached().changes.refuse(status, now)

    def cancel(self, call: Call, now: float) -> None:
        """Take back a call that was not answered yet."""
        if not isinstance(call, OutgoingCall):
            raise CallFailed("a call that came in is refused, not cancelled", status=None)
        call.cancel(now)

    def hang_up(self, call: Call, now: float, reason: str = "") -> None:
        """End a call, whatever its state."""
        call.hang_up(now, reason)

    def hold(self, call: Call, sdp: bytes, now: float) -> None:
        """Offer ``sdp`` in a re-INVITE: to hold, to resume, to add a stream (RFC 3261, 14)."""
        call.connected().changes.offer("INVITE", sdp, now)

    def update(self, call: Call, sdp: bytes, now: float) -> None:
        """Offer ``sdp`` in an UPDATE, also before the answer; b"" asks only for a sign of life (RFC 3311)."""
        call.reached().changes.offer("UPDATE", sdp, now)

    def message(self, target: str, text: str, now: float) -> str:
        """Send a pager message (RFC 3428) and return its id; ``Delivered`` tells what became of it.

        Raises CallFailed without a registration, Malformed when it is too long.
        """
        self._must_be_registered()
        return self._messaging.send(target, text, now)

    def abandon(self, reason: str, now: float) -> None:
        """End every call here and now: nothing can be sent any more."""
        for call in list(self.calls):
            call.over(Ending(None, reason, "network"), now)

    def _must_be_registered(self) -> None:
        if self.registered is None:
            raise CallFailed("not registered", status=None, advice="register first")

    # -- what arrives -----------------------------------------------------------------------

    def receive(self, octets: bytes | Message, source: Address, now: float) -> None:
        """Take one SIP message, or an ESP packet that holds one; only the P-CSCF is believed."""
        if source.is_protected:
            for message, sender, _ in self._opened(bytes(octets), source, now):
                self._received(message, sender, now)
        else:
            self._received(octets, source, now)

    def _received(self, octets: bytes | Message, source: Address, now: float) -> None:
        try:
            message = parsed(octets)
        except BadMessage as error:
            self._broken(error, error.message, error.status, source, now)
            return
        try:
            if not source.is_same_end(self.proxy):
                self._stranger(message, source, now)
            elif message.is_request:
                self._serve(message, now)
            else:
                self.transactions.response(message, source, now)
        except Malformed as error:
            self._broken(error, message, 400, source, now)

    def closed(self, source: Address, now: float) -> None:
        """End what hangs on the connection with the P-CSCF: it is gone, and its calls with it."""
        if self.proxy.is_protected:
            return  # it was of use until the agreement
        self.transactions.lost(self.proxy, now)
        self.abandon(f"the connection with {self.proxy} is gone", now)

    def _broken(
        self, error: Malformed, message: Message | None, status: int, source: Address, now: float
    ) -> None:
        self._note(now, "malformed message dropped", str(source), str(error))
        known = source.is_same_end(self.proxy)
        if message is not None and known and message.is_request and "Via" in message:
            self._turn_away(message, status, source)

    def _stranger(self, message: Message, source: Address, now: float) -> None:
        self._note(now, "message of somebody who is not the P-CSCF", str(source), message.start_line)
        if message.is_request:
            self._turn_away(message, 403, source)

    def _turn_away(self, request: Message, status: int, source: Address) -> None:
        if request.method != "ACK":
            self._send(Message.reply(request, status, to_tag=self.token()), source)

    def _serve(self, request: Message, now: float) -> None:
        if gaps := request.gaps():
            raise Malformed(gaps[0])
        if request.method == "ACK":
            self._acknowledged(request, now)
            return
        server = self.transactions.serve(request, self.proxy, now)
        if server is None:
            return
        try:
            self._dispatch(server, request, now)
        except Malformed as error:
            self.note(now, "malformed request", str(error))
            server.reply(400, now, [warning(error)])

    def _dispatch(self, server: Server, request: Message, now: float) -> None:
        if request.method == "NOTIFY":
            self._notified(server, now)
        elif request.to.tag is not None:
            leg = self._leg_of(request)
            if leg is None:
                server.reply(481, now)
            elif request.method == "MESSAGE":
                self._messaging.serve(server, now)
            else:
                leg.serve(server, now)
        elif request.method == "INVITE":
            self._invited(server, now)
        elif request.method == "MESSAGE":
            self._messaging.serve(server, now)
        elif request.method == "OPTIONS":
            server.reply(200, now, CAPABILITIES)
        else:
            server.reply(405, now, CAPABILITIES[:1])

    def _leg_of(self, request: Message) -> Leg | None:
        wanted = request.call_id, request.to.tag or "", request.from_.tag or ""
        legs = (leg for call in self.calls for leg in call.legs)
        return next((leg for leg in legs if leg.dialog.id == wanted), None)

    def _acknowledged(self, ack: Message, now: float) -> None:
        if self.transactions.acknowledges(ack, self.proxy, now):
            return
        leg = self._leg_of(ack)
        if leg is not None:
            leg.call.acknowledged(ack, now)

    def _invited(self, server: Server, now: float) -> None:
        request = server.request
        mine = (request.call_id, request.from_.tag, request.cseq)
        if any(call.came_with == mine for call in self.calls if isinstance(call, IncomingCall)):
            server.reply(482, now)  # RFC 3261, 8.2.2.2: the same INVITE has come on another way
        elif (refusal := unusable(request)) is not None:
            server.reply(refusal[0], now, refusal[1])
        elif session_timer.too_small(request, self.times.least):
            server.reply(422, now, [("Min-SE", self.times.least)])
        elif len(self.calls) >= MOST_CALLS:
            server.reply(486, now)
        else:
            self._ring_at_owner(server, now)

    def _ring_at_owner(self, server: Server, now: float) -> None:
        try:
            negotiation = Negotiation(asked=server.request.body)
        except Malformed as error:
            self.note(now, "call refused", str(error))
            server.reply(488, now, [warning(error)])
            return
        self._calls.append(IncomingCall(self, server, negotiation, self.times, now))

    def _notified(self, server: Server, now: float) -> None:
        event = server.request.event
        if event is None or event.package.lower() != "reg":
            server.reply(489, now, [("Allow-Events", "reg")])
            return
        self.reginfo = read_reginfo(server.request.body)
        self.note(now, "reg event", ", ".join(self.reginfo.values()))
        server.reply(200, now)
        if set(self.reginfo.values()) == {"terminated"}:
            self._registration.ended(now)


def _incoming(call: Call) -> IncomingCall:
    if not isinstance(call, IncomingCall):
        raise CallFailed("only a call that came in can do this", status=None)
    return call
