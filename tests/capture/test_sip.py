"""SIP over UDP, TCP and WebSocket, by what it looks like and not by its port."""

import io

import pytest

from imslab.capture import index, sip
from imslab.capture.file import read_file
from imslab.net.trace import TraceWriter
from imslab.sip.websocket import Frame, Opcode, frame_for, handshake_request, handshake_response

A, B = ("127.0.0.2", 40_000), ("127.0.0.10", 8088)


def message(cseq: int, body: bytes = b"", start: str = "MESSAGE sip:b@127.0.0.10 SIP/2.0") -> bytes:
    head = (
        f"{start}\r\nVia: SIP/2.0/TCP 127.0.0.2;branch=z9hG4bK{cseq}\r\nFrom: <sip:a@b>;tag=1\r\n"
        f"To: <sip:b@b>\r\nCall-ID: c\r\nCSeq: {cseq} MESSAGE\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Wire:
    """A trace that is being written, and what is read from it."""

    def __init__(self) -> None:
        self.file = io.BytesIO()
        self.trace = TraceWriter(self.file)
        self.warnings: list[str] = []

    def read(self) -> list[sip.SipEvent]:
        capture = read_file(self.file.getvalue())
        return sip.read(capture, index.build(capture), self.warnings)


@pytest.fixture
def wire() -> Wire:
    return Wire()


def seen(events: list[sip.SipEvent]) -> list[tuple[int, int, str]]:
    return [(event.frame, event.message.cseq.number, event.transport) for event in events]


def test_a_datagram_on_any_port(wire: Wire) -> None:
    wire.trace.udp(5.5, A, B, message(1, b"hello"))
    wire.trace.udp(6.0, B, A, b"\x80" + bytes(200))
    wire.trace.udp(7.0, B, A, b"\r\n\r\n")
    wire.trace.udp(8.0, B, A, message(2, start="SIP/2.0 200 OK"))
    first, second = wire.read()
    assert seen([first, second]) == [(1, 1, "udp"), (4, 2, "udp")]
    assert (first.at, first.source, first.destination, first.message.body) == (5.5, A, B, b"hello")
    assert wire.warnings == []


@pytest.mark.parametrize(
    ("octets", "is_sip"),
    [
        (b"REGISTER sip:a SIP/2.0\r\n", True),
        (b"SIP/2.0 200 OK\r\n", True),
        (b"\r\n\r\nSIP/2.0 200 OK\r\n", True),
        (b"FOO-BAR.1 tel:+1 SIP/2.0\r\n", True),
        (b"GET / HTTP/1.1\r\n", False),
        (b"NOTIFY * HTTP/1.1\r\n", False),
        (b"SIP/2.0 abc\r\n", False),
        (b"REGISTER sip:a SIP/2.0", False),
        (b"the text says REGISTER sip:a SIP/2.0\r\n", False),
        (b"\x80REGISTER sip:a SIP/2.0\r\n", False),
        (b"", False),
    ],
)
def test_what_looks_like_sip(octets: bytes, is_sip: bool) -> None:
    assert sip.looks_like_sip(octets) is is_sip


def test_what_begins_like_sip_and_is_broken_is_a_warning_with_its_frame(wire: Wire) -> None:
    wire.trace.udp(1.0, A, B, message(1).replace(b"Content-Length: 0", b"Content-Length: x"))
    wire.trace.udp(2.0, A, B, message(2)[:40])
    events = wire.read()
    assert [event.frame for event in events] == [1]
    assert events[0].problem
    assert [warning.split(":")[0] for warning in wire.warnings] == ["frame 1", "frame 2"]


def test_a_message_in_several_segments_belongs_to_the_last(wire: Wire) -> None:
    wire.trace.tcp_open(1.0, A, B)
    wire.trace.tcp(2.0, A, B, message(1, b"x" * 3000))
    assert seen(wire.read()) == [(6, 1, "tcp")]


@pytest.mark.parametrize("size", [1, 2, 7, 50, 10_000])
def test_a_stream_cut_anywhere(wire: Wire, size: int) -> None:
    stream = message(1, b"one") + b"\r\n\r\n" + message(2) + message(3, b"three")
    wire.trace.tcp_open(1.0, A, B)
    for at in range(0, len(stream), size):
        wire.trace.tcp(2.0, A, B, stream[at : at + size])
    wire.trace.tcp(3.0, B, A, message(9, start="SIP/2.0 200 OK"))
    events = wire.read()
    assert [event.message.cseq.number for event in events] == [1, 2, 3, 9]
    assert [event.message.body for event in events] == [b"one", b"", b"three", b""]
    ends = [len(message(1, b"one")), len(message(1, b"one")) + 4 + len(message(2)), len(stream)]
    assert [event.frame for event in events[:3]] == [3 + -(-end // size) for end in ends]


def test_a_stream_that_breaks_goes_on_with_the_next_segment(wire: Wire) -> None:
    wire.trace.tcp(1.0, A, B, message(1))
    wire.trace.tcp(2.0, A, B, message(2).replace(b"Content-Length: 0\r\n", b""))
    wire.trace.tcp(3.0, A, B, message(3))
    events = wire.read()
    assert seen(events) == [(1, 1, "tcp"), (2, 2, "tcp"), (3, 3, "tcp")]
    assert events[1].problem
    assert wire.warnings[0].startswith("frame 2: tcp stream")


def test_other_streams_are_left_alone(wire: Wire) -> None:
    wire.trace.tcp(1.0, A, B, b"GET / HTTP/1.1\r\nHost: b\r\n\r\n")
    wire.trace.tcp(2.0, B, A, b"HTTP/1.1 200 OK\r\n\r\n" + message(1))
    wire.trace.tcp(3.0, B, A, b"\x16\x03\x01" + bytes(100))
    assert wire.read() == []
    assert wire.warnings == []


def websocket(wire: Wire) -> None:
    request = handshake_request("127.0.0.10", "/", "dGhlIHNhbXBsZSBub25jZQ==")
    wire.trace.tcp_open(1.0, A, B)
    wire.trace.tcp(1.0, A, B, request)
    wire.trace.tcp(1.0, B, A, handshake_response(request))


def test_a_websocket_masked_and_not(wire: Wire) -> None:
    websocket(wire)
    wire.trace.tcp(2.0, A, B, frame_for(message(1)).encode(b"\x01\x02\x03\x04"))
    wire.trace.tcp(3.0, A, B, Frame(Opcode.PING, b"?").encode(bytes(4)))
    wire.trace.tcp(4.0, B, A, frame_for(message(2, start="SIP/2.0 200 OK")).encode())
    assert seen(wire.read()) == [(6, 1, "ws"), (8, 2, "ws")]


def test_a_websocket_message_in_fragments(wire: Wire) -> None:
    websocket(wire)
    octets = message(1)
    first = Frame(Opcode.TEXT, octets[:50], final=False).encode(bytes(4))
    second = Frame(Opcode.CONTINUATION, octets[50:]).encode(bytes(4))
    wire.trace.tcp(2.0, A, B, first)
    wire.trace.tcp(3.0, A, B, second[:10])
    wire.trace.tcp(4.0, A, B, second[10:])
    assert seen(wire.read()) == [(8, 1, "ws")]


def test_a_websocket_of_something_else_is_not_sip(wire: Wire) -> None:
    websocket(wire)
    wire.trace.tcp(2.0, A, B, Frame(Opcode.TEXT, b'{"json": 1}').encode(bytes(4)))
    assert wire.read() == []
    assert wire.warnings == []


def test_a_broken_websocket_frame_is_a_warning(wire: Wire) -> None:
    websocket(wire)
    wire.trace.tcp(2.0, A, B, b"\xff\xff\xff\xff")
    assert wire.read() == []
    assert wire.warnings[0].startswith("frame 6: ws stream")


def test_sip_over_tls_is_said_to_be_closed() -> None:
    from imslab.capture import open_capture
    from tests.capture.frames import RAW, pcap

    def segment(sport: int, dport: int, octets: bytes) -> bytes:
        from imslab.net.packet import Flags, tcp_packet

        return tcp_packet(("10.0.0.1", sport), ("10.0.0.2", dport), octets, seq=1, ack=1, flags=Flags.ACK)

    hello = b"\x16\x03\x01\0\5hello"
    closed = open_capture(
        pcap(RAW, segment(4000, 443, hello), segment(4000, 5061, hello), segment(5061, 4000, hello))
    )
    (warning,) = closed.warnings
    assert warning.startswith("frame 2: SIP over TLS (port 5061) was seen in 2 directions and stays closed")
    assert open_capture(pcap(RAW, segment(4000, 5061, b"REGISTER"))).warnings == []


def test_what_gives_no_message_at_all_is_told_apart() -> None:
    from imslab.capture import open_capture
    from tests.capture.media_trace import PEER, UE, invite, trace

    broken = b"INVITE sip:b SIP/2.0\r\n" + b"\xff\xfe: x\r\n" * 3
    capture = open_capture(trace([(0.0, UE, PEER, invite()), (1.0, UE, PEER, broken)]))
    assert len(capture.sip) + len(capture.unreadable_sip) == 2
    assert capture.where([1]).unreadable_sip == []
