"""The callee's half of a call: RFC 3261 13.3, RFC 3262 3, TS 24.229 5.1.4."""

import pytest

from imslab.errors import CallFailed, Malformed
from imslab.ims.attacks import lose, rewrite
from imslab.ims.call import CallState, Times
from imslab.ims.incoming import IncomingCall
from imslab.ims.indications import Answered, Confirmed, Incoming, Progress
from imslab.sip import Message


@pytest.fixture
def quiet(home):
    """Alice calls; bob does nothing by himself."""
    lab = home(habit=None)
    lab.placed = lab.alice.calls(lab.bob)
    return lab


def change(lab, edit, *, method="INVITE"):
    """Let ``edit`` change what arrives at bob."""
    lab.network.intercept = rewrite(edit, to=lab.bob.address, where=lambda m: m.method == method)


def reply(lab):
    """What bob answered to the INVITE that arrived last."""
    return [m for m in lab.bob.sent() if m.cseq.method == "INVITE" and m.status > 100][-1]


def test_ring_answer_acknowledge(quiet):
    call = quiet.bob.call
    assert isinstance(call, IncomingCall) and call.state is CallState.CALLING and not call.is_outgoing
    quiet.network.advance(1)
    quiet.bob.do("ring", call)
    assert call.state is CallState.RINGING
    quiet.network.advance(2)
    quiet.bob.do("answer", call, quiet.bob.sdp())
    assert call.state is CallState.CONFIRMED
    assert call.moments == {"invited": 0, "ringing": 1, "answered": 3, "acknowledged": 3}
    answer = reply(quiet)
    assert answer.problems() == () and str(answer.contacts[0].uri) == quiet.bob.ue.requests.contact
    assert len(answer.record_routes) == 3 and answer.to.tag == call.leg.dialog.local.tag
    assert {"100rel", "timer", "precondition"} == set(answer.supported) and "UPDATE" in answer.allow


def test_trying_is_said_after_200_ms(quiet):
    quiet.network.advance(0.3)
    assert [m.status for m in quiet.bob.sent() if not m.is_request] == [100]


@pytest.mark.parametrize("status", [200, 299, 700, 100])
def test_what_refuses_nothing(quiet, status):
    with pytest.raises(Malformed, match="refuses nothing"):
        quiet.bob.do("refuse", quiet.bob.call, status)
    assert quiet.bob.call.is_waiting


def test_a_refusal_can_say_why(quiet):
    quiet.bob.call.refuse(480, quiet.network.now, 'in a "meeting"')
    quiet.network.run()
    assert quiet.placed.ending.reason == "480 Temporarily Unavailable: in a 'meeting'"


def test_hang_up_before_the_answer_declines(quiet):
    quiet.bob.do("hang_up", quiet.bob.call)
    assert quiet.placed.ending.status == 603


@pytest.mark.parametrize("act", ["ring", "answer", "refuse"])
def test_too_late(quiet, act):
    call = quiet.bob.call
    quiet.network.advance(1)
    quiet.alice.do("cancel", quiet.placed)
    arguments = {"ring": (), "answer": (quiet.bob.sdp(),), "refuse": (486,)}[act]
    with pytest.raises(CallFailed, match="the call is ended"):
        quiet.bob.do(act, call, *arguments)


def test_only_a_call_that_came_in_rings(quiet):
    with pytest.raises(CallFailed, match="only a call that came in"):
        quiet.alice.do("ring", quiet.placed)


def test_an_answer_that_does_not_fit_is_not_sent(quiet):
    wrong = quiet.bob.sdp(kinds=("audio", "video"))
    with pytest.raises(Malformed, match="2 m= lines"):
        quiet.bob.do("answer", quiet.bob.call, wrong)
    assert quiet.bob.call.is_waiting
    quiet.bob.do("answer", quiet.bob.call, quiet.bob.sdp())
    assert quiet.placed.state is CallState.CONFIRMED


