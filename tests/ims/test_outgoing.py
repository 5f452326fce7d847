"""The caller's half of a call: RFC 3261 13.2 and 9.1, RFC 3262, RFC 5009, TS 24.229 5.1.3."""

import pytest

from imslab.errors import CallFailed, Malformed
from imslab.ims import Address
from imslab.ims.attacks import lose, rewrite
from imslab.ims.call import CallState, Times
from imslab.ims.indications import Answered, Confirmed, Ended, Incoming, Progress
from imslab.sip import Message

MIXES = [("UDP", "UDP"), ("TCP", "TCP"), ("WS", "WS"), ("UDP", "WS"), ("WS", "TCP"), ("TCP", "UDP")]


@pytest.mark.parametrize("transports", MIXES, ids="-".join)
def test_a_call_and_its_end(home, left_over, transports):
    lab = home(transports)
    call = lab.alice.calls(lab.bob)
    assert call.state is CallState.CONFIRMED
    kinds = [type(one) for one in lab.alice.told]
    assert kinds == [Progress, Answered]
    assert lab.alice.heard(Answered)[0].sdp == call.remote == lab.bob.sdp()
    assert [type(one) for one in lab.bob.told] == [Incoming, Confirmed]
    assert lab.bob.heard(Incoming)[0].offer == lab.bob.call.remote == lab.alice.sdp() == call.local
    lab.network.advance(10)
    lab.alice.do("hang_up", call)
    assert (lab.alice.endings[0].by, lab.bob.endings[0].by) == ("us", "peer")
    assert lab.alice.ue.calls == lab.bob.ue.calls == []
    assert call.moments == {"invited": 0, "ringing": 0, "answered": 0, "acknowledged": 0, "ended": 10}
    lab.network.advance(40)
    assert left_over(lab) == (0, 0, 0)


def test_the_messages_of_a_call(home):
    lab = home()
    lab.alice.calls(lab.bob)
    assert lab.alice.statuses() == [100, 180, 200]
    assert lab.bob.methods() == ["INVITE", "PRACK", "ACK"]
    at_scscf = [m for m in lab.network.messages(to=lab.scscf.address) if m.is_request]
    assert [m.method for m in at_scscf] == ["INVITE", "PRACK", "ACK"]


def test_who_is_called_and_who_calls(home):
    lab = home()
    call = lab.alice.calls(lab.bob)
    assert lab.bob.call.peer == lab.alice.uri and lab.bob.call.is_asserted
    assert call.peer == lab.bob.uri and call.is_asserted
    assert repr(call).startswith("<OutgoingCall to sip:bob@") and "from sip:alice@" in repr(lab.bob.call)
    invite = lab.bob.got()[0]
    assert str(invite.p_called_party_id.uri) == lab.bob.uri
    assert invite.uri_text == lab.bob.ue.requests.contact
    assert invite.get("P-Preferred-Identity") is None and invite.get("P-Charging-Vector") is None
    sent = lab.alice.sent()[0]
    assert [str(one.uri) for one in sent.p_preferred_identity] == [lab.alice.uri]


@pytest.mark.parametrize(
    "target", ["tel:+15550100002", "tel:+1-555-0100-002", "sip:+15550100002@anywhere.example;user=phone"]
)
def test_a_telephone_number_is_found(home, target):
    lab = home()
    call = lab.alice.calls(target)
    assert call.state is CallState.CONFIRMED
    assert str(lab.bob.got()[0].p_called_party_id.uri).replace("-", "") == target.replace("-", "")


@pytest.mark.parametrize(
    ("target", "status", "why"),
    [
        ("sip:nobody@ims.mnc001.mcc001.3gppnetwork.org", 404, "the HSS knows no such user"),
        ("tel:+15559999999", 404, "the HSS knows no such user"),
        ("sip:bob@elsewhere.example", 404, "the HSS knows no such user"),
    ],
)
def test_no_such_user(home, target, status, why):
    lab = home()
    call = lab.alice.calls(target)
    assert (call.ending.status, call.ending.by) == (status, "network") and why in call.ending.reason


def test_a_callee_who_is_not_registered(home):
    lab = home()
    lab.bob.do("deregister")
    call = lab.alice.calls(lab.bob)
    assert call.ending.status == 480 and "not registered" in call.ending.reason


@pytest.mark.parametrize(
    ("status", "by"), [(486, "network"), (480, "network"), (603, "peer"), (302, "network")]
)
def test_a_refusal(home, left_over, status, by):
    lab = home(
        habit=lambda person, one, now: isinstance(one, Incoming) and person.ue.refuse(one.call, status, now)
    )
    call = lab.alice.calls(lab.bob)
    assert (call.state, call.ending.status, call.ending.by) == (CallState.ENDED, status, by)
    assert lab.bob.endings[0].status == status
    lab.network.advance(40)
    assert left_over(lab) == (0, 0, 0)


