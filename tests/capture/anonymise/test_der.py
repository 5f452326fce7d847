"""DER: nested values, strings, keys, timestamps of logs; what is none becomes other octets."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imslab.capture.anonymise import der
from tests.capture.anonymise.parts import Parts, parts


def value(tag: int, *contents: bytes) -> bytes:
    body = b"".join(contents)
    return (
        bytes((tag, len(body))) + body
        if len(body) < 128
        else bytes((tag, 0x82)) + len(body).to_bytes(2) + body
    )


NAME = value(0x0C, b"alice.home.example")
OID = value(0x06, bytes.fromhex("550403"))


@pytest.mark.parametrize(
    "kept",
    [
        OID,
        value(0x02, b"\x01\x00\x01"),
        value(0x17, b"260101000000Z"),
        value(0x01, b"\xff"),
        value(0x05),
        value(0x03, b"\x07\x80"),
    ],
)
def test_what_names_nobody_stays(made: Parts, kept: bytes) -> None:
    assert der.rewrite(value(0x30, kept, kept), made.texts) == value(0x30, kept, kept)


def test_a_string_is_another_at_any_depth(made: Parts) -> None:
    new = der.rewrite(value(0x30, value(0x31, value(0x30, OID, NAME))), made.texts)
    assert new == value(
        0x30, value(0x31, value(0x30, OID, value(0x0C, made.texts.host("alice.home.example").encode())))
    )


def test_keys_and_numbers_are_others(made: Parts) -> None:
    serial, key = value(0x02, b"\x12" + bytes(range(15))), value(0x03, b"\x00\x04" + bytes(range(64)))
    new = der.rewrite(value(0x30, serial, key), made.texts)
    assert new[:5] == value(0x30, serial, key)[:5]
    assert new[5:20] != serial[3:]
    assert new[20:23] == key[:3]
    assert bytes(range(64)) not in new


def test_what_is_within_octets_is_looked_into(made: Parts) -> None:
    inner = value(0x30, value(0x82, b"alice.home.example"), value(0x87, bytes((192, 0, 2, 7))))
    new = der.rewrite(value(0x30, value(0x04, inner)), made.texts)
    assert made.texts.host("alice.home.example").encode() in new
    assert new.endswith(made.addresses.ip(bytes((192, 0, 2, 7))))


def test_timestamps_of_logs_keep_lengths_and_times(made: Parts) -> None:
    one = b"\0" + b"L" * 32 + (1_700_000_000_000).to_bytes(8) + b"\0\0\4\3\0\x08" + b"signed!!"
    listed = len(one).to_bytes(2) + one
    new = der.rewrite(value(0x30, value(0x04, len(listed).to_bytes(2) + listed)), made.texts)
    assert new[4:9] == (len(listed).to_bytes(2) + listed)[:5]
    assert (1_700_000_000_000).to_bytes(8) + b"\0\0\4\3\0\x08" in new
    assert b"LLLL" not in new
    assert b"signed" not in new


@settings(deadline=None)
@given(st.binary(max_size=120))
def test_any_octets_keep_their_number(octets: bytes) -> None:
    texts = parts().texts
    for each in (octets, value(0x30, octets), value(0x30, value(0x04, octets), value(0x03, b"\0" + octets))):
        assert len(der.rewrite(each, texts)) == len(each)
