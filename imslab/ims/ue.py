"""The UE: a SIM profile and a terminal that register with it.

Spec: 3GPP TS 24.229, 5.1.1 (registration), RFC 3261 10.2, RFC 3310 and 4169 (digest AKA),
TS 33.203 6.1. The card is not called from here: after each step the caller looks at
``card_request()``, asks the card, and hands the answer to ``card_answered``. So a slow reader
blocks nothing, and a forged card is one line in a notebook.

Teaching code: it is not constant time.
"""

import hmac
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

from imslab.aka import digest
from imslab.errors import ImslabError, MacFailure, Malformed, RegistrationFailed, SyncFailure
from imslab.ims.node import Address, Node, RandomSource, Send, parsed
from imslab.ims.regevent import read_reginfo
from imslab.ims.requests import Identity, Requests
from imslab.sip import Challenge, Credentials, Message, transaction

PREFERENCE = ("AKAv2-SHA-256", "AKAv2-MD5", "AKAv1-MD5")  # strongest first
MOST_CHALLENGES = 3  # the first, one after AUTS, and one more (TS 24.229, 5.1.1.5.1)
EXPIRES = 600_000  # seconds a UE asks for (TS 24.229, 5.1.1.2.1)


class State(Enum):
    """Where a UE stands."""

    IDLE = "not registered"
    REGISTERING = "registering"
    REGISTERED = "registered"
    LEAVING = "de-registering"
    FAILED = "failed"


class CardAnswer(Protocol):
    """RES, CK and IK of one AUTHENTICATE."""

    @property
    def res(self) -> bytes:
        """RES, 4 to 32 octets."""

    @property
    def ck(self) -> bytes:
        """CK, 16 or 32 octets."""

    @property
    def ik(self) -> bytes:
        """IK, 16 or 32 octets."""


@dataclass(frozen=True, slots=True)
class CardRequest:
    """The network's challenge for the card: ``rand`` and ``autn``, 16 octets each."""

    rand: bytes
    autn: bytes


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


@dataclass(slots=True)
class _Proof:
    """What must be remembered of an answer to check Authentication-Info."""

    arguments: dict[str, Any] = field(repr=False)
    algorithm: str


