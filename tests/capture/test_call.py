"""A call as a notebook holds it."""

import pytest

from imslab.capture import Capture, open_capture
from imslab.errors import Malformed
from tests.capture.media_trace import ALICE, BOB, call, sdp, stream, trace


@pytest.fixture
def capture() -> Capture:
    media = [(at + 2, *rest) for at, *rest in stream(range(50))]
    return open_capture(trace([*call(sdp(ALICE), sdp(BOB)), *media]))  # type: ignore[list-item]


def test_a_call_by_number_and_by_call_id(capture: Capture) -> None:
    found = capture.call(0)
    assert found is capture.call(-1)
    assert found is capture.call("one@10.0.0.1")
    assert repr(found) == "<Call from sip:alice@example.org to sip:bob@example.org: ended 200>"


@pytest.mark.parametrize("which", [1, -2, "nobody"])
def test_a_call_that_is_not_there(capture: Capture, which: int | str) -> None:
    with pytest.raises(Malformed, match="no such call"):
        capture.call(which)


def test_what_belongs_to_it(capture: Capture) -> None:
    found = capture.call(0)
    assert [event.message.start_line.split()[0] for event in found.messages][:2] == ["INVITE", "SIP/2.0"]
    assert [len(one) for one in found.streams] == [50]
    assert found.transactions["method"].tolist() == ["INVITE", "ACK", "BYE"]
    assert found.frames == (1, 2, 3, 4, 55, 56)


def test_the_table(capture: Capture) -> None:
    (row,) = capture.calls.to_dict("records")
    assert (row["state"], row["status"], row["messages"], row["streams"]) == ("ended", 200, 6, 1)
    assert (row["setup_s"], row["ringing_s"], row["duration_s"]) == (1.0, 0.9, 10.0)
    assert len(open_capture(trace(stream(range(9)))).calls) == 0


def test_html_shows_text_from_the_network_as_text(capture: Capture) -> None:
    found = capture.call(0)
    assert "<td style='text-align:left'>ended (200)</td>" in found._repr_html_()
    found.caller = "<script>"
    assert "<script>" not in found._repr_html_()


def test_spans_that_were_not_seen_say_so() -> None:
    found = open_capture(trace(call()[:1])).call(0)
    assert "not seen" in found._repr_html_()
    assert repr(found).endswith("calling>")
