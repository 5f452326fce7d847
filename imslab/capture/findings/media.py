"""Findings of media: keys that everybody reads, certificates of others, sound that goes one way or stumbles.

Spec: RFC 4568, 7; RFC 8122, 5; RFC 3264, 5.1; RFC 3550, 6.4.1; ITU-T Y.1541 (network performance objectives).
"""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from imslab.capture.announcements import description
from imslab.capture.findings.evidence import Evidence
from imslab.capture.findings.finding import Finding, Severity

if TYPE_CHECKING:
    from imslab.capture.call import Call
    from imslab.capture.streams import RtpStream

_DTLS_1_0 = 0xFEFF
_LONG, _MANY = 2.0, 50  # seconds and packets that a stream must have before the other direction is missed
_JITTER = 50.0  # milliseconds: the delay variation of Y.1541, class 0
_LOSS, _MANY_EXPECTED = 0.01, 100  # ten times the loss of that class; packets before a share means anything
_ONE_WAY = (b"a=sendonly", b"a=recvonly", b"a=inactive")


def keys_in_clear(evidence: Evidence) -> Iterator[Finding]:
    """a=crypto in signalling that is not encrypted."""
    frames = [
        event.frame
        for event in evidence.capture.sip
        if event.frame not in evidence.sealed and b"a=crypto:" in description(event)
    ]
    if frames:
        yield Finding(
            Severity.ERROR,
            "sdes-in-clear",
            "SRTP keys (a=crypto) in signalling that everybody on the way can read",
            "Each proxy has the keys, and so has whoever captures the signalling, as here. DTLS-SRTP keeps "
            "them between the two ends",
            "RFC 4568, 7",
            tuple(frames),
        )


def wrong_fingerprint(evidence: Evidence) -> Iterator[Finding]:
    """A certificate whose fingerprint SDP did not announce."""
    for session in evidence.capture.dtls:
        for role, matches in session.matches.items():
            if matches is False:
                end = session.client if role == "client" else session.server
                yield Finding(
                    Severity.ERROR,
                    "wrong-fingerprint",
                    f"the certificate of the DTLS {role} {end[0]}:{end[1]} is not the one that SDP announced",
                    "Somebody in the middle took the handshake over, or the signalling was changed: the "
                    "ends must give up",
                    "RFC 8122, 5.1; RFC 5763, 5",
                    session.frames,
                )


def old_dtls(evidence: Evidence) -> Iterator[Finding]:
    """DTLS 1.0."""
    sessions = [one for one in evidence.capture.dtls if one.handshake.version == _DTLS_1_0]
    if sessions:
        yield Finding(
            Severity.WARNING,
            "old-dtls",
            f"DTLS 1.0 in {len(sessions)} handshakes",
            "It was withdrawn: its hashes are broken",
            "RFC 8996, 3",
            tuple(frame for one in sessions for frame in one.frames),
        )


def one_way(evidence: Evidence) -> Iterator[Finding]:
    """An answered call whose media go one way, though both ends wanted to hear."""
    for call in evidence.capture.call_list:
        if call.answered is None or any(
            any(word in description(e) for word in _ONE_WAY) for e in call.messages
        ):
            continue
        lonely = [
            stream for stream in call.streams if _lasts(call, stream) and not _has_answer(evidence, stream)
        ]
        if lonely:
            source, destination = lonely[0].source, lonely[0].destination
            yield Finding(
                Severity.WARNING,
                "one-way-media",
                f"media go one way in the call from {call.caller} to {call.callee}: "
                f"{source[0]}:{source[1]} sends, {destination[0]}:{destination[1]} sends nothing back",
                "One of the two hears nothing: a firewall, a NAT, or a wrong address in SDP",
                "RFC 3264, 5.1",
                tuple(stream.frame for stream in lonely),
            )


def high_jitter(evidence: Evidence) -> Iterator[Finding]:
    """Packets that do not come evenly."""
    for stream in evidence.capture.rtp:
        if not math.isnan(stream.jitter_max) and stream.jitter_max > _JITTER and len(stream) >= _MANY:
            yield Finding(
                Severity.WARNING,
                "high-jitter",
                f"jitter to {stream.jitter_max:.0f} ms (mean {stream.jitter_mean:.0f}) in {_named(stream)}",
                "A receiver must wait longer before it plays, or leave out what comes too late",
                "RFC 3550, 6.4.1; ITU-T Y.1541, table 1",
                (stream.frame,),
            )


def high_loss(evidence: Evidence) -> Iterator[Finding]:
    """Packets that do not come."""
    for stream in evidence.capture.rtp:
        if stream.expected >= _MANY_EXPECTED and stream.loss > _LOSS:
            yield Finding(
                Severity.WARNING,
                "high-loss",
                f"{stream.lost} of {stream.expected} packets ({stream.loss:.1%}) miss in {_named(stream)}",
                "Lost on the way, or not captured",
                "ITU-T Y.1541, table 1",
                (stream.frame,),
            )


def _lasts(call: "Call", stream: "RtpStream") -> bool:
    """Tell whether a stream goes on for a while after the answer."""
    assert call.answered is not None
    end = min(stream.ended, call.ended or math.inf)
    return len(stream) >= _MANY and end - max(stream.began, call.answered) >= _LONG


def _has_answer(evidence: Evidence, stream: "RtpStream") -> bool:
    """Tell whether anything goes back between the two hosts, RTP or not: then somebody can hear."""
    there, back = stream.source[0], stream.destination[0]
    if there == back:
        return True  # both ends on one machine: nobody can say who is who
    return any(one.source[0] == back and one.destination[0] == there for one in evidence.capture.rtp)


def _named(stream: "RtpStream") -> str:
    (a, b), (c, d) = stream.source, stream.destination
    return f"the stream {a}:{b} to {c}:{d}, SSRC {stream.ssrc:08x}"


RULES = (keys_in_clear, wrong_fingerprint, old_dtls, one_way, high_jitter, high_loss)