class Ue(Node):
    """One terminal with one card.

    ``address``    where it sends from and is reached
    ``proxy``      the P-CSCF, as the card's EF.P-CSCF names it
    ``algorithm``  the only digest algorithm to accept; None takes the strongest that is offered
    """

    name = "UE"

    def __init__(
        self,
        identity: Identity,
        address: Address,
        proxy: Address,
        *,
        random: RandomSource,
        algorithm: str | None = None,
        expires: int = EXPIRES,
    ) -> None:
        super().__init__(address, random)
        self.identity, self.proxy = identity, proxy
        self.algorithm, self.expires = algorithm, expires
        self.state = State.IDLE
        self.registered: Registered | None = None
        self.failure: ImslabError | None = None
        self.reginfo: dict[str, str] = {}
        self._cseq, self._call_id, self._from_tag = 0, "", ""
        self._challenges = 0
        self._challenge: Challenge | None = None
        self._card_request: CardRequest | None = None
        self._clients: dict[transaction.Key, transaction.NonInviteClient] = {}
        self._last: tuple[str, str] = ("", "")  # nonce and response of the last answer
        self._proof: _Proof | None = None
        self._refresh_at: float | None = None
        self._requests = Requests(identity, address, proxy, random)

    # -- what the caller asks for -----------------------------------------------------------

    def register(self, now: float) -> None:
        """Start a registration, or renew the one that stands."""
        self._begin(now, State.REGISTERING, fresh=self.state is not State.REGISTERED)

    def deregister(self, now: float) -> None:
        """Start to leave: the same REGISTER with Expires 0 (TS 24.229, 5.1.1.6)."""
        self._begin(now, State.LEAVING, fresh=False)

    def subscribe(self, now: float) -> None:
        """Ask for the reg event: NOTIFYs fill ``reginfo`` (TS 24.229, 5.1.1.3)."""
        if self.registered is None:
            raise RegistrationFailed("no registration to watch", status=None, advice="register first")
        self._start(self._requests.subscribe(self.registered.service_routes, EXPIRES), now)

    def card_request(self) -> CardRequest | None:
        """Return, once, the challenge that the card has to answer now."""
        request, self._card_request = self._card_request, None
        return request

    def card_answered(self, answer: CardAnswer | ImslabError, now: float) -> None:
        """Take the card's answer, or the error that it raised instead."""
        if self._challenge is None:
            raise Malformed("no challenge waits for the card")
        if isinstance(answer, SyncFailure):
            self._note(now, "SQN out of range", self.identity.impi, "sending AUTS")
            self._answer(self._challenge, now, auts=answer.auts)
        elif isinstance(answer, MacFailure):
            # TS 24.229, 5.1.1.5.3: tell the network by an empty response, and trust it no further.
            self.failure = answer
            self._note(now, "AUTN is wrong", self.identity.impi, "the network did not prove itself")
            self._proof = None
            arguments = self._requests.arguments(self._challenge)
            self._send_register(now, self._requests.credentials(self._challenge, arguments, ""))
        elif isinstance(answer, ImslabError):
            self._fail(answer, now)
        else:
            self._answer(self._challenge, now, card=answer)

    # -- REGISTER ---------------------------------------------------------------------------

    def _begin(self, now: float, state: State, *, fresh: bool) -> None:
        if self.state in (State.REGISTERING, State.LEAVING):
            raise RegistrationFailed(f"already {self.state.value}", status=None, advice="wait for its end")
        self.state, self.failure = state, None
        self._challenges, self._challenge, self._refresh_at, self._proof = 0, None, None, None
        if fresh or not self._call_id:
            self._call_id, self._cseq = f"{self._token(8)}@{self._requests.host}", 0
            self._last = ("", "")
        self._from_tag = self._token(6)
        # A re-registration repeats the last answer (TS 24.229, 5.1.1.4.1); a first one has nothing to say.
        self._send_register(now, self._requests.nothing_yet(*self._last))

    def _send_register(self, now: float, credentials: Credentials) -> None:
        self._cseq += 1
        request = self._requests.register(
            call_id=self._call_id,
            cseq=self._cseq,
            tag=self._from_tag,
            expires=0 if self.state is State.LEAVING else self.expires,
            credentials=credentials,
        )
        self._start(request, now)

    def _start(self, request: Message, now: float) -> None:
        client = transaction.NonInviteClient(request, now=now, reliable=self.address.reliable)
        self._clients[transaction.client_key(request)] = client
        self._flush(client)

    def _flush(self, client: transaction.NonInviteClient) -> None:
        for message in client.outgoing():
            self._send(message, self.proxy)

    # -- what arrives -----------------------------------------------------------------------

    def receive(self, octets: bytes | Message, source: Address, now: float) -> None:
        """Take one SIP message; what is malformed is noted and dropped."""
        try:
            message = parsed(octets)
            if message.is_request:
                self._serve(message, source, now)
            else:
                self._response(message, now)
        except Malformed as error:
            self._note(now, "malformed message dropped", str(source), str(error))

    def _serve(self, request: Message, source: Address, now: float) -> None:
        if (
            request.method == "NOTIFY"
            and request.event is not None
            and request.event.package.lower() == "reg"
        ):
            self.reginfo = read_reginfo(request.body)
            self._note(now, "reg event", self.identity.impi, ", ".join(self.reginfo.values()))
            status = 200
        else:
            status = 405
        if request.method != "ACK":
            tag = None if request.to.tag else self._token(6)
            self._send(Message.reply(request, status, to_tag=tag), source)

    def _response(self, response: Message, now: float) -> None:
        client = self._clients.get(transaction.client_key(response))
        if client is None:
            return  # a late copy
        client.handle_response(response, now=now)
        for delivered in client.delivered():
            if delivered.status >= 200 and delivered.cseq == client.request.cseq:
                self._final(client.request, delivered, now)

    def _final(self, request: Message, response: Message, now: float) -> None:
        if request.method != "REGISTER":
            self._note(now, f"{request.method} {response.status}", self.identity.impi, response.reason)
        elif self.state not in (State.REGISTERING, State.LEAVING):
            return  # an answer to a procedure that has ended
        elif isinstance(self.failure, MacFailure):
            self._fail(self.failure, now)
        elif response.status == 401:
            self._challenged(response, now)
        elif response.status == 423 and response.min_expires and self.expires < response.min_expires:
            self.expires = response.min_expires
            self._send_register(now, self._requests.nothing_yet())
        elif 200 <= response.status < 300:
            self._succeeded(response, now)
        else:
            self._fail(_refused(response), now)

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
            self._challenge = self._choose(response.www_authenticate)
            rand, autn, _ = digest.parse_nonce(self._challenge.nonce or "")
        except (Malformed, RegistrationFailed) as error:
            self._fail(error, now)
            return
        self._card_request = CardRequest(rand, autn)

    def _choose(self, offered: tuple[Challenge, ...]) -> Challenge:
        by_name = {(c.algorithm or "MD5").casefold(): c for c in reversed(offered)}
        for name in (self.algorithm,) if self.algorithm else PREFERENCE:
            if name.casefold() in by_name:
                return by_name[name.casefold()]
        names = ", ".join(c.algorithm or "MD5" for c in offered) or "nothing"
        wanted = self.algorithm or " or ".join(PREFERENCE)
        raise RegistrationFailed(
            f"the network offers {names}, not {wanted}",
            status=401,
            advice="ask for an algorithm that is offered, or let the core offer this one",
        )

    def _answer(
        self, challenge: Challenge, now: float, *, card: CardAnswer | None = None, auts: bytes | None = None
    ) -> None:
        algorithm = challenge.algorithm or "MD5"
        keys: dict[str, Any] = {"password": b""}  # RFC 3310, 3.4: with auts the password is empty
        if card is not None:
            keys = {"res": card.res, "ck": card.ck, "ik": card.ik}
        try:
            arguments = self._requests.arguments(challenge)
            value = digest.response(algorithm, method="REGISTER", **arguments, **keys)
        except Malformed as error:
            self._fail(error, now)
            return
        self._proof = None
        if card is not None:
            self._last = (challenge.nonce, value)
            self._proof = _Proof({**arguments, **keys}, algorithm)
        self._send_register(now, self._requests.credentials(challenge, arguments, value, auts))

    def _succeeded(self, response: Message, now: float) -> None:
        if self.state is State.LEAVING:
            self.state, self.registered, self._call_id = State.IDLE, None, ""
            self._note(now, "de-registered", self.identity.impi)
            return
        if self._challenge is None or self._proof is None:
            # TS 33.203, 6.1: a network that accepts without RES has proved nothing, and asked for no proof.
            error = RegistrationFailed(
                "the network accepted the registration without a challenge that the card has answered",
                status=response.status,
                advice="it has not proved that it knows K; do not trust it",
            )
            self._fail(error, now)
            return
        try:
            proven = self._check_proof(response)
        except MacFailure as error:
            self._fail(error, now)
            return
        seconds = self._granted(response)
        self.registered = Registered(
            impus=tuple(str(identity.uri) for identity in response.associated_uris) or self.identity.impu,
            service_routes=tuple(response.all("Service-Route")),
            algorithm=self._challenge.algorithm or "MD5",
            expires_at=now + seconds,
            proven=proven,
            call_id=self._call_id,
        )
        # TS 24.229, 5.1.1.4.1: 600 s before the end of a long registration, half way of a short one.
        self._refresh_at = now + (seconds - 600 if seconds > 1200 else seconds / 2)
        self.state = State.REGISTERED
        self._note(now, "registered", self.identity.impi, self.registered.algorithm)

    def _check_proof(self, response: Message) -> bool | None:
        info = response.authentication_info
        if info is None or not info.rspauth or self._proof is None:
            return None
        expected = digest.rspauth(self._proof.algorithm, **self._proof.arguments)
        if not hmac.compare_digest(expected, info.rspauth):
            raise MacFailure("rspauth is wrong: whoever sent the 200 does not know XRES")
        return True

    def _granted(self, response: Message) -> int:
        mine = self._requests.contact
        for contact in response.contacts:
            if contact.expires is not None and str(contact.uri) == mine:
                return contact.expires
        return self.expires if response.expires is None else response.expires

    def _fail(self, error: ImslabError, now: float) -> None:
        self.failure, self.state, self.registered = error, State.FAILED, None
        self._note(now, "registration failed", self.identity.impi, str(error))

    def unreachable(self, send: Send, now: float) -> None:
        """End the procedure: over a connection that is gone no answer will come."""
        super().unreachable(send, now)
        if send.message is None or not send.message.is_request:
            return
        client = self._clients.pop(transaction.client_key(send.message), None)
        if client is not None and send.message.method == "REGISTER":
            advice = "the connection is gone: register again to open a new one"
            self._fail(RegistrationFailed(f"{self.proxy} is not reachable", status=None, advice=advice), now)

    # -- time -------------------------------------------------------------------------------

    def timer(self) -> float | None:
        """Return when the next retransmission, time-out or re-registration is due."""
        times = [self._refresh_at] if self._refresh_at is not None else []
        times += [at for client in self._clients.values() if (at := client.timer()) is not None]
        return min(times, default=None)

    def handle_timer(self, now: float) -> None:
        """Retransmit, give up, or renew, as is due at ``now``."""
        for key, client in list(self._clients.items()):
            client.handle_timer(now)
            self._flush(client)
            if client.is_terminated:
                del self._clients[key]
            if client.timed_out and client.request.method == "REGISTER":
                advice = f"is the P-CSCF at {self.proxy} running?"
                silence = RegistrationFailed("no answer in 32 s", status=None, advice=advice)
                # A network that could not prove itself stays the cause, whether it answers or not.
                self._fail(self.failure or silence, now)
        if self._refresh_at is not None and now >= self._refresh_at and self.state is State.REGISTERED:
            self.register(now)


def _refused(response: Message) -> RegistrationFailed:
    advice = {
        403: "the network knows no such user, or the answer was wrong: imslab explain names the reason",
        404: "no such user in this domain",
        408: "the core did not answer",
        480: "the HSS gave no vector",
        503: "the core is overloaded: try again later",
    }.get(response.status, "")
    text = f"the network answered {response.status} {response.reason}".rstrip()
    return RegistrationFailed(text, status=response.status, advice=advice)
