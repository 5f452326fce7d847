"""UDP and TCP headers of many datagrams at once.

Spec: RFC 768; RFC 9293, section 3.1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imslab.capture.buffer import Octets
from imslab.capture.columns import Column, Columns, Mask
from imslab.capture.ip import Payloads

_UDP_HEADER, _TCP_HEADER = 8, 20
HEAD = (
    12  # octets of a payload that are kept: the fixed header of RTP; STUN's cookie, DTLS's version lie within
)


@dataclass(frozen=True, slots=True)
class Segments(Columns):
    """UDP datagrams or TCP segments.

    ``start, end``  of the payload;  ``limit``: where it should have ended
    ``cut``         the capture holds less of the frame than was sent
    ``head``        the first octets of the payload, n by HEAD; of a shorter one also what follows it
    """

    frame: Column
    start: Column
    end: Column
    limit: Column
    cut: Mask
    via: Column
    pair: Column
    sport: Column
    dport: Column
    seq: Column
    flags: Column
    head: NDArray[np.uint8]


def udp(data: Octets, found: Payloads) -> Segments:
    """Read UDP headers; a datagram that does not hold one drops out."""
    good = found.at + _UDP_HEADER <= found.end
    if not good.all():
        found = found[good]
    octets = data.windows(found.at, _UDP_HEADER + HEAD)
    words = octets.view(">u2")
    start = found.at + _UDP_HEADER
    claimed = words[:, 2].astype(np.int64) - _UDP_HEADER
    # A length under 8 is that of a network card that has yet to cut the datagram, or nonsense.
    end = np.where(claimed >= 0, np.minimum(found.end, start + claimed), found.end)
    nothing = np.zeros(len(found), np.int64)
    return Segments(
        found.frame,
        start,
        end,
        np.where(claimed >= 0, start + claimed, np.maximum(found.limit, end)),
        found.cut,
        found.via,
        found.pair,
        words[:, 0].astype(np.int64),
        words[:, 1].astype(np.int64),
        nothing,
        nothing,
        octets[:, _UDP_HEADER:].copy(),
    )


def tcp(data: Octets, found: Payloads) -> Segments:
    """Read TCP headers; a segment that does not hold one drops out."""
    head = data.windows(found.at, _TCP_HEADER)
    length = (head[:, 12] >> 4).astype(np.int64) * 4
    good = (length >= _TCP_HEADER) & (found.at + length <= found.end)
    if not good.all():
        found, head, length = found[good], head[good], length[good]
    words, start = head.view(">u2"), found.at + length
    return Segments(
        found.frame,
        start,
        found.end,
        found.limit,
        found.cut,
        found.via,
        found.pair,
        words[:, 0].astype(np.int64),
        words[:, 1].astype(np.int64),
        head.view(">u4")[:, 1].astype(np.int64),
        head[:, 13].astype(np.int64),
        data.windows(start, HEAD),
    )
