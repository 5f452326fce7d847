"""The NAF: an ordinary web application whose users log in with the SIM.

Spec: 3GPP TS 24.109, 5 (Ua: HTTP Digest; the username is the B-TID, the password base64 of the key);
TS 33.222, 5.3 (the realm says which key); TS 33.220, 4.5.3. It asks the BSF for the key, and learns from it
who the user is.
"""

from collections.abc import Callable
from dataclasses import dataclass

from imslab.aka import digest, gba
from imslab.errors import Malformed, WrongResponse
from imslab.ims.bsf import MOST, NafKeys, NoSuchKey
from imslab.ims.gba import REALM, UICC_REALM, proof
from imslab.ims.http import Request, Response, text_response
from imslab.ims.node import RandomSource
from imslab.sip import AuthenticationInfo, Challenge, Credentials

NONCE_LIFETIME = 300.0  # seconds

Page = Callable[[str, Request], bytes]
Zn = Callable[[str, bytes, float], NafKeys]


@dataclass(slots=True)
class _Nonce:
    until: float
    count: int = 0  # the highest nc that was seen with it


class Naf:
    """A web application behind HTTP Digest.

    ``name``      its domain name: part of the realm, and of NAF_Id, and so of its keys
    ``keys``      asks the BSF: ``Bsf.keys``
    ``page``      makes the HTML for a user, given the IMPI and the request
    ``protocol``  the Ua security protocol identifier, 5 octets
    ``internal``  ask for Ks_int_NAF, the key that only the card knows
    """

    def __init__(
        self,
        name: str,
        keys: Zn,
        page: Page,
        *,
        random: RandomSource,
        protocol: bytes = gba.UA_HTTP_DIGEST,
        internal: bool = False,
    ) -> None:
        self.name, self.naf_id = name, gba.naf_id(name, protocol)
        self.realm = (UICC_REALM if internal else REALM) + name
        self._keys, self._page, self._random, self._internal = keys, page, random, internal
        self._nonces: dict[str, _Nonce] = {}

    def receive(self, request: Request, now: float) -> Response:
        """Answer one request on Ua: 401 with a challenge, the page, or a refusal that says why."""
        if request.get("Authorization") is None:
            return self._challenge("log in with the card", now)
        try:
            given = Credentials.parse(request.get("Authorization") or "")
            return self._judge(request, given, now)
        except NoSuchKey as error:
            return self._challenge(str(error), now)  # bootstrapping is to be negotiated anew (TS 24.109, 5.2)
        except WrongResponse as error:
            return text_response(403, str(error))
        except Malformed as error:
            return text_response(400, f"Authorization cannot be read: {error}")

    def _challenge(self, why: str, now: float, stale: bool | None = None) -> Response:
        nonce, opaque = self._random(16).hex(), self._random(16).hex()
        self._nonces[nonce] = _Nonce(now + NONCE_LIFETIME)
        while len(self._nonces) > MOST:
            del self._nonces[next(iter(self._nonces))]
        offer = Challenge.digest(
            realm=self.realm, nonce=nonce, algorithm="MD5", qop=("auth-int",), opaque=opaque, stale=stale
        )
        return text_response(401, why, (("WWW-Authenticate", str(offer)),))

    def _judge(self, request: Request, given: Credentials, now: float) -> Response:
        nonce = self._nonces.get(given.nonce)
        if nonce is None or nonce.until < now:
            return self._challenge("the nonce is too old, or not from here", now, stale=True)
        if (given.realm, given.uri, given.qop) != (self.realm, request.target, "auth-int"):
            raise WrongResponse("the answer is not one to this request")
        keys = self._keys(given.username, self.naf_id, now)
        key = keys.ks_int_naf if self._internal else keys.ks_naf
        if key is None:
            raise WrongResponse("this user's card keeps no key of its own (GBA_U)")
        password = gba.password(key).encode()
        count = _count(given.nc)
        digest.verify(
            "MD5",
            given.response,
            method=request.method,
            body=request.body,
            password=password,
            **given.arguments,
        )
        if count <= nonce.count:
            raise WrongResponse("this answer was given before")
        nonce.count = count
        return self._welcome(request, given, keys, password)

    def _welcome(self, request: Request, given: Credentials, keys: NafKeys, password: bytes) -> Response:
        body = self._page(keys.impi, request)
        said = AuthenticationInfo.of(
            qop="auth-int",
            rspauth=proof(given.having(algorithm="MD5"), body, password),
            cnonce=given.cnonce,
            nc=given.nc,
        )
        headers = (
            ("Authentication-Info", str(said)),
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Length", str(len(body))),
        )
        return Response(200, headers=headers, body=body)


def _count(nc: str | None) -> int:
    try:
        return int(nc or "", 16)
    except ValueError:
        raise Malformed("nc is no number of 8 hex digits") from None
