"""Requests within a call: RFC 3261 12.2, 14 and 15, RFC 3311, RFC 3264 8."""

import pytest

from imslab.errors import CallFailed, Malformed
from imslab.ims.attacks import lose, rewrite
from imslab.ims.call import CallState
from imslab.ims.indications import Changed, Incoming, Offered, Refused
from imslab.sip.sdp import SessionDescription


@pytest.fixture
def talk(home):
    """Alice and bob talk."""
    lab = home()
    lab.mine = lab.alice.calls(lab.bob)
    lab.theirs = lab.bob.call
    assert lab.mine.state is lab.theirs.state is CallState.CONFIRMED
    return lab


def way(sdp):
    return SessionDescription.parse(sdp).media[0].direction


@pytest.mark.parametrize("method", ["hold", "update"])
@pytest.mark.parametrize("who", ["alice", "bob"])
def test_hold_and_resume(talk, answers, method, who):
    person = getattr(talk, who)
    call, other = (talk.mine, talk.theirs) if who == "alice" else (talk.theirs, talk.mine)
    talk.alice.habit = answers
    person.do(method, call, person.sdp("sendonly", version=2))
    (changed,) = person.heard(Changed)
    assert way(changed.sdp) == way(call.remote) == way(other.local) == "recvonly"
    assert way(call.local) == way(other.remote) == "sendonly"
    person.do(method, call, person.sdp("sendrecv", version=3))
    assert way(call.remote) == way(call.local) == "sendrecv"
    assert call.state is other.state is CallState.CONFIRMED


def test_the_messages_of_a_hold(talk):
    start = len(talk.network.passed)
    talk.alice.do("hold", talk.mine, talk.alice.sdp("sendonly"))
    lines = [send.octets.split(b" ")[:2] for send in talk.network.passed[start:]]
    invites = [line for line in lines if line[0] == b"INVITE"]
    acks = [line for line in lines if line[0] == b"ACK"]
    assert len(invites) == len(acks) == 4


def test_a_change_that_is_refused_changes_nothing(talk):
    talk.bob.habit = lambda person, one, now: (
        isinstance(one, Offered) and person.ue.refuse(one.call, 488, now)
    )
    before = talk.mine.local, talk.mine.remote
    talk.alice.do("hold", talk.mine, talk.alice.sdp("sendonly"))
    assert [one.status for one in talk.alice.heard(Refused)] == [488]
    assert (talk.mine.local, talk.mine.remote) == before
    assert talk.mine.state is CallState.CONFIRMED
    talk.alice.do("update", talk.mine, talk.alice.sdp("inactive"))
    assert [one.status for one in talk.alice.heard(Refused)] == [488, 488]


def test_an_owner_who_does_not_decide_refuses(talk):
    talk.bob.habit = None
    talk.alice.do("hold", talk.mine, talk.alice.sdp("sendonly"))
    talk.network.advance(19)
    assert talk.alice.heard(Refused) == []
    talk.network.advance(2)
    assert [one.status for one in talk.alice.heard(Refused)] == [488]
    with pytest.raises(CallFailed, match="nothing to answer"):
        talk.bob.do("answer", talk.theirs, talk.bob.sdp())


def test_an_offer_that_is_none_is_not_sent(talk):
    start = len(talk.network.passed)
    with pytest.raises(Malformed):
        talk.alice.do("hold", talk.mine, b"v=1\r\n")
    with pytest.raises(Malformed, match="0 m= lines"):
        talk.alice.do("hold", talk.mine, talk.alice.sdp(kinds=()))
    assert len(talk.network.passed) == start
    talk.alice.do("hold", talk.mine, talk.alice.sdp("sendonly"))
    assert len(talk.alice.heard(Changed)) == 1


def test_an_offer_that_came_and_is_none(talk):
    talk.network.intercept = rewrite(
        lambda m: m.with_body(b"v=1\r\n"), to=talk.bob.address, where=lambda m: m.method == "UPDATE"
    )
    talk.alice.do("update", talk.mine, talk.alice.sdp("sendonly"))
    assert [one.status for one in talk.alice.heard(Refused)] == [488]
    assert talk.bob.heard(Offered) == []


