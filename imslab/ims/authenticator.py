"""The authenticator of an S-CSCF: it challenges with AKA, and believes only what it has verified.

Spec: 3GPP TS 24.229, 5.4.1.2 (REGISTER) and 5.4.3.6 (other requests), RFC 3310 and 4169 (digest), TS 29.228
(vectors). It gives ``ck`` and ``ik`` to the P-CSCF inside the challenge (TS 24.229, 7.2A.1).

Teaching code: it is not constant time.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from imslab.aka import AuthenticationVector, digest
from imslab.errors import Malformed, WrongResponse
from imslab.ims import cx
from imslab.ims.procedure import Procedure
from imslab.sip import Credentials, Message

# What a UE is offered, in this order. SIPp reads the first challenge only and knows nothing but
# AKAv1; a UE that knows better looks at all of them (RFC 8760, 2.4).
ALGORITHMS = ("AKAv1-MD5", "AKAv2-MD5", "AKAv2-SHA-256")


@dataclass(slots=True)
class Challenge:
    """One 401 or 407 that waits for its answer: good once, and not for long."""

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
    ``challenge_calls`` an INVITE is challenged as well, with 407

    Raises Malformed for an algorithm that is not AKA's, and for an unknown qop.
    """

    algorithms: tuple[str, ...] = ALGORITHMS
    qop: str = "auth"
    nonce_lifetime: float = 30.0
    min_expires: int = 10
    max_expires: int = 600_000
    challenge_calls: bool = False

    def __post_init__(self) -> None:
        for name in self.algorithms:
            if not digest.is_aka(name):
                raise Malformed(f"{name} is no AKA algorithm", expected=", ".join(ALGORITHMS))
        if set(self.qop.replace(" ", "").split(",")) - {"auth", "auth-int"}:
            raise Malformed(f"unknown qop {self.qop!r}", expected="auth, auth-int or auth,auth-int")


class Verdict(NamedTuple):
    """What to answer: 200 when the credentials were right, and the headers that go with it."""

    status: int
    headers: list[tuple[str, str]] = []  # noqa: RUF012 -- never changed


class Authenticator:
    """The challenges of one domain, and the check of their answers.

    ``uri``   the S-CSCF that asks
    ``note``  writes what happens into the log: now, what, about, why
    """

    def __init__(self, domain: str, policy: Policy, uri: str, note: Callable[..., None]) -> None:
        self.domain, self.policy = domain, policy
        self._uri, self._note = uri, note
        self._challenges: dict[str, Challenge] = {}

    def check(
        self, request: Message, credentials: Credentials | None, impi: str, impu: str, now: float
    ) -> Procedure[Verdict]:
        """Return 200 when ``request`` proves that it comes from ``impi``; else a challenge, or a refusal."""
        if credentials is None or not (credentials.response or credentials.auts):
            return (yield from self._first(request, impi, impu, credentials, now))
        challenge = self._challenges.pop(credentials.nonce, None)  # popped: an answer counts once
        if challenge is None or challenge.impi != impi or challenge.expires < now:
            # an unknown, used or expired nonce is no crime: a replay and a late UE get a new challenge
            self._note(now, "nonce unknown, used or expired", impi)
            return (yield from self._challenge(request, impi, impu, now))
        if credentials.auts:
            return (yield from self._resynchronise(request, challenge, impu, credentials, now))
        return self._verify(request, challenge, credentials, now)

    def forget(self, now: float) -> None:
        """Drop the challenges that nobody has answered in time."""
        # All challenges live equally long, so the oldest stand first in the dict.
        while self._challenges:
            nonce, challenge = next(iter(self._challenges.items()))
            if challenge.expires >= now:
                return
            del self._challenges[nonce]

    def _first(
        self, request: Message, impi: str, impu: str, credentials: Credentials | None, now: float
    ) -> Procedure[Verdict]:
        nonce = credentials.nonce if credentials else ""
        if nonce and (challenge := self._challenges.pop(nonce, None)) is not None and challenge.impi == impi:
            # No response and no auts: the UE says that the network's MAC was wrong (TS 24.229, 5.1.1.5.3).
            self._note(now, "the UE rejected AUTN", impi)
            return Verdict(403)
        return (yield from self._challenge(request, impi, impu, now))

    def _challenge(
        self, request: Message, impi: str, impu: str, now: float, authorization: bytes = b""
    ) -> Procedure[Verdict]:
        got, now = yield cx.MultimediaAuthRequest(impu, impi, self._uri, authorization)
        assert isinstance(got, cx.MultimediaAuthAnswer)
        if got.vector is None:
            self._note(now, "no vector from the HSS", impi, got.result.name)
            if got.result is cx.Result.UNABLE_TO_DELIVER:
                return Verdict(504)
            return Verdict(403 if authorization else 480)
        offered = tuple(a for a in self.policy.algorithms if not got.algorithms or a in got.algorithms)
        if not offered:
            self._note(now, "no algorithm in common with the HSS", impi)
            return Verdict(403)
        nonce = digest.nonce_for(got.vector.rand, got.vector.autn)
        self.forget(now)
        self._challenges[nonce] = Challenge(
            impi, got.vector, nonce, offered, now + self.policy.nonce_lifetime
        )
        status, name = (401, "WWW-Authenticate") if registers(request) else (407, "Proxy-Authenticate")
        return Verdict(status, [(name, self._offer(a, nonce, got.vector)) for a in offered])

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
    ) -> Procedure[Verdict]:
        try:
            auts = digest.parse_auts(credentials.auts or "")
        except Malformed as error:
            self._note(now, "auts refused", challenge.impi, str(error))
            return Verdict(400)
        self._note(now, "synchronisation failure", challenge.impi, "asking the HSS with RAND and AUTS")
        rand_auts = challenge.vector.rand + auts
        return (yield from self._challenge(request, challenge.impi, impu, now, rand_auts))

    def _verify(
        self, request: Message, challenge: Challenge, credentials: Credentials, now: float
    ) -> Verdict:
        algorithm = credentials.algorithm or "MD5"
        offered = {name.casefold() for name in challenge.algorithms}
        if algorithm.casefold() not in offered:
            self._note(now, "answer with an algorithm that was not offered", challenge.impi, algorithm)
            return Verdict(403)
        vector, answer = challenge.vector, {**credentials.arguments, "body": request.body}
        keys: dict[str, Any] = {"res": vector.xres, "ck": vector.ck, "ik": vector.ik}
        try:
            if credentials.realm != self.domain:
                raise WrongResponse("the answer names another realm")
            if not registers(request) and credentials.uri != request.uri_text:
                raise WrongResponse("the answer is for another request")
            digest.verify(algorithm, credentials.response, method=request.method, **answer, **keys)
        except WrongResponse as error:
            self._note(now, "wrong response", challenge.impi, str(error))
            return Verdict(403)
        return Verdict(200, _proof(algorithm, credentials, answer, keys))


def registers(request: Message) -> bool:
    """Tell whether a request is challenged by a registrar (401); else a proxy does it (407)."""
    return request.method == "REGISTER"


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
