# SPDX-License-Identifier: GPL-2.0-only
# ruff: noqa: RUF012  (fields_desc is scapy's)
"""SIP as a scapy layer: a start line, headers, and what the body is.

Spec: RFC 3261, sections 7 and 20; RFC 3310, section 3.2. A Content-Length whose value is None is computed
when the packet is built. A header that holds an AKA nonce has its RAND and AUTN in the tree.
"""

import re
from collections.abc import Iterable
from typing import Any, Self

from scapy.fields import PacketListField
from scapy.packet import Packet

from imslab.capture.layers.aka import NonceField, is_nonce
from imslab.capture.layers.sdp import SDP
from imslab.capture.layers.text import LINE_END, MOST_LINES, Line, PatternField, has_room
from imslab.errors import Malformed
from imslab.sip import Message, datagram
from imslab.sip.names import key

_FIELD, _COLON = rb"[^\s:]*", rb"[ \t]*:?[ \t]*"
_FOLDED = rb"(?:[^\r\n]|\r?\n(?=[ \t]))*"
_NONCE = re.compile(
    rb"(?:WWW-Authenticate|Authorization|Proxy-Authenticate|Proxy-Authorization)[ \t]*:"
    rb'[^\r\n]*?\bnonce="([A-Za-z0-9+/]{43,4000}={0,2})"',
    re.IGNORECASE,
)
_COMPUTED = re.compile(rb"^(Content-Length|l)([ \t]*:[ \t]*)\r$", re.IGNORECASE | re.MULTILINE)


class SIPHeader(Line):
    """One header: its name as spelled (``field``), the colon, its value with folded lines."""

    name = "SIP header"
    fields_desc = [
        PatternField("field", b"", _FIELD),
        PatternField("separator", b": ", _COLON),
        PatternField("value", b"", _FOLDED),
        PatternField("end", b"\r\n", LINE_END),
    ]

    def mysummary(self) -> str:
        """Return the header as it stands."""
        return _text(bytes(self))


class SIPAuthentication(Line):
    """A header with an AKA nonce, which stands between ``before`` and ``after``; each has its quote."""

    name = "SIP authentication"
    fields_desc = [
        PatternField("field", b"WWW-Authenticate", _FIELD),
        PatternField("separator", b": ", _COLON),
        PatternField("before", b'Digest nonce="', rb'[^\r\n]*?\b[Nn][Oo][Nn][Cc][Ee]="|'),
        NonceField("nonce"),
        PatternField("after", b'"', _FOLDED),
        PatternField("end", b"\r\n", LINE_END),
    ]

    @property
    def value(self) -> bytes:
        """The header's value, as octets."""
        return bytes(self.before + NonceField("nonce").i2m(self, self.nonce) + self.after)


def _next_header(pkt: Any, lst: Any, cur: Any, remain: bytes) -> type[Packet] | None:
    if not remain or remain.startswith((b"\r\n", b"\n")) or not has_room(lst, cur):
        return None
    found = _NONCE.match(remain)
    return SIPAuthentication if found and is_nonce(found[1]) else SIPHeader


class SIP(Packet):
    """One SIP message; its payload is SDP or Raw."""

    name = "SIP"
    fields_desc = [
        PatternField("lead", b"", rb"(?:\r?\n)*"),
        PatternField("start_line", b"OPTIONS sip:example.com SIP/2.0", rb"[^\r\n]*"),
        PatternField("end", b"\r\n", LINE_END),
        PacketListField("headers", [], next_cls_cb=_next_header, max_count=MOST_LINES),
        PatternField("blank", b"\r\n", rb"(?:\r?\n)?"),
    ]

    @classmethod
    def written(cls, start_line: str, headers: Iterable[tuple[str, str]] = ()) -> Self:
        """Return a message with these headers and a Content-Length that is computed."""
        rows = [SIPHeader(field=field.encode(), value=value.encode()) for field, value in headers]
        length = SIPHeader(field=b"Content-Length", value=None)
        return cls(start_line=start_line.encode(), headers=[*rows, length])

    @property
    def message(self) -> Message | None:
        """The message as imslab.sip reads it, None for a keepalive; Malformed when it cannot be read."""
        return datagram(bytes(self))

    def header(self, name: str) -> str | None:
        """Return the value of the first header ``name``, in its compact form too; None when there is none."""
        wanted = key(name)
        found = (row.value for row in self.headers if _key(row.field) == wanted)
        return next((_text(value) for value in found if value is not None), None)

    def post_build(self, pkt: bytes, pay: bytes) -> bytes:
        """Put the length of the payload where a Content-Length was left open."""
        length = str(len(pay)).encode()
        return _COMPUTED.sub(rb"\g<1>\g<2>" + length + b"\r", pkt) + pay

    def extract_padding(self, s: bytes) -> tuple[bytes, bytes]:
        """Return the body and what lies behind it (RFC 3261, 18.3)."""
        length = self.header("Content-Length")
        claimed = int(length) if length and length.isdecimal() and len(length) < 9 else len(s)
        return s[:claimed], s[claimed:]

    def guess_payload_class(self, payload: bytes) -> Any:
        """Return SDP where Content-Type says so."""
        kind = (self.header("Content-Type") or "").partition(";")[0].strip().lower()
        return SDP if kind == "application/sdp" else super().guess_payload_class(payload)

    def mysummary(self) -> str:
        """Return the start line."""
        return f"SIP {_text(self.start_line)}"


def _key(field: bytes) -> str:
    try:
        return key(_text(field))
    except Malformed:
        return ""


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "replace").strip()
