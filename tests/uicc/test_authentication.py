"""AUTHENTICATE beyond the known answers: contexts, services, sequence numbers."""

import pytest

from imslab.aka import c2, c3, generate_vector, open_auts
from imslab.uicc import Card, MemoryStore, Profile, authenticate_parts
from imslab.uicc.apdu import authenticate

ISIM, USIM = "a0000000871004", "a0000000871002"
RAND = bytes(range(16))


def send(card: Card, command: str) -> str:
    return card.transmit(bytes.fromhex(command)).hex()


def at(card: Card, aid: str) -> Card:
    assert send(card, f"00a4040c07{aid}") == "9000"
    return card


def challenge(profile: Profile, seq: int, ind: int = 0) -> bytes:
    vector = generate_vector(profile.functions, RAND, (seq << 5 | ind).to_bytes(6))
    return authenticate(vector.rand, vector.autn)


def changed(profile: Profile, **values: object) -> Profile:
    return Profile.from_dict({**profile.to_dict(), **values})


@pytest.mark.parametrize(
    ("p2", "on_usim", "on_isim"),
    [
        ("80", "9000", "9864"),
        ("82", "9864", "9864"),
        ("83", "6a86", "6a86"),
        ("85", "6a86", "6a86"),
        ("00", "6a86", "6a86"),
    ],
)
def test_contexts(alice: Profile, p2: str, on_usim: str, on_isim: str) -> None:
    command = f"008800{p2}11" + "10" + RAND.hex() + "00"
    assert send(at(Card(alice), USIM), command)[-4:] == on_usim
    assert send(at(Card(alice), ISIM), command)[-4:] == on_isim


def test_gsm_context(alice: Profile) -> None:
    res, ck, ik, _ = alice.functions.f2_to_f5(RAND)
    answer = send(at(Card(alice), USIM), "0088008011" + "10" + RAND.hex() + "00")
    assert answer == "04" + c2(res).hex() + "08" + c3(ck, ik).hex() + "9000"
    without = changed(alice, ust=[19, 27])
    assert send(at(Card(without), USIM), "0088008011" + "10" + RAND.hex() + "00") == "9864"
    assert send(at(Card(alice), USIM), "008800800f" + "0e" + RAND.hex()[:28] + "00") == "6700"


def test_gsm_context_has_no_form_for_long_keys() -> None:
    long = Profile(
        imsi="001010000000009", k=bytes(32), topc=bytes(32), algorithm="tuak", ck_length=32, res_length=32
    )
    assert send(at(Card(long), USIM), "0088008011" + "10" + RAND.hex() + "00") == "9864"
    answer = at(Card(long), USIM).transmit(challenge(long, 1))
    names = [name for name, _ in authenticate_parts(challenge(long, 1), answer)[1]]
    assert names == ["RES", "CK", "IK"]  # and no Kc


def test_kc_follows_service_27(alice: Profile) -> None:
    with_kc = at(Card(alice), USIM).transmit(challenge(alice, 1))
    without = at(Card(changed(alice, ust=[19])), USIM).transmit(challenge(alice, 1))
    on_isim = at(Card(alice), ISIM).transmit(challenge(alice, 1))
    assert without == on_isim
    assert with_kc[:-2].startswith(without[:-2])
    assert len(with_kc) == len(without) + 9


def test_an_application_must_be_current(card: Card, alice: Profile) -> None:
    assert card.transmit(challenge(alice, 1)).hex() == "6985"
    at(card, ISIM)
    send(card, "00a4000c023f00")
    assert card.transmit(challenge(alice, 1)).hex() == "6985"


@pytest.mark.parametrize("length", [0, 1, 16, 17, 32, 33, 35, 254])
def test_challenges_of_another_length(card: Card, length: int) -> None:
    at(card, ISIM)
    data = (b"\x10" * length).hex()
    lc = f"{length:02x}" if length else ""
    assert send(card, f"00880081{lc}{data}00") == "6700"
    assert send(card, f"00880084{lc}{data}00") in ("6700", "6a80")


