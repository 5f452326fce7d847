"""Changes within a call: offers after the first one, ours and the peer's.

Spec: RFC 3261, 14 (re-INVITE, glare), RFC 3311 (UPDATE), RFC 3264, 8, RFC 6337, 3.
"""

from functools import partial
from typing import TYPE_CHECKING

from imslab.errors import CallFailed, Malformed
from imslab.ims.indications import Changed, Offered, Refused
from imslab.ims.timers import Action, Timer
from imslab.ims.transactions import Client, Server
from imslab.ims.words import CAPABILITIES, SDP, unusable, warning
from imslab.sip import Message

if TYPE_CHECKING:
    from imslab.ims.leg import Leg


class Changes:
    """The changes of one leg: one at a time, whoever offers it."""

    def __init__(self, leg: "Leg") -> None:
        self._leg, self._call, self._agent = leg, leg.call, leg.agent
        self._negotiation = leg.negotiation
        self._asking: Client | None = None  # our INVITE or UPDATE that is not answered yet
        self._asked: Server | None = None  # the peer's, which the owner has to answer
        self._deadline: Timer | None = None
        self._patience: Timer | None = None
        self._again: Timer | None = None
        self._later: Action | None = None  # an offer of ours that waits for the ACK of the peer's

    @property
    def is_asked(self) -> bool:
        """Whether a change that the peer offers waits for the owner."""
        return self._asked is not None

    @property
    def is_under_way(self) -> bool:
        """Whether nobody may offer another change."""
        waiting = self._asking is not None or self._asked is not None or self._later is not None
        return waiting or self._negotiation.is_pending

    def stop(self, now: float) -> None:
        """Let go of every timer; a change that the peer still waits for gets 487 (RFC 3261, 15.1.2)."""
        self.refuse(487, now)
        if self._again is not None:
            self._again.cancel()
        self._later = None

    # -- ours ------------------------------------------------------------------------------------

    def offer(self, method: str, sdp: bytes, now: float) -> None:
        """Offer a change by re-INVITE or UPDATE; an UPDATE without SDP only says that we are here.

        CallFailed (491) while another change is under way, Malformed when ``sdp`` is no offer.
        """
        if self._asking is not None or self._asked is not None or self._later is not None:
            raise CallFailed("a change is under way", status=491, advice="wait for its end")
        if sdp:
            self._negotiation.offer(sdp)
        if method == "INVITE" and self._leg.waits_for_ack:
            self._later = partial(self._send, method, sdp)  # RFC 3261, 14.1
        else:
            self._send(method, sdp, now)

    def acknowledged(self, now: float) -> None:
        """Send the offer that has waited for the ACK of the peer's change."""
        later, self._later = self._later, None
        if later is not None:
            later(now)

    def _send(self, method: str, sdp: bytes, now: float) -> None:
        rows = [self._leg.contact, *CAPABILITIES, *self._leg.session_asked()]
        self._asking = self._leg.ask(method, now, self._answered, rows, sdp)
        if method == "INVITE":  # whose transaction would wait for ever, once it is proceeding
            until = now + self._agent.transactions.timing.timeout + self._call.times.offer
            self._deadline = self._agent.timers.start(until, partial(self._overdue, self._asking))

    def _overdue(self, client: Client, now: float) -> None:
        client.abandon(now)
        self._answered(client, Message.reply(client.request, 408), now)

    def _answered(self, client: Client, response: Message, now: float) -> None:
        status = response.status
        if 200 <= status < 300 and client.request.method == "INVITE":
            self._leg.acknowledge(client.request, response)
        if status >= 200 and self._deadline is not None and client.request.method == "INVITE":
            self._deadline.cancel()
        if client is not self._asking or status < 200:
            return
        self._asking = None
        if status < 300:
            self._agreed(client.request, response, now)
        elif status in (408, 481) or client.silent:
            # RFC 3261, 12.2.1.2: who does not know the dialog, or does not answer, is gone.
            self._leg.stop(now)
            self._call.left(self._leg, f"the other side, or the core, is gone ({response.reason})", now)
        elif status == 491:
            self._wait(client.request, now)
        else:
            self._refused(client.request, status, now)

    def _agreed(self, request: Message, response: Message, now: float) -> None:
        self._leg.dialog = self._leg.dialog.answered(response)
        if self._call.ending is not None:
            return
        self._leg.session_agreed(response, now)
        if not self._negotiation.offered:
            return
        try:
            self._negotiation.take_answer(response.body)
        except Malformed as error:
            self._negotiation.withdraw()
            self._leg.bye(now, f"bad answer: {error}")
        else:
            self._agent.indicate(Changed(self._call, response.body))

    def _refused(self, request: Message, status: int, now: float) -> None:
        if request.method == "UPDATE" and status in (405, 501):
            self._leg.peer_updates = False
        self._leg.session.again(now)
        if self._negotiation.offered:
            self._negotiation.withdraw()
            self._agent.indicate(Refused(self._call, status))

    def _wait(self, request: Message, now: float) -> None:
        """Try again after a glare: who made the Call-ID waits longer (RFC 3261, 14.1)."""
        self._negotiation.withdraw()
        tens = 210 + self._agent.draw(191) if self._call.is_outgoing else self._agent.draw(201)
        self._again = self._agent.timers.start(now + tens / 100, partial(self._retry, request))

    def _retry(self, request: Message, now: float) -> None:
        if self.is_under_way:
            self._wait(request, now)
        else:
            self.offer(request.method, request.body, now)

    # -- the peer's --------------------------------------------------------------------------------

    def serve(self, server: Server, request: Message, now: float) -> None:
        """Take an INVITE or UPDATE of the peer."""
        if self._leg.session_refused(server, now):
            return
        if self._asked is not None or self._negotiation.asked:
            server.reply(500, now, [("Retry-After", self._agent.draw(11))])  # RFC 3261, 14.2; RFC 3311, 5.2
        elif self._asking is not None or self._negotiation.offered:
            server.reply(491, now)
        elif request.body or request.method == "INVITE":
            self._take(server, request, now)
        else:
            server.reply(
                200, now, [self._leg.contact, *CAPABILITIES, *self._leg.session_granted(request, now)]
            )

    def _take(self, server: Server, request: Message, now: float) -> None:
        if (refusal := unusable(request)) is not None:
            server.reply(refusal[0], now, refusal[1])
            return
        if request.body:
            try:
                self._negotiation.take_offer(request.body)
            except Malformed as error:
                server.reply(488, now, [warning(error)])
                return
        self._asked = server
        self._patience = self._agent.timers.start(now + self._call.times.offer, partial(self.refuse, 488))
        self._agent.indicate(Offered(self._call, request.body))

    def answer(self, sdp: bytes, now: float) -> None:
        """Answer the change that the peer offers; Malformed when ``sdp`` does not."""
        server = self._asked
        if server is None:
            raise CallFailed("there is nothing to answer", status=None)
        if self._negotiation.asked:
            self._negotiation.answer(sdp)
        else:
            self._negotiation.offer(sdp)
        self._asked = None
        if self._patience is not None:
            self._patience.cancel()
        rows = [
            self._leg.contact,
            *CAPABILITIES,
            *self._leg.session_granted(server.request, now),
            ("Content-Type", SDP),
        ]
        response = server.reply(200, now, rows, sdp)
        if server.request.method == "INVITE":
            self._leg.repeat(server, response, now)

    def refuse(self, status: int, now: float) -> None:
        """Refuse the change that the peer offers; the call goes on as it was."""
        server, self._asked = self._asked, None
        if self._patience is not None:
            self._patience.cancel()
        if server is not None:
            self._negotiation.withdraw()
            server.reply(status, now)
