"""Octets by position: in the file, behind it, across its end."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imslab.capture.buffer import Octets

FILE = bytes(range(1, 11))


def at(*positions: int) -> "np.typing.NDArray[np.int64]":
    return np.array(positions, np.int64)


def test_numbers_are_read_most_significant_octet_first() -> None:
    data = Octets(FILE)
    assert data.u8(at(0, 9)).tolist() == [1, 10]
    assert data.u16(at(0, 8)).tolist() == [0x0102, 0x090A]
    assert data.u32(at(3)).tolist() == [0x04050607]
    assert data.u32(at(3)).dtype == np.int64


def test_beyond_the_end_there_are_zeros() -> None:
    data = Octets(FILE)
    assert data.u32(at(8, 10, 10**15, -2)).tolist() == [0x090A0000, 0, 0, 0x0102]
    assert data.windows(at(-1, 9), 3).tolist() == [[0, 1, 2], [10, 0, 0]]


def test_what_is_appended_has_positions_behind_the_file() -> None:
    data = Octets(FILE)
    start = data.append(b"abcd")
    assert (start, data.file_length, len(data)) == (10, 10, 14)
    assert data[start : start + 4] == b"abcd"
    assert data.u16(at(0, start)).tolist() == [0x0102, 0x6162]
    assert data.append(b"") == 14
    assert data.extend([b"x", b"yz"]).tolist() == [14, 15]
    assert data[10:17] == b"abcdxyz"
    assert data.u16(at(13, 15)).tolist() == [0x6478, 0x797A]


def test_positions_stay_good_when_more_is_appended() -> None:
    data = Octets(b"")
    first = data.append(b"first")
    assert data.u8(at(first)).tolist() == [ord("f")]
    data.append(b"second")
    assert data[first : first + 5] == b"first"
    assert data.u8(at(first, 5)).tolist() == [ord("f"), ord("s")]


def test_a_window_does_not_run_from_the_file_into_what_is_appended() -> None:
    data = Octets(FILE)
    data.append(b"zz")
    assert data.windows(at(9), 2).tolist() == [[10, 0]]
    assert data[8:12] == b"\x09\x0a"


def test_slices_are_those_of_the_octets() -> None:
    data = Octets(bytearray(FILE))
    assert (data[:3], data[7:], data[3:3], data[8:99]) == (FILE[:3], FILE[7:], b"", FILE[8:])
    assert isinstance(data[:3], bytes)


@pytest.mark.parametrize("width", [1, 2, 4, 16, 40])
@settings(deadline=None)
@given(file=st.binary(max_size=60), side=st.binary(max_size=60), places=st.lists(st.integers(-50, 150)))
def test_windows_are_what_slices_say(width: int, file: bytes, side: bytes, places: list[int]) -> None:
    data = Octets(file)
    data.append(side)
    for row, place in zip(data.windows(np.array(places, np.int64), width), places, strict=True):
        octets, begin = (side, place - len(file)) if place >= len(file) else (file, place)
        padded = bytes(width + 50) + octets + bytes(width + 150)
        assert row.tobytes() == padded[width + 50 + begin :][:width]


def test_what_was_looked_at_is_read_from_there() -> None:
    data, near = Octets(bytes(range(200))), at(0, 50, 120)
    data.look(near, 60)
    taken = data.windows(near + 20, 40)
    assert taken.tolist() == [list(range(first, first + 40)) for first in (20, 70, 140)]
    assert taken.flags.c_contiguous
    assert data.u16(near + 58).tolist() == [0x3A3B, 0x6C6D, 0xB2B3]


@pytest.mark.parametrize(
    "asked", [at(1, 51, 122), at(1, 51), at(-1, 49, 119), at(59, 109, 179), at(130, 180, 250)], ids=str
)
def test_what_was_not_looked_at_is_read_from_its_place(asked: "np.typing.NDArray[np.int64]") -> None:
    data = Octets(bytes(range(200)))
    plain = data.windows(asked, 4)
    data.look(at(0, 50, 120), 60)
    assert data.windows(asked, 4).tolist() == plain.tolist()


def test_looking_again_forgets_what_was_looked_at() -> None:
    data = Octets(bytes(range(200)))
    data.look(at(0, 50), 60)
    data.look(at(10, 60), 20)
    assert data.windows(at(10, 60), 2).tolist() == [[10, 11], [60, 61]]
    assert data.windows(at(0, 50), 2).tolist() == [[0, 1], [50, 51]]


def test_what_is_appended_later_is_not_what_was_looked_at() -> None:
    data = Octets(bytes(range(100)))
    data.look(at(60), 60)
    assert data.u8(at(100)).tolist() == [0]
    data.append(b"new")
    assert data.u8(at(100)).tolist() == [ord("n")]
    assert data.u16(at(99)).tolist() == [99 << 8]
