"""The proxy core: forks, best responses, CANCEL, timer C, 2xx that come again (RFC 3261 16, RFC 6026)."""

import pytest

from imslab.errors import CallFailed
from imslab.ims import Address
from imslab.ims.attacks import lose, rewrite
from imslab.ims.call import CallState
from imslab.ims.indications import Answered, Ended, Incoming, Progress, Text
from imslab.ims.proxy import TIMER_C, best, hop
from imslab.sip import Message, Uri

INVITE = Message.parse(
    b"INVITE sip:b@x SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=1\r\n"
    b"To: <sip:b@x>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\r\n"
)


@pytest.fixture
def fork(home):
    """Alice calls bob, who has three terminals; none does anything by itself."""
    lab = home(extra=("bob", "bob"), habit=None)
    lab.bobs = [lab.bob, *lab.others]
    lab.placed = lab.alice.calls(lab.bob)
    assert all(len(bob.heard(Incoming)) == 1 for bob in lab.bobs)
    return lab


def test_all_contacts_ring(fork):
    for bob in fork.bobs:
        bob.do("ring", bob.call)
    assert len(fork.alice.heard(Progress)) == 3
    assert len({leg.dialog.id for leg in fork.placed.legs}) == 3  # three early dialogs
    assert [bob.methods() for bob in fork.bobs] == [["INVITE", "PRACK"]] * 3


def test_who_answers_first_has_the_call_and_the_others_are_cancelled(fork, left_over):
    for bob in fork.bobs:
        bob.do("ring", bob.call)
    fork.bobs[1].do("answer", fork.bobs[1].call, fork.bob.sdp())
    assert fork.placed.state is CallState.CONFIRMED
    assert [bob.methods()[-1] for bob in fork.bobs] == ["ACK", "ACK", "ACK"]
    assert [bob.endings[0].status if bob.endings else None for bob in fork.bobs] == [487, None, 487]
    fork.alice.do("hang_up", fork.placed)
    assert fork.bobs[1].endings and fork.placed.ending.by == "us"
    fork.network.advance(40)
    assert left_over(fork) == (0, 0, 0)


def test_two_answers_at_once(fork, left_over):
    """RFC 3261, 13.2.2.4: the second one is acknowledged and hung up; the first one is the call."""
    now = fork.network.now
    for bob in fork.bobs[:2]:
        bob.ue.answer(bob.call, bob.sdp(), now)
    fork.network.run()
    assert len(fork.alice.heard(Answered)) == 1 and fork.placed.state is CallState.CONFIRMED
    talking = [bob for bob in fork.bobs[:2] if bob.call.state is CallState.CONFIRMED]
    (late,) = [bob for bob in fork.bobs[:2] if bob not in talking]
    assert len(talking) == 1
    assert late.methods()[-2:] == ["ACK", "BYE"] and late.endings[0].reason == "answered elsewhere"
    assert fork.alice.heard(Ended) == []
    fork.alice.do("hang_up", fork.placed)
    fork.network.advance(40)
    assert talking[0].endings[0].by == "peer" and left_over(fork) == (0, 0, 0)


def test_a_late_2xx_of_another_fork_when_its_cancel_is_lost(fork):
    fork.network.advance(1)
    fork.network.intercept = lose(99, to=fork.bobs[2].address, where=lambda m: m.method == "CANCEL")
    fork.bob.do("answer", fork.bob.call, fork.bob.sdp())
    fork.bobs[2].do("answer", fork.bobs[2].call, fork.bob.sdp())
    assert fork.bobs[2].endings[0].reason == "answered elsewhere"
    assert fork.placed.state is fork.bob.call.state is CallState.CONFIRMED


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ((486, 480, 480), 486),
        ((486, 603, None), 603),
        ((404, 302, 486), 302),
        ((486, 500, 503), 486),
        ((503, 503, 503), 500),
        ((408, 486, 408), 486),
        ((480, 415, 404), 415),
        ((486, 420, 404), 420),
        ((404, 486, 484), 484),
        ((480, 600, None), 600),
        ((487, 480, 487), 480),
    ],
)
def test_the_best_of_several_refusals(fork, statuses, expected):
    """RFC 3261, 16.7, step 6: 6xx; else the lowest class; a 503 never leaves; 603 ends all."""
    fork.network.advance(1)  # every branch has said something: it can be cancelled
    for bob, status in zip(fork.bobs, statuses, strict=True):
        if status is not None:
            assert fork.placed.ending is None
            bob.do("refuse", bob.call, status)
    assert fork.placed.ending.status == expected
    assert len(fork.alice.heard(Ended)) == 1
    assert fork.alice.statuses()[-1] == expected


