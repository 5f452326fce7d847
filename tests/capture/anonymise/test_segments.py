"""Segments: a stream is rewritten as one, whatever the order, the copies and the holes."""

import pytest

from imslab.capture.anonymise.segments import Flow, Segments

FLOW: Flow = (b"a", 1, b"b", 2)
TEXT = b"the quick brown fox jumps over the lazy dog"


def run(*segments: tuple[int, bytes], start: int | None = None) -> tuple[list[bytes], list[bytes | None]]:
    """Return the stretches that were rewritten, and what became of each segment."""
    seen: list[bytes] = []
    streams = Segments()
    if start is not None:
        streams.survey(FLOW, start, 2, b"")
    for seq, octets in segments:
        streams.survey(FLOW, seq, 0x10, octets)

    def rewrite(_: Flow, octets: bytes) -> bytes:
        seen.append(octets)
        return octets.upper()

    streams.close(rewrite)
    return seen, [streams.part(FLOW, seq, octets) for seq, octets in segments]


PIECES = [(100, TEXT[:10]), (110, TEXT[10:30]), (130, TEXT[30:])]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0), (0, 1, 1, 2, 0)])
def test_order_and_copies_do_not_matter(order: tuple[int, ...]) -> None:
    seen, new = run(*(PIECES[place] for place in order))
    assert seen == [TEXT]
    assert new == [PIECES[place][1].upper() for place in order]


def test_an_overlap_is_counted_once() -> None:
    seen, new = run((100, TEXT[:20]), (110, TEXT[10:]))
    assert seen == [TEXT]
    assert new[1] == TEXT[10:].upper()


def test_behind_a_hole_another_stretch_begins() -> None:
    seen, new = run(PIECES[0], PIECES[2])
    assert seen == [PIECES[0][1], PIECES[2][1]]
    assert new == [PIECES[0][1].upper(), PIECES[2][1].upper()]


def test_sequence_numbers_wrap() -> None:
    first = 2**32 - 5
    seen, _ = run((first + 1, TEXT[:10]), ((first + 11) % 2**32, TEXT[10:]), start=first)
    assert seen == [TEXT]


def test_a_new_connection_on_the_same_ports() -> None:
    streams = Segments()
    seen: list[bytes] = []
    for start in (100, 5000):
        streams.survey(FLOW, start, 2, b"")
        streams.survey(FLOW, start, 2, b"")  # a copy of the SYN changes nothing
        streams.survey(FLOW, start + 1, 0x10, b"%d" % start)
    streams.each(lambda _, octets: seen.append(octets))
    assert seen == [b"100", b"5000"]


def test_a_segment_far_away_is_of_another_stretch() -> None:
    assert run((100, b"one"), (100 + 2**31 - 5, b"other"))[0] == [b"one", b"other"]


def test_an_unknown_segment_has_no_part() -> None:
    streams = Segments()
    streams.close(lambda _, octets: octets)
    assert streams.part(FLOW, 1, b"x") is None


def test_what_is_too_much_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imslab.capture.anonymise.segments._MOST", 8)
    streams = Segments()
    for seq, octets in ((100, b"12345678"), (108, b"9")):
        streams.survey(FLOW, seq, 0x10, octets)
    streams.close(lambda _, octets: octets.upper())
    assert streams.left_out == 1
    assert streams.part(FLOW, 108, b"9") is None
