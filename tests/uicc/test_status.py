import pytest

from imslab.uicc import status


@pytest.mark.parametrize(
    ("sw", "words"),
    [
        (0x9000, "ok"),
        (0x61FF, "255 octets wait"),
        (0x6100, "256 octets wait"),
        (0x6C0A, "10 octets are there"),
        (0x63C0, "no try remains"),
        (0x63C1, "1 try remains"),
        (0x63C3, "3 tries remain"),
        (0x6A82, "file not found"),
        (0x9862, "incorrect MAC"),
        (0x9864, "security context not supported"),
        (0x6F42, "technical problem"),
        (0x9110, "proactive"),
        (0x1234, "no specification"),
    ],
)
def test_status_words_in_words(sw: int, words: str) -> None:
    assert words in status.meaning(sw)


def test_every_number_has_words() -> None:
    assert all(status.meaning(sw) for sw in range(0x10000))


def test_what_counts_as_done() -> None:
    assert [sw for sw in (0x9000, 0x9120, 0x9210, 0x6282, 0x61FF, 0x6982) if status.is_success(sw)] == [
        0x9000,
        0x9120,
        0x9210,
    ]


def test_a_refusal_carries_the_words() -> None:
    error = status.refused("SELECT EF.IMPI", 0x6A82, "Is there an ISIM?")
    assert (error.sw1, error.sw2, error.meaning) == (0x6A, 0x82, "file not found")
    assert str(error) == "SELECT EF.IMPI: 6A82, file not found. Is there an ISIM?"
