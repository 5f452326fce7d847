"""RTCP of one plain RTP endpoint: what it reports, and what its peer reports of it.

Spec: RFC 3550, sections 6.4.1 (sender report), 6.4.2 (receiver report), 6.5 (source description), 6.6 (BYE).
A packet is compound: a report, then the canonical name, then perhaps the goodbye. The octets are aiortc's.
"""

from dataclasses import dataclass
from typing import Any

from imslab.errors import Malformed
from imslab.media.statistics import Counter, Reception

_NTP_EPOCH = 2_208_988_800  # seconds from 1900 to 1970
_MOST_REPORTS = 31  # in one packet: the count has five bits
_CNAME = 1  # the item of a source description


@dataclass(frozen=True, slots=True)
class PeerReport:
    """What the peer says of the stream that it gets.

    ``lost``        packets that it missed, altogether
    ``fraction``    of those since its last report that it missed, 0 to 1
    ``jitter``      in timestamp units
    ``round_trip``  seconds there and back, less the time at the peer; None before it has heard a report
    """

    lost: int
    fraction: float
    jitter: int
    round_trip: float | None


class Reports:
    """Writes the reports of one SSRC, and reads the peer's."""

    def __init__(self, ssrc: int, cname: str, counter: Counter) -> None:
        self.ssrc, self.cname = ssrc, cname
        self.peer: PeerReport | None = None
        self.gone = False
        self._counter = counter
        self._heard: dict[int, tuple[int, float]] = {}  # SSRC -> middle of its NTP time, when it came
        self._prior: dict[int, tuple[int, int]] = {}  # SSRC -> expected, received at the last report

    def write(self, now: float, rtp_timestamp: int, *, goodbye: bool = False) -> bytes:
        """Return a compound packet: a sender report once something was sent, else a receiver report."""
        from aiortc import rtp

        packets, octets = self._counter.sent_by(self.ssrc)
        blocks = [self._block(ssrc, one, now) for ssrc, one in self._counter.receptions()][:_MOST_REPORTS]
        report: Any = rtp.RtcpRrPacket(self.ssrc, blocks)
        if packets:
            sent = rtp.RtcpSenderInfo(_ntp(now), rtp_timestamp, packets & 0xFFFFFFFF, octets & 0xFFFFFFFF)
            report = rtp.RtcpSrPacket(self.ssrc, sent, blocks)
        name = rtp.RtcpSdesPacket([rtp.RtcpSourceInfo(self.ssrc, [(_CNAME, self.cname.encode())])])
        parts = [report, name, *([rtp.RtcpByePacket([self.ssrc])] if goodbye else [])]
        return b"".join(bytes(part) for part in parts)

    def read(self, octets: bytes, now: float) -> None:
        """Take a compound packet of the peer; raise Malformed for what is none."""
        from aiortc import rtp

        try:
            packets = rtp.RtcpPacket.parse(octets)
        except Exception as error:  # struct.error and IndexError come out of it as well as ValueError
            raise Malformed(f"not an RTCP packet: {error}") from error
        for packet in packets:
            if isinstance(packet, rtp.RtcpSrPacket) and len(self._heard) < _MOST_REPORTS:
                self._heard[packet.ssrc] = (packet.sender_info.ntp_timestamp >> 16 & 0xFFFFFFFF, now)
            if isinstance(packet, rtp.RtcpSrPacket | rtp.RtcpRrPacket):
                self._take([block for block in packet.reports if block.ssrc == self.ssrc], now)
            self.gone |= isinstance(packet, rtp.RtcpByePacket)

    def _block(self, ssrc: int, reception: Reception, now: float) -> Any:
        from aiortc import rtp

        expected = reception.packets + reception.lost
        before_expected, before_received = self._prior.get(ssrc, (0, 0))
        self._prior[ssrc] = (expected, reception.packets)
        interval = expected - before_expected
        missed = interval - (reception.packets - before_received)
        middle, came = self._heard.get(ssrc, (0, now))
        return rtp.RtcpReceiverInfo(
            ssrc=ssrc,
            fraction_lost=(missed << 8) // interval if interval > 0 and missed > 0 else 0,
            packets_lost=rtp.clamp_packets_lost(reception.lost),
            highest_sequence=reception.extended_highest & 0xFFFFFFFF,
            jitter=reception.jitter_units,
            lsr=middle,
            dlsr=round((now - came) * 65536) & 0xFFFFFFFF,
        )

    def _take(self, blocks: list[Any], now: float) -> None:
        for block in blocks:
            trip = None
            if block.lsr:
                ago = (_ntp(now) >> 16) - block.lsr - block.dlsr
                trip = ((ago + 2**31) % 2**32 - 2**31) / 65536
            self.peer = PeerReport(
                block.packets_lost,
                block.fraction_lost / 256,
                block.jitter,
                trip,
            )


def _ntp(seconds: float) -> int:
    """Return an NTP timestamp, 64 bits, of epoch seconds (RFC 3550, section 4)."""
    return round((seconds + _NTP_EPOCH) * 2**32)
