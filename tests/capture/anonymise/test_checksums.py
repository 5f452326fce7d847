"""Checksums: right ones stay right, wrong ones stay wrong by as much, in UDP 0 means none."""

from hypothesis import given, settings
from hypothesis import strategies as st

from imslab.capture.anonymise.checksums import adjusted, crc32c
from imslab.octets import checksum


@settings(deadline=None)
@given(st.binary(max_size=61), st.data())
def test_a_right_checksum_stays_right(old: bytes, data: st.DataObject) -> None:
    new = data.draw(st.binary(min_size=len(old), max_size=len(old)))
    before, after = b"\x12\x34" + old, b"\x12\x34" + new  # a checksum over nothing but zeros has two forms
    assert adjusted(checksum(before).to_bytes(2), before, after) == checksum(after).to_bytes(2)


def test_a_wrong_one_stays_wrong_by_as_much() -> None:
    old, new = b"\x12\x34alice!", b"\x12\x34wical!"
    wrong = checksum(old) + 1
    assert int.from_bytes(adjusted(wrong.to_bytes(2), old, new)) == checksum(new) + 1


def test_a_part_is_enough() -> None:
    head, old, new, tail = b"\x45\x00\x12\x34", b"alice1", b"bobby2", b"what was cut off"
    value = checksum(head + old + tail).to_bytes(2)
    assert adjusted(value, old, new) == checksum(head + new + tail).to_bytes(2)


def test_in_udp_zero_means_none() -> None:
    assert adjusted(b"\0\0", b"ab", b"cd", never_zero=True) == b"\0\0"
    assert adjusted(b"\0\1", b"\0\0", b"\0\1", never_zero=True) == b"\xff\xff"
    assert adjusted(b"\0\1", b"\0\0", b"\0\1") == b"\0\0"


def test_crc32c() -> None:
    assert crc32c(b"123456789") == 0xE3069283  # RFC 3720, B.4 names the polynomial; the usual check value
    assert crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720, B.4: 32 octets of zeros
