# SPDX-License-Identifier: GPL-2.0-only
# ruff: noqa: RUF012  (fields_desc is scapy's)
"""SDP as a scapy layer: lines of a letter, "=", and a value.

Spec: RFC 8866, section 5.
"""

from contextlib import suppress
from typing import Any

from scapy.fields import PacketListField
from scapy.packet import Packet

from imslab.capture.layers.announced import announced
from imslab.capture.layers.text import LINE_END, MOST_LINES, Line, PatternField, has_room
from imslab.errors import Malformed
from imslab.sip.sdp import SessionDescription


class SDPLine(Line):
    """One line; of one that has no "=" everything is value."""

    name = "SDP line"
    fields_desc = [
        PatternField("type", b"a", rb"[A-Za-z](?==)|"),
        PatternField("equals", b"=", rb"=?"),
        PatternField("value", b"", rb"[^\r\n]*"),
        PatternField("end", b"\r\n", LINE_END),
    ]

    def mysummary(self) -> str:
        """Return the line as it stands."""
        return bytes(self).decode("utf-8", "replace").strip()


def _next_line(pkt: Any, lst: Any, cur: Any, remain: bytes) -> type[Packet] | None:
    return SDPLine if remain and has_room(lst, cur) else None


class SDP(Packet):
    """A session description."""

    name = "SDP"
    fields_desc = [PacketListField("lines", [], next_cls_cb=_next_line, max_count=MOST_LINES)]

    @property
    def description(self) -> SessionDescription:
        """The description as imslab.sip reads it; Malformed when it cannot be read."""
        return SessionDescription.parse(bytes(self))

    def values(self, letter: str) -> list[str]:
        """Return the values of all lines with this letter."""
        wanted = letter.encode()
        return [line.value.decode("utf-8", "replace") for line in self.lines if line.type == wanted]

    def post_dissection(self, pkt: Packet) -> None:
        """Note which sockets will speak SRTP."""
        with suppress(Malformed):  # scapy builds nothing while it dissects: the octets are those that came
            announced.described(SessionDescription.parse(self.original))

    def mysummary(self) -> str:
        """Return the media lines."""
        return "SDP " + ", ".join(self.values("m"))
