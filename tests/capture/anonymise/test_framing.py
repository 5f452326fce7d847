"""Streams: messages are found where they begin and end; WebSocket frames keep masks and lengths."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imslab.capture.anonymise import framing
from imslab.sip.websocket import Frame, FrameReader, Opcode, handshake_request, handshake_response

ONE = b"OPTIONS sip:x SIP/2.0\r\nContent-Length: 5\r\n\r\nhello"
OTHER = b"SIP/2.0 200 OK\r\nl: 0\r\n\r\n"


def upper(octets: bytes) -> bytes:
    return b"<" + octets[1:-1].upper() + b">"


def gaps(octets: bytes) -> bytes:
    return b"." * len(octets)


def test_each_message_is_one() -> None:
    new = framing.messages(b"\r\n" + ONE + OTHER + b"\r\n\r\n" + ONE, upper, gaps)
    assert new == b".." + upper(ONE) + upper(OTHER) + b"...." + upper(ONE)


@pytest.mark.parametrize("cut", range(1, len(ONE)))
def test_a_stretch_may_begin_and_end_anywhere(cut: int) -> None:
    new = framing.messages(ONE[cut:] + OTHER + ONE[:cut], upper, gaps)
    assert len(new) == len(ONE + OTHER)
    assert upper(OTHER) in new


def test_http_without_a_length_ends_with_the_next_message() -> None:
    ask, said = b"GET /x HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n<html>\n"
    assert framing.messages(said + said, upper, gaps, http=True) == upper(said) * 2
    assert framing.messages(ask + ask, upper, gaps, http=True) == upper(ask) * 2


def test_what_a_stream_is() -> None:
    request = handshake_request("home.example", "/sip", "dGhlIHNhbXBsZSBub25jZQ==")
    assert framing.opens_websocket(request)
    assert framing.opens_websocket(handshake_response(request))
    assert not framing.opens_websocket(b"GET /x HTTP/1.1\r\n\r\n")
    assert not framing.opens_websocket(request[:-2])
    assert framing.is_http(b"POST /x HTTP/1.1\r\n")
    assert framing.is_sip(b"half a message\r\n" + OTHER)
    assert not framing.is_sip(b"SIP is a protocol")


MESSAGE = b"REGISTER sip:x SIP/2.0\r\n\r\n"


@pytest.mark.parametrize("mask", [None, b"\x01\x02\x03\x04"])
@pytest.mark.parametrize("size", [5, 125, 126, 70_000])
def test_a_message_in_a_frame(mask: bytes | None, size: int) -> None:
    head = handshake_request("home.example", "/sip", "dGhlIHNhbXBsZSBub25jZQ==")
    payload = MESSAGE.ljust(size, b"x")[: max(size, 5)]
    new = framing.websocket(head + Frame(Opcode.TEXT, payload).encode(mask), lambda octets: octets, upper)
    (frame,) = FrameReader().receive(new[len(head) :])
    assert frame.payload == upper(payload)
    assert new[: len(head)] == head


def test_a_message_in_fragments_with_a_ping_between() -> None:
    head = handshake_request("home.example", "/sip", "dGhlIHNhbXBsZSBub25jZQ==")
    mask = b"\xaa\xbb\xcc\xdd"
    parts = (
        Frame(Opcode.TEXT, MESSAGE[:9], final=False).encode(mask),
        Frame(Opcode.CONTINUATION, MESSAGE[9:]).encode(mask),
    )
    new = framing.websocket(
        head + parts[0] + Frame(Opcode.PING, b"alice").encode(mask) + parts[1], lambda o: o, upper
    )
    ping, message = FrameReader().receive(new[len(head) :])
    assert ping.payload == bytes(5)
    assert message.payload == upper(MESSAGE)


def test_a_packed_message_becomes_zeros() -> None:
    head = handshake_request("home.example", "/sip", "dGhlIHNhbXBsZSBub25jZQ==")
    new = framing.websocket(
        head + Frame(Opcode.TEXT, b"packed", compressed=True).encode(), lambda o: o, upper
    )
    assert new[len(head) :] == b"\xc1\x06" + bytes(6)


@settings(deadline=None)
@given(st.binary(max_size=100))
def test_any_stream_keeps_its_length(octets: bytes) -> None:
    head = handshake_request("home.example", "/sip", "dGhlIHNhbXBsZSBub25jZQ==")
    assert len(framing.websocket(head + octets, lambda o: o, upper)) == len(head) + len(octets)
    assert len(framing.messages(octets + ONE + octets, gaps, gaps)) == len(ONE) + 2 * len(octets)
    assert len(framing.messages(octets, gaps, gaps, http=True)) == len(octets)
