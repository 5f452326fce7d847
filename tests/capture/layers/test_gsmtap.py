"""The APDUs of a SIM in scapy's tree."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.packet import Raw

from imslab.capture.layers import GSMTAP, SIMAPDU, SIMATR, AuthenticateAnswer, AuthenticateCommand
from imslab.capture.layers.gsmtap import looks_like_gsmtap
from imslab.uicc import apdu, gsmtap

RAND, AUTN = bytes(range(16)), bytes(range(16, 32))
ANSWER = b"\xdb\x08" + bytes(8) + (b"\x10" + bytes(16)) * 2
ASKED, FETCHED = gsmtap.encode_exchange(apdu.authenticate(RAND, AUTN), ANSWER + b"\x90\x00")


def again(octets: bytes) -> bytes:
    packet = GSMTAP(octets)
    packet.clear_cache()
    return bytes(packet)


def test_authenticate_in_two_packets() -> None:
    asked, fetched = GSMTAP(ASKED), GSMTAP(FETCHED)
    assert asked[AuthenticateCommand].rand == RAND
    assert (asked[SIMAPDU].ins, asked[SIMAPDU].p3, asked[SIMAPDU].sw) == (0x88, 34, 0x6100 | len(ANSWER))
    assert asked[SIMAPDU].answer is None
    assert fetched[SIMAPDU].ins == 0xC0 and fetched[SIMAPDU].data is None
    assert bytes(fetched[AuthenticateAnswer]) == ANSWER
    assert asked.lastlayer().mysummary() == f"AUTHENTICATE 61{len(ANSWER):02X}"


def test_a_select_and_a_read() -> None:
    (select,) = gsmtap.encode_exchange(bytes.fromhex("00a4000c026f07"), b"\x90\x00")
    assert GSMTAP(select)[SIMAPDU].data.load == b"\x6f\x07"
    (read,) = gsmtap.encode_exchange(bytes.fromhex("00b0000003"), b"abc\x90\x00")
    packet = GSMTAP(read)[SIMAPDU]
    assert packet.data is None and packet.answer.load == b"abc" and packet.sw == 0x9000
    (refused,) = gsmtap.encode_exchange(bytes.fromhex("00a4000c026f07"), b"\x6a\x82")
    assert GSMTAP(refused)[SIMAPDU].sw == 0x6A82


def test_data_that_the_card_did_not_take() -> None:
    octets = gsmtap.encode(bytes.fromhex("00a4000c026700"))
    packet = GSMTAP(octets)[SIMAPDU]
    assert packet.data is None and packet.answer is None and packet.sw == 0x6700


def test_a_reset() -> None:
    assert GSMTAP(gsmtap.encode_atr(b"\x3b\x00"))[SIMATR].atr == b"\x3b\x00"


def test_what_is_no_sim_is_raw() -> None:
    lte = bytes((2, 4, 13)) + bytes(13) + b"rrc"
    assert GSMTAP(lte)[Raw].load == b"rrc"
    assert GSMTAP(gsmtap.encode(b"short"))[Raw].load == b"short"
    assert GSMTAP(gsmtap.encode(bytes(9), subtype=7))[Raw].load == bytes(9)


def test_a_longer_header() -> None:
    octets = bytes((2, 5, 4)) + bytes(13) + b"MORE" + ASKED[16:]
    packet = GSMTAP(octets)
    assert packet.more == b"MORE" and AuthenticateCommand in packet
    assert again(octets) == octets


@pytest.mark.parametrize("octets", [ASKED, FETCHED, gsmtap.encode_atr(b"\x3b\x9f"), gsmtap.encode(bytes(7))])
def test_built_again_as_it_came(octets: bytes) -> None:
    assert bytes(GSMTAP(octets)) == again(octets) == octets
    assert looks_like_gsmtap(octets)


@given(st.binary(max_size=80), st.sampled_from([0, 1, 2]))
def test_anything_is_built_again_as_it_came(octets: bytes, subtype: int) -> None:
    assert again(gsmtap.encode(octets, subtype)) == gsmtap.encode(octets, subtype)


def test_an_exchange_is_built() -> None:
    packet = GSMTAP() / SIMAPDU(ins=0x88, p2=0x81, data=AuthenticateCommand(rand=RAND), sw=0x6135)
    assert (
        bytes(packet)
        == gsmtap.encode_exchange(apdu.authenticate(RAND, bytes(16)), bytes(0x35) + b"\x90\x00")[0]
    )
    assert bytes(SIMAPDU(ins=0xB0, answer=Raw(b"abc"))) == bytes.fromhex("00b00000036162639000")
    assert bytes(SIMAPDU(ins=0xF2, p3=7)) == bytes.fromhex("00f20000079000")


@pytest.mark.parametrize(
    "octets", [b"", ASKED[:15], b"\x01" + ASKED[1:], b"\x02\x03" + ASKED[2:], b"\x02\xff" + ASKED[2:]]
)
def test_what_is_no_gsmtap(octets: bytes) -> None:
    assert not looks_like_gsmtap(octets)
