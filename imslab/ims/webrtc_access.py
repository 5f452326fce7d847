"""The other two ways into the IMS from a web page: a password, and a token of the web server.

Spec: 3GPP TS 33.203, annex X (WebRTC access), annex N (SIP Digest) and annex U (Trusted Node Authentication);
TS 24.371, A.3.2 (a Bearer token in REGISTER). The P-CSCF becomes an eP-CSCF: it checks the token of the web
server, and vouches for the user towards the S-CSCF with ``integrity-protected="auth-done"``. The S-CSCF asks
a subscriber who has a password for it when the REGISTER has no Authorization (TS 33.203, annex P.4). The way
of IMS AKA is that of the classes below, unchanged.

Teaching code: it is not constant time.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from imslab.aka import digest
from imslab.errors import WrongResponse
from imslab.ims import cx
from imslab.ims.authenticator import Authenticator, Verdict, registers
from imslab.ims.node import Address, RandomSource
from imslab.ims.pcscf import Pcscf
from imslab.ims.procedure import Procedure
from imslab.ims.scscf import Scscf
from imslab.sip import Credentials, Message

Vouch = Callable[[str, float], str]  # a token, and now -> the private identity; raises WrongResponse
AUTH_DONE = "auth-done"  # TS 24.229, 7.2A.2: a trusted node has authenticated the user
PASSWORD_ALGORITHM = "MD5"  # what every SIP client knows  # noqa: S105 -- a name
_MOST = 10_000  # challenges that wait at once


class EnhancedPcscf(Pcscf):
    """The eP-CSCF: a P-CSCF that takes the web server's word for a user who brings its token."""

    def __init__(self, *arguments: Any, vouch: Vouch, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._vouch = vouch

    def _register(self, request: Message, source: Address, now: float) -> Message:
        token = _bearer(request)
        if token is None:
            return super()._register(request, source, now)
        request = request.without("Authorization")
        try:
            impi = self._vouch(token, now)
        except WrongResponse as error:
            self._note(now, "token refused", str(source), str(error))
            return super()._register(request, source, now)  # as if it had said nothing
        onward = super()._register(request, source, now)
        said = Credentials.digest(
            username=impi, realm=self.domain, nonce="", uri=f"sip:{self.domain}", response=""
        )
        return onward.with_header("Authorization", said.having(integrity_protected=AUTH_DONE))


@dataclass(slots=True)
class PasswordChallenge:
    """One 401 of SIP Digest that waits for its answer: H(A1) is all that the S-CSCF knows of the password."""

    impi: str
    ha1: str = field(repr=False)
    expires: float


class WebAuthenticator(Authenticator):
    """An authenticator that knows passwords and trusts an eP-CSCF; everything else it leaves to AKA."""

    def __init__(self, *arguments: Any, random: RandomSource) -> None:
        super().__init__(*arguments)
        self._random = random
        self._waiting: dict[str, PasswordChallenge] = {}

    def check(
        self, request: Message, credentials: Credentials | None, impi: str, impu: str, now: float
    ) -> Procedure[Verdict]:
        """Return 200 when ``request`` proves that it comes from ``impi``; else a challenge, or a refusal."""
        if credentials is not None and credentials.integrity_protected == AUTH_DONE:
            self._note(now, "authenticated by a trusted node", impi)
            return Verdict(200)
        if credentials is not None and credentials.nonce in self._waiting:
            return self._verify_password(request, credentials, impi, now)
        if credentials is None and registers(request):
            verdict = yield from self._challenge_password(impi, impu)
            if verdict is not None:
                return verdict
        return (yield from super().check(request, credentials, impi, impu, now))

    def forget(self, now: float) -> None:
        """Drop the challenges that nobody has answered in time."""
        super().forget(now)
        self._waiting = {nonce: one for nonce, one in self._waiting.items() if one.expires >= now}

    def _challenge_password(self, impi: str, impu: str) -> Procedure[Verdict | None]:
        """Return a challenge for a password; None for a subscriber who has none."""
        got, now = yield cx.MultimediaAuthRequest(impu, impi, self._uri, scheme=cx.PASSWORD_SCHEME)
        assert isinstance(got, cx.MultimediaAuthAnswer)
        if not got.ha1:
            return None
        self.forget(now)
        while len(self._waiting) >= _MOST:
            del self._waiting[next(iter(self._waiting))]
        nonce = self._random(16).hex()
        self._waiting[nonce] = PasswordChallenge(impi, got.ha1, now + self.policy.nonce_lifetime)
        challenge = (
            f'Digest realm="{self.domain}", nonce="{nonce}", algorithm={PASSWORD_ALGORITHM}, qop="auth"'
        )
        return Verdict(401, [("WWW-Authenticate", challenge)])

    def _verify_password(self, request: Message, credentials: Credentials, impi: str, now: float) -> Verdict:
        challenge = self._waiting.pop(credentials.nonce)  # an answer counts once
        ha1 = challenge.ha1.encode()
        expected = _response(ha1, request.method, credentials)
        fits = hmac.compare_digest(expected, credentials.response.encode("utf-8", "replace"))
        if challenge.impi != impi or challenge.expires < now or not fits:
            self._note(now, "wrong response", impi, "the password is wrong, or the challenge too old")
            return Verdict(403)
        if not credentials.qop:
            return Verdict(200)
        proof = _response(ha1, "", credentials).decode()
        info = f'qop=auth, rspauth="{proof}", cnonce="{credentials.cnonce}", nc={credentials.nc}'
        return Verdict(200, [("Authentication-Info", info)])


class WebScscf(Scscf):
    """An S-CSCF that takes what an eP-CSCF and SIP Digest bring."""

    def __init__(self, *arguments: Any, random: RandomSource, **settings: Any) -> None:
        super().__init__(*arguments, random=random, **settings)
        self._authenticator = WebAuthenticator(self.domain, self.policy, self._uri, self._note, random=random)


def ha1(impi: str, realm: str, password: str) -> str:
    """Return H(A1) of SIP Digest in hex, 32 digits (RFC 7616, 3.4.2): what an HSS gives to the S-CSCF."""
    return digest.h(PASSWORD_ALGORITHM, impi.encode(), realm.encode(), password.encode()).decode()


def _response(ha1: bytes, method: str, said: Credentials) -> bytes:
    """Return the response that follows from H(A1) (RFC 7616, 3.4.1)."""
    ha2 = digest.h(PASSWORD_ALGORITHM, method.encode(), said.uri.encode())
    middle = [(part or "").encode() for part in (said.nc, said.cnonce, said.qop)] if said.qop else []
    return digest.h(PASSWORD_ALGORITHM, ha1, said.nonce.encode(), *middle, ha2)


def _bearer(request: Message) -> str | None:
    """Return the token in ``Authorization: Bearer access_token="..."``; None without one."""
    for credentials in request.authorization:
        if credentials.scheme.lower() == "bearer":
            return credentials.params.get("access_token") or ""
    return None
