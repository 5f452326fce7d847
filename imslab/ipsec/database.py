"""The security associations of one end of the Gm interface: what it opens, and under which it sends.

Spec: RFC 4301, 4.4 (databases, selectors) and 5; RFC 4303, 3.3 and 3.4; 3GPP TS 33.203, 7.1 and 7.4. Over UDP
requests and answers alike go to the protected *server* port of who receives, and that port stays when the
associations change: so an end is known by its address and that port, its ``Peer``, however often it has
proved itself again.

Teaching code: it is not constant time, but for the comparison of checks.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

from imslab.errors import EspError
from imslab.ipsec import tcp
from imslab.ipsec.associations import Association, Associations
from imslab.ipsec.datagram import datagram, payload_of
from imslab.ipsec.esp import TCP, UDP, Inbound, Outbound, header
from imslab.ipsec.streams import Streams

MOST = 200_000  # sets at one end ...
MOST_UNPROVEN = 20_000  # ... and of these, that nobody has used yet: anybody can ask for one

_RESERVED = 0xFF  # SPIs up to this are nobody's (RFC 4303, 2.1)

Peer = tuple[str, int]  # IP literal, and the protected server port there


@dataclass(slots=True, eq=False)
class SaSet:
    """The four associations of one agreement, as one end has them.

    ``peer``     who is at the other end
    ``until``    seconds on the caller's clock: from then on nothing is opened any more
    ``carrier``  port at the peer to which ESP in UDP goes (RFC 3948); 0: ESP stands in IP itself
    ``proven``   the peer has sent something under it: it has the keys
    ``ended``    another set has taken its place, or its registration has failed
    """

    associations: Associations
    peer: Peer
    until: float
    carrier: int
    number: int
    sends: Association = field(repr=False)
    senders: dict[int, Outbound] = field(repr=False)  # by SPI
    receivers: dict[int, tuple[Association, Inbound]] = field(repr=False)
    streams: Streams | None = field(default=None, repr=False)  # None: UDP
    proven: bool = False
    ended: bool = False


class Database:
    """All associations of the end at ``host``.

    ``is_ue``   it is the terminal's; else the P-CSCF's
    ``random``  gives octets: SPIs and IVs
    ``on_gone`` called with each set that is removed
    ``most``, ``most_unproven``  sets at a time; beyond that the oldest that nobody has used goes
    """

    def __init__(
        self,
        host: str,
        *,
        is_ue: bool,
        random: Callable[[int], bytes],
        most: int = MOST,
        most_unproven: int = MOST_UNPROVEN,
        on_gone: Callable[[SaSet], None] | None = None,
    ) -> None:
        self.host, self._is_ue, self._random = host, is_ue, random
        self._most, self._most_unproven, self._on_gone = most, most_unproven, on_gone
        self.now = 0.0  # when it was last asked
        self._by_spi: dict[int, SaSet] = {}
        self._sets: dict[Peer, list[SaSet]] = {}  # of each peer, the oldest first
        self._active: dict[Peer, SaSet] = {}
        self._unproven: dict[int, SaSet] = {}  # by number: the oldest first
        self._ends: list[tuple[float, int, SaSet]] = []
        self._dues: list[tuple[float, int, SaSet]] = []  # when a stream wants to be looked at
        self._numbers: set[int] = set()
        self._outbox: list[tuple[bytes, tuple[str, int]]] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._by_spi) // 2

    def spis(self) -> tuple[int, int]:
        """Return two SPIs that are free here: spi-c and spi-s of an offer."""
        first = self._free(0)
        return first, self._free(first)

    def add(
        self, associations: Associations, host: str, until: float, carrier: int = 0, *, stream: bool = False
    ) -> SaSet:
        """Take in what was agreed with the end at ``host``; ``stream``: for SIP over TCP.

        Raises EspError when one of its SPIs is taken, and when there are too many sets.
        """
        if len(self) >= self._most or len(self._unproven) >= self._most_unproven:
            self._make_room()
        mine = [one for one in associations if one.from_ue is not self._is_ue]
        if any(one.sa.spi in self._by_spi for one in mine):
            raise EspError("an SPI of this agreement is in use here")
        sends = associations.request if self._is_ue else associations.network_request
        receivers = {one.sa.spi: (one, Inbound(one.sa)) for one in mine}
        others = (one.sa for one in associations if one.from_ue is self._is_ue)
        streams = None
        if stream:
            streams = Streams(self.host, host, associations, is_ue=self._is_ue, random=self._random)
        self._count += 1
        added = SaSet(
            associations,
            (host, sends.destination_port),
            until,
            carrier,
            self._count,
            sends,
            {sa.spi: Outbound(sa, self._random) for sa in others},
            receivers,
            streams,
        )
        self._by_spi |= dict.fromkeys(receivers, added)
        self._sets.setdefault(added.peer, []).append(added)
        self._unproven[added.number] = added
        self._numbers.add(added.number)
        self.limit(added, until)
        return added

    def sets(self, peer: Peer) -> list[SaSet]:
        """Return what was agreed with ``peer`` and still stands, the oldest first."""
        return list(self._sets.get(peer, ()))

    def receiving(self, spi: int) -> Association | None:
        """Return the association under which packets with this SPI come in here; None when there is none."""
        one = self._by_spi.get(spi)
        return None if one is None else one.receivers[spi][0]

    def active(self, peer: Peer) -> SaSet | None:
        """Return the set under which this end sends to ``peer``; None when there is none."""
        return self._active.get(peer)

    def use(self, one: SaSet) -> None:
        """Send under this set from now on."""
        self._active[one.peer] = one

    def limit(self, one: SaSet, until: float) -> None:
        """Let a set end at ``until``."""
        one.until = until
        heapq.heappush(self._ends, (until, one.number, one))

    def end(self, one: SaSet, until: float) -> None:
        """Let a set go: until ``until`` it still opens what is on its way."""
        one.ended = True
        self.limit(one, min(until, one.until))

    # -- packets ----------------------------------------------------------------------------

    def open(self, packet: bytes, source: tuple[str, int], now: float) -> tuple[SaSet, list[bytes]]:
        """Return the set under which an ESP packet came, and the messages in it; of a stream 0 to many.

        ``source``  address it came from, and the port when it came in UDP (else 0)
        Raises EspError (EspReplayed, EspAuthenticationFailed): drop it then, and say nothing to anybody.
        """
        self.now = now
        spi, _ = header(packet)
        one = self._by_spi.get(spi)
        if one is None:
            raise EspError(f"no association has SPI {spi}")
        if one.until <= now:
            raise EspError(f"the association of SPI {spi} has expired")
        if one.peer[0] != source[0]:
            raise EspError(f"SPI {spi} is for {one.peer[0]}, not for {source[0]}")
        association, inbound = one.receivers[spi]
        opened = inbound.open(packet)
        if opened.next_header != (UDP if one.streams is None else TCP):
            raise EspError(
                f"protocol {opened.next_header} inside ESP is not the one that was registered with"
            )
        if one.streams is None:
            *ports, payload = payload_of(opened.payload)
        else:
            ports = [*tcp.ports(opened.payload)]
        # RFC 4301, 5.2: what an association protects is a matter of addresses and ports too.
        if ports != [association.source_port, association.destination_port]:
            raise EspError(f"SPI {spi} is not for ports {ports[0]} to {ports[1]}")
        self._came(one, source[1])
        if one.streams is None:
            return one, [payload]
        messages = one.streams.receive(association, opened.payload, now)
        self._flush(one)
        return one, messages

    def seal(self, peer: Peer, payload: bytes) -> tuple[bytes, tuple[str, int]]:
        """Return an ESP packet for ``peer`` that holds a UDP datagram, and to which host and port it goes.

        Raises EspError when nothing is agreed with that peer, or the association is used up.
        """
        one = self._active.get(peer)
        if one is None:
            raise EspError(f"no association with {peer[0]} port {peer[1]}")
        ends = (self.host, one.sends.source_port), (peer[0], one.sends.destination_port)
        return one.senders[one.sends.sa.spi].seal(UDP, datagram(*ends, payload)), (peer[0], one.carrier)

    def post(self, peer: Peer, message: bytes) -> None:
        """Send a message to ``peer``, over UDP or TCP as it has registered: ``outgoing`` has the packets.

        Raises as ``seal`` does.
        """
        one = self._active.get(peer)
        if one is None or one.streams is None:
            self._outbox.append(self.seal(peer, message))
            return
        one.streams.post(message, self.now)
        self._flush(one)

    def outgoing(self) -> list[tuple[bytes, tuple[str, int]]]:
        """Return, once, the packets to send now, each with its host and port (0: ESP stands in IP itself)."""
        outbox, self._outbox = self._outbox, []
        return outbox

    def _flush(self, one: SaSet) -> None:
        assert one.streams is not None
        for association, segment in one.streams.outgoing():
            sealed = one.senders[association.sa.spi].seal(TCP, segment)
            self._outbox.append((sealed, (one.peer[0], one.carrier)))
        if (due := one.streams.due) is not None:
            heapq.heappush(self._dues, (due, one.number, one))

    def _came(self, one: SaSet, carrier: int) -> None:
        """Note that the peer has the keys; the P-CSCF goes over to a set when it is used (TS 33.203, 7.4)."""
        one.carrier, one.proven = carrier, True  # RFC 3948, 4: where a NAT has moved the port to
        self._unproven.pop(one.number, None)
        before = self._active.get(one.peer)
        if before is None or before.ended or (not self._is_ue and before.number < one.number):
            self._active[one.peer] = one

    # -- time -------------------------------------------------------------------------------

    def next_end(self) -> float | None:
        """Return when the next set ends, or None."""
        while self._ends and not self._is_there(*self._ends[0]):
            heapq.heappop(self._ends)
        return self._ends[0][0] if self._ends else None

    def timer(self) -> float | None:
        """Return when ``expire`` is next due: a set ends, or a stream waits for an acknowledgement."""
        while self._dues and not self._waits(*self._dues[0]):
            heapq.heappop(self._dues)
        times = (self.next_end(), self._dues[0][0] if self._dues else None)
        return min((at for at in times if at is not None), default=None)

    def _waits(self, due: float, number: int, one: SaSet) -> bool:
        there = one.streams is not None and one.number in self._numbers
        return there and one.streams is not None and one.streams.due == due

    def expire(self, now: float) -> list[SaSet]:
        """Remove the sets whose time is over, and return them; let streams send again what was lost."""
        self.now, gone = now, []
        self.timer()
        while self._dues and self._dues[0][0] <= now:
            one = heapq.heappop(self._dues)[2]
            assert one.streams is not None
            one.streams.handle_timer(now)
            self._flush(one)
            self.timer()
        while (at := self.next_end()) is not None and at <= now:
            gone.append(heapq.heappop(self._ends)[2])
            self.remove(gone[-1])
        return gone

    def remove(self, one: SaSet) -> None:
        """Forget a set, keys and all; what was active before it is active again."""
        for spi in one.receivers:
            self._by_spi.pop(spi, None)
        self._unproven.pop(one.number, None)
        self._numbers.discard(one.number)
        left = [other for other in self._sets.get(one.peer, ()) if other is not one]
        if left:
            self._sets[one.peer] = left
        else:
            self._sets.pop(one.peer, None)
        if self._active.get(one.peer) is one:
            del self._active[one.peer]
            if fitting := [other for other in left if other.proven or self._is_ue]:
                self._active[one.peer] = fitting[-1]
        if self._on_gone is not None:
            self._on_gone(one)

    def _is_there(self, until: float, number: int, one: SaSet) -> bool:
        return one.until == until and number in self._numbers

    def _make_room(self) -> None:
        """Forget the oldest set that nobody has used; EspError when all are in use."""
        if not self._unproven:
            raise EspError(f"{self._most} sets of associations are in use")
        self.remove(next(iter(self._unproven.values())))

    def _free(self, taken: int) -> int:
        while True:
            spi = int.from_bytes(self._random(4))
            if spi > _RESERVED and spi != taken and spi not in self._by_spi:
                return spi
