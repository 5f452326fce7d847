"""A call's ladder: every layer, few arrows."""

from collections import Counter

import pytest

from imslab.capture import Capture, open_capture
from imslab.data import path
from tests.capture.media_trace import ALICE, BOB, call, sdp, stream, trace
from tests.capture.test_rtcp import receiver_report
from tests.capture.test_stun import message


@pytest.fixture(scope="module")
def capture() -> Capture:
    return open_capture(path("traces", "webrtc-call.pcapng"))


def test_all_layers_in_the_order_of_time(capture: Capture) -> None:
    arrows = [arrow for arrow in capture.call(0).arrows() if arrow.kind != "Cx"]
    kinds = Counter(arrow.kind for arrow in arrows)
    assert set(kinds) == {"SIP", "STUN", "DTLS", "RTP"}
    assert len(arrows) < 80
    assert [arrow.at for arrow in arrows] == sorted(arrow.at for arrow in arrows)
    order = list(dict.fromkeys(arrow.kind for arrow in arrows))
    assert order == ["SIP", "STUN", "DTLS", "RTP"]


def test_calls_do_not_mix(capture: Capture) -> None:
    first, second = ({arrow.frame for arrow in call.arrows()} for call in capture.call_list)
    assert not first & second
    every = {arrow.frame for arrow in capture.media_arrows()}
    media = {arrow.frame for call in capture.call_list for arrow in capture.media_arrows(call.call_id)}
    assert every == media


def test_labels(capture: Capture) -> None:
    labels = [arrow.label for arrow in capture.call(0).arrows()]
    assert "STUN Binding Request" in labels
    assert "DTLS ClientHello" in labels
    assert any(label.startswith("DTLS ServerHello, Certificate, ServerKeyExchange, …") for label in labels)
    (choice,) = [arrow for arrow in capture.call(0).arrows() if "ServerHello" in arrow.label]
    assert choice.detail == "use_srtp: AEAD_AES_128_GCM"
    audio = next(arrow for arrow in capture.call(0).arrows() if "opus" in arrow.label)
    assert audio.label == f"SRTP {len(capture.rtp[0])} packets, opus"
    assert audio.detail.endswith("opened")


def test_the_pictures_are_drawn(capture: Capture) -> None:
    made = capture.call(0)
    assert "SRTP" in made.ladder(title="A call").svg()
    assert "DTLS" in made.timing().svg()


def test_thousands_of_packets_are_a_handful_of_arrows() -> None:
    checks = [(i * 0.01, ALICE, BOB, message(0x0001)) for i in range(300)]
    reports = [(i * 0.01, BOB, ALICE, receiver_report(1)) for i in range(200)]
    arrows = open_capture(trace([*stream(range(2000)), *checks, *reports])).arrows()
    assert [(arrow.label, arrow.detail) for arrow in arrows if arrow.kind == "STUN"] == [
        ("STUN Binding Request", "300 of them")
    ]
    assert [arrow.label for arrow in arrows if arrow.kind == "RTP"] == [
        "RTP 2000 packets, PCMU",
        "RTCP 200 packets",
    ]


def test_a_stream_that_no_key_opened_says_so() -> None:
    secure = [sdp(end, "0", protocol="RTP/SAVP") for end in (ALICE, BOB)]
    media = [(at + 2, *rest) for at, *rest in stream(range(9))]
    arrows = open_capture(trace([*call(*secure), *media])).call(0).arrows()  # type: ignore[list-item]
    (found,) = [arrow for arrow in arrows if arrow.kind == "RTP"]
    assert found.label == "SRTP 9 packets, PCMU"
    assert found.detail.endswith("no key")


def test_a_payload_type_that_nobody_explains_is_a_number() -> None:
    (found,) = open_capture(trace(stream(range(9), payload_type=96))).arrows()
    assert (found.label, found.detail) == ("RTP 9 packets, payload type 96", "0.2 s, 0 lost")
