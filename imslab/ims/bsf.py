"""The BSF: authenticates a terminal with AKA, and then gives each NAF a key of its own.

Spec: 3GPP TS 33.220, 4.5.2 (Ub) and 4.5.3 (Zn); TS 24.109, 4 (HTTP Digest AKAv1-MD5 on Ub); TS 29.109 (Zh,
Zn). Zh is asked with the values of a Cx MAR. A challenge is good for one answer and for one minute; RAND, and
so the B-TID, comes from the HSS. Requests and the time go in, responses come out.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import TypeVar

from imslab.aka import AuthenticationVector, digest, gba
from imslab.errors import ImslabError, Malformed, WrongResponse
from imslab.ims import cx
from imslab.ims.gba import ALGORITHM, CONTENT_TYPE, BootstrappingInfo, proof
from imslab.ims.http import Request, Response, text_response
from imslab.ims.node import RandomSource
from imslab.sip import AuthenticationInfo, Challenge, Credentials

LIFETIME = 3600.0  # seconds that a bootstrapped key lives, unless the operator says otherwise
PATIENCE = 60.0  # seconds that a challenge may be answered
MOST = 10_000  # challenges, and keys, that are kept; the oldest make room
T = TypeVar("T")


class NoSuchKey(ImslabError):
    """A B-TID is not, or no longer, the name of a key: the terminal must bootstrap again."""


@dataclass(frozen=True, slots=True)
class NafKeys:
    """What the BSF tells a NAF over Zn (TS 33.220, 4.5.3); keys of 32 octets.

    ``ks_naf``      Ks_NAF, or Ks_ext_NAF when the card keeps Ks
    ``ks_int_naf``  Ks_int_NAF; None when Ks is in the terminal
    ``expires``     epoch seconds
    """

    impi: str
    ks_naf: bytes = field(repr=False)
    ks_int_naf: bytes | None = field(repr=False)
    expires: float


@dataclass(frozen=True, slots=True)
class _Waiting:
    impi: str
    vector: AuthenticationVector
    until: float


@dataclass(frozen=True, slots=True)
class _Bootstrapped:
    impi: str
    rand: bytes
    ks: bytes = field(repr=False)
    expires: float


class Bsf:
    """A bootstrapping server function.

    ``name``      its domain name, the realm on Ub and the end of each B-TID
    ``ask``       asks the HSS: ``Hss.ask``
    ``lifetime``  seconds that a key lives
    ``gba_u``     private identities whose cards keep Ks (the HSS knows it from the user security settings)
    """

    def __init__(
        self,
        name: str,
        ask: Callable[[cx.Request, float], cx.Answer],
        *,
        random: RandomSource,
        lifetime: float = LIFETIME,
        gba_u: Collection[str] = (),
    ) -> None:
        self.name, self.lifetime, self.gba_u = name, lifetime, set(gba_u)
        self._ask, self._random = ask, random
        self._waiting: dict[str, _Waiting] = {}
        self._keys: dict[str, _Bootstrapped] = {}

    def receive(self, request: Request, now: float) -> Response:
        """Answer one request on Ub: 401 with a challenge, 200 with the B-TID, or a refusal that says why."""
        if request.method != "GET":
            return text_response(405, "Ub knows GET only", (("Allow", "GET"),))
        try:
            given = Credentials.parse(request.get("Authorization") or "")
        except Malformed as error:
            return text_response(400, f"Authorization cannot be read: {error}")
        if not given.username or given.realm != self.name:
            return text_response(400, f"say who you are: Digest username, realm {self.name}")
        if not given.nonce:
            return self._challenge(given.username, now)
        return self._judge(request, given, now)

    def keys(self, b_tid: str, naf_id: bytes, now: float) -> NafKeys:
        """Answer a NAF on Zn: the keys for ``naf_id`` of the run ``b_tid``; NoSuchKey when there are none.

        The caller vouches that the NAF is who its ``naf_id`` says: in a product by TLS (TS 33.220, 4.5.3).
        """
        known = self._keys.get(b_tid)
        if known is None:
            raise NoSuchKey("the BSF knows no such B-TID: bootstrap again")
        if known.expires <= now:
            del self._keys[b_tid]
            raise NoSuchKey("the bootstrapped key has expired: bootstrap again")
        run = known.ks, known.rand, known.impi, naf_id
        internal = gba.ks_int_naf(*run) if known.impi in self.gba_u else None
        return NafKeys(known.impi, gba.ks_ext_naf(*run), internal, known.expires)

    def _challenge(self, impi: str, now: float, resynchronisation: bytes = b"") -> Response:
        answer = self._ask(cx.MultimediaAuthRequest("", impi, self.name, resynchronisation), now)
        if not isinstance(answer, cx.MultimediaAuthAnswer) or answer.vector is None:
            why = "AUTS is not the card's" if resynchronisation else "the HSS has no vector for this user"
            return text_response(403, why)
        nonce = digest.nonce_for(answer.vector.rand, answer.vector.autn)
        _keep(self._waiting, nonce, _Waiting(impi, answer.vector, now + PATIENCE))
        opaque = self._random(16).hex()
        offer = Challenge.digest(
            realm=self.name, nonce=nonce, algorithm=ALGORITHM, qop=("auth-int",), opaque=opaque
        )
        return text_response(401, "prove that you hold the card", (("WWW-Authenticate", str(offer)),))

    def _judge(self, request: Request, given: Credentials, now: float) -> Response:
        waiting = self._waiting.pop(given.nonce, None)  # whatever comes of it: one answer to a challenge
        if waiting is None or waiting.until < now or waiting.impi != given.username:
            return self._challenge(given.username, now)
        auts = given.auts
        if auts is None and not given.response:
            return text_response(403, "the card has not accepted this network (MAC failure)")
        try:
            if given.uri != request.target or given.qop != "auth-int":
                raise WrongResponse("the answer is not one to this request")
            password = waiting.vector.xres if auts is None else b""
            digest.verify(
                ALGORITHM,
                given.response,
                method=request.method,
                body=request.body,
                password=password,
                **given.arguments,
            )
            if auts is not None:
                return self._challenge(waiting.impi, now, waiting.vector.rand + digest.parse_auts(auts))
        except (WrongResponse, Malformed) as error:
            return text_response(403, str(error))
        return self._bootstrapped(waiting, given, now)

    def _bootstrapped(self, waiting: _Waiting, given: Credentials, now: float) -> Response:
        vector = waiting.vector
        try:
            ks = gba.ks(vector.ck, vector.ik)
        except Malformed:
            return text_response(403, "GBA needs CK and IK of 16 octets")
        expires = float(int(now + self.lifetime))
        info = BootstrappingInfo(gba.b_tid(vector.rand, self.name), expires)
        _keep(self._keys, info.b_tid, _Bootstrapped(waiting.impi, vector.rand, ks, expires))
        body = info.to_xml()
        said = AuthenticationInfo.of(
            qop="auth-int",
            rspauth=proof(given.having(algorithm=ALGORITHM), body, vector.xres),
            cnonce=given.cnonce,
            nc=given.nc,
        )
        headers = (
            ("Authentication-Info", str(said)),
            ("Content-Type", CONTENT_TYPE),
            ("Content-Length", str(len(body))),
        )
        return Response(200, headers=headers, body=body)


def _keep(kept: dict[str, T], key: str, value: T) -> None:
    kept[key] = value
    while len(kept) > MOST:
        del kept[next(iter(kept))]
