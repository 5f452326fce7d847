"""Whose packet is this? A key that may be the right one, tried on packets: the tag tells.

Spec: RFC 3711, section 3.3, step 6, and section 4.2. In a capture a pair of addresses is a poor guide: ICE
moves a call from one to another, and one pair carries several contexts. A packet that passes is of this key,
or one in 2^80 is not (one in 2^32 with tags of 4 octets).
"""

from collections.abc import Iterable
from typing import Unpack

from imslab.errors import AuthenticationFailed, Malformed, SrtpError
from imslab.srtp.context import Context, Parameters
from imslab.srtp.index import SEQUENCES, check_roc
from imslab.srtp.profiles import Profile
from imslab.srtp.sealed import Sealed

ROCS = range(1024)  # as far as a stream of 50 packets a second comes in fifteen days


class Candidate:
    """A master key, with its parameters, that is tried on packets; it keeps no state of a stream."""

    def __init__(
        self,
        profile: str | Profile,
        master_key: bytes,
        master_salt: bytes,
        **parameters: Unpack[Parameters],
    ) -> None:
        self.context = Context(Profile.named(profile), master_key, master_salt, **parameters)

    def matches(self, packet: bytes, *, roc: int = 0, rtcp: bool = False) -> bool:
        """Tell whether this key authenticates an SRTP packet of this ROC, or an SRTCP packet.

        A packet that is malformed, or carries another MKI, matches no key.
        """
        first = 0 if rtcp else check_roc(roc) * SEQUENCES
        try:
            sealed = (Sealed.parse_rtcp if rtcp else Sealed.parse)(packet, self.context)
            sealed.open(self.context, first + sealed.number)
        except (Malformed, SrtpError):
            return False
        return True

    def find_roc(self, packet: bytes, rocs: Iterable[int] = ROCS) -> int | None:
        """Return the first of ``rocs`` under which this key authenticates an SRTP packet, or None.

        For a capture that begins in the middle of a stream: its ROC was never sent. Raises Malformed, or
        SrtpError for another MKI, when the packet cannot be tried.
        """
        sealed = Sealed.parse(packet, self.context)
        return next((roc for roc in rocs if self._opens(sealed, roc)), None)

    def _opens(self, sealed: Sealed, roc: int) -> bool:
        try:
            sealed.open(self.context, check_roc(roc) * SEQUENCES + sealed.number)
        except AuthenticationFailed:
            return False
        return True