def test_a_decline_everywhere_cancels_the_others(fork):
    for bob in fork.bobs[:2]:
        bob.do("ring", bob.call)
    fork.network.advance(1)
    fork.bob.do("refuse", fork.bob.call, 603)
    assert [bob.endings[0].status for bob in fork.bobs] == [603, 487, 487]
    assert fork.placed.ending.status == 603


def test_cancel_reaches_every_branch(fork, left_over):
    fork.network.advance(1)
    fork.alice.do("cancel", fork.placed)
    assert [bob.endings[0].status for bob in fork.bobs] == [487] * 3
    assert fork.placed.ending.status == 487
    fork.network.advance(40)
    assert left_over(fork) == (0, 0, 0)


def test_a_branch_whose_connection_is_gone_does_not_hold_the_others(home):
    lab = home(("UDP", "UDP", "TCP"), extra=("bob",), habit=None)
    call = lab.alice.calls(lab.bob)
    lab.pcscf.closed(lab.others[0].address, lab.network.now)
    lab.network.run()
    lab.bob.do("refuse", lab.bob.call, 486)
    assert call.ending.status == 486


def test_a_callee_whose_only_connection_is_gone(home):
    """RFC 5626, 5.3: 430 between the proxies, 480 for the caller; at once, not after 32 s."""
    lab = home(("UDP", "TCP"), habit=None)
    call = lab.alice.calls(lab.bob)
    lab.pcscf.closed(lab.bob.address, lab.network.now)
    lab.network.run()
    assert call.ending.status == 480


def test_timer_c(home, left_over):
    """RFC 3261, 16.8: a callee that rings for ever is cancelled by the proxy that it rings at."""
    from imslab.ims.call import Times

    lab = home(habit=None, times=Times(no_answer=10_000))
    call = lab.alice.calls(lab.bob)
    lab.network.advance(100)
    lab.bob.do("ring", lab.bob.call)  # begins timer C anew (16.7, step 2)
    lab.network.advance(TIMER_C - 1)
    assert call.ending is None
    lab.network.advance(2)
    assert lab.bob.endings[0].status == 487 and call.ending.status == 487
    lab.network.advance(40)
    assert left_over(lab) == (0, 0, 0)


def test_a_callee_that_does_not_heed_the_cancel_of_timer_c(home, left_over):
    from imslab.ims.call import Times

    lab = home(habit=None, times=Times(no_answer=10_000))
    call = lab.alice.calls(lab.bob)
    lab.network.advance(1)
    lab.network.intercept = lose(999, to=lab.pcscf.address, where=lambda m: m.status in (200, 487))
    lab.network.advance(TIMER_C + 33)
    assert call.ending.status == 408


def test_a_next_hop_that_is_silent_gives_408(home, left_over):
    lab = home()
    lab.network.intercept = lose(999, to=lab.scscf.address)
    call = lab.alice.calls(lab.bob)
    lab.network.advance(33)
    assert call.ending.status == 408 and call.ending.by == "network"
    lab.network.advance(40)
    assert left_over(lab) == (0, 0, 0)


def test_copies_of_a_request_are_absorbed(home):
    """RFC 3261, 17.2: a copy gets the last response again, and goes no further."""
    lab = home(habit=None)
    lab.alice.calls(lab.bob)
    invite = lab.alice.sent()[0]
    passed = lab.network.inject(bytes(invite), lab.alice.address, lab.pcscf.address)
    assert [Message.parse(s.octets).status for s in passed[1:]] == [100]
    lab.network.intercept = lose(
        1, where=lambda m: m.method == "ACK" and m.via.host == lab.alice.address.host
    )
    lab.bob.do("refuse", lab.bob.call, 486)
    passed = lab.network.inject(bytes(invite), lab.alice.address, lab.pcscf.address)
    statuses = [Message.parse(s.octets).status for s in passed if s.destination == lab.alice.address]
    assert statuses == [486]
    assert len(lab.bob.heard(Incoming)) == 1


