"""Every state between a program and a card is told in words, with the command that mends it."""

import pytest

from imslab.errors import CardError
from imslab.uicc.readiness import REMEDIES, SYSTEMS, ReaderError, State, remedy, state_of

MENDED = set(State) - {State.READY}


@pytest.mark.parametrize(
    ("code", "state"),
    [
        (0x8010001D, State.NO_DAEMON),
        (0x8010001E, State.NO_DAEMON),
        (0x8010002E, State.NO_READER),
        (0x8010000C, State.NO_CARD),
        (0x80100066, State.MUTE_CARD),
        (0x80100067, State.MUTE_CARD),
        (0x8010000F, State.MUTE_CARD),
        (0x8010006A, State.ACCESS_DENIED),
        (0x8010000B, State.CARD_HELD),
        (0x80100068, State.CARD_RESET),
        (0x80100069, State.CARD_GONE),
        (0x80100017, State.CARD_GONE),
        (0x80100009, State.CARD_GONE),
        (0x80100016, State.CARD_GONE),
        (0x80100013, State.CARD_GONE),
        (0x80100003, State.CARD_GONE),
    ],
)
def test_codes_of_pcsc(code: int, state: State) -> None:
    assert state_of(code) is state
    assert state_of(code - 0x1_0000_0000) is state  # as a signed number, which some builds of pyscard give


def test_no_service_without_the_library_is_the_library() -> None:
    assert state_of(0x8010001D, library=False) is State.NO_LIBRARY
    assert state_of(0x8010000C, library=False) is State.NO_CARD


def test_a_code_that_nobody_knows() -> None:
    assert state_of(-1) is None
    assert state_of(0x80100001) is None


@pytest.mark.parametrize("state", sorted(MENDED, key=str), ids=str)
def test_each_state_has_words_and_a_remedy_on_each_system(state: State) -> None:
    assert len(state.value) > 10
    assert all(len(remedy(state, system)) > 10 for system in SYSTEMS)
    assert remedy(state, "")


def test_no_remedy_where_all_is_well() -> None:
    assert remedy(State.READY, "debian") == ""
    assert set(REMEDIES) == MENDED


@pytest.mark.parametrize(
    ("state", "system", "command"),
    [
        (State.NO_PYSCARD, "debian", "libpcsclite-dev && make reader"),
        (State.NO_PYSCARD, "fedora", "pcsc-lite-devel && make reader"),
        (State.NO_PYSCARD, "macos", "make reader"),
        (State.NO_PYSCARD, "windows", 'pip install -e ".[reader]"'),
        (State.NO_LIBRARY, "debian", "apt install libpcsclite1"),
        (State.NO_LIBRARY, "fedora", "dnf install pcsc-lite-libs"),
        (State.NO_DAEMON, "debian", "systemctl start pcscd.socket"),
        (State.NO_DAEMON, "fedora", "dnf install pcsc-lite; systemctl start pcscd.socket"),
        (State.NO_DAEMON, "windows", "sc start SCardSvr"),
        (State.ACCESS_DENIED, "debian", "/etc/polkit-1/rules.d/"),
        (State.ACCESS_DENIED, "fedora", "/etc/polkit-1/rules.d/"),
        (State.CARD_HELD, "debian", "gpgconf --kill scdaemon"),
        (State.CARD_HELD, "windows", "tasklist /m winscard.dll"),
        (State.NO_CARD, "macos", "imslab card serve"),
    ],
)
def test_the_command_is_that_of_the_system(state: State, system: str, command: str) -> None:
    assert command in remedy(state, system)


def test_an_unknown_linux_gets_both() -> None:
    both = remedy(State.NO_DAEMON, "")
    assert "apt install pcscd" in both
    assert "dnf install pcsc-lite" in both
    assert "   or: " not in remedy(State.NO_CARD, "")  # the same everywhere is said once


def test_the_error_is_a_card_error_that_names_its_state() -> None:
    error = ReaderError("no card here", State.NO_CARD)
    assert isinstance(error, CardError)
    assert (error.state, error.meaning, error.sw1) == (State.NO_CARD, State.NO_CARD.value, None)
