"""The parts of the SIP grammar that every header shares: tokens, quoted strings, lists, parameters.

Spec: RFC 3261, section 25.1 (ABNF) and 7.3 (headers). Text is ``str`` made from UTF-8 with
``surrogateescape``: octets that are not UTF-8 survive a round trip. Quotes come before commas,
always; each regular expression runs in time linear in the text.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import NoReturn, TypeVar

from imslab.errors import Malformed

TCHAR = r"A-Za-z0-9\-.!%*_+`'~"
TOKEN = rf"[{TCHAR}]+"
QUOTED_STRING = r'"[^"\\]*+(?>(?:\\.[^"\\]*+)*)"'
HOST = r"\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.\-]+"

T = TypeVar("T")

MAX_UINT32 = 2**32 - 1  # CSeq: RFC 3261, 8.1.1.5; delta-seconds: RFC 3261, 20.19

_TOKEN = re.compile(TOKEN)
_QUOTED = re.compile(QUOTED_STRING, re.DOTALL)
_DIGITS = re.compile(r"0*([0-9]{1,10})")
_PIECE = re.compile(rf'(?>(?:[^",<]++|{QUOTED_STRING}|<[^<>]*+>)*)', re.DOTALL)
_PARAMETER = re.compile(
    rf"[ \t]*;[ \t]*([^\s;,=\"<>]+)(?:[ \t]*=[ \t]*(?:({QUOTED_STRING})|([^\s;,\"<>]+)))?[ \t]*", re.DOTALL
)
# The usual case, without spaces and quotes: checked as a whole, then split.
_PLAIN_PARAMETERS = re.compile(r"(?>(?:;[^\s;,=\"<>]++(?>(?:=[^\s;,\"<>]++)?))*)")
_BARE_VALUE = re.compile(rf"(?:[{TCHAR}:]|\[[0-9A-Fa-f:.]+\])+")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_TO_ESCAPE = re.compile(r'["\\]')


class Quoted(str):
    """A parameter value that stood, and will stand, in quotes; the quotes are not part of it."""

    __slots__ = ()


class Params(dict[str, str | None]):
    """Parameters in their order: names in lower case, None for a name without a value; read-only.

    ``str()`` writes them with a ``;`` before each one, ``Quoted`` values in quotes.
    """

    __slots__ = ()

    def __init__(self, pairs: Mapping[str, str | None] | Iterable[tuple[str, str | None]] = ()) -> None:
        if pairs:
            items = pairs.items() if isinstance(pairs, Mapping) else pairs
            super().__init__([(name.lower(), value) for name, value in items])

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))

    def __str__(self) -> str:
        return "".join(
            f";{name}" if value is None else f";{name}={write_value(value)}" for name, value in self.items()
        )

    def having(self, **changes: str | None) -> "Params":
        """Return a copy with these values set; ``_`` in a keyword stands for ``-``."""
        return _params([*self.items(), *((n.lower().replace("_", "-"), v) for n, v in changes.items())])

    def without(self, *names: str) -> "Params":
        """Return a copy that lacks ``names``."""
        gone = {name.lower() for name in names}
        return _params([pair for pair in self.items() if pair[0] not in gone])

    def _read_only(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("parameters are read-only: having() and without() return a changed copy")

    __setitem__ = __delitem__ = __ior__ = _read_only
    clear = pop = popitem = setdefault = update = _read_only


def _params(pairs: list[tuple[str, str | None]]) -> Params:
    # The names are in lower case already: this is on the way of every Via.
    found = Params.__new__(Params)
    dict.update(found, pairs)
    return found


NO_PARAMS = Params()


def is_token(text: str) -> bool:
    """Return whether ``text`` is a token (RFC 3261, 25.1)."""
    return _TOKEN.fullmatch(text) is not None


def to_octets(text: str) -> bytes:
    """Return the octets that ``text`` stands for (UTF-8, ``surrogateescape``), or raise Malformed."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise Malformed("text holds a lone surrogate", offset=error.start) from None


def to_text(octets: bytes) -> str:
    """Return ``octets`` as text from which ``to_octets`` makes the same octets again."""
    return octets.decode("utf-8", "surrogateescape")


def quote(text: str) -> str:
    """Return ``text`` as a quoted string, with ``"`` and ``\\`` escaped."""
    if '"' in text or "\\" in text:
        text = _TO_ESCAPE.sub(r"\\\g<0>", text)
    return f'"{text}"'


def unquote(quoted: str) -> Quoted:
    """Return what a quoted string holds, without its quotes and escapes."""
    inner = quoted[1:-1]
    return Quoted(_ESCAPED.sub(r"\1", inner) if "\\" in inner else inner)


def write_value(value: str) -> str:
    """Return a parameter value as it stands on the wire: bare where the grammar allows it."""
    if not isinstance(value, Quoted) and _BARE_VALUE.fullmatch(value):
        return value
    return quote(value)


def number(name: str, text: str, highest: int = MAX_UINT32) -> int:
    """Return the decimal ``text``, or raise Malformed unless it lies in 0..``highest``."""
    if len(text) < 11 and text.isascii() and text.isdigit() and int(text) <= highest:
        return int(text)
    match = _DIGITS.fullmatch(text)
    if match is None or int(match[1]) > highest:
        raise Malformed(f"{name} is not a number in range", expected=f"0 to {highest}")
    return int(match[1])


def split_list(text: str) -> list[str]:
    """Split ``text`` at the commas outside quotes and ``<>``; raise Malformed for an open quote or ``<``."""
    if '"' not in text and "<" not in text:
        return [piece.strip(" \t") for piece in text.split(",")]
    pieces, position = [], 0
    while True:
        match = _piece(text, position)
        pieces.append(text[position:match].strip(" \t"))
        if match == len(text):
            return pieces
        position = match + 1


def first_comma(text: str) -> int:
    """Return where the first element of a list ends: at a comma, or at the end of ``text``."""
    return _piece(text, 0)


def _piece(text: str, position: int) -> int:
    match = _PIECE.match(text, position)
    end = match.end() if match else position
    if end < len(text) and text[end] != ",":
        what = 'an opening quote without a closing one (")' if text[end] == '"' else "a < without its >"
        raise Malformed(what, offset=end)
    return end


def elements(text: str, parse: Callable[[str], T]) -> tuple[T, ...]:
    """Parse each element of a comma-separated list; an empty element is Malformed."""
    return tuple(parse(piece) for piece in split_list(text))


def parameters(text: str, position: int = 0) -> Params:
    """Parse ``;name=value`` from ``position`` to the end; a name twice, or anything else, is Malformed."""
    if position == len(text):
        return NO_PARAMS
    if _PLAIN_PARAMETERS.fullmatch(text, position):
        return unique([_plain(piece) for piece in text[position + 1 :].split(";")])
    pairs: list[tuple[str, str | None]] = []
    while position < len(text):
        match = _PARAMETER.match(text, position)
        if match is None:
            raise Malformed("bad parameter", offset=position, expected=";name or ;name=value")
        name, quoted, bare = match.groups()
        pairs.append((name.lower(), unquote(quoted) if quoted else bare))
        position = match.end()
    return unique(pairs)


def _plain(piece: str) -> tuple[str, str | None]:
    name, equals, value = piece.partition("=")
    return name.lower(), value if equals else None


def unique(pairs: list[tuple[str, str | None]]) -> Params:
    """Return ``pairs`` (names in lower case) as Params; a name twice is Malformed (RFC 3261, 7.3.1)."""
    found = _params(pairs)
    if len(found) != len(pairs):
        raise Malformed("a parameter stands twice")
    return found
