"""Fragments: rewritten when all are there, in any order, and cut where they were cut."""

import itertools

import pytest

from imslab.capture.anonymise.fragments import Fragments

WHOLE = bytes(range(64))
PARTS = [(0, True, WHOLE[:24]), (24, True, WHOLE[24:48]), (48, False, WHOLE[48:])]


def upside_down(_: object, whole: bytes) -> bytes:
    return bytes(octet ^ 0xFF for octet in whole)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_in_any_order(order: tuple[int, ...]) -> None:
    fragments = Fragments()
    found = [fragments.survey("key", *PARTS[place]) for place in order]
    assert found == [None, None, WHOLE]
    fragments.close(upside_down)
    for offset, _, octets in PARTS:
        assert fragments.part("key", offset, octets) == upside_down(None, octets)


def test_what_comes_twice_and_what_overlaps() -> None:
    fragments = Fragments()
    for part in (PARTS[0], PARTS[0], (16, True, WHOLE[16:48])):
        assert fragments.survey("key", *part) is None
    assert fragments.survey("key", *PARTS[2]) == WHOLE
    fragments.close(upside_down)
    assert fragments.part("key", 16, WHOLE[16:48]) == upside_down(None, WHOLE[16:48])


def test_what_never_is_whole_has_no_part() -> None:
    fragments = Fragments()
    fragments.survey("key", *PARTS[0])
    fragments.survey("other", *PARTS[2])
    fragments.close(upside_down)
    assert fragments.part("key", 0, PARTS[0][2]) is None


def test_a_number_that_is_used_again() -> None:
    fragments = Fragments()
    for whole in (b"a" * 16, b"b" * 16):
        fragments.survey("key", 0, True, whole[:8])
        assert fragments.survey("key", 8, False, whole[8:]) == whole
    fragments.close(upside_down)
    assert fragments.part("key", 0, b"a" * 8) == upside_down(None, b"a" * 8)
    assert fragments.part("key", 0, b"b" * 8) == upside_down(None, b"b" * 8)


def test_a_datagram_that_is_too_long_is_none() -> None:
    fragments = Fragments()
    assert fragments.survey("key", 65_528, False, bytes(16)) is None
    assert fragments.survey("key", 0, True, bytes(65_528)) is None
