"""Packets as arrays: where each lies, what its header says, where its payload begins.

Spec: RFC 3550, section 5.1 and 6.4.1; RFC 3711, sections 3.1 and 3.4. The checks are those of
``imslab.srtp.packet`` and of a session, for all packets at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imslab.errors import Malformed
from imslab.srtp.bulk.order import Reason
from imslab.srtp.bulk.rows import Integers, Octets, gather
from imslab.srtp.context import Context
from imslab.srtp.keys import HIGHEST_SRTCP_INDEX
from imslab.srtp.packet import E_BIT, FIXED_HEADER, INDEX_WORD, RTCP_CLEAR

_RTP = np.dtype([("first", "u1"), ("type", "u1"), ("seq", ">u2"), ("time", ">u4"), ("ssrc", ">u4")])
_RTCP = np.dtype([("first", "u1"), ("type", "u1"), ("length", ">u2"), ("ssrc", ">u4")])


@dataclass(frozen=True, slots=True)
class Packets:
    """SRTP or SRTCP packets in one array of octets; each field is an array with one value a packet.

    ``start``   where a packet begins in ``octets``
    ``body``    its octets without what protection added behind it
    ``clear``   how many of them are not encrypted
    ``tag``     where its tag begins in ``octets``
    ``ssrc``    of the stream
    ``number``  SEQ, or SRTCP's index
    ``word``    SRTCP's word of E bit and index; 0 for SRTP
    ``reason``  MALFORMED or REFUSED where the packet is not even tried, else OPENED
    """

    octets: Octets
    start: Integers
    body: Integers
    clear: Integers
    tag: Integers
    ssrc: Integers
    number: Integers
    word: Integers
    reason: Integers

    @classmethod
    def read(cls, context: Context, octets: Octets, start: ArrayLike, length: ArrayLike, rtcp: bool) -> Self:
        """Read all headers; raise Malformed when ``start`` and ``length`` lead out of ``octets``."""
        starts, lengths = _places(octets, start, length)
        return (cls._read_srtcp if rtcp else cls._read_srtp)(context, octets, starts, lengths)

    @classmethod
    def _read_srtp(cls, context: Context, octets: Octets, start: Integers, length: Integers) -> Self:
        good = np.flatnonzero(length >= FIXED_HEADER)
        head = fields(octets, start[good], _RTP)
        header = _header_lengths(octets, start[good], length[good], head["first"])
        body = length - context.trailer_length(False)
        version = head["first"] >> 6
        good_body = body[good]
        reason = _filled(len(start), Reason.MALFORMED)
        whole = (version == 2) & (header <= good_body)
        reason[good[whole]] = Reason.OPENED
        clear = _spread(good, np.where(context.encrypts, header, good_body), len(start))
        mki, tag = _mki_and_tag(context, start + body)
        found = cls(
            octets,
            start,
            body,
            clear,
            tag,
            _spread(good, head["ssrc"], len(start)),
            _spread(good, head["seq"], len(start)),
            np.zeros(len(start), np.int64),
            reason,
        )
        found._check_mki(context, mki)
        return found

    @classmethod
    def _read_srtcp(cls, context: Context, octets: Octets, start: Integers, length: Integers) -> Self:
        body = length - context.trailer_length(True)
        good = np.flatnonzero(body >= RTCP_CLEAR)
        head = fields(octets, start[good], _RTCP)
        at = start + body + (context.tag_length(True) if context.is_gcm else 0)
        word = fields(octets, at[good], np.dtype(">u4")).astype(np.int64)
        mki, tag = at + INDEX_WORD, start + body
        if not context.is_gcm:
            tag = mki + len(context.mki)
        reason = _filled(len(start), Reason.MALFORMED)
        reason[good[head["first"] >> 6 == 2]] = Reason.OPENED
        encrypted = word & E_BIT != 0
        found = cls(
            octets,
            start,
            body,
            _spread(good, np.where(encrypted, RTCP_CLEAR, body[good]), len(start)),
            tag,
            _spread(good, head["ssrc"], len(start)),
            _spread(good, word & HIGHEST_SRTCP_INDEX, len(start)),
            _spread(good, word, len(start)),
            reason,
        )
        found._check_mki(context, mki)
        if context.negotiated_e_bit:
            found._refuse(good[encrypted != context.encrypts_rtcp])
        return found

    def streams(self) -> Iterator[Integers]:
        """Yield, for each SSRC, the positions of its packets that may be tried, in order."""
        tried = np.flatnonzero(self.reason == Reason.OPENED)
        order = tried[np.argsort(self.ssrc[tried], kind="stable")]
        cuts = np.flatnonzero(np.diff(self.ssrc[order])) + 1
        yield from (part for part in np.split(order, cuts) if len(part))

    def one(self, at: int, tag_length: int) -> tuple[bytes, bytes]:
        """Return one packet without what protection added, and its tag."""
        start, tag = int(self.start[at]), int(self.tag[at])
        body = self.octets[start : start + int(self.body[at])]
        return body.tobytes(), self.octets[tag : tag + tag_length].tobytes()

    def _check_mki(self, context: Context, place: Integers) -> None:
        if not context.mki:
            return
        tried = np.flatnonzero(self.reason == Reason.OPENED)
        expected = np.frombuffer(context.mki, np.uint8)
        self._refuse(tried[(gather(self.octets, place[tried], len(expected)) != expected).any(axis=1)])

    def _refuse(self, which: Integers) -> None:
        which = which[self.reason[which] == Reason.OPENED]
        self.reason[which] = Reason.REFUSED


def as_octets(buffer: object) -> Octets:
    """Return a buffer (bytes, a memory map, an array of octets) as an array, without a copy."""
    if isinstance(buffer, np.ndarray):
        if buffer.dtype != np.uint8 or buffer.ndim != 1 or not buffer.flags.c_contiguous:
            raise Malformed("octets must be a flat array of uint8")
        return buffer.view(np.ndarray)
    return np.frombuffer(buffer, np.uint8)  # type: ignore[call-overload,no-any-return]


def fields(octets: Octets, at: Integers, kind: np.dtype) -> NDArray:  # type: ignore[type-arg]
    """Return what stands at each place, read as ``kind``."""
    return gather(octets, at, kind.itemsize).view(kind)[:, 0]


def _places(octets: Octets, start: ArrayLike, length: ArrayLike) -> tuple[Integers, Integers]:
    starts, lengths = np.asarray(start, np.int64), np.asarray(length, np.int64)
    if starts.ndim != 1 or starts.shape != lengths.shape:
        raise Malformed("start and length must be flat arrays of the same size")
    if np.any((starts < 0) | (lengths < 0) | (starts + lengths > octets.size)):
        raise Malformed(f"start and length lead out of the {octets.size} octets")
    return starts, lengths


def _header_lengths(octets: Octets, start: Integers, length: Integers, first: Octets) -> Integers:
    """Return the octets of each RTP header, with CSRC list and extension."""
    header = FIXED_HEADER + 4 * (first & 15).astype(np.int64)
    extended = np.flatnonzero((first & 0x10 != 0) & (header + 4 <= length))
    words = fields(octets, start[extended] + header[extended] + 2, np.dtype(">u2")).astype(np.int64)
    header[first & 0x10 != 0] += 4
    header[extended] += 4 * words
    return header


def _mki_and_tag(context: Context, end: Integers) -> tuple[Integers, Integers]:
    """Return where MKI and tag begin behind SRTP packets that end at ``end``."""
    if context.is_gcm:
        return end + context.tag_length(False), end
    return end, end + len(context.mki)


def _filled(count: int, reason: Reason) -> Integers:
    return np.full(count, int(reason), np.int64)


def _spread(which: Integers, values: ArrayLike, count: int) -> Integers:
    spread = np.zeros(count, np.int64)
    spread[which] = values
    return spread
