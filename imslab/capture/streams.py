"""Streams: RTP from one socket to another with one SSRC, and how well it arrived.

Spec: RFC 3550, 5.1 and 6.4; RFC 3264 (what an answer says of payload types). A stream belongs to the
call whose description names the socket that it goes to, or else the one that it comes from.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields

import numpy as np

from imslab.capture import dtmf, reception, rtp
from imslab.capture.announcements import Announced, Announcements
from imslab.capture.codecs import Codec, static_codec
from imslab.capture.file import CaptureFile
from imslab.capture.index import Column, Index, Mask
from imslab.capture.reassemble import Endpoint
from imslab.capture.reception import Reception
from imslab.capture.rtp import RtpPackets

SRTP, CLEAR = "srtp", "none"
_MOST = 10_000  # streams that are shown


@dataclass(frozen=True, slots=True)
class RtpStream:
    """One stream. Times are epoch seconds, spans seconds, jitter milliseconds (NaN: the clock is not known).

    ``payload_types``  how many packets of each;  ``codecs``: what each means, where that is known
    ``encrypted``      "srtp", "none", or None when nothing says it;  ``decrypted``: packets that keys opened
    ``call_id``        of the call that announced it, "" when none did
    ``talk``           seconds of media in what arrived, copies and pauses left out
    ``packets``        the packets as columns, in their order of arrival
    Other counts are those of `Reception`.
    """

    source: Endpoint
    destination: Endpoint
    ssrc: int
    frame: int
    payload_types: dict[int, int]
    codecs: dict[int, Codec]
    packets: RtpPackets = field(repr=False)
    expected: int = 0
    unique: int = 0
    lost: int = 0
    duplicates: int = 0
    reordered: int = 0
    gaps: int = 0
    longest_gap: int = 0
    first_seq: int = 0
    last_seq: int = 0
    markers: int = 0
    octets: int = 0
    began: float = 0.0
    ended: float = 0.0
    longest_wait: float = 0.0
    jitter_mean: float = 0.0
    jitter_max: float = 0.0
    talk: float | None = None
    encrypted: str | None = None
    decrypted: int = 0
    call_id: str = ""

    def __len__(self) -> int:
        return len(self.packets)

    @property
    def payload_type(self) -> int:
        """The payload type of most packets."""
        return max(self.payload_types, key=lambda one: self.payload_types[one])

    @property
    def codec(self) -> Codec | None:
        """The codec of most packets that are neither keys nor noise, else of most; None when not known."""
        ranked = sorted(self.payload_types, key=lambda one: -self.payload_types[one])
        known = [self.codecs[one] for one in ranked if one in self.codecs]
        media = (codec for codec in known if not codec.is_event and not codec.is_noise)
        return next(media, known[0] if known else None)

    @property
    def loss(self) -> float:
        """The share of the expected packets that never came, 0 to 1."""
        return self.lost / self.expected if self.expected else 0.0

    @property
    def duration(self) -> float:
        """Seconds from the first to the last packet."""
        return self.ended - self.began


def packets_of(
    capture: CaptureFile, index: Index, announcements: Announcements, warnings: list[str]
) -> RtpPackets:
    """Return the packets of a capture that belong to streams."""
    packets = rtp.read(capture, index)
    announced = _announced(index, packets, announcements)
    known = rtp.is_known(index, packets, announced, rtp.steps(packets))
    return _bounded(packets.take(known[packets.group]), warnings)


def gather(index: Index, packets: RtpPackets, announcements: Announcements) -> list[RtpStream]:
    """Return the streams among ``packets``, in the order of their first ones."""
    described = _described(index, packets, announcements)
    types = _types(packets)
    codecs = [_codecs(index, packets, group, types[group], *one) for group, one in enumerate(described)]
    clock, is_media = _clocks(packets, codecs)
    received = reception.receive(packets, clock, is_media)
    frames = reception.instants(packets, is_media & ~received.is_copy).tolist()
    found = [
        _stream(index, packets, group, types[group], codecs[group], described[group], received, frames[group])
        for group in range(len(packets.first))
    ]
    return sorted(found, key=lambda stream: stream.frame)


def _types(packets: RtpPackets) -> list[dict[int, int]]:
    """Return the payload types of each group, with the number of packets of each."""
    groups = len(packets.first)
    table = np.bincount(packets.group << 7 | packets.payload_type, minlength=groups << 7).reshape(groups, 128)
    found: list[dict[int, int]] = [{} for _ in range(groups)]
    for group, payload_type in np.argwhere(table).tolist():
        found[group][payload_type] = int(table[group, payload_type])
    return found


def _bounded(packets: RtpPackets, warnings: list[str]) -> RtpPackets:
    """Leave out the shortest streams when there are more than anybody looks at."""
    count = packets.count
    if len(count) <= _MOST:
        return packets
    warnings.append(f"{len(count)} RTP streams: the {_MOST} longest are shown")
    kept = np.zeros(len(count), np.bool_)
    kept[np.argsort(-count, kind="stable")[:_MOST]] = True
    return packets.take(kept[packets.group])


def _announced(index: Index, packets: RtpPackets, announcements: Announcements) -> Mask:
    """Mark the groups one of whose sockets stands in a session description."""
    sockets = set(announcements.sockets)
    flow = index.flow[packets.row[packets.first]]
    ports = np.array(sorted({port for _, port in sockets}), np.int64)
    likely = np.isin(index.flows.sport[flow], ports) | np.isin(index.flows.dport[flow], ports)
    named = {
        one: not sockets.isdisjoint(index.flows.endpoints(one)) for one in np.unique(flow[likely]).tolist()
    }
    return np.array([named.get(one, False) for one in flow.tolist()], np.bool_)


_COUNTS = [one.name for one in fields(RtpStream) if one.name in Reception.__slots__ and one.default == 0]
_Described = tuple[Announced | None, Announced | None]  # of the receiver, of the sender


def _described(index: Index, packets: RtpPackets, announcements: Announcements) -> list[_Described]:
    found: list[_Described] = []
    for row in packets.row[packets.first].tolist():
        frame = int(index.frame[row])
        source, destination = index.endpoints(row)
        found.append((announcements.at(destination, frame), announcements.at(source, frame)))
    return found


def _codecs(
    index: Index, packets: RtpPackets, group: int, types: Iterable[int], *described: Announced | None
) -> dict[int, Codec]:
    """Return what the payload types of a group mean: the receiver's description says it, or the sender's."""
    found = {}
    for payload_type in types:
        sayings = (one.codec(payload_type) for one in described if one is not None)
        codec = next((codec for codec in sayings if codec), None) or static_codec(payload_type)
        if codec is None and dtmf.looks_like_events(index, packets, group, payload_type):
            codec = dtmf.CODEC
        if codec is not None:
            found[payload_type] = codec
    return found


def _clocks(packets: RtpPackets, codecs: Sequence[dict[int, Codec]]) -> tuple[Column, Mask]:
    """Return the clock rate of each packet (0 for keys pressed), and which packets are media."""
    clock = np.zeros((len(codecs), 128), np.int64)
    media = np.ones((len(codecs), 128), np.bool_)
    for group, known in enumerate(codecs):
        clock[group] = next((codec.clock_rate for codec in known.values() if not codec.is_event), 0)
        for payload_type, codec in known.items():
            clock[group, payload_type] = 0 if codec.is_event else codec.clock_rate
            media[group, payload_type] = not (codec.is_event or codec.is_noise)
    place = packets.group << 7 | packets.payload_type
    return clock.reshape(-1).take(place), media.reshape(-1).take(place)


def _stream(
    index: Index,
    packets: RtpPackets,
    group: int,
    types: dict[int, int],
    codecs: dict[int, Codec],
    described: _Described,
    received: Reception,
    frames: int,
) -> RtpStream:
    mine = packets.of(group)
    row = int(packets.row[mine.start])
    announced = next((one for one in described if one is not None), None)
    counts = {name: getattr(received, name)[group].item() for name in _COUNTS}
    clock = next((codec.clock_rate for codec in codecs.values()), 0)
    ticks = reception.frame_ticks(packets, group)
    opened = int(packets.opened[mine].sum())
    return RtpStream(
        *index.endpoints(row),
        int(packets.ssrc[mine.start]),
        int(index.frame[row]),
        types,
        codecs,
        packets.only(group),
        **counts,
        talk=frames * ticks / clock if clock and ticks else None,
        encrypted=SRTP if opened else _protection(announced),
        decrypted=opened,
        call_id=announced.call_id if announced is not None else "",
    )


def _protection(announced: Announced | None) -> str | None:
    return None if announced is None else SRTP if announced.is_secure else CLEAR