@pytest.mark.parametrize(
    ("edit", "status", "name", "value"),
    [
        (lambda m: m.with_body(b"v=1\r\n"), 488, "Warning", None),
        (lambda m: m.with_header("Content-Type", "text/plain"), 415, "Accept", "application/sdp"),
        (lambda m: m.without("Content-Type"), 415, "Accept", "application/sdp"),
        (lambda m: m.with_header("Require", "100rel, teleport"), 420, "Unsupported", "teleport"),
        (lambda m: m.with_header("Session-Expires", "30"), 422, "Min-SE", "90"),
        (lambda m: m.with_header("RSeq", "x").with_header("From", "<>>"), 400, None, None),
        (lambda m: m.without("Call-ID"), 400, None, None),
        (lambda m: m.without("Contact"), 400, "Warning", None),
    ],
    ids=["no sdp", "text", "no type", "require", "session", "from", "call-id", "contact"],
)
def test_an_invite_that_cannot_be_taken(home, edit, status, name, value):
    lab = home()
    change(lab, edit)
    lab.alice.calls(lab.bob)
    answer = next(m for m in lab.bob.sent() if not m.is_request and m.status > 100)
    assert answer.status == status
    assert name is None or answer.get(name) == value or (value is None and name in answer)
    assert lab.bob.heard(Incoming) == []


def test_the_same_invite_on_another_way(quiet):
    """RFC 3261, 8.2.2.2."""
    invite = quiet.bob.got()[0]
    copy = invite.replace_first(
        "Via", invite.vias[0].__class__.parse("SIP/2.0/UDP p:5060;branch=z9hG4bKother")
    )
    quiet.network.inject(bytes(copy), quiet.pcscf.address, quiet.bob.address)
    assert [m.status for m in quiet.bob.sent() if m.status > 100] == [482]
    assert len(quiet.bob.heard(Incoming)) == 1


def test_a_caller_without_an_offer(home):
    """RFC 3261, 13.2.1: the offer is in the 200, the answer in the ACK."""
    lab = home(habit=None)
    change(lab, lambda m: m.without("Content-Type").with_body(b""))
    lab.alice.calls(lab.bob)
    lab.network.intercept = rewrite(
        lambda m: m.with_body(lab.alice.sdp(), "application/sdp"),
        to=lab.bob.address,
        where=lambda m: m.method == "ACK",
    )
    assert lab.bob.heard(Incoming)[0].offer == b""
    lab.bob.do("answer", lab.bob.call, lab.bob.sdp())
    assert lab.bob.heard(Confirmed)[0].sdp == lab.alice.sdp() == lab.bob.call.remote
    assert lab.bob.call.local == lab.bob.sdp()


def test_an_ack_without_the_answer_ends_the_call(home):
    lab = home(habit=None)
    change(lab, lambda m: m.without("Content-Type").with_body(b""))
    lab.alice.calls(lab.bob)
    lab.network.intercept = None
    lab.bob.do("answer", lab.bob.call, lab.bob.sdp())
    assert "bad answer" in lab.bob.endings[0].reason


# -- reliable responses ---------------------------------------------------------------------------


def test_ringing_is_repeated_until_its_prack(quiet):
    quiet.network.advance(1)  # a 100 has gone out: the INVITE is not repeated any more
    quiet.network.intercept = lose(3, status=180, to=quiet.pcscf.address)
    quiet.bob.do("ring", quiet.bob.call)
    assert quiet.alice.heard(Progress) == []
    quiet.network.advance(3.4)  # 0.5, 1, 2 s: the fourth one goes out at 3.5 s
    assert quiet.alice.heard(Progress) == []
    quiet.network.advance(0.2)
    assert [one.status for one in quiet.alice.heard(Progress)] == [180]
    count = len(quiet.network.passed)
    quiet.network.advance(20)
    assert len(quiet.network.passed) == count


