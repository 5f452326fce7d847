"""The registration of a UE: REGISTER, the card's answer, and its renewal in time.

Spec: 3GPP TS 24.229, 5.1.1 (registration), RFC 3261 10.2, RFC 3310 and 4169 (digest AKA), TS 33.203 6.1.

Teaching code: it is not constant time.
"""

from dataclasses import dataclass
from enum import Enum

from imslab.errors import ImslabError, MacFailure, Malformed, RegistrationFailed, SyncFailure
from imslab.ims.agent import UserAgent
from imslab.ims.responder import CardAnswer, NothingToAnswer, Responder, choose
from imslab.ims.timers import Timer
from imslab.ims.transactions import Client
from imslab.sip import Credentials, Message

MOST_CHALLENGES = 3  # the first, one after AUTS, and one more (TS 24.229, 5.1.1.5.1)
EXPIRES = 600_000  # seconds a UE asks for (TS 24.229, 5.1.1.2.1)


class State(Enum):
    """Where a UE stands."""

    IDLE = "not registered"
    REGISTERING = "registering"
    REGISTERED = "registered"
    LEAVING = "de-registering"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Registered:
    """A registration that stands.

    ``expires_at``  seconds on the caller's clock
    ``proven``      the 200 carried a right rspauth: the network proved XRES as well; None without one
    """

    impus: tuple[str, ...]
    service_routes: tuple[str, ...]
    algorithm: str
    expires_at: float
    proven: bool | None
    call_id: str