def test_gba_needs_its_service_and_a_bootstrap(alice: Profile) -> None:
    derive = "00880084 05 de 01 61 01 62 00".replace(" ", "")
    assert send(at(Card(alice), ISIM), derive) == "6985"
    assert send(at(Card(alice), USIM), derive) == "6985"
    without = changed(alice, ist=[1], ust=[19])
    assert send(at(Card(without), ISIM), derive) == "9864"
    assert send(at(Card(without), USIM), derive) == "9864"


def test_the_bootstrap_survives_power_off(alice: Profile) -> None:
    store = MemoryStore()
    vector = generate_vector(alice.functions, RAND, (32).to_bytes(6))
    bootstrap = "0088008423dd10" + vector.rand.hex() + "10" + vector.autn.hex() + "00"
    derive = "00880084 05 de 01 61 01 62 00".replace(" ", "")
    card = at(Card(alice, store=store), ISIM)
    assert send(card, bootstrap) == "db08" + vector.xres.hex() + "9000"
    key = send(card, derive)
    assert key.startswith("db20")
    assert send(at(Card(alice, store=store), ISIM), derive) == key
    assert send(at(Card(alice, store=store), USIM), derive) == "6985"  # each application has its own
    assert send(card, bootstrap).startswith("dc0e")  # the SQN was used


def test_usim_and_isim_share_the_sequence_numbers(card: Card, alice: Profile) -> None:
    assert at(card, ISIM).transmit(challenge(alice, 1))[0] == 0xDB
    assert at(card, USIM).transmit(challenge(alice, 1))[0] == 0xDC


def test_auts_carries_the_highest_sqn(card: Card, alice: Profile) -> None:
    at(card, ISIM)
    for seq, ind in ((7, 3), (5, 1)):
        assert card.transmit(challenge(alice, seq, ind))[0] == 0xDB
    answer = card.transmit(challenge(alice, 5, 1))
    assert answer[:2] == b"\xdc\x0e"
    assert open_auts(alice.functions, RAND, answer[2:16]) == (7 << 5 | 3).to_bytes(6)


def test_a_wrong_mac_changes_nothing(card: Card, alice: Profile) -> None:
    at(card, ISIM)
    good = challenge(alice, 9)
    assert card.transmit(good[:-2] + bytes([good[-2] ^ 1]) + good[-1:]).hex() == "9862"
    assert card.transmit(good)[0] == 0xDB


def test_the_limits_of_the_profile_count(alice: Profile) -> None:
    card = at(Card(changed(alice, delta=10)), ISIM)
    assert card.transmit(challenge(alice, 11))[0] == 0xDC
    assert card.transmit(challenge(alice, 10))[0] == 0xDB
    old = at(Card(changed(alice, age_limit=5, sqn=(100 << 5).to_bytes(6).hex())), ISIM)
    assert old.transmit(challenge(alice, 95, 1))[0] == 0xDC
    assert old.transmit(challenge(alice, 96, 1))[0] == 0xDB


def test_the_card_with_tuak_answers(carol: Profile) -> None:
    answer = at(Card(carol), USIM).transmit(challenge(carol, 1))
    parts = dict(authenticate_parts(challenge(carol, 1), answer)[1])
    assert {name: len(value) for name, value in parts.items()} == {"RES": 16, "CK": 16, "IK": 16, "Kc": 8}


def test_the_answer_waits_for_the_store(alice: Profile) -> None:
    class Broken(MemoryStore):
        def put(self, name: str, value: bytes) -> None:
            if name == "sqn":
                raise OSError("disk gone")
            super().put(name, value)

    card = at(Card(alice, store=Broken()), ISIM)
    assert card.transmit(challenge(alice, 1)).hex() == "6581"
