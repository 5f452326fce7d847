"""Bodies of messages with other names, each by its type: SDP, XML, text, parts, SIP within SIP.

Spec: RFC 2046, 5.1 (multipart), RFC 3420 (sipfrag), RFC 9112, 7.1 (chunks). A body that is packed, binary
or of a type that is not known and no text becomes zeros: nobody can say whom it names.
"""

import re

from imslab.capture.anonymise.sdp import Sdp
from imslab.capture.anonymise.text import Texts
from imslab.capture.anonymise.vocabulary import WORDS
from imslab.capture.anonymise.xml import Xml

_BOUNDARY = re.compile(r"boundary=(?:\"([^\"]*)\"|([^\s;,]*))", re.IGNORECASE)
_PART = re.compile(rb"\r?\n\r?\n")
_PART_TYPE = re.compile(rb"(?im)^content-type[ \t]*:[ \t]*([^\r\n]*)")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[^\r\n]*\r\n")
_MOST_PARTS = 100
_PRINTABLE = frozenset((*range(0x20, 0x7F), 0x09, 0x0A, 0x0D, *range(0x80, 0x100)))
_TEXTS = ("text/", "application/json", "application/javascript", "application/x-www-form", "message/")


class Bodies:
    """Rewrites bodies."""

    def __init__(self, texts: Texts, sdp: Sdp) -> None:
        self._texts, self._sdp, self._xml = texts, sdp, Xml(texts)
        self.blanked = 0

    def survey(self, kind: str, body: bytes) -> None:
        """Take in what a body says of media."""
        if b"m=" in body:
            self._sdp.survey(body.decode("utf-8", "surrogateescape"))

    def rewrite(
        self, kind: str, body: bytes, *, coded: bool = False, chunked: bool = False, depth: int = 0
    ) -> bytes:
        """Return the body with other names; ``coded``: it is packed, ``chunked``: it comes in chunks."""
        if not body:
            return body
        if chunked:
            return self._chunks(kind, body, coded)
        name = kind.partition(";")[0].strip().lower()
        if coded:
            return self._blank(body)
        if name.startswith("multipart/") and depth < 4:
            return self._parts(kind, body, depth)
        if name == "application/sdp":
            return self._as_text(body, self._sdp.rewrite)
        if name.endswith(("+xml", "/xml")) or body.lstrip()[:5] == b"<?xml":
            return self._as_text(body, self._xml.rewrite)
        if name == "text/html":
            return self._as_text(body, self._xml.rewrite)
        if name.startswith(_TEXTS) or is_text(body):
            keep = WORDS if name == "message/sipfrag" else frozenset[str]()
            return self._as_text(body, lambda text: self._texts.words(text, keep, numbers=6 if keep else 0))
        return self._blank(body)

    def _as_text(self, body: bytes, rewrite: "object") -> bytes:
        assert callable(rewrite)
        text: str = rewrite(body.decode("utf-8", "surrogateescape"))
        return text.encode("utf-8", "surrogateescape")

    def _blank(self, body: bytes) -> bytes:
        self.blanked += 1
        return bytes(len(body))

    def _parts(self, kind: str, body: bytes, depth: int) -> bytes:
        match = _BOUNDARY.search(kind)
        mark = b"--" + (match[1] or match[2] or "").encode("utf-8", "surrogateescape") if match else b""
        if len(mark) < 3:
            return self._as_text(body, self._texts.words)
        new_mark = self._as_text(mark, lambda text: self._texts.words(text))
        parts = body.split(mark, _MOST_PARTS)
        return new_mark.join(self._part(part, depth) for part in parts)

    def _part(self, part: bytes, depth: int) -> bytes:
        end = _PART.search(part)
        if end is None:
            return self._as_text(part, self._texts.words) if is_text(part) else self._blank(part)
        head, body = part[: end.end()], part[end.end() :]
        kind = _PART_TYPE.search(head)
        content = kind[1].decode("utf-8", "surrogateescape") if kind else "text/plain"
        packed = re.search(rb"(?im)^content-transfer-encoding[ \t]*:[ \t]*base64", head) is not None
        new_head = self._as_text(head, lambda text: self._texts.words(text, WORDS, numbers=10))
        if packed:
            return new_head + self._as_text(body, self._texts.words)
        return new_head + self.rewrite(content, body, depth=depth + 1)

    def _chunks(self, kind: str, body: bytes, coded: bool) -> bytes:
        """Keep the lengths of chunks, and rewrite what is in them as one body."""
        places, lines, at = [], list[tuple[int, int]](), 0
        while (match := _CHUNK.match(body, at)) and (size := int(match[1], 16)):
            lines.append((match.end(1), match.end()))
            places.append((match.end(), min(match.end() + size, len(body))))
            at = match.end() + size + 2
        if not places:
            return self.rewrite(kind, body, coded=coded)
        new = self.rewrite(kind, b"".join(body[start:end] for start, end in places), coded=coded)
        result, taken = bytearray(body), 0
        for start, end in places:
            result[start:end] = new[taken : taken + end - start]
            taken += end - start
        for start, end in lines:  # what may follow a length: extensions
            result[start:end] = self._as_text(body[start:end], self._texts.words)
        tail = places[-1][1]
        result[tail:] = self._as_text(bytes(result[tail:]), lambda text: self._texts.words(text, numbers=10))
        return bytes(result)


def is_text(octets: bytes) -> bool:
    """Tell whether octets are text: printable, and UTF-8 where they are not ASCII."""
    if not _PRINTABLE.issuperset(octets[:4096]):
        return False
    try:
        octets.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > len(octets) - 4  # cut in the middle of a letter
    return True
