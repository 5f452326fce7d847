"""RTCP in a capture: what senders and receivers say of the streams.

Spec: RFC 3550, section 6 and A.2 (which datagrams are RTCP); RFC 3611 (XR); RFC 4585 (feedback); RFC 5761,
section 4 (types 192 to 223); RFC 3711, 3.4: of SRTCP only the first 8 octets can be read without a key.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from imslab.capture.file import CaptureFile
from imslab.capture.index import UDP, Column, Index
from imslab.capture.reassemble import Endpoint

SR, RR, SDES, BYE, APP, RTPFB, PSFB, XR = range(200, 208)
NAMES = {SR: "SR", RR: "RR", SDES: "SDES", BYE: "BYE", APP: "APP", RTPFB: "RTPFB", PSFB: "PSFB", XR: "XR"}
_HEADER, _SENDER, _BLOCK = 4, 24, 24  # octets
_CNAME = 1


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What a receiver says of one SSRC (RFC 3550, 6.4.1).

    ``fraction_lost``  since the report before, 0 to 1;  ``lost``: in all, may be negative
    ``jitter``         in ticks of the stream's clock
    ``last_sr``        the middle 32 bits of the NTP time of the last sender report, 0 without one
    ``delay``          seconds from receiving that to sending this
    """

    ssrc: int
    fraction_lost: float
    lost: int
    highest_seq: int
    jitter: int
    last_sr: int
    delay: float


@dataclass(frozen=True, slots=True)
class Report:
    """One packet of a compound RTCP datagram.

    ``at``       epoch seconds;  ``type``: 200 (SR) to 207 (XR)
    ``ntp``      of a sender report: its time, 64 bits;  ``cname``: of SDES
    ``is_srtcp`` the rest of the datagram cannot be read: it is encrypted, or no RTCP
    """

    frame: int
    at: float
    source: Endpoint
    destination: Endpoint
    type: int
    ssrc: int
    blocks: tuple[ReportBlock, ...] = ()
    ntp: int = 0
    packets: int = 0
    octets: int = 0
    cname: str = ""
    is_srtcp: bool = False

    @property
    def name(self) -> str:
        """The type in words: "SR"."""
        return NAMES.get(self.type, str(self.type))


def read(
    capture: CaptureFile, index: Index, rows: Column, opened: Mapping[int, bytes] = MappingProxyType({})
) -> list[Report]:
    """Return the RTCP packets in ``rows``, in their order; ``opened``: SRTCP in clear, by row."""
    found: list[Report] = []
    for row in rows.tolist():
        frame = int(index.frame[row])
        at = int(capture.records.time[frame - 1]) / 1e9
        octets = opened.get(row)
        place = frame, at, *index.endpoints(row)
        found += parse(index.octets(row) if octets is None else octets, place)
    return found


def rows(index: Index) -> Column:
    """Return the rows that hold RTCP: version 2, a type that RTP leaves free, a length that fits."""
    kinds = (index.head[:, 1] >= SR) & (index.head[:, 1] <= XR) & (index.head[:, 0] >> 6 == 2)
    found = np.flatnonzero(kinds & (index.protocol == UDP) & (index.length >= 8))
    word = index.words[found, 0].astype(np.int64)
    kind, size = word >> 16 & 0xFF, ((word & 0xFFFF) + 1) * 4
    form = (word >> 30 == 2) & (kind >= SR) & (kind <= XR) & (size <= index.length[found]) & (size >= 8)
    padded = (word & 0x20000000 != 0) & (size < index.length[found])  # only the last one may be padded
    kept: Column = found[form & ~padded]
    return kept


def parse(octets: bytes, place: tuple[int, float, Endpoint, Endpoint]) -> Iterator[Report]:
    """Yield the packets of one datagram; ``place``: its frame, time, source and destination.

    Where the second packet is none, the first may still be SRTCP: it is marked so, and bears no reports.
    """
    found = list(_compound(octets))
    whole = sum(len(one) for one in found) == len(octets)
    if whole:
        yield from (_report(one, place) for one in found)
    elif found:
        first = found[0]
        yield Report(*place, first[1], int.from_bytes(first[4:8]), is_srtcp=True)


def _compound(octets: bytes) -> Iterator[bytes]:
    at = 0
    while at + _HEADER <= len(octets) and octets[at] >> 6 == 2 and SR <= octets[at + 1] <= XR:
        size = (int.from_bytes(octets[at + 2 : at + 4]) + 1) * 4
        if at + size > len(octets):
            return
        yield octets[at : at + size]
        at += size


def _report(octets: bytes, place: tuple[int, float, Endpoint, Endpoint]) -> Report:
    kind, count = octets[1], octets[0] & 0x1F
    report = Report(*place, kind, int.from_bytes(octets[4:8]))
    if kind == SR and len(octets) >= 4 + _SENDER:
        numbers = [int.from_bytes(octets[at : at + 4]) for at in range(8, 28, 4)]
        blocks = tuple(_blocks(octets[28:], count))
        ntp = numbers[0] << 32 | numbers[1]
        return replace(report, blocks=blocks, ntp=ntp, packets=numbers[3], octets=numbers[4])
    if kind == RR:
        return replace(report, blocks=tuple(_blocks(octets[8:], count)))
    return replace(report, cname=_cname(octets[8:])) if kind == SDES and count else report


def _blocks(octets: bytes, count: int) -> Iterator[ReportBlock]:
    for at in range(0, min(count * _BLOCK, len(octets) - _BLOCK + 1), _BLOCK):
        ssrc, losses, highest, jitter, last_sr, delay = (
            int.from_bytes(octets[at + i : at + i + 4]) for i in range(0, _BLOCK, 4)
        )
        lost = (losses & 0xFFFFFF ^ 0x800000) - 0x800000  # 24 bits, signed
        yield ReportBlock(ssrc, (losses >> 24) / 256, lost, highest, jitter, last_sr, delay / 65536)


def _cname(items: bytes) -> str:
    """Return the CNAME among the items of the first chunk (RFC 3550, 6.5.1)."""
    at = 0
    while at + 2 <= len(items) and items[at]:
        length = items[at + 1]
        if items[at] == _CNAME:
            return items[at + 2 : at + 2 + length].decode("utf-8", "replace")
        at += 2 + length
    return ""


def round_trips(reports: Iterable[Report]) -> list[tuple[Report, ReportBlock, float]]:
    """Return the seconds that it takes from where the capture was made to a receiver and back.

    A receiver says which sender report it saw last, and how long it held it (RFC 3550, 6.4.1); the rest of
    the time between the two frames was spent on the way. Both are seen on one clock: that of the capture.
    """
    sent: dict[tuple[int, int], float] = {}
    found = []
    for report in reports:
        if report.ntp:
            sent.setdefault((report.ssrc, report.ntp >> 16 & 0xFFFFFFFF), report.at)
        for block in report.blocks:
            at = sent.get((block.ssrc, block.last_sr)) if block.last_sr else None
            if at is not None and report.at - at >= block.delay:
                found.append((report, block, report.at - at - block.delay))
    return found


def counts(reports: Iterable[Report]) -> dict[int, int]:
    """Return how many packets there are of each type."""
    return dict(sorted(Counter(report.type for report in reports).items()))
