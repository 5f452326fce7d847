"""What AKA puts into a nonce and into AUTHENTICATE, in scapy's tree."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imslab.aka.digest import nonce_for, parse_nonce
from imslab.capture.layers import AKANonce, AuthenticateAnswer, AuthenticateCommand
from imslab.capture.layers.aka import is_answer, is_command, is_nonce
from imslab.uicc import apdu

RAND, AUTN = bytes(range(16)), bytes(range(16, 32))
SUCCESS = bytes.fromhex("db 04 01020304 10") + b"C" * 16 + b"\x10" + b"I" * 16


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16), st.binary(max_size=20))
def test_a_nonce_is_what_the_digest_reads(rand: bytes, autn: bytes, data: bytes) -> None:
    text = nonce_for(rand, autn, data)
    nonce = AKANonce(base64.b64decode(text))
    assert (nonce.rand, nonce.autn, nonce.server_data) == parse_nonce(text) == (rand, autn, data)
    nonce.clear_cache()
    assert base64.b64encode(bytes(nonce)).decode() == text
    assert is_nonce(text.encode())


@pytest.mark.parametrize(
    "text", [b"", b"AAAA", b"A" * 41, b"A" * 43, b"A" * 42 + b"B=", b"!" * 44, b"\xff" * 44]
)
def test_what_is_no_nonce(text: bytes) -> None:
    assert not is_nonce(text)


def test_a_command() -> None:
    data = apdu.authenticate(RAND, AUTN)[5:39]
    command = AuthenticateCommand(data)
    assert (command.rand, command.sqn_xor_ak, command.amf, command.mac_a) == (
        RAND,
        AUTN[:6],
        AUTN[6:8],
        AUTN[8:],
    )
    assert bytes(AuthenticateCommand(rand=RAND, sqn_xor_ak=AUTN[:6], amf=AUTN[6:8], mac_a=AUTN[8:])) == data
    assert is_command(data) and not is_command(data[:33])
    assert not is_command(b"\x10" + bytes(33)) and not is_command(bytes(17) + b"\x10" + bytes(16))


def test_an_answer() -> None:
    answer = AuthenticateAnswer(SUCCESS)
    assert (answer.res, answer.ck, answer.ik, answer.more) == (b"\1\2\3\4", b"C" * 16, b"I" * 16, b"")
    assert bytes(AuthenticateAnswer(res=b"\1\2\3\4", ck=b"C" * 16, ik=b"I" * 16)) == SUCCESS
    with_kc = AuthenticateAnswer(SUCCESS + b"\x08" + bytes(8))
    assert with_kc.more == b"\x08" + bytes(8)


def test_an_answer_that_asks_to_resynchronise() -> None:
    octets = b"\xdc\x0e" + bytes(range(14))
    answer = AuthenticateAnswer(octets)
    assert answer.auts == bytes(range(14)) and answer.res is None
    assert bytes(AuthenticateAnswer(tag=0xDC, auts=bytes(range(14)))) == octets


@pytest.mark.parametrize(
    "octets", [SUCCESS, SUCCESS + b"more", b"\xdc\x0e" + bytes(14)], ids=["success", "Kc", "AUTS"]
)
def test_answers_are_known(octets: bytes) -> None:
    assert is_answer(octets)
    again = AuthenticateAnswer(octets)
    again.clear_cache()
    assert bytes(again) == octets


def test_what_is_no_answer() -> None:
    for end in range(len(SUCCESS)):
        assert not is_answer(SUCCESS[:end])
    for octets in (b"\xdc\x0e" + bytes(13), b"\xdc\x0e" + bytes(15), b"\xde" + SUCCESS[1:]):
        assert not is_answer(octets)