def test_calls_need_a_registration(home):
    lab = home()
    lab.alice.do("deregister")
    with pytest.raises(CallFailed, match=r"not registered\. register first"):
        lab.alice.calls(lab.bob)
    with pytest.raises(CallFailed, match="not registered"):
        lab.alice.do("message", lab.bob.uri, "hello")


@pytest.mark.parametrize(("target", "offer"), [("sip:bob@x", b"v=1\r\n"), ("not a uri", None), ("", None)])
def test_what_cannot_be_sent(home, target, offer):
    lab = home()
    with pytest.raises(Malformed):
        lab.alice.calls(target, offer or lab.alice.sdp())
    assert lab.alice.ue.calls == [] and lab.network.passed == []


# -- CANCEL ---------------------------------------------------------------------------------------


def ringing(person, indication, now):
    if isinstance(indication, Incoming):
        person.ue.ring(indication.call, now)


@pytest.mark.parametrize("transports", MIXES[:3], ids="-".join)
def test_cancel(home, left_over, transports):
    lab = home(transports, habit=ringing)
    call = lab.alice.calls(lab.bob)
    assert call.state is CallState.RINGING
    lab.alice.do("cancel", call)
    assert (call.ending.status, call.ending.reason, call.ending.by) == (487, "cancelled", "us")
    assert (lab.bob.endings[0].status, lab.bob.endings[0].by) == (487, "peer")
    assert lab.bob.methods() == ["INVITE", "PRACK", "CANCEL", "ACK"]
    assert lab.alice.statuses("CANCEL") == [200] and lab.alice.statuses() == [100, 180, 487]
    lab.network.advance(40)
    assert left_over(lab) == (0, 0, 0)


def test_hang_up_before_the_answer_is_cancel(home):
    lab = home(habit=ringing)
    call = lab.alice.calls(lab.bob)
    lab.alice.do("hang_up", call)
    assert call.ending.status == 487


def test_a_cancel_waits_for_a_provisional_response(home):
    """RFC 3261, 9.1."""
    lab = home(habit=ringing)
    call = lab.alice.ue.invite(lab.bob.uri, lab.alice.sdp(), lab.network.now)
    lab.alice.ue.cancel(call, lab.network.now)
    assert [Message.parse(s.octets).method for s in lab.alice.ue._queue] == ["INVITE"]
    lab.network.run()
    assert call.ending.status == 487
    assert [m.method for m in lab.alice.sent()] == ["INVITE", "CANCEL", "PRACK", "ACK"]


def test_an_answer_that_crosses_the_cancel_is_acknowledged_and_ended(home, left_over):
    lab = home(habit=ringing)
    call = lab.alice.calls(lab.bob)
    lab.network.intercept = lose(1, to=lab.pcscf.address, where=lambda m: m.method == "CANCEL")
    lab.alice.do("cancel", call)
    lab.bob.do("answer", lab.bob.call, lab.bob.sdp())
    assert call.ending.reason == "cancelled"
    assert lab.bob.methods()[-2:] == ["ACK", "BYE"]
    assert lab.bob.endings[0].by == "peer"
    lab.network.advance(40)
    assert left_over(lab) == (0, 0, 0)


def test_a_core_that_does_not_heed_the_cancel_is_left_after_32_s(home, left_over):
    lab = home(habit=ringing)
    call = lab.alice.calls(lab.bob)
    lab.network.intercept = lambda send: (
        [] if lab.alice.address in (send.source, send.destination) else [send]
    )
    lab.alice.do("cancel", call)
    lab.network.advance(31.9)
    assert call.ending is None
    lab.network.advance(0.2)
    assert call.ending.reason == "cancelled"


def test_what_can_not_be_cancelled(home):
    lab = home()
    call = lab.alice.calls(lab.bob)
    with pytest.raises(CallFailed, match=r"answered\. hang up"):
        lab.alice.do("cancel", call)
    with pytest.raises(CallFailed, match="refused, not cancelled"):
        lab.bob.do("cancel", lab.bob.call)
    assert call.state is CallState.CONFIRMED


# -- nobody answers -------------------------------------------------------------------------------


@pytest.mark.parametrize("habit", [ringing, None], ids=["rings", "does nothing"])
def test_a_callee_who_never_answers(home, left_over, habit):
    lab = home(habit=habit, times=Times(no_answer=60))
    call = lab.alice.calls(lab.bob)
    lab.network.advance(59)
    assert call.ending is None
    lab.network.advance(2)
    assert call.ending.status == 408 and call.ending.reason == "no answer in 60 s"
    assert lab.bob.endings[0].status in (480, 487)
    lab.network.advance(40)
    assert left_over(lab) == (0, 0, 0)


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
def test_a_core_that_is_silent_from_the_start(home, transport):
    lab = home((transport, "UDP"))
    lab.network.intercept = lambda send: []
    call = lab.alice.calls(lab.bob)
    lab.network.advance(31.9)
    assert call.ending is None
    lab.network.advance(0.2)
    assert call.ending.status is None and "is the P-CSCF at 127.0.0.21" in call.ending.reason


