"""A peer or a core that is gone is noticed: RFC 4028."""

import pytest

from imslab.ims.attacks import rewrite
from imslab.ims.call import CallState, Times
from imslab.ims.session_timer import LEAST


def invite(edit):
    return rewrite(edit, where=lambda m: m.is_request and m.method == "INVITE" and m.to.tag is None)


def test_the_least_interval_is_the_standard_s():
    assert LEAST == Times().session == Times().least == 90


def test_the_caller_refreshes_at_half_of_the_interval(home):
    lab = home()
    call = lab.alice.calls(lab.bob)
    answer = next(m for m in lab.alice.got() if m.status == 200 and m.cseq.method == "INVITE")
    assert answer.get("Session-Expires") == "90;refresher=uac" and "timer" in answer.require
    lab.network.advance(44.9)
    assert "UPDATE" not in lab.bob.methods()
    lab.network.advance(0.2)
    assert lab.bob.methods()[-1] == "UPDATE"
    lab.network.advance(1000)
    assert call.state is lab.bob.call.state is CallState.CONFIRMED
    assert lab.bob.methods().count("UPDATE") == 23


@pytest.mark.parametrize("transports", [("UDP", "UDP"), ("TCP", "WS")], ids="-".join)
def test_a_core_that_dies_in_mid_call_is_noticed_by_both_ends(home, left_over, transports):
    lab = home(transports)
    call = lab.alice.calls(lab.bob)
    lab.network.advance(46)  # just refreshed
    lab.network.intercept = lambda send: []
    lab.network.advance(90.1)
    assert call.ending is not None and lab.bob.call.ending is not None
    assert "is gone" in call.ending.reason and lab.bob.endings[0].reason.startswith("no sign of life in 90 s")
    assert lab.bob.call.moments["ended"] == pytest.approx(45 + 60)  # a third before the end
    lab.network.advance(100)
    assert left_over(lab) == (0, 0, 0)


@pytest.mark.parametrize(("interval", "after"), [(90, 60), (96, 64), (200, 168)])
def test_when_a_missing_refresh_is_the_end(home, interval, after):
    """RFC 4028, 10: the smaller of 32 s and a third of the interval before its end."""
    lab = home(times=Times(session=interval))
    lab.alice.calls(lab.bob)
    lab.network.intercept = lambda send: []
    lab.network.advance(interval)
    assert lab.bob.call.moments["ended"] == after


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_a_peer_that_dies_in_mid_call_is_noticed(home, who):
    lab = home()
    call = lab.alice.calls(lab.bob)
    dead = getattr(lab, who)
    lab.network.intercept = lambda send: [] if dead.address in (send.source, send.destination) else [send]
    lab.network.advance(90.1)
    survivor = lab.bob.call if who == "alice" else call
    assert survivor.ending is not None and survivor.ending.by in ("peer", "network")


def test_a_caller_who_knows_no_timer_is_watched_by_the_callee(home):
    lab = home()
    lab.network.intercept = invite(
        lambda m: m.without("Session-Expires", "Min-SE").with_header("Supported", "100rel")
    )
    lab.alice.calls(lab.bob)
    answer = next(m for m in lab.alice.got() if m.status == 200 and m.cseq.method == "INVITE")
    assert answer.get("Session-Expires") == "90;refresher=uas" and answer.require == ()
    lab.network.intercept = None
    lab.network.advance(46)
    assert lab.alice.methods() == ["UPDATE"]


def test_a_callee_who_knows_no_timer_is_watched_by_the_caller(home):
    lab = home()
    lab.network.intercept = rewrite(
        lambda m: m.without("Session-Expires", "Require"), status=200, to=lab.alice.address
    )
    lab.alice.calls(lab.bob)
    lab.network.advance(46)
    assert lab.bob.methods()[-1] == "UPDATE"


def test_a_callee_may_take_over_the_refreshes(home):
    lab = home()
    lab.network.intercept = invite(lambda m: m.with_header("Session-Expires", "200;refresher=uas"))
    call = lab.alice.calls(lab.bob)
    lab.network.advance(99)
    assert lab.alice.methods() == []
    lab.network.advance(2)
    assert lab.alice.methods() == ["UPDATE"]
    assert call.leg.session.interval == 200
    lab.network.advance(1000)
    assert call.state is CallState.CONFIRMED


def test_too_small_an_interval_is_told_and_asked_for_anew(home):
    """RFC 4028, 5 and 7.3: 422 with Min-SE, and the INVITE comes again."""
    lab = home(times=Times(session=20, least=20))
    lab.bob.ue.times = Times()
    call = lab.alice.calls(lab.bob)
    assert lab.alice.statuses().count(422) == 1 and call.state is CallState.CONFIRMED
    assert call.leg.session.interval == 90


@pytest.mark.parametrize("seconds", [0, 1, 89])
def test_a_peer_that_would_keep_us_busy_is_not_believed(home, seconds):
    lab = home()
    lab.network.intercept = rewrite(
        lambda m: m.with_header("Session-Expires", f"{seconds};refresher=uac"),
        to=lab.alice.address,
        where=lambda m: m.status == 200 and m.cseq.method == "INVITE",
    )
    call = lab.alice.calls(lab.bob)
    assert call.leg.session.interval == 90


def test_a_caller_that_would_keep_us_busy_is_not_believed(home):
    lab = home()
    lab.network.intercept = invite(
        lambda m: m.with_header("Session-Expires", "1;refresher=uas").with_header("Supported", "100rel")
    )
    lab.alice.calls(lab.bob)
    assert lab.bob.call.leg.session.interval == 90


def test_a_refresh_that_was_refused_is_tried_again(home):
    lab = home()
    call = lab.alice.calls(lab.bob)
    lab.network.intercept = rewrite(
        lambda m: m.with_status(500), to=lab.alice.address, where=lambda m: m.cseq.method == "UPDATE"
    )
    lab.network.advance(46)
    lab.network.intercept = None
    lab.network.advance(9)  # a tenth of the interval later
    assert lab.alice.statuses("UPDATE") == [500, 200]
    lab.network.advance(500)
    assert call.state is CallState.CONFIRMED


def test_a_refresh_waits_for_a_change_of_the_peer_and_comes_then(home):
    lab = home()
    call = lab.alice.calls(lab.bob)
    lab.network.advance(30)
    lab.bob.do("hold", lab.bob.call, lab.bob.sdp("sendonly"))  # alice's owner says nothing: refused at 50
    lab.network.advance(23)
    assert "UPDATE" not in lab.bob.methods()
    lab.network.advance(2)  # due at 45, and again a tenth of the interval later
    assert lab.bob.methods()[-1] == "UPDATE"
    lab.network.advance(300)
    assert call.state is lab.bob.call.state is CallState.CONFIRMED


def test_a_hold_is_a_refresh_as_well(home):
    lab = home()
    call = lab.alice.calls(lab.bob)
    lab.network.advance(30)
    lab.alice.do("hold", call, lab.alice.sdp("sendonly"))
    lab.network.advance(44)
    assert "UPDATE" not in lab.bob.methods()
    lab.network.advance(2)
    assert lab.bob.methods()[-1] == "UPDATE"
