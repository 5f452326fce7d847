"""One dialog of a call: the requests within it, in both directions, and what is agreed in it.

Spec: RFC 3261, 12.2, 14 (re-INVITE) and 15 (BYE), RFC 3311 (UPDATE), RFC 3262 (PRACK), RFC 4028 (refresh).
A caller has a leg for each callee that has begun to answer; one of them becomes the call.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from imslab.errors import CallFailed, Malformed
from imslab.ims import session_timer
from imslab.ims.indications import Changed, Ending, Offered, Refused
from imslab.ims.session_timer import SessionTimer
from imslab.ims.timers import Action, Timer
from imslab.ims.transactions import Client, Server
from imslab.sip import Message
from imslab.sip.dialog import Dialog
from imslab.sip.offer import Negotiation

if TYPE_CHECKING:
    from imslab.ims.call import Call

METHODS = ("INVITE", "ACK", "CANCEL", "BYE", "PRACK", "UPDATE", "MESSAGE", "OPTIONS")
EXTENSIONS = ("100rel", "precondition", "timer")  # option tags: RFC 3262, 3312, 4028
SDP = "application/sdp"
CAPABILITIES: list[tuple[str, object]] = [
    ("Allow", ", ".join(METHODS)),
    ("Supported", ", ".join(EXTENSIONS)),
    ("Accept", SDP),
]

Rows = Iterable[tuple[str, object]]
OnResponse = Callable[[Client, Message, float], None]


class Leg:
    """One dialog, early or confirmed.

    ``negotiation``  its offers and answers
    """

    def __init__(self, call: "Call", dialog: Dialog, negotiation: Negotiation) -> None:
        self.call, self.agent = call, call.agent
        self.dialog, self.negotiation = dialog, negotiation
        self.peer_updates = False  # whether the peer allows UPDATE
        self.session = SessionTimer(self.agent.timers, refresh=self._refresh, expired=self._expired)
        self._asking: Client | None = None  # our INVITE or UPDATE that is not answered yet
        self._asked: Server | None = None  # the peer's, which the owner has to answer
        self._patience: Timer | None = None
        self._again: Timer | None = None
        self._success: tuple[int, Timer] | None = None  # our 2xx that waits for the ACK with this CSeq
        self._offered_there = False  # whether that 2xx holds an offer of ours
        self._later: Action | None = None  # a change of ours that waits for that ACK
        self._hanging_up = ""
        self._acks: dict[int, Message] = {}
        self._rseq: int | None = None

    @property
    def contact(self) -> tuple[str, object]:
        """Our own Contact."""
        return "Contact", f"<{self.agent.requests.contact}>"

    @property
    def is_asked(self) -> bool:
        """Whether a change that the peer offers waits for the owner."""
        return self._asked is not None

    def stop(self) -> None:
        """Let go of every timer."""
        self.session.stop()
        timers = [self._patience, self._again]
        if self._success is not None and not self._hanging_up:
            # Else a BYE still has to follow, when the ACK has come or nobody can expect it any more.
            timers.append(self._success[1])
            self._success = None
        for timer in timers:
            if timer is not None:
                timer.cancel()

    def ask(
        self, method: str, now: float, answered: OnResponse, rows: Rows = (), body: bytes = b""
    ) -> Client:
        """Send a request within the dialog."""
        headers = [self.agent.requests.via(), *rows]
        if body:
            headers.append(("Content-Type", SDP))
        request, self.dialog = self.dialog.request(method, headers, body)
        return self.agent.ask(request, now, answered)

    # -- what the caller's half needs ---------------------------------------------------------

    def learn(self, message: Message) -> None:
        """Note what the peer can do."""
        if "Allow" in message:
            self.peer_updates = "UPDATE" in message.allow

    def acknowledge(self, invite: Message, response: Message) -> None:
        """Send the ACK of a 2xx; a copy of the 2xx gets the same one again (RFC 3261, 13.2.2.4)."""
        number = invite.cseq.number
        if number not in self._acks:
            self._acks[number] = self.dialog.ack(number, [self.agent.requests.via()])
        self.agent.send(self._acks[number])

    def has_acknowledged(self, invite: Message) -> bool:
        """Tell whether a 2xx to ``invite`` has come before."""
        return invite.cseq.number in self._acks

    def prack(self, response: Message, now: float) -> bool:
        """Acknowledge a reliable provisional response; False when it is a copy, or not the next one."""
        rseq = response.rseq
        if rseq is None or (self._rseq is not None and rseq != self._rseq + 1):
            return False
        self._rseq = rseq
        self.ask("PRACK", now, self._ignored, [("RAck", f"{rseq} {response.cseq}")])
        return True

    def _ignored(self, client: Client, response: Message, now: float) -> None:
        if response.status >= 300:
            self.agent.note(now, f"{client.request.method} was answered {response.status}", response.reason)

    # -- changes that we offer -----------------------------------------------------------------

    def offer(self, method: str, sdp: bytes, now: float) -> None:
        """Offer a change by re-INVITE or UPDATE; an UPDATE without SDP only says that we are here.

        CallFailed (491) while another change is under way, Malformed when ``sdp`` is no offer.
        """
        if self._is_changing:
            raise CallFailed("a change is under way", status=491, advice="wait for its end")
        if sdp:
            self.negotiation.offer(sdp)
        if method == "INVITE" and self._success is not None:
            self._later = partial(self._send_offer, method, sdp)  # RFC 3261, 14.1: after the ACK of our 2xx
        else:
            self._send_offer(method, sdp, now)

    @property
    def _is_changing(self) -> bool:
        return self._asking is not None or self._asked is not None or self._later is not None

    def _send_offer(self, method: str, sdp: bytes, now: float) -> None:
        interval = self.session.interval or self.call.times.session
        rows = [self.contact, *CAPABILITIES, *session_timer.asked(interval)]
        self._asking = self.ask(method, now, self._answered, rows, sdp)

    def _answered(self, client: Client, response: Message, now: float) -> None:
        status = response.status
        if 200 <= status < 300 and client.request.method == "INVITE":
            self.acknowledge(client.request, response)
        if client is not self._asking or status < 200:
            return
        self._asking = None
        if status < 300:
            self._agreed(client.request, response, now)
        elif status in (408, 481) or client.silent:
            # RFC 3261, 12.2.1.2: who does not know the dialog, or does not answer, is gone.
            self.stop()
            self.call.left(self, f"the other side, or the core, is gone ({response.reason})", now)
        elif status == 491:
            self._wait(client.request, now)
        else:
            self._refused(client.request, status, now)

    def _agreed(self, request: Message, response: Message, now: float) -> None:
        self.dialog = self.dialog.answered(response)
        if self.call.ending is not None:
            return
        least = self.call.times.least
        session_timer.agreed(response, self.session.interval, least, partial(self._start, now))
        if not self.negotiation.offered:
            return
        try:
            self.negotiation.take_answer(response.body)
        except Malformed as error:
            self.negotiation.withdraw()
            self.bye(now, f"bad answer: {error}")
        else:
            self.agent.indicate(Changed(self.call, response.body))

    def _refused(self, request: Message, status: int, now: float) -> None:
        if request.method == "UPDATE" and status in (405, 501):
            self.peer_updates = False
        self.session.again(now)
        if self.negotiation.offered:
            self.negotiation.withdraw()
            self.agent.indicate(Refused(self.call, status))

    def _wait(self, request: Message, now: float) -> None:
        """Try again after a glare: who made the Call-ID waits longer (RFC 3261, 14.1)."""
        self.negotiation.withdraw()
        tens = 210 + self.agent.draw(191) if self.call.is_outgoing else self.agent.draw(201)
        self._again = self.agent.timers.start(now + tens / 100, partial(self._retry, request))

    def _retry(self, request: Message, now: float) -> None:
        if self._is_changing or self.negotiation.is_pending:
            self._wait(request, now)
        else:
            self.offer(request.method, request.body, now)

    # -- what the peer asks ----------------------------------------------------------------------

    def serve(self, server: Server, now: float) -> None:
        """Take a request within the dialog (no ACK)."""
        request = server.request
        try:
            self.dialog = self.dialog.received(request)
        except Malformed:
            server.reply(500, now)
            return
        self.learn(request)
        if request.method == "BYE":
            server.reply(200, now)
            self.stop()
            reason = next((r.params.get("text") for r in request.reasons), None)
            self.call.left(self, reason or "the other side hung up", now)
        elif request.method == "PRACK":
            self.call.prack(server, now)
        elif request.method in ("INVITE", "UPDATE"):
            self._change(server, request, now)
        elif request.method == "OPTIONS":
            server.reply(200, now, CAPABILITIES)
        else:
            server.reply(405, now, CAPABILITIES[:1])

    def _change(self, server: Server, request: Message, now: float) -> None:
        if session_timer.too_small(request, self.call.times.least):
            server.reply(422, now, [("Min-SE", self.call.times.least)])
        elif self._asked is not None or self.negotiation.asked:
            server.reply(500, now, [("Retry-After", self.agent.draw(11))])  # RFC 3261, 14.2; RFC 3311, 5.2
        elif self._asking is not None or self.negotiation.offered:
            server.reply(491, now)
        elif request.body or request.method == "INVITE":
            self._take(server, request, now)
        else:
            server.reply(200, now, [self.contact, *CAPABILITIES, *self._granted(request, now)])

    def _take(self, server: Server, request: Message, now: float) -> None:
        if (refusal := unusable(request)) is not None:
            server.reply(refusal[0], now, refusal[1])
            return
        if request.body:
            try:
                self.negotiation.take_offer(request.body)
            except Malformed as error:
                server.reply(488, now, [warning(error)])
                return
        self._asked = server
        self._patience = self.agent.timers.start(now + self.call.times.offer, partial(self.refuse, 488))
        self.agent.indicate(Offered(self.call, request.body))

    def answer(self, sdp: bytes, now: float) -> None:
        """Answer the change that the peer offers; Malformed when ``sdp`` does not."""
        server = self._asked
        if server is None:
            raise CallFailed("there is nothing to answer", status=None)
        if self.negotiation.asked:
            self.negotiation.answer(sdp)
        else:
            self.negotiation.offer(sdp)
        self._asked = None
        if self._patience is not None:
            self._patience.cancel()
        rows = [self.contact, *CAPABILITIES, *self._granted(server.request, now), ("Content-Type", SDP)]
        response = server.reply(200, now, rows, sdp)
        if server.request.method == "INVITE":
            self.repeat(server, response, now)

    def refuse(self, status: int, now: float) -> None:
        """Refuse the change that the peer offers; the call goes on as it was."""
        server, self._asked = self._asked, None
        if self._patience is not None:
            self._patience.cancel()
        if server is not None:
            self.negotiation.withdraw()
            server.reply(status, now)

    # -- our 2xx, until its ACK: RFC 3261, 13.3.1.4 ----------------------------------------------

    def repeat(self, server: Server, response: Message, now: float) -> None:
        """Send a 2xx again and again until its ACK comes, over whatever transport."""
        timing = self.agent.transactions.timing
        self._offered_there = bool(self.negotiation.offered)
        self._repeat(server, response, timing.t1, now + timing.timeout, now)

    def _repeat(self, server: Server, response: Message, wait: float, until: float, now: float) -> None:
        timing = self.agent.transactions.timing
        at = min(now + wait, until)
        again = partial(self._unacknowledged, server, response, min(2 * wait, timing.t2), until)
        self._success = server.request.cseq.number, self.agent.timers.start(at, again)

    def _unacknowledged(
        self, server: Server, response: Message, wait: float, until: float, now: float
    ) -> None:
        if now >= until:
            self._success = None
            self.bye(now, "no ACK came for the answer")
        else:
            server.respond(response, now)
            self._repeat(server, response, wait, until, now)

    def acknowledged(self, ack: Message, now: float) -> bytes | None:
        """Take the ACK of our 2xx; return its SDP, or None when it acknowledges nothing that waits."""
        if self._success is None or self._success[0] != ack.cseq.number:
            return None
        self._success[1].cancel()
        self._success = None
        answered = b""
        if self._offered_there:
            try:
                self.negotiation.take_answer(ack.body)
                answered = ack.body
            except Malformed as error:
                self.negotiation.withdraw()
                self._hanging_up = f"bad answer: {error}"
        later, self._later = self._later, None
        if self._hanging_up:
            self._bye(now, self._hanging_up)
        elif later is not None:
            later(now)
        return answered

    # -- the end ---------------------------------------------------------------------------------

    def bye(self, now: float, reason: str = "") -> None:
        """Hang up; a callee whose answer is not acknowledged waits for that first (RFC 3261, 15)."""
        if self._success is not None:
            self._hanging_up = reason or "hung up"
        else:
            self._bye(now, reason)

    def _bye(self, now: float, reason: str) -> None:
        self._hanging_up = ""
        self.stop()
        self.call.leaves(self)
        rows = [("Reason", f'SIP;cause=200;text="{_quotable(reason)}"')] if reason else []
        ending = Ending(None, reason or "hung up", "us")
        self.ask("BYE", now, partial(self._gone, ending), rows)

    def _gone(self, ending: Ending, client: Client, response: Message, now: float) -> None:
        if response.status >= 200 and self.call.leg is self:
            self.call.over(ending, now)

    # -- the session timer -----------------------------------------------------------------------

    def _granted(self, request: Message, now: float) -> list[tuple[str, object]]:
        times = self.call.times
        return session_timer.granted(request, times.session, times.least, partial(self._start, now))

    def _start(self, now: float, interval: int, ours: bool) -> None:
        self.session.start(interval, ours=ours, now=now)

    def begun(self, request: Message, now: float) -> list[tuple[str, object]]:
        """Start the session timer of a call that we answer; return the rows of the 2xx."""
        return self._granted(request, now)

    def _refresh(self, now: float) -> None:
        if self._is_changing or self.negotiation.is_pending:
            self.session.again(now)  # a change is under way: if it succeeds it refreshes as well
        elif self.peer_updates:
            self.offer("UPDATE", b"", now)
        else:
            self.offer("INVITE", self.negotiation.local, now)

    def _expired(self, now: float) -> None:
        reason = f"no sign of life in {self.session.interval} s: the peer, or the core, is gone"
        self._bye(now, reason)
        self.call.over(Ending(408, reason, "network"), now)


def unusable(request: Message) -> tuple[int, list[tuple[str, object]]] | None:
    """Return how to refuse a body that is no SDP, or a Require that is not known; None when all is well."""
    unknown = [tag for tag in request.require if tag.lower() not in EXTENSIONS]
    if unknown:
        return 420, [("Unsupported", ", ".join(unknown))]
    kind = request.content_type
    if request.body and (kind is None or kind.essence != SDP):
        return 415, [("Accept", SDP)]
    return None


def warning(text: object) -> tuple[str, object]:
    """Return a Warning that says what was wrong (RFC 3261, 20.43)."""
    return "Warning", f'399 imslab "{_quotable(str(text))}"'


def _quotable(text: str) -> str:
    return text.replace("\\", "").replace('"', "'").replace("\r", " ").replace("\n", " ")[:200]
