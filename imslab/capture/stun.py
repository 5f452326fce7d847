"""STUN and TURN in a capture: messages counted, and which ICE names speak at which sockets.

Spec: RFC 8489, section 5 (header, magic cookie) and 14.3 (USERNAME); RFC 8445, 7.1.2 (USERNAME of a
connectivity check: the receiver's name, a colon, the sender's); RFC 8656 (TURN). Over TCP one message
follows the other (RFC 8489, 6.2.2). Messages without the magic cookie (RFC 3489) are not told from chance.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from imslab.capture.index import TCP, UDP, Column, Index, Mask
from imslab.capture.reassemble import Endpoint

HEADER = 20  # octets
COOKIE = 0x2112A442
BINDING_REQUEST, BINDING_SUCCESS = 0x0001, 0x0101
_USERNAME = 0x0006
# The methods of IANA's registry; what applications made up for themselves is not counted.
_METHODS = {
    1: "Binding", 2: "SharedSecret", 3: "Allocate", 4: "Refresh", 6: "Send", 7: "Data", 8: "CreatePermission",
    9: "ChannelBind", 10: "Connect", 11: "ConnectionBind", 12: "ConnectionAttempt", 128: "GOOG-PING",
}  # fmt: skip
_CLASSES = ("Request", "Indication", "Success", "Error")
_MOST_IN_SEGMENT = 64


@dataclass(frozen=True, slots=True)
class StunMessages:
    """STUN messages as columns: the row of the index, and the message type (14 bits)."""

    row: Column
    type: Column
    start: Column = field(repr=False)
    length: Column = field(repr=False)

    def __len__(self) -> int:
        return len(self.row)

    def take(self, which: Mask) -> "StunMessages":
        """Return the messages that a mask selects."""
        return StunMessages(*(getattr(self, name)[which] for name in self.__slots__))

    @property
    def by_type(self) -> dict[str, int]:
        """How many messages there are of each type, as "0x0001 Binding Request"."""
        return {name_of(kind): count for kind, count in sorted(Counter(self.type.tolist()).items())}


def read(index: Index) -> StunMessages:
    """Return the STUN messages of a capture in the order of their rows."""
    rows = np.flatnonzero((index.words[:, 1] == COOKIE) & (index.length >= HEADER))
    kind, length = index.data.u16(index.start[rows]), index.data.u16(index.start[rows] + 2)
    form = (
        (kind < 0x4000)
        & np.isin(_method(kind), list(_METHODS))
        & (length % 4 == 0)
        & (length + HEADER <= index.length[rows])
    )
    rows = rows[form]
    first = StunMessages(rows, kind[form], index.start[rows], length[form])
    return _with_followers(index, first)


def _with_followers(index: Index, first: StunMessages) -> StunMessages:
    """Add the messages that follow another one in the same TCP segment."""
    more = (index.protocol[first.row] == TCP) & (first.length + HEADER < index.length[first.row])
    found = [(row, *one) for row in first.row[more].tolist() for one in _followers(index, row)]
    if not found:
        return first
    columns = [np.array(column, np.int64) for column in zip(*found, strict=True)]
    mine = first.row, first.type, first.start, first.length
    joined = [np.concatenate(pair) for pair in zip(mine, columns, strict=True)]
    order = np.argsort(joined[0], kind="stable")
    return StunMessages(*(column[order] for column in joined))


def _followers(index: Index, row: int) -> Iterator[tuple[int, int, int]]:
    octets = index.octets(row)
    at = HEADER + int.from_bytes(octets[2:4])
    for _ in range(_MOST_IN_SEGMENT):
        kind, length = int.from_bytes(octets[at : at + 2]), int.from_bytes(octets[at + 2 : at + 4])
        if int.from_bytes(octets[at + 4 : at + 8]) != COOKIE or at + HEADER + length > len(octets):
            return
        yield kind, int(index.start[row]) + at, length
        at += HEADER + length


def name_of(kind: int) -> str:
    """Return a message type in words, its number first."""
    group = _CLASSES[(kind & 0x0010) >> 4 | (kind & 0x0100) >> 7]
    return f"0x{kind:04x} {_METHODS.get(_method(kind), 'unknown')} {group}"


def _method(kind: Any) -> Any:
    """Return the method within a message type: the class lies between its bits (RFC 8489, 5)."""
    return kind & 0x000F | (kind & 0x00E0) >> 1 | (kind & 0x3E00) >> 2


def ice_names(index: Index, messages: StunMessages) -> Iterator[tuple[Endpoint, str]]:
    """Yield the sockets of connectivity checks with the ICE name (ufrag) of each, one time each."""
    checks = np.flatnonzero((messages.type == BINDING_REQUEST) & (index.protocol[messages.row] == UDP))
    seen = set()
    for check in checks.tolist():
        start = int(messages.start[check]) + HEADER
        body = index.data[start : start + int(messages.length[check])]
        receiver, colon, sender = _username(body).partition(":")
        ends = index.endpoints(int(messages.row[check]))
        for one in zip(ends, (sender, receiver), strict=True) if colon else ():
            if one not in seen:
                seen.add(one)
                yield one


def _username(body: bytes) -> str:
    at = 0
    while at + 4 <= len(body):
        kind, length = int.from_bytes(body[at : at + 2]), int.from_bytes(body[at + 2 : at + 4])
        if kind == _USERNAME:
            return body[at + 4 : at + 4 + length].decode("utf-8", "replace")
        at += 4 + length + -length % 4
    return ""
