"""Findings of media: each is found where it is, and not where all is well."""

import io
import random
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from imslab.capture import open_capture
from imslab.capture.findings import Finding, Severity, find, media
from imslab.capture.findings.evidence import Evidence
from imslab.capture.streams import RtpStream
from imslab.data import path
from imslab.net.trace import TraceWriter
from tests.capture.gm import KEYS, Gm

A, B = "10.0.0.2", "10.0.0.3"
START = 1_700_000_000.0


def found(octets: bytes, rule: str, **keys: str) -> list[Finding]:
    return [one for one in find(open_capture(octets, **keys)) if one.rule == rule]


@dataclass
class Conversation:
    """Writes a call between two hosts: INVITE, 200, ACK, media, BYE."""

    offer: tuple[str, ...] = ()
    answer: tuple[str, ...] = ()
    file: io.BytesIO = field(default_factory=io.BytesIO)

    def __post_init__(self) -> None:
        self.trace = TraceWriter(self.file)

    def sdp(self, host: str, port: int, lines: Iterable[str]) -> bytes:
        head = (
            f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n"
        )
        return (head + "".join(f"{line}\r\n" for line in lines)).encode()

    def sip(self, at: float, source: str, start: str, cseq: str, body: bytes = b"") -> None:
        destination = B if source == A else A
        head = [
            start,
            f"Via: SIP/2.0/UDP {A};branch=z9hG4bK{cseq.replace(' ', '')}",
            f"From: <sip:a@{A}>;tag=1",
            f"To: <sip:b@{B}>;tag=2" if body or "ACK" in cseq or "BYE" in cseq else f"To: <sip:b@{B}>",
            "Call-ID: talk",
            f"CSeq: {cseq}",
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        octets = ("\r\n".join(head) + "\r\n\r\n").encode() + body
        self.trace.udp(START + at, (source, 5060), (destination, 5060), octets)

    def begin(self) -> "Conversation":
        offer = self.sdp(A, 4000, self.offer)
        self.sip(0, A, f"INVITE sip:b@{B} SIP/2.0", "1 INVITE", offer)
        self.sip(1, B, "SIP/2.0 200 OK", "1 INVITE", self.sdp(B, 5000, self.answer))
        self.sip(1.1, A, f"ACK sip:b@{B} SIP/2.0", "1 ACK")
        return self

    def media(self, *ends: str, seconds: float = 4, lost: float = 0, late: float = 0) -> "Conversation":
        noise, packets = random.Random(1), []
        for source in ends:
            sockets = ((A, 4000), (B, 5000)) if source == A else ((B, 5000), (A, 4000))
            for number in range(int(seconds * 50)):
                at = START + 1.2 + number * 0.02 + noise.random() * late
                rtp = (
                    bytes((0x80, 0)) + number.to_bytes(2) + (number * 160).to_bytes(4) + b"SSRC" + bytes(160)
                )
                if noise.random() >= lost:
                    packets.append((at, *sockets, rtp))
        for packet in sorted(packets):
            self.trace.udp(*packet)
        return self

    def end(self, at: float = 6) -> bytes:
        self.sip(at, A, f"BYE sip:b@{B} SIP/2.0", "2 BYE")
        self.sip(at + 0.1, B, "SIP/2.0 200 OK", "2 BYE")
        return self.file.getvalue()


def test_a_good_call_has_no_finding() -> None:
    octets = Conversation().begin().media(A, B).end()
    assert len(open_capture(octets).rtp) == 2
    assert find(open_capture(octets)) == []


# -- one way ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", [A, B])
def test_media_that_go_one_way(source: str) -> None:
    octets = Conversation().begin().media(source).end()
    (one,) = found(octets, "one-way-media")
    assert (one.severity, one.frames, one.clause) == (Severity.WARNING, (4,), "RFC 3264, 5.1")
    assert f"{source}:{4000 if source == A else 5000} sends" in one.what


@pytest.mark.parametrize("direction", ["sendonly", "recvonly", "inactive"])
def test_who_is_on_hold_hears_nothing_and_nothing_is_wrong(direction: str) -> None:
    octets = Conversation(offer=(f"a={direction}",)).begin().media(B).end()
    assert found(octets, "one-way-media") == []


def test_short_media_or_none_say_nothing() -> None:
    assert found(Conversation().begin().media(A, seconds=1.5).end(), "one-way-media") == []
    assert found(Conversation().begin().end(), "one-way-media") == []
    assert found(Conversation().begin().media(A, seconds=4).end(at=2.0), "one-way-media") == []


def test_a_call_that_nobody_answered_says_nothing() -> None:
    talk = Conversation()
    talk.sip(0, A, f"INVITE sip:b@{B} SIP/2.0", "1 INVITE", talk.sdp(A, 4000, ()))
    assert found(talk.media(B).end(), "one-way-media") == []


# -- how it arrives --------------------------------------------------------------------------------


def test_jitter() -> None:
    octets = Conversation().begin().media(A, B, late=0.4).end(12)
    findings = found(octets, "high-jitter")
    assert len(findings) == 2 and all("RFC 3550, 6.4.1" in one.clause for one in findings)
    assert found(Conversation().begin().media(A, B, late=0.01).end(), "high-jitter") == []


def test_loss() -> None:
    octets = Conversation().begin().media(A, B, lost=0.2).end()
    assert [one.severity for one in found(octets, "high-loss")] == [Severity.WARNING] * 2
    assert "missing" not in str(found(octets, "high-jitter"))
    assert (
        found(Conversation().begin().media(A, B, seconds=1.5, lost=0.2).end(), "high-loss") == []
    )  # too few


# -- keys and certificates -------------------------------------------------------------------------

CRYPTO = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"


def test_sdes_in_clear() -> None:
    octets = Conversation(offer=(CRYPTO,), answer=(CRYPTO,)).begin().media(A, B).end()
    (one,) = found(octets, "sdes-in-clear")
    assert (one.severity, one.frames) == (Severity.ERROR, (1, 2))


@pytest.mark.parametrize(("ealg", "read"), [("aes-cbc", False), ("null", True)])
def test_sdes_inside_ipsec(ealg: str, read: bool) -> None:
    gm = Gm(ealg=ealg).whole()
    body = Conversation().sdp(A, 4000, (CRYPTO,))
    rows = ("Content-Type: application/sdp",)
    message = gm.message("INVITE sip:b SIP/2.0", 5, *rows, method="INVITE").replace(
        b"Content-Length: 0\r\n", b""
    )
    gm.protected(gm.associations.request, message + body)
    assert bool(found(gm.octets, "sdes-in-clear", **KEYS)) is read


def webrtc(change: bytes = b"") -> bytes:
    """Return our own trace; with another certificate announced, when asked for."""
    octets = path("traces", "webrtc-call.pcapng").read_bytes()
    if not change:
        return octets
    return re.sub(rb"(a=fingerprint:sha-[0-9]+ )[0-9A-Fa-f]{2}", rb"\g<1>" + change, octets)


def test_a_certificate_that_nobody_announced() -> None:
    findings = found(webrtc(b"0B"), "wrong-fingerprint")
    assert findings and {one.severity for one in findings} == {Severity.ERROR}
    assert {"DTLS client", "DTLS server"} >= {" ".join(one.what.split()[4:6]) for one in findings}
    assert found(webrtc(), "wrong-fingerprint") == []


def test_our_own_call_has_no_finding() -> None:
    assert find(open_capture(webrtc())) == []


def test_dtls_1_0() -> None:
    octets = webrtc()
    # ServerHello: record header of 13 octets, handshake header of 12, then the version that was chosen.
    hello = re.compile(rb"(\x16\xfe\xfd\x00\x00.{8}\x02.{11})\xfe\xfd", re.DOTALL)
    old = hello.sub(lambda match: match[1] + b"\xfe\xff", octets)
    assert old != octets
    findings = found(old, "old-dtls")
    assert [one.clause for one in findings] == ["RFC 8996, 3"] and findings[0].frames
    assert found(octets, "old-dtls") == []


# -- thresholds ------------------------------------------------------------------------------------


def stream(**values: Any) -> RtpStream:
    """Return a stream of a good call with other values."""
    capture = open_capture(Conversation().begin().media(A, B).end())
    return replace(next(one for one in capture.rtp if one.source[0] == A), **values)


def judged(rule: Any, *streams: RtpStream, **more: Any) -> int:
    capture: Any = SimpleNamespace(rtp=list(streams), call_list=[], **more)
    return len(list(rule(Evidence(capture))))


@pytest.mark.parametrize(("jitter", "count"), [(50.0, 0), (50.1, 1), (float("nan"), 0)])
def test_the_threshold_of_jitter(jitter: float, count: int) -> None:
    assert judged(media.high_jitter, stream(jitter_max=jitter)) == count


@pytest.mark.parametrize(
    ("lost", "expected", "count"), [(1, 100, 0), (2, 100, 1), (50, 99, 0), (10, 1000, 0)]
)
def test_the_threshold_of_loss(lost: int, expected: int, count: int) -> None:
    assert judged(media.high_loss, stream(lost=lost, expected=expected)) == count


def test_jitter_of_a_few_packets_says_nothing() -> None:
    one = stream(jitter_max=900.0)
    packets = one.packets
    assert judged(media.high_jitter, replace(one, packets=packets.take(np.arange(50)))) == 1
    assert judged(media.high_jitter, replace(one, packets=packets.take(np.arange(49)))) == 0


@pytest.mark.parametrize(
    ("seconds", "packets", "found"), [(2.0, 50, True), (1.9, 50, False), (2.0, 49, False)]
)
def test_how_long_a_stream_must_be_alone(seconds: float, packets: int, found: bool) -> None:
    one = stream()
    call: Any = SimpleNamespace(answered=one.began, ended=one.began + seconds)
    short = replace(one, packets=one.packets.take(np.arange(packets)))
    assert media._lasts(call, short) is found


def test_two_ends_on_one_host_are_not_told_apart() -> None:
    one = stream(destination=(A, 5000))
    call: Any = SimpleNamespace(
        answered=one.began, ended=None, messages=[], streams=[one], caller="a", callee="b"
    )
    capture: Any = SimpleNamespace(rtp=[one], call_list=[call])
    assert list(media.one_way(Evidence(capture))) == []
    lonely = replace(one, destination=(B, 5000))
    call.streams = capture.rtp = [lonely]
    assert [found.rule for found in media.one_way(Evidence(capture))] == ["one-way-media"]
