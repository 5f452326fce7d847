"""The caller's half of a call, from INVITE to the ACK of the answer.

Spec: RFC 3261, 13.2 (INVITE, forks, ACK) and 9.1 (CANCEL), RFC 3262 (PRACK), RFC 5009 (P-Early-Media),
3GPP TS 24.229, 5.1.2A.1 (P-Preferred-Identity, routes) and 5.1.3.1, RFC 3310 (407, answered by the card).
"""

from contextlib import suppress
from functools import partial

from imslab.errors import CallFailed, ImslabError, Malformed
from imslab.ims import session_timer
from imslab.ims.agent import UserAgent
from imslab.ims.call import Call, CallState, Times
from imslab.ims.indications import Answered, Ending, Progress
from imslab.ims.leg import Leg
from imslab.ims.messaging import said
from imslab.ims.proving import Prover
from imslab.ims.timers import Timer
from imslab.ims.transactions import Client
from imslab.ims.words import CAPABILITIES, SDP
from imslab.sip import Credentials, Message
from imslab.sip.dialog import Dialog
from imslab.sip.offer import Negotiation
from imslab.sip.transaction import cancel_for

MOST_TRIES = 6  # INVITEs of one call, with other credentials or intervals
MOST_FORKS = 32  # dialogs that one INVITE may open
MOST_INTERVAL = 7200  # seconds: a session that is refreshed less often is none


