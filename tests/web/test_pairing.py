"""Codes and tokens: what a person confirms, and what a page keeps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imslab.errors import BridgeRefused, Malformed
from imslab.lab import Seeded
from imslab.web.pairing import DIGITS, LIFETIME, MOST_WRONG, PAUSE, Pairing

PAGE, OTHER = "http://127.0.0.1:8080", "http://127.0.0.1:8090"
NOW = 1_700_000_000.0


def paired(secret: bytes = b"s" * 32) -> tuple[Pairing, str]:
    pairing = Pairing(random=Seeded("pairing"), secret=secret)
    return pairing, pairing.redeem(pairing.code, PAGE, NOW)


def refusal(pairing: Pairing, token: str, origin: str = PAGE, now: float = NOW) -> str:
    with pytest.raises(BridgeRefused) as refused:
        pairing.check(token, origin, now)
    assert len(token) < 32 or token not in str(refused.value)
    return refused.value.name


def wrong(pairing: Pairing, now: float = NOW) -> str:
    with pytest.raises(BridgeRefused) as refused:
        pairing.redeem("x" + pairing.code[1:], PAGE, now)
    assert pairing.code not in str(refused.value)
    return refused.value.name


def test_a_code_is_six_digits_and_good_once() -> None:
    pairing = Pairing(random=Seeded("code"))
    code = pairing.code
    assert len(code) == DIGITS == 6
    assert code.isdecimal()
    pairing.redeem(code, PAGE, NOW)
    assert pairing.code != code
    with pytest.raises(BridgeRefused) as refused:
        pairing.redeem(code, PAGE, NOW)
    assert refused.value.name == "WrongCode"


def test_a_token_is_good_for_its_origin_and_its_bridge_and_its_time() -> None:
    pairing, token = paired()
    pairing.check(token, PAGE, NOW)
    pairing.check(token, PAGE, NOW + LIFETIME - 1)
    assert refusal(pairing, token, OTHER) == "NotPaired"
    assert refusal(pairing, token, now=NOW + LIFETIME + 1) == "NotPaired"
    assert refusal(pairing, token, now=NOW - 60) == "NotPaired"  # not yet given
    assert refusal(paired(b"t" * 32)[0], token) == "NotPaired"


def test_a_bridge_that_is_started_again_with_the_same_secret_knows_its_tokens() -> None:
    _, token = paired()
    Pairing(random=Seeded("another run"), secret=b"s" * 32).check(token, PAGE, NOW + 1)


def test_each_octet_of_a_token_counts() -> None:
    pairing, token = paired()
    for at, letter in enumerate(token[:-1]):
        assert refusal(pairing, token[:at] + ("A" if letter != "A" else "B") + token[at + 1 :]) == "NotPaired"


@given(st.text(max_size=100))
def test_whatever_is_no_token_is_refused(text: str) -> None:
    assert refusal(paired()[0], text) == "NotPaired"


@given(st.text(max_size=20))
def test_whatever_is_no_code_is_refused(text: str) -> None:
    pairing = Pairing(random=Seeded("code"))
    if text != pairing.code:
        with pytest.raises(BridgeRefused):
            pairing.redeem(text, PAGE, NOW)


def test_three_wrong_codes_bring_another_code_and_a_pause() -> None:
    pairing = Pairing(random=Seeded("wrong"))
    code = pairing.code
    assert [wrong(pairing) for _ in range(MOST_WRONG)] == ["WrongCode"] * 3
    assert pairing.code != code
    with pytest.raises(BridgeRefused) as refused:
        pairing.redeem(pairing.code, PAGE, NOW + PAUSE - 1)
    assert refused.value.name == "TooMany"
    assert pairing.redeem(pairing.code, PAGE, NOW + PAUSE)


def test_a_right_code_forgives_the_wrong_ones_before_it() -> None:
    pairing = Pairing(random=Seeded("forgiven"))
    for _ in range(3):
        assert wrong(pairing) == wrong(pairing) == "WrongCode"
        pairing.redeem(pairing.code, PAGE, NOW)


def test_a_secret_has_32_octets() -> None:
    with pytest.raises(Malformed):
        Pairing(random=Seeded("short"), secret=b"short")
