"""What a TURN server relays: ChannelData, and the DATA in Send and Data indications, over UDP.

Spec: RFC 8656, sections 11.4 (ChannelData), 10.1 and 10.4 (indications); RFC 8489, section 14
(attributes); RFC 7983 (which first octets belong to whom).
"""

from typing import NamedTuple

import numpy as np

from imslab.capture.buffer import Octets
from imslab.capture.columns import Column, Mask

_CHANNEL_HEADER, _STUN_HEADER = 4, 20  # octets
INDICATIONS, _COOKIE = (0x0016, 0x0017), 0x2112A442  # Send, Data
_DATA = 0x0013  # attribute
_MOST_ATTRIBUTES = 16


class Inner(NamedTuple):
    """Which of the rows asked about hold something, where that lies, and octets of it."""

    row: Column
    start: Column
    length: Column


def channel_data(data: Octets, flow: Column, start: Column, length: Column) -> Inner:
    """Return what is relayed in datagrams that are ChannelData; all those asked about begin with 64 to 79.

    Many other things begin so too. It is ChannelData where all such datagrams of a flow say their own length.
    """
    claimed, held = data.u16(start + 2), length - _CHANNEL_HEADER
    fits = (claimed > 0) & (claimed <= held) & (held - claimed < 4) & _is_relayed(data.u8(start + 4))
    _, group = np.unique(flow, return_inverse=True)
    good = (np.bincount(group, ~fits) == 0)[group]
    return Inner(np.flatnonzero(good), start[good] + _CHANNEL_HEADER, claimed[good])


def _is_relayed(first: Column) -> Mask:
    """Tell which first octets are those of STUN, DTLS, RTP and RTCP (RFC 7983, section 7)."""
    return (first <= 3) | (first >= 20) & (first <= 63) | (first >= 128) & (first <= 191)


def indications(data: Octets, start: Column, length: Column) -> Inner:
    """Return the DATA of Send and Data indications; all the datagrams asked about begin with such a type."""
    rows = np.flatnonzero((length > _STUN_HEADER) & (data.u32(start + 4) == _COOKIE))
    end, at = start[rows] + length[rows], start[rows] + _STUN_HEADER
    found = np.full(len(rows), -1, np.int64)
    for _ in range(_MOST_ATTRIBUTES):
        on = (found < 0) & (at + 4 <= end)
        if not on.any():
            break
        here = on & (data.u16(at) == _DATA)
        found[here] = at[here]
        at = np.where(on, at + 4 + (data.u16(at + 2) + 3 & ~3), at)
    size = data.u16(found + 2)
    good = (found >= 0) & (size > 0) & (found + 4 + size <= end)
    return Inner(rows[good], found[good] + 4, size[good])
