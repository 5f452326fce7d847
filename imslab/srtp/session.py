"""SRTP and SRTCP, one packet at a time.

Spec: RFC 3711, section 3.3 (what a sender and a receiver do, in this order), 3.4 (SRTCP); RFC 7714 (AES-GCM).
A receiver's state (highest index, ROC, replay window) moves only after the tag proved right.

Teaching code: it is not constant time.
"""

from collections.abc import Collection
from typing import Unpack

from imslab.errors import SrtpError
from imslab.srtp import packet as rtp
from imslab.srtp.context import Context, Parameters
from imslab.srtp.index import INDICES, ReplayWindow, RtpIndex, check_roc
from imslab.srtp.keys import HIGHEST_SRTCP_INDEX
from imslab.srtp.profiles import MOST_PACKETS, Profile
from imslab.srtp.sealed import Sealed, seal, seal_rtcp

Octets = bytes | bytearray | memoryview


class Session:
    """One master key at work: protects what is sent, opens what is received, for any number of SSRCs.

    ``profile``      by its name in SDP or DTLS, or a Profile
    ``master_key``, ``master_salt``   of the profile's lengths; DTLS-SRTP has one pair for each direction
    ``roc``          the roll-over counter to start with
    ``srtcp_index``  index of the first SRTCP packet to send (libsrtp starts with 1)
    ``ssrcs``        the only SSRCs to speak with; None: any
    ``lifetime``     how many packets, SRTP and SRTCP, may be protected with this master key (RFC 4568, 6.1)
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
        lifetime: int = MOST_PACKETS,
        **parameters: Unpack[Parameters],
    ) -> None:
        self.context = Context(Profile.named(profile), master_key, master_salt, **parameters)
        self._roc, self._next_srtcp_index = check_roc(roc), srtcp_index
        self._ssrcs = None if ssrcs is None else frozenset(ssrcs)
        self._left = lifetime
        self._sent: dict[int, RtpIndex] = {}
        self._received: dict[int, RtpIndex] = {}
        self._received_rtcp: dict[int, ReplayWindow] = {}

    def __repr__(self) -> str:
        return f"Session({self.profile}, SSRCs sent: {len(self._sent)}, received: {len(self._received)})"

    @property
    def profile(self) -> Profile:
        """The protection profile."""
        return self.context.profile

    def protect(self, packet: Octets) -> bytes:
        """Return the SRTP packet of an RTP packet.

        Raises Replayed when its index was used before (the same key stream must not hide two packets),
        SrtpError when the master key is spent, Malformed when it is no RTP packet.
        """
        packet = bytes(packet)
        header, ssrc = rtp.header_length(packet), rtp.ssrc(packet)
        state = self._state(self._sent, ssrc)
        index = state.guess(rtp.sequence_number(packet))
        _check_spent(state, index)
        state.check(index)
        self._check_left()
        sealed = seal(packet, header if self.context.encrypts else len(packet), self.context, index)
        state.accept(index)
        self._sent[ssrc] = state
        self._left -= 1
        return sealed

    def unprotect(self, packet: Octets) -> bytes:
        """Return the RTP packet of an SRTP packet.

        Raises Replayed when it came before or is too old, AuthenticationFailed when its tag is wrong,
        SrtpError when its MKI or SSRC is another's, Malformed when it is no SRTP packet.
        """
        sealed = Sealed.parse(bytes(packet), self.context)
        state = self._state(self._received, sealed.ssrc)
        index = state.guess(sealed.number)
        state.check(index)
        plain = sealed.open(self.context, index)
        state.accept(index)
        self._received[sealed.ssrc] = state
        return plain

    def protect_rtcp(self, packet: Octets) -> bytes:
        """Return the SRTCP packet of a (compound) RTCP packet; raise SrtpError when the key is spent."""
        packet = bytes(packet)
        self._check_ssrc(rtp.rtcp_ssrc(rtp.check_rtcp(packet)))
        index = self._next_srtcp_index
        if not 0 <= index <= HIGHEST_SRTCP_INDEX:
            raise SrtpError("2^31 SRTCP packets went out under this master key: agree on a new one")
        self._check_left()
        sealed = seal_rtcp(packet, self.context, index)
        self._next_srtcp_index += 1
        self._left -= 1
        return sealed

    def unprotect_rtcp(self, packet: Octets) -> bytes:
        """Return the RTCP packet of an SRTCP packet; raises as ``unprotect`` does."""
        sealed = Sealed.parse_rtcp(bytes(packet), self.context)
        self._check_ssrc(sealed.ssrc)
        state = self._received_rtcp.get(sealed.ssrc) or ReplayWindow(self.context.window)
        state.check(sealed.number)
        plain = sealed.open(self.context, sealed.number)
        state.accept(sealed.number)
        self._received_rtcp[sealed.ssrc] = state
        return plain

    def _state(self, states: dict[int, RtpIndex], ssrc: int) -> RtpIndex:
        """Return the state of an SSRC; a new one is kept only by who accepts its first packet."""
        self._check_ssrc(ssrc)
        return states.get(ssrc) or RtpIndex(self._roc, self.context.window)

    def _check_left(self) -> None:
        if self._left <= 0:
            raise SrtpError("the lifetime of this master key is over: agree on a new one")

    def _check_ssrc(self, ssrc: int) -> None:
        if self._ssrcs is not None and ssrc not in self._ssrcs:
            raise SrtpError(f"no context for SSRC {ssrc:08x}: this session speaks with others")


def _check_spent(state: ReplayWindow, index: int) -> None:
    """Raise SrtpError when SEQ wraps in the last of all ROCs (RFC 3711, section 9.2)."""
    highest = -1 if state.highest is None else state.highest
    if highest >= INDICES - (1 << 15) and index < highest - (1 << 15):
        raise SrtpError("2^48 SRTP packets went out under this master key: agree on a new one")
