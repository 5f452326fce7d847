"""Flows: who sends to whom, on which ports, each different combination once.

A row of the index says only the number of its flow; what belongs to a flow (addresses as 16 octets, IPv4 as
::ffff:a.b.c.d, RFC 4291, section 2.5.5.2; ports; protocol) stands here. Rows are grouped by their numbers.
"""

import ipaddress
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from imslab.capture.columns import Addresses, Column

UDP, TCP, ESP = 17, 6, 50
_PROTOCOLS = np.array([UDP, TCP, ESP])
_V4_IN_V6 = bytes(10) + b"\xff\xff"

Words = NDArray[np.uint64]
Endpoint = tuple[str, int]


@lru_cache(maxsize=4096)
def address(octets: bytes) -> str:
    """Return the text of an address of 16 octets; IPv4 in its own form."""
    if octets.startswith(_V4_IN_V6):
        return str(ipaddress.IPv4Address(octets[12:]))
    return str(ipaddress.IPv6Address(octets))


class Interner:
    """Gives each different value a number, from 0 on, in the order in which they come."""

    def __init__(self) -> None:
        self._sorted = np.zeros(0, np.uint64)  # the values, and beside each its number
        self._number = np.zeros(0, np.int64)
        self.values = np.zeros(0, np.uint64)  # by number

    def numbers(self, values: Words) -> Column:
        """Return the number of each value; values that are new get one."""
        place = np.searchsorted(self._sorted, values)
        if len(self._sorted):
            known = self._sorted[np.minimum(place, len(self._sorted) - 1)] == values
        else:
            known = np.zeros(len(values), np.bool_)
        if not known.all():
            self._learn(np.sort(values[~known]))
            place = np.searchsorted(self._sorted, values)
        return self._number[place] if len(values) else np.zeros(0, np.int64)

    def _learn(self, new: Words) -> None:
        # (np.unique would do, but loads numpy.ma for it)
        new = new[np.append(True, new[1:] != new[:-1])]
        at = np.searchsorted(self._sorted, new)
        numbers = np.arange(len(self.values), len(self.values) + len(new))
        self._sorted = np.insert(self._sorted, at, new)
        self._number = np.insert(self._number, at, numbers)
        self.values = np.concatenate([self.values, new])


