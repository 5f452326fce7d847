"""A SIP message: its octets, its rows, and typed views of its headers.

Spec: RFC 3261, sections 7, 18.3 and 20. Parsing finds the end of the head, splits the rows and
refuses what no element could use; everything else is read when it is asked for, once. A parsed
message writes the octets it was read from; an edit touches only the rows that it names.
"""

import re
from collections.abc import Callable, Iterable, Set
from typing import Any, NamedTuple, Self

from imslab.errors import Malformed
from imslab.sip import checks
from imslab.sip.authentication import AuthenticationInfo, Challenge, Credentials
from imslab.sip.headers import (
    AccessNetworkInfo,
    ChargingVector,
    CSeq,
    Event,
    MediaType,
    NameAddr,
    RAck,
    SessionExpires,
    Via,
    WithParameters,
    contact,
    token_or_quoted,
)
from imslab.sip.limits import DEFAULT_LIMITS, BadMessage, Limits
from imslab.sip.names import KEYS, REASONS, key
from imslab.sip.sec_agree import SecurityMechanism
from imslab.sip.syntax import first_comma, is_token, number, split_list, to_octets, to_text
from imslab.sip.uri import Uri
from imslab.sip.views import View, every, listed, maybe, one, tokens

_FOLD = re.compile(r"(?<![ \t])[ \t]*+\r\n[ \t]++")  # from where the spaces begin: else their square
_COPIED = frozenset(("via", "from", "to", "call-id", "cseq"))  # RFC 3261, 8.2.6.2

AnyTuple = tuple[Any, ...]
Row = tuple[str, str, str]  # the key, the value without folding, the line as on the wire


class Header(NamedTuple):
    """One row: the name as spelled, the value without folding, the octets without the last CRLF."""

    name: str
    value: str
    raw: bytes


