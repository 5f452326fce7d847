"""Header values as frozen objects: each has ``parse`` for the wire and ``str()`` back to it.

Spec: RFC 3261, section 20 and 25.1; RFC 3581 (rport); RFC 6665 (Event); RFC 7315 (P-headers).
A value holds what the grammar says; the octets as they came stay in the message's rows.
"""

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Self

from imslab.errors import Malformed
from imslab.sip.syntax import (
    HOST,
    NO_PARAMS,
    QUOTED_STRING,
    TOKEN,
    Params,
    Quoted,
    is_token,
    number,
    parameters,
    quote,
    unquote,
)
from imslab.sip.uri import Uri

_NAME_ADDR = re.compile(
    rf"(?:({QUOTED_STRING})[ \t]*|((?>(?:{TOKEN}[ \t]+)*)(?>(?:{TOKEN})?)))<([^<>\"]*)>[ \t]*", re.DOTALL
)
_ADDR_SPEC = re.compile(r"([^\s;,?<>\"]+)[ \t]*")
_VIA = re.compile(
    rf"SIP[ \t]*/[ \t]*2\.0[ \t]*/[ \t]*({TOKEN})[ \t]+({HOST})(?:[ \t]*:[ \t]*([0-9]{{1,5}}))?[ \t]*",
    re.IGNORECASE,
)
_CSEQ = re.compile(rf"([0-9]+)[ \t]+({TOKEN})")
_QVALUE = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?|\.[0-9]{1,3}")
_WITH_PARAMETERS = re.compile(rf"({TOKEN}(?:/{TOKEN})?|{QUOTED_STRING})[ \t]*", re.DOTALL)

_CACHED_LENGTH = 200  # longer texts are parsed anew each time: the cache must not hold megabytes

_DEFAULT_PORTS = {"TLS": 5061, "WS": 80, "WSS": 443}  # RFC 3261, 18.2.2; RFC 7118, 5.5

MAGIC_COOKIE = "z9hG4bK"  # RFC 3261, 8.1.1.7