class Flows:
    """All flows of a capture; it grows while packets are read, and numbers once given stay."""

    def __init__(self) -> None:
        self._half, self._host = Interner(), Interner()
        self._pairs4, self._pairs6, self._flows = Interner(), Interner(), Interner()
        self._asked: dict[int, tuple[Endpoint, Endpoint]] = {}

    def __len__(self) -> int:
        return len(self._flows.values)

    # -- taking in ---------------------------------------------------------------------------------

    def pairs4(self, both: Addresses) -> Column:
        """Return the numbers of pairs of IPv4 addresses: 8 octets a row, the source first."""
        return self._pairs4.numbers(np.ascontiguousarray(both).view(np.uint64)[:, 0]) * 2

    def pairs6(self, both: Addresses) -> Column:
        """Return the numbers of pairs of IPv6 addresses: 32 octets a row, the source first."""
        words = np.ascontiguousarray(both).view(np.uint64)
        halves = [self._half.numbers(np.ascontiguousarray(words[:, place])) for place in range(4)]
        hosts = [self._host.numbers(_beside(*halves[place : place + 2])) for place in (0, 2)]
        return self._pairs6.numbers(_beside(*hosts)) * 2 + 1

    def pairs(self, source: Addresses, target: Addresses) -> Column:
        """Return the numbers of pairs of addresses of 16 octets each."""
        prefix = np.frombuffer(_V4_IN_V6, np.uint8)
        four = (source[:, :12] == prefix).all(axis=1) & (target[:, :12] == prefix).all(axis=1)
        found = np.zeros(len(source), np.int64)
        found[four] = self.pairs4(np.hstack([source[four, 12:], target[four, 12:]]))
        found[~four] = self.pairs6(np.hstack([source[~four], target[~four]]))
        return found

    def numbers(self, pair: Column, protocol: Column, sport: Column, dport: Column) -> Column:
        """Return the flow numbers of rows; ``protocol`` is one of UDP, TCP, ESP (which has no ports)."""
        kind = np.where(protocol == UDP, 0, np.where(protocol == TCP, 1, 2))
        key = pair.astype(np.int64) << 34 | sport.astype(np.int64) << 18 | dport.astype(np.int64) << 2 | kind
        return self._flows.numbers(key.astype(np.uint64))

    # -- giving out --------------------------------------------------------------------------------

    @property
    def protocol(self) -> NDArray[np.uint8]:
        """Of each flow: UDP, TCP or ESP."""
        return _PROTOCOLS[self._kind].astype(np.uint8)

    @property
    def _kind(self) -> Column:
        return (self._flows.values & np.uint64(3)).astype(np.int64)

    @property
    def sport(self) -> NDArray[np.int32]:
        """Of each flow: the source port."""
        return (self._flows.values >> np.uint64(18) & np.uint64(0xFFFF)).astype(np.int32)

    @property
    def dport(self) -> NDArray[np.int32]:
        """Of each flow: the destination port."""
        return (self._flows.values >> np.uint64(2) & np.uint64(0xFFFF)).astype(np.int32)

    @property
    def pair(self) -> Column:
        """Of each flow: the number of its pair of addresses."""
        return (self._flows.values >> np.uint64(34)).astype(np.int64)

    def conversations(self) -> Column:
        """Return a number for each flow, which the flow in the other direction has too."""
        source, target = self.addresses(self.pair)
        ends = [
            np.hstack([address, port.astype(">u2").view(np.uint8).reshape(-1, 2)])
            for address, port in ((source, self.sport), (target, self.dport))
        ]
        one, other = (np.ascontiguousarray(end).view("V18")[:, 0] for end in ends)
        names, which = np.unique(np.concatenate([one, other]), return_inverse=True)
        low, high = np.sort(which.reshape(2, -1), axis=0)
        pairs = low * len(names) + high
        return np.unique(pairs * len(_PROTOCOLS) + self._kind, return_inverse=True)[1]

    def addresses(self, pair: Column) -> tuple[Addresses, Addresses]:
        """Return the sources and the targets of pairs, 16 octets each."""
        pair = pair.astype(np.int64)
        found, six = np.zeros((len(pair), 2, 16), np.uint8), pair & 1 == 1
        four4 = self._pairs4.values[pair[~six] >> 1]
        found[~six, :, :12] = np.frombuffer(_V4_IN_V6, np.uint8)
        found[~six, :, 12:] = four4.view(np.uint8).reshape(-1, 2, 4)
        hosts = _apart(self._pairs6.values[pair[six] >> 1])
        halves = _apart(self._host.values[hosts])
        found[six] = self._half.values[halves].view(np.uint8).reshape(-1, 2, 16)
        return found[:, 0], found[:, 1]

    def endpoints(self, flow: int) -> tuple[Endpoint, Endpoint]:
        """Return ((source address, port), (destination address, port)) of a flow."""
        if flow not in self._asked:
            key = int(self._flows.values[flow])
            source, target = self.addresses(np.array([key >> 34]))
            self._asked[flow] = (
                (address(source[0].tobytes()), key >> 18 & 0xFFFF),
                (address(target[0].tobytes()), key >> 2 & 0xFFFF),
            )
        return self._asked[flow]


def _beside(high: Column, low: Column) -> Words:
    return high.astype(np.uint64) << np.uint64(32) | low.astype(np.uint64)


def _apart(values: Words) -> Column:
    """Undo ``_beside``: n by 2."""
    both = np.stack([values >> np.uint64(32), values & np.uint64(0xFFFFFFFF)], axis=-1)
    return both.astype(np.int64)
