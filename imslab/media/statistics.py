"""What one end of a call counts: packets, octets, loss and jitter of each stream.

Spec: RFC 3550, sections 6.4.1 and A.3 (loss), A.8 (jitter). Streams are told apart by SSRC and payload type.
Unlike A.1 there is no probation: what is counted was authenticated, or shows what an attacker gets counted.
"""

import struct
from dataclasses import dataclass

from imslab.errors import Malformed
from imslab.sip.sdp import SessionDescription
from imslab.srtp.packet import header_length

_MOST_STREAMS = 64  # in one direction: an attacker who makes up SSRCs must not fill the memory
_HALF = 0x8000
_PADDING = 0x20  # the P bit


@dataclass(frozen=True, slots=True)
class Codec:
    """What a payload type means in a session."""

    kind: str
    encoding: str
    clock_rate: int


@dataclass(frozen=True, slots=True)
class StreamStatistics:
    """One stream, so far.

    ``direction``  "in" or "out", as seen by the endpoint
    ``octets``     of payload, without the headers of RTP (RFC 3550, 6.4.1)
    ``lost``       packets that should have come and did not; None for what was sent
    ``jitter``     seconds of interarrival jitter; None for what was sent, and for what was sent again (rtx)
                   with the timestamp of the first try (RFC 4588, section 4)
    """

    direction: str
    kind: str
    encoding: str
    payload_type: int
    ssrc: int
    packets: int
    octets: int
    lost: int | None = None
    jitter: float | None = None


@dataclass(frozen=True, slots=True)
class Header:
    """The fixed part of an RTP packet (RFC 3550, section 5.1), and where in it the payload is."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: slice

    @classmethod
    def parse(cls, packet: bytes) -> "Header":
        """Read the header of an RTP packet in clear, or raise Malformed."""
        start = header_length(packet)
        first, second, sequence, timestamp, ssrc = struct.unpack_from("!BBHII", packet)
        end = len(packet) - (packet[-1] if first & _PADDING else 0)
        if end < start:
            raise Malformed("an RTP packet whose padding is longer than what it pads", offset=len(packet) - 1)
        return cls(second & 0x7F, sequence, timestamp, ssrc, slice(start, end))

    @property
    def payload_length(self) -> int:
        """Octets of payload."""
        return int(self.payload.stop - self.payload.start)


class Reception:
    """Counts one stream that comes in."""

    def __init__(self, clock_rate: int) -> None:
        self.packets = self.octets = 0
        self._rate = clock_rate
        self._base: int | None = None
        self._highest = self._cycles = 0
        self._jitter = 0.0  # in timestamp units
        self._transit: float | None = None

    def add(self, header: Header, at: float) -> None:
        """Count a packet that arrived at ``at``, epoch seconds."""
        self.packets += 1
        self.octets += header.payload_length
        self._count(header.sequence)
        self._measure(header.timestamp, at)

    @property
    def lost(self) -> int:
        """Packets expected less packets received (A.3); duplicates can make it negative."""
        return 0 if self._base is None else self.extended_highest - self._base + 1 - self.packets

    @property
    def jitter(self) -> float:
        """Interarrival jitter in seconds."""
        return self._jitter / self._rate

    @property
    def jitter_units(self) -> int:
        """The same in timestamp units, as a report block has it."""
        return int(self._jitter)

    @property
    def extended_highest(self) -> int:
        """The highest sequence number received, with the count of wraps above its 16 bits (6.4.1)."""
        return self._cycles + self._highest

    def _count(self, sequence: int) -> None:
        if self._base is None:
            self._base = self._highest = sequence
        elif (sequence - self._highest) & 0xFFFF < _HALF:  # ahead, not late
            self._cycles += 0x10000 if sequence < self._highest else 0
            self._highest = sequence

    def _measure(self, timestamp: int, at: float) -> None:
        # The transit time modulo 2**32, as timestamps are; only its changes matter (A.8).
        transit = (at * self._rate - timestamp) % 2**32
        if self._transit is not None:
            change = abs((transit - self._transit + 2**31) % 2**32 - 2**31)
            self._jitter += (change - self._jitter) / 16
        self._transit = transit


class Counter:
    """Counts all streams of one endpoint."""

    def __init__(self) -> None:
        self.codecs: dict[int, Codec] = {}
        self._in: dict[tuple[int, int], Reception] = {}
        self._out: dict[tuple[int, int], list[int]] = {}

    def received(self, packet: bytes, at: float) -> Header:
        """Count an RTP packet, in clear, that came in; Malformed when it is none."""
        header = Header.parse(packet)
        key = header.ssrc, header.payload_type
        if key not in self._in and len(self._in) < _MOST_STREAMS:
            self._in[key] = Reception(self._codec(header.payload_type).clock_rate)
        if key in self._in:
            self._in[key].add(header, at)
        return header

    def sent(self, packet: bytes) -> None:
        """Count an RTP packet, in clear, that goes out."""
        header = Header.parse(packet)
        counts = self._out.setdefault((header.ssrc, header.payload_type), [0, 0])
        counts[0] += 1
        counts[1] += header.payload_length

    def receptions(self) -> list[tuple[int, Reception]]:
        """Return each SSRC that came in, and what was counted of it."""
        return [(ssrc, one) for (ssrc, _), one in self._in.items()]

    def sent_by(self, ssrc: int) -> tuple[int, int]:
        """Return how many packets, and octets of payload, went out from ``ssrc``."""
        counts = [counts for key, counts in self._out.items() if key[0] == ssrc]
        return sum(packets for packets, _ in counts), sum(octets for _, octets in counts)

    def report(self) -> list[StreamStatistics]:
        """Return every stream, those that came in first."""
        came = [
            self._line("in", key, one.packets, one.octets, one.lost, one.jitter)
            for key, one in self._in.items()
        ]
        return came + [self._line("out", key, *counts) for key, counts in self._out.items()]

    def _codec(self, payload_type: int) -> Codec:
        return self.codecs.get(payload_type, Codec("unknown", str(payload_type), 8000))

    def _line(
        self,
        direction: str,
        key: tuple[int, int],
        packets: int,
        octets: int,
        lost: int | None = None,
        jitter: float | None = None,
    ) -> StreamStatistics:
        ssrc, payload_type = key
        codec = self._codec(payload_type)
        kind, encoding = codec.kind, codec.encoding
        if encoding.lower() == "rtx":
            jitter = None
        return StreamStatistics(direction, kind, encoding, payload_type, ssrc, packets, octets, lost, jitter)


def codecs(description: SessionDescription) -> dict[int, Codec]:
    """Return what each payload type of a description means; PCMU and PCMA need no ``a=rtpmap`` (RFC 3551)."""
    found: dict[int, Codec] = {}
    for media in description.media:
        if media.kind == "audio":
            found |= {0: Codec("audio", "PCMU", 8000), 8: Codec("audio", "PCMA", 8000)}
        for payload_type, rtpmap in media.rtpmap.items():
            if payload_type.isdigit():
                found[int(payload_type)] = Codec(media.kind, rtpmap.encoding, rtpmap.clock_rate)
    return found
