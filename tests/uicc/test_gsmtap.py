import pytest
from hypothesis import given
from hypothesis import strategies as st

from imslab.errors import Malformed
from imslab.uicc import gsmtap

HEADER = "02040400" + "00" * 8 + "00000000"


def test_a_case_2_exchange_is_one_packet() -> None:
    (packet,) = gsmtap.encode_exchange(bytes.fromhex("00b0000002"), bytes.fromhex("abcd9000"))
    assert packet.hex() == HEADER + "00b0000002abcd9000"
    assert len(packet) == 16 + 9


def test_an_open_le_is_written_as_what_came() -> None:
    (packet,) = gsmtap.encode_exchange(bytes.fromhex("00b0000000"), bytes.fromhex("abcd9000"))
    assert packet.hex()[32:] == "00b0000002abcd9000"


def test_a_case_4_exchange_is_two_packets() -> None:
    first, second = gsmtap.encode_exchange(bytes.fromhex("02a40004023f0000"), bytes.fromhex("62009000"))
    assert first.hex() == HEADER + "02a40004023f00" + "6102"
    assert second.hex() == HEADER + "02c0000002" + "6200" + "9000"


@pytest.mark.parametrize(
    ("command", "response", "octets"),
    [
        ("00a4000c023f00", "9000", "00a4000c023f009000"),
        ("00a40004023f00", "6128", "00a40004023f006128"),
        ("00a40004022f9900", "6a82", "00a40004022f996a82"),
        ("80f2000c", "9000", "80f2000c009000"),
        ("00b00000ff", "6c0a", "00b00000ff6c0a"),
        ("00c0000002", "62009000", "00c000000262009000"),
    ],
)
def test_other_exchanges(command: str, response: str, octets: str) -> None:
    (packet,) = gsmtap.encode_exchange(bytes.fromhex(command), bytes.fromhex(response))
    assert packet.hex() == HEADER + octets


def test_an_atr_has_its_own_subtype() -> None:
    packet = gsmtap.encode_atr(b"\x3b\x00")
    assert packet.hex() == HEADER[:24] + "01000000" + "3b00"
    found = gsmtap.decode(packet)
    assert (found.type, found.subtype, found.octets, found.exchange) == (4, 1, b"\x3b\x00", None)


def test_a_packet_divides_into_command_and_response() -> None:
    for command, response in (("00b0000002", "abcd9000"), ("00a4000c023f00", "9000")):
        (packet,) = gsmtap.encode_exchange(bytes.fromhex(command), bytes.fromhex(response))
        assert gsmtap.decode(packet).exchange == (bytes.fromhex(command), bytes.fromhex(response))


def test_other_types_are_read_too() -> None:
    found = gsmtap.decode(bytes.fromhex("02040d00" + "00" * 12 + "aa"))
    assert (found.type, found.octets, found.exchange) == (13, b"\xaa", None)
    longer = bytes.fromhex("02050400" + "00" * 16 + "80f2000c009000")
    assert gsmtap.decode(longer).exchange == (bytes.fromhex("80f2000c00"), b"\x90\x00")


@pytest.mark.parametrize("payload", ["", "0204", "0104" + "00" * 14, "0203" + "00" * 14, "02ff" + "00" * 30])
def test_what_is_no_gsmtap(payload: str) -> None:
    with pytest.raises(Malformed):
        gsmtap.decode(bytes.fromhex(payload))


def test_what_is_no_exchange() -> None:
    for command, response in ((b"\0\xa4\0", b"\x90\0"), (b"\0\xa4\0\0", b"\x90")):
        with pytest.raises(Malformed):
            gsmtap.encode_exchange(command, response)


@given(st.binary(max_size=60))
def test_any_octets_are_read_or_malformed(payload: bytes) -> None:
    try:
        found = gsmtap.decode(payload)
    except Malformed:
        return
    if found.exchange is not None:
        assert b"".join(found.exchange) == found.octets


@given(st.binary(min_size=4, max_size=270), st.binary(min_size=2, max_size=258))
def test_any_exchange_is_written(command: bytes, response: bytes) -> None:
    packets = [gsmtap.decode(packet) for packet in gsmtap.encode_exchange(command, response)]
    assert packets[-1].octets[-2:] == response[-2:]
    assert packets[0].octets[:4] == command[:4]
