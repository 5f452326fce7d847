import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imslab.data import path
from imslab.errors import ImslabError, Malformed
from imslab.uicc import Card, Profile
from imslab.uicc.identity import home_domain, private_identity, public_identity

MINIMAL = {"imsi": "001010000000001", "k": "00" * 16, "opc": "11" * 16}
SECRET = "465b5ce8b199b49faa5f0a2ee238a6bc"
NAMES = [file.stem for file in sorted(path("profiles").glob("*.json"))]


@pytest.mark.parametrize("name", NAMES)
def test_the_profiles_of_the_lab(name: str) -> None:
    profile = Profile.load(path("profiles", f"{name}.json"))
    assert profile.name == name
    assert profile.imsi.startswith("00101")
    assert "3GPP TS 35." in profile.source
    assert Profile.from_dict(profile.to_dict()) == profile
    Card(profile)


def test_alice_bob_and_carol_are_there() -> None:
    assert set(NAMES) >= {"alice", "bob", "carol"}
    keys = {Profile.load(path("profiles", f"{name}.json")).k for name in NAMES}
    assert len(keys) == len(NAMES)


@pytest.mark.parametrize("suffix", [".json", ".yaml", ".yml"])
def test_save_and_load(alice: Profile, tmp_path: Path, suffix: str) -> None:
    alice.save(tmp_path / f"alice{suffix}")
    assert Profile.load(tmp_path / f"alice{suffix}") == alice


def test_what_is_left_out_follows_from_the_imsi() -> None:
    profile = Profile.from_dict({**MINIMAL, "imsi": "310410123456789", "mnc_length": 3})
    assert profile.domain == "ims.mnc410.mcc310.3gppnetwork.org"
    assert profile.impi == f"310410123456789@{profile.domain}"
    assert profile.impu == (f"sip:{profile.impi}",)
    assert profile.name == profile.imsi
    assert len(profile.iccid) == 19


def test_the_derived_iccid_has_its_check_digit() -> None:
    digits = [int(digit) for digit in reversed(Profile.from_dict(MINIMAL).iccid)]
    doubled = [digit if n % 2 == 0 else digit * 2 - 9 * (digit > 4) for n, digit in enumerate(digits)]
    assert sum(doubled) % 10 == 0


def test_no_secret_in_a_repr(alice: Profile) -> None:
    for text in (repr(alice), str(alice)):
        assert SECRET not in text
        assert repr(alice.k) not in text
        assert alice.pin1 not in text.replace(alice.iccid, "").replace(alice.imsi, "")
        assert alice.adm not in text


def refused(values: dict[str, object]) -> str:
    with pytest.raises(Malformed) as caught:
        Profile.from_dict(values, where="field.json")
    assert str(caught.value).startswith("field.json: ")
    return str(caught.value)


@pytest.mark.parametrize("key", ["imsi", "k"])
def test_a_missing_key_is_named(key: str) -> None:
    assert f"'{key}' is missing" in refused({**MINIMAL, key: None})
    assert f"'{key}' is missing" in refused({name: value for name, value in MINIMAL.items() if name != key})


def test_a_missing_or_doubled_operator_value_is_named() -> None:
    assert "opc" in refused({"imsi": "001010000000001", "k": "00" * 16})
    assert "opc" in refused({**MINIMAL, "op": "22" * 16})
    assert "topc" in refused({**MINIMAL, "algorithm": "tuak"})


