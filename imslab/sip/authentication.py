"""Challenges and credentials: WWW-Authenticate, Authorization, Authentication-Info and their proxy twins.

Spec: RFC 3261, sections 20.7, 20.27, 20.44 and 22; RFC 7616, 3.3 to 3.5; RFC 3310, 3 (auts);
3GPP TS 24.229, 7.2A.1 and 7.2A.2 (ik, ck, integrity-protected). Quotes come before commas
(``qop="auth,auth-int"``); quoted and bare values are both read, what peers accept is written.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from imslab.errors import Malformed
from imslab.sip.syntax import QUOTED_STRING, TOKEN, Params, quote, split_list, unique, unquote, write_value

_VALUE = r"[^\s\",=][^\s\",]*+"
_PARAM = rf"({TOKEN})[ \t]*=[ \t]*(?:({QUOTED_STRING})|({_VALUE}))"
_Scheme = tuple[str, str, list[tuple[str, str | None]]]  # scheme, token68, parameters

_PARAMETER = re.compile(_PARAM, re.DOTALL)
_ELEMENT = re.compile(rf"[ \t]*+{_PARAM}[ \t]*+(?:,|$)", re.DOTALL)
# No groups within the repetition: CPython 3.11 loses count of them there (SystemError).
_ONE_SCHEME = re.compile(
    rf"({TOKEN})[ \t]++(?>(?:{TOKEN}[ \t]*+=[ \t]*+(?:{QUOTED_STRING}|{_VALUE})[ \t]*+(?:,[ \t]*+(?!$)|$))+)",
    re.DOTALL,
)
_SCHEME_AND_PARAMETER = re.compile(rf"({TOKEN})[ \t]+{_PARAM}", re.DOTALL)
_SCHEME_ALONE = re.compile(rf"({TOKEN})(?:[ \t]+([A-Za-z0-9\-._~+/]+=*))?")

# How each value stands on the wire: RFC 7616, 3.3 and 3.4. Others keep the form they came in.
_IN_QUOTES = """realm domain nonce opaque username uri response cnonce auts nextnonce rspauth
    ck ik integrity-protected"""
_QUOTED = frozenset(_IN_QUOTES.split())
_BARE = frozenset(("algorithm", "stale", "nc", "userhash"))
_SECRET = frozenset(("ck", "ik"))


@dataclass(frozen=True, slots=True, repr=False)
class _Authentication:
    """A scheme and its parameters; ``token68`` is what Basic and Negotiate carry instead."""

    scheme: str
    params: Params
    token68: str = ""

    def __repr__(self) -> str:
        shown = {name: "..." if name in _SECRET else value for name, value in self.params.items()}
        return f"{type(self).__name__}({self.scheme!r}, {shown!r})"

    def __str__(self) -> str:
        if self.token68:
            return f"{self.scheme} {self.token68}"
        return f"{self.scheme} {_write(self.params, self._quoted_too)}".rstrip(" ")

    @property
    def _quoted_too(self) -> frozenset[str]:
        return frozenset()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read exactly one challenge or one set of credentials, or raise Malformed."""
        found = cls.parse_all(text)
        if len(found) != 1:
            raise Malformed(f"{len(found)} challenges where one should be")
        return found[0]

    @classmethod
    def parse_all(cls, text: str) -> tuple[Self, ...]:
        """Read all challenges in one header row, or raise Malformed."""
        return tuple(
            cls(scheme, unique(pairs), token68) for scheme, token68, pairs in _plain(text) or _schemes(text)
        )

    @property
    def is_digest(self) -> bool:
        """Whether the scheme is Digest."""
        return self.scheme.lower() == "digest"

    @property
    def realm(self) -> str:
        """The protection realm; "" when absent."""
        return self.params.get("realm") or ""

    @property
    def nonce(self) -> str:
        """The nonce, as received; "" when absent or empty."""
        return self.params.get("nonce") or ""

    @property
    def algorithm(self) -> str | None:
        """The algorithm as received; None when absent, which means MD5 (RFC 7616, 3.3)."""
        return self.params.get("algorithm")

    @property
    def opaque(self) -> str | None:
        """The opaque value, to be returned unchanged; None when absent."""
        return self.params.get("opaque")

    @property
    def ck(self) -> str | None:
        """The cipher key, hex, between S-CSCF and P-CSCF only; None when absent."""
        return self.params.get("ck")

    @property
    def ik(self) -> str | None:
        """The integrity key, hex, between S-CSCF and P-CSCF only; None when absent."""
        return self.params.get("ik")

    def having(self, **changes: str | None) -> Self:
        """Return a copy with these parameters set; ``_`` in a keyword stands for ``-``."""
        return type(self)(self.scheme, self.params.having(**changes), self.token68)

    def without(self, *names: str) -> Self:
        """Return a copy that lacks the parameters ``names``, for example ``ck`` and ``ik``."""
        return type(self)(self.scheme, self.params.without(*names), self.token68)


class Challenge(_Authentication):
    """One challenge of WWW-Authenticate or Proxy-Authenticate."""

    __slots__ = ()

    @classmethod
    def digest(cls, *, qop: Iterable[str] = (), stale: bool | None = None, **values: str | None) -> Self:
        """Build a Digest challenge from realm, nonce, algorithm, opaque ...; None leaves a value out."""
        flag = None if stale is None else str(stale).lower()
        return cls("Digest", _present({**values, "qop": ",".join(qop) or None, "stale": flag}))

    @property
    def qop(self) -> tuple[str, ...]:
        """The offered qualities of protection, in lower case; () when none."""
        return tuple(
            piece.strip().lower() for piece in (self.params.get("qop") or "").split(",") if piece.strip()
        )

    @property
    def stale(self) -> bool:
        """Whether only the nonce was wrong, so that the password need not be asked for again."""
        return (self.params.get("stale") or "").lower() == "true"

    @property
    def domain(self) -> str | None:
        """The URIs that the challenge covers; None when absent."""
        return self.params.get("domain")

    @property
    def _quoted_too(self) -> frozenset[str]:
        return frozenset(("qop",))


