"""Captures with media, written packet by packet: SIP, SDP, RTP as a test wants them."""

import io
from collections.abc import Iterable

from imslab.capture import index, rtp
from imslab.capture.file import read_file
from imslab.capture.index import Index
from imslab.capture.rtp import RtpPackets
from imslab.net.trace import TraceWriter

START = 1_700_000_000.0
ALICE, BOB = ("10.0.0.1", 4000), ("10.0.0.2", 5000)
PROXY = ("10.0.0.9", 5060)

Datagram = tuple[float, tuple[str, int], tuple[str, int], bytes]


def packet(
    seq: int,
    timestamp: int,
    *,
    ssrc: int = 0x11223344,
    payload_type: int = 0,
    payload: bytes = bytes(160),
    marker: bool = False,
    first: int = 0x80,
    rest: bytes = b"",
) -> bytes:
    """Return one RTP packet; ``rest`` stands between header and payload (CSRC, extension)."""
    head = bytes([first, payload_type | marker << 7]) + (seq & 0xFFFF).to_bytes(2)
    return head + (timestamp & 0xFFFFFFFF).to_bytes(4) + ssrc.to_bytes(4) + rest + payload


def stream(
    numbers: Iterable[int], *, source: tuple[str, int] = ALICE, target: tuple[str, int] = BOB, **fields: int
) -> list[Datagram]:
    """Return G.711 as it should come: a packet each 20 ms, those of ``numbers``, in their order."""
    return [
        (place * 0.02, source, target, packet(number, number * 160, **fields))  # type: ignore[arg-type]
        for place, number in enumerate(numbers)
    ]


def trace(datagrams: Iterable[Datagram], secrets: bytes = b"") -> bytes:
    """Write datagrams, ``at`` seconds after the start, in the order of time."""
    file = io.BytesIO()
    writer = TraceWriter(file, comment="made by a test")
    if secrets:
        writer.secret(secrets)
    for at, source, target, payload in sorted(datagrams, key=lambda one: one[0]):
        writer.udp(START + at, source, target, payload)
    return file.getvalue()


def indexed(datagrams: Iterable[Datagram]) -> Index:
    return index.build(read_file(trace(datagrams)))


def packets(datagrams: Iterable[Datagram]) -> RtpPackets:
    file = read_file(trace(datagrams))
    return rtp.read(file, index.build(file))


def sdp(
    socket: tuple[str, int],
    formats: str = "0",
    *attributes: str,
    protocol: str = "RTP/AVP",
    session: tuple[str, ...] = (),
    kind: str = "audio",
) -> bytes:
    """Return a session description with one media section."""
    host, port = socket
    lines = ["v=0", f"o=- 1 1 IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0"]
    lines += [f"a={attribute}" for attribute in session]
    lines += [f"m={kind} {port} {protocol} {formats}", *(f"a={attribute}" for attribute in attributes)]
    return ("\r\n".join(lines) + "\r\n").encode()


def sip(
    start: str,
    *,
    method: str = "INVITE",
    number: int = 1,
    call_id: str = "one@10.0.0.1",
    to_tag: str = "",
    branch: str = "z9hG4bK1",
    body: bytes = b"",
    content_type: str = "application/sdp",
    rows: tuple[str, ...] = (),
) -> bytes:
    """Return one SIP message."""
    tag = f";tag={to_tag}" if to_tag else ""
    lines = [
        start,
        f"Via: SIP/2.0/UDP 10.0.0.1:5060;branch={branch}",
        "From: <sip:alice@example.org>;tag=a",
        f"To: <sip:bob@example.org>{tag}",
        f"Call-ID: {call_id}",
        f"CSeq: {number} {method}",
        *rows,
        *([f"Content-Type: {content_type}"] if body else []),
        f"Content-Length: {len(body)}",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


UE, PEER = ("10.0.0.1", 5060), ("10.0.0.2", 5060)


def invite(body: bytes = b"", **fields: object) -> bytes:
    return sip("INVITE sip:bob@example.org SIP/2.0", body=body, **fields)  # type: ignore[arg-type]


def answer(status: str, body: bytes = b"", **fields: object) -> bytes:
    return sip(f"SIP/2.0 {status}", body=body, to_tag="b", **fields)  # type: ignore[arg-type]


def request(method: str, number: int = 2, **fields: object) -> bytes:
    return sip(
        f"{method} sip:bob@example.org SIP/2.0",
        method=method,
        number=number,
        to_tag="b",
        **fields,  # type: ignore[arg-type]
    )


def call(
    offer: bytes = b"", answered: bytes = b"", *, call_id: str = "one@10.0.0.1", seconds: float = 10.0
) -> list[Datagram]:
    """Return a call from INVITE to BYE: rings after 0.1 s, is answered after 1 s."""
    return [
        (0.0, UE, PEER, invite(offer, call_id=call_id)),
        (0.1, PEER, UE, answer("180 Ringing", call_id=call_id)),
        (1.0, PEER, UE, answer("200 OK", answered, call_id=call_id)),
        (1.01, UE, PEER, request("ACK", 1, call_id=call_id)),
        (1.0 + seconds, UE, PEER, request("BYE", 2, call_id=call_id)),
        (1.01 + seconds, PEER, UE, answer("200 OK", method="BYE", number=2, call_id=call_id)),
    ]
