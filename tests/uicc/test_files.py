"""One generic test runs the examples of every file coding; hypothesis feeds the rest."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imslab.errors import Malformed
from imslab.uicc.files import ALL_FILES, ElementaryFile, access, isim, network, services, uicc, usim
from imslab.uicc.files.access import (
    ADM1,
    ALWAYS,
    NEVER,
    PIN1,
    READ,
    UPDATE,
    AccessRules,
    Condition,
    Rule,
    needs,
)

EXAMPLES = [
    pytest.param(file, octets, values, id=f"{file.__name__}-{number}")
    for file in ALL_FILES
    for number, (octets, values) in enumerate(file.EXAMPLES)
]


@pytest.mark.parametrize(("file", "octets", "values"), EXAMPLES)
def test_examples(file: type[ElementaryFile], octets: str, values: dict[str, object]) -> None:
    raw, value = bytes.fromhex(octets), file(**values)
    assert file.decode(raw) == value
    assert value.encode(len(raw)) == raw


@pytest.mark.parametrize("file", ALL_FILES)
def test_every_coding_says_its_place(file: type[ElementaryFile]) -> None:
    assert file.EXAMPLES
    assert file.NAME.startswith("EF.")
    assert 0 < file.FID < 0x10000
    assert file.SFI is None or 1 <= file.SFI <= 30
    assert file.SPEC.startswith(("TS ", "ETSI TS "))
    assert (file.__doc__ or "").startswith(file.NAME)


@pytest.mark.parametrize("file", ALL_FILES)
@settings(max_examples=25)
@given(octets=st.binary(max_size=60) | st.binary(max_size=40).map(lambda b: b"\x80" + bytes([len(b)]) + b))
def test_any_octets_are_decoded_or_malformed(file: type[ElementaryFile], octets: bytes) -> None:
    try:
        value = file.decode(octets)
        assert file.decode(value.encode()) == value
    except Malformed:
        return


@pytest.mark.parametrize("file", ALL_FILES)
def test_contents_that_do_not_fit_are_refused(file: type[ElementaryFile]) -> None:
    octets, values = max(file.EXAMPLES, key=lambda example: len(file(**example[1]).encode()))
    least = len(file(**values).encode())
    assert least <= len(octets) // 2
    with pytest.raises(Malformed, match=file.NAME.replace(".", r"\.")):
        file(**values).encode(least - 1)


def test_a_key_is_not_in_a_repr() -> None:
    assert "77" not in repr(usim.Keys(1, b"\x77" * 16, b"\x77" * 16))
    assert "77" not in repr(usim.GsmKey(b"\x77" * 8))


def test_text_that_is_not_utf8() -> None:
    with pytest.raises(Malformed, match="not UTF-8"):
        isim.Impi.decode(b"\x80\x02\xc3\x28")
    with pytest.raises(Malformed, match="UTF-8"):
        isim.Impi("\ud800").encode()


@pytest.mark.parametrize("octets", ["8003030102", "80020101", "80030201ff", "8010"])
def test_addresses_that_are_none(octets: str) -> None:
    with pytest.raises(Malformed):
        isim.PCscf.decode(bytes.fromhex(octets))


def test_alpha_identifiers_in_ucs2() -> None:
    assert usim.decode_alpha(bytes.fromhex("8000e900e8ffff"), "x") == "éè"
    assert usim.decode_alpha(bytes.fromhex("81030869e94bff"), "x") == "iѩK"
    assert usim.decode_alpha(bytes.fromhex("8202053041b1"), "x") == "A\u0561"
    assert usim.encode_alpha("é", "x").hex() == "8000e9"
    with pytest.raises(Malformed):
        usim.decode_alpha(bytes.fromhex("80d800"), "x")
    with pytest.raises(Malformed):
        usim.encode_alpha("\ud800", "x")


@pytest.mark.parametrize(
    "value",
    [
        usim.AccessControlClasses(frozenset({16})),
        services.VoiceGroupStatus(frozenset({51})),
        isim.IsimServices(frozenset({0})),
        network.HomeSearchPeriod(256),
        network.Threshold(1 << 24),
        uicc.PreferredLanguages(("deu",)),
        uicc.Application(b"\xa0" * 4),
        usim.ServiceProviderName("x" * 17),
        isim.IsimAdministrativeData(0, b"\0"),
    ],
)
def test_values_that_have_no_coding(value: ElementaryFile) -> None:
    with pytest.raises(Malformed):
        value.encode()


@pytest.mark.parametrize(
    ("octets", "fault"),
    [
        ("9000", "without an access mode"),
        ("800101", "without a condition"),
        ("80020101" + "9000", "1 octet"),
        ("800101a400", "key reference"),
        ("800101b400", "condition with tag"),
        ("800101a000", ""),
    ],
)
def test_broken_access_rules(octets: str, fault: str) -> None:
    if not fault:  # an empty OR is "never", not a fault
        assert AccessRules.decode(bytes.fromhex(octets)).condition(READ) == NEVER
        return
    with pytest.raises(Malformed, match=fault):
        AccessRules.decode(bytes.fromhex(octets))


def test_conditions() -> None:
    rules = AccessRules((Rule(READ, ALWAYS), Rule(UPDATE, needs(PIN1, ADM1)), Rule(access.ACTIVATE, NEVER)))
    assert AccessRules.decode(rules.encode(60)) == rules
    assert str(rules.condition(READ)) == "always"
    assert str(rules.condition(UPDATE)) == "PIN1 or ADM1"
    assert str(rules.condition(access.DEACTIVATE)) == "never"
    assert rules.condition(UPDATE).is_met(frozenset({ADM1}))
    assert not rules.condition(UPDATE).is_met(frozenset())
    both = Condition((frozenset({PIN1, ADM1}),))
    assert AccessRules.decode(AccessRules((Rule(READ, both),)).encode()).condition(READ) == both
    assert str(both) == "PIN1 and ADM1"
    assert not both.is_met(frozenset({PIN1}))


def test_rules_that_multiply_are_bounded() -> None:
    pair = bytes.fromhex("a010a406830101950108a40683010a950108")
    octets = b"\x80\x01\x01\xaf\x81" + bytes([7 * len(pair)]) + 7 * pair
    with pytest.raises(Malformed, match="64"):
        AccessRules.decode(octets)
