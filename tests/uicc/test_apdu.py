import pytest
from hypothesis import given
from hypothesis import strategies as st

from imslab.errors import Malformed
from imslab.uicc import apdu
from imslab.uicc.apdu import Command

OCTET = st.integers(0, 255)


@given(OCTET, OCTET, OCTET, OCTET, st.binary(max_size=255), st.none() | st.integers(1, 256))
def test_what_is_written_is_read_again(
    cla: int, ins: int, p1: int, p2: int, data: bytes, le: int | None
) -> None:
    command = Command(cla, ins, p1, p2, data, le)
    assert Command.parse(bytes(command)) == command


@given(st.binary(max_size=300))
def test_any_octets_are_a_command_or_malformed(octets: bytes) -> None:
    try:
        assert bytes(Command.parse(octets)) == octets
    except Malformed:
        return


@pytest.mark.parametrize(
    ("octets", "case"), [("00a40000", 1), ("00b0000000", 2), ("00a4000c023f00", 3), ("00a40004023f0000", 4)]
)
def test_cases(octets: str, case: int) -> None:
    assert Command.parse(bytes.fromhex(octets)).case == case


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        ("", "at least 4"),
        ("00a400", "at least 4"),
        ("00a40004000002", "extended"),
        ("00a40004033f00", "Lc is 3"),
        ("00a40004013f000000", "Lc is 1"),
    ],
)
def test_what_is_no_command(octets: str, words: str) -> None:
    with pytest.raises(Malformed, match=words):
        Command.parse(bytes.fromhex(octets))


@pytest.mark.parametrize(
    "arguments",
    [(256, 0, 0, 0), (0, -1, 0, 0), (0, 0, 0, 0, bytes(256)), (0, 0, 0, 0, b"", 0), (0, 0, 0, 0, b"", 257)],
)
def test_what_does_not_fit(arguments: tuple[int, int, int, int]) -> None:
    with pytest.raises(Malformed):
        Command(*arguments)


def test_255_octets_of_data_fit() -> None:
    assert Command.parse(bytes(Command(0, 0xD6, 0, 0, bytes(255)))).data == bytes(255)


def test_an_open_le_is_256() -> None:
    assert Command.parse(bytes.fromhex("00b0000000")).le == 256
    assert bytes(Command(0, 0xB0, 0, 0, b"", 256)).hex() == "00b0000000"


@pytest.mark.parametrize(("number", "cla"), [(0, 0x00), (3, 0x03), (4, 0x40), (19, 0x4F)])
def test_logical_channels(number: int, cla: int) -> None:
    assert apdu.cla_for(number) == cla
    assert apdu.channel(cla) == number
    assert apdu.channel(apdu.cla_for(number, 0x80)) == number
    with pytest.raises(Malformed):
        apdu.cla_for(20)


def test_the_commands_of_the_lab() -> None:
    assert apdu.select_file(0x2F00).hex() == "00a40004022f0000"
    assert apdu.select_file(0x2F00, fcp=False).hex() == "00a4000c022f00"
    assert apdu.select_aid(bytes.fromhex("a0000000871004"), channel=1).hex() == "01a4040407a000000087100400"
    assert apdu.select_path(0x7FFF, 0x6F07).hex() == "00a40804047fff6f0700"
    assert apdu.read_binary(0x0102, 16).hex() == "00b0010210"
    assert apdu.read_record(3).hex() == "00b2030400"
    assert apdu.verify_pin(1).hex() == "00200001"
    assert apdu.verify_pin(1, b"1234\xff\xff\xff\xff").hex() == "002000010831323334ffffffff"
    assert (
        apdu.authenticate(bytes(16), b"\x01" * 16).hex()
        == "0088008122" + "10" + "00" * 16 + "10" + "01" * 16 + "00"
    )
    assert apdu.get_response(256).hex() == "00c0000000"


@pytest.mark.parametrize(
    "build",
    [
        lambda: apdu.authenticate(bytes(15), bytes(16)),
        lambda: apdu.authenticate(bytes(16), bytes(17)),
        lambda: apdu.verify_pin(1, b"1234"),
        lambda: apdu.select_aid(b""),
        lambda: apdu.select_aid(bytes(17)),
        lambda: apdu.read_binary(0x8000),
    ],
)
def test_a_builder_refuses_wrong_lengths(build: object) -> None:
    assert callable(build)
    with pytest.raises(Malformed):
        build()


@pytest.mark.parametrize(
    ("octets", "command", "response"),
    [
        ("00b00000026f079000", "00b0000002", "6f079000"),
        ("00a40004023f00611e", "00a40004023f00", "611e"),
        ("00a40004026a82", "00a4000402", "6a82"),  # refused before the data went over
        ("002000010063c3", "0020000100", "63c3"),
    ],
)
def test_exchanges_divide_by_instruction(octets: str, command: str, response: str) -> None:
    assert apdu.split_exchange(bytes.fromhex(octets)) == (bytes.fromhex(command), bytes.fromhex(response))


def test_short_responses_and_exchanges() -> None:
    assert apdu.split_response(b"\x01\x90\x00") == (b"\x01", 0x9000)
    for octets in (b"", b"\x90"):
        with pytest.raises(Malformed):
            apdu.split_response(octets)
    with pytest.raises(Malformed):
        apdu.split_exchange(bytes(6))