def test_an_unknown_key_is_named() -> None:
    assert "unknown key 'opcc'" in refused({**MINIMAL, "opcc": "00"})
    assert "unknown key '5'" in refused({**MINIMAL, 5: "00"})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("k", SECRET[:-1]),
        ("k", SECRET[:-2]),
        ("k", SECRET.replace("b", "x")),
        ("k", 5),
        ("opc", SECRET + "00"),
        ("sqn", "00"),
        ("sqn", "0000000000001"),
        ("imsi", 1010000000001),
        ("imsi", "00101"),
        ("imsi", "0010100000000011"),
        ("imsi", "00101000000000a"),
        ("mnc_length", 4),
        ("mnc_length", "2"),
        ("mnc_length", True),
        ("impu", "x\ud800"),
        ("impu", [5]),
        ("impu", [""]),
        ("impu", 5),
        ("impu", ["sip:" + "x" * 300]),
        ("impi", 7),
        ("pin1", "123"),
        ("pin1", "secret"),
        ("puk1", "1234567"),
        ("adm", ""),
        ("ist", [0]),
        ("ist", [256]),
        ("ist", ["a"]),
        ("ist", [[1]]),
        ("ist", 5),
        ("isim", "yes"),
        ("iccid", "89a"),
        ("msisdn", "+49 89"),
        ("algorithm", "milenage2"),
        ("algorithm", 5),
        ("ind_length", 17),
        ("delta", 0),
        ("iterations", "1"),
        ("atr", "3"),
        ("spn", "a name that is much too long"),
        ("pcscf", ["x" * 255]),
    ],
)
def test_a_wrong_value_is_refused_without_repeating_a_secret(key: str, value: object) -> None:
    values = {**MINIMAL, key: value}
    with pytest.raises(Malformed) as caught:
        Card(Profile.from_dict(values, where="field.json"))
    assert SECRET[:8] not in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", ""),
        ("a.json", "{"),
        ("a.json", "[" * 100_000),
        ("a.json", "[]"),
        ("a.json", "5"),
        ("a.json", '{"imsi": NaN, "k": "00"}'),
        ("a.json", "9" * 5000),
        ("a.json", "\udcff"),
        ("a.yaml", "{"),
        ("a.yaml", "a: [b"),
        ("a.yaml", "!!python/object/apply:os.system [x]"),
        ("a.yaml", "2020-99-99"),
        ("a.yaml", "- 5"),
        ("a.yml", "\x00"),
    ],
)
def test_a_file_that_is_no_profile_is_named(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, "utf-8", "surrogateescape")
    with pytest.raises(Malformed, match=name.replace(".", r"\.")):
        Profile.load(tmp_path / name)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Malformed, match=r"nobody\.json: cannot be read \(No such file"):
        Profile.load(tmp_path / "nobody.json")
    with pytest.raises(Malformed, match="cannot be read"):
        Profile.load(tmp_path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
KEYS = st.sampled_from(sorted(Profile.from_dict(MINIMAL).to_dict()))


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(KEYS, JSON, max_size=3))
def test_any_values_make_a_card_or_malformed(values: dict[str, object]) -> None:
    try:
        profile = Profile.from_dict({**MINIMAL, **values})
        Card(profile)
    except ImslabError:
        return
    assert Profile.from_dict(json.loads(json.dumps(profile.to_dict()))) == profile


@pytest.mark.parametrize(
    ("imsi", "length", "domain"),
    [
        ("234150999999999", 2, "ims.mnc015.mcc234.3gppnetwork.org"),
        ("234150999999999", 3, "ims.mnc150.mcc234.3gppnetwork.org"),
        ("001010", 2, "ims.mnc001.mcc001.3gppnetwork.org"),
    ],
)
def test_identities_that_follow_from_the_imsi(imsi: str, length: int, domain: str) -> None:
    assert home_domain(imsi, length) == domain
    assert private_identity(imsi, length) == f"{imsi}@{domain}"
    assert public_identity(imsi, length) == f"sip:{imsi}@{domain}"


@pytest.mark.parametrize(
    ("imsi", "length"),
    [("00101", 2), ("0" * 16, 2), ("0010a0", 2), ("００１０１０", 2), ("001010", 1), ("001010", 4)],
)
def test_imsis_that_are_none(imsi: str, length: int) -> None:
    with pytest.raises(Malformed):
        home_domain(imsi, length)