@dataclass(frozen=True, slots=True)
class NameAddr:
    """A URI with a display name and parameters: From, To, Contact, Route, Path, P-Asserted-Identity ...

    ``display``  the name without quotes and escapes; "" when absent
    ``params``   the header's parameters (tag, expires, q ...), not those inside ``<>``
    """

    uri: Uri
    display: str = ""
    params: Params = NO_PARAMS

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``"display" <uri>;params`` or ``uri;params`` (RFC 3261, 20.10), or raise Malformed."""
        # The same addresses come again and again, and a value is frozen: it can be shared.
        return cls(*(_cached_address(text) if len(text) <= _CACHED_LENGTH else _address(text)))

    def __str__(self) -> str:
        if self is STAR:
            return "*"
        return f"{_write_display(self.display)}<{self.uri}>{self.params}"

    @property
    def tag(self) -> str | None:
        """The ``tag`` parameter of From and To; None when absent."""
        return self.params.get("tag")

    @property
    def expires(self) -> int | None:
        """The ``expires`` parameter of a Contact, in seconds; None when absent or no number.

        RFC 3261, 20.10 treats a malformed one as 3600; the registrar decides.
        """
        value = self.params.get("expires")
        try:
            return None if value is None else number("expires", value)
        except Malformed:
            return None

    @property
    def q(self) -> float | None:
        """The ``q`` parameter of a Contact, 0 to 1; None when absent or malformed."""
        value = self.params.get("q")
        return float(value) if value and _QVALUE.fullmatch(value) else None

    def with_params(self, **changes: str | None) -> "NameAddr":
        """Return a copy with these parameters set; ``_`` in a keyword stands for ``-``."""
        return replace(self, params=self.params.having(**changes))

    def with_tag(self, tag: str) -> "NameAddr":
        """Return a copy with this tag."""
        return self.with_params(tag=tag)


def _address(text: str) -> tuple[Uri, str, Params]:
    match = _NAME_ADDR.match(text)
    if match is not None:
        quoted, name, uri = match.groups()
        display = unquote(quoted) if quoted else name.rstrip(" \t")
        return Uri.parse(uri), str(display), parameters(text, match.end())
    match = _ADDR_SPEC.match(text)
    if match is None:
        raise Malformed("bad address", expected='"name" <uri>;parameters')
    return Uri.parse(match[1]), "", parameters(text, match.end())


_cached_address = lru_cache(maxsize=4096)(_address)

STAR = NameAddr(Uri("", opaque="*"))  # "Contact: *" -- RFC 3261, 10.2.2


def contact(text: str) -> NameAddr:
    """Read one element of Contact: ``*`` gives ``STAR``."""
    return STAR if text == "*" else NameAddr.parse(text)


def _write_display(display: str) -> str:
    if not display:
        return ""
    return f"{display} " if all(map(is_token, display.split(" "))) else f"{quote(display)} "


@dataclass(frozen=True, slots=True)
class Via:
    """One Via: the transport in upper case, the sent-by, the parameters."""

    transport: str
    host: str
    port: int | None = None
    params: Params = NO_PARAMS

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``SIP/2.0/UDP host:port;params`` (RFC 3261, 20.42), or raise Malformed."""
        match = _VIA.match(text)
        if match is None:
            raise Malformed("bad Via", expected="SIP/2.0/transport host:port;parameters")
        transport, host, port = match.groups()
        at = None if port is None else number("the port of a Via", port, 65535)
        return cls(transport.upper(), host, at, parameters(text, match.end()))

    def __str__(self) -> str:
        return f"SIP/2.0/{self.transport} {self.sent_by}{self.params}"

    @property
    def sent_by(self) -> str:
        """The host, with ``:port`` when there is one, as it stands on the wire."""
        return self.host if self.port is None else f"{self.host}:{self.port}"

    @property
    def address(self) -> str:
        """The host without the brackets of an IPv6 literal."""
        return self.host.strip("[]")

    @property
    def branch(self) -> str | None:
        """The ``branch`` parameter; None when absent."""
        return self.params.get("branch")

    @property
    def is_rfc3261(self) -> bool:
        """Whether the branch identifies the transaction: the magic cookie and something behind it."""
        branch = self.params.get("branch") or ""
        return len(branch) > 7 and branch[:7].lower() == "z9hg4bk"

    @property
    def received(self) -> str | None:
        """The ``received`` parameter without brackets (RFC 5118, 4.5 tolerates both); None when absent."""
        value = self.params.get("received")
        return None if value is None else value.strip("[]")

    @property
    def rport(self) -> int | None:
        """The ``rport`` that a server filled in; None when absent or empty (see ``wants_rport``)."""
        value = self.params.get("rport")
        try:
            return None if value is None else number("rport", value, 65535)
        except Malformed:
            return None

    @property
    def wants_rport(self) -> bool:
        """Whether the client asks for a symmetric response (RFC 3581, 3)."""
        return "rport" in self.params

    @property
    def is_reliable(self) -> bool:
        """Whether the transport retransmits by itself: everything but UDP (RFC 3261, 17; RFC 7118, 5)."""
        return self.transport not in ("UDP", "DTLS-UDP")

    @property
    def response_address(self) -> tuple[str, int]:
        """Where a response goes over UDP: ``received`` or host, ``rport`` or port (RFC 3261, 18.2.2)."""
        host = self.params.get("maddr") or self.received or self.address
        port = self.rport or self.port or _DEFAULT_PORTS.get(self.transport, 5060)
        return host, port

    def seen_from(self, host: str, port: int) -> "Via":
        """Return the Via as a server marks it: ``received`` where it differs, ``rport`` where asked for.

        RFC 3261, 18.2.1; RFC 3581, 4 (``received`` also goes with every filled ``rport``).
        """
        changes: dict[str, str | None] = {}
        if self.wants_rport:
            changes = {"rport": str(port), "received": host}
        elif host != self.address:
            changes = {"received": host}
        return replace(self, params=self.params.having(**changes)) if changes else self


