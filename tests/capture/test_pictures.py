"""Pictures of a recorded call: VP8 out of packets that a key has opened."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from imslab.capture import open_capture
from imslab.capture.pictures import _piece, _pixels
from imslab.data import path
from imslab.errors import Malformed, SrtpError
from imslab.media.picture import colour


@pytest.fixture(scope="module")
def capture():
    return open_capture(path("traces", "webrtc-call.pcapng"))


def streams(capture, kind):
    return [n for n, one in enumerate(capture.rtp) if one.codec is not None and one.codec.kind == kind]


def test_what_each_end_saw_is_the_picture_of_the_other(capture):
    for number in streams(capture, "video"):
        picture = np.asarray(Image.open(io.BytesIO(capture.picture(number))).convert("RGB"), np.int64)
        sender = capture.names[capture.stream(number).source[0]]
        assert picture.shape == (240, 320, 3)
        assert np.abs(np.median(picture, axis=(0, 1)) - colour(sender)).max() < 12
        assert picture.max() > 200  # the letters


def test_sound_is_no_picture(capture):
    with pytest.raises(Malformed, match="the pictures of opus stay closed"):
        capture.picture(streams(capture, "audio")[0])


def test_without_its_key_it_stays_closed(capture):
    octets = path("traces", "webrtc-call.pcapng").read_bytes()
    at = octets.index((0x0000000A).to_bytes(4, "little"), 12)
    length = int.from_bytes(octets[at + 4 : at + 8], "little")
    closed = open_capture(octets[:at] + octets[at + length :])
    with pytest.raises(SrtpError, match="no key opened it"):
        closed.picture(streams(closed, "video")[0])


@pytest.mark.parametrize(
    ("payload", "begins", "media"),
    [
        (b"\x10frame", True, b"frame"),
        (b"\x00more", False, b"more"),
        (b"\x11part", False, b"part"),  # partition 1
        (b"\x90\x80\x05frame", True, b"frame"),  # a picture id of one octet
        (b"\x90\x80\x85\x01frame", True, b"frame"),  # ... and of two
        (b"\x90\xe0\x85\x01\x02\x03frame", True, b"frame"),  # with TL0PICIDX, TID
        (b"\x90\x00frame", True, b"frame"),
        (b"", False, b""),
        (b"\x90", True, b""),
    ],
)
def test_the_descriptor_is_taken_off(payload, begins, media):
    assert _piece(payload) == (begins, media)


@given(st.binary(max_size=40))
def test_no_payload_is_too_strange(payload):
    assert len(_piece(payload)[1]) <= len(payload)


def test_a_frame_that_claims_too_much_is_known_by_its_header():
    key = b"\x00\x00\x00\x9d\x01\x2a" + (640).to_bytes(2, "little") + (480 | 1 << 14).to_bytes(2, "little")
    assert _pixels(key) == 640 * 480
    assert _pixels(b"\x01" + key[1:]) == _pixels(key[:9]) == _pixels(b"\x00" * 10) == 0
