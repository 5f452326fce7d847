"""AMR payloads, cut as RFC 4867 has them."""

import pytest

from imslab.capture.amr import frames
from imslab.capture.codecs import Codec

NARROW, WIDE = Codec("AMR", 8000), Codec("AMR-WB", 16000)
ALIGNED = Codec("AMR", 8000, parameters="mode-set=7; octet-align=1")


def bits(text: str) -> bytes:
    """Return octets of 0 and 1, padded with zeros."""
    digits = text.replace(" ", "")
    return int(digits + "0" * (-len(digits) % 8), 2).to_bytes(-(-len(digits) // 8))


def test_one_frame_bandwidth_efficient() -> None:
    # RFC 4867, 4.3.5.1: CMR 15, F=0, FT=4 (7.4 kbit/s, 148 bits), Q=1
    payload = bits("1111" + "0 0100 1" + "10" * 74)
    (frame,) = frames(payload, NARROW)
    assert frame[0] == 4 << 3 | 1 << 2
    assert frame[1:] == bits("10" * 74)
    assert len(frame) == 1 + 19


def test_two_frames_follow_bit_by_bit() -> None:
    payload = bits("1111" + "1 0111 1" + "0 1000 1" + "1" * 244 + "01" * 19 + "0")
    speech, noise = frames(payload, NARROW)
    assert (speech[0], noise[0]) == (7 << 3 | 4, 8 << 3 | 4)
    assert speech[1:] == bits("1" * 244)
    assert noise[1:] == bits("01" * 19 + "0")


def test_octet_aligned() -> None:
    payload = bytes([0xF0, 0x80 | 0 << 3 | 4, 0 << 3 | 4]) + b"\xaa" * 12 + b"\x55" * 12
    one, other = frames(payload, ALIGNED)
    # 95 bits: the last bit of the twelfth octet is padding
    assert one == b"\x04" + b"\xaa" * 12
    assert other == b"\x04" + b"\x55" * 11 + b"\x54"


def test_wide_band() -> None:
    (frame,) = frames(bits("1111" + "0 1000 1" + "1" * 477), WIDE)
    assert frame[0] == 8 << 3 | 4
    assert len(frame) == 1 + 60


@pytest.mark.parametrize("kind", [14, 15])
def test_a_frame_without_speech_is_a_frame(kind: int) -> None:
    assert list(frames(bits(f"1111 0 {kind:04b} 1"), NARROW)) == [bytes([kind << 3 | 4])]


@pytest.mark.parametrize(
    "payload", [b"", b"\xf0", bits("1111 0 0111 1") + bytes(10)], ids=["none", "CMR alone", "cut"]
)
def test_what_is_cut_gives_nothing(payload: bytes) -> None:
    assert list(frames(payload, NARROW)) == []


def test_a_reserved_type_is_passed_over() -> None:
    assert list(frames(bits("1111 1 1011 1 0 1111 1"), NARROW)) == [bytes([15 << 3 | 4])]


def test_the_table_of_contents_is_bounded() -> None:
    assert len(list(frames(bits("1111" + "1 1111 1" * 500), NARROW))) == 32
