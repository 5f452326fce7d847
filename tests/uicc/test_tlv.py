import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imslab.errors import Malformed
from imslab.uicc import tlv
from imslab.uicc.tlv import Tlv

TAGS = st.sampled_from([0x80, 0x4F, 0x50, 0x61, 0x62, 0xA5, 0xC6, 0x5F2D, 0x7F21, 0xBF8101, 0xDF20])


@given(st.lists(st.tuples(TAGS, st.binary(max_size=300))))
def test_what_is_written_is_read_again(objects: list[tuple[int, bytes]]) -> None:
    octets = b"".join(tlv.encode(tag, value) for tag, value in objects)
    assert tlv.parse(octets) == [Tlv(tag, value) for tag, value in objects]


@given(st.binary(max_size=80))
def test_any_octets_are_read_or_malformed(octets: bytes) -> None:
    found, fault = tlv.parse_leniently(octets)
    if fault is None:
        assert tlv.parse(octets) == found
    else:
        with pytest.raises(Malformed, match=re.escape(str(fault))):
            tlv.parse(octets)
    try:
        tlv.parse_nested(octets)
    except Malformed:
        return


@given(st.lists(st.tuples(TAGS, st.binary(min_size=1, max_size=20)), min_size=1, max_size=4))
def test_cut_at_any_octet_is_malformed_or_shorter(objects: list[tuple[int, bytes]]) -> None:
    octets = b"".join(tlv.encode(tag, value) for tag, value in objects)
    whole = tlv.parse(octets)
    for end in range(len(octets)):
        found, _ = tlv.parse_leniently(octets[:end])
        assert found == whole[: len(found)]
        assert len(found) < len(whole)


@pytest.mark.parametrize(
    ("length", "octets"),
    [(0, "00"), (127, "7f"), (128, "8180"), (255, "81ff"), (256, "820100"), (65536, "83010000")],
)
def test_lengths_in_the_shortest_form(length: int, octets: str) -> None:
    assert tlv.encode_length(length).hex() == octets
    assert tlv.read_length(bytes.fromhex(octets), 0) == (length, len(octets) // 2)


@pytest.mark.parametrize(
    ("octets", "offset"),
    [
        ("80", 1),
        ("8002ff", 2),
        ("80800102", 1),
        ("8084000000017f", 1),
        ("5f", 1),
        ("5f808080", 0),
        ("8082ff", 1),
    ],
)
def test_a_cut_object_says_where(octets: str, offset: int) -> None:
    with pytest.raises(Malformed) as caught:
        tlv.parse(bytes.fromhex(octets))
    assert caught.value.offset == offset


def test_filling_between_objects_is_passed_over() -> None:
    assert tlv.parse(bytes.fromhex("ff00800101ffff0081020203ff")) == [Tlv(0x80, b"\1"), Tlv(0x81, b"\2\3")]


@pytest.mark.parametrize("tag", [0, 0xFF, -1, 1 << 24, 0x1F, 0x5F80, 0x80FF])
def test_a_number_that_is_no_tag_is_not_written(tag: int) -> None:
    with pytest.raises(Malformed, match="not a BER tag"):
        tlv.encode(tag, b"")


def test_a_value_longer_than_a_length_can_say() -> None:
    with pytest.raises(Malformed):
        tlv.encode(0x80, bytes(1 << 24))


def test_nested_objects_have_children_down_to_a_bound() -> None:
    (outer,) = tlv.parse_nested(bytes.fromhex("6206a5048002abcd"))
    assert [child.tag for child in outer.children] == [0xA5]
    assert outer.children[0].children[0].value == b"\xab\xcd"
    octets = b"\x80\x00"
    for _ in range(9):
        octets = tlv.encode(0xA0, octets)
    with pytest.raises(Malformed, match="deeper"):
        tlv.parse_nested(octets)


def test_only_names_what_it_expected() -> None:
    assert tlv.only(b"\x80\x01\x05\xff\xff", 0x80, "EF.X") == b"\x05"
    with pytest.raises(Malformed, match=r"EF\.X starts with tag 81.*expected tag 80"):
        tlv.only(b"\x81\x00", 0x80, "EF.X")
