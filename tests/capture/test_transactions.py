"""Requests with what answered them: response times and retransmissions on each hop."""

import pytest

from imslab.capture import open_capture
from imslab.capture.transactions import Transaction, gather
from tests.capture.media_trace import PEER, PROXY, UE, Datagram, answer, call, invite, request, trace


def gathered(datagrams: list[Datagram]) -> list[Transaction]:
    return gather(open_capture(trace(datagrams)).sip)


def test_a_call_has_three() -> None:
    found = gathered(call())
    assert [(one.method, one.status) for one in found] == [("INVITE", 200), ("ACK", None), ("BYE", 200)]
    assert found[0].first_response == pytest.approx(0.1)
    assert found[0].final_response == pytest.approx(1.0)
    assert (found[0].source, found[0].destination, found[0].cseq) == (UE, PEER, 1)
    assert found[1].first_response is None


def test_a_copy_after_half_a_second_was_sent_again() -> None:
    again = [(0.5, UE, PEER, invite()), (1.5, UE, PEER, invite()), (1.6, PEER, UE, answer("200 OK"))]
    (found,) = gathered([(0.0, UE, PEER, invite()), *again])
    assert found.retransmissions == 2
    assert found.final_response == pytest.approx(1.6)


def test_a_copy_at_once_was_captured_twice() -> None:
    (found,) = gathered([(0.0, UE, PEER, invite()), (0.001, UE, PEER, invite())])
    assert found.retransmissions == 0


def test_a_response_that_comes_again_counts_too() -> None:
    ok = answer("200 OK")
    (found,) = gathered([(0.0, UE, PEER, invite()), (1.0, PEER, UE, ok), (1.5, PEER, UE, ok)])
    assert found.retransmissions == 1 and found.final_response == pytest.approx(1.0)


def test_hops_and_branches_are_apart() -> None:
    found = gathered(
        [
            (0.0, UE, PROXY, invite()),
            (0.1, PROXY, PEER, invite(branch="z9hG4bK2")),
            (0.2, PEER, PROXY, answer("200 OK", branch="z9hG4bK2")),
            (0.4, PROXY, UE, answer("200 OK")),
        ]
    )
    assert [round(one.final_response or 0, 6) for one in found] == [0.4, 0.1]


def test_a_response_from_another_port_belongs_to_its_request() -> None:
    (found,) = gathered([(0.0, UE, PEER, invite()), (0.1, ("10.0.0.2", 6000), UE, answer("200 OK"))])
    assert found.status == 200


def test_a_response_alone_is_no_transaction() -> None:
    assert gathered([(0.0, PEER, UE, answer("200 OK"))]) == []


def test_what_has_no_via_is_left_out() -> None:
    assert gathered([(0.0, UE, PEER, request("BYE").replace(b"Via:", b"Xia:"))]) == []


def test_the_table() -> None:
    table = open_capture(trace(call())).transactions
    assert table["method"].tolist() == ["INVITE", "ACK", "BYE"]
    assert table["status"].dropna().tolist() == [200, 200]
