"""SIP, SIPS and tel URIs: parse, write, compare, and the form a registrar files them under.

Spec: RFC 3261, sections 19.1 and 10.3; RFC 3966 (tel). IPv6 literals keep their brackets in ``host``.
The three colons of RFC 5118, section 4.10, are tolerated. Other schemes are kept as opaque text.
"""

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from imslab.errors import Malformed
from imslab.sip.syntax import HOST, NO_PARAMS, Params, number, to_octets, to_text

_UNRESERVED = r"A-Za-z0-9\-_.!~*'()"
# "#" must be escaped by RFC 3261, 25.1, but dial strings (*21#) carry it bare in practice.
_USER = rf"(?>(?:[{_UNRESERVED}&=+$,;?/#]|%[0-9A-Fa-f]{{2}})+)"
_PASSWORD = rf"(?>(?:[{_UNRESERVED}&=+$,]|%[0-9A-Fa-f]{{2}})*)"
_PARAM = rf"[{_UNRESERVED}\[\]/:&+$%]+"
_SIP = re.compile(
    rf"(sips?):(?:({_USER})(?::({_PASSWORD}))?@)?({HOST})(?::([0-9]{{1,5}}))?"
    rf"((?:;{_PARAM}(?:=[{_UNRESERVED}\[\]/:&+$%]*)?)*)"
    r"(?:\?([!#-;=?-~]+))?",
    re.IGNORECASE,
)
_TEL = re.compile(r"tel:(\+?[0-9A-Fa-f*#\-.()]+)((?:;[!#-:=?-~]+)*)", re.IGNORECASE)
_ANY = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):([!#-;=?-~]+)")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_ESCAPED_OCTET = re.compile(rb"%([0-9A-Fa-f]{2})")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PLAIN_IN_USER = re.compile(rf"[{_UNRESERVED}&=+$,;?/]")
_VISUAL = re.compile(r"[-.()]")
_CACHED_LENGTH = 200  # longer texts are parsed anew each time: the cache must not hold megabytes

# These must be in both URIs or in neither: RFC 3261, 19.1.4.
_NEVER_IGNORED = ("user", "ttl", "method", "maddr", "transport")


@dataclass(frozen=True, slots=True)
class Uri:
    """One URI; for ``tel`` the number is ``user``, for unknown schemes ``opaque`` is all there is.

    ``user``, ``password``  as on the wire, escapes included; None when absent
    ``host``                as on the wire, IPv6 in brackets; "" unless the scheme is sip or sips
    ``params``              names in lower case, escapes undone
    ``headers``             what follows ``?``, as on the wire
    """

    scheme: str
    user: str | None = None
    password: str | None = None
    host: str = ""
    port: int | None = None
    params: Params = NO_PARAMS
    headers: str = ""
    opaque: str = ""

    @classmethod
    def parse(cls, text: str) -> "Uri":
        """Read a URI, or raise Malformed."""
        return _parse_cached(text) if len(text) <= _CACHED_LENGTH else _parse(text)

    def __str__(self) -> str:
        if self.opaque:
            return f"{self.scheme}:{self.opaque}" if self.scheme else self.opaque
        user = "" if self.user is None else self.user
        if self.scheme == "tel":
            return f"tel:{user}{_write_params(self.params)}"
        password = "" if self.password is None else f":{self.password}"
        at = "" if self.user is None else "@"
        return f"{self.scheme}:{user}{password}{at}{self.hostport}{_write_params(self.params)}" + (
            f"?{self.headers}" if self.headers else ""
        )

    @property
    def is_sip(self) -> bool:
        """Whether the scheme is sip or sips."""
        return self.scheme in ("sip", "sips")

    @property
    def hostport(self) -> str:
        """The host, with ``:port`` when there is one."""
        return self.host if self.port is None else f"{self.host}:{self.port}"

    @property
    def address(self) -> str:
        """The host without the brackets of an IPv6 literal, as a socket wants it."""
        return self.host.strip("[]")

    @property
    def user_text(self) -> str:
        """The user part with its escapes undone; "" when absent."""
        return unescape(self.user or "")

    @property
    def transport(self) -> str | None:
        """The ``transport`` parameter in lower case: udp, tcp, ws ...; None when absent."""
        value = self.params.get("transport")
        return value.lower() if value else None

    @property
    def port_or_default(self) -> int:
        """The port, or the scheme's and transport's own (RFC 3261, 19.1.2; RFC 7118, 5.5)."""
        if self.port is not None:
            return self.port
        if self.transport in ("ws", "wss"):
            return 443 if self.scheme == "sips" else 80
        return 5061 if self.scheme == "sips" or self.transport == "tls" else 5060

    @property
    def is_loose_router(self) -> bool:
        """Whether the ``lr`` parameter is there (RFC 3261, 19.1.1)."""
        return "lr" in self.params

    @property
    def canonical(self) -> str:
        """The address of record: no parameters, no password, escapes undone, host in lower case.

        RFC 3261, 10.3, step 5. A tel number loses its visual separators and keeps its phone-context.
        """
        if self.opaque:
            return f"{self.scheme}:{self.opaque}"
        if self.scheme == "tel":
            context = self.params.get("phone-context")
            tail = f";phone-context={context.lower()}" if context else ""
            return f"tel:{_VISUAL.sub('', self.user or '').lower()}{tail}"
        user = "" if self.user is None else f"{_plain(self.user)}@"
        return f"{self.scheme}:{user}{self.hostport.lower()}"

    def matches(self, other: "Uri") -> bool:
        """Return whether both name the same resource by RFC 3261, 19.1.4 (RFC 3966, 4 for tel)."""
        if not self.is_sip or not other.is_sip:
            return self._matches_other_scheme(other)
        return (
            self._identity() == other._identity()
            and _params_agree(self.params, other.params)
            and _header_set(self.headers) == _header_set(other.headers)
        )

    def without_params(self, *names: str) -> "Uri":
        """Return a copy that lacks the parameters ``names``, or all of them when no name is given."""
        return replace(self, params=self.params.without(*names) if names else NO_PARAMS)

    def with_params(self, **changes: str | None) -> "Uri":
        """Return a copy with these parameters set; ``_`` in a keyword stands for ``-``."""
        return replace(self, params=self.params.having(**changes))

    def _identity(self) -> tuple[object, ...]:
        user = None if self.user is None else unescape(self.user)
        password = None if self.password is None else unescape(self.password)
        return self.scheme, user, password, self.host.lower(), self.port

    def _matches_other_scheme(self, other: "Uri") -> bool:
        if self.scheme != "tel":
            return self == other
        return self.canonical == other.canonical and _lowered(self.params) == _lowered(other.params)


def unescape(text: str) -> str:
    """Return ``text`` with its ``%hh`` escapes undone, once; a ``%`` that starts no escape stays."""
    if "%" not in text:
        return text
    octets = _ESCAPED_OCTET.sub(lambda match: bytes.fromhex(match[1].decode()), to_octets(text))
    return to_text(octets)


def _parse(text: str) -> Uri:
    match = _SIP.fullmatch(text)
    if match:
        scheme, user, password, host, port, params, headers = match.groups()
        return Uri(
            scheme.lower(),
            user,
            password,
            host,
            None if port is None else number("the port of a URI", port, 65535),
            _uri_params(params) if params else NO_PARAMS,
            headers or "",
        )
    return _parse_other(text)


def _parse_other(text: str) -> Uri:
    scheme = text[: text.find(":") + 1].lower()
    if scheme in ("sip:", "sips:"):
        raise Malformed(f"bad {scheme} URI", expected="sip:user@host:port;params?headers")
    if match := _TEL.fullmatch(text):
        return Uri("tel", match[1], params=_uri_params(match[2]))
    match = _ANY.fullmatch(text)
    if match is None or scheme == "tel:":
        raise Malformed("bad URI", expected="scheme:...")
    return Uri(match[1].lower(), opaque=match[2])


_parse_cached = lru_cache(maxsize=4096)(_parse)


def _uri_params(text: str) -> Params:
    pairs: list[tuple[str, str | None]] = []
    for piece in text.split(";")[1:]:
        name, equals, value = piece.partition("=")
        if _BAD_ESCAPE.search(piece) or not name:
            raise Malformed("bad parameter in a URI", expected=";name or ;name=value")
        pairs.append((unescape(name), unescape(value) if equals else None))
    found = Params(pairs)
    if len(found) != len(pairs):
        raise Malformed("a parameter of a URI stands twice")
    return found


_PLAIN_IN_PARAM = re.compile(rf"[{_UNRESERVED}\[\]/:&+$]*")


def _escape_param(text: str) -> str:
    if _PLAIN_IN_PARAM.fullmatch(text):
        return text
    plain = _PLAIN_IN_PARAM.fullmatch
    return "".join(chr(octet) if plain(chr(octet)) else f"%{octet:02X}" for octet in to_octets(text))


def _write_params(params: Params) -> str:
    if not params:
        return ""
    return "".join(
        f";{_escape_param(name)}" + ("" if value is None else f"={_escape_param(value)}")
        for name, value in params.items()
    )


def _plain(user: str) -> str:
    # Undo the escapes of characters that need none; the others stay, in upper case.
    def one(match: re.Match[str]) -> str:
        character = chr(int(match[1], 16))
        return character if _PLAIN_IN_USER.fullmatch(character) else match[0].upper()

    return _ESCAPE.sub(one, user) if "%" in user else user


def _lowered(params: Params) -> dict[str, str | None]:
    return {name: None if value is None else value.lower() for name, value in params.items()}


def _params_agree(a: Params, b: Params) -> bool:
    left, right = _lowered(a), _lowered(b)
    if any((name in left) != (name in right) for name in _NEVER_IGNORED):
        return False
    return all(left[name] == right[name] for name in left.keys() & right.keys())


def _header_set(headers: str) -> list[tuple[str, str]]:
    pairs = (piece.partition("=") for piece in headers.split("&") if piece)
    return sorted((unescape(name).lower(), unescape(value)) for name, _, value in pairs)
