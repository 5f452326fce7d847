"""The timing: whose time it is, and how much."""

import pytest

from imslab.capture.views import Arrow
from imslab.charts import timing
from imslab.charts.timing import spans
from imslab.errors import Malformed


def test_each_gap_belongs_to_who_sends_next(arrows: list[Arrow], names: dict[str, str]) -> None:
    found = spans(arrows, names)
    assert len(found) == len(arrows) - 1
    assert sum(span.seconds for span in found) == pytest.approx(arrows[-1].at - arrows[0].at)
    by_label = {span.label: (span.who, round(span.seconds * 1e3, 3)) for span in found}
    assert by_label["alice's card: DB: RES CK IK"] == ("card", 12.4)
    assert by_label["alice: AUTHENTICATE (IMS AKA)"] == ("UE", 1.4)
    assert by_label["HSS: MAA 2001"] == ("core", 0.4)
    assert {span.who for span in found} == {"card", "UE", "core"}


def test_time_in_which_nobody_was_seen_to_work_is_the_networks() -> None:
    arrows = [Arrow(0.0, "ue", "p", "REGISTER", "SIP"), Arrow(0.5, "ue", "p", "REGISTER", "SIP")]
    assert [span.who for span in spans(arrows, {})] == ["network"]


def test_without_a_card_the_first_to_speak_is_the_ue() -> None:
    arrows = [
        Arrow(0.0, "x", "p", "REGISTER", "SIP"),
        Arrow(0.1, "p", "x", "401", "SIP"),
        Arrow(0.4, "x", "p", "REGISTER", "SIP"),
    ]
    assert [span.who for span in spans(arrows, {})] == ["core", "UE"]


def test_sums_stand_in_the_legend(arrows: list[Arrow], names: dict[str, str]) -> None:
    svg = timing(arrows, names, title="Who").svg()
    assert "card 13.40 ms (63%)" in svg
    assert "UE 4.30 ms (20%)" in svg
    assert "core 3.70 ms (17%)" in svg


def test_everything_at_once_is_drawn_too() -> None:
    assert "0.00 ms" in timing([Arrow(1.0, "a", "b", "x", "SIP"), Arrow(1.0, "b", "a", "y", "SIP")]).svg()


@pytest.mark.parametrize("count", [0, 1, 401])
def test_how_many_arrows_can_be_drawn(count: int) -> None:
    with pytest.raises(Malformed, match="2 to 400"):
        timing([Arrow(0.0, "a", "b", "x", "SIP")] * count)
