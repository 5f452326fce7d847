"""The four transactions on a fake clock: every timer of RFC 3261, table 4, and those of RFC 6026."""

import pytest

from imslab.errors import Malformed
from imslab.sip import Message
from imslab.sip.transaction import (
    InviteClient,
    InviteServer,
    NonInviteClient,
    NonInviteServer,
    State,
    Timing,
    ack_for,
    cancel_for,
    cancelled_key,
    client_key,
    key,
    server_key,
)


def request(
    method: str, branch: str = "z9hG4bKa", to: str = "<sip:b@h>", via: str = "SIP/2.0/UDP h:5060"
) -> Message:
    return Message.parse(
        f"{method} sip:b@h SIP/2.0\r\nVia: {via};branch={branch}\r\nVia: SIP/2.0/UDP z;branch=z9hG4bKz\r\n"
        f"Max-Forwards: 70\r\nRoute: <sip:p1;lr>\r\nRoute: <sip:p2;lr>, <sip:p3;lr>\r\n"
        f"From: <sip:a@h>;tag=f\r\nTo: {to}\r\nCall-ID: c\r\nCSeq: 7 {method}\r\n\r\n".encode()
    )


INVITE, OPTIONS = request("INVITE"), request("OPTIONS")


def answer(status: int, to: Message = INVITE) -> Message:
    return Message.reply(to, status, to_tag="t")


def sent(
    transaction: InviteClient | NonInviteClient | InviteServer | NonInviteServer, until: float
) -> list[float]:
    """Run the clock to ``until``; return when something was sent."""
    times: list[float] = []
    while (at := transaction.timer()) is not None and at <= until:
        transaction.handle_timer(at)
        times += [at] * len(transaction.outgoing())
    return times


class TestInviteClient:
    def new(self, reliable: bool = False) -> InviteClient:
        transaction = InviteClient(INVITE, now=100, reliable=reliable)
        assert transaction.outgoing() == [INVITE]
        assert transaction.state is State.CALLING
        return transaction

    def test_timer_a_doubles_until_timer_b(self) -> None:
        t = self.new()
        assert sent(t, 1000) == [100.5, 101.5, 103.5, 107.5, 115.5, 131.5]
        assert t.timed_out
        assert t.is_terminated
        assert t.timer() is None

    def test_timer_b_comes_at_64_t1(self) -> None:
        t = self.new(reliable=True)
        assert t.timer() == 132
        t.handle_timer(131.9)
        assert not t.timed_out
        t.handle_timer(132)
        assert t.timed_out

    def test_nothing_is_sent_twice_over_a_reliable_transport(self) -> None:
        assert sent(self.new(reliable=True), 131.9) == []

    def test_a_provisional_response_stops_a_and_b(self) -> None:
        t = self.new()
        t.handle_response(answer(100), now=100.1)
        t.handle_response(answer(180), now=100.2)
        assert t.state is State.PROCEEDING
        assert [r.status for r in t.delivered()] == [100, 180]
        assert t.timer() is None

    def test_success_is_accepted_for_timer_m_and_left_to_the_user(self) -> None:
        for reliable in (False, True):
            t = self.new(reliable)
            t.handle_response(answer(200), now=101)
            t.handle_response(answer(200), now=102)
            t.handle_response(answer(180), now=102)
            t.handle_response(answer(486), now=102)
            assert t.state is State.ACCEPTED
            assert [r.status for r in t.delivered()] == [200, 200]
            assert t.outgoing() == []
            assert t.timer() == 133
            t.handle_timer(133)
            assert t.is_terminated
            assert not t.timed_out

    def test_failure_is_acknowledged_each_time_until_timer_d(self) -> None:
        t = self.new()
        t.handle_response(answer(486), now=101)
        assert t.state is State.COMPLETED
        assert [r.status for r in t.delivered()] == [486]
        assert [m.method for m in t.outgoing()] == ["ACK"]
        t.handle_response(answer(486), now=101.5)
        t.handle_response(answer(200), now=101.5)
        assert t.delivered() == []
        assert [m.method for m in t.outgoing()] == ["ACK"]
        assert t.timer() == 133
        t.handle_timer(133)
        assert t.is_terminated

    def test_299_is_a_success_and_300_a_failure(self) -> None:
        for status, state in ((299, State.ACCEPTED), (300, State.COMPLETED)):
            t = self.new()
            t.handle_response(answer(status), now=101)
            assert t.state is state

    def test_timer_d_is_zero_over_a_reliable_transport(self) -> None:
        t = self.new(reliable=True)
        t.handle_response(answer(603), now=101)
        assert t.timer() == 101
        t.handle_timer(101)
        assert t.is_terminated

    def test_timer_d_is_at_least_32_seconds(self) -> None:
        t = InviteClient(INVITE, now=0, reliable=False, timing=Timing(t1=0.1))
        t.handle_response(answer(486), now=0)
        assert t.timer() == 32

    def test_ack(self) -> None:
        ack = ack_for(INVITE, answer(486))
        assert str(ack.via) == "SIP/2.0/UDP h:5060;branch=z9hG4bKa"
        assert len(ack.vias) == 1
        assert [r.uri.host for r in ack.routes] == ["p1", "p2", "p3"]
        assert (ack.to.tag, ack.from_.tag, ack.call_id, str(ack.cseq)) == ("t", "f", "c", "7 ACK")
        assert (ack.uri, ack.max_forwards) == (INVITE.uri, 70)
        assert ack.problems() == ()
        with pytest.raises(Malformed):
            ack_for(INVITE, answer(486).without("To"))

    def test_transport_error(self) -> None:
        t = self.new()
        t.handle_transport_error()
        assert t.failed
        assert t.is_terminated
        assert t.timer() is None
        t.handle_response(answer(200), now=101)
        assert t.delivered() == []


