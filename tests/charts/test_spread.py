"""Measurements side by side."""

import pytest

from imslab.charts.spread import spread, summary
from imslab.errors import Malformed


def test_summary():
    found = summary([4.0, 1.0, 2.0, 3.0, 5.0])
    assert (found.count, found.low, found.median, found.high) == (5, 2.0, 3.0, 4.0)
    assert summary([7.0]).low == summary([7.0]).high == 7.0


def test_shows_the_median_with_its_unit():
    svg = spread({"UDP v1": [1.0, 2.0, 3.0], "TCP v1": [4.0, 5.0, 6.5]}, unit="ms", label="login").svg()
    for text in ("UDP v1", "TCP v1", "2 ms", "5 ms", "login in ms"):
        assert text in svg


def test_a_slow_one_does_not_press_the_others_flat():
    values = [1.0, 1.1, 1.2, 1.3] * 5
    assert "+1 up to 90" in spread({"UDP": [*values, 90.0]}).svg()
    assert "up to" not in spread({"UDP": values}).svg()


def test_the_first_word_is_the_colour():
    svg = spread({"UDP a": [1.0, 2.0], "UDP b": [1.0, 2.0], "TCP a": [1.0, 2.0]}).svg().lower()
    assert "#0072b2" in svg and "#d55e00" in svg and "#009e73" not in svg


@pytest.mark.parametrize("groups", [{}, {"a": []}, {str(n): [1.0] for n in range(41)}])
def test_what_cannot_be_drawn(groups):
    with pytest.raises(Malformed):
        spread(groups)
