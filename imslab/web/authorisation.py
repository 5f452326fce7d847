"""The web server's own login: who brings the web password gets a token, and the eP-CSCF believes it.

Spec: 3GPP TS 33.203, annex X.3 and TS 24.371, A.3.2: the WWSF (with its WAF) authenticates the user by web
credentials and issues an access token; the eP-CSCF checks it. Here both know one secret: a token is its
claims and their MAC (RFC 2104), as a JWT with HS256 is (RFC 7519).

Teaching code: a product keeps password hashes made to be slow (RFC 9106), and asks for a second factor.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from imslab.errors import WrongResponse
from imslab.ims.http import Request, Response, text_response
from imslab.ims.node import RandomSource

LIFETIME = 3600  # seconds that a token is good
MOST_WRONG, PAUSE = 5, 60.0  # wrong passwords in a row for one name, then so many seconds without an answer


class Authorisation:
    """The accounts of a web server.

    ``accounts``  for each name, its password and its private identity (IMPI)
    """

    def __init__(self, accounts: Mapping[str, tuple[str, str]], *, random: RandomSource) -> None:
        self._secret, self._salt = random(32), random(16)
        self._accounts = {name: (self._hash(word), impi) for name, (word, impi) in accounts.items()}
        self._wrong: dict[str, tuple[int, float]] = {}

    def issue(self, name: str, password: str, now: float) -> str:
        """Return a token for ``name``; raise WrongResponse for a wrong password, or after five of them."""
        count, since = self._wrong.get(name, (0, now))
        if count >= MOST_WRONG and now < since + PAUSE:
            raise WrongResponse("too many wrong passwords: wait a minute")
        known, impi = self._accounts.get(name, (b"", ""))
        if not hmac.compare_digest(self._hash(password), known):
            if name in self._accounts:
                self._wrong[name] = (count + 1 if count < MOST_WRONG else 1, now)
            raise WrongResponse("the name or the password is wrong")
        self._wrong.pop(name, None)
        claims = json.dumps({"sub": impi, "exp": int(now) + LIFETIME}).encode()
        return f"{_text(claims)}.{_text(self._mac(claims))}"

    def vouch(self, token: str, now: float) -> str:
        """Return whose token this is, a private identity; raise WrongResponse for one that is not good."""
        claims, _, mac = token.partition(".")
        octets = _octets(claims)
        if not hmac.compare_digest(self._mac(octets), _octets(mac)):
            raise WrongResponse("this server did not give this token")
        said = json.loads(octets)
        if said["exp"] < now:
            raise WrongResponse("the token has run out")
        return str(said["sub"])

    def answer(self, name: str, request: Request, now: float) -> Response:
        """Answer POST with ``{"password": ...}``: 200 and the token, or 400, or 403."""
        try:
            said: Any = json.loads(request.body)
            password = said["password"]
        except (ValueError, RecursionError, TypeError, KeyError):
            return text_response(400, 'write {"password": "..."}\n')
        if not isinstance(password, str):
            return text_response(400, "the password must be a text\n")
        try:
            token = self.issue(name, password, now)
        except WrongResponse as error:
            return text_response(403, f"{error}\n")
        body = json.dumps({"token": token}).encode()
        kind = ("Content-Type", "application/json; charset=utf-8")
        headers = (kind, ("Content-Length", str(len(body))), ("Cache-Control", "no-store"))
        return Response(200, headers=headers, body=body)

    def _mac(self, claims: bytes) -> bytes:
        return hmac.digest(self._secret, b"imslab token\0" + claims, "sha256")

    def _hash(self, password: str) -> bytes:
        return hashlib.pbkdf2_hmac("sha256", password.encode("utf-8", "replace"), self._salt, 10_000)


def _text(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


def _octets(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""
