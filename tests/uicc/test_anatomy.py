"""Octets divided for a picture: every octet has a name, and none is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imslab.uicc import apdu
from imslab.uicc.anatomy import command_parts, object_parts, response_parts

RAND, AUTN = bytes(range(16)), bytes(range(16, 32))


def names(parts: list[tuple[str, bytes]]) -> list[str]:
    return [name for name, _ in parts]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("00a40004", "CLA INS P1 P2"),
        ("00b0000000", "CLA INS P1 P2 Le"),
        ("00a4000c022f00", "CLA INS P1 P2 Lc data"),
        ("00a40004022f0000", "CLA INS P1 P2 Lc data Le"),
        ("00a400", "octets"),
        ("00a40004052f0000", "octets"),
    ],
)
def test_a_command_has_the_parts_of_its_case(command: str, expected: str) -> None:
    assert names(command_parts(bytes.fromhex(command))) == expected.split()


def test_a_challenge_is_opened() -> None:
    parts = command_parts(apdu.authenticate(RAND, AUTN))
    inside = ["length", "RAND", "length", "SQN xor AK", "AMF", "MAC"]
    assert names(parts) == ["CLA", "INS", "P1", "P2", "Lc", *inside, "Le"]
    assert dict(parts)["RAND"] == RAND
    assert parts[5] == parts[7] == ("length", b"\x10")


def test_authenticate_in_another_context_stays_closed() -> None:
    assert names(command_parts(bytes.fromhex("0088008011") + b"\x10" + RAND))[-1] == "data"


@pytest.mark.parametrize(
    ("response", "expected"), [("9000", "SW1 SW2"), ("80019000", "data|SW1 SW2"), ("90", "octets")]
)
def test_a_response_ends_with_its_status_word(response: str, expected: str) -> None:
    assert names(response_parts(bytes.fromhex(response))) == expected.split("|")


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        ("8003616263ffff", [("tag", "80"), ("length", "03"), ("value", "616263"), ("filling", "ffff")]),
        ("8002ffff", [("tag", "80"), ("length", "02"), ("value", "ffff")]),
        ("5f2d818101" + "00", [("octets", "5f2d81810100")]),
        ("8000ff", [("tag", "80"), ("length", "00"), ("filling", "ff")]),
        ("80056162", [("octets", "80056162")]),
        ("", []),
    ],
)
def test_an_object_has_tag_length_and_value(octets: str, expected: list[tuple[str, str]]) -> None:
    parts = object_parts(bytes.fromhex(octets))
    assert [(name, value.hex()) for name, value in parts] == expected


@given(st.binary(max_size=60))
def test_no_octet_is_lost_and_nothing_is_raised(octets: bytes) -> None:
    for divide in (command_parts, object_parts):
        assert b"".join(value for _, value in divide(octets)) == octets
    if octets:
        assert b"".join(value for _, value in response_parts(octets)) == octets
