"""Text messages over all hops."""

import pytest

from imslab.capture import Capture, open_capture
from tests.capture.media_trace import PEER, PROXY, UE, Datagram, answer, call, sip, trace

START = "MESSAGE sip:bob@example.org SIP/2.0"


def message(
    text: bytes, number: int = 1, branch: str = "z9hG4bK1", kind: str = "text/plain;charset=UTF-8"
) -> bytes:
    return sip(START, method="MESSAGE", number=number, branch=branch, body=text, content_type=kind)


def taken(status: str = "200 OK", number: int = 1) -> bytes:
    return answer(status, method="MESSAGE", number=number)


def opened(*datagrams: Datagram) -> Capture:
    return open_capture(trace(datagrams))


def test_a_text_over_two_hops_is_one() -> None:
    capture = opened(
        (0.0, UE, PROXY, message("grüß dich".encode())),
        (0.1, PROXY, PEER, message("grüß dich".encode(), branch="z9hG4bK2")),
        (0.2, PEER, PROXY, taken()),
        (0.3, PROXY, UE, taken("202 Accepted")),
    )
    (row,) = capture.texts.to_dict("records")
    assert row == {
        "frame": 1, "time": 0.0, "from": "sip:alice@example.org", "to": "sip:bob@example.org",
        "text": "grüß dich", "status": 202,
    }  # fmt: skip


def test_a_challenged_text_is_one() -> None:
    capture = opened(
        (0.0, UE, PEER, message(b"x")),
        (0.1, PEER, UE, taken("407 Proxy Authentication Required")),
        (0.2, UE, PEER, message(b"x", number=2)),
        (0.3, PEER, UE, taken(number=2)),
    )
    assert capture.texts["status"].tolist() == [200]


def test_two_texts_of_one_call_id_are_two() -> None:
    capture = opened(
        (0.0, UE, PEER, message(b"one")), (0.1, PEER, UE, taken()),
        (1.0, UE, PEER, message(b"two", number=2)),
    )  # fmt: skip
    assert capture.texts["text"].tolist() == ["one", "two"]
    assert capture.texts["status"].isna().tolist() == [False, True]


@pytest.mark.parametrize(
    ("kind", "text"),
    [("application/vnd.3gpp.sms", "(application/vnd.3gpp.sms, 3 octets)"), ("text/plain", "a\ufffdb")],
)
def test_what_is_no_text_is_described(kind: str, text: str) -> None:
    (row,) = opened((0.0, UE, PEER, message(b"a\xffb", kind=kind))).texts.to_dict("records")
    assert row["text"] == text


def test_a_call_is_no_text() -> None:
    assert len(opened(*call()).texts) == 0
    assert len(opened((0.0, PEER, UE, taken())).texts) == 0
