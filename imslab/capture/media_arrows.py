"""What a ladder shows of the media of a call: a few arrows, however many packets there were.

One arrow for each kind of STUN message in each direction, one for each flight of a DTLS handshake, one for
each stream of RTP, one for the RTCP of each direction; each stands at the time of its first packet.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from imslab.capture.announcements import Announcements
from imslab.capture.arrows import node
from imslab.capture.dtls import DtlsSession
from imslab.capture.reassemble import Endpoint
from imslab.capture.rtcp import Report
from imslab.capture.streams import SRTP, RtpStream
from imslab.capture.stun import StunMessages, name_of
from imslab.capture.views import DTLS, RTP, STUN, Arrow

if TYPE_CHECKING:
    from imslab.capture.capture import Capture

_MOST_NAMES = 3  # handshake messages that a label names


def arrows(capture: "Capture", call_id: str | None = None) -> list[Arrow]:
    """Return the arrows of a call, or of a whole capture, in the order of time.

    STUN and RTCP belong to a call when they pass at a socket that its session descriptions name.
    """
    shared = capture.shared
    belongs = _Belongs(capture.announcements, call_id)
    mine = [one for one in capture.rtp if call_id in (None, one.call_id)]
    sessions = [one for one in capture.dtls if call_id in (None, one.call_id)]
    reports = [one for one in capture.rtcp if belongs(one.source, one.destination)]
    found = [
        *stun_arrows(capture, capture.stun, belongs),
        *dtls_arrows(sessions, shared),
        *stream_arrows(mine, shared),
        *rtcp_arrows(reports, shared),
    ]
    return sorted(found, key=lambda arrow: arrow.at)


class _Belongs:
    """Tells whether what passes between two sockets is of a call."""

    def __init__(self, announcements: Announcements, call_id: str | None) -> None:
        self._announcements, self._call_id = announcements, call_id

    def __call__(self, *ends: Endpoint) -> bool:
        if self._call_id is None:
            return True
        named = (self._announcements.at(end) for end in ends)
        return any(one is not None and one.call_id == self._call_id for one in named)


def stun_arrows(capture: "Capture", messages: StunMessages, belongs: _Belongs) -> Iterator[Arrow]:
    """Yield an arrow for each kind of message between two sockets, with how many there were."""
    index, shared = capture.index, capture.shared
    kinds = np.stack([index.flow[messages.row].astype(np.int64), messages.type], axis=1)
    different, first, count = np.unique(kinds, axis=0, return_index=True, return_counts=True)
    for (flow, kind), place, many in zip(different.tolist(), first.tolist(), count.tolist(), strict=True):
        source, destination = index.flows.endpoints(flow)
        if not belongs(source, destination):
            continue
        frame = int(index.frame[messages.row[place]])
        at = int(capture.file.records.time[frame - 1]) / 1e9
        label = name_of(kind).partition(" ")[2]
        ends = node(source, shared), node(destination, shared)
        yield Arrow(at, *ends, f"STUN {label}", STUN, f"{many} of them" if many > 1 else "", frame)


def dtls_arrows(sessions: Iterable[DtlsSession], shared: frozenset[str]) -> Iterator[Arrow]:
    """Yield an arrow for each flight."""
    for session in sessions:
        for flight in session.flights:
            ends = node(flight.source, shared), node(flight.destination, shared)
            names = list(flight.messages[:_MOST_NAMES]) + ["…"] * (len(flight.messages) > _MOST_NAMES)
            profile = session.profile if "ServerHello" in flight.messages else None
            detail = f"use_srtp: {profile}" if profile else ""
            yield Arrow(flight.at, *ends, f"DTLS {', '.join(names)}", DTLS, detail, flight.frame)


def stream_arrows(streams: Iterable[RtpStream], shared: frozenset[str]) -> Iterator[Arrow]:
    """Yield an arrow for each stream: how many packets, which codec, how well they arrived."""
    for stream in streams:
        ends = node(stream.source, shared), node(stream.destination, shared)
        yield Arrow(stream.began, *ends, _label(stream), RTP, _detail(stream), stream.frame)


def rtcp_arrows(reports: Iterable[Report], shared: frozenset[str]) -> Iterator[Arrow]:
    """Yield an arrow for the RTCP of each direction."""
    found: dict[tuple[Endpoint, Endpoint], list[Report]] = {}
    for report in reports:
        found.setdefault((report.source, report.destination), []).append(report)
    for (source, destination), mine in found.items():
        kinds = dict.fromkeys(report.name for report in mine)
        ends = node(source, shared), node(destination, shared)
        label = f"RTCP {len(mine)} packets"
        yield Arrow(mine[0].at, *ends, label, RTP, ", ".join(kinds), mine[0].frame)


def _label(stream: RtpStream) -> str:
    protocol = "SRTP" if stream.encrypted == SRTP else "RTP"
    codec = stream.codec.name if stream.codec else f"payload type {stream.payload_type}"
    return f"{protocol} {len(stream)} packets, {codec}"


def _detail(stream: RtpStream) -> str:
    words = [f"{stream.duration:.1f} s", f"{stream.lost} lost"]
    words += (
        [f"jitter {stream.jitter_mean:.1f} ms"] if stream.jitter_mean == stream.jitter_mean else []
    )  # NaN
    if stream.encrypted == SRTP:
        words += ["opened" if stream.decrypted else "no key"]
    return ", ".join(words)