def test_a_caller_who_acknowledges_nothing_is_refused(quiet):
    quiet.network.intercept = lose(999, where=lambda m: m.is_request and m.method == "PRACK")
    quiet.bob.do("ring", quiet.bob.call)
    quiet.network.advance(31.9)
    assert quiet.bob.call.is_waiting
    quiet.network.advance(0.2)
    assert quiet.bob.endings[0].status == 504 and quiet.placed.ending.status == 504


def test_one_reliable_response_at_a_time(quiet):
    """RFC 3262, 3: the second one waits for the first one's PRACK."""
    quiet.network.intercept = lose(1, where=lambda m: m.is_request and m.method == "PRACK")
    quiet.bob.do("ring", quiet.bob.call, status=181)
    quiet.bob.do("ring", quiet.bob.call)
    assert [one.status for one in quiet.alice.heard(Progress)] == [181]
    quiet.network.advance(1)
    assert [one.status for one in quiet.alice.heard(Progress)] == [181, 180]
    numbers = [m.rseq for m in quiet.bob.sent() if m.status in (180, 181)]
    assert numbers[-1] == numbers[0] + 1


def test_the_answer_waits_for_the_prack_of_an_early_one(quiet):
    quiet.network.intercept = lose(1, where=lambda m: m.is_request and m.method == "PRACK")
    quiet.bob.do("ring", quiet.bob.call, sdp=quiet.bob.sdp(), status=183)
    quiet.bob.do("answer", quiet.bob.call, b"")
    assert quiet.alice.heard(Answered) == []
    quiet.network.advance(1)
    assert quiet.alice.heard(Answered)[0].sdp == quiet.bob.sdp()


def test_the_answer_does_not_wait_for_a_prack_without_sdp(quiet):
    quiet.network.intercept = lose(999, where=lambda m: m.is_request and m.method == "PRACK")
    quiet.bob.do("ring", quiet.bob.call)
    quiet.bob.do("answer", quiet.bob.call, quiet.bob.sdp())
    assert quiet.placed.state is CallState.CONFIRMED
    quiet.network.advance(33)
    assert quiet.placed.state is CallState.CONFIRMED


@pytest.mark.parametrize("rack", ["1 1 INVITE", "x", None])
def test_a_prack_for_nothing(quiet, rack):
    edit = (lambda m: m.without("RAck")) if rack is None else (lambda m: m.with_header("RAck", rack))
    change(quiet, edit, method="PRACK")
    quiet.bob.do("ring", quiet.bob.call)
    statuses = [m.status for m in quiet.bob.sent() if not m.is_request and m.cseq.method == "PRACK"]
    assert statuses == [400 if rack == "x" else 481]


@pytest.mark.parametrize("act", ["cancel", "hang_up", "bye"])
def test_an_answer_that_waits_for_a_prack_can_still_be_taken_back(quiet, act):
    """No final response has been sent: CANCEL, a decline and an early BYE end the INVITE."""
    quiet.network.advance(1)
    quiet.network.intercept = lose(999, where=lambda m: m.is_request and m.method == "PRACK")
    quiet.bob.do("ring", quiet.bob.call, sdp=quiet.bob.sdp(), status=183)
    quiet.bob.do("answer", quiet.bob.call, b"")
    assert quiet.bob.call.state is CallState.ANSWERED
    if act == "cancel":
        quiet.alice.do("cancel", quiet.placed)
    elif act == "hang_up":
        quiet.bob.do("hang_up", quiet.bob.call)
    else:
        quiet.placed.legs[0].bye(quiet.network.now)
        quiet.network.run()
    assert quiet.bob.endings[0].status == {"cancel": 487, "hang_up": 603, "bye": None}[act]
    assert quiet.placed.ending.status == {"cancel": 487, "hang_up": 603, "bye": 487}[act]
    assert quiet.alice.heard(Answered) == []


