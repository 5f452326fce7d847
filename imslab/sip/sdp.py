"""Session descriptions: what is offered, where it goes, which keys.

Spec: RFC 8866 (SDP; formerly RFC 4566), section 5 and 9. Lines keep their order within each kind, attributes
their order altogether; a description in the order of the RFC is written as it was read, with CRLF.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from imslab.errors import Malformed
from imslab.sip.syntax import number, to_octets, to_text

_MOST_OCTETS = 262_144
_MOST_LINES = 8_192
_MOST_KEPT = 16_384  # octets of a description that is remembered
_SECRET = frozenset(("crypto", "ice-pwd", "key-mgmt"))
_DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")


@dataclass(frozen=True, slots=True, repr=False)
class Attribute:
    """One ``a=`` line: a name, and a value or None. ``repr`` hides keys (crypto, ice-pwd)."""

    name: str
    value: str | None = None

    def __str__(self) -> str:
        return self.name if self.value is None else f"{self.name}:{self.value}"

    def __repr__(self) -> str:
        return f"Attribute({self.name!r}, {'...' if self.name.lower() in _SECRET else repr(self.value)})"


@dataclass(frozen=True, slots=True)
class Origin:
    """The ``o=`` line: who made the session, and its version."""

    username: str
    session_id: str
    session_version: str
    network: str
    address_type: str
    address: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read six fields, or raise Malformed."""
        return cls(*_fields("o=", text, 6))

    def __str__(self) -> str:
        session = f"{self.username} {self.session_id} {self.session_version}"
        return f"{session} {self.network} {self.address_type} {self.address}"


@dataclass(frozen=True, slots=True)
class Connection:
    """The ``c=`` line; IPv6 addresses stand without brackets (RFC 5118, 4.6)."""

    network: str
    address_type: str
    address: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read three fields, or raise Malformed."""
        return cls(*_fields("c=", text, 3))

    def __str__(self) -> str:
        return f"{self.network} {self.address_type} {self.address}"


@dataclass(frozen=True, slots=True)
class RtpMap:
    """What a payload type means: ``a=rtpmap`` (RFC 8866, 6.6)."""

    encoding: str
    clock_rate: int
    channels: int = 1


class _Attributed:
    """What a session and a media share: attributes in their order."""

    __slots__ = ()
    attributes: tuple[Attribute, ...]

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return the value of the first attribute ``name``; "" for a flag; ``default`` when absent."""
        found = self.all(name)
        return found[0] if found else default

    def all(self, name: str) -> list[str]:
        """Return the values of every attribute ``name``, in order; "" for a flag."""
        return [attribute.value or "" for attribute in self.attributes if attribute.name == name]

    @property
    def direction(self) -> str | None:
        """sendrecv, sendonly, recvonly or inactive; None when not said (which means sendrecv)."""
        return next((a.name for a in self.attributes if a.name in _DIRECTIONS), None)


@dataclass(frozen=True, slots=True)
class Media(_Attributed):
    """One ``m=`` section.

    ``kind``     audio, video, application ...
    ``formats``  payload types for RTP, as text
    """

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    port_count: int | None = None
    title: str | None = None
    connections: tuple[Connection, ...] = ()
    bandwidths: tuple[str, ...] = ()
    key: str | None = None
    attributes: tuple[Attribute, ...] = ()

    @property
    def rtpmap(self) -> dict[str, RtpMap]:
        """The codecs by payload type; Malformed when a line cannot be read."""
        return dict(_rtpmap(text) for text in self.all("rtpmap"))

    @property
    def fmtp(self) -> dict[str, str]:
        """The format parameters by payload type."""
        return {piece[0]: piece[2] for piece in (text.partition(" ") for text in self.all("fmtp"))}

    def lines(self) -> Iterator[str]:
        """Yield the lines of this section, without CRLF."""
        count = "" if self.port_count is None else f"/{self.port_count}"
        yield f"m={self.kind} {self.port}{count} {self.protocol} {' '.join(self.formats)}"
        yield from _optional("i", self.title)
        yield from (f"c={connection}" for connection in self.connections)
        yield from (f"b={bandwidth}" for bandwidth in self.bandwidths)
        yield from _optional("k", self.key)
        yield from (f"a={attribute}" for attribute in self.attributes)


@dataclass(frozen=True, slots=True)
class SessionDescription(_Attributed):
    """A session description. ``times`` holds the ``t=`` and ``r=`` lines whole, in order."""

    origin: Origin
    name: str = "-"
    title: str | None = None
    uri: str | None = None
    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    connection: Connection | None = None
    bandwidths: tuple[str, ...] = ()
    times: tuple[str, ...] = ("t=0 0",)
    zones: str | None = None
    key: str | None = None
    attributes: tuple[Attribute, ...] = ()
    media: tuple[Media, ...] = ()

    @classmethod
    def parse(cls, body: bytes | str) -> "SessionDescription":
        """Read a description; CRLF or LF ends a line. Raise Malformed with the number of the line.

        The same octets, read again, are the same value: every node on the way of a call reads them.
        """
        return _kept(body) if len(body) <= _MOST_KEPT else _read(body)

    def __str__(self) -> str:
        return "".join(f"{line}\r\n" for line in self.lines())

    def __bytes__(self) -> bytes:
        return to_octets(str(self))

    def lines(self) -> Iterator[str]:
        """Yield every line, without CRLF, in the order of RFC 8866, section 5."""
        yield "v=0"
        yield f"o={self.origin}"
        yield f"s={self.name}"
        yield from _optional("i", self.title)
        yield from _optional("u", self.uri)
        yield from (f"e={email}" for email in self.emails)
        yield from (f"p={phone}" for phone in self.phones)
        yield from _optional("c", self.connection)
        yield from (f"b={bandwidth}" for bandwidth in self.bandwidths)
        yield from self.times
        yield from _optional("z", self.zones)
        yield from _optional("k", self.key)
        yield from (f"a={attribute}" for attribute in self.attributes)
        for media in self.media:
            yield from media.lines()

    def connection_of(self, media: Media) -> Connection | None:
        """Return where ``media`` goes: its own ``c=`` line, or the session's."""
        return media.connections[0] if media.connections else self.connection