def test_a_connection_that_is_gone(home):
    lab = home(("TCP", "UDP"))
    call = lab.alice.ue.invite(lab.bob.uri, lab.alice.sdp(), lab.network.now)
    (send,) = lab.alice.ue.outgoing()
    lab.alice.ue.unreachable(send, lab.network.now)
    assert "is not reachable" in call.ending.reason
    other = lab.alice.calls(lab.bob)
    lab.alice.ue.closed(lab.alice.ue.proxy, lab.network.now)
    assert other.ending.reason.endswith("is gone") and lab.alice.ue.calls == []


# -- provisional responses ------------------------------------------------------------------------


def test_early_media(home):
    """RFC 3262 and 5009: the answer comes early, acknowledged, and the network says what it allows."""
    lab = home(habit=None)
    call = lab.alice.calls(lab.bob)
    lab.bob.do("ring", lab.bob.call, sdp=lab.bob.sdp(), status=183)
    (progress,) = lab.alice.heard(Progress)
    assert (progress.status, progress.sdp, progress.early_media) == (183, lab.bob.sdp(), "sendrecv")
    assert call.early_media == "sendrecv" and call.legs[0].negotiation.remote == lab.bob.sdp()
    lab.bob.do("ring", lab.bob.call)
    lab.bob.do("answer", lab.bob.call, b"")
    assert call.remote == lab.bob.sdp() and call.state is CallState.CONFIRMED
    assert lab.alice.heard(Answered)[0].sdp == lab.bob.sdp()
    final = [m for m in lab.alice.got() if m.status == 200 and m.cseq.method == "INVITE"]
    assert final[0].body == b""


def test_an_early_answer_that_does_not_fit_ends_the_call(home):
    lab = home(habit=None)
    call = lab.alice.calls(lab.bob)
    wrong = lab.bob.sdp(kinds=("audio", "video"))
    lab.network.intercept = rewrite(lambda m: m.with_body(wrong), status=183, to=lab.alice.address)
    lab.bob.do("ring", lab.bob.call, sdp=lab.bob.sdp(), status=183)
    assert call.ending.status == 488 and "2 m= lines" in call.ending.reason
    assert lab.bob.endings[0].status == 487


@pytest.mark.parametrize(
    "change",
    [lambda m: m.with_body(b""), lambda m: m.with_body(b"v=0"), lambda m: m.with_body(b"\xff" * 99)],
    ids=["nothing", "cut", "noise"],
)
def test_an_answer_that_is_none_ends_the_call(home, left_over, change):
    lab = home()
    lab.network.intercept = rewrite(
        change, status=200, to=lab.alice.address, where=lambda m: m.cseq.method == "INVITE"
    )
    call = lab.alice.calls(lab.bob)
    assert "bad answer" in call.ending.reason and call.ending.by == "us"
    assert lab.bob.endings[0].by == "peer" and "bad answer" in lab.bob.endings[0].reason
    lab.network.advance(40)
    assert left_over(lab) == (0, 0, 0)


def test_an_unreliable_ringing_needs_no_prack(home):
    lab = home()
    lab.network.intercept = rewrite(lambda m: m.without("Supported"), where=lambda m: m.method == "INVITE")
    call = lab.alice.calls(lab.bob)
    assert call.state is CallState.CONFIRMED and lab.bob.methods() == ["INVITE", "ACK"]


@pytest.mark.parametrize(
    "edit",
    [lambda m: m.with_header("To", f"<{m.to.uri}>"), lambda m: m.without("Contact")],
    ids=["no tag", "no contact"],
)
def test_a_ringing_that_opens_no_dialog(home, edit):
    """RFC 3261, 12.1: without a tag, or a target, nothing can be sent back; it rings all the same."""
    lab = home(habit=None)
    call = lab.alice.calls(lab.bob)
    lab.network.intercept = rewrite(edit, status=180, to=lab.alice.address)
    lab.bob.do("ring", lab.bob.call)
    assert call.legs == [] and lab.bob.methods() == ["INVITE"]
    assert [one.status for one in lab.alice.heard(Progress)] == [180]


