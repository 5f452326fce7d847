"""The check below an exercise."""

import numpy as np
import pytest

from imslab.course import check, seal
from imslab.course.check import SOLVED

AMF = bytes.fromhex("b9b9")
RAND = bytes(range(16))


@pytest.mark.parametrize("answer", [AMF, "b9b9", "B9 B9", "0xb9b9", "b9:b9", bytearray(AMF), memoryview(AMF)])
def test_octets_may_be_given_as_bytes_or_in_hex(answer: object) -> None:
    assert check("03-2", answer, expected=lambda: AMF)
    assert check("03-2", answer, sealed=seal(AMF))


@pytest.mark.parametrize(
    ("answer", "expected", "words"),
    [
        (..., AMF, "not answered yet"),
        (None, AMF, "not answered yet"),
        (AMF[:1], AMF, "2 octets are asked for, you gave 1"),
        (RAND[::-1], RAND, "reversed order"),
        (RAND[:8] + bytes(8), RAND, "8 of 16 octets are right"),
        (7, AMF, "octets are asked for"),
        ("seven", 7, "a int is asked for"),
        (6, 7, "not yet"),
    ],
)
def test_says_what_is_wrong_but_never_the_answer(answer: object, expected: object, words: str) -> None:
    verdict = check("03-2", answer, expected=expected)
    assert not verdict
    assert words in verdict.words
    if isinstance(expected, bytes):
        assert expected.hex() not in repr(verdict)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (5, np.int64(5)),
        (5, "5"),
        (0.1 + 0.2, 0.3),
        ("SyncFailure", " syncfailure "),
        (ValueError, "valueerror"),
        ((1, 2), [1, 2]),
        ({2, 1}, {1, 2}),
        (True, "true"),
    ],
)
def test_same_answer_in_two_forms(one: object, other: object) -> None:
    assert check("x", one, expected=other)
    assert seal(one) == seal(other)


def test_different_answers_have_different_seals() -> None:
    assert len({seal(n) for n in range(1000)}) == 1000
    assert not check("x", 4, sealed=seal(5))


def test_hint_is_shown_only_when_it_helps() -> None:
    assert "AUTN" in check("x", 1, expected=2, hint="look into AUTN").words
    assert "AUTN" not in check("x", 2, expected=2, hint="look into AUTN").words


def test_verdict_is_shown_as_html_without_markup_from_the_answer() -> None:
    shown = check("<b>x</b>", 2, expected=2)._repr_html_()
    assert "<b>" not in shown
    assert "right" in shown


def test_in_the_solved_notebook_a_wrong_answer_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SOLVED, "1")
    assert check("x", 2, expected=2)
    with pytest.raises(AssertionError, match="wrong answer"):
        check("x", 1, expected=2)


def test_author_gives_one_of_the_two() -> None:
    with pytest.raises(TypeError, match="expected= or sealed="):
        check("x", 1)
    with pytest.raises(TypeError, match="expected= or sealed="):
        check("x", 1, expected=1, sealed=seal(1))
