"""How a stream of plain RTP is protected: by keys that stand in SDP, or not at all.

Spec: RFC 4568 (SDES), section 5.1: an answer repeats the tag of the line that it took, with a key of its own.
Each end sends with the key that it wrote, and opens with the one that it read.
"""

import base64
from collections.abc import Sequence
from contextlib import suppress

from imslab.errors import Malformed, SrtpError
from imslab.ims.node import RandomSource
from imslab.sip.sdp import Attribute, Media
from imslab.srtp import Profile, Session

SUITES = ("AES_CM_128_HMAC_SHA1_80",)  # RFC 4568, section 6.2.1: what everybody must know
SECURE, CLEAR = "RTP/SAVP", "RTP/AVP"


class Protection:
    """What one end does to its packets: SRTP with one of ``suites``, nothing when there are none."""

    def __init__(self, suites: Sequence[str], random: RandomSource) -> None:
        self.suites = tuple(Profile.named(suite) for suite in suites)
        self._random = random
        self._offered: dict[str, tuple[Profile, bytes]] = {}  # tag -> suite, key and salt
        self._keys: tuple[bytes, bytes] | None = None  # with which the two sessions began
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
        """Return the ``a=crypto`` lines of an offer; the same keys each time."""
        for tag, suite in enumerate(self.suites, 1):
            self._offered.setdefault(str(tag), (suite, self._random(suite.master_length)))
        return [_line(tag, suite, key) for tag, (suite, key) in self._offered.items()]

    def answer(self, media: Media) -> list[Attribute]:
        """Take the first line of the peer's offer that this end knows, and return that of the answer."""
        self._check(media)
        if not self.suites:
            return []
        for tag, suite, theirs in _lines(media):
            if suite in self.suites:
                _, ours = self._offered.setdefault(tag, (suite, self._random(suite.master_length)))
                self._start(suite, ours, theirs)
                return [_line(tag, suite, ours)]
        raise SrtpError(f"no crypto suite in common: this end knows {', '.join(map(str, self.suites))}")

    def accept(self, media: Media) -> None:
        """Take the line of the peer's answer; raise SrtpError when it is none of those that were offered."""
        self._check(media)
        if not self.suites:
            return
        for tag, suite, theirs in _lines(media):
            ours = self._offered.get(tag)
            if ours is not None and ours[0] == suite:
                self._start(suite, ours[1], theirs)
                return
        raise SrtpError(
            "the answer takes no crypto line of the offer: its tag and suite must be offered ones"
        )

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

    def _check(self, media: Media) -> None:
        if media.protocol != self.protocol:
            raise SrtpError(
                f"the peer says {media.protocol} and this end {self.protocol}: somebody between them may "
                "have taken the keys out. Hang up, or choose the same on both sides"
            )

    def _start(self, suite: Profile, ours: bytes, theirs: bytes) -> None:
        """Begin with these keys; with the same as before the sessions go on, and their indices with them."""
        if self._keys == (ours, theirs):
            return
        self._keys = (ours, theirs)
        self._out, self._in = (
            Session(suite, key[: suite.key_length], key[suite.key_length :]) for key in (ours, theirs)
        )


def _line(tag: object, suite: Profile, key: bytes) -> Attribute:
    return Attribute("crypto", f"{tag} {suite.name} inline:{base64.b64encode(key).decode()}")


def _lines(media: Media) -> list[tuple[str, Profile, bytes]]:
    """Return tag, suite, and key with salt of each line whose suite is known."""
    found = []
    for text in media.all("crypto"):
        tag, suite, parameters, *_ = [*text.split(" "), "", ""]
        with suppress(Malformed):
            profile = Profile.named(suite)
            found.append((tag, profile, _key(parameters, profile)))
    return found


def _key(parameters: str, suite: Profile) -> bytes:
    method, _, text = parameters.partition("inline:")
    try:
        key = base64.b64decode(text.partition("|")[0], validate=True)
    except ValueError:
        key = b""
    if method or len(key) != suite.master_length:
        raise Malformed(
            f"bad key in a=crypto of {suite}", expected=f"inline: and {suite.master_length} octets"
        )
    return key
