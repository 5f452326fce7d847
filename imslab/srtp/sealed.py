"""A protected packet taken apart: what is clear, what is encrypted, and what protection added.

Spec: RFC 3711, sections 3.1 (SRTP) and 3.4 (SRTCP); RFC 7714, sections 8.2 and 9.2 (AES-GCM). What is sent:

    SRTP    AES-CM   header | payload     | MKI | tag          GCM   header | payload | tag        | MKI
    SRTCP   AES-CM   8 octets | rest | E, index | MKI | tag    GCM   8 octets | rest | tag | E, index | MKI
"""

from typing import NamedTuple, Self

from imslab.errors import Malformed, SrtpError
from imslab.srtp import packet as rtp
from imslab.srtp.cipher import MOST_PAYLOAD
from imslab.srtp.context import Context
from imslab.srtp.keys import HIGHEST_SRTCP_INDEX


class Sealed(NamedTuple):
    """One SRTP or SRTCP packet as it came.

    ``number``   SEQ, or SRTCP's index
    ``clear``    the octets that are not encrypted, at the beginning
    ``payload``  those that are, without the tag
    ``word``     SRTCP's E bit and index, 4 octets; empty for SRTP
    """

    ssrc: int
    number: int
    clear: bytes
    payload: bytes
    word: bytes
    tag: bytes

    @classmethod
    def parse(cls, packet: bytes, context: Context) -> Self:
        """Take an SRTP packet apart; raise Malformed, or SrtpError when its MKI is not the context's."""
        header = rtp.header_length(packet)
        end = len(packet) - context.trailer_length(False)
        if end < header:
            raise Malformed(f"an SRTP packet of {len(packet)} octets has no room for MKI and tag")
        cut = header if context.encrypts else end
        _check_length(end - cut, context)
        tag = _take_tag(packet[end:], context, False)
        number = rtp.sequence_number(packet)
        return cls(rtp.ssrc(packet), number, packet[:cut], packet[cut:end], b"", tag)

    @classmethod
    def parse_rtcp(cls, packet: bytes, context: Context) -> Self:
        """Take an SRTCP packet apart; raise Malformed, or SrtpError when MKI or E bit are not as agreed."""
        rtp.check_rtcp(packet)
        end = len(packet) - context.trailer_length(True)
        if end < rtp.RTCP_CLEAR:
            raise Malformed(f"an SRTCP packet of {len(packet)} octets has no room for index, MKI and tag")
        at = end + (context.tag_length(True) if context.is_gcm else 0)
        word, rest = packet[at : at + rtp.INDEX_WORD], packet[end:at] + packet[at + rtp.INDEX_WORD :]
        tag, number = _take_tag(rest, context, True), int.from_bytes(word)
        encrypted = bool(number & rtp.E_BIT)
        if context.negotiated_e_bit and encrypted is not context.encrypts_rtcp:
            raise SrtpError("the E bit of this SRTCP packet is not as negotiated (RFC 4568, 6.3.2)")
        cut = rtp.RTCP_CLEAR if encrypted else end
        _check_length(end - cut, context)
        index = number & HIGHEST_SRTCP_INDEX
        return cls(rtp.rtcp_ssrc(packet), index, packet[:cut], packet[cut:end], word, tag)

    def open(self, context: Context, index: int) -> bytes:
        """Return the packet in clear if this is its index; AuthenticationFailed when the tag is wrong."""
        rtcp = bool(self.word)
        word = self.word or context.word(index)
        cipher = context.cipher(rtcp, index)
        return self.clear + cipher.open(self.clear, self.payload, word, self.tag, self.ssrc, index)


def seal(packet: bytes, cut: int, context: Context, index: int) -> bytes:
    """Return the SRTP packet ``index`` of an RTP packet, of which ``cut`` octets stay in clear."""
    _check_length(len(packet) - cut, context)
    clear, payload, ssrc = packet[:cut], packet[cut:], rtp.ssrc(packet)
    sealed, tag = context.cipher(False, index).seal(clear, payload, context.word(index), ssrc, index)
    tail = (tag, context.mki) if context.is_gcm else (context.mki, tag)
    return b"".join((clear, sealed, *tail))


def seal_rtcp(packet: bytes, context: Context, index: int) -> bytes:
    """Return the SRTCP packet ``index`` of an RTCP packet."""
    encrypts = context.encrypts_rtcp
    cut = rtp.RTCP_CLEAR if encrypts else len(packet)
    _check_length(len(packet) - cut, context)
    clear, payload, ssrc = packet[:cut], packet[cut:], rtp.rtcp_ssrc(packet)
    word = (index | (rtp.E_BIT if encrypts else 0)).to_bytes(rtp.INDEX_WORD)
    sealed, tag = context.cipher(True, index).seal(clear, payload, word, ssrc, index)
    tail = (tag, word, context.mki) if context.is_gcm else (word, context.mki, tag)
    return b"".join((clear, sealed, *tail))


def _check_length(payload: int, context: Context) -> None:
    if payload > MOST_PAYLOAD and not context.is_gcm:
        raise SrtpError(f"{payload} octets: AES-CM has key stream for 2^20 in a packet")


def _take_tag(tail: bytes, context: Context, rtcp: bool) -> bytes:
    """Return the tag out of MKI and tag, which stand in the order of the cipher; check the MKI."""
    cut = context.tag_length(rtcp) if context.is_gcm else len(context.mki)
    first, second = tail[:cut], tail[cut:]
    tag, mki = (first, second) if context.is_gcm else (second, first)
    if mki != context.mki:
        raise SrtpError(f"MKI {mki.hex()} names another master key: this context has {context.mki.hex()}")
    return tag
