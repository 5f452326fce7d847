"""HTTP Digest, plain and with AKA: the password is what a card computed.

Spec: RFC 7616 and RFC 8760 (Digest in SIP), RFC 3310 (AKAv1), RFC 4169 (AKAv2). No RFC names AKA with
SHA-256 or SHA-512-256; the names follow RFC 3310, section 3.1 ("AKAv" version "-" algorithm), and
3GPP TS 29.229, section 6.3.9. An algorithm's name is matched without regard to case; None means MD5.

AKAv1: the password is RES, as octets. AKAv2: it is base64(HMAC(RES | IK | CK, label)), as text, with
its "=". With ``auts`` the password is empty in both.

Teaching code: it is not constant time, but for the comparison of responses.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass

from imslab.errors import Malformed, WrongResponse
from imslab.octets import exactly

_PASSWORD = b"http-digest-akav2-password"
_INTEGRITY_KEY = b"http-digest-akav2-integritykey"
_CIPHER_KEY = b"http-digest-akav2-cipherkey"

_HASHES = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}


@dataclass(frozen=True, slots=True)
class _Algorithm:
    name: str
    aka: int  # 0 for a plain password, or the version of AKA
    hash: str
    session: bool

    def h(self, *parts: bytes) -> bytes:
        """Return the hex digest of the parts with ":" between them."""
        digest = hashlib.new(self.hash, b":".join(parts), usedforsecurity=False)
        return digest.hexdigest().encode()

    def prf(self, key: bytes, label: bytes) -> bytes:
        """Return PRF(key, label) of RFC 4169, section 2.1: HMAC with the hash of the algorithm."""
        return hmac.digest(key, label, self.hash)


def _table() -> dict[str, _Algorithm]:
    names = [
        _Algorithm(f"{prefix}{token}{suffix}", aka, name, bool(suffix))
        for aka, prefix in ((0, ""), (1, "AKAv1-"), (2, "AKAv2-"))
        for token, name in _HASHES.items()
        for suffix in ("", "-sess")
    ]
    return {algorithm.name.lower(): algorithm for algorithm in names}


_TABLE = _table()
ALGORITHMS: tuple[str, ...] = tuple(algorithm.name for algorithm in _TABLE.values())


def canonical(algorithm: str | None) -> str:
    """Return the name of ``algorithm`` as the RFCs write it; Malformed if it is unknown."""
    return _lookup(algorithm).name


def is_aka(algorithm: str | None) -> bool:
    """Return whether ``algorithm`` takes its password from AKA; Malformed if it is unknown."""
    return _lookup(algorithm).aka > 0


def aka_version(algorithm: str | None) -> int:
    """Return 1 for AKAv1, 2 for AKAv2, 0 for a plain password; Malformed if it is unknown."""
    return _lookup(algorithm).aka


def h(algorithm: str | None, *parts: bytes) -> bytes:
    """Return H(part ":" part ...) of ``algorithm``: 32 hex digits for MD5, else 64 (RFC 7616, 3.4)."""
    return _lookup(algorithm).h(*parts)


def prf(algorithm: str | None, key: bytes, label: bytes) -> bytes:
    """Return PRF(key, label): HMAC with the hash of ``algorithm``: 16 octets for MD5, else 32."""
    return _lookup(algorithm).prf(key, label)


def password(algorithm: str, res: bytes, ck: bytes | None = None, ik: bytes | None = None) -> bytes:
    """Return the password of an AKA ``algorithm``, as the octets that are hashed.

    AKAv1: RES itself (RFC 3310, section 3.3). AKAv2: base64 text, 24 octets for MD5, 44 for SHA-256 and
    SHA-512-256 (RFC 4169, section 2.1); needs ``ck`` and ``ik`` of 16 or 32 octets. An empty ``res``
    makes an empty password: beside AUTS a card gives no RES.
    """
    found = _lookup(algorithm)
    if not found.aka:
        raise Malformed(f"{found.name} takes its password from a person, not from AKA")
    if not isinstance(res, bytes | bytearray | memoryview):
        raise Malformed(f"res must be octets, not {type(res).__name__}")
    if found.aka == 1 or not len(res):
        return bytes(res)
    if ck is None or ik is None:
        raise Malformed(f"{found.name} needs ck and ik beside res")
    # IK comes before CK: everywhere else in 3GPP it is the other way round.
    key = bytes(res) + exactly("ik", ik, 16, 32) + exactly("ck", ck, 16, 32)
    return base64.b64encode(found.prf(key, _PASSWORD))


def session_keys(algorithm: str, ck: bytes, ik: bytes) -> tuple[bytes, bytes]:
    """Return (CK', IK'), which replace CK and IK after AKAv2: 16 octets for MD5, else 32.

    RFC 4169, section 2.2. Malformed for another algorithm, or keys that have not 16 or 32 octets.
    """
    found = _lookup(algorithm)
    if found.aka != 2:
        raise Malformed(f"{found.name} derives no session keys; AKAv2 does")
    cipher_key = found.prf(exactly("ck", ck, 16, 32), _CIPHER_KEY)
    return cipher_key, found.prf(exactly("ik", ik, 16, 32), _INTEGRITY_KEY)


def response(
    algorithm: str | None,
    *,
    method: str,
    uri: str,
    username: str,
    realm: str,
    nonce: str,
    res: bytes | None = None,
    ck: bytes | None = None,
    ik: bytes | None = None,
    password: str | bytes | None = None,
    qop: str | None = None,
    nc: str | int | None = None,
    cnonce: str | None = None,
    body: bytes = b"",
) -> str:
    """Return the ``response`` directive: 32 hex digits for MD5, 64 for the others (RFC 7616, section 3.4.1).

    The secret is ``password``, or for an AKA algorithm ``res`` (AKAv2: with ``ck`` and ``ik``). ``password``
    wins when both are given: beside ``auts`` it is "". ``nonce`` is hashed as it was received. ``qop`` None
    is the form of RFC 2069; with a qop, ``nc`` (8 hex digits, or an int) and ``cnonce`` are needed.
    Raises Malformed for an unknown algorithm or qop and for what is missing.
    """
    found = _lookup(algorithm)
    secret = _secret(found, res, ck, ik, password)
    a1 = _hash_a1(found, secret, username, realm, nonce, cnonce)
    return _finish(found, a1, method, uri, nonce, qop, nc, cnonce, body)


def rspauth(
    algorithm: str | None,
    *,
    uri: str,
    username: str,
    realm: str,
    nonce: str,
    res: bytes | None = None,
    ck: bytes | None = None,
    ik: bytes | None = None,
    password: str | bytes | None = None,
    qop: str | None = None,
    nc: str | int | None = None,
    cnonce: str | None = None,
    body: bytes = b"",
) -> str:
    """Return the ``rspauth`` directive, with which the server proves that it knows the password too.

    As ``response``, with an empty method, and with the body of the response (RFC 7616, section 3.5;
    RFC 3310, section 3.5: XRES stands for RES).
    """
    found = _lookup(algorithm)
    secret = _secret(found, res, ck, ik, password)
    a1 = _hash_a1(found, secret, username, realm, nonce, cnonce)
    return _finish(found, a1, "", uri, nonce, qop, nc, cnonce, body)


def verify(
    algorithm: str | None,
    received_response: str,
    *,
    method: str,
    uri: str,
    username: str,
    realm: str,
    nonce: str,
    res: bytes | None = None,
    ck: bytes | None = None,
    ik: bytes | None = None,
    password: str | bytes | None = None,
    qop: str | None = None,
    nc: str | int | None = None,
    cnonce: str | None = None,
    body: bytes = b"",
) -> None:
    """Raise WrongResponse unless ``received_response`` is what ``response`` gives for the same arguments."""
    computed = response(
        algorithm,
        method=method,
        uri=uri,
        username=username,
        realm=realm,
        nonce=nonce,
        res=res,
        ck=ck,
        ik=ik,
        password=password,
        qop=qop,
        nc=nc,
        cnonce=cnonce,
        body=body,
    )
    if not hmac.compare_digest(_octets("response", received_response.lower()), computed.encode()):
        raise WrongResponse(f"the response to {method} is not the one that {canonical(algorithm)} gives here")


def choose_qop(offered: str | Iterable[str] | None) -> str | None:
    """Return the qop to answer with: "auth" if it is offered, else "auth-int"; None if nothing is.

    ``offered`` is the directive's text ("auth,auth-int") or its values. "auth" is preferred because a body
    may change under way (SDP does). Malformed when only unknown values are offered (RFC 7616, section 3.3).
    """
    values = offered.split(",") if isinstance(offered, str) else list(offered or ())
    known = {value.strip().lower() for value in values} - {""}
    if not known:
        return None
    for qop in ("auth", "auth-int"):
        if qop in known:
            return qop
    raise Malformed("no known qop is offered", expected="auth or auth-int")


def authentication_info(
    *,
    nextnonce: str | None = None,
    rspauth: str | None = None,
    qop: str | None = None,
    nc: str | int | None = None,
    cnonce: str | None = None,
) -> dict[str, str]:
    """Return the directives of Authentication-Info, unquoted and in order (RFC 7616, section 3.5).

    ``nextnonce`` is a nonce for the next request: nonce_for() of a fresh vector with AKA. With a ``qop``,
    ``cnonce`` and ``nc`` repeat those of the request.
    """
    values = {"nextnonce": nextnonce, "qop": qop, "rspauth": rspauth}
    if qop:
        values |= {"cnonce": _needed("cnonce", cnonce), "nc": _nc(nc)}
    return {name: value for name, value in values.items() if value}


def nonce_for(rand: bytes, autn: bytes, server_data: bytes = b"") -> str:
    """Return the nonce of a challenge: base64(RAND | AUTN | server data) (RFC 3310, section 3.2)."""
    return base64.b64encode(exactly("rand", rand, 16) + exactly("autn", autn, 16) + server_data).decode()


def parse_nonce(nonce: str) -> tuple[bytes, bytes, bytes]:
    """Return RAND (16 octets), AUTN (16) and the server data in ``nonce`` (RFC 3310, section 3.2).

    Missing or wrong padding is forgiven. Malformed if ``nonce`` is too short or no base64.
    """
    octets = _unbase64("nonce", nonce)
    if len(octets) < 32:
        raise Malformed(f"nonce holds {len(octets)} octets", expected="RAND and AUTN, 32 octets")
    return octets[:16], octets[16:32], octets[32:]


def auts_text(auts: bytes) -> str:
    """Return the ``auts`` directive: base64 of AUTS, 14 octets (RFC 3310, section 3.4)."""
    return base64.b64encode(exactly("auts", auts, 14)).decode()


def parse_auts(text: str) -> bytes:
    """Return AUTS, 14 octets, in the ``auts`` directive; Malformed if it is none."""
    return exactly("auts", _unbase64("auts", text), 14)


def _lookup(algorithm: str | None) -> _Algorithm:
    name = "MD5" if algorithm is None else algorithm.strip()
    found = _TABLE.get(name.lower())
    if found is None:
        raise Malformed(f"unknown digest algorithm {name[:40]!r}", expected=", ".join(ALGORITHMS))
    return found


def _secret(
    found: _Algorithm, res: bytes | None, ck: bytes | None, ik: bytes | None, given: str | bytes | None
) -> bytes:
    if given is not None:
        return _octets("password", given)
    if not found.aka:
        raise Malformed(f"{found.name} needs password=")
    if res is None:
        raise Malformed(f"{found.name} needs res= or password=")
    return password(found.name, res, ck, ik)


def _hash_a1(
    found: _Algorithm, secret: bytes, username: str, realm: str, nonce: str, cnonce: str | None
) -> bytes:
    a1 = found.h(_octets("username", username), _octets("realm", realm), secret)
    if found.session:
        a1 = found.h(a1, _octets("nonce", nonce), _octets("cnonce", _needed("cnonce", cnonce)))
    return a1


def _finish(
    found: _Algorithm,
    a1: bytes,
    method: str,
    uri: str,
    nonce: str,
    qop: str | None,
    nc: str | int | None,
    cnonce: str | None,
    body: bytes,
) -> str:
    a2 = [_octets("method", method), _octets("uri", uri)]
    if not qop:
        return found.h(a1, _octets("nonce", nonce), found.h(*a2)).decode()
    if qop.lower() not in ("auth", "auth-int"):
        raise Malformed(f"unknown qop {qop[:40]!r}", expected="auth or auth-int")
    if qop.lower() == "auth-int":
        a2.append(found.h(body))  # no body: the hash of nothing (RFC 8760, section 2.6)
    count, client = _nc(nc).encode(), _octets("cnonce", _needed("cnonce", cnonce))
    return found.h(a1, _octets("nonce", nonce), count, client, _octets("qop", qop), found.h(*a2)).decode()


def _needed(name: str, value: str | None) -> str:
    if value is None:
        raise Malformed(f"{name} is needed with this algorithm or qop")
    return value


def _nc(nc: str | int | None) -> str:
    if isinstance(nc, int) and 0 <= nc < 1 << 32:
        return f"{nc:08x}"
    if isinstance(nc, str) and len(nc) == 8 and not set(nc) - set("0123456789abcdefABCDEF"):
        return nc
    raise Malformed("nc is missing or wrong", expected="8 hex digits, or a number below 2 to the power of 32")


def _octets(name: str, value: str | bytes) -> bytes:
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    try:
        # Octets that were no UTF-8 on the wire travel in str as surrogates, and come out as they were.
        return value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise Malformed(f"{name} holds a character that UTF-8 cannot write") from None


def _unbase64(name: str, text: str) -> bytes:
    digits = text.strip().rstrip("=")
    try:
        return base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise Malformed(f"{name} is not base64") from None
