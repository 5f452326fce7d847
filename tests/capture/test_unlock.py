"""Keys for a capture: how they are given, which of them is tried, what they refuse."""

from pathlib import Path

import pytest

from imslab.aka import Milenage, Tuak, generate_vector
from imslab.capture.unlock import Key, Keyring, Opened, keyring
from imslab.data import profile_path
from imslab.errors import MacFailure, Malformed
from imslab.sip import Credentials
from imslab.uicc import Profile

K, OP, OPC = (
    bytes.fromhex("465b5ce8b199b49faa5f0a2ee238a6bc"),
    bytes.fromhex("cdc202d5123e20f62b6d676ac72cb318"),
    bytes.fromhex("cd63cb71954a9f4e48a5994e37a02baf"),
)
RAND, SQN = bytes(range(16)), bytes(6)
VECTOR = generate_vector(Milenage(K, OPC), RAND, SQN)


@pytest.mark.parametrize(
    "given",
    [
        {"k": K, "opc": OPC},
        {"k": K, "op": OP},
        {"k": K.hex(), "opc": OPC.hex()},
        {"k": f"0x{K.hex()}", "op": OP.hex(" ")},
    ],
    ids=["octets", "OP", "hex", "hex with spaces"],
)
def test_k_opens_the_challenge(given: dict[str, bytes | str]) -> None:
    opened = keyring(**given).open("whoever", RAND, VECTOR.autn)
    assert opened is not None
    assert (opened.sqn, opened.res, opened.ck, opened.ik) == (SQN, VECTOR.xres, VECTOR.ck, VECTOR.ik)


def test_a_profile_opens_only_its_own(tmp_path: Path) -> None:
    alice = Profile.load(profile_path("alice"))
    for profile in (alice, profile_path("alice"), str(profile_path("alice")), [alice]):
        keys = keyring(profile=profile)
        opened = keys.open(alice.impi, RAND, VECTOR.autn)
        assert opened is not None
        assert opened.sqn == SQN
        assert keys.open("bob@elsewhere", RAND, VECTOR.autn) is None


def test_tuak_profiles_open_too() -> None:
    carol = Profile.load(profile_path("carol"))
    assert isinstance(carol.functions, Tuak)
    vector = generate_vector(carol.functions, RAND, SQN)
    opened = keyring(profile=carol).open(carol.impi, RAND, vector.autn)
    assert opened is not None
    assert opened.res == vector.xres


def test_the_key_that_fits_is_found_among_several() -> None:
    keys = Keyring([Key(Milenage(OPC, K)), Key(Milenage(K, OPC))])
    opened = keys.open("", RAND, VECTOR.autn)
    assert opened is not None
    assert opened.res == VECTOR.xres


TOLD = Opened(b"", b"res", b"c" * 16, b"i" * 16, source="Cx")


def test_what_the_capture_tells_is_asked_where_no_key_is_for_a_subscriber() -> None:
    asked: list[tuple[bytes, bytes]] = []

    def told(rand: bytes, autn: bytes) -> Opened | None:
        asked.append((rand, autn))
        return TOLD

    alice = Profile.load(profile_path("alice"))
    assert keyring().knowing(told).open("", RAND, VECTOR.autn) is TOLD
    assert keyring(profile=alice).knowing(told).open("bob@elsewhere", RAND, VECTOR.autn) is TOLD
    assert asked == [(RAND, VECTOR.autn)] * 2
    opened = keyring(k=K, opc=OPC).knowing(told).open("", RAND, VECTOR.autn)
    assert opened is not None and opened.source == "key"
    with pytest.raises(MacFailure):  # a key that was given and is wrong stays wrong
        keyring(k=K, opc=OP).knowing(told).open("", RAND, VECTOR.autn)
    assert len(asked) == 2
    assert keyring().told(RAND, VECTOR.autn) is keyring().knowing(told).told(RAND, b"") is None


def test_what_can_be_judged() -> None:
    key = keyring(k=K, opc=OPC).open("", RAND, VECTOR.autn)
    assert key is not None
    answer, resync = (Credentials.parse(f'Digest response="{"0" * 32}"{more}') for more in ("", ', auts="x"'))
    silent = Credentials.parse('Digest response=""')
    ck_ik = Opened(b"", b"", bytes(16), bytes(16), source="401")
    judged = [[one.judges(given) for given in (answer, resync, silent)] for one in (key, TOLD, ck_ik)]
    assert judged == [[True, True, False], [True, False, False], [False, False, False]]


def test_no_secret_of_an_opened_challenge_is_shown() -> None:
    one = Opened(b"", b"resresres", b"ckckck", b"ikikik", source="Cx", password="pwpwpw")
    assert repr(one) == "Opened(sqn=b'', source='Cx')"


def test_no_key_says_nothing_and_a_wrong_key_says_no() -> None:
    assert keyring().open("", RAND, VECTOR.autn) is None
    with pytest.raises(MacFailure):
        keyring(k=K, opc=OP).open("", RAND, VECTOR.autn)


@pytest.mark.parametrize(
    "given",
    [
        {"k": K},
        {"k": K, "op": OP, "opc": OPC},
        {"opc": OPC},
        {"k": b"short", "opc": OPC},
        {"k": "4g", "opc": OPC},
        {"profile": 7},
        {"profile": "no such file.json"},
    ],
)
def test_keys_that_are_none_are_refused(given: dict[str, object]) -> None:
    with pytest.raises(Malformed) as caught:
        keyring(**given)  # type: ignore[arg-type]
    assert K.hex() not in str(caught.value)


def test_secrets_are_not_in_the_repr() -> None:
    keys = keyring(k=K, opc=OPC)
    opened = keys.open("", RAND, VECTOR.autn)
    for secret in (K, OPC, VECTOR.xres, VECTOR.ck, VECTOR.ik):
        assert secret.hex() not in repr(keys.keys) + repr(opened)
        assert repr(secret) not in repr(keys.keys) + repr(opened)