def test_an_answer_to_a_change_that_is_none_ends_the_call(talk):
    talk.network.intercept = rewrite(
        lambda m: m.with_body(b"v=1\r\n"), to=talk.alice.address, where=lambda m: m.cseq.method == "INVITE"
    )
    talk.alice.do("hold", talk.mine, talk.alice.sdp("sendonly"))
    assert "bad answer" in talk.alice.endings[0].reason and talk.bob.endings[0].by == "peer"


def test_one_change_at_a_time(talk):
    talk.bob.habit = None
    talk.alice.do("hold", talk.mine, talk.alice.sdp("sendonly"))
    with pytest.raises(CallFailed, match="under way") as caught:
        talk.alice.do("update", talk.mine, talk.alice.sdp())
    assert caught.value.status == 491
    with pytest.raises(CallFailed, match="under way"):
        talk.bob.do("hold", talk.theirs, talk.bob.sdp("sendonly"))


def test_a_second_change_while_the_first_waits_gets_500(talk):
    """RFC 3261, 14.2: Retry-After between 0 and 10 s."""
    talk.bob.habit = None
    talk.alice.do("hold", talk.mine, talk.alice.sdp("sendonly"))
    talk.mine.leg.changes._asking, talk.mine.leg.negotiation.offered = None, b""
    talk.alice.do("update", talk.mine, talk.alice.sdp("inactive"))
    (refusal,) = [m for m in talk.alice.got() if m.status == 500]
    assert 0 <= int(refusal.get("Retry-After")) <= 10


@pytest.mark.parametrize("methods", [("hold", "hold"), ("update", "update"), ("hold", "update")])
def test_glare(talk, answers, methods):
    """RFC 3261, 14.1: both get 491, and try again, who made the Call-ID later than the other."""
    talk.alice.habit = answers
    now = talk.network.now
    getattr(talk.alice.ue, methods[0])(talk.mine, talk.alice.sdp("sendonly"), now)
    getattr(talk.bob.ue, methods[1])(talk.theirs, talk.bob.sdp("recvonly"), now)
    talk.network.run()
    refused = [m.status for person in talk.people for m in person.got() if m.status == 491]
    assert refused == [491, 491]
    talk.network.advance(2.09)
    assert len(talk.bob.heard(Changed)) == 1 and talk.alice.heard(Changed) == []
    talk.network.advance(2)
    assert len(talk.alice.heard(Changed)) == 1
    assert talk.alice.heard(Refused) == talk.bob.heard(Refused) == []
    assert way(talk.mine.local) == "sendonly" and way(talk.theirs.local) == "recvonly"


def test_a_retry_waits_while_the_peer_changes(talk):
    """The peer's own change is under way when the retry is due: it waits once more."""
    talk.network.intercept = rewrite(
        lambda m: m.with_status(491), to=talk.alice.address, where=lambda m: m.status == 200
    )
    talk.alice.do("update", talk.mine, talk.alice.sdp("sendonly"))
    talk.network.intercept = None
    talk.alice.habit = None
    talk.bob.do("update", talk.theirs, talk.bob.sdp("recvonly"))
    talk.network.advance(4)
    assert talk.alice.heard(Changed) == []
    talk.alice.do("refuse", talk.mine, 488)
    talk.network.advance(5)
    assert len(talk.alice.heard(Changed)) == 1