class TestNonInviteClient:
    def new(self, reliable: bool = False) -> NonInviteClient:
        transaction = NonInviteClient(OPTIONS, now=0, reliable=reliable)
        assert transaction.outgoing() == [OPTIONS]
        return transaction

    def test_timer_e_doubles_to_t2_until_timer_f(self) -> None:
        t = self.new()
        assert sent(t, 1000) == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
        assert t.timed_out
        assert t.state is State.TERMINATED

    def test_timer_f_alone_over_a_reliable_transport(self) -> None:
        t = self.new(reliable=True)
        assert sent(t, 31.9) == []
        assert t.timer() == 32

    def test_after_a_provisional_response_e_is_t2_and_f_still_runs(self) -> None:
        t = self.new()
        t.handle_response(answer(100, OPTIONS), now=0.1)
        assert t.state is State.PROCEEDING
        assert sent(t, 1000) == [0.5, 4.5, 8.5, 12.5, 16.5, 20.5, 24.5, 28.5]
        assert t.timed_out

    def test_a_final_response_is_delivered_once_until_timer_k(self) -> None:
        t = self.new()
        for _ in range(3):
            t.handle_response(answer(404, OPTIONS), now=1)
        assert [r.status for r in t.delivered()] == [404]
        assert t.state is State.COMPLETED
        assert t.timer() == 6
        assert sent(t, 6) == []
        assert t.is_terminated
        assert not t.timed_out

    def test_timer_k_is_zero_over_a_reliable_transport(self) -> None:
        t = self.new(reliable=True)
        t.handle_response(answer(200, OPTIONS), now=1)
        assert t.timer() == 1


class TestInviteServer:
    def new(self, reliable: bool = False) -> InviteServer:
        transaction = InviteServer(INVITE, now=0, reliable=reliable)
        assert transaction.delivered() == [INVITE]
        assert transaction.state is State.PROCEEDING
        return transaction

    def test_it_tries_by_itself_after_200_ms(self) -> None:
        t = self.new()
        assert t.timer() == 0.2
        t.handle_timer(0.2)
        assert [r.status for r in t.outgoing()] == [100]
        assert t.timer() is None

    def test_the_user_was_faster(self) -> None:
        t = self.new()
        t.respond(answer(180), now=0.1)
        assert [r.status for r in t.outgoing()] == [180]
        assert t.timer() is None
        t.handle_request(INVITE, now=1)
        assert [r.status for r in t.outgoing()] == [180]

    def test_a_copy_before_any_response_is_absorbed(self) -> None:
        t = self.new()
        t.handle_request(INVITE, now=0.1)
        assert t.outgoing() == []

    def test_timer_g_doubles_to_t2_until_timer_h(self) -> None:
        t = self.new()
        t.respond(answer(486), now=0)
        assert len(t.outgoing()) == 1
        assert sent(t, 1000) == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
        assert t.timed_out

    def test_timer_h_alone_over_a_reliable_transport(self) -> None:
        t = self.new(reliable=True)
        t.respond(answer(486), now=0)
        t.outgoing()
        assert sent(t, 31) == []
        assert t.timer() == 32

    def test_ack_confirms_until_timer_i(self) -> None:
        for reliable, end in ((False, 6), (True, 1)):
            t = self.new(reliable)
            t.respond(answer(486), now=0)
            t.handle_request(INVITE, now=0.3)
            assert len(t.outgoing()) == 2
            t.handle_request(request("ACK"), now=1)
            assert t.state is State.CONFIRMED
            t.handle_request(INVITE, now=1)
            t.handle_request(request("ACK"), now=1)
            assert t.outgoing() == t.delivered() == []
            assert t.timer() == end
            t.handle_timer(end)
            assert t.is_terminated
            assert not t.timed_out

    def test_success_stays_accepted_for_timer_l(self) -> None:
        for reliable in (False, True):
            t = self.new(reliable)
            t.respond(answer(200), now=1)
            assert [r.status for r in t.outgoing()] == [200]
            t.respond(answer(299), now=2)
            t.respond(answer(300), now=2)
            assert [r.status for r in t.outgoing()] == [299]
            assert t.state is State.ACCEPTED
            t.handle_request(INVITE, now=3)
            assert t.outgoing() == []
            t.handle_request(request("ACK"), now=3)
            assert [m.method for m in t.delivered()] == ["ACK"]
            assert t.timer() == 33
            t.handle_timer(33)
            assert t.is_terminated

    def test_299_is_accepted_and_300_completed(self) -> None:
        for status, state in ((299, State.ACCEPTED), (300, State.COMPLETED)):
            t = self.new()
            t.respond(answer(status), now=1)
            assert t.state is state


