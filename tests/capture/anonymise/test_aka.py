"""Challenges made anew: the MAC is the new key's, SQN and AMF are the old ones, all else follows."""

import base64

import pytest

from imslab.aka import Milenage, Tuak, gba, generate_auts, generate_vector, open_autn, open_auts
from imslab.aka.digest import auts_text, nonce_for, parse_auts, parse_nonce, session_keys
from imslab.aka.functions import AkaFunctions
from imslab.aka.gsm import c2, c3
from imslab.aka.xor3g import Xor3g
from imslab.capture.anonymise.aka import describe
from imslab.errors import MacFailure
from tests.capture.anonymise.parts import OPC, K, Parts, parts

RAND, SQN, AMF = bytes(range(16)), bytes.fromhex("000000000120"), bytes.fromhex("8000")
MILENAGE = Milenage(K, OPC)
ALGORITHMS: list[AkaFunctions] = [
    MILENAGE,
    Tuak(bytes(range(32)), bytes(range(32)), mac_length=8, res_length=16, ck_length=32),
    Xor3g(OPC, res_length=12),
]


@pytest.mark.parametrize("old", ALGORITHMS, ids=lambda each: type(each).__name__)
def test_a_challenge_opens_with_the_new_key(old: AkaFunctions) -> None:
    made = parts(keys=(old,))
    vector = generate_vector(old, RAND, SQN, AMF)
    new_autn = made.challenges.autn(RAND, vector.autn)
    (new,) = made.challenges.made
    assert type(new) is type(old)
    assert new != old
    assert open_autn(new, made.challenges.rand(RAND), new_autn) == SQN
    assert new_autn[6:8] == AMF
    assert made.challenges.rand(RAND) != RAND
    with pytest.raises(MacFailure):
        open_autn(old, made.challenges.rand(RAND), new_autn)
    octets, rand = made.pseudonyms.octets, made.challenges.rand(RAND)
    assert [octets(value) for value in (vector.xres, vector.ck, vector.ik)] == [
        new.f2(rand),
        new.f3(rand),
        new.f4(rand),
    ]


def test_keys_that_follow_from_ck_and_ik_follow(keyed: Parts) -> None:
    vector = generate_vector(MILENAGE, RAND, SQN)
    keyed.challenges.note(RAND, vector.autn)
    (new,) = keyed.challenges.made
    rand, octets = keyed.challenges.rand(RAND), keyed.pseudonyms.octets
    ck, ik = new.f3(rand), new.f4(rand)
    assert octets(c3(vector.ck, vector.ik)) == c3(ck, ik)
    assert octets(c2(vector.xres)) == c2(new.f2(rand))
    for algorithm in ("AKAv2-MD5", "AKAv2-SHA-256"):
        old = session_keys(algorithm, vector.ck, vector.ik)
        assert tuple(map(octets, old)) == session_keys(algorithm, ck, ik)


def test_auts_says_the_same_sqn(keyed: Parts) -> None:
    keyed.challenges.note(RAND, generate_vector(MILENAGE, RAND, SQN).autn)
    auts = generate_auts(MILENAGE, RAND, SQN)
    keyed.challenges.note_auts(RAND, auts)
    new = parse_auts(keyed.challenges.auts(auts_text(auts)) or "")
    (functions,) = keyed.challenges.made
    assert open_auts(functions, keyed.challenges.rand(RAND), new) == SQN
    assert keyed.challenges.auts("not base64") is None


def test_an_auts_that_is_wrong_stays_wrong(keyed: Parts) -> None:
    keyed.challenges.note(RAND, generate_vector(MILENAGE, RAND, SQN).autn)
    keyed.challenges.note_auts(RAND, bytes(14))
    (functions,) = keyed.challenges.made
    with pytest.raises(MacFailure):
        open_auts(functions, keyed.challenges.rand(RAND), keyed.pseudonyms.octets(bytes(14)))


