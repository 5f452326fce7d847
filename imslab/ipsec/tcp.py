"""TCP inside ESP: one connection in user space, for as long as its security associations live.

Spec: RFC 9293, 3.1 (header), 3.5 (opening), 3.8 (retransmission); RFC 6298 (time-outs double). It carries
SIP between two neighbours: there is no congestion control, no urgent data and no option but the segment size.
A segment that is out of order is not kept, and comes again. Nobody closes: the association ends.

The caller owns the clock: it passes ``now`` in seconds, comes back at ``due``, and sends ``outgoing()``.
"""

import struct

from imslab.errors import EspError
from imslab.ipsec.datagram import pseudo_header
from imslab.octets import checksum

PROTOCOL = 6
MSS = 1300  # octets of payload in one segment: with ESP around it, it fits into an Ethernet frame
RTO = 1.0  # seconds until the first retransmission (RFC 6298, 2.1)
TRIES = 7  # ... each waiting twice as long: a minute, then the connection is lost
MOST_WAITING = 1 << 20  # octets that were not acknowledged yet

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10

_HEADER = struct.Struct("!HHIIHHHH")
_WINDOW = 0xFFFF
_MODULUS = 1 << 32
_HALF = 1 << 31

Endpoint = tuple[str, int]


class Connection:
    """One end of a connection from ``here`` to ``there``, each (IP literal, port).

    ``first``  the initial sequence number, which nobody may foresee (RFC 9293, 3.4.1)
    ``due``    when ``handle_timer`` wants to be called, or None
    """

    def __init__(self, here: Endpoint, there: Endpoint, first: int) -> None:
        self.here, self.there = here, there
        self.is_open = self.is_lost = False
        self.due: float | None = None
        self._acknowledged = self._next = first % _MODULUS
        self.peer_first: int | None = None  # the other end's initial sequence number
        self._expected: int | None = None
        self._waiting = bytearray()  # from ``_acknowledged`` on
        self._opening = 0  # SYN, or SYN and ACK, until it is acknowledged
        self._tries = 0
        self._queue: list[bytes] = []

    def connect(self, now: float) -> None:
        """Open the connection."""
        self._open_with(SYN, now)

    def send(self, octets: bytes, now: float) -> None:
        """Send octets, now or when the connection is open; EspError when too many wait."""
        if len(self._waiting) + len(octets) > MOST_WAITING:
            raise EspError(f"more than {MOST_WAITING} octets wait for {self.there[0]}")
        self._waiting += octets
        self._push(now)

    def receive(self, segment: bytes, now: float) -> bytes:
        """Take a segment from the other end, and return the new octets of the stream.

        Raises EspError for what is no TCP segment.
        """
        seq, ack, flags, payload = _parsed(segment)
        if flags & RST:
            self.is_lost, self.due = True, None
            return b""
        if flags & SYN:
            self._synchronised(seq, ack, flags, now)
            return b""
        if self._expected is None:
            return b""
        if flags & ACK:
            self._taken(ack, now)
        new = self._fresh(seq, payload)
        if payload:
            self._emit(ACK)
        if flags & FIN:
            self.is_lost, self.due = True, None
        return new

    def outgoing(self) -> list[bytes]:
        """Return, once, the segments to send now."""
        queue, self._queue = self._queue, []
        return queue

    def handle_timer(self, now: float) -> None:
        """Send again what nobody has acknowledged; after seven times the connection is lost."""
        if self.due is None or now < self.due:
            return
        self._tries += 1
        if self._tries >= TRIES:
            self.is_lost, self.due = True, None
        elif not self.is_open:
            self._open_with(self._opening, now)
        else:
            self._next = self._acknowledged
            self._push(now)

    # -- opening ----------------------------------------------------------------------------

    def _open_with(self, flags: int, now: float) -> None:
        self._opening = flags
        self._emit(flags, number=self._acknowledged)
        self._next = (self._acknowledged + 1) % _MODULUS  # SYN takes one number
        self._arm(now)

    def _synchronised(self, seq: int, ack: int, flags: int, now: float) -> None:
        if not self.is_open:
            self.peer_first, self._expected = seq, (seq + 1) % _MODULUS
        if self._opening == SYN and flags & ACK:
            self._taken(ack, now)
            if not self._queue:  # else what waited says it too
                self._emit(ACK)
        elif self._opening == SYN:
            pass  # both have called at once: nobody does so here
        elif self.is_open:
            self._emit(ACK)  # a late copy
        else:
            self._open_with(SYN | ACK, now)

    # -- the stream -------------------------------------------------------------------------

    def _taken(self, ack: int, now: float) -> None:
        """Note what the other end has confirmed."""
        confirmed = (ack - self._acknowledged) % _MODULUS
        in_flight = (self._next - self._acknowledged) % _MODULUS
        if not 0 < confirmed <= max(in_flight, len(self._waiting) if self.is_open else 1):
            return
        if not self.is_open:
            self.is_open, confirmed = True, confirmed - 1  # SYN
            self._acknowledged = (self._acknowledged + 1) % _MODULUS
        del self._waiting[:confirmed]
        self._acknowledged = (self._acknowledged + confirmed) % _MODULUS
        if (self._next - self._acknowledged) % _MODULUS >= _HALF:
            self._next = self._acknowledged
        self._tries = 0
        self.due = None
        self._push(now)

    def _push(self, now: float) -> None:
        """Send what was not sent yet, as far as the other end's window goes."""
        if not self.is_open:
            return
        sent = (self._next - self._acknowledged) % _MODULUS
        end = min(len(self._waiting), _WINDOW)
        for start in range(sent, end, MSS):
            part = bytes(self._waiting[start : min(start + MSS, end)])
            self._emit(ACK | PSH, part, (self._acknowledged + start) % _MODULUS)
        self._next = (self._acknowledged + max(sent, end)) % _MODULUS
        if self._waiting:
            self._arm(now)

    def _fresh(self, seq: int, payload: bytes) -> bytes:
        """Return what of a payload has not come yet; b"" when something before it is missing."""
        assert self._expected is not None
        known = (self._expected - seq) % _MODULUS
        if known >= _HALF:
            return b""
        new = payload[known:]
        self._expected = (self._expected + len(new)) % _MODULUS
        return new

    def _arm(self, now: float) -> None:
        self.due = now + RTO * 2**self._tries

    def _emit(self, flags: int, payload: bytes = b"", number: int | None = None) -> None:
        seq = self._next if number is None else number
        ack = self._expected or 0
        options = struct.pack("!BBH", 2, 4, MSS) if flags & SYN else b""
        offset = (_HEADER.size + len(options)) // 4 << 12
        ports = self.here[1], self.there[1]
        rest = options + payload
        head = _HEADER.pack(*ports, seq, ack, offset | flags, _WINDOW, 0, 0)
        pseudo = pseudo_header(self.here[0], self.there[0], PROTOCOL, len(head) + len(rest))
        total = checksum(pseudo + head + rest)
        self._queue.append(_HEADER.pack(*ports, seq, ack, offset | flags, _WINDOW, total, 0) + rest)


def ports(segment: bytes) -> tuple[int, int]:
    """Return source and destination port of a segment; EspError when it has none."""
    if len(segment) < _HEADER.size:
        raise EspError(f"{len(segment)} octets are no TCP segment: its header has {_HEADER.size}")
    return int.from_bytes(segment[:2]), int.from_bytes(segment[2:4])


def opening(segment: bytes) -> int | None:
    """Return the initial sequence number of a segment that calls, SYN alone; None for any other."""
    seq, _, flags, _ = _parsed(segment)
    return seq if flags & (SYN | ACK) == SYN else None


def _parsed(segment: bytes) -> tuple[int, int, int, bytes]:
    """Return sequence number, acknowledgement, flags and payload."""
    ports(segment)
    _, _, seq, ack, offset, *_ = _HEADER.unpack(segment[: _HEADER.size])
    start = (offset >> 12) * 4
    if not _HEADER.size <= start <= len(segment):
        raise EspError(f"a TCP header of {start} octets in {len(segment)}")
    return seq, ack, offset & 0x3F, segment[start:]
