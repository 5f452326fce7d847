"""PINs and their counters: ETSI TS 102 221, 9.5 and 11.1.9 to 11.1.13."""

import pytest

from imslab.errors import Malformed
from imslab.uicc import Card, MemoryStore, Profile
from imslab.uicc.pins import Pin, octets, pin_set

GOOD, WRONG, NEW = "31323334ffffffff", "39393939ffffffff", "3636363636363636"
PUK = "3132333435363738"
VERIFY, CHANGE, DISABLE, ENABLE, UNBLOCK = "00200001", "00240001", "00260001", "00280001", "002c0001"


def send(card: Card, command: str, data: str = "") -> str:
    lc = f"{len(data) // 2:02x}" if data else ""
    return card.transmit(bytes.fromhex(command + lc + data)).hex()


@pytest.fixture
def locked(alice: Profile) -> Profile:
    return Profile.from_dict({**alice.to_dict(), "pin1_enabled": True})


@pytest.fixture
def card(locked: Profile) -> Card:
    return Card(locked)


def test_three_wrong_values_block(card: Card) -> None:
    assert send(card, VERIFY) == "63c3"
    assert [send(card, VERIFY, WRONG) for _ in range(4)] == ["63c2", "63c1", "63c0", "6983"]
    assert send(card, VERIFY) == "6983"
    assert send(card, VERIFY, GOOD) == "6983"
    assert send(card, CHANGE, GOOD + NEW) == "6983"


def test_a_good_value_gives_the_tries_back(card: Card) -> None:
    assert send(card, VERIFY, WRONG) == "63c2"
    assert send(card, VERIFY, GOOD) == "9000"
    assert send(card, VERIFY) == "63c3"


def test_a_wrong_value_takes_the_verification_back(card: Card) -> None:
    impi = "00a4040407a000000087100400"
    assert send(card, VERIFY, GOOD) == "9000"
    send(card, impi)
    assert send(card, "00b0820001") == "809000"
    assert send(card, VERIFY, WRONG) == "63c2"
    assert send(card, "00b0820001") == "6982"


def test_counters_survive_power_off_and_a_new_card(locked: Profile) -> None:
    store = MemoryStore()
    card = Card(locked, store=store)
    send(card, VERIFY, WRONG)
    card.reset()
    assert send(card, VERIFY) == "63c2"
    assert send(Card(locked, store=store), VERIFY) == "63c2"


def test_the_try_is_spent_before_the_value_is_compared(locked: Profile) -> None:
    class Pulled(MemoryStore):
        def put(self, name: str, value: bytes) -> None:
            super().put(name, value)
            if name == "pins":
                raise OSError("the card was pulled out")

    store = Pulled()
    assert send(Card(locked, store=store), VERIFY, WRONG) == "6581"
    assert send(Card(locked, store=store), VERIFY) == "63c2"


def test_change(card: Card) -> None:
    assert send(card, CHANGE, WRONG + NEW) == "63c2"
    assert send(card, CHANGE, GOOD + NEW) == "9000"
    assert send(card, VERIFY, GOOD) == "63c2"
    assert send(card, VERIFY, NEW) == "9000"
    assert send(card, CHANGE, NEW) == "6700"
    assert send(card, CHANGE, NEW + "6162636465666768") == "6a80"
    assert send(card, CHANGE, NEW + "313233ffffffffff") == "6a80"


def test_disable_and_enable(card: Card) -> None:
    assert send(card, ENABLE, GOOD) == "6985"
    assert send(card, DISABLE, WRONG) == "63c2"
    assert send(card, DISABLE, GOOD) == "9000"
    assert send(card, VERIFY, GOOD) == "6984"
    assert send(card, CHANGE, GOOD + NEW) == "6984"
    assert send(card, DISABLE, GOOD) == "6985"
    card.reset()
    send(card, "00a4040407a000000087100400")
    assert send(card, "00b0820001") == "809000"  # a disabled PIN counts as verified
    assert send(card, ENABLE, GOOD) == "9000"
    card.reset()
    send(card, "00a4040407a000000087100400")
    assert send(card, "00b0820001") == "6982"
    assert send(card, DISABLE, GOOD[:-2]) == "6700"


def test_a_blocked_pin_gives_no_access_although_disabled(alice: Profile) -> None:
    card = Card(alice)
    assert [send(card, ENABLE, WRONG) for _ in range(3)] == ["63c2", "63c1", "63c0"]
    send(card, "00a4040407a000000087100400")
    assert send(card, "00b0820001") == "6982"


def test_unblock(card: Card) -> None:
    for _ in range(3):
        send(card, VERIFY, WRONG)
    assert send(card, UNBLOCK) == "63ca"
    assert send(card, UNBLOCK, WRONG + NEW) == "63c9"
    assert send(card, UNBLOCK, PUK + NEW) == "9000"
    assert send(card, UNBLOCK) == "63ca"
    assert send(card, VERIFY, NEW) == "9000"
    assert send(card, UNBLOCK, PUK) == "6700"
    assert send(card, UNBLOCK, PUK + "00" * 8) == "6a80"


def test_ten_wrong_unblock_values_end_it(card: Card) -> None:
    answers = [send(card, UNBLOCK, WRONG + NEW) for _ in range(11)]
    assert answers == [f"63c{n:x}" for n in range(9, -1, -1)] + ["6983"]
    assert send(card, UNBLOCK, PUK + NEW) == "6983"
    assert send(card, UNBLOCK) == "6983"


@pytest.mark.parametrize(
    ("command", "data", "answer"),
    [
        ("00200002", GOOD, "6a88"),
        ("00200101", GOOD, "6a86"),
        ("00200001", "31323334", "6700"),
        ("002c000a", PUK + NEW, "6a88"),
        ("0024000a", GOOD + NEW, "6a88"),
        ("0026000a", GOOD, "6a88"),
        ("0020000a", "3838383838383838", "9000"),
        ("00200081", "35363738ffffffff", "9000"),
        ("00200081", GOOD, "63c2"),
    ],
)
def test_references_and_lengths(card: Card, command: str, data: str, answer: str) -> None:
    assert send(card, command, data) == answer


def test_a_pin_is_in_no_repr() -> None:
    pins = pin_set("4711", "12345678", "4712", "12345678", "47114711", pin1_enabled=True)
    assert "4711" not in repr(pins)
    assert "4711" not in repr(Pin(octets("4711"), b""))
    assert b"4711".hex() not in repr(Pin(octets("4711"), b""))


@pytest.mark.parametrize(
    "state", [b"", b"{", b"[]", b"{}", b'{"01": {}}', b'{"zz": 1}', b"\xff", b'{"01": 5}']
)
def test_a_damaged_state_is_malformed(state: bytes) -> None:
    pins = pin_set("1234", "12345678", "5678", "12345678", "88888888", pin1_enabled=True)
    with pytest.raises(Malformed, match="PIN state"):
        pins.restore(state)


def test_a_stored_counter_is_bounded() -> None:
    pins = pin_set("1234", "12345678", "5678", "12345678", "88888888", pin1_enabled=True)
    with pytest.raises(Malformed):
        pins.restore(pins.dump().replace(b'"tries": 3', b'"tries": 4'))
    pins.restore(pins.dump())


@pytest.mark.parametrize("digits", ["123", "123456789", "12a4", "", "１２３４"])
def test_what_is_no_pin(digits: str) -> None:
    with pytest.raises(Malformed):
        octets(digits)
