"""RFC 7118 and RFC 6455: each fact of data/vectors/websocket_sip.json that octets can show."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imslab.data import vectors
from imslab.errors import Malformed
from imslab.sip import BadMessage, Limits, Message, Uri, Via, transaction
from imslab.sip.websocket import (
    PING,
    PONG,
    Frame,
    FrameReader,
    Opcode,
    accept_key,
    check_handshake_response,
    contact_uri,
    frame_for,
    handshake_request,
    handshake_response,
    masked,
    sip_message,
    via_transport,
)

HANDSHAKE = vectors("websocket_sip")["handshake"]
KEY = HANDSHAKE["key"]
MASK = bytes.fromhex("37fa213d")
SIP = (
    b"MESSAGE sip:b@c SIP/2.0\r\nVia: SIP/2.0/WSS df7jal23ls0d.invalid;branch=z9hG4bK1\r\nTo: <sip:b@c>\r\n"
    b"From: <sip:a@c>;tag=1\r\nCall-ID: i\r\nCSeq: 1 MESSAGE\r\n\r\nhello"
)


def test_accept_key() -> None:
    assert accept_key(KEY) == HANDSHAKE["accept"]
    with pytest.raises(Malformed):
        accept_key("ä")


def test_handshake_offers_and_returns_the_subprotocol_sip() -> None:
    request = handshake_request("sip-ws.example.com", "/", KEY, "https://www.example.com")
    assert b"Sec-WebSocket-Protocol: sip\r\n" in request
    assert b"Origin: https://www.example.com\r\n" in request
    response = handshake_response(request)
    assert response.startswith(b"HTTP/1.1 101 ")
    assert HANDSHAKE["accept"].encode() in response
    check_handshake_response(response, KEY)
    several = request.replace(b"Protocol: sip", b"Protocol: msrp, sip")
    check_handshake_response(handshake_response(several), KEY)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Sec-WebSocket-Protocol: sip\r\n", b""),
        (b"Protocol: sip", b"Protocol: msrp"),
        (b"GET", b"POST"),
        (b"Upgrade: websocket\r\n", b""),
        (b"Sec-WebSocket-Key", b"X"),
        (b"\r\n\r\n", b"\r\n"),
    ],
)
def test_handshake_requests_that_a_server_refuses(old: bytes, new: bytes) -> None:
    with pytest.raises(Malformed):
        handshake_response(handshake_request("h", "/", KEY).replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"101 Switching Protocols", b"503 Service Unavailable"),
        (b"s3pP", b"s3pQ"),
        (b"Protocol: sip", b"Protocol: sip, msrp"),
        (b"Sec-WebSocket-Protocol: sip\r\n", b""),
    ],
)
def test_without_101_and_sip_a_client_has_a_transport_error(old: bytes, new: bytes) -> None:
    response = handshake_response(handshake_request("h", "/", KEY))
    with pytest.raises(Malformed):
        check_handshake_response(response.replace(old, new), KEY)


def test_handshake_values_are_one_line_of_ascii() -> None:
    for host in ("h\r\nX: y", "ü"):
        with pytest.raises(Malformed):
            handshake_request(host, "/", KEY)


def test_frames_of_rfc_6455() -> None:
    # RFC 6455, 5.7
    assert Frame(Opcode.TEXT, b"Hello").encode() == bytes.fromhex("810548656c6c6f")
    assert Frame(Opcode.TEXT, b"Hello").encode(MASK) == bytes.fromhex("818537fa213d7f9f4d5158")
    assert Frame(Opcode.PING, b"Hello").encode() == bytes.fromhex("890548656c6c6f")
    assert Frame(Opcode.BINARY, bytes(256)).encode()[:4] == bytes.fromhex("827e0100")
    assert Frame(Opcode.BINARY, bytes(65_536)).encode()[:10] == bytes.fromhex("827f0000000000010000")
    fragments = bytes.fromhex("010348656c80026c6f")
    assert FrameReader().receive(fragments) == [Frame(Opcode.TEXT, b"Hello")]
    # RFC 7692, 7.2.3.1 and 7.2.3.2: the second message leans on the first
    reader = FrameReader(deflate=True)
    assert reader.receive(bytes.fromhex("c107f248cdc9c90700")) == [Frame(Opcode.TEXT, b"Hello")]
    assert reader.receive(bytes.fromhex("c105f200110000")) == [Frame(Opcode.TEXT, b"Hello")]


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536])
@pytest.mark.parametrize("mask", [None, MASK])
def test_lengths(length: int, mask: bytes | None) -> None:
    frame = Frame(Opcode.BINARY, bytes(length))
    octets = frame.encode(mask)
    assert FrameReader(from_client=mask is not None).receive(octets + octets) == [frame, frame]


STREAM = b"".join(
    (
        Frame(Opcode.TEXT, SIP[:30], final=False).encode(MASK),
        Frame(Opcode.PING, b"1").encode(MASK),
        Frame(Opcode.CONTINUATION, SIP[30:60], final=False).encode(MASK),
        Frame(Opcode.CONTINUATION, SIP[60:]).encode(MASK),
        Frame(Opcode.BINARY, SIP).encode(bytes(4)),
        Frame(Opcode.CLOSE, b"\x03\xe8").encode(MASK),
    )
)


@pytest.mark.parametrize("step", [*range(1, 40), len(STREAM)])
def test_stream_cut_at_every_step(step: int) -> None:
    reader = FrameReader(from_client=True)
    found = [f for i in range(0, len(STREAM), step) for f in reader.receive(STREAM[i : i + step])]
    assert found == [
        Frame(Opcode.PING, b"1"),
        Frame(Opcode.TEXT, SIP),
        Frame(Opcode.BINARY, SIP),
        Frame(Opcode.CLOSE, b"\x03\xe8"),
    ]


@pytest.mark.parametrize(
    "octets",
    [
        bytes.fromhex("8300"),
        bytes.fromhex("8b00"),
        bytes.fromhex("a100"),
        bytes.fromhex("c100"),
        "897e0080",
        "0900",
        "8000",
        "010141010142",
        "817e0001",
        "817f0000000000000001",
        "817fffffffffffffffff",
        "8101ff",
    ],
)
def test_frames_that_break_the_rules(octets: bytes | str) -> None:
    octets = bytes.fromhex(octets) if isinstance(octets, str) else octets
    reader = FrameReader()
    with pytest.raises(Malformed):
        reader.receive(octets)
    assert reader.closed
    with pytest.raises(Malformed, match="closed"):
        reader.receive(b"")


def test_who_masks() -> None:
    FrameReader(from_client=False).receive(Frame(Opcode.TEXT).encode())
    for from_client, mask in ((True, None), (False, MASK)):
        with pytest.raises(Malformed, match="mask"):
            FrameReader(from_client=from_client).receive(Frame(Opcode.TEXT).encode(mask))


def test_bounds() -> None:
    limits = Limits(head=50, body=50)
    whole = Frame(Opcode.BINARY, bytes(105)).encode()
    parts = (
        Frame(Opcode.BINARY, bytes(60), final=False).encode() + Frame(Opcode.CONTINUATION, bytes(60)).encode()
    )
    endless = Frame(Opcode.BINARY, b"", final=False).encode()
    endless += Frame(Opcode.CONTINUATION, b"", final=False).encode() * 5000
    squeeze = zlib.compressobj(wbits=-15)
    bomb = squeeze.compress(bytes(100_000)) + squeeze.flush(zlib.Z_SYNC_FLUSH)
    deflated = Frame(Opcode.BINARY, bomb[:-4], compressed=True).encode()
    for octets in (whole, parts, endless, deflated):
        with pytest.raises(Malformed):
            FrameReader(deflate=True, limits=limits).receive(octets)
    assert FrameReader(deflate=True).receive(deflated) == [Frame(Opcode.BINARY, bytes(100_000))]
    with pytest.raises(Malformed, match="inflated"):
        FrameReader(deflate=True).receive(Frame(Opcode.BINARY, b"\xff\xff", compressed=True).encode())


def test_frames_that_cannot_be_written() -> None:
    for frame, mask in (
        (Frame(Opcode.PING, bytes(126)), None),
        (Frame(Opcode.CLOSE, final=False), None),
        (Frame(Opcode.TEXT), b"abc"),
    ):
        with pytest.raises(Malformed):
            frame.encode(mask)


@given(st.binary(max_size=300), st.binary(min_size=4, max_size=4))
def test_masking_twice_gives_the_octets_back(payload: bytes, mask: bytes) -> None:
    assert masked(masked(payload, mask), mask) == payload
    assert masked(payload, mask) == bytes(octet ^ mask[i % 4] for i, octet in enumerate(payload))


def test_one_message_each_and_content_length_may_be_absent() -> None:
    message = sip_message(SIP)
    assert message is not None
    assert message.body == b"hello"
    with_length = SIP.replace(b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\n")
    assert sip_message(with_length) is not None
    with pytest.raises(BadMessage, match="one SIP message"):
        sip_message(with_length + SIP)
    with pytest.raises(BadMessage):
        sip_message(with_length[:-1])
    with pytest.raises(BadMessage):
        sip_message(SIP[:50])


def test_keep_alives_and_nothing_else() -> None:
    assert sip_message(PING) is sip_message(PONG) is None
    for payload in (b"", b"\r\n\r\n\r\n", b"hello", b"\r\n" + SIP, bytes(2_000_000)):
        with pytest.raises(BadMessage):
            sip_message(payload)


def test_text_unless_not_utf8() -> None:
    assert frame_for(SIP).opcode is Opcode.TEXT
    assert frame_for(SIP + b"\xff").opcode is Opcode.BINARY


def test_via_uri_and_ports() -> None:
    assert (via_transport(False), via_transport(True)) == ("WS", "WSS")
    assert str(contact_uri("alice", "df7jal23ls0d")) == "sip:alice@df7jal23ls0d.invalid;transport=ws"
    assert (
        str(contact_uri("alice", "df7jal23ls0d", secure=True))
        == "sips:alice@df7jal23ls0d.invalid;transport=ws"
    )
    assert Via("WS", "h").response_address == ("h", 80)
    assert Via("WSS", "h").response_address == ("h", 443)
    ports = {
        t: Uri.parse(t).port_or_default
        for t in ("sip:h;transport=ws", "sips:h;transport=ws", "sip:h", "sips:h")
    }
    assert list(ports.values()) == [80, 443, 5060, 5061]
    assert Uri.parse("sip:h:8080;transport=ws").port_or_default == 8080
    with pytest.raises(Malformed):
        contact_uri("alice", "a b")


def test_a_response_without_received_is_accepted_and_nothing_is_sent_twice() -> None:
    request = sip_message(SIP)
    assert request is not None
    assert request.via.received is None
    assert request.via.is_reliable
    client = transaction.NonInviteClient(request, now=0, reliable=request.via.is_reliable)
    assert client.outgoing() == [request]
    client.handle_timer(31)
    assert client.outgoing() == []
    response = Message.reply(request, 200)
    assert transaction.key(response) == client.key
    client.handle_response(response, now=31)
    assert client.delivered() == [response]
