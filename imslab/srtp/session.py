"""SRTP and SRTCP, one packet at a time.

Spec: RFC 3711, section 3.3 (what a sender and a receiver do, in this order), 3.4 (SRTCP), 4 (transforms);
RFC 7714 (AES-GCM). What is sent:

    SRTP    AES-CM   header | payload     | MKI | tag          GCM   header | payload | tag        | MKI
    SRTCP   AES-CM   8 octets | rest | E, index | MKI | tag    GCM   8 octets | rest | tag | E, index | MKI

A receiver's state (highest index, ROC, replay window) moves only after the tag proved right.
Teaching code: it is not constant time.
"""

from collections.abc import Collection

from imslab.errors import Malformed, SrtpError
from imslab.srtp import packet as rtp
from imslab.srtp.cipher import CounterMode, Gcm, packet_cipher
from imslab.srtp.index import ReplayWindow, RtpIndex, check_roc, check_window
from imslab.srtp.keys import HIGHEST_SRTCP_INDEX, SessionKeys, check_kdr, check_master, derive_keys
from imslab.srtp.profiles import Cipher, Profile

LONGEST_MKI = 128  # octets, RFC 4568, section 6.1


class Session:
    """One master key at work: protects what is sent, opens what is received, for any number of SSRCs.

    ``profile``      by its name in SDP or DTLS, or a Profile
    ``master_key``, ``master_salt``   of the profile's lengths; DTLS-SRTP has one pair for each direction
    ``mki``          master key identifier, 0 to 128 octets, which packets then carry
    ``roc``          the roll-over counter to start with
    ``kdr``          key derivation rate: 0, or a power of two up to 2^24
    ``window``       size of the replay window, 64 to 32768
    ``srtcp_index``  index of the first SRTCP packet to send (libsrtp starts with 1)
    ``unencrypted_srtp``, ``unencrypted_srtcp``, ``unauthenticated_srtp``   as RFC 4568, 6.3, has them
    ``negotiated_e_bit``  refuse SRTCP whose E bit is not as negotiated (RFC 4568, 6.3.2); else the bit,
                     which is authenticated, says whether the packet is encrypted
    ``ssrcs``        the only SSRCs to speak with; None: any

    One session may protect and open: the two directions keep states of their own. Raises Malformed when
    an argument does not fit the profile.
    """

    def __init__(
        self,
        profile: str | Profile,
        master_key: bytes,
        master_salt: bytes,
        *,
        mki: bytes = b"",
        roc: int = 0,
        kdr: int = 0,
        window: int = 128,
        srtcp_index: int = 0,
        unencrypted_srtp: bool = False,
        unencrypted_srtcp: bool = False,
        unauthenticated_srtp: bool = False,
        negotiated_e_bit: bool = False,
        ssrcs: Collection[int] | None = None,
    ) -> None:
        self.profile = Profile.named(profile)
        self._master = check_master(self.profile, master_key, master_salt)
        self.mki, self._kdr = _check_mki(mki), check_kdr(kdr)
        self._roc, self._window = check_roc(roc), check_window(window)
        self._ssrcs = None if ssrcs is None else frozenset(ssrcs)
        in_clear = self.profile.cipher is Cipher.NULL
        self._encrypts, self._encrypts_rtcp = (
            not (in_clear or unencrypted_srtp),
            not (in_clear or unencrypted_srtcp),
        )
        self._negotiated_e_bit = negotiated_e_bit
        self._tag_length = 0 if unauthenticated_srtp else self.profile.tag_length
        if unauthenticated_srtp and self.profile.cipher is Cipher.AES_GCM:
            raise Malformed("AES-GCM always authenticates (RFC 7714, section 12)")
        self._next_srtcp_index = srtcp_index
        self._tag_last = self.profile.cipher is not Cipher.AES_GCM
        self._ciphers: dict[tuple[bool, int], CounterMode | Gcm] = {}
        self._sent: dict[int, RtpIndex] = {}
        self._received: dict[int, RtpIndex] = {}
        self._received_rtcp: dict[int, ReplayWindow] = {}
        self._cipher(False, 0)

    def __repr__(self) -> str:
        return f"Session({self.profile}, {len(self._received)} SSRCs received, {len(self._sent)} sent)"

    def protect(self, packet: bytes) -> bytes:
        """Return the SRTP packet of an RTP packet.

        Raises Replayed when its index was used before (the same key stream must not hide two packets),
        SrtpError when the key is spent, Malformed when it is no RTP packet.
        """
        length, ssrc = rtp.header_length(packet), rtp.ssrc(packet)
        state = self._state(self._sent, ssrc)
        index = state.guess(rtp.sequence_number(packet))
        state.check(index)
        sealed = self._seal(packet, length if self._encrypts else len(packet), ssrc, index)
        state.accept(index)
        self._sent[ssrc] = state
        return sealed

    def unprotect(self, packet: bytes) -> bytes:
        """Return the RTP packet of an SRTP packet.

        Raises Replayed when it came before or is too old, AuthenticationFailed when its tag is wrong,
        SrtpError when its MKI or SSRC is another's, Malformed when it is no SRTP packet.
        """
        clear, payload, tag = self._split(packet)
        ssrc = rtp.ssrc(packet)
        state = self._state(self._received, ssrc)
        index = state.guess(rtp.sequence_number(packet))
        state.check(index)
        cipher, word = self._cipher(False, index), self._roc_word(index)
        plain = clear + cipher.open(clear, payload, word, tag, ssrc, index)
        state.accept(index)
        self._received[ssrc] = state
        return plain

    def protect_rtcp(self, packet: bytes) -> bytes:
        """Return the SRTCP packet of a (compound) RTCP packet; raise SrtpError when the key is spent."""
        ssrc, index = rtp.rtcp_ssrc(rtp.check_rtcp(packet)), self._next_srtcp_index
        self._check_ssrc(ssrc)
        if not 0 <= index <= HIGHEST_SRTCP_INDEX:
            raise SrtpError("2^31 SRTCP packets went out under this master key: agree on a new one")
        cut = rtp.RTCP_CLEAR if self._encrypts_rtcp else len(packet)
        clear, payload = packet[:cut], packet[cut:]
        word = (index | (rtp.E_BIT if self._encrypts_rtcp else 0)).to_bytes(rtp.INDEX_WORD)
        sealed, tag = self._cipher(True, index).seal(clear, payload, word, ssrc, index)
        self._next_srtcp_index += 1
        tail = (word, self.mki, tag) if self._tag_last else (tag, word, self.mki)
        return b"".join((clear, sealed, *tail))

    def unprotect_rtcp(self, packet: bytes) -> bytes:
        """Return the RTCP packet of an SRTCP packet; raises as ``unprotect`` does."""
        body, word, tag = self._split_rtcp(rtp.check_rtcp(packet))
        ssrc, number = rtp.rtcp_ssrc(packet), int.from_bytes(word)
        self._check_ssrc(ssrc)
        encrypted, index = bool(number & rtp.E_BIT), number & HIGHEST_SRTCP_INDEX
        if self._negotiated_e_bit and encrypted is not self._encrypts_rtcp:
            raise SrtpError("the E bit of this SRTCP packet is not as negotiated (RFC 4568, 6.3.2)")
        state = self._received_rtcp.get(ssrc) or ReplayWindow(self._window)
        state.check(index)
        cut = rtp.RTCP_CLEAR if encrypted else len(body)
        opened = self._cipher(True, index).open(body[:cut], body[cut:], word, tag, ssrc, index)
        state.accept(index)
        self._received_rtcp[ssrc] = state
        return body[:cut] + opened

    def _seal(self, packet: bytes, cut: int, ssrc: int, index: int) -> bytes:
        clear, payload = packet[:cut], packet[cut:]
        word = self._roc_word(index)
        sealed, tag = self._cipher(False, index).seal(clear, payload, word, ssrc, index)
        return b"".join((clear, sealed, *((self.mki, tag) if self._tag_last else (tag, self.mki))))

    def _split(self, packet: bytes) -> tuple[bytes, bytes, bytes]:
        """Return clear part, payload as it came, tag; the MKI was looked at."""
        length = rtp.header_length(packet)
        end = len(packet) - self._tag_length - len(self.mki)
        if end < length:
            raise Malformed(f"an SRTP packet of {len(packet)} octets has no room for MKI and tag")
        tag = self._tag_and_mki(packet[end:], self._tag_length)
        cut = length if self._encrypts else end
        return packet[:cut], packet[cut:end], tag

    def _split_rtcp(self, packet: bytes) -> tuple[bytes, bytes, bytes]:
        """Return the packet up to what was added, the word of E bit and index, and the tag."""
        tag_length, word = self.profile.rtcp_tag_length, rtp.INDEX_WORD
        end = len(packet) - tag_length - word - len(self.mki)
        if end < rtp.RTCP_CLEAR:
            raise Malformed(f"an SRTCP packet of {len(packet)} octets has no room for index, MKI and tag")
        tail = packet[end:]
        if self._tag_last:
            return packet[:end], tail[:word], self._tag_and_mki(tail[word:], tag_length)
        tag, rest = tail[:tag_length], tail[tag_length:]
        self._check_mki(rest[word:])
        return packet[:end], rest[:word], tag

    def _tag_and_mki(self, tail: bytes, tag_length: int) -> bytes:
        """Return the tag out of MKI and tag, in the order of the cipher."""
        cut = len(self.mki) if self._tag_last else tag_length
        first, second = tail[:cut], tail[cut:]
        mki, tag = (first, second) if self._tag_last else (second, first)
        self._check_mki(mki)
        return tag

    def _check_mki(self, mki: bytes) -> None:
        if mki != self.mki:
            raise SrtpError(f"MKI {mki.hex()} names another master key than this session's, {self.mki.hex()}")

    def _check_ssrc(self, ssrc: int) -> None:
        if self._ssrcs is not None and ssrc not in self._ssrcs:
            raise SrtpError(f"no context for SSRC {ssrc:08x}: this session speaks with others")

    def _state(self, states: dict[int, RtpIndex], ssrc: int) -> RtpIndex:
        """Return the state of an SSRC; a new one is kept only by who accepts its first packet."""
        self._check_ssrc(ssrc)
        return states.get(ssrc) or RtpIndex(self._roc, self._window)

    def _roc_word(self, index: int) -> bytes:
        """Return what HMAC covers beyond the packet: ROC. GCM has it in its IV."""
        return (index >> 16).to_bytes(4) if self._tag_last else b""

    def _cipher(self, rtcp: bool, index: int) -> CounterMode | Gcm:
        """Return the cipher for SRTP or SRTCP; a new one whenever index DIV kdr is another."""
        r = index // self._kdr if self._kdr else 0
        found = self._ciphers.get((rtcp, r))
        if found is None:
            keys = self._keys(index)
            if len(self._ciphers) > _MOST_CIPHERS:
                self._ciphers.clear()
            tag_length = self.profile.rtcp_tag_length if rtcp else self._tag_length
            found = packet_cipher(self.profile, keys.srtcp if rtcp else keys.srtp, tag_length)
            self._ciphers[rtcp, r] = found
        return found

    def _keys(self, index: int) -> SessionKeys:
        return derive_keys(self.profile, *self._master, index=index, srtcp_index=index, kdr=self._kdr)


_MOST_CIPHERS = 64  # with a kdr: reordered packets come back to the last few keys


def _check_mki(mki: bytes) -> bytes:
    if len(mki) > LONGEST_MKI:
        raise Malformed(f"an MKI of {len(mki)} octets", expected=f"at most {LONGEST_MKI}")
    return bytes(mki)