def test_copies_of_a_2xx_are_forwarded(home):
    """RFC 6026, 7 and 8.7: the callee repeats it until the ACK is there."""
    lab = home(habit=None)
    lab.alice.calls(lab.bob)
    lab.network.intercept = lose(3, to=lab.bob.address, where=lambda m: m.method == "ACK")
    lab.bob.do("answer", lab.bob.call, lab.bob.sdp())
    lab.network.advance(5)
    assert lab.alice.statuses().count(200) == 4
    assert lab.bob.call.state is CallState.CONFIRMED


def test_the_ack_of_a_failure_stays_on_its_hop(home):
    lab = home(
        habit=lambda person, one, now: (
            person.ue.refuse(one.call, 486, now) if isinstance(one, Incoming) else None
        )
    )
    lab.alice.calls(lab.bob)
    acks = [s for s in lab.network.passed if s.octets.startswith(b"ACK")]
    assert len(acks) == 4
    branches = {Message.parse(s.octets).via.branch for s in acks}
    invites = {
        Message.parse(s.octets).via.branch for s in lab.network.passed if s.octets.startswith(b"INVITE")
    }
    assert branches == invites


def test_the_ack_of_a_2xx_has_branches_of_its_own(home):
    lab = home()
    lab.alice.calls(lab.bob)
    requests = [Message.parse(s.octets) for s in lab.network.passed]
    branches = [m.via.branch for m in requests if m.is_request and m.method in ("INVITE", "ACK")]
    assert len(set(branches)) == 8


@pytest.mark.parametrize(("hops", "status"), [(0, 483), (1, 483), (2, 483), (3, 200)])
def test_max_forwards(home, hops, status):
    lab = home()
    lab.network.intercept = rewrite(
        lambda m: m.with_header("Max-Forwards", hops),
        to=lab.pcscf.address,
        where=lambda m: m.method == "INVITE" and m.is_request and len(m.vias) == 1,
    )
    lab.alice.calls(lab.bob)
    assert lab.alice.statuses()[-1] == status


def test_a_cancel_for_nothing(home):
    lab = home()
    lab.alice.calls(lab.bob)
    invite = lab.alice.sent()[0]
    cancel = invite.with_header("CSeq", "1 CANCEL").replace_first(
        "Via", invite.get("Via").replace("z9", "z9hG4bKx")
    )
    cancel = Message.parse(bytes(cancel).replace(b"INVITE ", b"CANCEL ", 1))
    passed = lab.network.inject(bytes(cancel), lab.alice.address, lab.pcscf.address)
    assert [Message.parse(s.octets).status for s in passed if s.destination == lab.alice.address] == [481]


def test_nobody_cancels_what_somebody_else_has_asked(home):
    """A CANCEL with the right branch from another registered address finds nothing."""
    lab = home(extra=("carol",), habit=None)
    call = lab.alice.calls(lab.bob)
    lab.network.advance(1)
    from imslab.sip.transaction import cancel_for

    carol = lab.others[0]
    cancel = cancel_for(lab.alice.sent()[0])
    passed = lab.network.inject(bytes(cancel), carol.address, lab.pcscf.address)
    assert [Message.parse(s.octets).status for s in passed if s.destination == carol.address] == [481]
    assert call.ending is None and lab.bob.endings == []


def test_a_response_of_somebody_who_was_not_asked(home):
    lab = home(extra=("carol",), habit=None)
    call = lab.alice.calls(lab.bob)
    forged = Message.reply(lab.bob.got()[0], 603, to_tag="x")
    lab.network.inject(bytes(forged), lab.others[0].address, lab.pcscf.address)
    assert call.ending is None
    assert any(e.what == "response to nothing that was asked" for e in lab.network.log)


