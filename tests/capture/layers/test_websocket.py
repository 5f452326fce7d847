"""WebSocket frames in scapy's tree: shown unmasked, masked again when built."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.packet import Raw

from imslab.capture.layers import SIP, WebSocket, WebSocketFrame
from imslab.capture.layers.websocket import looks_like_websocket
from imslab.sip.websocket import Frame, FrameReader, Opcode

MESSAGE = b"REGISTER sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n"
KEY = b"\x12\x34\x56\x78"


def again(octets: bytes) -> bytes:
    packet = WebSocket(octets)
    packet.clear_cache()
    return bytes(packet)


@pytest.mark.parametrize("key", [None, KEY], ids=["server", "client"])
@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 0xFFFF, 0x10000])
def test_frames_are_those_of_the_stack(key: bytes | None, length: int) -> None:
    octets = Frame(Opcode.TEXT, b"x" * length).encode(key)
    (frame,) = WebSocket(octets).frames
    assert (frame.fin, frame.opcode, frame.mask) == (1, 1, int(key is not None))
    assert frame.payload_length == length
    assert bytes(frame.payload) == b"x" * length
    assert again(octets) == octets
    frame = WebSocketFrame(mask=1, masking_key=key) if key else WebSocketFrame()
    assert bytes(frame / Raw(b"x" * length)) == octets


def test_a_message_in_a_frame() -> None:
    packet = WebSocket(Frame(Opcode.TEXT, MESSAGE).encode(KEY) + Frame(Opcode.PING, b"?").encode(KEY))
    assert packet[SIP].start_line == b"REGISTER sip:a SIP/2.0"
    assert [frame.opcode for frame in packet.frames] == [1, 9]
    assert bytes(packet.frames[1].payload) == b"?"
    assert again(bytes(packet)) == bytes(packet)


def test_a_built_frame_is_read_by_the_stack() -> None:
    octets = bytes(WebSocketFrame(mask=1, masking_key=KEY) / SIP(MESSAGE))
    (frame,) = FrameReader(from_client=True).receive(octets)
    assert frame.payload == MESSAGE


@given(st.binary(max_size=300))
def test_anything_is_built_again_as_it_came(octets: bytes) -> None:
    assert again(octets) == octets


def test_what_looks_like_frames() -> None:
    whole = Frame(Opcode.TEXT, MESSAGE).encode(KEY)
    assert looks_like_websocket(whole)
    assert looks_like_websocket(whole + Frame(Opcode.PONG).encode(KEY))
    for octets in (
        b"",
        whole[:-1],
        whole + b"\x81",
        Frame(Opcode.TEXT, b"hello").encode(),
        b"\x83" + whole[1:],
    ):
        assert not looks_like_websocket(octets)
    assert not looks_like_websocket(bytes((whole[0] | 0x40,)) + whole[1:])  # compressed: not readable
