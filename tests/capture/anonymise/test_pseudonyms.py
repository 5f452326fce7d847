"""Pseudonyms: the same for the same, of the same shape, and no two the same."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imslab.capture.anonymise.pseudonyms import Pseudonyms

ONE, OTHER = Pseudonyms(b"one seed, 16 octets"), Pseudonyms(b"another seed of 16")
WORDS = st.text(
    st.characters(categories=("Ll", "Lu", "Nd", "Lo"), max_codepoint=0x2FFFF), min_size=1, max_size=20
)


def shape(word: str) -> str:
    word = re.sub(r"[a-z]", "a", re.sub(r"[A-Z]", "A", word))
    return re.sub(r"[0-9]", "0", word)


@settings(deadline=None)
@given(WORDS)
def test_a_word_keeps_its_shape_and_its_octets(word: str) -> None:
    other = ONE.word(word)
    ascii_only = "".join(letter if letter.isascii() else "é" for letter in word)
    assert shape("".join(letter if letter.isascii() else "é" for letter in other)) == shape(ascii_only)
    assert [len(letter.encode()) for letter in other] == [len(letter.encode()) for letter in word]
    assert ONE.word(word) == other


@pytest.mark.parametrize("word", ["alice", "001010123456789", "a84b4c76e66710", "Müller", "日本語の名前"])
def test_a_word_becomes_another_and_another_seed_gives_another(word: str) -> None:
    assert len({word, ONE.word(word), OTHER.word(word), ONE.word(word, "tweak")}) == 4


def test_case_does_not_matter_but_stays() -> None:
    assert ONE.word("ALICE") == ONE.word("alice").upper()
    assert ONE.word("Alice") == ONE.word("alice").capitalize()


def test_hex_stays_hex_and_a_number_gets_no_zero_in_front() -> None:
    assert re.fullmatch(r"[0-9a-f]{14}", ONE.word("a84b4c76e66710"))
    assert re.fullmatch(r"[0-9a-f]{8}", ONE.word("deadbeef"))  # long enough to be hex without a digit
    assert all(ONE.word(str(number))[0] != "0" for number in range(1, 400))
    assert all(ONE.word(f"0{number}")[0] == "0" for number in range(100))


@pytest.mark.parametrize(
    "words",
    [
        [str(number) for number in range(10, 100)],
        [f"{number:03}" for number in range(1000)],
        [f"{a}{b}{c}" for a in "abz" for b in "abcdefghijklmnopqrstuvwxyz" for c in "xyz"],
    ],
)
def test_no_two_words_of_a_shape_become_the_same(words: list[str]) -> None:
    assert len({ONE.word(word) for word in words}) == len(words)


def test_octets_that_are_no_text_stay_single_octets() -> None:
    word = b"M\xfcller".decode("utf-8", "surrogateescape")
    other = ONE.word(word).encode("utf-8", "surrogateescape")
    assert len(other) == 6
    assert other[1] >= 0xA1


def test_octets_follow_what_is_known() -> None:
    pseudonyms = Pseudonyms(b"a seed of 16 octets")
    before = pseudonyms.octets(b"12345678")
    assert len(before) == 8
    assert before != b"12345678"
    pseudonyms.known_octets[b"12345678"] = b"abcdefgh"
    assert pseudonyms.octets(b"12345678") == b"abcdefgh"


def test_noise_is_the_same_for_the_same_context_only() -> None:
    assert ONE.noise(b"a", 40) == ONE.noise(b"a", 60)[:40]
    assert ONE.noise(b"a", 40) != ONE.noise(b"b", 40) != OTHER.noise(b"b", 40)
    assert {ONE.number(b"%d" % n, 6) for n in range(200)} == set(range(6))
