"""The S-CSCF: the registrar that challenges with AKA and believes only what it has verified.

Spec: 3GPP TS 24.229, 5.4.1 (registration), RFC 3261 10.3 (bindings), RFC 3310 and 4169 (digest),
RFC 3680 (reg event). It asks the HSS for vectors (TS 29.228) and gives ``ck`` and ``ik`` to the
P-CSCF inside the 401 (TS 24.229, 7.2A.1). In this lab it does the work of the I-CSCF as well.

Teaching code: it is not constant time.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from imslab.aka import AuthenticationVector, digest
from imslab.errors import ImslabError, Malformed, WrongResponse
from imslab.ims import cx
from imslab.ims.bindings import OutOfOrder, Registrar
from imslab.ims.node import Address, Answered, Node, RandomSource, credentials_of, parsed
from imslab.ims.regevent import Watchers
from imslab.sip import Credentials, Message, transaction

# What a UE is offered, in this order. SIPp reads the first challenge only and knows nothing but
# AKAv1; a UE that knows better looks at all of them (RFC 8760, 2.4).
ALGORITHMS = ("AKAv1-MD5", "AKAv2-MD5", "AKAv2-SHA-256")
METHODS = "REGISTER, SUBSCRIBE"


@dataclass(slots=True)
class Challenge:
    """One 401 that waits for its answer: good once, and not for long."""

    impi: str
    vector: AuthenticationVector = field(repr=False)
    nonce: str
    algorithms: tuple[str, ...]
    expires: float


@dataclass(frozen=True, slots=True)
class Policy:
    """What an operator sets: times in seconds.

    ``algorithms``      offered in this order; the HSS may allow a subscriber fewer
    ``qop``             quality of protection offered, RFC 2617 3.2.1
    ``nonce_lifetime``  how long a challenge may be answered
    ``min_expires``     shorter registrations get 423
    ``max_expires``     longer ones are cut to this

    Raises Malformed for an algorithm that is not AKA's, and for an unknown qop.
    """

    algorithms: tuple[str, ...] = ALGORITHMS
    qop: str = "auth"
    nonce_lifetime: float = 30.0
    min_expires: int = 10
    max_expires: int = 600_000

    def __post_init__(self) -> None:
        for name in self.algorithms:
            if not digest.is_aka(name):
                raise Malformed(f"{name} is no AKA algorithm", expected=", ".join(ALGORITHMS))
        if set(self.qop.replace(" ", "").split(",")) - {"auth", "auth-int"}:
            raise Malformed(f"unknown qop {self.qop!r}", expected="auth, auth-int or auth,auth-int")


class Scscf(Node):
    """The serving CSCF of one home domain."""

    name = "S-CSCF"

    def __init__(
        self,
        address: Address,
        domain: str,
        ask: Callable[[cx.Request, float], cx.Answer],
        *,
        random: RandomSource,
        policy: Policy | None = None,
    ) -> None:
        super().__init__(address, random)
        self.domain = domain
        self.policy = policy or Policy()
        self.registrar = Registrar()
        self._ask = ask
        self._challenges: dict[str, Challenge] = {}
        self._answered = Answered()
        self._watchers = Watchers()
        self._uri = f"sip:scscf.{domain}:{address.port}"

    # -- the wire ---------------------------------------------------------------------------

    def receive(self, octets: bytes | Message, source: Address, now: float) -> None:
        """Take one SIP message; what is malformed is noted and dropped."""
        try:
            message = parsed(octets)
        except Malformed as error:
            self._note(now, "malformed message dropped", str(source), str(error))
            return
        if not message.is_request:
            self._watchers.answered(message)
        elif message is octets:
            # Handed over inside one process: what cannot be lost on the way does not come twice.
            self._answer(message, source, now, None)
        else:
            self._once(message, source, now)

    def _once(self, message: Message, source: Address, now: float) -> None:
        """Answer a request, or repeat the answer to one that came before (RFC 3261, 17.2.2)."""
        try:
            key = transaction.key(message)
        except Malformed as error:
            self._send(self._bad(message, source, now, error), source)
            return
        if self._answered.first_time(key, now):
            self._answer(message, source, now, key)
        elif (again := self._answered.repeated(key)) is not None:
            self._queue.append(again)

    def _answer(self, message: Message, source: Address, now: float, key: object) -> None:
        try:
            reply = self._serve(message, source, now)
        except Malformed as error:
            reply = self._bad(message, source, now, error)
        if reply is not None:
            self._answered.answer(key, self._send(reply, source))
        self._notify_watchers(now)

    def _bad(self, request: Message, source: Address, now: float, error: Malformed) -> Message:
        self._note(now, "malformed request", str(source), str(error))
        return Message.reply(request, 400, headers=[("Warning", f'399 imslab "{_quotable(error)}"')])

    def _serve(self, request: Message, source: Address, now: float) -> Message | None:
        if request.method == "REGISTER":
            return self._register(request, now)
        if request.method == "SUBSCRIBE":
            return self._subscribe(request, source, now)
        if request.method == "ACK":
            return None
        return self._reply(request, 405, headers=[("Allow", METHODS)])

    def _reply(self, request: Message, status: int, headers: list[tuple[str, str]] | None = None) -> Message:
        tag = None if request.to.tag else self._token(6)
        return Message.reply(request, status, headers=headers or [], to_tag=tag)

    # -- registration: TS 24.229, 5.4.1.2 ---------------------------------------------------

    def _register(self, request: Message, now: float) -> Message:
        impu = request.to.uri.canonical
        credentials = credentials_of(request)
        impi = credentials.username if credentials else None
        found = self._ask(cx.UserAuthorizationRequest(impu, impi, self._visited(request)), now)
        assert isinstance(found, cx.UserAuthorizationAnswer)
        if found.result is not cx.Result.SUCCESS:
            self._note(now, "registration refused", impu, found.result.name)
            return self._reply(request, 403)
        if credentials is None or not (credentials.response or credentials.auts):
            return self._first(request, found.impi, impu, credentials, now)
        challenge = self._challenges.pop(credentials.nonce, None)  # popped: an answer counts once
        if challenge is None or challenge.impi != found.impi or challenge.expires < now:
            # an unknown, used or expired nonce is no crime: a replay and a late UE get a new challenge
            self._note(now, "nonce unknown, used or expired", found.impi)
            return self._challenge(request, found.impi, impu, now)
        if credentials.auts:
            return self._resynchronise(request, challenge, impu, credentials, now)
        return self._verify(request, challenge, impu, credentials, now)

    def _first(
        self, request: Message, impi: str, impu: str, credentials: Credentials | None, now: float
    ) -> Message:
        nonce = credentials.nonce if credentials else ""
        if nonce and (challenge := self._challenges.pop(nonce, None)) is not None and challenge.impi == impi:
            # No response and no auts: the UE says that the network's MAC was wrong (TS 24.229, 5.1.1.5.3).
            self._note(now, "the UE rejected AUTN", impi)
            return self._reply(request, 403)
        return self._challenge(request, impi, impu, now)

    def _challenge(
        self, request: Message, impi: str, impu: str, now: float, authorization: bytes = b""
    ) -> Message:
        got = self._ask(cx.MultimediaAuthRequest(impu, impi, self._uri, authorization), now)
        assert isinstance(got, cx.MultimediaAuthAnswer)
        if got.vector is None:
            self._note(now, "no vector from the HSS", impi, got.result.name)
            return self._reply(request, 403 if authorization else 480)
        offered = tuple(a for a in self.policy.algorithms if not got.algorithms or a in got.algorithms)
        if not offered:
            self._note(now, "no algorithm in common with the HSS", impi)
            return self._reply(request, 403)
        nonce = digest.nonce_for(got.vector.rand, got.vector.autn)
        self._forget(now)
        self._challenges[nonce] = Challenge(
            impi, got.vector, nonce, offered, now + self.policy.nonce_lifetime
        )
        rows = [("WWW-Authenticate", self._offer(a, nonce, got.vector)) for a in offered]
        return self._reply(request, 401, headers=rows)

    def _forget(self, now: float) -> None:
        # All challenges live equally long, so the oldest stand first in the dict.
        while self._challenges:
            nonce, challenge = next(iter(self._challenges.items()))
            if challenge.expires >= now:
                return
            del self._challenges[nonce]

    def _offer(self, algorithm: str, nonce: str, vector: AuthenticationVector) -> str:
        # RFC 4169, 2.2: with AKAv2 the original keys must not be used for anything else.
        ck, ik = vector.ck, vector.ik
        if algorithm.upper().startswith("AKAV2"):
            ck, ik = digest.session_keys(algorithm, ck, ik)
        return (
            f'Digest realm="{self.domain}", nonce="{nonce}", algorithm={algorithm}, '
            f'qop="{self.policy.qop}", ck="{ck.hex()}", ik="{ik.hex()}"'
        )

    def _resynchronise(
        self, request: Message, challenge: Challenge, impu: str, credentials: Credentials, now: float
    ) -> Message:
        try:
            auts = digest.parse_auts(credentials.auts or "")
        except Malformed as error:
            self._note(now, "auts refused", challenge.impi, str(error))
            return self._reply(request, 400)
        self._note(now, "synchronisation failure", challenge.impi, "asking the HSS with RAND and AUTS")
        return self._challenge(request, challenge.impi, impu, now, challenge.vector.rand + auts)

    def _verify(
        self, request: Message, challenge: Challenge, impu: str, credentials: Credentials, now: float
    ) -> Message:
        algorithm = credentials.algorithm or "MD5"
        offered = {name.casefold() for name in challenge.algorithms}
        if algorithm.casefold() not in offered:
            self._note(now, "answer with an algorithm that was not offered", challenge.impi, algorithm)
            return self._reply(request, 403)
        vector, answer = challenge.vector, {**credentials.arguments, "body": request.body}
        keys: dict[str, Any] = {"res": vector.xres, "ck": vector.ck, "ik": vector.ik}
        try:
            if credentials.realm != self.domain:
                raise WrongResponse("the answer names another realm")
            digest.verify(algorithm, credentials.response, method="REGISTER", **answer, **keys)
        except WrongResponse as error:
            self._note(now, "wrong response", challenge.impi, str(error))
            return self._reply(request, 403)
        return self._bind(request, challenge.impi, impu, now, _proof(algorithm, credentials, answer, keys))

    # -- bindings: RFC 3261, 10.3 -----------------------------------------------------------

    def _bind(
        self, request: Message, impi: str, impu: str, now: float, proof: list[tuple[str, str]]
    ) -> Message:
        asked = self.registrar.asked(request, self.policy.max_expires)
        if any(0 < seconds < self.policy.min_expires for seconds in asked.values()):
            return self._reply(request, 423, headers=[("Min-Expires", str(self.policy.min_expires))])
        leaving = bool(asked) and all(seconds == 0 for seconds in asked.values())
        known = self.registrar.registered(impi, now)
        assignment = cx.Assignment.RE_REGISTRATION if known else cx.Assignment.REGISTRATION
        if leaving:
            assignment = cx.Assignment.USER_DEREGISTRATION
        served = self._ask(cx.ServerAssignmentRequest(impu, impi, self._uri, assignment), now)
        assert isinstance(served, cx.ServerAssignmentAnswer)
        if served.result is not cx.Result.SUCCESS:
            self._note(now, "the HSS refused the assignment", impi, served.result.name)
            return self._reply(request, 480)
        try:
            bound = self.registrar.update(impi, served.impus, request, asked, now)
        except OutOfOrder as error:
            self._note(now, "binding not changed", impi, str(error))
            return self._reply(request, 500)
        self._note(now, "de-registered" if leaving else "registered", impi, ", ".join(map(str, asked)))
        self._watchers.changed(impi)
        headers = [("Contact", f"{contact};expires={seconds}") for contact, seconds in bound]
        if not leaving:
            headers += [("Path", row) for row in request.all("Path")]
            headers.append(("Service-Route", f"<{self._uri.replace('sip:', 'sip:orig@', 1)};lr>"))
        headers.append(("P-Associated-URI", ", ".join(f"<{uri}>" for uri in served.impus)))
        return self._reply(request, 200, headers=headers + proof)

    # -- reg event: TS 24.229, 5.4.2.1 ------------------------------------------------------

    def _subscribe(self, request: Message, source: Address, now: float) -> Message:
        if request.event is None or request.event.package.lower() != "reg":
            return self._reply(request, 489, headers=[("Allow-Events", "reg")])
        registration = self.registrar.find(request.to.uri.canonical)
        asserted = {identity.uri.canonical for identity in request.p_asserted_identity}
        # Only the user itself may watch; the identity is the P-CSCF's word, never the UE's.
        if registration is None or not asserted & set(registration.impus):
            return self._reply(request, 403)
        tag = request.to.tag or self._token(6)
        seconds = self._watchers.subscribe(request, registration, source, tag, now)
        headers = [("Record-Route", row) for row in request.all("Record-Route")]
        headers += [("Contact", f"<{self.address.uri}>"), ("Expires", str(seconds))]
        return Message.reply(request, 200, headers=headers, to_tag=None if request.to.tag else tag)

    def _notify_watchers(self, now: float) -> None:
        notifications = self._watchers.notifications(
            self.registrar.by_impi, via=self._via, contact=self.address.uri, now=now
        )
        for message, hop in notifications:
            self._send(message, hop)

    def _via(self) -> str:
        return f"SIP/2.0/UDP {self.address.host}:{self.address.port};branch={self._branch()}"

    def _visited(self, request: Message) -> str:
        return (request.get("P-Visited-Network-ID") or self.domain).strip('"')

    # -- time -------------------------------------------------------------------------------

    def timer(self) -> float | None:
        """Return when the next binding or subscription runs out; old challenges go when a new one is made."""
        return min(
            (t for t in (self.registrar.timer(), self._watchers.timer()) if t is not None), default=None
        )

    def handle_timer(self, now: float) -> None:
        """Drop what has run out, and tell the HSS and the watchers (TS 24.229, 5.4.1.5)."""
        for impi, impus in self.registrar.expire(now):
            self._note(now, "registration expired", impi)
            timeout = cx.Assignment.TIMEOUT_DEREGISTRATION
            self._ask(cx.ServerAssignmentRequest(impus[0], impi, self._uri, timeout), now)
            self._watchers.changed(impi)
        self._watchers.expire(now)
        self._forget(now)
        self._notify_watchers(now)


def _proof(
    algorithm: str, credentials: Credentials, answer: dict[str, Any], keys: dict[str, Any]
) -> list[tuple[str, str]]:
    """Return Authentication-Info: the network proves once more that it knows XRES (RFC 3310, 3.5)."""
    if not credentials.qop:
        return []
    value = digest.rspauth(algorithm, **{**answer, "body": b""}, **keys)
    return [
        (
            "Authentication-Info",
            f'qop={credentials.qop}, rspauth="{value}", cnonce="{credentials.cnonce}", nc={credentials.nc}',
        )
    ]


def _quotable(error: ImslabError) -> str:
    return str(error).replace("\\", "").replace('"', "'").replace("\r", " ").replace("\n", " ")[:200]
