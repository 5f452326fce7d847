import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imslab.errors import CardError, MacFailure, Malformed
from imslab.uicc import Card, IsimClient, Profile
from imslab.uicc.access import (
    ALL,
    LAB_FILTERS,
    LAB_ORIGIN,
    PROFILE_FILES,
    AccessRules,
    Decision,
    Filter,
    Guard,
    Rule,
    from_plain,
    lab_rules,
    origin_hash,
    to_plain,
)
from imslab.uicc.personalisation import ISIM_AID, USIM_AID

ALICE, MALLORY = b"\xaa" * 32, b"\xee" * 20
FILTER = Filter(bytes.fromhex("00880081"), bytes.fromhex("ffffffff"))
OTHER = Filter(bytes.fromhex("00b00000"), bytes.fromhex("ffff8000"))
# SEAC 1.1, 6.1: E2 { E1 { 4F AID, C1 hash }, E3 { D0 ..., D1 ..., DB ... } }
RULE_OCTETS = "e243e12b4f07a0000000871004c120" + "aa" * 32 + "e314d00800880081ffffffffdb080000000000000001"
COMMAND = bytes.fromhex("0088008122")


def decide(*rules: Rule, aid: bytes | None = ISIM_AID, caller: bytes = ALICE) -> Decision:
    return AccessRules(rules).decide(aid, caller)


def test_a_rule_is_read_and_written_octet_for_octet() -> None:
    octets = bytes.fromhex(RULE_OCTETS)
    rules = AccessRules.parse(octets)
    aid = bytes.fromhex("a0000000871004")
    assert rules.rules == (Rule(aid, ALICE, (FILTER,), permissions=bytes(7) + b"\x01"),)
    assert bytes(rules) == octets


@pytest.mark.parametrize(
    ("octets", "apdu", "nfc"),
    [
        ("e20ee1044f00c100e306d00100d10101", False, True),
        ("e20be1044f00c100e303d00101", True, None),
        ("e20be1044f00c100e303d10100", None, False),
        ("e206e102c100e300", None, None),
    ],
)
def test_rules_for_all(octets: str, apdu: bool | None, nfc: bool | None) -> None:
    (rule,) = AccessRules.parse(bytes.fromhex(octets)).rules
    assert (rule.aid, rule.caller, rule.apdu, rule.nfc) == (ALL, ALL, apdu, nfc)


def test_the_application_selected_by_default() -> None:
    rule = Rule(None, MALLORY, True)
    assert bytes(rule).hex() == "e21fe118c000c114" + "ee" * 20 + "e303d00101"
    assert AccessRules.parse(bytes(rule)).rules == (rule,)
    assert decide(rule, aid=None, caller=MALLORY).allowed
    assert not decide(rule, caller=MALLORY).allowed


@pytest.mark.parametrize(
    "octets",
    [
        "e200",
        "e202e100",
        "e100",
        "e20be1044f00c100e303d00102",
        "e20ae1044f00c100e302d000",
        "e211e1044f00c100e309d007" + "00" * 7,
        "e20de1064f02a000c100e303d00101",
        "e20ce1054f00c10100e303d00101",
        "e20ce1044f00c100e304db020001",
        "e20be1044f00c100e302d001",
    ],
)
def test_broken_rules_are_refused(octets: str) -> None:
    with pytest.raises(Malformed):
        AccessRules.parse(bytes.fromhex(octets))


@given(st.binary(max_size=80))
def test_any_octets_are_rules_or_malformed(octets: bytes) -> None:
    try:
        AccessRules.parse(b"\xe2" + bytes((len(octets),)) + octets)
    except Malformed:
        return


def test_without_a_rule_nothing_is_allowed() -> None:
    decision = decide()
    assert not decision.allowed
    assert not decision.permits(COMMAND)
    assert decision.reason == "no rule speaks of this application and this caller"


def test_the_special_comes_before_the_general() -> None:
    rules = [
        Rule(ISIM_AID, ALICE, True),
        Rule(ISIM_AID, ALL, False),
        Rule(ALL, ALICE, False),
        Rule(ALL, ALL, False),
    ]
    assert decide(*rules).reason == "a rule for this application and this caller says always"
    assert decide(*reversed(rules)).allowed  # the card's order does not matter
    rules[0] = Rule(USIM_AID, ALICE, False)
    rules[1] = Rule(ISIM_AID, ALL, True)
    assert decide(*rules).reason == "a rule for this application and all callers says always"
    rules[1:3] = [Rule(ALL, ALICE, True)]
    assert decide(*rules).reason == "a rule for all applications and this caller says always"
    assert decide(Rule(ALL, ALL, True)).allowed


def test_rules_for_others_shut_this_caller_out() -> None:
    mine = Rule(ISIM_AID, ALL, True)
    assert not decide(Rule(ISIM_AID, MALLORY, True), mine).allowed
    assert not decide(Rule(ALL, MALLORY, True), Rule(ALL, ALL, True)).allowed
    assert decide(Rule(USIM_AID, MALLORY, True), mine).allowed
    assert decide(Rule(ALL, MALLORY, True), mine).allowed  # the application's own rule is more special


