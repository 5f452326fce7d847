"""ESP of a capture opened: each association with the keys under which its check values are right.

Spec: RFC 4303, 3.4.4; 3GPP TS 33.203, 7 and annex I. Keys come from a table given by hand (`esp_sa`), from
security agreements (`sec_agree`), and, where the capture does not show the agreement, from every CK and IK
that is known: the check value tells which is right. What was inside is appended to the index, so that SIP in
it is SIP like any other, at the frame of the outer packet. That may tell of further agreements: then there is
another round.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import NamedTuple

import numpy as np

from imslab.capture import esp, sip
from imslab.capture.columns import Column
from imslab.capture.esp_sa import Row
from imslab.capture.file import CaptureFile
from imslab.capture.flows import address
from imslab.capture.index import Index
from imslab.capture.registrations import Login, gather
from imslab.capture.sec_agree import agreements, keys
from imslab.capture.unlock import Keyring
from imslab.errors import EspError
from imslab.ipsec import Packet, SecurityAssociation
from imslab.ipsec.keys import encryption_key, integrity_key

_ANY = "*"
_SPI = 0xFFFFFFFF  # a column is signed: an SPI of 32 bits would come out below 0
_ROUNDS = 4
_SAMPLE = 3  # packets on which a candidate is tried
_MOST_TRIALS = 100_000  # in one capture
_MOST_FLOWS = 10_000  # that keys are tried on
_MOST_KEYS = 8  # under which one flow is opened, one after the other: a new agreement may use an SPI again
# Algorithms that a terminal and a P-CSCF may have agreed on, (alg, ealg), those with a check value.
_ALGORITHMS = (
    *product(("hmac-sha-1-96", "hmac-md5-96"), ("null", "aes-cbc", "des-ede3-cbc")),
    ("null", "aes-gcm"),
    ("aes-gmac", "null"),
)

Flow = tuple[str, str, int]  # source, destination, SPI


@dataclass(frozen=True, slots=True)
class Candidate:
    """Keys that may be those of a flow; ``source`` says where they come from, for people.

    ``unchecked``  octets of a check value that these keys cannot check
    """

    association: SecurityAssociation
    source: str
    unchecked: int = 0

    @property
    def authenticates(self) -> bool:
        """Whether opening proves anything."""
        return self.association.integrity != "null" or self.association.encryption == "aes-gcm"

    def open(self, octets: bytes) -> Packet | None:
        """Return the opened packet; None when these are not its keys."""
        try:
            return self.association.open(octets[: len(octets) - self.unchecked])
        except EspError:
            return None


@dataclass(frozen=True, slots=True)
class EspFlow:
    """The ESP packets of one association.

    ``decrypted``      of them, how many are opened;  ``authenticated``: had a check value that a key proved
    ``encryption``     "null", "aes-cbc", ...; "" when not known;  ``integrity``: the same
    ``keys_from``      "sec-agree (key)", "esp_sa", ...; "" when no key fitted, or none was needed
    """

    source: str
    destination: str
    spi: int
    frames: tuple[int, ...]
    decrypted: int
    authenticated: int
    encryption: str
    integrity: str
    keys_from: str

    @property
    def packets(self) -> int:
        """How many packets there are."""
        return len(self.frames)


class ClearText(NamedTuple):
    """What one ESP packet held; ``next_header``: 17 UDP, 6 TCP, 4 and 41 a whole IP packet."""

    frame: int
    source: str
    destination: str
    spi: int
    next_header: int
    payload: bytes


class Opening:
    """Opens what can be opened. ``told`` gives the keyring that knows the challenges of an index."""

    def __init__(
        self, file: CaptureFile, index: Index, keyring: Callable[[Index], Keyring], table: Sequence[Row] = ()
    ) -> None:
        self._file, self._keyring, self._table = file, keyring, table
        self._used: dict[Flow, list[Candidate]] = {}
        self._proved: set[int] = set()  # positions of packets whose check value was proved
        self._trials = 0
        self.index = index
        for _ in range(_ROUNDS):
            if not self._round():
                break

    def flows(self, frames: frozenset[int] | None = None) -> list[EspFlow]:
        """Return the associations that were seen, in the order of their first packets."""
        packets = self.index.esp
        found = []
        for flow, places in _flows(self.index):
            kept = [p for p in places.tolist() if frames is None or int(packets.frame[p]) in frames]
            if kept:
                found.append(self._flow(flow, kept))
        return sorted(found, key=lambda one: one.frames[0])

    def _flow(self, flow: Flow, places: list[int]) -> EspFlow:
        packets, used = self.index.esp, self._used.get(flow, [])
        opened = int(packets.opened[places].sum())
        last = used[-1] if used else None
        return EspFlow(
            *flow,
            tuple(packets.frame[places].tolist()),
            opened,
            sum(int(packets.start[place]) in self._proved for place in places),
            last.association.encryption if last else "null" if opened else "",
            last.association.integrity if last else "",
            last.source if last else "",
        )

    def clear(self) -> Iterator[ClearText]:
        """Yield what was in each opened packet, in the order of flows."""
        in_clear = self._in_clear()
        for flow, places in _flows(self.index):
            for place in places.tolist():
                frame, start = int(self.index.esp.frame[place]), int(self.index.esp.start[place])
                octets = self._octets(place)
                opened = (candidate.open(octets) for candidate in self._used.get(flow, ()))
                packet = next((one for one in opened if one is not None), None)
                if packet is not None:
                    yield ClearText(frame, *flow, packet.next_header, packet.payload)
                elif start in in_clear:
                    yield ClearText(frame, *flow, *in_clear[start])

    def rows(self) -> list[Row]:
        """Return the keys that opened something, as rows of Wireshark's table."""
        return [
            Row(source, destination, f"0x{spi:08x}", sa.encryption, sa.encryption_key, sa.integrity,
                sa.integrity_key, candidate.unchecked or None)
            for (source, destination, spi), used in self._used.items()
            for candidate in used
            for sa in (candidate.association,)
        ]  # fmt: skip

    # -- how ---------------------------------------------------------------------------------------

    def _in_clear(self) -> dict[int, tuple[int, bytes]]:
        """Return, by position, next header and payload of packets that are read without any key."""
        packets, inner = esp.in_clear(self.index.data, self.index.esp)
        columns = (packets.start[packets.opened], inner.protocol, inner.at, inner.end)
        return {
            start: (protocol, self.index.data[at:end])
            for start, protocol, at, end in zip(*(column.tolist() for column in columns), strict=True)
        }

    def _round(self) -> bool:
        """Open what this round's keys open; tell whether something new came to light."""
        candidates = _Candidates(self._file, self.index, self._keyring(self.index), self._table)
        inner: list[tuple[int, Packet]] = []
        for flow, places in _flows(self.index)[:_MOST_FLOWS]:
            inner += self._opened(flow, places, candidates)
        fresh = [(place, packet) for place, packet in inner if not self.index.esp.opened[place]]
        if fresh:
            self.index = _with(self.index, fresh)
        return bool(fresh)

    def _opened(self, flow: Flow, places: Column, candidates: "_Candidates") -> Iterator[tuple[int, Packet]]:
        """Yield the packets of a flow that keys open, with their places."""
        left = [p for p in places.tolist() if not self.index.esp.cut[p] and not self._is_done(p)]
        for _ in range(_MOST_KEYS):
            fitting = self._fitting(left, candidates.of(flow)) if left else None
            if fitting is None:
                return
            self._used.setdefault(flow, []).append(fitting)
            rest = []
            for place in left:
                packet = fitting.open(self._octets(place))
                if packet is None:
                    rest.append(place)
                    continue
                if fitting.authenticates:
                    self._proved.add(int(self.index.esp.start[place]))
                yield place, packet
            left = rest

    def _fitting(self, places: list[int], candidates: Iterable[Candidate]) -> Candidate | None:
        middle = len(places) // 2
        sample = [self._octets(place) for place in dict.fromkeys((*places[:_SAMPLE], places[middle]))]
        for candidate in candidates:
            self._trials += len(sample)
            if self._trials > _MOST_TRIALS:
                return None
            if any(candidate.open(octets) is not None for octets in sample):
                return candidate
        return None

    def _is_done(self, place: int) -> bool:
        return int(self.index.esp.start[place]) in self._proved

    def _octets(self, place: int) -> bytes:
        start = int(self.index.esp.start[place])
        return self.index.data[start : start + int(self.index.esp.length[place])]


