"""A PIN is presented once, and not when that could block the card."""

from dataclasses import replace

import pytest

from imslab.errors import CardError, Malformed
from imslab.uicc import Card, Profile
from imslab.uicc.verification import remaining_tries, verify_pin


class Scripted:
    """A card that gives these status words, one after the other."""

    protocol = "T=1"

    def __init__(self, *words: str) -> None:
        self.words, self.asked = list(words), []  # type: list[str], list[bytes]

    def transmit(self, apdu: bytes, /) -> bytes:
        self.asked.append(apdu)
        return bytes.fromhex(self.words.pop(0))

    def reset(self) -> bytes:
        return b"\x3b\x00"


@pytest.mark.parametrize(
    ("word", "tries"), [("63c3", 3), ("63c1", 1), ("63c0", 0), ("6983", 0), ("9000", None), ("6984", None)]
)
def test_remaining_tries(word: str, tries: int | None) -> None:
    card = Scripted(word)
    assert remaining_tries(card) == tries
    assert card.asked == [bytes.fromhex("00200001")]  # no value: it costs no try


def test_the_right_pin(alice: Profile) -> None:
    card = Card(replace(alice, pin1_enabled=True))
    verify_pin(card, "1234")
    assert remaining_tries(card) == 3


def test_a_wrong_pin_says_how_many_tries_remain(alice: Profile) -> None:
    card = Card(replace(alice, pin1_enabled=True))
    with pytest.raises(CardError, match="2 tries remain"):
        verify_pin(card, "9999")
    assert remaining_tries(card) == 2


@pytest.mark.parametrize("word", ["63c1"])
def test_the_last_try_is_kept_until_told(word: str) -> None:
    card = Scripted(word)
    with pytest.raises(CardError, match="not sent, 1 try remains") as caught:
        verify_pin(card, "1234")
    assert (caught.value.sw1, caught.value.sw2, len(card.asked)) == (0x63, 0xC1, 1)
    card = Scripted(word, "9000")
    verify_pin(card, "1234", even_the_last=True)
    assert card.asked[1].hex() == "002000010831323334ffffffff"


@pytest.mark.parametrize("word", ["6983", "63c0"])
def test_a_blocked_pin_is_not_sent(word: str) -> None:
    card = Scripted(word)
    with pytest.raises(CardError, match="UNBLOCK PIN"):
        verify_pin(card, "1234", even_the_last=True)
    assert len(card.asked) == 1


@pytest.mark.parametrize("pin", ["", "123", "123456789", "12a4", "１２３４"])
def test_what_is_no_pin_never_reaches_the_card(pin: str) -> None:
    card = Scripted()
    with pytest.raises(Malformed):
        verify_pin(card, pin)
    assert card.asked == []