def test_an_offer_made_early_is_answered_in_the_prack(home):
    """RFC 3262, 5: the INVITE has none, so the offer is in the 183, and the answer in its PRACK."""
    lab = home(habit=None)
    change(lab, lambda m: m.without("Content-Type").with_body(b""))
    lab.alice.calls(lab.bob)
    for answer, status in ((b"v=1\r\n", 488), (lab.alice.sdp(), 200)):
        change(lab, lambda m, answer=answer: m.with_body(answer, "application/sdp"), method="PRACK")
        if status == 488:
            lab.bob.do("ring", lab.bob.call, sdp=lab.bob.sdp(), status=183)
        else:
            lab.bob.do("ring", lab.bob.call)
        assert [m.status for m in lab.bob.sent() if m.cseq.method == "PRACK"][-1] == status
    assert lab.bob.call.remote == lab.alice.sdp() and lab.bob.call.local == lab.bob.sdp()


def test_a_prack_with_an_offer_is_refused_and_counts(quiet):
    change(quiet, lambda m: m.with_body(quiet.alice.sdp(), "application/sdp"), method="PRACK")
    quiet.bob.do("ring", quiet.bob.call)
    assert [m.status for m in quiet.bob.sent() if m.cseq.method == "PRACK"] == [488]
    count = len(quiet.network.passed)
    quiet.network.advance(20)
    assert len(quiet.network.passed) == count


def test_an_early_answer_needs_a_caller_who_knows_100rel(home):
    lab = home(habit=None)
    change(lab, lambda m: m.without("Supported"))
    lab.alice.calls(lab.bob)
    with pytest.raises(CallFailed, match="takes no early answer"):
        lab.bob.do("ring", lab.bob.call, sdp=lab.bob.sdp())
    lab.bob.do("ring", lab.bob.call)
    assert reply(lab).require == ()


def test_an_early_answer_is_not_given_twice(quiet):
    quiet.bob.do("ring", quiet.bob.call, sdp=quiet.bob.sdp(), status=183)
    with pytest.raises(CallFailed, match="given early"):
        quiet.bob.do("answer", quiet.bob.call, quiet.bob.sdp())


# -- the answer and its ACK -----------------------------------------------------------------------


@pytest.mark.parametrize("transports", [("UDP", "UDP"), ("TCP", "TCP")], ids="-".join)
def test_an_answer_is_repeated_until_its_ack(home, transports):
    lab = home(transports)
    acks = []
    lab.network.intercept = lambda send: (
        [] if send.octets.startswith(b"ACK") and (acks.append(send) or len(acks) < 3) else [send]
    )
    lab.alice.calls(lab.bob)
    assert lab.bob.call.state is CallState.ANSWERED
    lab.network.advance(1.6)  # again after 0.5 and 1 s
    assert lab.bob.call.state is CallState.CONFIRMED
    assert lab.alice.statuses().count(200) == 3
    assert len(lab.alice.heard(Answered)) == 1
    lab.network.advance(20)
    assert lab.alice.statuses().count(200) == 3


def test_without_any_ack_the_call_ends(home, left_over):
    """RFC 3261, 13.3.1.4."""
    lab = home()
    lab.network.intercept = lambda send: [] if send.octets.startswith(b"ACK") else [send]
    call = lab.alice.calls(lab.bob)
    lab.network.advance(31.9)
    assert lab.bob.endings == []
    lab.network.advance(0.2)
    assert lab.bob.endings[0].reason == "no ACK came for the answer" and call.ending.by == "peer"
    lab.network.advance(40)
    assert left_over(lab) == (0, 0, 0)


def test_a_callee_hangs_up_only_after_the_ack(home):
    """RFC 3261, 15."""
    lab = home()
    lab.network.intercept = lose(1, where=lambda m: m.is_request and m.method == "ACK")
    call = lab.alice.calls(lab.bob)
    lab.bob.do("hang_up", lab.bob.call)
    assert "BYE" not in lab.alice.methods()
    lab.network.advance(1)
    assert lab.alice.methods() == ["BYE"] and call.ending.by == "peer"