def test_a_nonce_keeps_its_form_and_its_server_data_moves(keyed: Parts) -> None:
    autn = generate_vector(MILENAGE, RAND, SQN).autn
    nonce = nonce_for(RAND, autn, b"server")
    keyed.challenges.note(RAND, autn)
    new = keyed.challenges.nonce(nonce)
    assert new is not None
    rand, new_autn, tail = parse_nonce(new)
    assert (rand, new_autn) == (keyed.challenges.rand(RAND), keyed.challenges.autn(RAND, autn))
    assert len(new) == len(nonce)
    assert tail not in (b"", b"server")
    assert keyed.challenges.nonce(nonce.rstrip("=")) == new[: len(nonce.rstrip("="))]
    assert keyed.challenges.nonce("dcd98b7102dd2f0e8b11d0f600bfb0c093") is None
    assert keyed.challenges.nonce(base64.b64encode(bytes(40)).decode()) is None  # no challenge that was seen


def test_without_a_key_a_challenge_is_another_and_amf_stays(made: Parts) -> None:
    autn = generate_vector(MILENAGE, RAND, SQN, AMF).autn
    new = made.challenges.autn(RAND, autn)
    assert new[6:8] == AMF
    assert new[:6] != autn[:6]
    assert new[8:] != autn[8:]
    assert made.challenges.autn(RAND, autn) == new
    assert (made.challenges.made, made.challenges.count, made.challenges.opened) == ([], 1, {})


def test_what_the_capture_itself_says_of_a_vector_is_enough_for_a_digest(made: Parts) -> None:
    vector = generate_vector(MILENAGE, RAND, SQN)
    nonce = nonce_for(RAND, vector.autn)
    assert made.challenges.secrets(nonce) is None
    made.challenges.note_vector(RAND, res=vector.xres, ck=b"", ik=b"")
    secrets = made.challenges.secrets(nonce)
    assert secrets == ({"res": vector.xres}, {"res": made.pseudonyms.octets(vector.xres)})


def test_the_name_of_a_bootstrapping_follows_its_rand(keyed: Parts) -> None:
    new = keyed.challenges.rand(RAND)
    assert keyed.texts.name(gba.b_tid(RAND, "bsf.example.com")).startswith(gba.b_tid(new, ""))


def test_the_keys_of_a_web_application_follow(keyed: Parts) -> None:
    vector = generate_vector(MILENAGE, RAND, SQN)
    naf, new_naf = gba.naf_id("naf.example.com"), gba.naf_id("naf.another.com")
    assert keyed.challenges.naf_keys(RAND, ("impi", naf), ("new", new_naf)) == []
    keyed.challenges.note(RAND, vector.autn)
    (functions,) = keyed.challenges.made
    rand = keyed.challenges.rand(RAND)
    (me, uicc) = keyed.challenges.naf_keys(RAND, ("impi", naf), ("new", new_naf))
    ks = gba.ks(functions.f3(rand), functions.f4(rand))
    assert me == (
        gba.ks_naf(gba.ks(vector.ck, vector.ik), RAND, "impi", naf),
        gba.ks_naf(ks, rand, "new", new_naf),
    )
    assert uicc[1] == gba.ks_int_naf(ks, rand, "new", new_naf)
    assert keyed.pseudonyms.octets(me[0]) == me[1]


def test_one_key_to_throw_away_for_all_subscribers() -> None:
    made = parts(keys=(MILENAGE, Milenage(OPC, K)))
    assert len(made.challenges.made) == 1
    said = describe(made.challenges.made[0])
    assert set(said) == {"algorithm", "k", "opc"}
    assert said["k"] != K.hex()
    assert describe(ALGORITHMS[1])["res_length"] == 16
    assert describe(ALGORITHMS[2]) == {"algorithm": "xor", "k": OPC.hex(), "res_length": 12}


def test_a_key_shows_in_no_repr(keyed: Parts) -> None:
    keyed.challenges.note(RAND, generate_vector(MILENAGE, RAND, SQN).autn)
    assert K.hex() not in repr(keyed.challenges.opened)
    assert keyed.challenges.made[0].k.hex() not in repr(keyed.challenges.opened)  # type: ignore[attr-defined]
