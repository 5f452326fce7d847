"""SIP and HTTP messages with other names: start line, header rows, body, each row as long as before.

Spec: RFC 3261, 7 and 25.1; RFC 9112, 2. Rows are found by their line ends and values by their words: a
message that is broken or cut is rewritten as far as it goes, and by the same rules.
"""

import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

from imslab.capture.anonymise.bodies import Bodies
from imslab.capture.anonymise.credentials import HEADERS, Authentication
from imslab.capture.anonymise.sealed import Sealed
from imslab.capture.anonymise.text import Texts
from imslab.capture.anonymise.vocabulary import METHODS, WORDS
from imslab.sip.names import COMPACT
from imslab.sip.websocket import accept_key

_END = re.compile(rb"\r?\n\r?\n")
_ROW = re.compile(r"(?P<name>[\w.!%*+`'~-]{1,80})(?P<colon>[ \t]*:[ \t]*)(?P<value>(?:[^\r\n]|\r?\n[ \t])*)")
_LINE = re.compile(r"[^\r\n](?:[^\r\n]|\r?\n[ \t]|\r(?!\n))*")
_REQUEST = re.compile(r"(\S+)( +)(.*?)( +(?:SIP|HTTP)/\d\.\d\s*)", re.DOTALL)
_STATUS = re.compile(r"((?:SIP|HTTP)/\d\.\d +\d{3}) ?(.*)", re.DOTALL)
_DIGITS = 6  # of a number that names nobody: a length, a span of time
_METHODS = METHODS | {"GET", "POST", "PUT", "HEAD", "DELETE", "CONNECT", "PATCH", "TRACE", "PRI", "M-SEARCH"}
_VIA = re.compile(r"(\s*SIP\s*/\s*2\.0\s*/\s*\w+\s+)(\[[^\]]*\]|[^\s:;,]+)(\s*:\s*\d+)?")
_WARNING = re.compile(r"(\s*\d{3}\s+)(\S+)(\s+)(\"(?:[^\"\\]|\\.)*\"?)")
_URI = r"(?<![\w+.-])(?:sips?|tel|urn|mailto|im|pres|https?|wss?|cid):[^\s<>\",;]*"
_VALUE = re.compile(
    r"(?P<quoted>\"(?:[^\"\\]|\\.)*\"?)|<(?P<angle>[^>]*)|(?P<display>[^\s<>\",;=:][^<>\",;=]*?(?=\s*<))"
    rf"|(?P<uri>(?i:{_URI}))"
    r"|(?P<pair>[\w+.!*'`~%-]+\s*=\s*(?:\"(?:[^\"\\]|\\.)*\"?|<[^>]*>?|\[[^\]]*\]|[^\s;,\"<>]*))"
    r"|(?P<word>[^\s;,\"<>]+)"
)
_CALL_ID = re.compile(r"(?im)^(?:call-id|i)[ \t]*:[ \t]*(\S+)")
_CSEQ = re.compile(r"(?im)^cseq[ \t]*:[ \t]*(\d+)[ \t]+(\S+)")
_CONTENT = re.compile(r"(?im)^(?:content-type|c)[ \t]*:[ \t]*([^\r\n]*)")
_ENCODING = re.compile(r"(?im)^(?:content-encoding|e)[ \t]*:[ \t]*(?!identity)\S")
_CHUNKED = re.compile(r"(?im)^transfer-encoding[ \t]*:[^\r\n]*chunked")
_AUTHENTICATION = re.compile(
    r"(?im)^((?:www-|proxy-)?authenticate|(?:proxy-)?authorization|authentication-info)"
    r"[ \t]*:((?:[^\r\n]|\r?\n[ \t])*)"
)

_WEBSOCKET_KEY = re.compile(r"(?im)^sec-websocket-key[ \t]*:[ \t]*([A-Za-z0-9+/]{22}==)")

_Rule: TypeAlias = Callable[["Messages", str], str]