@dataclass(frozen=True, slots=True)
class CSeq:
    """The sequence number, 0 to 2^32-1, and the method (RFC 3261, 20.16)."""

    number: int
    method: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``number method``, or raise Malformed."""
        match = _CSEQ.fullmatch(text)
        if match is None:
            raise Malformed("bad CSeq", expected="number method")
        return cls(number("the number of CSeq", match[1]), match[2])

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


@dataclass(frozen=True, slots=True)
class RAck:
    """What a PRACK acknowledges: the RSeq of the response, 1 to 2^32-1, and its CSeq (RFC 3262, 7.2)."""

    rseq: int
    cseq: CSeq

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``response-number CSeq-number method``, or raise Malformed."""
        first, _, rest = text.partition(" ")
        return cls(number("the response number of RAck", first), CSeq.parse(rest.strip(" \t")))

    def __str__(self) -> str:
        return f"{self.rseq} {self.cseq}"


@dataclass(frozen=True, slots=True)
class WithParameters:
    """A value with parameters: Content-Type, Event, P-Access-Network-Info, Reason, Subscription-State ..."""

    value: str
    params: Params = NO_PARAMS

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``value;params``, or raise Malformed."""
        match = _WITH_PARAMETERS.match(text)
        if match is None:
            raise Malformed("bad value", expected="value;parameters")
        value = unquote(match[1]) if match[1][0] == '"' else match[1]
        return cls(value, parameters(text, match.end()))

    def __str__(self) -> str:
        value = quote(self.value) if isinstance(self.value, Quoted) else self.value
        return f"{value}{self.params}"


class Event(WithParameters):
    """The Event header (RFC 6665, 8.2.1)."""

    __slots__ = ()

    @property
    def package(self) -> str:
        """The event package: ``reg``, ``presence`` ..."""
        return self.value

    @property
    def id(self) -> str | None:
        """The ``id`` parameter; None when absent."""
        return self.params.get("id")


class SessionExpires(WithParameters):
    """The Session-Expires and Min-SE headers (RFC 4028, 4 and 5)."""

    __slots__ = ()

    @property
    def seconds(self) -> int:
        """The interval in seconds; Malformed when it is no number."""
        return number("Session-Expires", self.value)

    @property
    def refresher(self) -> str | None:
        """Who refreshes, "uac" or "uas"; None when nobody has said yet."""
        value = self.params.get("refresher")
        return value.lower() if value else None


class MediaType(WithParameters):
    """The Content-Type header (RFC 3261, 20.15)."""

    __slots__ = ()

    @property
    def essence(self) -> str:
        """``type/subtype`` in lower case, without parameters."""
        return self.value.lower()

    @property
    def boundary(self) -> str | None:
        """What separates the parts of a multipart body; None when absent."""
        return self.params.get("boundary")


class AccessNetworkInfo(WithParameters):
    """The P-Access-Network-Info header (RFC 7315, 4.4)."""

    __slots__ = ()

    @property
    def access_type(self) -> str:
        """The access: ``3GPP-E-UTRAN-FDD``, ``IEEE-802.11`` ..."""
        return self.value

    @property
    def network_provided(self) -> bool:
        """Whether the network, not the UE, put it there (the ``np`` parameter)."""
        return "np" in self.params


@dataclass(frozen=True, slots=True)
class ChargingVector:
    """The P-Charging-Vector header: parameters alone (RFC 7315, 4.6)."""

    params: Params

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``icid-value=...;orig-ioi=...``, or raise Malformed."""
        return cls(parameters(f";{text}"))

    def __str__(self) -> str:
        return str(self.params)[1:]

    @property
    def icid_value(self) -> str | None:
        """The IMS charging identity; None when absent."""
        return self.params.get("icid-value")

    @property
    def orig_ioi(self) -> str | None:
        """The originating operator; None when absent."""
        return self.params.get("orig-ioi")

    @property
    def term_ioi(self) -> str | None:
        """The terminating operator; None when absent."""
        return self.params.get("term-ioi")


def token_or_quoted(text: str) -> str:
    """Read one element of P-Visited-Network-ID: a token or a quoted string, without its quotes."""
    return WithParameters.parse(text).value