class _Candidates:
    """The keys that a round has, by flow."""

    def __init__(self, file: CaptureFile, index: Index, keyring: Keyring, table: Sequence[Row]) -> None:
        self._file, self._index, self._keyring = file, index, keyring
        self._rows: dict[str, list[Row]] = {}  # by SPI, those with a pattern under "*"
        for row in table:
            self._rows.setdefault(_ANY if _ANY in row.spi else row.spi, []).append(row)

    def of(self, flow: Flow) -> Iterator[Candidate]:
        """Yield candidates, the likely ones first."""
        source, destination, spi = flow
        if not spi:
            return  # of no association (RFC 4303, 2.1)
        for row in (*self._rows.get(f"0x{spi:08x}", ()), *self._rows.get(_ANY, ())):
            if row.fits(source, destination, spi):
                yield Candidate(row.association(spi), "esp_sa", row.unchecked or 0)
        agreed = self._agreed.get(spi, ())
        yield from (candidate for known, candidate in agreed if known == flow)
        yield from (candidate for known, candidate in agreed if known != flow)  # a NAT changes addresses
        for ck, ik, told in self._pairs:
            for alg, ealg in _ALGORITHMS:
                both = ealg, encryption_key(ealg, ck, ik), alg, integrity_key(alg, ck, ik)
                yield Candidate(SecurityAssociation(spi, *both), f"CK, IK ({told})")

    @cached_property
    def _logins(self) -> list[Login]:
        events = sip.read(self._file, self._index, [])
        return gather(events, self._keyring)

    @cached_property
    def _agreed(self) -> dict[int, list[tuple[Flow, Candidate]]]:
        """What was agreed, by SPI."""
        found: dict[int, list[tuple[Flow, Candidate]]] = {}
        for agreement in agreements(self._logins):
            for one in agreement.associations:
                ends = (agreement.ue, agreement.pcscf) if one.from_ue else (agreement.pcscf, agreement.ue)
                candidate = Candidate(one.sa, f"sec-agree ({agreement.source})")
                found.setdefault(one.sa.spi, []).append(((*ends, one.sa.spi), candidate))
        return found

    @cached_property
    def _pairs(self) -> list[tuple[bytes, bytes, str]]:
        """All CK and IK that are known, with where from."""
        found: dict[tuple[bytes, bytes], str] = {}
        for login in self._logins:
            for challenge in login.challenges:
                for pair in keys(challenge):
                    assert challenge.opened is not None
                    found.setdefault(pair, challenge.opened.source)
        return [(*pair, told) for pair, told in found.items()]


def _flows(index: Index) -> list[tuple[Flow, Column]]:
    """Return the places of the ESP packets of each association."""
    esp = index.esp
    numbers, which = np.unique(esp.spi << 32 | esp.pair, return_inverse=True)
    order = np.argsort(which, kind="stable")
    places = np.split(order, np.flatnonzero(np.diff(which[order])) + 1) if len(order) else []
    source, target = index.flows.addresses(numbers & 0xFFFFFFFF)
    ends = ((address(a.tobytes()), address(b.tobytes())) for a, b in zip(source, target, strict=True))
    names = [(*both, number >> 32 & _SPI) for both, number in zip(ends, numbers.tolist(), strict=True)]
    return list(zip(names, places, strict=True))


def _with(index: Index, opened: Sequence[tuple[int, Packet]]) -> Index:
    """Return the index with what these ESP packets held, and the packets marked as opened."""
    places = np.array([place for place, _ in opened])
    protocol = np.array([packet.next_header for _, packet in opened], np.int64)
    return index.opened(places, protocol, [packet.payload for _, packet in opened])
