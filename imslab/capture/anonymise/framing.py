"""Streams cut into messages where they begin and end, so that each is rewritten as one.

Spec: RFC 3261, 18.3 and 20.14 (Content-Length); RFC 9112, 6 (bodies); RFC 6455, 5 (WebSocket frames).
"""

import re
from collections.abc import Callable

from imslab.capture.sip import looks_like_sip
from imslab.sip.websocket import masked

_END = re.compile(rb"\r?\n\r?\n")
_LENGTH = re.compile(rb"(?im)^(?:content-length|l)[ \t]*:[ \t]*(\d{1,9})")
_SIP = rb"(?:SIP/2\.0 \d{3}|[A-Z]{3,12} +<?[A-Za-z][\w+.-]*:[^\r\n]{0,4000}? +SIP/2\.0)"
_METHODS = rb"(?:GET|POST|PUT|HEAD|DELETE|OPTIONS|CONNECT|PATCH|TRACE)"
_HTTP = rb"(?:HTTP/1\.[01] \d{3}\b|" + _METHODS + rb" [^\r\n]{1,8000} HTTP/1\.[01])"
# A start line: where it stands, and somewhere at the beginning of a line.
_SIP_START = re.compile(_SIP), re.compile(rb"(?m)^" + _SIP)
_HTTP_START = re.compile(_HTTP), re.compile(rb"(?m)^" + _HTTP)
_UPGRADE = re.compile(rb"(?im)^upgrade[ \t]*:[ \t]*websocket")
_TEXT, _BINARY = 1, 2

Rewrite = Callable[[bytes], bytes]


def is_sip(octets: bytes) -> bool:
    """Tell whether a stretch of a stream begins with SIP, or holds the start line of a message."""
    return looks_like_sip(octets.lstrip(b"\r\n")) or _SIP_START[1].search(octets) is not None


def is_http(octets: bytes) -> bool:
    """Tell whether a stretch of a stream begins with HTTP."""
    return _HTTP_START[0].match(octets) is not None


def opens_websocket(octets: bytes) -> bool:
    """Tell whether the first message of a stretch is half of a WebSocket's handshake."""
    end = _END.search(octets)
    return is_http(octets) and end is not None and _UPGRADE.search(octets[: end.start()]) is not None


def messages(octets: bytes, rewrite: Rewrite, between: Rewrite, *, http: bool = False) -> bytes:
    """Rewrite each message of a stretch with ``rewrite``, and what is none with ``between``."""
    here, later = _HTTP_START if http else _SIP_START
    parts, at = [], 0
    while at < len(octets):
        # After a hole a message may begin in the middle of what looks like a line.
        found = here.match(octets, at) or here.search(octets, at)
        begin = found.start() if found else len(octets)
        if begin > at:
            parts.append(between(octets[at:begin]))
        if found is None:
            break
        end = _message_end(octets, begin, later if http else None)
        parts.append(rewrite(octets[begin:end]))
        at = end
    return b"".join(parts)


def _message_end(octets: bytes, begin: int, later: "re.Pattern[bytes] | None") -> int:
    """Return where a message ends; without a length one of HTTP goes on to the next one, or to the end."""
    head = _END.search(octets, begin)
    if head is None:
        return len(octets)
    length = _LENGTH.search(octets, begin, head.end())
    if length is not None:
        return min(head.end() + int(length[1]), len(octets))
    if later is None:
        return head.end()
    following = later.search(octets, head.end())
    return following.start() if following else len(octets)


def websocket(octets: bytes, head: Rewrite, message: Rewrite) -> bytes:
    """Rewrite the handshake with ``head``, then each message, whole, in fragments, masked or not.

    Compressed messages become zeros: nothing of the same length would unpack to another text.
    """
    end = _END.search(octets)
    assert end is not None  # who calls has looked
    result = bytearray(head(octets[: end.end()]) + octets[end.end() :])
    at, parts = end.end(), list[tuple[int, int, bytes]]()
    while (frame := _frame(octets, at)) is not None:
        opcode, final, packed, mask, start = frame[:5]
        stop = min(start + frame[5], len(octets))
        if opcode > _BINARY or packed:
            result[start:stop] = masked(bytes(stop - start), mask) if mask else bytes(stop - start)
        else:
            parts.append((start, stop, mask))
        if opcode <= _BINARY and (final or stop == len(octets)):
            _message(octets, parts, message, result)
            parts = []
        at = stop
    _message(octets, parts, message, result)
    result[at:] = bytes(len(octets) - at)
    return bytes(result)


def _message(octets: bytes, parts: list[tuple[int, int, bytes]], rewrite: Rewrite, result: bytearray) -> None:
    clear = [masked(octets[start:stop], mask) if mask else octets[start:stop] for start, stop, mask in parts]
    new, at = rewrite(b"".join(clear)), 0
    for start, stop, mask in parts:
        piece = new[at : at + stop - start]
        result[start:stop] = masked(piece, mask) if mask else piece
        at += stop - start


def _frame(octets: bytes, at: int) -> tuple[int, bool, bool, bytes, int, int] | None:
    """Return opcode, whether it is the last fragment, packed, mask, start and length of a frame's payload."""
    if at + 2 > len(octets):
        return None
    first, second = octets[at], octets[at + 1]
    size = {126: 2, 127: 8}.get(second & 0x7F, 0)
    start = at + 2 + size
    length = int.from_bytes(octets[at + 2 : start]) if size else second & 0x7F
    mask = octets[start : start + 4] if second & 0x80 else b""
    start += len(mask)
    if start > len(octets):
        return None
    return first & 0x0F, bool(first & 0x80), bool(first & 0x40), mask, start, length