class Message:
    """One request or response; immutable: each edit returns a new message.

    Header names are matched without case and with their compact forms. A view of a header that is
    there but broken raises Malformed; ``problems()`` lists all that a server answers with 400.
    """

    __slots__ = ("_body", "_cache", "_index", "_octets", "_rows", "_start")

    def __init__(self, start: str, rows: list[Row], body: bytes, cache: dict[str, Any] | None = None) -> None:
        self._start, self._rows, self._body = start, rows, body
        self._cache: dict[str, Any] = {} if cache is None else cache
        self._index: dict[str, list[str]] | None = None
        self._octets: bytes | None = None

    # -- reading ---------------------------------------------------------------------------------

    @classmethod
    def parse(cls, octets: bytes | bytearray | memoryview, limits: Limits = DEFAULT_LIMITS) -> Self:
        """Read one datagram; octets behind Content-Length are ignored (RFC 3261, 18.3).

        Raise BadMessage, a Malformed, for what must be refused (RFC 4475); it names status and cause.
        """
        octets = bytes(octets)
        end = head_end(octets, limits)
        message = cls.from_head(octets[:end], limits)
        return message.with_octets(octets, end)

    @classmethod
    def from_head(cls, head: bytes, limits: Limits = DEFAULT_LIMITS) -> Self:
        """Read a start line and its rows, without the empty line; the body is empty still."""
        start, lines = checks.split_lines(to_text(head), limits)
        rows, index = _rows(lines)
        message = cls(start, rows, b"")
        message._index = index
        checks.refuse_unusable(message, index, limits)
        return message

    def with_octets(self, octets: bytes, end: int) -> Self:
        """Take the body from ``octets``, where the head ends at ``end``; raise BadMessage when it is cut."""
        start = end + 4
        length = self.content_length
        stop = len(octets) if length is None else start + length
        if stop > len(octets):
            text = f"Content-Length is {length}, but {len(octets) - start} octets follow the head"
            raise BadMessage(text, message=self, offset=len(octets))
        self._body, self._octets = octets[start:stop], octets[:stop]
        return self

    # -- building --------------------------------------------------------------------------------

    @classmethod
    def request(
        cls, method: str, uri: Uri | str, headers: Iterable[tuple[str, object]] = (), body: bytes = b""
    ) -> Self:
        """Build a request; Content-Length is added unless it is given."""
        start = f"{method} {uri} SIP/2.0"
        if not checks.REQUEST_LINE.fullmatch(start) or not is_token(method):
            raise Malformed("bad method or Request-URI", expected="a token, and a URI without spaces")
        return cls._built(start, [_row(name, value) for name, value in headers], body)

    @classmethod
    def reply(
        cls,
        request: "Message",
        status: int,
        reason: str | None = None,
        headers: Iterable[tuple[str, object]] = (),
        body: bytes = b"",
        to_tag: str | None = None,
    ) -> Self:
        """Build a response: Via, From, To, Call-ID and CSeq are the request's (RFC 3261, 8.2.6.2).

        ``to_tag`` goes to the To header when the request's had none.
        """
        phrase = REASONS.get(status, "") if reason is None else reason
        if not 100 <= status <= 699 or _is_unsafe(phrase):
            raise Malformed("bad status or reason phrase", expected="100 to 699, and text in one line")
        copied = [row for row in request._rows if row[0] in _COPIED]
        if to_tag is not None:
            copied = [_tagged(row, to_tag) if row[0] == "to" else row for row in copied]
        start = f"SIP/2.0 {status} {phrase}"
        to_octets(phrase)
        reply = cls._built(start, copied + [_row(name, value) for name, value in headers], body)
        # What was read of the rows that are copied need not be read again.
        known = request._cache
        reply._cache = {name: known[name] for name in _COPIED if name in known and name != "to"}
        return reply

    @classmethod
    def _built(cls, start: str, rows: list[Row], body: bytes) -> Self:
        if not any(row[0] == "content-length" for row in rows):
            rows.append(_content_length(body))
        return cls(start, rows, bytes(body))

    # -- the start line --------------------------------------------------------------------------

    @property
    def start_line(self) -> str:
        """The first line, without CRLF."""
        return self._start

    @property
    def is_request(self) -> bool:
        """Whether this is a request."""
        return self._start[:4].upper() != "SIP/"

    @property
    def method(self) -> str:
        """The method, case-sensitive and never unescaped; of a response, the method in CSeq."""
        return self._start.partition(" ")[0] if self.is_request else self.cseq.method

    @property
    def uri_text(self) -> str:
        """The Request-URI as on the wire; "" in a response."""
        return self._start.split(" ")[1] if self.is_request else ""

    @property
    def uri(self) -> Uri:
        """The Request-URI; unknown schemes are opaque. Malformed for a response."""
        if not self.is_request:
            raise Malformed("a response has no Request-URI")
        return Uri.parse(self.uri_text)

    @property
    def status(self) -> int:
        """The status code, 100 to 699; 0 in a request."""
        return 0 if self.is_request else int(self._start[8:11])

    @property
    def reason(self) -> str:
        """The reason phrase, perhaps empty; "" in a request."""
        return "" if self.is_request else self._start[12:]

    # -- rows ------------------------------------------------------------------------------------

    @property
    def headers(self) -> tuple[Header, ...]:
        """All rows in their order."""
        return tuple(Header(_name(line), value, to_octets(line)) for _, value, line in self._rows)

    @property
    def body(self) -> bytes:
        """The body, perhaps empty."""
        return self._body

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return the first value of ``name`` as text, or ``default``."""
        found = self._values().get(key(name))
        return found[0] if found else default

    def all(self, name: str) -> list[str]:
        """Return the values of ``name``, one for each row."""
        return list(self._values().get(key(name), ()))

    def values(self, name: str) -> list[str]:
        """Return the elements of the comma-separated lists of ``name``; commas in quotes do not count."""
        return [piece for text in self.all(name) for piece in split_list(text) if piece]

    @property
    def keys(self) -> Set[str]:
        """The names of the headers that are there, long and in lower case."""
        return self._values().keys()

    def __contains__(self, name: str) -> bool:
        return key(name) in self._values()

    def __bytes__(self) -> bytes:
        if self._octets is None:
            head = "\r\n".join([self._start, *(line for _, _, line in self._rows)])
            self._octets = to_octets(head) + b"\r\n\r\n" + self._body
        return self._octets

    def __eq__(self, other: object) -> bool:
        return bytes(self) == bytes(other) if isinstance(other, Message) else NotImplemented

    def __hash__(self) -> int:
        return hash(bytes(self))

    def __repr__(self) -> str:
        return f"<{self._start}: {len(self._rows)} headers, {len(self._body)} octets>"

    def _values(self) -> dict[str, list[str]]:
        if self._index is None:
            index: dict[str, list[str]] = {}
            for name, value, _ in self._rows:
                if name in index:
                    index[name].append(value)
                else:
                    index[name] = [value]
            self._index = index
        return self._index

    # -- typed views -----------------------------------------------------------------------------

    vias: View[tuple[Via, ...]] = every("Via", Via.parse)
    from_: View[NameAddr] = one("From", NameAddr.parse)
    to: View[NameAddr] = one("To", NameAddr.parse)
    call_id: View[str] = one("Call-ID", str)
    cseq: View[CSeq] = one("CSeq", CSeq.parse)
    contacts: View[tuple[NameAddr, ...]] = every("Contact", contact)
    routes: View[tuple[NameAddr, ...]] = every("Route", NameAddr.parse)
    record_routes: View[tuple[NameAddr, ...]] = every("Record-Route", NameAddr.parse)
    paths: View[tuple[NameAddr, ...]] = every("Path", NameAddr.parse)
    service_routes: View[tuple[NameAddr, ...]] = every("Service-Route", NameAddr.parse)
    associated_uris: View[tuple[NameAddr, ...]] = every("P-Associated-URI", NameAddr.parse)
    max_forwards: View[int | None] = maybe("Max-Forwards", lambda text: number("Max-Forwards", text, 255))
    expires: View[int | None] = maybe("Expires", lambda text: number("Expires", text))
    min_expires: View[int | None] = maybe("Min-Expires", lambda text: number("Min-Expires", text))
    content_length: View[int | None] = maybe("Content-Length", lambda text: number("Content-Length", text))
    content_type: View[MediaType | None] = maybe("Content-Type", MediaType.parse)
    require: View[tuple[str, ...]] = tokens("Require")
    proxy_require: View[tuple[str, ...]] = tokens("Proxy-Require")
    supported: View[tuple[str, ...]] = tokens("Supported")
    unsupported: View[tuple[str, ...]] = tokens("Unsupported")
    allow: View[tuple[str, ...]] = tokens("Allow")
    event: View[Event | None] = maybe("Event", Event.parse)
    subscription_state: View[WithParameters | None] = maybe("Subscription-State", WithParameters.parse)
    rseq: View[int | None] = maybe("RSeq", lambda text: number("RSeq", text))
    rack: View[RAck | None] = maybe("RAck", RAck.parse)
    session_expires: View[SessionExpires | None] = maybe("Session-Expires", SessionExpires.parse)
    min_se: View[SessionExpires | None] = maybe("Min-SE", SessionExpires.parse)
    reasons: View[tuple[WithParameters, ...]] = every("Reason", WithParameters.parse)
    p_early_media: View[tuple[str, ...]] = tokens("P-Early-Media")
    www_authenticate: View[tuple[Challenge, ...]] = listed("WWW-Authenticate", Challenge.parse_all)
    proxy_authenticate: View[tuple[Challenge, ...]] = listed("Proxy-Authenticate", Challenge.parse_all)
    authorization: View[tuple[Credentials, ...]] = listed("Authorization", Credentials.parse_all)
    proxy_authorization: View[tuple[Credentials, ...]] = listed("Proxy-Authorization", Credentials.parse_all)
    authentication_info: View[AuthenticationInfo | None] = maybe(
        "Authentication-Info", AuthenticationInfo.parse
    )
    security_client: View[tuple[SecurityMechanism, ...]] = every("Security-Client", SecurityMechanism.parse)
    security_server: View[tuple[SecurityMechanism, ...]] = every("Security-Server", SecurityMechanism.parse)
    security_verify: View[tuple[SecurityMechanism, ...]] = every("Security-Verify", SecurityMechanism.parse)
    p_asserted_identity: View[tuple[NameAddr, ...]] = every("P-Asserted-Identity", NameAddr.parse)
    p_preferred_identity: View[tuple[NameAddr, ...]] = every("P-Preferred-Identity", NameAddr.parse)
    p_called_party_id: View[NameAddr | None] = maybe("P-Called-Party-ID", NameAddr.parse)
    p_visited_network_id: View[tuple[str, ...]] = every("P-Visited-Network-ID", token_or_quoted)
    p_charging_vector: View[ChargingVector | None] = maybe("P-Charging-Vector", ChargingVector.parse)
    p_access_network_info: View[tuple[AccessNetworkInfo, ...]] = every(
        "P-Access-Network-Info", AccessNetworkInfo.parse
    )

    @property
    def via(self) -> Via:
        """The topmost Via; Malformed when there is none."""
        if not self.vias:
            raise Malformed("the message has no Via")
        return self.vias[0]

    def problems(self) -> tuple[str, ...]:
        """List what a server answers with 400: missing or repeated headers, values that cannot be read."""
        return tuple(checks.problems(self))

    def gaps(self) -> tuple[str, ...]:
        """List mandatory headers that are missing and single ones that are repeated: what a proxy checks."""
        return tuple(checks.gaps(self))

    # -- edits -----------------------------------------------------------------------------------

    def with_header(self, name: str, value: object) -> Self:
        """Return a copy with one row of ``name``: in the place of the first one, or at the end."""
        row = _row(name, value)
        rows, placed = [], False
        for old in self._rows:
            if old[0] != row[0]:
                rows.append(old)
            elif not placed:
                rows.append(row)
                placed = True
        edited = self._edited(rows if placed else [*rows, row], row[0])
        return edited._keep(row[0], self, lambda _: (value,), value)

    def with_rows(self, name: str, values: Iterable[object]) -> Self:
        """Return a copy whose rows of ``name`` are these: in the place of the first one, or at the end."""
        known = key(name)
        at = self._first(known)
        at = len(self._rows) if at is None else at
        rest = [row for row in self._rows[at:] if row[0] != known]
        return self._edited([*self._rows[:at], *(_row(name, value) for value in values), *rest], known)

    def prepend(self, name: str, value: object) -> Self:
        """Return a copy with a new first row of ``name``, before its other rows or before all rows."""
        row = _row(name, value)
        at = self._first(row[0]) or 0
        edited = self._edited([*self._rows[:at], row, *self._rows[at:]], row[0])
        return edited._keep(row[0], self, lambda view: (value, *view), value)

    def append(self, name: str, value: object) -> Self:
        """Return a copy with a new row of ``name``: behind its other rows, or at the end."""
        row = _row(name, value)
        same = [i for i, old in enumerate(self._rows) if old[0] == row[0]]
        at = same[-1] + 1 if same else len(self._rows)
        return self._edited([*self._rows[:at], row, *self._rows[at:]], row[0])

    def extended(self, rows: Iterable[tuple[str, object]]) -> Self:
        """Return a copy with these rows at the end: one edit in place of many, for a proxy."""
        added = [_row(name, value) for name, value in rows]
        return self._edited([*self._rows, *added], *(row[0] for row in added))

    def without(self, *unwanted: str) -> Self:
        """Return a copy without any row of these names."""
        gone = {key(name) for name in unwanted}
        return self._edited([row for row in self._rows if row[0] not in gone], *gone)

    def drop_first(self, name: str) -> Self:
        """Return a copy without the first value of ``name``: the first row, or the first of its list."""
        known = key(name)
        at = self._first(known)
        if at is None:
            return self
        _, value, line = self._rows[at]
        rest = value[first_comma(value) + 1 :].strip(" \t")
        kept = [(known, rest, f"{_name(line)}: {rest}")] if rest else []
        edited = self._edited([*self._rows[:at], *kept, *self._rows[at + 1 :]], known)
        return edited._keep(known, self, lambda view: view[1:])

    def replace_first(self, name: str, value: object) -> Self:
        """Return a copy with ``value`` in the place of the first value of ``name``, which must be there."""
        row = _row(name, value)
        at = self._first(row[0])
        if at is None:
            raise Malformed(f"there is no {name} to replace")
        old = self._rows[at][1]
        rest = old[first_comma(old) + 1 :].strip(" \t")
        kept = [_row(name, rest)] if rest else []
        edited = self._edited([*self._rows[:at], row, *kept, *self._rows[at + 1 :]], row[0])
        return edited._keep(row[0], self, lambda view: (value, *view[1:]), value)

    def with_uri(self, uri: Uri | str) -> Self:
        """Return a copy of a request with another Request-URI."""
        start = f"{self.method} {uri} SIP/2.0"
        if not self.is_request or checks.REQUEST_LINE.fullmatch(start) is None:
            raise Malformed("bad Request-URI, or not a request", expected="a URI without spaces")
        return type(self)(start, self._rows, self._body, dict(self._cache))

    def with_status(self, status: int, reason: str | None = None) -> Self:
        """Return a copy of a response with another status."""
        phrase = REASONS.get(status, "") if reason is None else reason
        if self.is_request or not 100 <= status <= 699 or _is_unsafe(phrase):
            raise Malformed("bad status or reason phrase, or not a response", expected="100 to 699")
        return type(self)(f"SIP/2.0 {status} {phrase}", self._rows, self._body, dict(self._cache))

    def with_body(self, body: bytes, content_type: str | None = None) -> Self:
        """Return a copy with another body, its Content-Length, and its Content-Type when given."""
        changed = self.with_header("Content-Length", len(body))
        changed._body = bytes(body)
        return changed if content_type is None else changed.with_header("Content-Type", content_type)

    def seen_from(self, host: str, port: int) -> Self:
        """Return a request whose top Via says where it came from (RFC 3261, 18.2.1; RFC 3581, 4)."""
        marked = self.via.seen_from(host, port)
        return self if marked is self.via else self.replace_first("Via", marked)

    def _first(self, known: str) -> int | None:
        return next((at for at, row in enumerate(self._rows) if row[0] == known), None)

    def _keep(
        self, known: str, before: Self, change: Callable[[AnyTuple], AnyTuple], value: object = None
    ) -> Self:
        """Carry a list's view over an edit that put the typed ``value`` in: it need not be read again."""
        view = before._cache.get(known)
        if view and isinstance(view, tuple) and not isinstance(value, str | int):
            self._cache[known] = change(view)
        return self

    def _edited(self, rows: list[Row], *touched: str) -> Self:
        cache = {name: view for name, view in self._cache.items() if name not in touched}
        return type(self)(self._start, rows, self._body, cache)


