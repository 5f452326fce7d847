"""Which messages are refused at once, and what is wrong with those that are not.

Spec: RFC 3261, sections 7, 8.1.1, 8.2 and 18.3; RFC 4475 (torture tests). ``refuse_unusable`` is on
the path of every message and looks only at what it must; ``problems`` reads everything.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from imslab.errors import Malformed
from imslab.sip.headers import CSeq
from imslab.sip.limits import BadMessage, Limits
from imslab.sip.names import SINGLE
from imslab.sip.syntax import QUOTED_STRING, number
from imslab.sip.uri import Uri
from imslab.sip.views import View

if TYPE_CHECKING:
    from imslab.sip.message import Message

REQUEST_LINE = re.compile(r"([A-Za-z0-9\-.!%*_+`'~]+) ([!-~]+) SIP/2\.0", re.IGNORECASE)
STATUS_LINE = re.compile(r"SIP/2\.0 ([1-6][0-9]{2})(?: .*)?", re.IGNORECASE | re.DOTALL)
_VERSION = re.compile(r"(?:[^ ]+ [^ ]+ )?SIP/([0-9]{1,9}\.[0-9]{1,9})(?: .*)?", re.IGNORECASE)
_BARE_END_OF_LINE = re.compile(r"\r(?!\n)|(?<!\r)\n")
_BARE_NUL = re.compile(r"(?<!\\)\x00")
# Quotes and <> closed, nothing empty between separators: where this fails the typed view is asked at once.
_WELL_SEPARATED = re.compile(
    rf'(?>(?:[^",;<]++|{QUOTED_STRING}|<[^<>]*+>|[;,](?![ \t]*+(?:[;,]|$)))*)', re.DOTALL
)

_MANDATORY = ("via", "from", "to", "call-id", "cseq")
_SUSPECTS = {"via": "vias", "contact": "contacts", "from": "from_", "to": "to"}


def split_lines(text: str, limits: Limits) -> tuple[str, list[str]]:
    """Return the start line and the header rows, still folded; raise BadMessage."""
    start, *lines = text.split("\r\n")
    ends = len(lines)
    if ends > limits.headers:
        raise BadMessage(f"the head has {ends} lines, more than {limits.headers}", status=513)
    if text.count("\n") != ends or text.count("\r") != ends:
        raise BadMessage("CR or LF alone in the head", offset=_offset(_BARE_END_OF_LINE, text))
    if "\x00" in text and _BARE_NUL.search(text):
        raise BadMessage("NUL in the head", offset=_offset(_BARE_NUL, text))
    return start, lines


def _offset(pattern: re.Pattern[str], text: str) -> int | None:
    match = pattern.search(text)
    return len(text[: match.start()].encode("utf-8", "surrogateescape")) if match else None


def joined(lines: list[str]) -> list[str]:
    """Return the rows with their continuations, CRLF between them; raise BadMessage."""
    # The pieces of a row are joined once: a row of many folds must not cost their square.
    rows: list[list[str]] = []
    for line in lines:
        if line[:1] not in (" ", "\t"):
            rows.append([line])
        elif rows:
            rows[-1].append(line)
        else:
            raise BadMessage("the first header row starts with a space")
    return ["\r\n".join(row) for row in rows]


def refuse_unusable(message: "Message", index: dict[str, list[str]], limits: Limits) -> None:
    """Raise BadMessage, with the message in it, for what no element could use."""
    try:
        _check_start_line(message)
        _check_length(message, index, limits)
        _check_numbers(message, index)
        for key, view in _SUSPECTS.items():
            for text in index.get(key, ()):
                if not _WELL_SEPARATED.fullmatch(text):
                    getattr(message, view)
    except BadMessage as error:
        error.message = message
        raise
    except Malformed as error:
        raise BadMessage(str(error), message=message) from error


def _check_start_line(message: "Message") -> None:
    start = message.start_line
    if match := REQUEST_LINE.fullmatch(start):
        Uri.parse(match[2])
    elif not STATUS_LINE.fullmatch(start):
        version = _VERSION.fullmatch(start)
        if version and version[1] != "2.0":
            raise BadMessage(f"SIP version {version[1]} is not supported, only 2.0", status=505)
        raise BadMessage("bad start line: neither METHOD URI SIP/2.0 nor SIP/2.0 100..699 reason")


def _check_length(message: "Message", index: dict[str, list[str]], limits: Limits) -> None:
    lengths = index.get("content-length", ())
    if not lengths:
        return
    if len(lengths) > 1 and len({number("Content-Length", text) for text in lengths}) > 1:
        raise BadMessage("Content-Length headers that contradict each other")
    if (message.content_length or 0) > limits.body:
        raise BadMessage(f"Content-Length is more than {limits.body}", status=513)


def _check_numbers(message: "Message", index: dict[str, list[str]]) -> None:
    _ = message.max_forwards
    # RFC 2543 allowed a date here: only a number can be too large.
    if "expires" in index and index["expires"][0].isdigit():
        _ = message.expires
    if "cseq" in index:
        cseq: CSeq = message.cseq
        if message.is_request and cseq.method != message.method:
            raise BadMessage("the method of CSeq is not the method of the request")


def gaps(message: "Message") -> Iterator[str]:
    """Yield what is missing and what stands too often: all that a proxy has to look at (RFC 3261, 16.3)."""
    index = message._values()
    for key in _MANDATORY:
        if key not in index:
            yield f"{key} is missing"
    for key, texts in index.items():
        if key in SINGLE and len(texts) > 1:
            yield f"{key} stands {len(texts)} times"


def problems(message: "Message") -> Iterator[str]:
    """Yield what a server would answer 400 to, one sentence for each."""
    yield from gaps(message)
    index = message._values()
    if message.is_request and message.uri.headers:
        yield "the Request-URI carries headers"
    views = _views()
    for key in [key for key in index if key in views]:
        try:
            getattr(message, views[key])
        except Malformed as error:
            yield str(error)


@cache
def _views() -> dict[str, str]:
    # By the key of the header: what the attribute of Message is called.
    from imslab.sip.message import Message

    return {view.key: name for name, view in vars(Message).items() if isinstance(view, View)}
