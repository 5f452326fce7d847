"""How a stream of plain RTP is protected: by keys that stand in SDP, or not at all.

Spec: RFC 4568 (SDES), section 5.1. Each end sends with the key that it wrote, and opens with the one that it
read.
"""

from collections.abc import Sequence
from contextlib import suppress

from imslab.errors import Malformed, SrtpError
from imslab.ims.node import RandomSource
from imslab.sip.sdp import Attribute, Media
from imslab.srtp import Profile, Session
from imslab.srtp.sdes import Crypto, InlineKey, answer, check_answer, choose

SUITES = ("AES_CM_128_HMAC_SHA1_80",)  # RFC 4568, section 6.2.1: what everybody must know
SECURE, CLEAR = "RTP/SAVP", "RTP/AVP"


class Protection:
    """What one end does to its packets: SRTP with one of ``suites``, nothing when there are none."""

    def __init__(self, suites: Sequence[str], random: RandomSource) -> None:
        self.suites = tuple(Profile.named(suite) for suite in suites)
        self._random = random
        self._keys: dict[Profile, InlineKey] = {}  # this end's: one for each suite, and it stays
        self._agreed: tuple[Crypto, Crypto] | None = None  # this end's line and the peer's
        self._out: Session | None = None
        self._in: Session | None = None

    @property
    def protocol(self) -> str:
        """What the ``m=`` line says."""
        return SECURE if self.suites else CLEAR

    @property
    def profile(self) -> Profile | None:
        """The suite that was agreed."""
        return None if self._out is None else self._out.profile

    def offer(self) -> list[Attribute]:
        """Return the ``a=crypto`` lines of an offer."""
        return [_attribute(line) for line in self._lines()]

    def answer(self, media: Media) -> list[Attribute]:
        """Take a line of the peer's offer, and return that of the answer; raise SrtpError when none fits."""
        self._check(media)
        if not self.suites:
            return []
        taken = choose(_read(media), self.suites)
        assert taken.profile is not None
        ours = answer(taken, self._key(taken.profile))
        self._start(ours, taken)
        return [_attribute(ours)]

    def accept(self, media: Media) -> None:
        """Take the line of the peer's answer; raise SrtpError when it is none of those that were offered."""
        self._check(media)
        if not self.suites:
            return
        lines = _read(media)
        if len(lines) != 1:
            raise SrtpError(f"an answer with {len(lines)} crypto lines that can be read: it must take one")
        self._start(check_answer(self._lines(), lines[0]), lines[0])

    def protect(self, packet: bytes) -> bytes:
        """Return what goes onto the wire for an RTP packet."""
        return packet if self._out is None else self._out.protect(packet)

    def unprotect(self, octets: bytes) -> bytes:
        """Return the RTP packet that came off the wire; raises what ``Session.unprotect`` raises."""
        return octets if self._in is None else self._in.unprotect(octets)

    def protect_rtcp(self, packet: bytes) -> bytes:
        """Return what goes onto the wire for an RTCP packet."""
        return packet if self._out is None else self._out.protect_rtcp(packet)

    def unprotect_rtcp(self, octets: bytes) -> bytes:
        """Return the RTCP packet that came off the wire; raises what ``Session.unprotect_rtcp`` raises."""
        return octets if self._in is None else self._in.unprotect_rtcp(octets)

    def _lines(self) -> list[Crypto]:
        return [Crypto(tag, suite.name, (self._key(suite),)) for tag, suite in enumerate(self.suites, 1)]

    def _key(self, suite: Profile) -> InlineKey:
        if suite not in self._keys:
            self._keys[suite] = InlineKey(self._random(suite.master_length))
        return self._keys[suite]

    def _check(self, media: Media) -> None:
        if media.protocol != self.protocol:
            raise SrtpError(
                f"the peer says {media.protocol} and this end {self.protocol}: somebody between them may "
                "have taken the keys out. Hang up, or choose the same on both sides"
            )

    def _start(self, ours: Crypto, theirs: Crypto) -> None:
        """Begin with the keys of two lines; with the same as before the sessions and their indices go on."""
        if self._agreed is None or self._agreed[0] != ours:
            self._out = ours.session()
        if self._agreed is None or self._agreed[1] != theirs:
            self._in = theirs.session()
        self._agreed = (ours, theirs)


def _read(media: Media) -> list[Crypto]:
    """Return the lines that break no rule; one that does is invalid as a whole (RFC 4568, section 6.1)."""
    lines = []
    for text in media.all("crypto"):
        with suppress(Malformed):
            lines.append(Crypto.parse(text))
    return lines


def _attribute(line: Crypto) -> Attribute:
    return Attribute("crypto", str(line))
