from dataclasses import replace

import pytest

from imslab.errors import CardError, Malformed
from imslab.uicc import Card, Exchange, Profile, Replayer, exchange
from imslab.uicc.access import ALL, AccessRules, Rule, lab_rules
from imslab.uicc.aram import AID, read_rules
from imslab.uicc.personalisation import ISIM_AID

MANY = AccessRules(
    (*lab_rules(ISIM_AID).rules, *(Rule(ALL, bytes([number]) * 32, True) for number in range(20)))
)
SELECT = "00a4040409a00000015141434c00"


def sent(card: Card, *commands: str) -> list[str]:
    return [card.transmit(bytes.fromhex(command)).hex() for command in commands]


@pytest.mark.parametrize("protocol", ["T=0", "T=1"])
@pytest.mark.parametrize("rules", [AccessRules(), lab_rules(ISIM_AID), MANY])
def test_the_client_reads_what_the_profile_says(alice: Profile, protocol: str, rules: AccessRules) -> None:
    card = Card(replace(alice, access=rules), protocol=protocol)  # type: ignore[arg-type]
    assert read_rules(card) == rules
    assert read_rules(card) == rules  # from the start again


def test_on_a_channel_of_its_own(alice: Profile) -> None:
    card = Card(replace(alice, access=MANY))
    card.transmit(bytes.fromhex("0070000001"))
    assert read_rules(card, channel=1) == MANY
    assert sent(card, "80caff4000") == ["6985"]  # channel 0 has not selected it


def test_a_card_without_rules_has_no_such_applet(carol: Profile) -> None:
    assert read_rules(Card(carol)) is None
    assert sent(Card(carol), SELECT, "80caff4000") == ["6a82", "6985"]


def test_refused_commands(card: Card) -> None:
    assert sent(
        card,
        "80caff4000",  # nothing selected
        SELECT,
        "80caff6000",  # nothing to go on with
        "80caff7000",
        "00caff4000",
        "80caff4002e100",
        "80caff5002e200",
        "80caff5004e1024f0000",
        "80caff4001",
        "80caff40",
        "80cadf2000",
    ) == [
        "6985",
        "9000",
        "6985",
        "6a86",
        "6e00",
        "6700",
        "6a80",
        "6a88",
        "6c5f",
        "6700",
        "df2008" + "00" * 8 + "9000",
    ]


@pytest.mark.parametrize("protocol", ["T=0", "T=1"])
def test_the_rule_of_one_caller(alice: Profile, protocol: str) -> None:
    card = Card(replace(alice, access=MANY), protocol=protocol)  # type: ignore[arg-type]
    sent(card, SELECT)
    reference = MANY.rules[3].reference
    data, sw = exchange(card, bytes.fromhex("80caff50") + bytes([len(reference)]) + reference + b"\0")
    assert (data.hex(), sw) == ("ff5005e303d00101", 0x9000)


def test_a_long_answer_comes_in_parts(alice: Profile) -> None:
    card = Card(replace(alice, access=MANY))
    sent(card, SELECT)
    first, sw = exchange(card, bytes.fromhex("80caff4000"))
    assert (len(first), sw) == (250, 0x9000)
    assert first[:5].hex() == f"ff4082{len(bytes(MANY)):04x}"
    assert sent(card, "80caff6001") == ["6cfa"]  # a wrong Le moves nothing
    assert sent(card, "00a4040c07a0000000871004", "80caff6000") == ["9000", "6985"]


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        (["ff40029000"], Malformed),  # announces 2 octets; [next] gives none
        (["ff500000"], CardError),
        (["ff50009000"], Malformed),
        (["9000"], Malformed),
        (["ff4083ffffff9000"], Malformed),
        (["6a80"], CardError),
    ],
)
def test_a_strange_applet_is_an_error(answers: list[str], error: type[Exception]) -> None:
    commands = ["00a4040409" + AID.hex() + "00", "80caff4000", "80caff6000"]
    responses = ["9000", *answers, "9000"]
    link = Replayer(
        Exchange(0, 0, bytes.fromhex(command), bytes.fromhex(response))
        for command, response in zip(commands, responses, strict=False)
    )
    with pytest.raises(error):
        read_rules(link)


def test_no_rules_are_no_permission() -> None:
    link = Replayer(
        [
            Exchange(0, 0, bytes.fromhex("00a4040409") + AID + b"\0", b"\x90\0"),
            Exchange(0, 0, bytes.fromhex("80caff4000"), b"\x6a\x88"),
        ]
    )
    assert read_rules(link) == AccessRules()


def test_a_refused_select() -> None:
    link = Replayer([Exchange(0, 0, bytes.fromhex("00a4040409") + AID + b"\0", b"\x69\x82")])
    with pytest.raises(CardError, match="ARA-M"):
        read_rules(link)
