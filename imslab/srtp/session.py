"""SRTP and SRTCP, one packet at a time.

Spec: RFC 3711, section 3.3 (what a sender and a receiver do, in this order), 3.4 (SRTCP), 4 (transforms);
RFC 7714 (AES-GCM). What is sent:

    SRTP    AES-CM   header | payload     | MKI | tag          GCM   header | payload | tag        | MKI
    SRTCP   AES-CM   8 octets | rest | E, index | MKI | tag    GCM   8 octets | rest | tag | E, index | MKI

A receiver's state (highest index, ROC, replay window) moves only after the tag proved right.
Teaching code: it is not constant time.
"""

from collections.abc import Collection
from typing import Unpack

from imslab.errors import Malformed, SrtpError
from imslab.srtp import packet as rtp
from imslab.srtp.context import Context, Parameters
from imslab.srtp.index import INDICES, ReplayWindow, RtpIndex, check_roc
from imslab.srtp.keys import HIGHEST_SRTCP_INDEX
from imslab.srtp.profiles import Profile


class Session:
    """One master key at work: protects what is sent, opens what is received, for any number of SSRCs.

    ``profile``      by its name in SDP or DTLS, or a Profile
    ``master_key``, ``master_salt``   of the profile's lengths; DTLS-SRTP has one pair for each direction
    ``roc``          the roll-over counter to start with
    ``srtcp_index``  index of the first SRTCP packet to send (libsrtp starts with 1)
    ``ssrcs``        the only SSRCs to speak with; None: any
    ``parameters``   ``mki``, ``kdr``, ``window`` and what else a Context has

    One session may protect and open: the two directions keep states of their own. Raises Malformed when
    an argument does not fit the profile.
    """

    def __init__(
        self,
        profile: str | Profile,
        master_key: bytes,
        master_salt: bytes,
        *,
        roc: int = 0,
        srtcp_index: int = 0,
        ssrcs: Collection[int] | None = None,
        **parameters: Unpack[Parameters],
    ) -> None:
        self.context = Context(Profile.named(profile), master_key, master_salt, **parameters)
        self._roc, self._next_srtcp_index = check_roc(roc), srtcp_index
        self._ssrcs = None if ssrcs is None else frozenset(ssrcs)
        self._sent: dict[int, RtpIndex] = {}
        self._received: dict[int, RtpIndex] = {}
        self._received_rtcp: dict[int, ReplayWindow] = {}

    def __repr__(self) -> str:
        return f"Session({self.profile}, SSRCs sent: {len(self._sent)}, received: {len(self._received)})"

    @property
    def profile(self) -> Profile:
        """The protection profile."""
        return self.context.profile

    def protect(self, packet: bytes) -> bytes:
        """Return the SRTP packet of an RTP packet.

        Raises Replayed when its index was used before (the same key stream must not hide two packets),
        SrtpError when the master key is spent, Malformed when it is no RTP packet.
        """
        length, ssrc = rtp.header_length(packet), rtp.ssrc(packet)
        state = self._state(self._sent, ssrc)
        index = state.guess(rtp.sequence_number(packet))
        _check_spent(state, index)
        state.check(index)
        clear, payload = _cut(packet, length if self.context.encrypts else len(packet))
        cipher = self.context.cipher(False, index)
        sealed, tag = cipher.seal(clear, payload, self.context.word(index), ssrc, index)
        state.accept(index)
        self._sent[ssrc] = state
        mki = self.context.mki
        return b"".join((clear, sealed, *((tag, mki) if self.context.is_gcm else (mki, tag))))

    def unprotect(self, packet: bytes) -> bytes:
        """Return the RTP packet of an SRTP packet.

        Raises Replayed when it came before or is too old, AuthenticationFailed when its tag is wrong,
        SrtpError when its MKI or SSRC is another's, Malformed when it is no SRTP packet.
        """
        length, ssrc = rtp.header_length(packet), rtp.ssrc(packet)
        body, tag = self._split(packet, length)
        state = self._state(self._received, ssrc)
        index = state.guess(rtp.sequence_number(packet))
        state.check(index)
        clear, payload = _cut(body, length if self.context.encrypts else len(body))
        cipher = self.context.cipher(False, index)
        plain = cipher.open(clear, payload, self.context.word(index), tag, ssrc, index)
        state.accept(index)
        self._received[ssrc] = state
        return clear + plain

    def protect_rtcp(self, packet: bytes) -> bytes:
        """Return the SRTCP packet of a (compound) RTCP packet; raise SrtpError when the key is spent."""
        ssrc, index = rtp.rtcp_ssrc(rtp.check_rtcp(packet)), self._next_srtcp_index
        self._check_ssrc(ssrc)
        if not 0 <= index <= HIGHEST_SRTCP_INDEX:
            raise SrtpError("2^31 SRTCP packets went out under this master key: agree on a new one")
        encrypts = self.context.encrypts_rtcp
        clear, payload = _cut(packet, rtp.RTCP_CLEAR if encrypts else len(packet))
        word = (index | (rtp.E_BIT if encrypts else 0)).to_bytes(rtp.INDEX_WORD)
        sealed, tag = self.context.cipher(True, index).seal(clear, payload, word, ssrc, index)
        self._next_srtcp_index += 1
        mki = self.context.mki
        return b"".join((clear, sealed, *((tag, word, mki) if self.context.is_gcm else (word, mki, tag))))

    def unprotect_rtcp(self, packet: bytes) -> bytes:
        """Return the RTCP packet of an SRTCP packet; raises as ``unprotect`` does."""
        body, word, tag = self._split_rtcp(rtp.check_rtcp(packet))
        ssrc, number = rtp.rtcp_ssrc(packet), int.from_bytes(word)
        self._check_ssrc(ssrc)
        encrypted, index = bool(number & rtp.E_BIT), number & HIGHEST_SRTCP_INDEX
        if self.context.negotiated_e_bit and encrypted is not self.context.encrypts_rtcp:
            raise SrtpError("the E bit of this SRTCP packet is not as negotiated (RFC 4568, 6.3.2)")
        state = self._received_rtcp.get(ssrc) or ReplayWindow(self.context.window)
        state.check(index)
        clear, payload = _cut(body, rtp.RTCP_CLEAR if encrypted else len(body))
        plain = self.context.cipher(True, index).open(clear, payload, word, tag, ssrc, index)
        state.accept(index)
        self._received_rtcp[ssrc] = state
        return clear + plain

    def _split(self, packet: bytes, header: int) -> tuple[bytes, bytes]:
        """Return an SRTP packet without MKI and tag, and the tag; the MKI was looked at."""
        end = len(packet) - self.context.trailer_length(False)
        if end < header:
            raise Malformed(f"an SRTP packet of {len(packet)} octets has no room for MKI and tag")
        return packet[:end], self._take_tag(packet[end:], False)

    def _split_rtcp(self, packet: bytes) -> tuple[bytes, bytes, bytes]:
        """Return an SRTCP packet up to what was added, the word of E bit and index, and the tag."""
        end = len(packet) - self.context.trailer_length(True)
        if end < rtp.RTCP_CLEAR:
            raise Malformed(f"an SRTCP packet of {len(packet)} octets has no room for index, MKI and tag")
        body, tail = _cut(packet, end)
        at = self.context.tag_length(True) if self.context.is_gcm else 0
        word, tail = tail[at : at + rtp.INDEX_WORD], tail[:at] + tail[at + rtp.INDEX_WORD :]
        return body, word, self._take_tag(tail, True)

    def _take_tag(self, tail: bytes, rtcp: bool) -> bytes:
        """Return the tag out of MKI and tag, which stand in the order of the cipher."""
        if self.context.is_gcm:
            tag, mki = _cut(tail, self.context.tag_length(rtcp))
        else:
            mki, tag = _cut(tail, len(self.context.mki))
        if mki != self.context.mki:
            raise SrtpError(f"MKI {mki.hex()} names another master key; this session has {self._mki_name}")
        return tag

    @property
    def _mki_name(self) -> str:
        return self.context.mki.hex() or "none"

    def _state(self, states: dict[int, RtpIndex], ssrc: int) -> RtpIndex:
        """Return the state of an SSRC; a new one is kept only by who accepts its first packet."""
        self._check_ssrc(ssrc)
        return states.get(ssrc) or RtpIndex(self._roc, self.context.window)

    def _check_ssrc(self, ssrc: int) -> None:
        if self._ssrcs is not None and ssrc not in self._ssrcs:
            raise SrtpError(f"no context for SSRC {ssrc:08x}: this session speaks with others")


def _cut(octets: bytes, at: int) -> tuple[bytes, bytes]:
    return octets[:at], octets[at:]


def _check_spent(state: ReplayWindow, index: int) -> None:
    """Raise SrtpError when SEQ wraps in the last of all ROCs (RFC 3711, section 9.2)."""
    highest = -1 if state.highest is None else state.highest
    if highest >= INDICES - (1 << 15) and index < highest - (1 << 15):
        raise SrtpError("2^48 SRTP packets went out under this master key: agree on a new one")