class Registration:
    """The registration procedure of one user agent.

    ``expires``  seconds to ask for
    """

    def __init__(self, agent: UserAgent, expires: int) -> None:
        self._agent, self.expires = agent, expires
        self.state = State.IDLE
        self.registered: Registered | None = None
        self.failure: ImslabError | None = None
        self._cseq, self._call_id, self._from_tag = 0, "", ""
        self._challenges = 0
        self._raised = False  # the network has wanted a longer registration, and is asked for it
        self._responder: Responder | None = None
        self._proven: Responder | None = None  # the one whose answer with RES was sent last
        self._last: tuple[str, str] = ("", "")  # nonce and response of the last answer
        self._refresh: Timer | None = None

    def register(self, now: float) -> None:
        """Start a registration, or renew the one that stands."""
        self._begin(now, State.REGISTERING, fresh=self.state is not State.REGISTERED)

    def deregister(self, now: float) -> None:
        """Start to leave: the same REGISTER with Expires 0 (TS 24.229, 5.1.1.6)."""
        self._begin(now, State.LEAVING, fresh=False)

    def ended(self, now: float) -> None:
        """Take notice that the network has ended the registration (TS 24.229, 5.1.1.7)."""
        if self.state is not State.REGISTERED:
            return  # we are leaving by ourselves, or are about to come back
        if self._refresh is not None:
            self._refresh.cancel()
        self._left(now, "de-registered by the network")

    def _left(self, now: float, what: str) -> None:
        self.state, self.registered, self._call_id = State.IDLE, None, ""
        self._agent.service_routes = ()
        self._agent.security.left(now)
        self._agent.note(now, what)

    def _begin(self, now: float, state: State, *, fresh: bool) -> None:
        if self.state in (State.REGISTERING, State.LEAVING):
            raise RegistrationFailed(f"already {self.state.value}", status=None, advice="wait for its end")
        self.state, self.failure = state, None
        self._challenges, self._raised, self._responder, self._proven = 0, False, None, None
        if self._refresh is not None:
            self._refresh.cancel()
        if fresh or not self._call_id:
            self._call_id, self._cseq = f"{self._agent.token(8)}@{self._agent.requests.host}", 0
            self._last = ("", "")
        self._from_tag = self._agent.token(6)
        self._agent.security.begin(fresh=fresh)
        # A re-registration repeats the last answer (TS 24.229, 5.1.1.4.1); a first one has nothing to say.
        self._send(now, self._agent.requests.nothing_yet(*self._last))

    def _send(self, now: float, credentials: Credentials) -> None:
        self._cseq += 1
        request = self._agent.requests.register(
            call_id=self._call_id,
            cseq=self._cseq,
            tag=self._from_tag,
            expires=0 if self.state is State.LEAVING else self.expires,
            credentials=credentials,
        )
        self._agent.ask(request, now, self._answered)

    # -- what the network says ------------------------------------------------------------------

    def _answered(self, client: Client, response: Message, now: float) -> None:
        if client.silent:
            self._unanswered(response, now)
        elif response.status >= 200 and response.cseq == client.request.cseq:
            self._final(response, now)

    def _unanswered(self, response: Message, now: float) -> None:
        proxy = self._agent.proxy
        if response.status == 408 and self.state is State.REGISTERING and self._agent.security.stands:
            # Who has lost its associations drops what it cannot open, and says nothing: begin anew, in clear.
            self._agent.note(now, "no answer under IPsec", "registering anew")
            self.state = State.FAILED
            self.register(now)
            return
        if response.status == 408:
            advice = f"is the P-CSCF at {proxy} running?"
            silence = RegistrationFailed("no answer in 32 s", status=None, advice=advice)
        else:
            advice = "the connection is gone: register again to open a new one"
            silence = RegistrationFailed(f"{proxy} is not reachable", status=None, advice=advice)
        # A network that could not prove itself stays the cause, whether it answers or not.
        self._fail(self.failure or silence, now)

    def _final(self, response: Message, now: float) -> None:
        if self.state not in (State.REGISTERING, State.LEAVING):
            return  # an answer to a procedure that has ended
        if isinstance(self.failure, MacFailure):
            self._fail(self.failure, now)
        elif response.status == 401:
            self._challenged(response, now)
        elif response.status == 423 and self._may_ask_for(response.min_expires or 0):
            self._raised, self.expires = True, response.min_expires or 0
            self._send(now, self._agent.requests.nothing_yet())
        elif 200 <= response.status < 300:
            self._succeeded(response, now)
        else:
            self._fail(_refused(response), now)

    def _may_ask_for(self, seconds: int) -> bool:
        """Tell whether to ask for what a 423 wants (RFC 3261, 10.2.8): more than before, and only once."""
        return not self._raised and self.expires < seconds

    def _challenged(self, response: Message, now: float) -> None:
        self._challenges += 1
        if self._challenges > MOST_CHALLENGES:
            error = RegistrationFailed(
                f"the network asked {self._challenges} times",
                status=401,
                advice="it does not accept this card's answers: compare K and OPc (imslab explain)",
            )
            self._fail(error, now)
            return
        try:
            self._agent.security.challenged(response)
            self._responder = self._new_responder(response)
        except (Malformed, RegistrationFailed) as error:
            self._fail(error, now)
            return
        self._agent.ask_card(self._responder.request, self._card_answered)

    def _new_responder(self, response: Message) -> Responder:
        try:
            challenge = choose(response.www_authenticate, self._agent.algorithm)
        except NothingToAnswer as error:
            advice = "ask for an algorithm that is offered, or let the core offer this one"
            raise RegistrationFailed(str(error), status=401, advice=advice) from None
        identity = self._agent.identity
        uri = f"sip:{identity.domain}"
        return Responder(challenge, identity.impi, method="REGISTER", uri=uri, cnonce=self._agent.token(8))

    def _card_answered(self, answer: CardAnswer | ImslabError, now: float) -> None:
        responder = self._responder
        if responder is None or self.state not in (State.REGISTERING, State.LEAVING):
            return  # a slow card's answer to a procedure that has ended
        if isinstance(answer, MacFailure):
            # TS 24.229, 5.1.1.5.3: tell the network by an empty response, and trust it no further.
            self.failure, self._proven = answer, None
            self._agent.note(now, "AUTN is wrong", "the network did not prove itself")
            self._send(now, responder.refuse())
            return
        try:
            if isinstance(answer, SyncFailure):
                self._agent.note(now, "SQN out of range", "sending AUTS")
                self._proven = None
                self._send(now, responder.synchronise(answer.auts))
            elif isinstance(answer, ImslabError):
                self._fail(answer, now)
            else:
                credentials = responder.answer(answer)
                self._agent.security.establish(responder.algorithm, answer, now)
                self._proven = responder
                self._last = (responder.challenge.nonce, credentials.response)
                self._send(now, credentials)
        except Malformed as error:
            self._fail(error, now)

    def _succeeded(self, response: Message, now: float) -> None:
        if self.state is State.LEAVING:
            self._left(now, "de-registered")
            return
        if self._proven is None:
            # TS 33.203, 6.1: a network that accepts without RES has proved nothing, and asked for no proof.
            error = RegistrationFailed(
                "the network accepted the registration without a challenge that the card has answered",
                status=response.status,
                advice="it has not proved that it knows K; do not trust it",
            )
            self._fail(error, now)
            return
        try:
            proven = self._proven.check(response.authentication_info)
        except MacFailure as error:
            self._fail(error, now)
            return
        self._stands(response, self._proven.algorithm, proven, now)

    def _stands(self, response: Message, algorithm: str, proven: bool | None, now: float) -> None:
        seconds = self._granted(response)
        self.registered = Registered(
            impus=tuple(str(identity.uri) for identity in response.associated_uris)
            or self._agent.identity.impu,
            service_routes=tuple(response.all("Service-Route")),
            algorithm=algorithm,
            expires_at=now + seconds,
            proven=proven,
            call_id=self._call_id,
        )
        self._agent.service_routes = self.registered.service_routes
        self._agent.security.registered(now, seconds)
        # TS 24.229, 5.1.1.4.1: 600 s before the end of a long registration, half way of a short one.
        refresh = now + (seconds - 600 if seconds > 1200 else seconds / 2)
        self._refresh = self._agent.timers.start(refresh, self._renew)
        self.state = State.REGISTERED
        self._agent.note(now, "registered", algorithm)

    def _renew(self, now: float) -> None:
        if self.state is State.REGISTERED:
            self.register(now)

    def _granted(self, response: Message) -> int:
        mine = self._agent.requests.contact
        for contact in response.contacts:
            if contact.expires is not None and str(contact.uri) == mine:
                return contact.expires
        return self.expires if response.expires is None else response.expires

    def _fail(self, error: ImslabError, now: float) -> None:
        self.failure, self.state, self.registered = error, State.FAILED, None
        self._agent.service_routes = ()
        self._agent.security.forget()
        self._agent.note(now, "registration failed", str(error))


def _refused(response: Message) -> RegistrationFailed:
    advice = {
        403: "the network knows no such user, or the answer was wrong: imslab explain names the reason",
        404: "no such user in this domain",
        408: "the core did not answer",
        423: "ask for a longer registration",
        421: "the P-CSCF lets nobody in without IPsec: offer it",
        480: "the HSS gave no vector",
        494: "what was agreed on is not what arrived there: somebody on the way bids down",
        504: "the HSS did not answer the core: try again later",
        503: "the core is overloaded: try again later",
    }.get(response.status, "")
    text = f"the network answered {response.status} {response.reason}".rstrip()
    return RegistrationFailed(text, status=response.status, advice=advice)