def test_a_message_is_delivered_to_every_terminal_and_answered_once(home):
    lab = home(extra=("bob",))
    lab.alice.do("message", lab.bob.uri, "hello")
    assert [len(bob.heard(Text)) for bob in (lab.bob, *lab.others)] == [1, 1]
    assert lab.alice.statuses("MESSAGE") == [200]


def test_the_challenges_of_all_branches_are_collected():
    """RFC 3261, 16.7, step 7."""
    one = Message.reply(INVITE, 407, headers=[("Proxy-Authenticate", 'Digest realm="a", nonce="1"')])
    two = Message.reply(INVITE, 401, headers=[("WWW-Authenticate", 'Digest realm="b", nonce="2"')])
    three = Message.reply(INVITE, 486)
    chosen = best([three, one, two])
    assert chosen.status in (401, 407)
    assert [c.realm for c in (*chosen.proxy_authenticate, *chosen.www_authenticate)] == ["a", "b"]


@pytest.mark.parametrize("first", range(2))
def test_the_first_of_equals_is_chosen(first):
    replies = [Message.reply(INVITE, status) for status in (486, 480)]
    assert best(replies[first:] + replies[:first]).status == (486, 480)[first]


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("sip:127.0.0.21", ("127.0.0.21", 5060, "UDP")),
        ("sip:x@127.0.0.21:5062;lr", ("127.0.0.21", 5062, "UDP")),
        ("sip:127.0.0.21;transport=tcp", ("127.0.0.21", 5060, "TCP")),
        ("sip:[::1]:5070;transport=WS", ("::1", 5070, "WS")),
    ],
)
def test_where_a_route_leads(uri, address):
    assert hop(Uri.parse(uri)) == Address(*address)


def test_a_2xx_is_the_last_word(home):
    """What another branch answers after that goes nowhere (RFC 3261, 16.7 step 5)."""
    lab = home(extra=("bob",), habit=None)
    call = lab.alice.calls(lab.bob)
    lab.network.advance(1)
    lab.network.intercept = lose(99, to=lab.others[0].address, where=lambda m: m.method == "CANCEL")
    lab.bob.do("answer", lab.bob.call, lab.bob.sdp())
    lab.others[0].do("ring", lab.others[0].call)
    lab.others[0].do("refuse", lab.others[0].call, 603)
    assert lab.alice.statuses() == [100, 200] and call.state is CallState.CONFIRMED


def test_one_cancel_for_each_branch(home):
    lab = home(habit=None)
    call = lab.alice.ue.invite(lab.bob.uri, lab.alice.sdp(), lab.network.now)
    lab.alice.ue.cancel(call, lab.network.now)
    lab.network.intercept = lose(1, to=lab.bob.address, where=lambda m: m.method == "CANCEL")
    lab.network.run()  # the CANCEL waits at the proxy for a provisional response of bob
    assert lab.bob.methods() == ["INVITE"]
    for status in (180, 181):
        lab.bob.do("ring", lab.bob.call, status=status)
    cancels = [s for s in lab.network.history if s.send.octets.startswith(b"CANCEL") and s.lost]
    assert len(cancels) == 1 and lab.bob.methods().count("CANCEL") == 0
    lab.network.advance(1)
    assert call.ending.status == 487


def test_a_request_that_cannot_be_routed_is_400(home):
    lab = home()
    lab.network.intercept = rewrite(
        lambda m: m.with_header("P-Preferred-Identity", "<<<"),
        to=lab.pcscf.address,
        where=lambda m: len(m.vias) == 1,
    )
    call = lab.alice.calls(lab.bob)
    assert call.ending.status == 400
    assert any(event.what == "malformed request" for event in lab.network.log)


def test_a_node_of_many_transactions_refuses_more(home):
    lab = home()
    lab.pcscf._transactions._most = 0
    call = lab.alice.calls(lab.bob)
    assert call.ending.status == 503
    assert lab.alice.got()[-1].get("Retry-After") == "5"
    with pytest.raises(CallFailed):
        lab.alice.do("hold", call, lab.alice.sdp())