_Line = tuple[str, str]  # the letter, the value


def _read(body: bytes | str) -> SessionDescription:
    head, *sections = _sections(_lines(body))
    if head[:1] != [("v", "0")] or len(_every(head, "v")) > 1:
        raise Malformed("not a session description", expected="v=0")
    return SessionDescription(
        origin=Origin.parse(_mandatory(head, "o")),
        name=_mandatory(head, "s"),
        title=_one(head, "i"),
        uri=_one(head, "u"),
        emails=_every(head, "e"),
        phones=_every(head, "p"),
        connection=_connection(head),
        bandwidths=_every(head, "b"),
        times=tuple(f"{letter}={value}" for letter, value in head if letter in "tr"),
        zones=_one(head, "z"),
        key=_one(head, "k"),
        attributes=_attributes(head),
        media=tuple(_media(section) for section in sections),
    )


_kept = lru_cache(maxsize=32)(_read)


def _lines(body: bytes | str) -> list[_Line]:
    text = to_text(body) if isinstance(body, bytes) else body
    if len(text) > _MOST_OCTETS or text.count("\n") > _MOST_LINES:
        raise Malformed(f"a description longer than {_MOST_OCTETS} octets or {_MOST_LINES} lines")
    rows = text.split("\n")
    if rows[-1] == "":
        rows.pop()
    found: list[_Line] = []
    for count, row in enumerate(rows, 1):
        row = row.removesuffix("\r")
        if row[1:2] != "=" or row[0] not in "vosiuepcbtrzkam" or "\r" in row or "\0" in row:
            raise Malformed(f"bad line {count} of a session description", expected="letter=value")
        found.append((row[0], row[2:]))
    return found


def _sections(lines: list[_Line]) -> list[list[_Line]]:
    sections: list[list[_Line]] = [[]]
    for line in lines:
        if line[0] == "m":
            sections.append([])
        sections[-1].append(line)
    return sections


def _media(lines: list[_Line]) -> Media:
    kind, ports, protocol, *formats = _fields("m=", lines[0][1], 4, more=True)
    port, slash, count = ports.partition("/")
    if bad := next((letter for letter, _ in lines[1:] if letter not in "icbka"), None):
        raise Malformed(f"{bad}= within a media section")
    return Media(
        kind,
        number("the port of m=", port, 65535),
        protocol,
        tuple(formats),
        number("the port count of m=", count, 65535) if slash else None,
        _one(lines, "i"),
        tuple(Connection.parse(value) for value in _every(lines, "c")),
        _every(lines, "b"),
        _one(lines, "k"),
        _attributes(lines),
    )


def _attributes(lines: list[_Line]) -> tuple[Attribute, ...]:
    pieces = (value.partition(":") for letter, value in lines if letter == "a")
    return tuple(Attribute(name, value if colon else None) for name, colon, value in pieces)


def _rtpmap(text: str) -> tuple[str, RtpMap]:
    payload_type, _, rest = text.partition(" ")
    encoding, *numbers = rest.strip().split("/")
    if not 1 <= len(numbers) <= 2:
        raise Malformed("bad a=rtpmap", expected="type encoding/rate or type encoding/rate/channels")
    return payload_type, RtpMap(encoding, *(number("a=rtpmap", text) for text in numbers))


def _fields(name: str, text: str, count: int, *, more: bool = False) -> list[str]:
    fields = text.split(" ")
    if "" in fields or len(fields) < count or (len(fields) > count and not more):
        raise Malformed(f"bad {name} line", expected=f"{count} fields")
    return fields


def _one(lines: list[_Line], letter: str) -> str | None:
    found = _every(lines, letter)
    if len(found) > 1:
        raise Malformed(f"{letter}= stands {len(found)} times")
    return found[0] if found else None


def _mandatory(lines: list[_Line], letter: str) -> str:
    value = _one(lines, letter)
    if value is None:
        raise Malformed(f"a session description without {letter}=")
    return value


def _every(lines: list[_Line], letter: str) -> tuple[str, ...]:
    return tuple(value for kind, value in lines if kind == letter)


def _connection(lines: list[_Line]) -> Connection | None:
    text = _one(lines, "c")
    return None if text is None else Connection.parse(text)


def _optional(letter: str, value: object) -> Iterator[str]:
    if value is not None:
        yield f"{letter}={value}"
