"""The callee's half of a call, from the INVITE to the ACK of our answer.

Spec: RFC 3261, 13.3, RFC 3262, 3 (reliable provisional responses), RFC 5009, 3GPP TS 24.229, 5.1.4.1.
"""

from functools import partial

from imslab.errors import CallFailed, Malformed
from imslab.ims.agent import UserAgent
from imslab.ims.call import Call, CallState, Times
from imslab.ims.indications import Confirmed, Ending, Incoming
from imslab.ims.leg import Leg, Rows
from imslab.ims.timers import Timer
from imslab.ims.transactions import Server
from imslab.ims.words import CAPABILITIES, SDP, warning
from imslab.sip import Message
from imslab.sip.dialog import Dialog
from imslab.sip.offer import Negotiation


class IncomingCall(Call):
    """A call that somebody makes to us.

    ``negotiation``  what the INVITE offers
    Raises Malformed when the INVITE can open no dialog.
    """

    def __init__(
        self, agent: UserAgent, server: Server, negotiation: Negotiation, times: Times, now: float
    ) -> None:
        invite = server.request
        asserted = invite.p_asserted_identity
        peer = asserted[0].uri if asserted else invite.from_.uri
        super().__init__(agent, invite.call_id, str(peer), times, now)
        self.is_asserted = bool(asserted)
        self.invite, self._server = invite, server
        dialog = Dialog.of_server(invite, Message.reply(invite, 180, to_tag=server.tag))
        self.leg: Leg = Leg(self, dialog, negotiation)
        self.leg.learn(invite)
        self._reliable = "100rel" in (*invite.supported, *invite.require)
        self._rseq = 1 + agent.draw(2**31 - 1)
        self._waiting: list[Message] = []  # reliable responses; the first one is on its way
        self._repeat: Timer | None = None
        self._answer: bytes | None = None  # it may have to wait for a PRACK
        self._patience: Timer | None = agent.timers.start(now + times.no_answer, self._unanswered)
        server.cancelled = self._cancelled
        agent.indicate(Incoming(self, invite.body))

    @property
    def is_waiting(self) -> bool:
        """Whether the owner still has to decide."""
        return self.state in (CallState.CALLING, CallState.RINGING)

    @property
    def came_with(self) -> tuple[str, str | None, object]:
        """What tells the same INVITE, come on another way: Call-ID, From tag and CSeq."""
        return self.invite.call_id, self.invite.from_.tag, self.invite.cseq

    # -- what the owner does ---------------------------------------------------------------------

    def ring(self, now: float, sdp: bytes = b"", status: int = 180) -> None:
        """Say that the callee is alerted (180), or something else before the answer (181 to 199).

        With ``sdp`` the answer is given early, in a response that the caller has to acknowledge (RFC 3262).
        Raises Malformed when it is no answer, CallFailed when the caller does not know 100rel, or when it is
        too late.
        """
        self._undecided()
        if sdp and not self._reliable:
            raise CallFailed("the caller takes no early answer", status=None, advice="answer without one")
        if sdp:
            self._describe(sdp)
        self.state = CallState.RINGING
        if status == 180:
            self.moment("ringing", now)
        self._provisional(status, sdp, now)

    def answer(self, sdp: bytes, now: float) -> None:
        """Answer the call; ``sdp`` may be b"" when an early answer was given.

        Raises Malformed when it is no answer to the offer, CallFailed when it is too late.
        """
        self._undecided()
        if not self.leg.negotiation.local and not self.leg.negotiation.offered:
            self._describe(sdp)
        elif sdp:
            raise CallFailed("the answer was given early", status=None, advice='answer with b""')
        self._stop_waiting()
        self.state = CallState.ANSWERED
        self.moment("answered", now)
        # RFC 3262, 3: not before the caller has acknowledged what it needs to know.
        self._answer = sdp
        if not any(response.body for response in self._waiting):
            self._send_answer(now)

    def refuse(self, status: int, now: float, reason: str = "") -> None:
        """Refuse the call with 300 to 699, 486 or 603 for example; the caller is told the reason."""
        self._undecided()
        if not 300 <= status <= 699:
            raise Malformed(f"{status} refuses nothing", expected="300 to 699")
        self._refuse(Ending(status, reason or "refused", "us"), now, [warning(reason)] if reason else [])

    def hang_up(self, now: float, reason: str = "") -> None:
        """End the call: BYE when it was answered, else 603."""
        if not self._server.has_answered:
            self._refuse(Ending(603, reason or "declined", "us"), now)
        elif self.is_answered:
            self.leg.bye(now, reason)

    def _undecided(self) -> None:
        if not self.is_waiting:
            raise CallFailed(f"the call is {self.state.value}", status=None)

    def _describe(self, sdp: bytes) -> None:
        if self.leg.negotiation.asked:
            self.leg.negotiation.answer(sdp)
        else:
            self.leg.negotiation.offer(sdp)  # the INVITE had no offer: ours is answered in the ACK

    def _refuse(self, ending: Ending, now: float, rows: Rows = ()) -> None:
        self._server.reply(ending.status or 480, now, rows)
        self.over(ending, now)

    def _cancelled(self, now: float) -> None:
        if not self._server.has_answered:
            self._server.reply(487, now)
            self.over(Ending(487, "cancelled by the caller", "peer"), now)

    def left(self, leg: Leg, reason: str, now: float) -> None:
        """Take notice that the caller has left, also before the answer (RFC 3261, 15.1.2)."""
        if not self._server.has_answered:
            self._server.reply(487, now)
        super().left(leg, reason, now)

    def _unanswered(self, now: float) -> None:
        self._refuse(Ending(480, f"not answered in {self.times.no_answer:.0f} s", "us"), now)

    # -- provisional responses: RFC 3262 -----------------------------------------------------------

    def _provisional(self, status: int, sdp: bytes, now: float) -> None:
        rows = self._rows(sdp)
        if not self._reliable:
            self._server.reply(status, now, rows, sdp)
            return
        self._rseq += 1
        rows += [("Require", "100rel"), ("RSeq", self._rseq)]
        response = Message.reply(self.invite, status, headers=rows, body=sdp, to_tag=self._server.tag)
        self._waiting.append(response)
        if len(self._waiting) == 1:
            self._send_reliably(now)

    def _send_reliably(self, now: float) -> None:
        timing = self.agent.transactions.timing
        self._server.respond(self._waiting[0], now)
        self._wait(timing.t1, now + timing.timeout, now)

    def _wait(self, seconds: float, until: float, now: float) -> None:
        again = partial(self._unacknowledged, 2 * seconds, until)
        self._repeat = self.agent.timers.start(min(now + seconds, until), again)

    def _unacknowledged(self, seconds: float, until: float, now: float) -> None:
        if now < until:
            self._server.respond(self._waiting[0], now)
            self._wait(seconds, until, now)
        else:
            self._refuse(Ending(504, "the caller acknowledges nothing", "us"), now)

    def prack(self, server: Server, now: float) -> None:
        """Take a PRACK: the next reliable response, or the answer that waited for it, may go."""
        rack, waiting = server.request.rack, self._waiting
        if rack is None or not waiting or rack.rseq != waiting[0].rseq or rack.cseq != self.invite.cseq:
            server.reply(481, now)
            return
        self._answer_prack(server, now)
        waiting.pop(0)
        if self._repeat is not None:
            self._repeat.cancel()
        if self._answer is not None:
            self._send_answer(now)
        elif waiting:
            self._send_reliably(now)

    def _answer_prack(self, server: Server, now: float) -> None:
        """Take the answer to an offer of ours, made early; a second offer here is never needed."""
        body = server.request.body
        try:
            if body:
                self.leg.negotiation.take_answer(body)
        except Malformed as error:
            server.reply(488, now, [warning(error)])
        else:
            server.reply(200, now)

    # -- the answer ----------------------------------------------------------------------------------

    def _send_answer(self, now: float) -> None:
        sdp = self._answer
        if sdp is None or self._server.has_answered:
            return
        if self._repeat is not None:
            self._repeat.cancel()
        rows = [*self._rows(sdp), *self.leg.session_granted(self.invite, now)]
        response = self._server.reply(200, now, rows, sdp)
        self.leg.repeat(self._server, response, now)

    def acknowledged(self, ack: Message, now: float) -> None:
        """Take the ACK of an answer, the first or a later one."""
        sdp = self.leg.acknowledged(ack, now)
        if sdp is not None and self.state is CallState.ANSWERED:
            self.state = CallState.CONFIRMED
            self.moment("acknowledged", now)
            self.agent.indicate(Confirmed(self, sdp))

    def _rows(self, sdp: bytes) -> list[tuple[str, object]]:
        recorded = [("Record-Route", row) for row in self.invite.all("Record-Route")]
        rows: list[tuple[str, object]] = [*recorded, self.leg.contact, *CAPABILITIES]
        return [*rows, ("Content-Type", SDP)] if sdp else rows

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def stop(self, now: float) -> None:
        """Let go of every timer."""
        super().stop(now)
        self._stop_waiting()
        if not self._server.has_answered:
            self._server.reply((self.ending and self.ending.status) or 480, now)
        if self._repeat is not None:
            self._repeat.cancel()