def test_a_change_waits_for_the_ack_of_the_peers(talk):
    """RFC 3261, 14.1; and the ACK, when it comes, answers nothing of ours."""
    talk.network.intercept = lose(1, where=lambda m: m.method == "ACK")
    talk.alice.do("hold", talk.mine, talk.alice.sdp("sendonly"))
    assert len(talk.alice.heard(Changed)) == 1
    talk.bob.do("hold", talk.theirs, talk.bob.sdp("inactive"))
    with pytest.raises(CallFailed, match="under way"):
        talk.bob.do("update", talk.theirs, b"")
    assert talk.alice.methods() == []
    talk.alice.habit = lambda person, one, now: (
        isinstance(one, Offered) and person.ue.answer(one.call, person.sdp("inactive"), now)
    )
    talk.network.advance(1)
    assert talk.alice.methods() == ["INVITE", "ACK"] and len(talk.bob.heard(Changed)) == 1
    assert way(talk.theirs.local) == way(talk.mine.local) == "inactive"


def test_an_update_without_sdp_is_a_sign_of_life(talk):
    talk.alice.do("update", talk.mine, b"")
    assert talk.bob.heard(Offered) == [] and talk.bob.methods()[-1] == "UPDATE"
    assert talk.alice.statuses("UPDATE") == [200]


def test_an_update_before_the_answer(home):
    """RFC 3311, 5.1: once the first offer is answered, reliably."""
    lab = home(habit=None)
    call = lab.alice.calls(lab.bob)
    with pytest.raises(CallFailed, match="nobody to talk to"):
        lab.alice.do("update", call, lab.alice.sdp(version=2))
    lab.bob.do("ring", lab.bob.call, sdp=lab.bob.sdp(), status=183)
    lab.alice.do("update", call, lab.alice.sdp(version=2))
    lab.bob.do("answer", lab.bob.call, lab.bob.sdp(version=2))
    assert lab.bob.call.is_waiting and len(lab.alice.heard(Changed)) == 1
    lab.bob.do("answer", lab.bob.call, b"")
    assert call.state is CallState.CONFIRMED
    assert (call.local, call.remote) == (lab.alice.sdp(version=2), lab.bob.sdp(version=2))


def test_an_update_while_the_first_offer_waits(home):
    """RFC 3311, 5.2."""
    lab = home(habit=None)
    call = lab.alice.calls(lab.bob)
    lab.bob.do("ring", lab.bob.call)
    call.legs[0].negotiation.offered = b""
    lab.alice.do("update", call, lab.alice.sdp(version=2))
    assert lab.alice.statuses("UPDATE") == [500]


def test_a_reinvite_without_an_offer_asks_for_one(talk):
    talk.network.intercept = rewrite(
        lambda m: m.without("Content-Type").with_body(b""),
        to=talk.bob.address,
        where=lambda m: m.method == "INVITE",
    )
    talk.alice.do("hold", talk.mine, talk.alice.sdp("sendonly"))
    assert talk.bob.heard(Offered)[0].offer == b""
    answer = [m for m in talk.bob.sent() if m.status == 200 and m.cseq.method == "INVITE"][-1]
    assert answer.body == talk.bob.sdp()


@pytest.mark.parametrize(
    ("edit", "status"),
    [
        (lambda m: m.with_header("Content-Type", "text/html"), 415),
        (lambda m: m.with_header("Require", "teleport"), 420),
        (lambda m: m.with_header("Session-Expires", "10"), 422),
        (lambda m: m.with_header("CSeq", "1 UPDATE"), 500),
    ],
    ids=["type", "require", "session", "cseq"],
)
def test_a_change_that_cannot_be_taken(talk, edit, status):
    talk.network.intercept = rewrite(edit, to=talk.bob.address, where=lambda m: m.method == "UPDATE")
    talk.alice.do("update", talk.mine, talk.alice.sdp("sendonly"))
    assert [m.status for m in talk.bob.sent() if not m.is_request][-1] == status


def test_a_peer_who_knows_no_update_is_refreshed_by_reinvite(talk):
    talk.mine.leg.peer_updates = False
    talk.network.advance(46)
    assert talk.bob.methods()[-2:] == ["INVITE", "ACK"]
    assert talk.bob.heard(Offered)[0].offer == talk.alice.sdp()
    assert talk.mine.state is CallState.CONFIRMED