class Messages:
    """Rewrites messages; those of one capture go through the same one, in the order of time."""

    def __init__(self, texts: Texts, authentication: Authentication, bodies: Bodies, sealed: Sealed) -> None:
        self._texts, self._authentication, self._bodies = texts, authentication, bodies
        self._sealed = sealed

    def survey(self, octets: bytes) -> None:
        """Take in networks, challenges and media that a message names."""
        self._texts.numbers.note_networks(octets)
        head, body = _split(octets)
        for _, value in _AUTHENTICATION.findall(head):
            self._authentication.survey(value)
        self._sealed.survey(head)
        for key in _WEBSOCKET_KEY.findall(head):
            known = self._texts.pseudonyms.known
            known[key] = self._texts.base64(key)
            known[accept_key(key)] = accept_key(known[key])
        self._bodies.survey(_content(head), body)

    def rewrite(self, octets: bytes, connection: str = "") -> bytes:
        """Return the message with other names; ``connection`` ties an HTTP answer to its request."""
        head, body = _split(octets)
        new_body = self._bodies.rewrite(
            _content(head), body, coded=bool(_ENCODING.search(head)), chunked=bool(_CHUNKED.search(head))
        )
        start, end, rows = head.partition("\n")
        new_head = self._start(start) + end + _LINE.sub(self._line, rows)
        if _AUTHENTICATION.search(head):
            new_head = self._signed(head, new_head, body, new_body, connection)
        return _octets(new_head) + new_body

    def _start(self, line: str) -> str:
        match = _STATUS.fullmatch(line)
        if match:
            return line[: match.start(2)] + self._texts.words(match[2], WORDS)
        match = _REQUEST.fullmatch(line)
        if match is None:
            return self._texts.words(line)
        method = match[1] if match[1] in _METHODS else self._texts.words(match[1])
        return method + match[2] + self._texts.uri_or_words(match[3]) + match[4]

    def _line(self, match: "re.Match[str]") -> str:
        row = _ROW.fullmatch(match.group())
        return self._texts.words(match.group()) if row is None else self._row(row)

    def _row(self, match: "re.Match[str]") -> str:
        name, value = match["name"], match["value"]
        key = COMPACT.get(name.lower(), name.lower())
        rule = _RULES.get(key) or (
            Messages.coded if key in _CODED else Messages.named if key in _NAMED else None
        )
        if rule is None:
            known = all(word in WORDS for word in key.split("-"))
            rule = Messages.value if known else Messages.named
        shown = name if name.lower() in COMPACT else self._texts.words(name, WORDS, numbers=2)
        return shown + match["colon"] + rule(self, value)

    # -- values ----------------------------------------------------------------------------------

    def named(self, value: str) -> str:
        """Replace every word."""
        return self._texts.words(value)

    def coded(self, value: str) -> str:
        """Replace every word that the protocol does not know; numbers stay."""
        return self._texts.words(value, WORDS, numbers=_DIGITS)

    def value(self, value: str) -> str:
        """Replace what a list of addresses and parameters names; its words of the protocol stay."""
        return _VALUE.sub(self._piece, value)

    def _piece(self, match: "re.Match[str]") -> str:
        text, texts = match.group(), self._texts
        if match["quoted"] or match["display"]:
            return texts.words(text)
        if match["angle"] is not None:
            return "<" + texts.uri_or_words(match["angle"])
        if match["uri"]:
            return texts.uri(text)
        return texts.params(text) if match["pair"] else texts.words(text, WORDS)

    def via(self, value: str) -> str:
        """Replace hosts, branches and addresses of Via."""
        parts, at = [], 0
        for match in _VIA.finditer(value):
            parts += [self._texts.params(value[at : match.start()]), match[1]]
            parts += [self._texts.host(match[2]), match[3] or ""]
            at = match.end()
        return "".join([*parts, self._texts.params(value[at:])])

    def dialog(self, value: str) -> str:
        """Replace a Call-ID and the tags behind it."""
        call_id, mark, rest = value.partition(";")
        return self._texts.words(call_id) + mark + self._texts.params(rest)

    def warning(self, value: str) -> str:
        """Replace the agent of a warning, and the words of its text that are none of the protocol."""
        parts, at = [], 0
        for match in _WARNING.finditer(value):
            parts += [self.coded(value[at : match.start()]), match[1], self._texts.host(match[2]), match[3]]
            parts.append(self._texts.words(match[4], WORDS))
            at = match.end()
        return "".join([*parts, self.coded(value[at:])])

    def credentials(self, value: str) -> str:
        """Replace what names somebody in an authentication header."""
        return self._authentication.rewrite(value)

    def key(self, value: str) -> str:
        """Replace the key of a WebSocket, or what was accepted of it (RFC 6455, 4.2.2)."""
        bare = value.strip()
        return value.replace(bare, self._texts.pseudonyms.known.get(bare) or self._texts.base64(bare))

    # -- digests ---------------------------------------------------------------------------------

    def _signed(self, head: str, new_head: str, body: bytes, new_body: bytes, connection: str) -> str:
        method = head.partition(" ")[0]
        call_id, cseq = _CALL_ID.search(head), _CSEQ.search(head)
        place = f"{call_id[1]} {cseq[1]}" if call_id and cseq else connection
        parts, at = [], 0
        # A row stands in the same place before and after.
        for old in _AUTHENTICATION.finditer(head):
            start, end = old.span(2)
            value = new_head[start:end]
            parts += [new_head[at:start]]
            parts += [self._authentication.sign(place, method, (old[2], body), (value, new_body))]
            at = end
        return "".join([*parts, new_head[at:]])


def _split(octets: bytes) -> tuple[str, bytes]:
    """Return the head as text, with the empty line, and the body."""
    match = _END.search(octets)
    end = match.end() if match else len(octets)
    return octets[:end].decode("utf-8", "surrogateescape"), octets[end:]


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _content(head: str) -> str:
    match = _CONTENT.search(head)
    return match[1].strip() if match else ""


_RULES: Mapping[str, _Rule] = {
    **dict.fromkeys(HEADERS, Messages.credentials),
    "via": Messages.via, "warning": Messages.warning, "replaces": Messages.dialog, "join": Messages.dialog,
    "target-dialog": Messages.dialog, "sec-websocket-key": Messages.key, "sec-websocket-accept": Messages.key,
}  # fmt: skip
# Headers that hold words and numbers of the protocol, and those that hold nothing else than names.
_CODED_HEADERS = """
accept accept-encoding accept-language allow allow-events connection cache-control content-disposition
content-encoding content-language content-length content-type cseq date event expires flow-timer
max-forwards mime-version min-expires min-se p-early-media pragma priority privacy proxy-require rack reason
refer-sub request-disposition require retry-after rseq sec-websocket-protocol sec-websocket-version
session-expires subscription-state supported timestamp transfer-encoding unsupported upgrade vary keep-alive
accept-ranges age last-modified
"""
_NAMED_HEADERS = """
call-id in-reply-to user-agent server organization subject identity sip-etag sip-if-match etag cookie
set-cookie p-visited-network-id if-none-match if-match host
"""
_CODED, _NAMED = frozenset(_CODED_HEADERS.split()), frozenset(_NAMED_HEADERS.split())