def test_never_beats_always_and_filters() -> None:
    always, never = Rule(ISIM_AID, ALICE, True), Rule(ISIM_AID, ALICE, False)
    filtered = Rule(ISIM_AID, ALICE, (FILTER,))
    for rules in ([always, never], [never, always], [filtered, never], [never, filtered]):
        assert decide(*rules).reason.endswith("says never")
    assert decide(always, filtered).filters == (FILTER,)  # filters are narrower than always
    both = decide(filtered, Rule(ISIM_AID, ALICE, (OTHER,)))
    assert both.permits(COMMAND)
    assert both.permits(bytes.fromhex("00b0000000"))
    assert not both.permits(bytes.fromhex("00b0800000"))
    assert not both.permits(bytes.fromhex("00d6000001aa"))


def test_a_rule_of_permissions_alone_opens_no_channel() -> None:
    assert not decide(Rule(ALL, ALICE, permissions=bytes(8))).allowed
    assert decide(Rule(ISIM_AID, ALICE, nfc=True), Rule(ISIM_AID, ALL, True)).allowed


@pytest.mark.parametrize(
    ("command", "passes"),
    [
        ("0088008122", True),
        ("0188008122", True),  # channel 1
        ("4f88008122", True),  # channel 19
        ("8088008122", False),
        ("c188008122", False),
        ("0088008022", False),
        ("008800", False),
        ("", False),
    ],
)
def test_a_filter_does_not_know_the_channel(command: str, passes: bool) -> None:
    assert FILTER.permits(bytes.fromhex(command)) is passes


def test_bits_that_the_mask_leaves_free_must_be_zero_in_the_header() -> None:
    # SEAC 1.1, 6.3: header of the command AND mask, compared with the header of the filter.
    assert not Filter(bytes.fromhex("00b00001"), bytes.fromhex("ffff0000")).permits(
        bytes.fromhex("00b0000100")
    )


def test_values_of_a_wrong_length() -> None:
    for make in (
        lambda: Filter(b"\0" * 3),
        lambda: Filter(b"\0" * 4, b"\0" * 5),
        lambda: Rule(b"\xa0" * 4, ALL, True),
        lambda: Rule(b"\xa0" * 17, ALL, True),
        lambda: Rule(ALL, b"\0" * 21, True),
        lambda: Rule(ALL, ALL, ()),
        lambda: Rule(ALL, ALL, permissions=b"\0"),
        lambda: decide(caller=b"\0" * 31),
        lambda: decide(caller=b""),
        lambda: origin_hash("https://ä.example"),
    ):
        with pytest.raises(Malformed):
            make()


def test_the_hash_of_an_origin() -> None:
    assert origin_hash("https://a.example") == hashlib.sha256(b"https://a.example").digest()


def test_the_table_of_a_profile(alice: Profile) -> None:
    assert alice.access == lab_rules(ISIM_AID)
    rules = AccessRules((Rule(None, MALLORY, False, True), Rule(ALL, ALL, True, None, bytes(8))))
    assert from_plain(to_plain(rules)) == rules
    assert Profile.from_dict(alice.to_dict()) == alice


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"apdu": "sometimes"}, "apdu is wrong"),
        ({"apdu": ["00"]}, "8"),
        ({"apdu": [1]}, "apdu is wrong"),
        ({"apdu": []}, "empty list"),
        ({"who": ""}, "unknown key 'who'"),
        ({"aid": 7}, "aid must be text"),
        ({"caller": "zz"}, "caller"),
        ({"nfc": 1}, "nfc"),
        ({"aid": "a0"}, "AID"),
        ("always", "table"),
    ],
)
def test_a_wrong_table_is_refused(row: object, says: str) -> None:
    with pytest.raises(Malformed, match=says):
        Profile.from_dict({"imsi": "001010000000001", "k": "00" * 16, "opc": "00" * 16, "access": [row]})


def guard(card: Card, caller: bytes = origin_hash(LAB_ORIGIN), aid: bytes = ISIM_AID) -> Guard:
    return Guard(card, lab_rules(ISIM_AID).decide(aid, caller), aid, files=PROFILE_FILES)


def test_a_page_of_the_lab_reads_the_profile_and_authenticates(card: Card, t0: Card) -> None:
    for own in (card, t0):
        client = IsimClient(guard(own))
        assert client.read_profile() == IsimClient(own).read_profile()
        with pytest.raises(MacFailure):  # the command reached the card
            client.authenticate(bytes(16), bytes(16))


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("0020000108" + "ff" * 8, "no filter"),
        ("00d6000001aa", "no filter"),
        ("00dc010401aa", "no filter"),
        ("00b0820000", "no filter"),
        ("80caff4000", "no filter"),
        ("00a40004026fd5", "another file"),
        ("00a4000402", "another file"),
        ("00a4040407a0000000871002", "another application"),
        ("00a4040207a0000000871004", "another application"),  # next occurrence
        ("00a40404", "another application"),
        ("0070000001", "opens and closes"),
        ("00b0", "no command"),
    ],
)
def test_the_guard_says_why(card: Card, command: str, why: str) -> None:
    with pytest.raises(CardError, match=f"is not permitted: .*{why}") as caught:
        guard(card).transmit(bytes.fromhex(command))
    assert (caught.value.sw1, caught.value.sw2) == (0x69, 0x82)


def test_strangers_and_resets_stay_outside(card: Card) -> None:
    for stranger in (guard(card, origin_hash("https://evil.example")), guard(card, aid=USIM_AID)):
        with pytest.raises(CardError, match="not permitted"):
            stranger.transmit(bytes.fromhex("00a40004023f0000"))
    with pytest.raises(CardError, match="reset"):
        guard(card).reset()
    assert guard(card).protocol == "T=1"
    assert len(LAB_FILTERS) == 4