def test_nobody_is_at_home(home):
    lab = home(habit=None, times=Times(no_answer=30))
    call = lab.alice.calls(lab.bob)
    lab.alice.ue.timers._heap.clear()  # only bob's patience is looked at
    lab.network.advance(31)
    assert lab.bob.endings[0].status == 480 and call.ending.status == 480


def test_the_caller_leaves_by_bye_before_the_answer(quiet):
    """RFC 3261, 15: a caller may, within an early dialog."""
    quiet.bob.do("ring", quiet.bob.call)
    quiet.placed.legs[0].bye(quiet.network.now, "enough")
    quiet.network.run()
    assert quiet.bob.endings[0].reason == "enough"
    assert reply(quiet).status == 487


def test_a_call_that_the_owner_abandons_is_refused(quiet):
    quiet.bob.ue.abandon("the battery is empty", quiet.network.now)
    quiet.network.run()
    assert quiet.bob.endings[0].reason == "the battery is empty"
    assert quiet.placed.ending.status == 480


def test_the_hundred_and_twenty_ninth_call_finds_the_callee_busy(home, monkeypatch):
    from imslab.ims import ue

    monkeypatch.setattr(ue, "MOST_CALLS", 2)
    lab = home(habit=None)
    calls = [lab.alice.calls(lab.bob) for _ in range(3)]
    assert [call.ending.status if call.ending else None for call in calls] == [None, None, 486]


def test_other_requests_outside_of_a_dialog(home):
    lab = home()
    for method, status in (("OPTIONS", 200), ("INFO", 405), ("BYE", 405)):
        request = Message.request(
            method,
            lab.bob.ue.requests.contact,
            [
                ("Via", f"SIP/2.0/UDP 127.0.0.21:5060;branch=z9hG4bK{method}"),
                ("From", "<sip:a@x>;tag=1"),
                ("To", "<sip:b@x>"),
                ("Call-ID", method),
                ("CSeq", f"1 {method}"),
            ],
        )
        lab.network.inject(bytes(request), lab.pcscf.address, lab.bob.address)
        assert lab.bob.sent()[-1].status == status and "INVITE" in lab.bob.sent()[-1].allow


def test_events_that_nobody_subscribed_to(home):
    lab = home()
    notify = Message.request(
        "NOTIFY",
        lab.bob.ue.requests.contact,
        [
            ("Via", "SIP/2.0/UDP 127.0.0.21:5060;branch=z9hG4bKn"),
            ("From", "<sip:a@x>;tag=1"),
            ("To", "<sip:b@x>;tag=2"),
            ("Call-ID", "n"),
            ("CSeq", "1 NOTIFY"),
            ("Event", "presence"),
        ],
    )
    lab.network.inject(bytes(notify), lab.pcscf.address, lab.bob.address)
    assert lab.bob.sent()[-1].status == 489 and lab.bob.sent()[-1].get("Allow-Events") == "reg"


@pytest.mark.parametrize("line", [b"SIP/2.0 200 OK", b"ACK sip:b@x SIP/2.0"])
def test_what_gets_no_answer_however_broken(home, line):
    lab = home()
    octets = line + b"\r\nVia: SIP/2.0/UDP x;branch=z9hG4bK1\r\nTo: <<<\r\nCSeq: x\r\n\r\n"
    assert len(lab.network.inject(octets, lab.pcscf.address, lab.bob.address)) == 1
    assert any("malformed" in event.what for event in lab.network.log)


def test_requests_of_dialogs_that_nobody_knows(home):
    lab = home()
    call = lab.alice.calls(lab.bob)
    bye = rewrite(lambda m: m.with_header("Call-ID", "other"), to=lab.bob.address)
    lab.network.intercept = bye
    lab.alice.do("hang_up", call)
    assert [m.status for m in lab.bob.sent() if m.cseq.method == "BYE"] == [481]
    assert call.ending.by == "us"
