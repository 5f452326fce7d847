"""The ladder: columns, rows, colours, and labels that do not run into each other."""

from collections.abc import Iterable
from typing import Any

import pytest

from imslab.capture.views import Arrow
from imslab.charts import ladder
from imslab.charts.ladder import COLOURS, MOST, node_order
from imslab.charts.picture import Picture
from imslab.errors import Malformed


def texts(picture: Picture) -> list[Any]:
    return list(picture.figure.axes[0].texts)


def boxes(picture: Picture) -> list[tuple[str, Any]]:
    """Return each text with the box it takes, in dots."""
    renderer = picture.figure.canvas.get_renderer()  # type: ignore[attr-defined]
    return [(text.get_text(), text.get_window_extent(renderer)) for text in texts(picture) if text.get_text()]


def overlapping(found: Iterable[tuple[str, Any]]) -> list[tuple[str, str]]:
    listed = list(found)
    return [
        (one, other)
        for i, (one, a) in enumerate(listed)
        for other, b in listed[i + 1 :]
        if a.x0 < b.x1 - 1 and b.x0 < a.x1 - 1 and a.y0 < b.y1 - 1 and b.y0 < a.y1 - 1
    ]


def test_no_label_touches_another(arrows: list[Arrow], names: dict[str, str]) -> None:
    picture = ladder(arrows, names, title="A login")
    assert overlapping(boxes(picture)) == []


def test_all_labels_are_whole_and_inside(arrows: list[Arrow], names: dict[str, str]) -> None:
    picture = ladder(arrows, names)
    shown = [text for text, _ in boxes(picture)]
    for arrow in arrows:
        assert any(text.startswith(arrow.label) for text in shown), arrow.label
    width, height = picture.figure.canvas.get_width_height()
    for text, box in boxes(picture):
        assert box.x0 >= 0, text
        assert box.x1 <= width, text
        assert box.y0 >= 0, text
        assert box.y1 <= height, text


def test_long_labels_and_addresses_stay_inside(arrows: list[Arrow]) -> None:
    long = {address: f"{address} with a very long name indeed" for address in node_order(arrows)}
    wordy = [
        Arrow(
            a.at, f"2001:db8:{'1:' * 5}:{a.source}", a.destination, a.label * 9, a.kind, a.label * 9, a.frame
        )
        for a in arrows
    ]
    for picture in (ladder(arrows, long), ladder(wordy)):
        width, _ = picture.figure.canvas.get_width_height()
        assert all(box.x0 >= 0 and box.x1 <= width for _, box in boxes(picture))
        assert overlapping(boxes(picture)) == []


def test_the_card_stands_left_of_its_terminal_and_the_hss_last(arrows: list[Arrow]) -> None:
    assert node_order(arrows) == ["127.0.0.3", "127.0.0.2", "127.0.0.10", "127.0.0.11", "127.0.0.12"]


def test_a_terminal_that_only_talks_to_its_card_comes_first() -> None:
    assert node_order(
        [Arrow(0.0, "ue", "card", "SELECT", "APDU"), Arrow(1.0, "card", "ue", "9000", "APDU")]
    ) == [
        "ue",
        "card",
    ]


def test_two_cards_stand_beside_their_own_terminals() -> None:
    arrows = [
        Arrow(0.0, "a", "a card", "x", "APDU"),
        Arrow(1.0, "a", "p", "x", "SIP"),
        Arrow(2.0, "p", "b", "x", "SIP"),
        Arrow(3.0, "b", "b card", "x", "APDU"),
    ]
    assert node_order(arrows) == ["a card", "a", "p", "b card", "b"]


def test_columns_can_be_given() -> None:
    arrows = [Arrow(0.0, "a", "b", "x", "SIP"), Arrow(1.0, "b", "c", "x", "SIP")]
    picture = ladder(arrows, columns=["c", "a"])
    places = {text.get_text(): text.get_position()[0] for text in texts(picture)}
    assert places["c"] < places["a"] < places["b"]


def test_rows_are_in_order_of_time_and_equally_high() -> None:
    arrows = [
        Arrow(5.0, "a", "b", "last", "SIP"),
        Arrow(0.0, "a", "b", "first", "SIP"),
        Arrow(0.1, "b", "a", "x", "SIP"),
    ]
    rows = {text.get_text(): text.get_position()[1] for text in texts(ladder(arrows))}
    assert rows["x"] - rows["first"] == pytest.approx(rows["last"] - rows["x"])


def test_times_are_milliseconds_since_the_first_arrow_and_frames_stand_beside(arrows: list[Arrow]) -> None:
    shown = [text.get_text() for text in texts(ladder(arrows))]
    assert "0.00" in shown
    assert "21.40" in shown
    assert {str(arrow.frame) for arrow in arrows} <= set(shown)


@pytest.mark.parametrize("kind", sorted(COLOURS))
def test_kinds_have_their_colours_and_stand_in_the_legend(kind: str) -> None:
    picture = ladder([Arrow(0.0, "a", "b", "x", kind)])
    label = next(text for text in texts(picture) if text.get_text() == "x")
    assert label.get_color() == COLOURS[kind]
    legends = [
        text.get_text()
        for text in texts(picture)
        if text.get_text().startswith(("APDU", "SIP", "Diameter", "HTTP", "STUN", "DTLS", "RTP"))
    ]
    assert len(legends) == 1


def test_a_node_may_speak_to_itself() -> None:
    assert "again" in ladder([Arrow(0.0, "a", "a", "again", "SIP")]).svg()


@pytest.mark.parametrize(
    ("arrows", "says"),
    [
        ([], "nothing to draw"),
        ([Arrow(0.0, "a", "b", "x", "SIP")] * (MOST + 1), "too many"),
        ([Arrow(0.0, "a", "b", "x", "GTP")], "unknown kind"),
    ],
    ids=["none", "too many", "kind"],
)
def test_what_cannot_be_drawn(arrows: list[Arrow], says: str) -> None:
    with pytest.raises(Malformed, match=says):
        ladder(arrows)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0123456, "12.35"), (99.9, "99900.00"), (3600.0, "3600000"), (1e6, "1.0e+09")]
)
def test_times_stay_in_their_column(seconds: float, text: str) -> None:
    picture = ladder([Arrow(0.0, "a", "b", "x", "SIP"), Arrow(seconds, "b", "a", "y", "SIP", frame=1)])
    assert text in [label for label, _ in boxes(picture)]
    assert overlapping(boxes(picture)) == []
    assert all(box.x0 >= 0 for _, box in boxes(picture))
