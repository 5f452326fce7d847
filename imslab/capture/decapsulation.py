"""From packets to what they carry at last: one header after the other, for all packets at once.

Each step moves columns of positions over one header, for the packets that have it. UDP and TCP are the end
of the way, unless a tunnel goes on in them; fragments and ESP wait until all packets were seen. What does
not fit drops out.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from imslab.capture import esp, link, transport, tunnels, turn
from imslab.capture.buffer import Octets
from imslab.capture.columns import Column, Columns, Mask
from imslab.capture.encapsulation import Encapsulation
from imslab.capture.esp import EspPackets
from imslab.capture.flows import ESP, TCP, UDP, Flows
from imslab.capture.fragments import Piece, Reassembler
from imslab.capture.ip import Packets, Payloads, Via, payloads, stepped
from imslab.capture.transport import Segments

_HEADERS = 80  # octets of a frame in which its headers mostly lie
_DEEPEST = 8  # IP headers in one packet
_IP_IN_IP, _IPV6_IN_IP, _GRE = 4, 41, 47
_ESP_PORT = 4500  # RFC 3948
_MAYBE_CHANNEL = 0x8000  # among the flags of Via, until all datagrams of a flow were seen
_UNMARKED = 0  # four octets that say: not ESP but IKE


@dataclass(frozen=True, slots=True)
class Rows(Columns):
    """What an index is made of; see Index for the columns."""

    frame: Column
    flow: Column
    start: Column
    length: Column
    cut: Mask
    via: Column
    seq: Column
    flags: Column
    head: NDArray[np.uint8]


class Decapsulation:
    """Follows packets to their innermost datagrams, and keeps these, and the ESP packets on the way."""

    def __init__(self, data: Octets, flows: Flows, time: Column) -> None:
        self._data, self._flows, self._time = data, flows, time
        self._fragments: list[Payloads] = []
        self._rows: list[Rows] = []
        self._esp: list[EspPackets] = []
        self._too_deep = 0
        self._warnings: list[str] = []
        self.seen = Encapsulation()

    def frames(self, kind: int, frame: Column, start: Column, end: Column, cut: Mask) -> bool:
        """Take frames of one link type; return False when that is not known here."""
        self._data.look(start, _HEADERS)
        at = link.network(self._data, kind, start, end, self.seen)
        if at is None:
            return False
        there = (at >= 0) & (at < end)
        via = np.zeros(len(frame), np.uint16)
        packets = Packets(frame, at, end, cut, via)
        self.packets(packets if there.all() else packets[there])
        return True

    def packets(self, packets: Packets) -> None:
        """Take IP packets, and whatever IP packets are within them."""
        for _ in range(_DEEPEST):
            if not len(packets):
                return
            inner = [
                each for found in payloads(self._data, packets, self._flows) for each in self._inner(found)
            ]
            if not inner:
                return
            packets = Packets.joined(inner)
        self._too_deep += len(packets)

    def payloads(self, found: Payloads) -> None:
        """Take what IP packets carry."""
        for packets in self._inner(found):
            self.packets(packets)

    def finish(self) -> tuple[Rows, EspPackets, list[str]]:
        """Put fragments together, open ESP that is in clear; return rows, ESP packets, and warnings."""
        closed: list[EspPackets] = [EspPackets.read(self._data, _NO_PAYLOADS)]
        for _ in range(_DEEPEST):
            self._reassemble()
            if not self._esp:
                break
            packets, clear = esp.in_clear(self._data, EspPackets.joined(self._esp))
            self._esp = []
            closed.append(packets)
            self.payloads(clear)
        rows = self._without_channels(Rows.joined([_NO_ROWS, *self._rows]))
        self._rows = []
        if self._too_deep:
            deep = f"{self._too_deep} packets were left out: more than {_DEEPEST} IP headers in each other"
            self._warnings.append(deep)
        return in_order(rows), in_order(EspPackets.joined(closed)), self._warnings

    # -- how ---------------------------------------------------------------------------------------

    def _inner(self, found: Payloads) -> Iterator[Packets]:
        """Take each kind of payload where it belongs; yield the IP packets that go on within."""
        whole = found.fragment == 0
        if not whole.all():
            self._fragments.append(found[~whole])
            self.seen.count("IP fragment", np.where(found.pair[~whole] & 1, 6, 4))
            found = found[whole]
        for protocols, take in (
            ((UDP,), self._udp),
            ((TCP,), self._tcp),
            ((_IP_IN_IP, _IPV6_IN_IP), self._ip),
            ((_GRE,), self._gre),
            ((ESP,), self._esp_packets),
        ):
            mine = found.protocol == protocols[0]
            for other in protocols[1:]:
                mine |= found.protocol == other
            if mine.all():
                yield from take(found)
                return
            if mine.any():
                yield from take(found[mine])

    def _udp(self, found: Payloads) -> Iterator[Packets]:
        s = transport.udp(self._data, found)
        inner, via = tunnels.over_udp(self._data, s.start, s.limit, s.sport, s.dport, self.seen)
        tunnelled = inner >= 0
        if tunnelled.any():
            mine = s[tunnelled]
            yield _packets(mine, inner[tunnelled], mine.via | via[tunnelled].astype(np.uint16))
            s = s[~tunnelled]
        self._esp_in_udp(s)
        channel = s.head[:, 0] >> 4 == 4
        if channel.any():
            s = replace(s, via=s.via | channel * np.uint16(_MAYBE_CHANNEL))
        self._rows.append(self._as_rows(s, UDP))
        told = np.isin(s.head.view(">u2")[:, 0], turn.INDICATIONS)
        if told.any():
            outer = self._as_rows(s[told], UDP)
            self._rows.append(self._within(outer, turn.indications(self._data, outer.start, outer.length)))

    def _tcp(self, found: Payloads) -> Iterator[Packets]:
        self._rows.append(self._as_rows(transport.tcp(self._data, found), TCP))
        yield from ()

    def _ip(self, found: Payloads) -> Iterator[Packets]:
        yield _packets(found, found.at, found.via | Via.IP_IN_IP)

    def _gre(self, found: Payloads) -> Iterator[Packets]:
        inner = tunnels.gre(self._data, found.at, found.end, self.seen)
        there = inner >= 0
        yield _packets(found[there], inner[there], found.via[there] | Via.GRE)

    def _esp_packets(self, found: Payloads) -> Iterator[Packets]:
        self._esp.append(EspPackets.read(self._data, found))
        yield from ()

    def _esp_in_udp(self, s: Segments) -> None:
        near = ((s.sport == _ESP_PORT) | (s.dport == _ESP_PORT)) & (s.end - s.start > esp.HEADER)
        if near.any():
            mine = s[near]
            mine = mine[self._data.u32(mine.start) != _UNMARKED]
            whole = np.zeros(len(mine), np.int64)
            via = mine.via | Via.ESP_IN_UDP
            place = mine.frame, mine.start, mine.end, mine.limit, mine.cut, via, mine.pair
            self._esp.append(EspPackets.read(self._data, Payloads(*place, whole, whole, whole)))

    def _as_rows(self, s: Segments, protocol: int) -> Rows:
        flow = self._flows.numbers(s.pair, np.full(len(s), protocol), s.sport, s.dport)
        length, cut = (s.end - s.start).astype(np.int32), s.cut & (s.end < s.limit)
        seq, flags = s.seq.astype(np.uint32), s.flags.astype(np.uint8)
        return Rows(s.frame, flow.astype(np.int32), s.start, length, cut, s.via, seq, flags, s.head)

    def _reassemble(self) -> None:
        """Put fragments together, also those that are themselves within fragmented datagrams.

        The latter are only seen when the former are whole, and yet may be the first to complete a datagram:
        all are taken again, in the order of their frames, until no others turn up.
        """
        if not self._fragments:
            return
        outer, within = Payloads.joined(self._fragments), _NO_PAYLOADS
        known: dict[tuple[Piece, ...], int] = {}
        for _ in range(_DEEPEST):
            inside = Decapsulation(self._data, self._flows, self._time)
            reassembler = Reassembler(self._data, self._time, known)
            whole = reassembler.receive(in_order(Payloads.joined([outer, within])))
            if whole is not None:
                inside.payloads(stepped(self._data, whole))
            found = Payloads.joined([_NO_PAYLOADS, *inside._fragments])
            if np.array_equal(found.at, within.at):
                break
            within = found
        self._fragments = []
        self._warnings += reassembler.warnings()
        self._take(inside)

    def _take(self, inside: "Decapsulation") -> None:
        self._rows += inside._rows
        self._esp += inside._esp
        self._too_deep += inside._too_deep
        self.seen.counts += inside.seen.counts

    def _without_channels(self, rows: Rows) -> Rows:
        """Return the rows with what is in ChannelData in its place."""
        maybe = np.flatnonzero(rows.via & _MAYBE_CHANNEL)
        if not len(maybe):
            return rows
        rows.via[maybe] &= ~np.uint16(_MAYBE_CHANNEL)
        asked = rows[maybe]
        inner = turn.channel_data(self._data, asked.flow, asked.start, asked.length)
        found, place = self._within(asked, inner), maybe[inner.row]
        for name in ("start", "length", "via", "head"):
            getattr(rows, name)[place] = getattr(found, name)
        return rows

    def _within(self, rows: Rows, inner: turn.Inner) -> Rows:
        """Return what is relayed in some of ``rows``."""
        of, length = rows[inner.row], inner.length.astype(np.int32)
        head = self._data.windows(inner.start, transport.HEAD)
        return replace(of, start=inner.start, length=length, via=of.via | Via.TURN, head=head)


def _packets(of: Payloads | Segments, at: Column, via: Column) -> Packets:
    return Packets(of.frame, at, of.end, of.cut, via)


_Table = TypeVar("_Table", Payloads, EspPackets, Rows)


def in_order(table: _Table) -> _Table:
    """Return the rows in the order of their frames."""
    frame = table.frame
    if (frame[1:] >= frame[:-1]).all():
        return table
    return table[np.argsort(frame, kind="stable")]


_FRAMES, _NONE, _NO, _FLAGS = (
    np.zeros(0, np.int32),
    np.zeros(0, np.int64),
    np.zeros(0, np.bool_),
    np.zeros(0, np.uint16),
)
_NO_PAYLOADS = Payloads(_FRAMES, _NONE, _NONE, _NONE, _NO, _FLAGS, _NONE, _NONE, _NONE, _NONE)
_NO_ROWS = Rows(
    _FRAMES, _FRAMES, _NONE, _FRAMES, _NO, _FLAGS, np.zeros(0, np.uint32), np.zeros(0, np.uint8),
    np.zeros((0, transport.HEAD), np.uint8),
)  # fmt: skip
