"""The picture of a transaction's timers."""

import pytest

from imslab.charts.intervals import intervals, waits
from imslab.errors import Malformed

TIMER_E = [0.0, 0.5, 1.5, 3.5, 7.5, 11.5]


def test_waits():
    assert waits(TIMER_E) == [0.5, 1.0, 2.0, 4.0, 4.0]
    assert waits(TIMER_E, 12.0)[-1] == 0.5
    assert waits([1.0]) == []


def test_shows_each_wait_and_the_end():
    svg = intervals({"REGISTER": TIMER_E}, ends={"REGISTER": 12.0}, levels={"T2": 4.0}, title="Timer E").svg()
    for text in ("REGISTER: 6 sent, given up at 12 s", "T2 = 4 s", "Timer E", "s until the next"):
        assert text in svg


def test_one_instant_is_enough():
    assert "once: 1 sent" in intervals({"once": [0.0]}).svg()


@pytest.mark.parametrize("rows", [{}, {"a": []}, {"a": [1.0, 0.5]}, {"a": [0.0] * 201}])
def test_what_cannot_be_drawn(rows):
    with pytest.raises(Malformed):
        intervals(rows)