class OutgoingCall(Call):
    """A call that we make.

    ``target``  a SIP or tel URI;  ``offer``: SDP octets
    Raises Malformed when one of them cannot be read.
    """

    is_outgoing = True

    def __init__(self, agent: UserAgent, target: str, offer: bytes, times: Times, now: float) -> None:
        super().__init__(agent, f"{agent.token(8)}@{agent.requests.host}", target, times, now)
        Negotiation(offered=offer)
        self.target, self.offer = target, offer
        self._tag, self._cseq, self._session = agent.token(), 0, times.session
        self._legs: dict[str, Leg] = {}
        self._cancelled: Ending | None = None
        self._can_cancel = False
        self._prover = Prover(agent, "INVITE", self._proved, self._unprovable)
        self._client: Client | None = None
        self._timer: Timer | None = agent.timers.start(now + times.no_answer, self._unanswered)
        self._unheeded: Timer | None = None  # runs on when nobody waits for the end any more
        self._send(now)

    @property
    def legs(self) -> list[Leg]:
        """Every dialog that the INVITE has opened: more than one after a fork."""
        return list(self._legs.values())

    def _send(self, now: float, credentials: Credentials | None = None) -> None:
        self._cseq += 1
        rows: list[tuple[str, object]] = [
            ("Contact", f"<{self.agent.requests.contact}>"),
            *CAPABILITIES,
            *session_timer.asked(self._session),
            ("P-Early-Media", "supported"),
            ("Content-Type", SDP),
        ]
        if credentials is not None:
            rows.append(("Proxy-Authorization", credentials))
        invite = self.agent.requests.initial(
            "INVITE",
            self.target,
            self.agent.service_routes,
            call_id=self.id,
            tag=self._tag,
            cseq=self._cseq,
            headers=rows,
            body=self.offer,
        )
        self._can_cancel = False
        self._client = self.agent.ask(invite, now, self._response)

    # -- what comes back -------------------------------------------------------------------------

    def _response(self, client: Client, response: Message, now: float) -> None:
        if client is not self._client:
            return  # a late answer to an INVITE that was repeated with credentials
        if response.status < 200:
            self._provisional(client, response, now)
        elif response.status < 300:
            self._success(client, response, now)
        else:
            self._failure(client, response, now)

    def _provisional(self, client: Client, response: Message, now: float) -> None:
        if not self._can_cancel:
            self._can_cancel = True
            if self._cancelled is not None:
                self._send_cancel(now)
        if response.status == 100 or self.ending is not None or self.leg is not None:
            return
        leg = self._leg_of(client, response)
        reliable = "100rel" in response.require
        if leg is not None and reliable and not leg.prack(response, now):
            return
        if leg is not None and reliable and response.body and leg.negotiation.offered:
            try:
                leg.negotiation.take_answer(response.body)
            except Malformed as error:
                self._give_up(Ending(488, f"bad early answer: {error}", "us"), now)
                return
        self.early_media = ", ".join(response.p_early_media) or self.early_media
        if self.state is CallState.CALLING:
            self.state = CallState.RINGING
        if response.status == 180:
            self.moment("ringing", now)
        self.agent.indicate(Progress(self, response.status, response.body, self.early_media))

    def _leg_of(self, client: Client, response: Message) -> Leg | None:
        """Return the dialog that a response belongs to, or opens; None when it cannot open one."""
        tag = response.to.tag
        if tag is None or (tag not in self._legs and not response.contacts):
            return None
        if tag not in self._legs:
            if len(self._legs) >= MOST_FORKS:
                raise Malformed(f"more than {MOST_FORKS} forks of one INVITE")
            dialog = Dialog.of_client(client.request, response)
            self._legs[tag] = Leg(self, dialog, Negotiation(offered=self.offer))
        leg = self._legs[tag]
        leg.learn(response)
        return leg

    def _success(self, client: Client, response: Message, now: float) -> None:
        leg = self._leg_of(client, response)
        if leg is None:
            raise Malformed("a 2xx to INVITE without To tag or Contact")
        leg.dialog = leg.dialog.confirmed(response)
        is_copy = leg.has_acknowledged(client.request)
        leg.acknowledge(client.request, response)
        if is_copy:
            return
        if self.leg is not None or self.ending is not None:
            leg.bye(now, "answered elsewhere")  # RFC 3261, 13.2.2.4: another fork was faster
            return
        self.leg = leg
        self._stop_waiting()
        if self._unheeded is not None:
            self._unheeded.cancel()
        if self._cancelled is not None:
            leg.bye(now, self._cancelled.reason)  # the answer crossed our CANCEL
            return
        self._answered(leg, response, now)

    def _answered(self, leg: Leg, response: Message, now: float) -> None:
        try:
            if leg.negotiation.offered:
                leg.negotiation.take_answer(response.body)
        except Malformed as error:
            leg.bye(now, f"bad answer: {error}")
            return
        self._learn_peer(response)
        self.state = CallState.CONFIRMED
        self.moment("answered", now)
        self.moment("acknowledged", now)
        session_timer.agreed(response, self._session, self.times.least, partial(self._start, now))
        self.agent.indicate(Answered(self, leg.negotiation.remote))

    def _learn_peer(self, response: Message) -> None:
        with suppress(Malformed):
            for identity in response.p_asserted_identity[:1]:
                self.peer, self.is_asserted = str(identity.uri), True

    def _start(self, now: float, interval: int, ours: bool) -> None:
        if self.leg is not None:
            self.leg.session.start(interval, ours=ours, now=now)

    def _failure(self, client: Client, response: Message, now: float) -> None:
        self._drop_legs(now)
        if self._unheeded is not None:
            self._unheeded.cancel()
        if self._cancelled is not None:
            self.over(self._cancelled, now)
        elif client.silent or not self._try_again(client, response, now):
            self.over(_ending(client, response, self.agent), now)

    def _try_again(self, client: Client, response: Message, now: float) -> bool:
        """Do what a failure asks for: prove who we are, or refresh the session less often."""
        try:
            if response.status == 407:
                self._prover.challenged(response.proxy_authenticate, client.request.uri_text, now)
                return True
            if response.status == 422 and response.min_se is not None and self._cseq < MOST_TRIES:
                least, before = response.min_se.seconds, self._session
                self._session = max(least, before)
                if before < least <= MOST_INTERVAL:
                    self._send(now)
                    return True
        except Malformed as error:
            self.agent.note(now, f"a {response.status} that asks for nothing", str(error))
        return False

    def left(self, leg: Leg, reason: str, now: float) -> None:
        """Take notice that a callee has left: one of several, perhaps."""
        if self.leg is None:
            self._legs = {tag: other for tag, other in self._legs.items() if other is not leg}
        super().left(leg, reason, now)

    def _drop_legs(self, now: float) -> None:
        for leg in self._legs.values():
            leg.stop(now)
        self._legs.clear()

    # -- 407 -------------------------------------------------------------------------------------

    def _proved(self, credentials: Credentials, now: float) -> None:
        if self._cancelled is not None:
            self.over(self._cancelled, now)
        elif self.ending is None:
            self._send(now, credentials)

    def _unprovable(self, error: ImslabError, now: float) -> None:
        self.over(self._cancelled or Ending(407, str(error), "us"), now)

    # -- giving up -------------------------------------------------------------------------------

    def hang_up(self, now: float, reason: str = "") -> None:
        """End the call: BYE when it was answered, else CANCEL."""
        if self.leg is None:
            self.cancel(now, reason or "cancelled")
        elif self.state is CallState.CONFIRMED:
            self.leg.bye(now, reason)

    def cancel(self, now: float, reason: str = "cancelled") -> None:
        """Take the INVITE back; CallFailed when it was answered already."""
        if self.leg is not None:
            raise CallFailed("the call was answered", status=None, advice="hang up")
        self._give_up(Ending(487, reason, "us"), now)

    def _unanswered(self, now: float) -> None:
        self._give_up(Ending(408, f"no answer in {self.times.no_answer:.0f} s", "us"), now)

    def _give_up(self, ending: Ending, now: float) -> None:
        if self._cancelled is not None or self.ending is not None:
            return
        self._cancelled, self.state = ending, CallState.ENDING
        self._stop_waiting()
        if self._can_cancel:
            self._send_cancel(now)  # else it waits for a provisional response (RFC 3261, 9.1)

    def _send_cancel(self, now: float) -> None:
        if self._client is None or self._cancelled is None:
            return
        self.agent.ask(cancel_for(self._client.request), now, _ignore)
        # RFC 3261, 9.1: whoever does not even answer the INVITE after 64*T1 is taken for cancelled.
        until = now + self.agent.transactions.timing.timeout
        given_up = partial(self._forget, self._client, self._cancelled)
        self._unheeded = self.agent.timers.start(until, given_up)

    def _forget(self, client: Client, ending: Ending, now: float) -> None:
        client.abandon(now)
        self.over(ending, now)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def stop(self, now: float) -> None:
        """Let go of every timer."""
        super().stop(now)
        for leg in self._legs.values():
            leg.stop(now)
        self._stop_waiting()


def _ending(client: Client, response: Message, agent: UserAgent) -> Ending:
    if not client.silent:
        return Ending(response.status, said(response), "peer" if response.status >= 600 else "network")
    if response.status == 408:
        return Ending(None, f"no answer in 32 s: is the P-CSCF at {agent.proxy} running?", "network")
    return Ending(None, f"{agent.proxy} is not reachable: the connection is gone", "network")


def _ignore(client: Client, response: Message, now: float) -> None:
    """Take the answer to a CANCEL: it says nothing about the INVITE."""
