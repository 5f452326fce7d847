"""Milestones: what is drawn, and what cannot be."""

import math

import pytest

from imslab.charts.milestones import MOST, milestones
from imslab.errors import Malformed

CALL: dict[str, list[tuple[str, float | None]]] = {
    "alice": [("ringing", 0.012), ("answer", 0.051), ("first picture", 0.31)],
    "bob": [("answer", 0.049), ("first picture", None), ("first packet", 1.25)],
}


def text(picture: object) -> str:
    return str(picture._repr_svg_())  # type: ignore[attr-defined]


def test_every_milestone_has_its_row_and_its_milliseconds() -> None:
    drawn = text(milestones(CALL, title="A call", label="ms since INVITE"))
    for word in ("ringing", "first picture", "first packet", "12.0", "51.0", "310.0", "1250", "A call"):
        assert word in drawn
    assert "alice" in drawn and "bob" in drawn and "ms since INVITE" in drawn


@pytest.mark.parametrize(
    "rows",
    [
        {},
        {"alice": []},
        {"alice": [("never", None)]},
        {"alice": [(str(number), 0.1) for number in range(MOST + 1)]},
        {"alice": [("broken", math.nan)]},
    ],
    ids=["nobody", "nothing", "no time", "too many", "not a number"],
)
def test_what_cannot_be_drawn_is_refused(rows: dict[str, list[tuple[str, float | None]]]) -> None:
    with pytest.raises(Malformed):
        milestones(rows)
