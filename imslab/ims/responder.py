"""What a UE answers to a challenge: one algorithm of those offered, and what the card computes.

Spec: RFC 3310, 3 (AKAv1, auts), RFC 4169 (AKAv2), RFC 8760, 2.4 (several challenges), 3GPP TS 24.229, 5.1.1.5
and 5.1.1.5.3 (a network that does not prove itself).

Teaching code: it is not constant time.
"""

import hmac
from dataclasses import dataclass
from typing import Any, Protocol

from imslab.aka import digest
from imslab.errors import ImslabError, MacFailure
from imslab.sip import AuthenticationInfo, Challenge, Credentials

PREFERENCE = ("AKAv2-SHA-256", "AKAv2-MD5", "AKAv1-MD5")  # strongest first


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


class NothingToAnswer(ImslabError):
    """The network offers no algorithm that the UE knows, or is allowed to use."""


def choose(offered: tuple[Challenge, ...], wanted: str | None) -> Challenge:
    """Return the challenge to answer: ``wanted``'s, or the strongest; NothingToAnswer when there is none."""
    by_name = {_name(c).casefold(): c for c in reversed(offered)}
    for name in (wanted,) if wanted else PREFERENCE:
        if name.casefold() in by_name:
            return by_name[name.casefold()]
    names = ", ".join(map(_name, offered)) or "nothing"
    raise NothingToAnswer(f"the network offers {names}, not {wanted or ' or '.join(PREFERENCE)}")


def _name(challenge: Challenge) -> str:
    """Return the algorithm of a challenge; what is no digest has only a scheme."""
    return (challenge.algorithm or "MD5") if challenge.is_digest else challenge.scheme


class Responder:
    """One challenge, and the answers that can be given to it.

    ``impi``    the private identity;  ``uri``: the digest-uri
    ``cnonce``  what the client adds, text
    Raises Malformed when the nonce holds no RAND and AUTN, and when only unknown kinds of qop are offered.
    """

    def __init__(self, challenge: Challenge, impi: str, *, method: str, uri: str, cnonce: str) -> None:
        rand, autn, _ = digest.parse_nonce(challenge.nonce)
        qop = digest.choose_qop(challenge.qop)
        self.request = CardRequest(rand, autn)
        self.challenge, self._method = challenge, method
        self._arguments: dict[str, Any] = {
            "uri": uri,
            "username": impi,
            "realm": challenge.realm,
            "nonce": challenge.nonce,
            "qop": qop,
            "nc": "00000001" if qop else None,
            "cnonce": cnonce if qop else None,
        }
        self._keys: dict[str, Any] | None = None

    @property
    def algorithm(self) -> str:
        """The digest algorithm."""
        return self.challenge.algorithm or "MD5"

    def answer(self, card: CardAnswer) -> Credentials:
        """Return the credentials that prove the card's RES; Malformed for an algorithm that cannot."""
        self._keys = {"res": card.res, "ck": card.ck, "ik": card.ik}
        return self._credentials(self._response(**self._keys))

    def synchronise(self, auts: bytes) -> Credentials:
        """Return the credentials that ask to resynchronise: AUTS, and an empty password (RFC 3310, 3.4)."""
        return self._credentials(self._response(password=b""), auts)

    def refuse(self) -> Credentials:
        """Return the empty response: the network did not prove itself (TS 24.229, 5.1.1.5.3)."""
        return self._credentials("")

    def check(self, info: AuthenticationInfo | None) -> bool | None:
        """Return True when rspauth proves that the network knows XRES; None without one; else MacFailure."""
        if info is None or not info.rspauth or self._keys is None:
            return None
        expected = digest.rspauth(self.algorithm, **self._arguments, **self._keys)
        if not hmac.compare_digest(expected, info.rspauth):
            raise MacFailure("rspauth is wrong: whoever sent the 200 does not know XRES")
        return True

    def _response(self, **keys: Any) -> str:
        return digest.response(self.algorithm, method=self._method, **self._arguments, **keys)

    def _credentials(self, response: str, auts: bytes | None = None) -> Credentials:
        said = {name: self._arguments[name] for name in ("username", "realm", "nonce", "uri")}
        return Credentials.digest(
            **said,
            response=response,
            algorithm=self.challenge.algorithm,
            qop=self._arguments["qop"],
            nc=self._arguments["nc"],
            cnonce=self._arguments["cnonce"],
            opaque=self.challenge.opaque,
            auts=None if auts is None else digest.auts_text(auts),
        )
