"""Keys that were pressed: telephone events in RTP.

Spec: RFC 4733, 2.3 (event, E, R, volume, duration) and 2.5.1.2 (the packets of one event bear one timestamp;
the last is sent three times), 3.2 (DTMF).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from imslab.capture.codecs import TELEPHONE_EVENT, Codec
from imslab.capture.index import Column, Index
from imslab.capture.rtp import RtpPackets

if TYPE_CHECKING:
    from imslab.capture.streams import RtpStream

CODEC = Codec(TELEPHONE_EVENT, 8000)
KEYS = "0123456789*#ABCD"
_FLASH = 16
_SIZE = 4  # octets
_DYNAMIC = 96  # the first payload type that only a description explains


@dataclass(frozen=True, slots=True)
class Key:
    """One key: what it says, when it was pressed (epoch seconds), for how long, and how loud.

    ``seconds``  as far as its last packet says;  ``volume``: dBm0, 0 to -63
    ``ended``    the packet with the end of the event was seen
    """

    key: str
    frame: int
    at: float
    seconds: float
    volume: int
    ended: bool


def looks_like_events(index: Index, packets: RtpPackets, group: int, payload_type: int) -> bool:
    """Tell whether packets of a payload type that nobody explained have the form of DTMF, all of them."""
    mine = packets.of(group)
    these = packets.payload_type[mine] == payload_type
    if payload_type < _DYNAMIC or (packets.size[mine][these] != _SIZE).any():
        return False
    word = index.data.u32(packets.start[mine][these])
    return bool((word >> 24 <= _FLASH).all() and (word >> 22 & 1 == 0).all())  # R is 0


def keys(index: Index, stream: "RtpStream") -> list[Key]:
    """Return the keys that were pressed in a stream, in order; of SRTP, those that a key opened."""
    packets = stream.packets
    kinds = [payload_type for payload_type, codec in stream.codecs.items() if codec.is_event]
    readable = packets.opened | (stream.encrypted != "srtp")
    place = np.flatnonzero(np.isin(packets.payload_type, kinds) & (packets.size >= _SIZE) & readable)
    word = index.data.u32(packets.start[place])
    found = []
    for timestamp in dict.fromkeys(packets.timestamp[place].tolist()):
        one = np.flatnonzero(packets.timestamp[place] == timestamp)
        rate = stream.codecs[int(packets.payload_type[place[one[0]]])].clock_rate
        found += _key(index, packets, place[one], word[one], rate)
    return found


def _key(index: Index, packets: RtpPackets, place: Column, word: Column, rate: int) -> list[Key]:
    event = int(word[0]) >> 24
    if event >= len(KEYS):
        return []
    first = int(place[0])
    return [
        Key(
            KEYS[event],
            int(index.frame[packets.row[first]]),
            int(packets.time[first]) / 1e9,
            int((word & 0xFFFF).max()) / rate,
            -(int(word[0]) >> 16 & 0x3F),
            bool((word & 0x800000).any()),
        )
    ]
