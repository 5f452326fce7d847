"""One dialog of a call: the requests within it, in both directions, and what is agreed in it.

Spec: RFC 3261, 12.2, 14 (re-INVITE) and 15 (BYE), RFC 3311 (UPDATE), RFC 3262 (PRACK), RFC 4028 (refresh).
A caller has a leg for each callee that has begun to answer; one of them becomes the call.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from imslab.errors import Malformed
from imslab.ims import session_timer
from imslab.ims.changes import Changes
from imslab.ims.indications import Ending
from imslab.ims.session_timer import SessionTimer
from imslab.ims.timers import Timer
from imslab.ims.transactions import Client, Server
from imslab.ims.words import CAPABILITIES, SDP, quotable
from imslab.sip import Message
from imslab.sip.dialog import Dialog
from imslab.sip.offer import Negotiation

if TYPE_CHECKING:
    from imslab.ims.call import Call

_ACKS_KEPT = 100  # CSeq numbers: a copy of a 2xx comes within 32 s, or never

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
        self.changes = Changes(self)
        self.session = SessionTimer(self.agent.timers, refresh=self._refresh, expired=self._expired)
        self._success: tuple[int, Timer] | None = None  # our 2xx that waits for the ACK with this CSeq
        self._offered_there = False  # whether that 2xx holds an offer of ours
        self._hanging_up = ""
        self._acks: dict[int, Message] = {}
        self._rseq: int | None = None

    @property
    def contact(self) -> tuple[str, object]:
        """Our own Contact."""
        return "Contact", f"<{self.agent.requests.contact}>"

    @property
    def waits_for_ack(self) -> bool:
        """Whether a 2xx of ours has not been acknowledged yet."""
        return self._success is not None

    def stop(self, now: float) -> None:
        """Let go of every timer."""
        self.session.stop()
        self.changes.stop(now)
        if self._success is not None and not self._hanging_up:
            # Else a BYE still has to follow, when the ACK has come or nobody can expect it any more.
            self._success[1].cancel()
            self._success = None

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
            self._acks.pop(number - _ACKS_KEPT, None)
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
            self.stop(now)
            self.call.left(self, _reason(request), now)
        elif request.method == "PRACK":
            self.call.prack(server, now)
        elif request.method in ("INVITE", "UPDATE"):
            self.changes.serve(server, request, now)
        elif request.method == "OPTIONS":
            server.reply(200, now, CAPABILITIES)
        else:
            server.reply(405, now, CAPABILITIES[:1])

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
        if self._hanging_up:
            self._bye(now, self._hanging_up)
        else:
            self.changes.acknowledged(now)
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
        self.stop(now)
        self.call.leaves(self)
        rows = [("Reason", f'SIP;cause=200;text="{quotable(reason)}"')] if reason else []
        ending = Ending(None, reason or "hung up", "us")
        self.ask("BYE", now, partial(self._gone, ending), rows)

    def _gone(self, ending: Ending, client: Client, response: Message, now: float) -> None:
        if response.status >= 200 and self.call.leg is self:
            self.call.over(ending, now)

    # -- the session timer -----------------------------------------------------------------------

    def session_asked(self) -> list[tuple[str, object]]:
        """Return what a change of ours says of the session timer; nothing before the answer."""
        interval = self.session.interval or self.call.times.session
        return session_timer.asked(interval) if self.call.is_answered else []

    def session_agreed(self, response: Message, now: float) -> None:
        """Start the session timer as the 2xx to our request says."""
        if self.call.is_answered:
            interval = self.session.interval or self.call.times.session
            session_timer.agreed(response, interval, self.call.times.least, partial(self._start, now))

    def session_granted(self, request: Message, now: float) -> list[tuple[str, object]]:
        """Start the session timer as ``request`` asks; return the rows of our 2xx."""
        if not self.call.is_answered:
            return []
        times = self.call.times
        return session_timer.granted(request, times.session, times.least, partial(self._start, now))

    def session_refused(self, server: Server, now: float) -> bool:
        """Answer 422 to a request that asks for too short an interval; return whether it did."""
        least = self.call.times.least
        if session_timer.too_small(server.request, least):
            server.reply(422, now, [("Min-SE", least)])
            return True
        return False

    def _start(self, now: float, interval: int, ours: bool) -> None:
        self.session.start(interval, ours=ours, now=now)

    def _refresh(self, now: float) -> None:
        if self.changes.is_under_way:
            self.session.again(now)  # if it succeeds it refreshes as well
        elif self.peer_updates:
            self.changes.offer("UPDATE", b"", now)
        else:
            self.changes.offer("INVITE", self.negotiation.local, now)

    def _expired(self, now: float) -> None:
        reason = f"no sign of life in {self.session.interval} s: the peer, or the core, is gone"
        self._bye(now, reason)
        self.call.over(Ending(408, reason, "network"), now)


def _reason(bye: Message) -> str:
    """Return why the peer hangs up, if it says so (RFC 3326)."""
    try:
        return next((r.params.get("text") for r in bye.reasons), None) or "the other side hung up"
    except Malformed:
        return "the other side hung up"