class Credentials(_Authentication):
    """The value of Authorization or Proxy-Authorization."""

    __slots__ = ()

    @classmethod
    def digest(cls, **values: str | None) -> Self:
        """Build Digest credentials from username, realm, nonce, uri ...; None leaves a value out."""
        return cls("Digest", _present(values))

    @property
    def username(self) -> str:
        """The private identity (IMPI); "" when absent."""
        return self.params.get("username") or ""

    @property
    def uri(self) -> str:
        """The digest-uri, as received; "" when absent."""
        return self.params.get("uri") or ""

    @property
    def response(self) -> str:
        """The digest response; "" when absent or empty."""
        return self.params.get("response") or ""

    @property
    def qop(self) -> str | None:
        """The quality of protection used, in lower case; None when absent."""
        value = self.params.get("qop")
        return value.lower() if value else None

    @property
    def nc(self) -> str | None:
        """The nonce count as received, 8 hex digits; None when absent."""
        return self.params.get("nc")

    @property
    def cnonce(self) -> str | None:
        """The client's nonce; None when absent."""
        return self.params.get("cnonce")

    @property
    def arguments(self) -> dict[str, Any]:
        """What the answer says of itself, as keyword arguments for ``aka.digest.response``."""
        said = {name: getattr(self, name) for name in ("username", "realm", "nonce", "uri")}
        return said | {"qop": self.qop, "nc": self.nc, "cnonce": self.cnonce}

    @property
    def auts(self) -> str | None:
        """The AUTS of a resynchronisation, base64; None when absent."""
        return self.params.get("auts")

    @property
    def integrity_protected(self) -> str | None:
        """What the P-CSCF says of the access: yes, no, tls-yes, ip-assoc-yes ...; None when absent."""
        return self.params.get("integrity-protected")


@dataclass(frozen=True, slots=True)
class AuthenticationInfo:
    """The Authentication-Info header: the server's proof, and its next nonce (RFC 7616, 3.5)."""

    params: Params

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``name=value, name=value``, or raise Malformed."""
        return cls(unique([_parameter(piece) for piece in split_list(text)]))

    @classmethod
    def of(cls, **values: str | None) -> Self:
        """Build one from nextnonce, qop, rspauth, cnonce, nc; None leaves a value out."""
        return cls(_present(values))

    def __str__(self) -> str:
        return _write(self.params, frozenset())

    @property
    def nextnonce(self) -> str | None:
        """The nonce for the next request; None when absent."""
        return self.params.get("nextnonce")

    @property
    def rspauth(self) -> str | None:
        """The digest by which the server proves that it knows the password; None when absent."""
        return self.params.get("rspauth")

    @property
    def qop(self) -> str | None:
        """The quality of protection used, in lower case; None when absent."""
        value = self.params.get("qop")
        return value.lower() if value else None

    @property
    def cnonce(self) -> str | None:
        """The client's nonce, repeated; None when absent."""
        return self.params.get("cnonce")

    @property
    def nc(self) -> str | None:
        """The nonce count, repeated; None when absent."""
        return self.params.get("nc")


def _present(values: Mapping[str, str | None]) -> Params:
    return Params({name.replace("_", "-"): value for name, value in values.items() if value is not None})


def _write(params: Params, quoted_too: frozenset[str]) -> str:
    pieces = []
    for name, value in params.items():
        text = value or ""
        if name in _QUOTED or name in quoted_too:
            pieces.append(f"{name}={quote(text)}")
        elif name in _BARE or name == "qop":
            pieces.append(f"{name}={write_value(str(text))}")
        else:
            pieces.append(f"{name}={write_value(text)}")
    return ", ".join(pieces)


def _plain(text: str) -> list[_Scheme] | None:
    # The usual case: one scheme with parameters, checked as a whole, then split. None for anything else.
    match = _ONE_SCHEME.fullmatch(text)
    if match is None:
        return None
    pairs: list[tuple[str, str | None]] = []
    for name, quoted, bare in _ELEMENT.findall(text, match.end(1)):
        pairs.append((name.lower(), unquote(quoted) if quoted else bare))
    return [(match[1], "", pairs)]


def _schemes(text: str) -> list[_Scheme]:
    # An element with "token SP token=" opens a new challenge; "token=" alone belongs to the last one.
    found: list[_Scheme] = []
    for piece in split_list(text):
        if match := _PARAMETER.fullmatch(piece):
            if not found or found[-1][1]:
                raise Malformed("a parameter without a scheme", expected="Digest name=value, ...")
            found[-1][2].append((match[1].lower(), unquote(match[2]) if match[2] else match[3]))
        elif match := _SCHEME_AND_PARAMETER.fullmatch(piece):
            pair = match[2].lower(), unquote(match[3]) if match[3] else match[4]
            found.append((match[1], "", [pair]))
        elif (match := _SCHEME_ALONE.fullmatch(piece)) and not (match[2] and match[1].lower() == "digest"):
            found.append((match[1], match[2] or "", []))
        else:
            # The text is not repeated: it may hold ik and ck.
            raise Malformed("bad challenge or credentials", expected='scheme name="value", ...')
    return found


def _parameter(piece: str) -> tuple[str, str | None]:
    match = _PARAMETER.fullmatch(piece)
    if match is None:
        raise Malformed("bad Authentication-Info", expected='name="value", ...')
    return match[1].lower(), unquote(match[2]) if match[2] else match[3]
