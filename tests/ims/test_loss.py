"""Every single message of a call is lost, doubled or late once: the call still succeeds, or ends clearly."""

import pytest

from imslab.ims.call import CallState
from imslab.ims.indications import Answered, Confirmed, Delivered, Text

MOST = 35  # messages of a call with ringing and hang-up; the last test counts them


class Nth:
    """Treats the n-th message as ``fate`` says, and lets the others pass."""

    def __init__(self, n, fate):
        self.n, self.fate, self.count, self.victim = n, fate, 0, None

    def __call__(self, send):
        self.count += 1
        if self.count != self.n:
            return [send]
        self.victim = send
        return self.fate(send)


FATES = {"lost": lambda send: [], "doubled": lambda send: [send, send]}


def run(lab, intercept):
    lab.network.intercept = intercept
    call = lab.alice.calls(lab.bob)
    lab.network.advance(5)
    state = call.state
    lab.alice.do("hang_up", call)
    lab.network.advance(70)
    return call, state


@pytest.mark.parametrize("fate", FATES)
@pytest.mark.parametrize("n", range(1, MOST + 1))
def test_the_nth_message(home, left_over, n, fate):
    lab = home()
    nth = Nth(n, FATES[fate])
    call, state = run(lab, nth)
    assert nth.victim is not None
    assert state is CallState.CONFIRMED
    assert len(lab.alice.heard(Answered)) == len(lab.bob.heard(Confirmed)) == 1
    assert call.ending.by == "us" and lab.bob.endings[0].by == "peer"
    assert left_over(lab) == (0, 0, 0)


@pytest.mark.parametrize("n", range(1, 19))
def test_the_nth_message_over_tcp_and_websocket(home, left_over, n):
    """There the access loses nothing; the hop between the proxies may."""
    lab = home(("TCP", "WS"))
    proxies = {lab.pcscf.address, lab.scscf.address}
    nth = Nth(n, FATES["lost"])
    call, state = run(lab, lambda send: nth(send) if {send.source, send.destination} <= proxies else [send])
    assert nth.victim is not None and state is CallState.CONFIRMED and call.ending.by == "us"
    assert left_over(lab) == (0, 0, 0)


@pytest.mark.parametrize("n", range(1, 20))
def test_every_message_from_the_nth_on(home, left_over, n):
    """The network falls silent: both ends see the end, alice within her patience."""
    lab = home()
    nth = Nth(n, lambda send: [])
    lab.network.intercept = lambda send: [] if nth.count >= n - 1 else nth(send)
    call = lab.alice.calls(lab.bob)
    lab.network.advance(400)
    assert call.ending is not None
    assert lab.bob.ue.calls == []
    assert left_over(lab) == (0, 0, 0)


@pytest.mark.parametrize("n", range(1, 9))
def test_the_nth_message_of_a_text(home, left_over, n):
    lab = home()
    lab.network.intercept = nth = Nth(n, FATES["lost"])
    lab.alice.do("message", lab.bob.uri, "hello")
    lab.network.advance(40)
    assert nth.victim is not None
    assert [one.status for one in lab.alice.heard(Delivered)] == [200]
    assert [one.text for one in lab.bob.heard(Text)] == ["hello"]
    assert left_over(lab) == (0, 0, 0)


def test_as_many_messages_as_were_tried(home):
    lab = home()
    nth = Nth(0, None)
    run(lab, nth)
    assert nth.count == MOST
