"""What becomes of a call, over all hops, and how long each step takes."""

import pytest

from imslab.capture import open_capture
from imslab.capture.calls import Dialling
from tests.capture.media_trace import PEER, PROXY, UE, Datagram, answer, call, invite, request, sip, trace


def gathered(datagrams: list[Datagram]) -> list[Dialling]:
    return [one._dialling for one in open_capture(trace(datagrams)).call_list]


def only(*datagrams: Datagram) -> Dialling:
    (found,) = gathered(list(datagrams))
    return found


def test_an_answered_call() -> None:
    found = only(*call(seconds=10))
    assert (found.state, found.status) == ("ended", 200)
    assert (found.caller, found.callee) == ("sip:alice@example.org", "sip:bob@example.org")
    assert found.setup == pytest.approx(1.0)
    assert found.request_delay == pytest.approx(0.1)
    assert found.ringing == pytest.approx(0.9)
    assert found.duration == pytest.approx(10.0)
    assert found.frames == (1, 2, 3, 4, 5, 6)


@pytest.mark.parametrize(
    ("steps", "state", "status"),
    [
        ([], "calling", None),
        ([(PEER, UE, answer("100 Trying"))], "calling", None),
        ([(PEER, UE, answer("180 Ringing"))], "ringing", None),
        ([(PEER, UE, answer("183 Session Progress"))], "ringing", None),
        ([(PEER, UE, answer("200 OK"))], "answered", 200),
        ([(PEER, UE, answer("486 Busy Here"))], "failed", 486),
        ([(PEER, UE, answer("603 Decline"))], "failed", 603),
        ([(PEER, UE, answer("302 Moved Temporarily"))], "redirected", 302),
        ([(UE, PEER, request("CANCEL", 1)), (PEER, UE, answer("487 Request Terminated"))], "cancelled", 487),
        ([(UE, PEER, request("CANCEL", 1))], "cancelled", None),
        ([(PEER, UE, answer("401 Unauthorized"))], "failed", 401),
        (
            [(PEER, UE, answer("407 Proxy Authentication Required")), (UE, PEER, invite(number=2))],
            "failed",
            407,
        ),
        ([(UE, PEER, request("BYE", 2))], "ended", None),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_states(
    steps: list[tuple[tuple[str, int], tuple[str, int], bytes]], state: str, status: int | None
) -> None:
    later = [(number + 1.0, *step) for number, step in enumerate(steps)]
    found = only((0.0, UE, PEER, invite()), *later)
    assert (found.state, found.status) == (state, status)


def test_a_challenge_is_no_end_of_the_call() -> None:
    found = only(
        (0.0, UE, PEER, invite()),
        (0.1, PEER, UE, answer("407 Proxy Authentication Required")),
        (0.2, UE, PEER, invite(number=2)),
        (0.5, PEER, UE, answer("200 OK", number=2)),
    )
    assert (found.state, found.status) == ("answered", 200)
    assert found.setup == pytest.approx(0.5)


def test_one_call_over_several_hops_is_one_and_timed_where_it_began() -> None:
    found = only(
        (0.0, UE, PROXY, invite()),
        (0.1, PROXY, PEER, invite(branch="z9hG4bK2")),
        (0.4, PEER, PROXY, answer("180 Ringing")),
        (0.5, PROXY, UE, answer("180 Ringing")),
        (0.8, PEER, PROXY, answer("200 OK")),
        (0.9, PROXY, UE, answer("200 OK")),
    )
    assert found.setup == pytest.approx(0.9)
    assert found.request_delay == pytest.approx(0.5)


def test_a_hold_changes_no_time() -> None:
    hold = sip("INVITE sip:bob@example.org SIP/2.0", number=3, to_tag="b")
    found = only(
        *call(seconds=10),
        (5.0, UE, PEER, hold),
        (5.1, PEER, UE, answer("200 OK", number=3)),
    )
    assert found.setup == pytest.approx(1.0)
    assert found.duration == pytest.approx(10.0)


def test_a_refused_hold_does_not_end_the_call() -> None:
    hold = sip("INVITE sip:bob@example.org SIP/2.0", number=3, to_tag="b")
    refused = (5.1, PEER, UE, answer("488 Not Acceptable Here", number=3))
    assert only(*call(), (5.0, UE, PEER, hold), refused).status == 200


def test_spans_that_were_not_seen_are_none() -> None:
    found = only((0.0, UE, PEER, invite()))
    assert (found.setup, found.request_delay, found.ringing, found.duration) == (None, None, None, None)


def test_a_refused_call_rang_until_it_was_refused() -> None:
    found = only(
        (0.0, UE, PEER, invite()),
        (1.0, PEER, UE, answer("180 Ringing")),
        (4.0, PEER, UE, answer("486 Busy Here")),
    )
    assert found.ringing == pytest.approx(3.0)
    assert found.duration is None


def test_other_methods_make_no_call() -> None:
    assert (
        gathered(
            [(0.0, UE, PEER, request("MESSAGE", 1)), (0.1, PEER, UE, answer("200 OK", method="MESSAGE"))]
        )
        == []
    )


def test_two_call_ids_are_two_calls_in_the_order_of_their_beginning() -> None:
    found = gathered(
        [*call(call_id="second")[1:], *call(call_id="first"), (0.05, UE, PEER, invite(call_id="second"))]
    )
    assert [one.call_id for one in found] == ["first", "second"]


def test_headers_that_cannot_be_read_raise_nothing() -> None:
    broken = invite().replace(b"CSeq: 1 INVITE", b"CSeq: x").replace(b"To: <sip:bob", b"To: <<<sip:bob")
    found = only((0.0, UE, PEER, broken), (0.1, PEER, UE, answer("200 OK")))
    assert found.callee == ""
