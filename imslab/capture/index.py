"""One pass over all packets: which datagrams and segments there are, and where, as columns.

Spec: the link types of tcpdump.org/linktypes.html, RFC 791, RFC 8200, RFC 768, RFC 9293; tunnels as in
`tunnels`, `esp` and `turn`.

Nothing here looks at one packet: frames are taken in parts that fit a processor's cache, and each step moves
columns of positions over one header, for all packets that have it (`decapsulation`). A row is what a packet
carries at last: the SIP message in a UDP datagram in GTP-U, not the GTP-U. What does not fit drops out.

What lies in no frame as it is (reassembled datagrams, what ESP held) is appended to ``data``. Whoever opens
ESP with a key adds what was in it with `Index.extended`.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from imslab.capture.buffer import Octets
from imslab.capture.columns import Addresses, Column, Mask
from imslab.capture.decapsulation import Decapsulation, Rows, in_order
from imslab.capture.esp import EspPackets
from imslab.capture.file import CaptureFile
from imslab.capture.flows import TCP, UDP, Endpoint, Flows, address
from imslab.capture.ip import Payloads, Via
from imslab.capture.link import LINK_NAMES

__all__ = ["LINK_NAMES", "TCP", "UDP", "Column", "Index", "Mask", "Via", "address", "build"]

_PART = 32_768  # frames that are taken at a time


@dataclass(frozen=True)
class Index:
    """UDP datagrams and TCP segments, one row for each, in the order of their frames.

    ``data``           the octets of the file, and behind them those that lie in no frame (see `buffer`)
    ``flows``          addresses, ports and protocol of each flow;  ``flow``: the number of each row's flow
    ``frame``          the frame's number, from 1 (int32)
    ``start, length``  of the payload: its position in ``data``, and octets (int64, int32)
    ``cut``            the capture holds less of the payload than was sent
    ``via``            what it was taken out of: flags of `Via`
    ``seq, flags``     of TCP; 0 for UDP
    ``protocol, sport, dport, source, target``  of the row's flow, made when first asked for; addresses
                       are 16 octets (IPv4 as ::ffff:a.b.c.d), an array of n by 16
    ``esp``            the ESP packets, opened or not
    ``encapsulation``  how many headers of each kind were seen: ("VLAN", 42), ("GTP-U", TEID),
                       ("IP fragment", 4), ...

    A frame has no row (ARP, ICMP, a fragment), one, or several (a TURN indication and what is relayed in it).
    """

    data: Octets = field(repr=False)
    flows: Flows = field(repr=False)
    rows: Rows = field(repr=False)
    esp: EspPackets = field(repr=False)
    encapsulation: Counter[tuple[str, int]] = field(default_factory=Counter, repr=False)
    warnings: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def frame(self) -> Column:
        """The frame of each row, from 1."""
        return self.rows.frame

    @property
    def flow(self) -> Column:
        """The number of each row's flow."""
        return self.rows.flow

    @property
    def start(self) -> Column:
        """The position of each row's payload in ``data``."""
        return self.rows.start

    @property
    def length(self) -> Column:
        """Octets of each row's payload."""
        return self.rows.length

    @property
    def cut(self) -> Mask:
        """Of which rows the capture holds only a part."""
        return self.rows.cut

    @property
    def via(self) -> Column:
        """What each row was taken out of: flags of `Via`."""
        return self.rows.via

    @property
    def flags(self) -> Column:
        """The flags of TCP (RFC 9293, 3.1)."""
        return self.rows.flags

    @cached_property
    def seq(self) -> Column:
        """The sequence numbers of TCP."""
        return self.rows.seq.astype(np.int64)

    @cached_property
    def protocol(self) -> NDArray[np.uint8]:
        """UDP or TCP."""
        return self.flows.protocol[self.flow]

    @cached_property
    def sport(self) -> NDArray[np.int32]:
        """The source port of each row."""
        return self.flows.sport[self.flow]

    @cached_property
    def dport(self) -> NDArray[np.int32]:
        """The destination port of each row."""
        return self.flows.dport[self.flow]

    @cached_property
    def source(self) -> Addresses:
        """The source address of each row, 16 octets."""
        return self.flows.addresses(self.flows.pair)[0][self.flow]

    @cached_property
    def target(self) -> Addresses:
        """The destination address of each row, 16 octets."""
        return self.flows.addresses(self.flows.pair)[1][self.flow]

    @property
    def head(self) -> NDArray[np.uint8]:
        """The first 12 octets from each row's payload on, n by 12: what tells protocols apart.

        Of a shorter payload the rest is what follows it in the data: look at ``length`` too.
        """
        return self.rows.head

    @property
    def words(self) -> NDArray[np.uint32]:
        """The same as numbers of four octets, most significant first: n by 3."""
        return self.head.view(">u4")

    def octets(self, row: int) -> bytes:
        """Return the payload of a row."""
        start = int(self.start[row])
        return self.data[start : start + int(self.length[row])]

    def endpoints(self, row: int) -> tuple[Endpoint, Endpoint]:
        """Return ((source address, port), (destination address, port)) of a row."""
        return self.flows.endpoints(int(self.flow[row]))

    def extended(
        self,
        frame: Column,
        source: Addresses,
        target: Addresses,
        protocol: Column,
        octets: Sequence[bytes],
        via: Via | Column = Via.ESP,
    ) -> "Index":
        """Return this index with the rows that IP payloads hold, which somebody has made readable.

        One payload a row: the ``frame`` it came in, the addresses of the IP header before it, its IP
        ``protocol`` (17 UDP, 6 TCP, 4 and 41 IP in IP, 50 ESP, ...) and its ``octets``. Tunnels and fragments
        within are followed as in a file. The octets are appended to ``data``; the rows of this index keep
        their order among each other, not their numbers.
        """
        start = self.data.extend(octets)
        end = start + np.array([len(string) for string in octets], np.int64)
        whole, mark = np.zeros(len(start), np.int64), np.broadcast_to(np.asarray(via, np.uint16), len(start))
        place = frame.astype(np.int32), start, end, end, whole > 0, mark
        pair = self.flows.pairs(source, target)
        inner = Decapsulation(self.data, self.flows, np.zeros(0, np.int64))
        inner.payloads(Payloads(*place, pair, protocol.astype(np.int64), whole, whole))
        return self._joined(inner)

    def opened(self, which: Column, protocol: Column, clear: Sequence[bytes]) -> "Index":
        """Return this index with what some ESP packets hold, once somebody has a key to them.

        ``which`` are positions in ``esp``; beside each the next header and the octets that it stands for, as
        they were before encryption (RFC 4303, 2.6), without trailer.
        """
        packets = self.esp[which]
        pairs = self.flows.addresses(packets.pair)
        found = self.extended(packets.frame, *pairs, protocol, clear, packets.via | Via.ESP)
        marked = self.esp.opened.copy()
        marked[which] = True
        esp = replace(self.esp, opened=marked)
        inner = found.esp[~np.isin(found.esp.start, self.esp.start)]
        return replace(found, esp=in_order(EspPackets.joined([esp, inner])))

    def _joined(self, inner: Decapsulation) -> "Index":
        rows, esp, warnings = inner.finish()
        return Index(
            self.data,
            self.flows,
            in_order(Rows.joined([self.rows, rows])),
            in_order(EspPackets.joined([self.esp, esp])),
            self.encapsulation + inner.seen.counts,
            [*self.warnings, *warnings],
        )


def build(capture: CaptureFile) -> Index:
    """Go over all packets of ``capture`` and return what they carry."""
    records, data, flows = capture.records, Octets(capture.data), Flows()
    inside, unknown = Decapsulation(data, flows, records.time), Counter[int]()
    for first in range(0, len(capture), _PART):
        part = slice(first, first + _PART)
        start, length, link = records.offset[part], records.length[part], records.link[part]
        frame = np.arange(first + 1, first + len(start) + 1, dtype=np.int32)
        columns = frame, start, start + length, length < records.original[part]
        for kind in _different(link):
            mine = link == kind
            these = columns if mine.all() else tuple(column[mine] for column in columns)
            if not inside.frames(kind, *these):
                unknown[kind] += len(these[0])
    rows, esp, warnings = inside.finish()
    left_out = [
        f"{many} packets of link type {kind} were left out: not known" for kind, many in unknown.items()
    ]
    return Index(data, flows, rows, esp, inside.seen.counts, left_out + warnings)


def _different(link: Column) -> list[int]:
    first = int(link[0])
    return [first] if (link == first).all() else np.unique(link).tolist()
