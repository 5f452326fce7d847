# SPDX-License-Identifier: GPL-2.0-only
# ruff: noqa: RUF012  (fields_desc is scapy's)
"""WebSocket frames as scapy layers: a payload is shown unmasked, and masked again when it is built.

Spec: RFC 6455, section 5.2; RFC 7118 (one SIP message in a text or binary message).
"""

from collections.abc import Iterator
from typing import Any

from scapy.fields import (
    BitEnumField,
    BitField,
    ConditionalField,
    LongField,
    PacketListField,
    ShortField,
    XStrFixedLenField,
)
from scapy.packet import Packet

from imslab.capture.layers.sip import SIP
from imslab.capture.layers.text import MOST_LINES, has_room
from imslab.capture.sip import looks_like_sip
from imslab.sip.websocket import masked

_OPCODES = {0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}
_TWO_OCTETS, _EIGHT_OCTETS = 126, 127
_COMPUTED: Any = None


class WebSocketFrame(Packet):
    """One frame; ``length`` None is computed, with the longer forms where they are needed."""

    name = "WebSocket frame"
    fields_desc = [
        BitField("fin", 1, 1),
        BitField("rsv", 0, 3),
        BitEnumField("opcode", 1, 4, _OPCODES),
        BitField("mask", 0, 1),
        BitField("length", None, 7),
        ConditionalField(ShortField("length16", None), lambda frame: frame.length == _TWO_OCTETS),
        ConditionalField(LongField("length64", _COMPUTED), lambda frame: frame.length == _EIGHT_OCTETS),
        ConditionalField(XStrFixedLenField("masking_key", bytes(4), 4), lambda frame: frame.mask == 1),
    ]

    @property
    def payload_length(self) -> int:
        """What the header says of the payload, in octets."""
        longer = {_TWO_OCTETS: self.length16, _EIGHT_OCTETS: self.length64}
        return int(longer.get(self.length, self.length) or 0)

    def extract_padding(self, s: bytes) -> tuple[bytes, bytes]:
        """Return the payload, unmasked, and what lies behind it."""
        end = self.payload_length
        return self._masked(s[:end]), s[end:]

    def guess_payload_class(self, payload: bytes) -> Any:
        """Return SIP for what begins like it."""
        return SIP if looks_like_sip(payload) else super().guess_payload_class(payload)

    def post_build(self, pkt: bytes, pay: bytes) -> bytes:
        """Fill in the length, and mask the payload."""
        if self.length is None:
            pkt = bytes((pkt[0], pkt[1] & 0x80 | _short(len(pay)))) + _long(len(pay)) + pkt[2:]
        return pkt + self._masked(pay)

    def _masked(self, octets: bytes) -> bytes:
        return masked(octets, self.masking_key) if self.mask and octets else octets


def _short(length: int) -> int:
    return length if length < _TWO_OCTETS else _TWO_OCTETS if length < 1 << 16 else _EIGHT_OCTETS


def _long(length: int) -> bytes:
    return b"" if length < _TWO_OCTETS else length.to_bytes(2 if length < 1 << 16 else 8)


def _head_length(second: int) -> int:
    """Return how many octets a frame's header has, by its second octet."""
    return 2 + {_TWO_OCTETS: 2, _EIGHT_OCTETS: 8}.get(second & 0x7F, 0) + 4 * (second >> 7)


def _next_frame(pkt: Any, lst: Any, cur: Any, remain: bytes) -> type[Packet] | None:
    whole = len(remain) >= 2 and len(remain) >= _head_length(remain[1])
    return WebSocketFrame if whole and has_room(lst, cur) else None


class WebSocket(Packet):
    """The frames of one TCP segment."""

    name = "WebSocket"
    fields_desc = [PacketListField("frames", [], next_cls_cb=_next_frame, max_count=MOST_LINES)]


def looks_like_websocket(octets: bytes) -> bool:
    """Tell whether these are whole frames, the first with SIP in it."""
    frames = list(_frames(octets))
    return bool(frames) and looks_like_sip(bytes(frames[0].payload)) and sum(map(len, frames)) == len(octets)


def _frames(octets: bytes) -> Iterator[WebSocketFrame]:
    """Yield the first frame, and those behind it while they are whole; nothing for what is no frame."""
    while len(octets) >= 2 and octets[0] & 0x70 == 0 and octets[0] & 15 in _OPCODES:
        head = _head_length(octets[1])
        end = head + WebSocketFrame(octets[:head]).payload_length if head <= len(octets) else len(octets) + 1
        if end > len(octets):
            return
        yield WebSocketFrame(octets[:end])
        octets = octets[end:]
