"""The heap of deadlines."""

from hypothesis import given
from hypothesis import strategies as st

from imslab.ims.timers import Timers


def test_fires_in_order_and_once():
    timers, fired = Timers(), []
    for at in (3.0, 1.0, 2.0, 1.0):
        timers.start(at, lambda now, at=at: fired.append((at, now)))
    assert timers.next() == 1.0 and len(timers) == 4
    timers.fire(0.9)
    assert fired == []
    timers.fire(2.0)
    assert fired == [(1.0, 2.0), (1.0, 2.0), (2.0, 2.0)]
    timers.fire(9.0)
    assert len(fired) == 4 and timers.next() is None and len(timers) == 0


def test_equal_times_fire_in_the_order_in_which_they_were_set():
    timers, fired = Timers(), []
    for name in "abc":
        timers.start(1.0, lambda now, name=name: fired.append(name))
    timers.fire(1.0)
    assert fired == ["a", "b", "c"]


def test_cancelled():
    timers, fired = Timers(), []
    timer = timers.start(1.0, fired.append)
    assert timer.is_running
    timer.cancel()
    timer.cancel()
    assert not timer.is_running and timers.next() is None and len(timers) == 0
    timers.fire(2.0)
    assert fired == []


def test_one_that_has_fired_is_no_longer_running():
    timers = Timers()
    timer = timers.start(1.0, lambda now: None)
    timers.fire(1.0)
    assert not timer.is_running
    timer.cancel()
    assert len(timers) == 0


def test_an_action_may_set_and_cancel_others():
    timers, fired = Timers(), []
    later = timers.start(2.0, fired.append)

    def act(now):
        later.cancel()
        timers.start(now, fired.append)
        timers.start(now + 1, fired.append)

    timers.start(1.0, act)
    timers.fire(1.0)
    assert fired == [1.0] and timers.next() == 2.0


def test_the_heap_does_not_keep_what_was_cancelled():
    timers = Timers()
    kept = timers.start(1e9, lambda now: None)
    for n in range(10_000):
        timers.start(1e6 + n, lambda now: None).cancel()
    assert len(timers) == 1 and len(timers._heap) < 200 and kept.is_running


def test_the_order_survives_the_cleaning():
    timers, fired = Timers(), []
    times = [(n * 7919) % 997 for n in range(997)]
    started = [timers.start(float(at), lambda _, at=at: fired.append(at)) for at in times]
    for timer, at in zip(started, times, strict=True):
        if at % 3:
            timer.cancel()
    assert len(timers._heap) < 700
    timers.fire(1000.0)
    assert fired == list(range(0, 997, 3))


@given(st.lists(st.tuples(st.floats(0, 100), st.booleans()), max_size=200), st.floats(0, 100))
def test_all_that_is_due_and_nothing_else(plan, now):
    timers, fired = Timers(), []
    for at, cancelled in plan:
        timer = timers.start(at, lambda _, at=at: fired.append(at))
        if cancelled:
            timer.cancel()
    timers.fire(now)
    assert fired == sorted(at for at, cancelled in plan if at <= now and not cancelled)
    left = [at for at, cancelled in plan if at > now and not cancelled]
    assert timers.next() == min(left, default=None) and len(timers) == len(left)
