"""HTTP messages as values, for the nodes of GBA: no socket, no library.

Spec: RFC 9110 and RFC 9112, sections 2 to 6. Header names are compared without regard to case;
octets of a header that are not ASCII are read as Latin-1.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Self

from imslab.errors import Malformed

_REASONS = {status.value: status.phrase for status in HTTPStatus}
Headers = tuple[tuple[str, str], ...]

MOST_HEADERS, LONGEST_HEAD = 100, 16_384  # octets


@dataclass(frozen=True, slots=True)
class _Message(ABC):
    headers: Headers = field(default=(), kw_only=True)
    body: bytes = field(default=b"", kw_only=True)

    def __post_init__(self) -> None:
        # What one value must not do: begin another header, or another message.
        texts = [text for pair in self.headers for text in pair] + [self.start_line]
        if any(mark in text for text in texts for mark in "\r\n\0"):
            raise Malformed("CR, LF or NUL in an HTTP header")

    @property
    @abstractmethod
    def start_line(self) -> str:
        """The first line, without CRLF."""

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return the value of the first header ``name``, or ``default``."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), default)

    def __bytes__(self) -> bytes:
        rows = [self.start_line, *(f"{name}: {value}" for name, value in self.headers)]
        return "\r\n".join([*rows, "", ""]).encode("latin-1", "replace") + self.body


@dataclass(frozen=True, slots=True)
class Request(_Message):
    """A request: ``target`` is the path and query, as in the request line."""

    method: str
    target: str

    @property
    def start_line(self) -> str:
        """The request line."""
        return f"{self.method} {self.target} HTTP/1.1"

    def having(self, name: str, value: str) -> Self:
        """Return the request with this header in place of any of the same name."""
        kept = tuple(pair for pair in self.headers if pair[0].lower() != name.lower())
        return type(self)(self.method, self.target, headers=(*kept, (name, value)), body=self.body)

    @classmethod
    def parse(cls, octets: bytes) -> Self:
        """Read a whole request, or raise Malformed."""
        line, headers, body = _divide(octets)
        words = line.split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1.") or not words[0].isalpha() or not words[1]:
            raise Malformed("bad request line", expected="METHOD target HTTP/1.1")
        return cls(words[0], words[1], headers=headers, body=body)


@dataclass(frozen=True, slots=True)
class Response(_Message):
    """A response: its status code; the reason follows from it."""

    status: int

    @property
    def reason(self) -> str:
        """The usual phrase of the status, "" when it has none."""
        return _REASONS.get(self.status, "")

    @property
    def start_line(self) -> str:
        """The status line."""
        return f"HTTP/1.1 {self.status} {self.reason}"

    @classmethod
    def parse(cls, octets: bytes) -> Self:
        """Read a whole response, or raise Malformed."""
        line, headers, body = _divide(octets)
        version, _, rest = line.partition(" ")
        code = rest[:3]
        if not version.startswith("HTTP/1.") or len(code) != 3 or not (code.isascii() and code.isdecimal()):
            raise Malformed("bad status line", expected="HTTP/1.1 and three digits")
        return cls(int(code), headers=headers, body=body)


def text_response(status: int, text: str, headers: Headers = ()) -> Response:
    """Return a response that tells a person, in one line, what happened."""
    body = text.encode()
    plain = ("Content-Type", "text/plain; charset=utf-8")
    return Response(status, headers=(*headers, plain, ("Content-Length", str(len(body)))), body=body)


def content_length(message: Request | Response) -> int:
    """Return how many octets of body the head announces; Malformed when it does not say it clearly."""
    given = {value.strip() for name, value in message.headers if name.lower() == "content-length"}
    if not given:
        return 0
    (text, *others) = given
    if others or not (text.isascii() and text.isdecimal()) or len(text) > 9:
        raise Malformed("conflicting or bad Content-Length")
    return int(text)


def _divide(octets: bytes) -> tuple[str, Headers, bytes]:
    head, end, body = octets.partition(b"\r\n\r\n")
    if not end or len(head) > LONGEST_HEAD:
        raise Malformed("the head of an HTTP message does not end", offset=len(head))
    line, *rows = head.decode("latin-1").split("\r\n")
    if len(rows) > MOST_HEADERS:
        raise Malformed(f"more than {MOST_HEADERS} headers")
    return line, tuple(map(_header, rows)), body


def _header(row: str) -> tuple[str, str]:
    name, colon, value = row.partition(":")
    if not colon or not name or name != name.strip():
        raise Malformed("bad HTTP header", expected="name: value")
    return name, value.strip()
