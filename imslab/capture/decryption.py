"""SRTP of a capture opened: each stream with the key under which its authentication tags are right.

Spec: RFC 3711, 3.3 and 3.4. Which key a stream has is not looked up: those of its call are tried first,
then the others, on a few packets, and a key that proves right opens the whole stream (`imslab.srtp.bulk`).
What it does not open may be of the next key, after a re-INVITE or an ICE restart: the others are tried on
the rest. Clear text is appended to the data of the index, so that whoever reads a packet finds it like any
other.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from imslab.capture.file import CaptureFile
from imslab.capture.index import Column, Index
from imslab.capture.media_keys import SrtpKey
from imslab.capture.rtp import RtpPackets
from imslab.errors import ImslabError
from imslab.srtp import bulk
from imslab.srtp.candidate import Candidate

_SAMPLE = 3  # packets on which a key is tried, at the beginning and in the middle of what is closed
_MOST_KEYS = 8  # with which one stream is opened, one after the other
_MOST_TRIALS = 50_000  # in one capture
_ROCS = (range(1), range(1, 16))  # a capture may begin after some wraps of the sequence number


class Clear(NamedTuple):
    """Packets of one stream that a key opened: their places in it, where each lies, how long it is.

    ``padding``  how many octets at its end are none of the media (RFC 3550, 5.1)
    """

    place: Column
    start: Column
    length: Column
    padding: Column
    key: SrtpKey


class Opener:
    """Opens the packets of one capture; ``order`` gives the keys for a flow, the likely ones first."""

    def __init__(
        self,
        file: CaptureFile,
        index: Index,
        order: Callable[[int], Sequence[SrtpKey]],
        warnings: list[str],
    ) -> None:
        self._file, self._index, self._order, self._warnings = file, index, order, warnings
        self._candidates: dict[int, Candidate] = {}
        self._trials, self._tired = 0, False

    def rtp(self, packets: RtpPackets) -> RtpPackets:
        """Return the packets, those that a key opens with their media in clear."""
        start, size, opened = packets.start.copy(), packets.size.copy(), packets.opened.copy()
        for group in range(len(packets.first)):
            mine = packets.of(group)
            rows = packets.row[mine]
            head = packets.start[mine] - self._index.start[rows]
            for clear in self.stream(rows, rtcp=False):
                place = clear.place + mine.start
                start[place] = clear.start + head[clear.place]
                size[place] = clear.length - head[clear.place] - clear.padding
                opened[place] = True
        return replace(packets, start=start, size=np.maximum(size, 0), opened=opened)

    def rtcp(self, rows: Column) -> dict[int, bytes]:
        """Return, by row of the index, the RTCP that a key finds in SRTCP."""
        ssrc = self._index.data.u32(self._index.start[rows] + 4)
        stream = self._index.flow[rows].astype(np.int64) << 32 | ssrc
        found: dict[int, bytes] = {}
        for one in np.unique(stream).tolist():
            mine = rows[stream == one]
            for clear in self.stream(mine, rtcp=True):
                ends = zip(clear.start.tolist(), (clear.start + clear.length).tolist(), strict=True)
                octets = (self._index.data[start:end] for start, end in ends)
                found.update(zip(mine[clear.place].tolist(), octets, strict=True))
        return found

    def stream(self, rows: Column, *, rtcp: bool) -> Iterator[Clear]:
        """Yield what each key opens of one stream, whose packets are the ``rows`` of the index."""
        keys = self._order(int(self._index.flow[rows[0]])) if len(rows) else ()
        closed = np.arange(len(rows))
        for _ in range(_MOST_KEYS if keys else 0):
            found = self._fitting(rows[closed], keys, rtcp)
            if found is None:
                return
            begin, key, roc = found
            clear, failed = self._opened(rows, closed[begin:], key, roc, rtcp)
            yield clear
            closed = np.concatenate([closed[:begin], failed])

    def _opened(
        self, rows: Column, place: Column, key: SrtpKey, roc: int, rtcp: bool
    ) -> tuple[Clear, Column]:
        """Return what a key opens of the packets at ``place``, and the places of those whose tag is wrong."""
        octets, start, length = self._octets(rows[place])
        found = bulk.unprotect(
            key.profile, key.key, key.salt, octets, start, length, roc=roc, rtcp=rtcp, **key.parameters
        )
        padding = _padding(found)
        at = self._index.data.append(found.octets.tobytes()) + found.start
        good = found.ok
        for copy, original in _copies(found, octets, start, length):
            good[copy] = True
            for column in (at, found.length, padding):
                column[copy] = column[original]
        failed = place[found.reason == bulk.Reason.AUTHENTICATION_FAILED]
        return Clear(place[good], at[good], found.length[good], padding[good], key), failed

    def _octets(self, rows: Column) -> tuple[object, Column, Column]:
        """Return a buffer with the packets of these rows, and where each lies in it."""
        start, length = self._index.start[rows], self._index.length[rows].astype(np.int64)
        if (start + length <= len(self._file.data)).all():
            return self._file.data, start, length
        # Some lie in no frame as they are: they were put together, or taken out of ESP.
        octets = b"".join(self._index.octets(row) for row in rows.tolist())
        return octets, np.cumsum(length) - length, length

    def _fitting(self, rows: Column, keys: Sequence[SrtpKey], rtcp: bool) -> tuple[int, SrtpKey, int] | None:
        """Return the first packet that a key opens, the key, and the roll-over counter with which it does."""
        every, middle = range(len(rows)), len(rows) // 2
        places = dict.fromkeys((*every[:_SAMPLE], *every[middle : middle + _SAMPLE]))
        sample = {place: self._index.octets(int(rows[place])) for place in places}
        for rocs in _ROCS[:1] if rtcp else _ROCS:  # no key is tried with strange counters before all others
            for key in keys:
                for place, packet in sample.items():
                    roc = self._roc(key, packet, rocs, rtcp)
                    if roc is not None:
                        return place, key, roc
        return None

    def _roc(self, key: SrtpKey, packet: bytes, rocs: range, rtcp: bool) -> int | None:
        """Return the roll-over counter with which a key opens a packet, or None (of SRTCP: 0)."""
        self._trials += len(rocs)
        if self._trials > _MOST_TRIALS:
            if not self._tired:
                self._warnings.append(f"SRTP: after {_MOST_TRIALS} trials of keys the rest stays closed")
            self._tired = True
            return None
        if id(key) not in self._candidates:
            self._candidates[id(key)] = key.candidate()
        candidate = self._candidates[id(key)]
        if rtcp:
            return 0 if candidate.matches(packet, rtcp=True) else None
        try:
            return candidate.find_roc(packet, rocs)
        except ImslabError:  # it cannot be tried: cut, or with another MKI
            return None


def _padding(found: bulk.Opened) -> Column:
    """Return how many octets of padding each opened packet ends with."""
    padding = np.zeros(len(found), np.int64)
    good = np.flatnonzero(found.ok & (found.length > 0))
    start = found.start[good]
    padded = found.octets[start] & 0x20 != 0
    last = start[padded] + found.length[good[padded]] - 1
    padding[good[padded]] = found.octets[last]
    return padding


def _copies(found: bulk.Opened, octets: object, start: Column, length: Column) -> Iterator[tuple[int, int]]:
    """Yield the packets that are octet by octet copies of an opened one, each with that one.

    A capture from several interfaces shows a packet several times; a receiver would refuse the second.
    """
    again = np.flatnonzero(found.reason == bulk.Reason.REPLAYED)
    if not len(again):
        return
    view = memoryview(octets)  # type: ignore[arg-type]
    first = {number: place for place, number in enumerate(found.index.tolist()) if found.reason[place] == 0}
    for copy in again.tolist():
        original = first.get(int(found.index[copy]))
        if original is not None and _slice(view, start, length, copy) == _slice(
            view, start, length, original
        ):
            yield copy, original


def _slice(view: memoryview, start: Column, length: Column, place: int) -> memoryview:
    return view[int(start[place]) : int(start[place]) + int(length[place])]
