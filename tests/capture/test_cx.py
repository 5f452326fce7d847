"""Diameter Cx in a capture."""

from typing import Any

import pytest

from imslab.capture import open_capture


def test_questions_and_answers_with_their_frames(login: Any) -> None:
    login.vector_from_hss()
    login.assigned()
    events = open_capture(login.octets).cx_events
    assert [(event.frame, event.message.name) for event in events] == [
        (4, "MAR"),
        (5, "MAA"),
        (6, "SAR"),
        (7, "SAA"),
    ]
    assert events[0].source == ("127.0.0.11", 40_000)
    assert events[0].destination == ("127.0.0.12", 3868)
    vector = events[1].message.value.vector  # type: ignore[union-attr]
    assert vector == login.vector


def test_keys_are_not_in_the_repr(login: Any) -> None:
    login.vector_from_hss()
    text = repr(open_capture(login.octets).cx_events)
    assert repr(login.vector.ck)[2:-1] not in text
    assert login.vector.ck.hex() not in text


def test_keys_are_not_in_the_ladder(login: Any) -> None:
    login.whole()
    text = repr(open_capture(login.octets).arrows())
    for secret in (login.vector.ck, login.vector.ik, login.vector.xres):
        assert secret.hex()[:8] not in text


def test_a_port_is_no_proof(login: Any) -> None:
    login.trace.tcp(1.0, ("127.0.0.11", 1), ("127.0.0.12", 3868), b"GET / HTTP/1.1\r\n\r\n")
    capture = open_capture(login.octets)
    assert (capture.cx_events, capture.warnings) == ([], [])


@pytest.mark.parametrize("at", [4, 30, 60])
def test_what_breaks_is_a_warning_and_the_next_message_is_read(login: Any, at: int) -> None:
    login.vector_from_hss()
    login.trace.tcp(9.0, ("127.0.0.11", 40_000), ("127.0.0.12", 3868), b"\x01\xff\xff\xff" + bytes(at))
    login.vector_from_hss()
    capture = open_capture(login.octets)
    assert [event.message.name for event in capture.cx_events] == ["MAR", "MAA", "MAR", "MAA"]
    (warning,) = capture.warnings
    assert warning.startswith("frame 6: Diameter, but")
