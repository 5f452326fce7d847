# SPDX-License-Identifier: GPL-2.0-only
"""Text protocols as scapy fields: a field takes what a pattern matches, and nothing is lost.

Spec: RFC 3261, section 7.3; RFC 8866, section 5. The octets of a line are divided and not changed, so that a
packet is built again exactly as it came, folded lines, compact names and bare line feeds included.
"""

import re
from typing import Any

from scapy.fields import StrField
from scapy.packet import Packet

MOST_LINES = 250  # of one message: what follows stays as it is

LINE_END = rb"\r?\n|\r|"


def has_room(before: Any, current: Any) -> bool:
    """Tell a list field whether another item may follow those before, and the current one."""
    return len(before) + (current is not None) < MOST_LINES


class PatternField(StrField):
    """Octets that match ``pattern`` at this place; the pattern must match the empty string too."""

    __slots__ = ["pattern"]

    def __init__(self, name: str, default: bytes | None, pattern: bytes) -> None:
        super().__init__(name, default)
        self.pattern = re.compile(pattern, re.DOTALL)

    def getfield(self, pkt: Any, s: Any) -> tuple[bytes, bytes]:
        """Return what follows, and the field."""
        match = self.pattern.match(s)
        end = match.end() if match else 0
        return s[end:], s[:end]


class Line(Packet):
    """One line of a message; what follows it belongs to the next one."""

    name = "line"

    def extract_padding(self, s: bytes) -> tuple[bytes, bytes]:
        """Return nothing as payload."""
        return b"", s
