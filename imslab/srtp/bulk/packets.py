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
from imslab.srtp.bulk.rows import Booleans, Integers, Octets, gather
from imslab.srtp.cipher import MOST_PAYLOAD
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
        starts, lengths = check_places(octets, start, length)
        return (cls._read_srtcp if rtcp else cls._read_srtp)(context, octets, starts, lengths)

    @classmethod
    def _read_srtp(cls, context: Context, octets: Octets, start: Integers, length: Integers) -> Self:
        head, whole = _headers(octets, start, length >= FIXED_HEADER, _RTP)
        header = FIXED_HEADER + 4 * (head["first"] & 15).astype(np.int64)
        body = length - context.trailer_length(False)
        extended = np.flatnonzero((head["first"] & 0x10 != 0) & whole)
        if len(extended):
            header[extended] += _extensions(octets, (start + header)[extended], (start + length)[extended])
        whole &= (head["first"] >> 6 == 2) & (header <= body)
        mki, tag = _mki_and_tag(context, start + body)
        clear = header if context.encrypts else body
        ssrc, seq = head["ssrc"].astype(np.int64), head["seq"].astype(np.int64)
        no_word = np.zeros(len(start), np.int64)
        found = cls(octets, start, body, clear, tag, ssrc, seq, no_word, _reasons(whole))
        found._check(context, mki)
        return found

    @classmethod
    def _read_srtcp(cls, context: Context, octets: Octets, start: Integers, length: Integers) -> Self:
        body = length - context.trailer_length(True)
        head, whole = _headers(octets, start, body >= RTCP_CLEAR, _RTCP)
        whole &= head["first"] >> 6 == 2
        at = start + body + (context.tag_length(True) if context.is_gcm else 0)
        words, _ = _headers(octets, at, whole, np.dtype([("word", ">u4")]))
        word = words["word"].astype(np.int64)
        encrypted = word & E_BIT != 0
        mki, tag = at + INDEX_WORD, start + body
        if not context.is_gcm:
            tag = mki + len(context.mki)
        clear, ssrc = np.where(encrypted, RTCP_CLEAR, body), head["ssrc"].astype(np.int64)
        number = word & HIGHEST_SRTCP_INDEX
        found = cls(octets, start, body, clear, tag, ssrc, number, word, _reasons(whole))
        found._check(context, mki)
        if context.negotiated_e_bit:
            found._refuse(np.flatnonzero(encrypted != context.encrypts_rtcp))
        return found

    def streams(self) -> Iterator[Integers]:
        """Yield, for each SSRC, the positions of its packets that may be tried, in order."""
        tried = np.flatnonzero(self.reason == Reason.OPENED)
        if len(tried) and not np.ptp(self.ssrc[tried]):
            yield tried
            return
        order = tried[np.argsort(self.ssrc[tried], kind="stable")]
        cuts = np.flatnonzero(np.diff(self.ssrc[order])) + 1
        yield from (part for part in np.split(order, cuts) if len(part))

    def _check(self, context: Context, place: Integers) -> None:
        """Refuse what carries another MKI, or is longer than AES-CM has key stream for."""
        if not context.is_gcm:
            self._refuse(np.flatnonzero(self.body - self.clear > MOST_PAYLOAD))
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


def check_places(octets: Octets, start: ArrayLike, length: ArrayLike) -> tuple[Integers, Integers]:
    """Return start and length as arrays, or raise Malformed when they lead out of ``octets``."""
    starts, lengths = np.asarray(start, np.int64), np.asarray(length, np.int64)
    if starts.ndim != 1 or starts.shape != lengths.shape:
        raise Malformed("start and length must be flat arrays of the same size")
    if np.any((starts < 0) | (lengths < 0) | (starts + lengths > octets.size)):
        raise Malformed(f"start and length lead out of the {octets.size} octets")
    return starts, lengths


def _headers(
    octets: Octets, at: Integers, there: Booleans, kind: np.dtype[np.void]
) -> tuple[NDArray[np.void], Booleans]:
    """Return what stands at each place, read as ``kind``: zeros where it is not ``there``."""
    if there.all():
        return gather(octets, at, kind.itemsize).view(kind)[:, 0], there
    found = np.zeros(len(at), kind)
    found[there] = gather(octets, at[there], kind.itemsize).view(kind)[:, 0]
    return found, there


def _extensions(octets: Octets, at: Integers, end: Integers) -> Integers:
    """Return the octets of each header extension; 4 where even its own header is cut."""
    words, _ = _headers(octets, at + 2, at + 4 <= end, np.dtype([("count", ">u2")]))
    return 4 + 4 * words["count"].astype(np.int64)


def _mki_and_tag(context: Context, end: Integers) -> tuple[Integers, Integers]:
    """Return where MKI and tag begin behind SRTP packets that end at ``end``."""
    if context.is_gcm:
        return end + context.tag_length(False), end
    return end, end + len(context.mki)


def _reasons(whole: Booleans) -> Integers:
    return np.where(whole, Reason.OPENED, Reason.MALFORMED).astype(np.int64)