def test_reliable_responses_are_taken_in_order(home):
    """RFC 3262, 4: a copy, and one that comes too early, are not acknowledged."""
    lab = home(habit=None)
    lab.alice.calls(lab.bob)
    lab.network.intercept = lambda send: [send, send] if b"SIP/2.0 18" in send.octets[:10] else [send]
    lab.bob.do("ring", lab.bob.call, status=181)
    assert [p.status for p in lab.alice.heard(Progress)] == [181]
    skip = rewrite(lambda m: m.with_header("RSeq", m.rseq + 1), status=180, to=lab.alice.address)
    lab.network.intercept = skip
    lab.bob.do("ring", lab.bob.call)
    assert [p.status for p in lab.alice.heard(Progress)] == [181]
    assert lab.bob.methods() == ["INVITE", "PRACK"]


def test_nobody_but_the_proxy_is_believed(home):
    """An INVITE from elsewhere is refused, whatever it asserts; a response from elsewhere is dropped."""
    lab = home(habit=ringing)
    call = lab.alice.calls(lab.bob)
    stranger = Address("127.0.0.66", 5060)
    invite = next(m for m in lab.bob.got() if m.method == "INVITE")
    forged = invite.with_header("Call-ID", "forged").with_header("P-Asserted-Identity", "<sip:boss@x>")
    replies = lab.network.inject(bytes(forged), stranger, lab.bob.address)
    assert [Message.parse(s.octets).status for s in replies if s.destination == stranger] == [403]
    assert len(lab.bob.heard(Incoming)) == 1
    answer = Message.reply(lab.alice.sent()[0], 200, headers=[("Contact", "<sip:x@127.0.0.66>")], to_tag="x")
    lab.network.inject(bytes(answer), stranger, lab.alice.address)
    assert call.state is CallState.RINGING
    assert [e.what for e in lab.network.log].count("message of somebody who is not the P-CSCF") == 2


@pytest.mark.parametrize(
    "edit",
    [
        lambda m: m.with_status(422),
        lambda m: m.with_status(422).with_header("Min-SE", "x"),
        lambda m: m.with_status(422).with_header("Min-SE", "90"),
        lambda m: m.with_status(422).with_header("Min-SE", "7201"),
        lambda m: m.with_status(407).with_header("Proxy-Authenticate", 'Digest nonce="'),
    ],
    ids=["nothing", "no number", "no more", "for ever", "broken challenge"],
)
def test_a_failure_that_asks_for_nothing_we_can_do_is_the_end(home, edit):
    lab = home(
        habit=lambda person, one, now: isinstance(one, Incoming) and person.ue.refuse(one.call, 486, now)
    )
    lab.network.intercept = rewrite(edit, status=486, to=lab.alice.address)
    call = lab.alice.calls(lab.bob)
    assert call.ending is not None and call.ending.status in (407, 422)
    assert lab.alice.statuses()[-1] == call.ending.status and len(lab.bob.heard(Incoming)) == 1


def test_a_network_that_asks_for_ever_longer_intervals_is_left(home):
    lab = home(
        habit=lambda person, one, now: isinstance(one, Incoming) and person.ue.refuse(one.call, 486, now)
    )
    asked = iter(range(100, 7000))
    lab.network.intercept = rewrite(
        lambda m: m.with_status(422).with_header("Min-SE", next(asked)), status=486, to=lab.alice.address
    )
    call = lab.alice.calls(lab.bob)
    assert call.ending.status == 422 and len(lab.bob.heard(Incoming)) == 6


def test_the_forks_of_a_call_are_bounded(home):
    lab = home(habit=ringing)
    lab.network.intercept = rewrite(lambda m: m.without("Supported"), where=lambda m: m.method == "INVITE")
    call = lab.alice.calls(lab.bob)
    early = next(m for m in lab.alice.got() if m.status == 180)
    for n in range(100):
        copy = early.with_header("To", early.to.with_tag(f"fork{n}"))
        lab.network.inject(bytes(copy), lab.pcscf.address, lab.alice.address)
    assert len(call.legs) == 32 and call.state is CallState.RINGING


def test_two_calls_at_once_do_not_mix(home):
    lab = home(habit=ringing)
    calls = [lab.alice.calls(lab.bob) for _ in range(2)]
    mine = [one.call for one in lab.bob.heard(Incoming)]
    lab.bob.do("refuse", mine[0], 486)
    lab.bob.do("answer", mine[1], lab.bob.sdp())
    assert calls[0].ending.status == 486 and calls[1].state is CallState.CONFIRMED
    assert [e.call for e in lab.alice.heard(Ended)] == [calls[0]]


def test_a_call_to_oneself(home):
    lab = home()
    lab.alice.habit = lab.bob.habit
    call = lab.alice.calls(lab.alice.uri)
    assert call.state is CallState.CONFIRMED
    lab.alice.do("hang_up", call)
    assert {ending.by for ending in lab.alice.endings} == {"us", "peer"}
