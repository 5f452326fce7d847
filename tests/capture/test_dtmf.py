"""Keys that were pressed, out of telephone events."""

import pytest

from imslab.capture import Capture, open_capture
from tests.capture.media_trace import ALICE, BOB, Datagram, call, packet, sdp, stream, trace

SDP = sdp(BOB, "0 101", "rtpmap:101 telephone-event/8000")


def event(key: int, duration: int, *, end: bool = False, volume: int = 10, reserved: bool = False) -> bytes:
    return bytes([key, end << 7 | reserved << 6 | volume]) + duration.to_bytes(2)


def press(key: int, seq: int, timestamp: int, at: float, payload_type: int = 101) -> list[Datagram]:
    """Return the packets of one key: three while it is pressed, and the end three times."""
    payloads = [event(key, 160 * (i + 1)) for i in range(3)] + [event(key, 640, end=True)] * 3
    return [
        (
            at + i * 0.02,
            ALICE,
            BOB,
            packet(seq + i, timestamp, payload_type=payload_type, payload=payload, marker=i == 0),
        )
        for i, payload in enumerate(payloads)
    ]


def opened(*datagrams: Datagram) -> Capture:
    return open_capture(trace(datagrams))


def test_keys_in_their_order() -> None:
    datagrams = [
        one
        for place, key in enumerate((1, 11, 15))
        for one in press(key, place * 6, place * 8000, 2.0 + place)
    ]
    capture = opened(*call(sdp(ALICE), SDP), *datagrams)
    found = capture.keys_pressed(capture.stream(0))
    assert "".join(key.key for key in found) == "1#D"
    assert [key.seconds for key in found] == [0.08] * 3
    assert all(key.ended for key in found)
    assert (found[0].volume, found[0].frame) == (-10, 5)
    assert found[1].at - found[0].at == pytest.approx(1.0)


def test_a_key_whose_end_was_lost() -> None:
    capture = opened(*call(sdp(ALICE), SDP), *press(5, 0, 0, 2.0)[:3])
    (found,) = capture.keys_pressed(capture.stream(0))
    assert (found.key, found.ended, found.seconds) == ("5", False, 0.06)


@pytest.mark.parametrize("key", [16, 32, 255])
def test_events_that_are_no_keys(key: int) -> None:
    capture = opened(*call(sdp(ALICE), SDP), *press(key, 0, 0, 2.0))
    assert capture.keys_pressed(capture.stream(0)) == []


def test_events_are_known_by_their_form_when_nobody_announced_them() -> None:
    capture = opened(*press(7, 0, 0, 0.0), *press(8, 6, 8000, 1.0))
    (found,) = capture.rtp
    assert str(found.codec) == "telephone-event"
    assert [key.key for key in capture.keys_pressed(found)] == ["7", "8"]


@pytest.mark.parametrize(
    ("payload", "payload_type"),
    [
        (event(17, 160), 101),
        (event(1, 160, reserved=True), 101),
        (event(1, 160) + b"\0", 101),
        (event(1, 160), 77),
    ],
    ids=["no DTMF event", "the reserved bit", "five octets", "a static type"],
)
def test_what_does_not_have_the_form(payload: bytes, payload_type: int) -> None:
    datagrams = [
        (i * 0.02, ALICE, BOB, packet(i, i, payload_type=payload_type, payload=payload)) for i in range(9)
    ]
    assert all(str(found.codec) != "telephone-event" for found in opened(*datagrams).rtp)


def test_keys_of_a_stream_that_is_closed_are_not_guessed() -> None:
    secure = sdp(BOB, "0 101", "rtpmap:101 telephone-event/8000", protocol="RTP/SAVP")
    capture = opened(*call(sdp(ALICE, protocol="RTP/SAVP"), secure), *press(1, 0, 0, 2.0))
    assert capture.keys_pressed(capture.stream(0)) == []


def test_sound_has_no_keys() -> None:
    capture = opened(*stream(range(9)))
    assert capture.keys_pressed(capture.stream(0)) == []