def head_end(octets: bytes, limits: Limits = DEFAULT_LIMITS) -> int:
    """Return where the head ends: the offset of CRLF CRLF; raise BadMessage when it is missing or too far."""
    end = octets.find(b"\r\n\r\n", 0, limits.head + 4)
    if end >= 0:
        return end
    if len(octets) > limits.head:
        raise BadMessage(f"the head is longer than {limits.head} octets", status=513, offset=limits.head)
    raise BadMessage("no empty line ends the headers", offset=len(octets))


def _rows(lines: list[str], *, folded: bool = False) -> tuple[list[Row], dict[str, list[str]]]:
    rows: list[Row] = []
    index: dict[str, list[str]] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if (known := KEYS.get(name)) is None:
            if line[:1] in (" ", "\t"):
                return _rows(checks.joined(lines), folded=True)
            known = _unusual(name)
        if not colon:
            raise BadMessage(f"header row {len(rows) + 1} has no colon")
        value = (_FOLD.sub(" ", value) if folded else value).strip(" \t")
        rows.append((known, value, line))
        if known in index:
            index[known].append(value)
        else:
            index[known] = [value]
    return rows, index


def _unusual(name: str) -> str:
    try:
        return key(_FOLD.sub(" ", name))
    except Malformed as error:
        raise BadMessage(str(error)) from None


def _is_unsafe(text: str) -> bool:
    return "\n" in text or "\r" in text or "\0" in text


def _name(line: str) -> str:
    return _FOLD.sub(" ", line.partition(":")[0]).rstrip(" \t")


def _row(name: str, value: object) -> Row:
    text = value if isinstance(value, str) else str(value)
    if _is_unsafe(text):
        raise Malformed("a header value holds CR, LF or NUL", expected="one line")
    if not text.isascii():
        to_octets(text)
    text = text.strip(" \t")
    return key(name), text, f"{name}: {text}"


def _content_length(body: bytes) -> Row:
    return "content-length", str(len(body)), f"Content-Length: {len(body)}"


def _tagged(row: Row, tag: str) -> Row:
    known, value, line = row
    try:
        has_tag = NameAddr.parse(value).tag is not None
    except Malformed:
        return row  # answered with 400: copied as it came
    if has_tag:
        return row
    if not is_token(tag):
        raise Malformed("bad tag", expected="a token")
    return known, f"{value};tag={tag}", f"{line.rstrip()};tag={tag}"