class TestNonInviteServer:
    def new(self, reliable: bool = False) -> NonInviteServer:
        transaction = NonInviteServer(OPTIONS, now=0, reliable=reliable)
        assert transaction.delivered() == [OPTIONS]
        return transaction

    def test_trying_absorbs_copies(self) -> None:
        t = self.new()
        t.handle_request(OPTIONS, now=1)
        assert t.outgoing() == []
        assert t.state is State.TRYING

    def test_the_last_response_goes_out_again(self) -> None:
        t = self.new()
        t.respond(answer(183, OPTIONS), now=1)
        states = [t.state]
        t.handle_request(OPTIONS, now=2)
        t.respond(answer(200, OPTIONS), now=3)
        t.handle_request(OPTIONS, now=4)
        t.respond(answer(404, OPTIONS), now=5)
        assert [r.status for r in t.outgoing()] == [183, 183, 200, 200]
        assert [*states, t.state] == [State.PROCEEDING, State.COMPLETED]

    def test_timer_j(self) -> None:
        for reliable, end in ((False, 35), (True, 3)):
            t = self.new(reliable)
            t.respond(answer(200, OPTIONS), now=3)
            assert t.timer() == end
            t.handle_timer(end)
            assert t.is_terminated


def test_keys_match_responses_and_copies() -> None:
    assert client_key(INVITE) == key(answer(200))
    assert client_key(OPTIONS) == key(answer(200, OPTIONS)) != client_key(INVITE)
    assert InviteClient(INVITE, now=0, reliable=True).key == client_key(INVITE)
    assert key(INVITE) == server_key(request("INVITE")) == InviteServer(INVITE, now=0, reliable=True).key
    assert key(request("ACK")) == key(INVITE)
    assert key(request("CANCEL")) != key(INVITE)
    assert cancelled_key(request("CANCEL")) == key(INVITE)
    assert key(request("INVITE", branch="z9hG4bKb")) != key(INVITE)
    assert key(request("INVITE", via="SIP/2.0/UDP H:5060")) == key(INVITE)
    assert key(request("INVITE", via="SIP/2.0/UDP h:5061")) != key(INVITE)


def test_keys_of_rfc_2543() -> None:
    invite = request("INVITE", branch="1")
    assert key(invite)[0] == "rfc2543"
    assert key(request("INVITE", branch="z9hG4bK"))[0] == "rfc2543"
    assert key(request("ACK", branch="1", to="<sip:b@h>;tag=t")) == key(invite)
    assert key(request("INVITE", branch="2")) != key(invite)
    assert key(request("OPTIONS", branch="1")) != key(invite)
    assert key(request("OPTIONS", branch="1", to="<sip:b@h>;tag=t")) != key(request("OPTIONS", branch="1"))


def test_no_key_without_via() -> None:
    with pytest.raises(Malformed):
        key(INVITE.without("Via"))


def test_cancel_for() -> None:
    """RFC 3261, 9.1: one Via, the same as the INVITE's; the same Route, From, To, Call-ID and number."""
    invite = request("INVITE", to="<sip:b@h>;tag=t")
    cancel = cancel_for(invite)
    assert (cancel.method, cancel.uri_text, str(cancel.cseq)) == ("CANCEL", invite.uri_text, "7 CANCEL")
    assert cancel.vias == invite.vias[:1] and cancel.routes == invite.routes
    assert (cancel.from_, cancel.to, cancel.call_id) == (invite.from_, invite.to, invite.call_id)
    assert cancelled_key(cancel) == server_key(invite) and server_key(cancel) != server_key(invite)
    assert cancel.problems() == () and cancel.body == b""


def test_a_transaction_that_nobody_waits_for_is_ended() -> None:
    """RFC 3261, 9.1: an INVITE that was cancelled, and is not answered."""
    transaction = InviteClient(INVITE, now=0.0, reliable=False)
    transaction.handle_response(answer(180), now=0.0)
    assert transaction.timer() is None
    transaction.terminate()
    assert transaction.is_terminated and not transaction.timed_out and not transaction.failed
