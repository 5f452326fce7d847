"""A whole stream at once: SRTP and SRTCP of a capture, from arrays of places to arrays of plain packets.

Spec: RFC 3711, RFC 7714. The answers are those of a ``Session`` that gets the same packets in the same order,
packet by packet: reordering, losses across a wrap of SEQ, replays and forgeries included. Several SSRCs may
be mixed. A capture that begins in the middle of a stream does not show its ROC: see ``find_rocs``.

    opened = bulk.unprotect("AES_CM_128_HMAC_SHA1_80", key, salt, octets, start, length)
    list(opened)  # the packets in clear

Teaching code: it is not constant time.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike

from imslab.srtp.bulk.opener import Opener
from imslab.srtp.bulk.order import Open, Reason, decide
from imslab.srtp.bulk.packets import Packets, as_octets
from imslab.srtp.bulk.rows import Booleans, Integers, Octets
from imslab.srtp.candidate import ROCS, Candidate
from imslab.srtp.context import Context, Parameters
from imslab.srtp.index import ReplayWindow, RtpIndex
from imslab.srtp.profiles import Profile

__all__ = ["Opened", "Reason", "Receiver", "find_rocs", "unprotect"]


@dataclass(frozen=True, slots=True)
class Opened:
    """What became of each packet, in the order in which they were given.

    ``reason``  a ``Reason`` each: OPENED, AUTHENTICATION_FAILED, REPLAYED, MALFORMED, REFUSED
    ``index``   48-bit packet index (SRTCP's has 31 bits) that it was tried under; -1 where it was not
    ``ssrc``    0 where the packet is malformed
    ``octets``  the packets in clear, headers included: packet i is ``length[i]`` octets at ``start[i]``;
                a packet that was not opened has none, and nothing has when they were only checked
    """

    reason: Integers
    index: Integers
    ssrc: Integers
    octets: Octets
    start: Integers
    length: Integers

    @property
    def ok(self) -> Booleans:
        """Which packets were opened, or only checked, with success."""
        return np.equal(self.reason, Reason.OPENED)

    def __len__(self) -> int:
        return len(self.reason)

    def __getitem__(self, position: int) -> bytes:
        start = int(self.start[position])
        return self.octets[start : start + int(self.length[position])].tobytes()

    def __iter__(self) -> Iterator[bytes]:
        """Yield the packets that were opened."""
        return (self[int(position)] for position in np.flatnonzero(self.ok))


class Receiver:
    """A receiver that takes packets by the thousand, and goes on where it was: for a capture read in pieces.

    ``roc``         the roll-over counter to start with, for all SSRCs or by SSRC (0 for those not named)
    ``rtcp``        the packets are SRTCP
    ``decrypt``     False: check replay and authentication only
    ``parameters``  ``mki``, ``kdr``, ``window`` and what else a Context has
    ``states``      by SSRC, what was accepted so far

    Raises Malformed when an argument does not fit the profile.
    """

    def __init__(
        self,
        profile: str | Profile,
        master_key: bytes,
        master_salt: bytes,
        *,
        roc: int | Mapping[int, int] = 0,
        rtcp: bool = False,
        decrypt: bool = True,
        **parameters: Unpack[Parameters],
    ) -> None:
        self.context = Context(Profile.named(profile), master_key, master_salt, **parameters)
        self.roc, self.rtcp, self.decrypt = roc, rtcp, decrypt
        self.states: dict[int, ReplayWindow] = {}

    def unprotect(
        self, octets: object, start: ArrayLike, length: ArrayLike, *, room: Octets | None = None
    ) -> Opened:
        """Open the next packets, as the function ``unprotect`` does; into ``room``, when they fit."""
        packets = self._read(octets, start, length)
        opener = Opener(self.context, packets, rtcp=self.rtcp, decrypt=self.decrypt, room=room)
        reason, index = packets.reason.copy(), np.full(len(packets.reason), -1, np.int64)
        for which in packets.streams():
            reason[which], index[which] = self._decide(packets, which, opener.open)
        opened = np.where((reason == Reason.OPENED) & self.decrypt, packets.body, 0)
        return Opened(reason, index, packets.ssrc, opener.octets, opener.place, opened)

    def assume(self, octets: object, start: ArrayLike, length: ArrayLike) -> None:
        """Go on as if each of the next packets were authentic, without looking: to guess a later state."""
        packets = self._read(octets, start, length)
        for which in packets.streams():
            self._decide(packets, which, lambda part, _: np.ones(len(part), np.bool_))

    def _read(self, octets: object, start: ArrayLike, length: ArrayLike) -> Packets:
        return Packets.read(self.context, as_octets(octets), start, length, self.rtcp)

    def _decide(self, packets: Packets, which: Integers, open_: Open) -> tuple[Integers, Integers]:
        """Return reason and index of the packets of one SSRC."""
        ssrc = int(packets.ssrc[which[0]])
        state = self.states.get(ssrc) or self._first_state(ssrc)

        def opens(part: Integers, under: Integers) -> Booleans:
            return open_(which[part], under)

        decided = decide(packets.number[which], state, opens)
        if state.highest is not None:  # what opened nothing leaves no state
            self.states[ssrc] = state
        return decided

    def _first_state(self, ssrc: int) -> ReplayWindow:
        if self.rtcp:
            return ReplayWindow(self.context.window)
        roc = self.roc.get(ssrc, 0) if isinstance(self.roc, Mapping) else self.roc
        return RtpIndex(roc, self.context.window)


def unprotect(
    profile: str | Profile,
    master_key: bytes,
    master_salt: bytes,
    octets: object,
    start: ArrayLike,
    length: ArrayLike,
    *,
    roc: int | Mapping[int, int] = 0,
    rtcp: bool = False,
    decrypt: bool = True,
    **parameters: Unpack[Parameters],
) -> Opened:
    """Open all packets that lie in ``octets``, packet i at ``start[i]`` with ``length[i]`` octets.

    ``octets`` is anything with a buffer: bytes, a memory map, an array of uint8. The other arguments are
    those of a ``Receiver``, which a capture in pieces needs. Raises Malformed when an argument does not fit;
    a bad packet is no error, but has its reason.
    """
    receiver = Receiver(profile, master_key, master_salt, roc=roc, rtcp=rtcp, decrypt=decrypt, **parameters)
    return receiver.unprotect(octets, start, length)


def find_rocs(
    candidate: Candidate,
    octets: object,
    start: ArrayLike,
    length: ArrayLike,
    *,
    rocs: Sequence[int] = ROCS,
    tries: int = 3,
) -> dict[int, int]:
    """Return, for each SSRC of a capture that begins in mid stream, the ROC to start with.

    It is that of the first packet which proves authentic under one of ``rocs``, among the first ``tries`` of
    the SSRC. An SSRC is left out when none does: another key, or a ROC outside ``rocs``. The result is what
    ``unprotect`` takes as ``roc``. Raises Malformed when an argument does not fit.
    """
    packets = Packets.read(candidate.context, as_octets(octets), start, length, rtcp=False)
    sizes = np.asarray(length, np.int64)
    found: dict[int, int] = {}
    for which in packets.streams():
        for at in which[:tries].tolist():
            first = int(packets.start[at])
            roc = candidate.find_roc(packets.octets[first : first + int(sizes[at])].tobytes(), rocs)
            if roc is not None:
                found[int(packets.ssrc[at])] = roc
                break
    return found