def test_a_405_to_update_is_learned(talk):
    talk.network.intercept = rewrite(
        lambda m: m.with_status(405), to=talk.alice.address, where=lambda m: m.cseq.method == "UPDATE"
    )
    talk.network.advance(60)
    assert "INVITE" in talk.bob.methods()[2:] and talk.mine.state is CallState.CONFIRMED


# -- the end --------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_bye_says_why(talk, who):
    person, other = (talk.alice, talk.bob) if who == "alice" else (talk.bob, talk.alice)
    call = talk.mine if who == "alice" else talk.theirs
    person.do("hang_up", call, reason='the "cake" burns')
    assert other.endings[0].reason == "the 'cake' burns" and other.endings[0].by == "peer"
    assert person.endings[0].by == "us"


def test_both_hang_up_at_once(talk, left_over):
    now = talk.network.now
    talk.alice.ue.hang_up(talk.mine, now)
    talk.bob.ue.hang_up(talk.theirs, now)
    talk.network.run()
    assert talk.mine.state is talk.theirs.state is CallState.ENDED
    talk.network.advance(40)
    assert left_over(talk) == (0, 0, 0)


def test_hanging_up_twice_does_nothing(talk):
    talk.alice.do("hang_up", talk.mine)
    count = len(talk.network.passed)
    talk.alice.do("hang_up", talk.mine)
    assert len(talk.network.passed) == count
    with pytest.raises(CallFailed, match="the call is ended"):
        talk.alice.do("hold", talk.mine, talk.alice.sdp())


def test_a_bye_that_nobody_answers_is_over_after_32_s(talk):
    talk.network.intercept = lose(999, to=talk.alice.address)
    talk.alice.do("hang_up", talk.mine)
    assert talk.mine.state is CallState.ENDING
    talk.network.advance(33)
    assert talk.mine.ending.by == "us"


@pytest.mark.parametrize("status", [481, 408])
def test_a_change_that_the_peer_knows_nothing_of_ends_the_call(talk, status):
    """RFC 3261, 12.2.1.2."""
    talk.network.intercept = rewrite(
        lambda m: m.with_status(status), to=talk.alice.address, where=lambda m: m.status == 200
    )
    talk.alice.do("hold", talk.mine, talk.alice.sdp("sendonly"))
    assert "is gone" in talk.mine.ending.reason


def test_the_peer_may_move(talk):
    """RFC 3261, 12.2: a new Contact in a change is the new target, on both sides."""
    moved = "<sip:moved@127.0.0.12:5060>"
    talk.network.intercept = rewrite(
        lambda m: m.with_header("Contact", moved), to=talk.alice.address, where=lambda m: m.status == 200
    )
    talk.alice.do("update", talk.mine, b"")
    talk.network.intercept = None
    talk.alice.do("hang_up", talk.mine)
    assert talk.bob.got()[-1].uri_text == "sip:moved@127.0.0.12:5060" and talk.bob.endings


@pytest.mark.parametrize(("method", "status"), [("OPTIONS", 200), ("INFO", 405), ("PRACK", 481)])
def test_other_requests_within_a_call(talk, method, status):
    answered = []
    talk.mine.leg.ask(
        method, talk.network.now, lambda client, response, now: answered.append(response.status)
    )
    talk.network.run()
    assert answered == [status]


def test_a_message_within_a_call(talk):
    from imslab.ims.indications import Text

    rows = [("Content-Type", "text/plain")]
    answered = []
    talk.mine.leg.ask(
        "MESSAGE", talk.network.now, lambda client, response, now: answered.append(response.status), rows
    )
    talk.network.run()
    assert answered == [200] and len(talk.bob.heard(Text)) == 1


def test_a_callee_who_was_never_asked_changes_nothing(home):
    lab = home(habit=None)
    call = lab.alice.calls(lab.bob)
    with pytest.raises(CallFailed):
        lab.alice.do("hold", call, lab.alice.sdp())
    assert isinstance(lab.bob.told[0], Incoming)
