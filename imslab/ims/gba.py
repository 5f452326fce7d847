"""GBA as the terminal does it: what it sends to the BSF (Ub) and to a NAF (Ua), and what it believes.

Spec: 3GPP TS 24.109, 4 (Ub: HTTP Digest AKA) and 5 (Ua: HTTP Digest with the bootstrapped key);
TS 33.220, 4.5. Pure functions: the card and the sockets are the caller's. There is no TLS here: a
product never does this in the clear, and then NAF_Id names the cipher suite (TS 33.220, annex H).
"""

import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from imslab.aka import digest
from imslab.errors import ImslabError, Malformed, WrongResponse
from imslab.ims.http import Request, Response
from imslab.sip import AuthenticationInfo, Challenge, Credentials

# Product tokens by which a terminal says what it can do (TS 24.109, 5.2; TS 33.222, 5.3).
AGENT, UICC_AGENT = "3gpp-gba", "3gpp-gba-uicc"
REALM, UICC_REALM = "3GPP-bootstrapping@", "3GPP-bootstrapping-uicc@"
CONTENT_TYPE = "application/vnd.3gpp.bsf+xml"
ALGORITHM = "AKAv1-MD5"
_NAMESPACE = "uri:3gpp-gba"
_LONGEST_INFO = 4096  # octets
_INFO = re.compile(r"<btid>([^<>&]{1,255})</btid>\s*<lifetime>([^<>&]{1,64})</lifetime>")


class GbaFailed(ImslabError):
    """A bootstrapping or a login came to an end without success.

    ``status``  the HTTP status; None when no answer was believed
    """

    def __init__(self, message: str, *, status: int | None = None) -> None:
        self.status = status
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class BootstrappingInfo:
    """What the BSF gives at the end: the name of this run, and when its keys end (epoch seconds)."""

    b_tid: str
    expires: float

    @property
    def lifetime(self) -> str:
        """The end as xs:dateTime, in UTC: so it stands in the XML and in EF.GBABP."""
        return datetime.fromtimestamp(self.expires, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def to_xml(self) -> bytes:
        """Write the body of the BSF's answer (TS 24.109, annex C)."""
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<BootstrappingInfo xmlns="{_NAMESPACE}">'
            f"<btid>{self.b_tid}</btid><lifetime>{self.lifetime}</lifetime></BootstrappingInfo>\n"
        ).encode()

    @classmethod
    def parse(cls, octets: bytes) -> "BootstrappingInfo":
        """Read the body of the BSF's answer; raise Malformed when it is something else."""
        if len(octets) > _LONGEST_INFO:
            raise Malformed(
                f"bootstrapping info of {len(octets)} octets", expected=f"{_LONGEST_INFO} at most"
            )
        text = octets.decode("utf-8", "replace")
        # Two plain values: a pattern needs no entities, and no XML reader that expands them.
        found = _INFO.search(text)
        if found is None or "BootstrappingInfo" not in text[: found.start()]:
            raise Malformed("no bootstrapping info", expected="btid and lifetime in BootstrappingInfo")
        try:
            return cls(found[1], datetime.fromisoformat(found[2]).astimezone(UTC).timestamp())
        except (ValueError, OverflowError):
            raise Malformed("the key lifetime is no date and time") from None


def first_request(bsf: str, impi: str) -> Request:
    """Return the first request on Ub: who asks; there is no nonce yet (TS 24.109, 4.3)."""
    who = Credentials.digest(username=impi, realm=bsf, nonce="", uri="/", response="")
    return get(bsf, "/", AGENT).having("Authorization", str(who))


def get(host: str, target: str, agent: str) -> Request:
    """Return a GET that says that this terminal knows GBA."""
    return Request("GET", target, headers=(("Host", host), ("User-Agent", f"imslab {agent}")))


def challenge(response: Response, realm: str) -> Challenge:
    """Return the challenge in a 401; raise GbaFailed for any other answer, or another realm.

    The realm is checked, because the key is bound to it: who could choose it freely could have one NAF's
    challenge answered for another (TS 24.109, 5.2).
    """
    if response.status != 401:
        raise failure(response)
    try:
        found = Challenge.parse(response.get("WWW-Authenticate") or "")
    except Malformed as error:
        raise GbaFailed(f"the challenge cannot be read: {error}", status=401) from None
    if not found.is_digest or found.realm != realm:
        if found.realm.startswith(UICC_REALM):
            raise GbaFailed("the NAF wants Ks_int_NAF, which an applet on the card must use", status=401)
        raise GbaFailed(f"a challenge for the realm {found.realm!r}, not {realm!r}", status=401)
    if "auth-int" not in found.qop:
        raise GbaFailed(
            "the challenge does not offer qop=auth-int: nothing would protect the body", status=401
        )
    return found


def failure(response: Response) -> GbaFailed:
    """Return what an answer that is no success means, with the server's own words."""
    said = response.body[:200].decode("utf-8", "replace").strip()
    words = f"{response.status} {response.reason}".strip()
    return GbaFailed(f"{words}: {said}" if said else words, status=response.status)


def answer(
    request: Request,
    asked: Challenge,
    username: str,
    password: bytes,
    *,
    cnonce: str,
    auts: bytes | None = None,
) -> Request:
    """Return ``request`` with the answer to a challenge; the body is protected too (qop=auth-int).

    ``password``  RES on Ub, base64 of the NAF's key on Ua; empty beside ``auts`` (14 octets, RFC 3310, 3.4)
    """
    said: dict[str, Any] = {
        "username": username,
        "realm": asked.realm,
        "nonce": asked.nonce,
        "uri": request.target,
        "qop": "auth-int",
        "nc": "00000001",
        "cnonce": cnonce,
    }
    computed = digest.response(
        asked.algorithm, method=request.method, body=request.body, password=password, **said
    )
    credentials = Credentials.digest(
        **said,
        response=computed,
        opaque=asked.opaque,
        algorithm=asked.algorithm,
        auts=None if auts is None else digest.auts_text(auts),
    )
    return request.having("Authorization", str(credentials))


def believe(request: Request, response: Response, password: bytes) -> None:
    """Raise WrongResponse unless a 200 bears the proof that the server knows the password too.

    rspauth covers the body (RFC 7616, 3.5): a page or a B-TID that was changed on the way is found out.
    """
    given = Credentials.parse(request.get("Authorization") or "")
    try:
        said = AuthenticationInfo.parse(response.get("Authentication-Info") or "").rspauth or ""
    except Malformed:
        said = ""
    computed = proof(given, response.body, password)
    if not hmac.compare_digest(said.encode("utf-8", "replace"), computed.encode()):
        raise WrongResponse("the server has not proved that it knows the key (rspauth)")


def proof(given: Credentials, body: bytes, password: bytes) -> str:
    """Return rspauth for the answer to a request with these credentials."""
    return digest.rspauth(given.algorithm, password=password, body=body, **given.arguments)
