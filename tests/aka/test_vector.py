"""Authentication vectors and the USIM's checks, in the order of TS 33.102, section 6.3.3."""

from typing import Any

import pytest

from imslab.aka import (
    AkaFunctions,
    AuthenticationVector,
    Milenage,
    SqnArray,
    Tuak,
    Xor3g,
    authenticate,
    c2,
    c3,
    functions_for,
    generate_auts,
    generate_vector,
    open_autn,
    open_auts,
)
from imslab.aka.sqn import join_sqn
from imslab.data import vectors
from imslab.errors import MacFailure, Malformed, SyncFailure

M = Milenage(b"\x01" * 16, b"\x02" * 16)
RAND = b"\x03" * 16


def flipped(octets: bytes, position: int) -> bytes:
    return octets[:position] + bytes([octets[position] ^ 1]) + octets[position + 1 :]


def test_the_parts_of_autn() -> None:
    vector = generate_vector(M, RAND, join_sqn(9, 1), b"\x80\0")
    assert vector.sqn_xor_ak + vector.amf + vector.mac_a == vector.autn
    assert [len(part) for part in (vector.sqn_xor_ak, vector.amf, vector.mac_a)] == [6, 2, 8]
    assert vector.amf == b"\x80\0"


@pytest.mark.parametrize("position", range(16))
def test_every_octet_of_autn_is_covered(position: int) -> None:
    vector = generate_vector(M, RAND, join_sqn(9, 1))
    with pytest.raises(MacFailure):
        open_autn(M, RAND, flipped(vector.autn, position))


@pytest.mark.parametrize("position", range(14))
def test_every_octet_of_auts_is_covered(position: int) -> None:
    with pytest.raises(MacFailure):
        open_auts(M, RAND, flipped(generate_auts(M, RAND, join_sqn(9, 1)), position))


def test_auts_belongs_to_one_challenge() -> None:
    auts = generate_auts(M, RAND, join_sqn(9, 1))
    with pytest.raises(MacFailure):
        open_auts(M, bytes(16), auts)


@pytest.mark.parametrize(
    "m", [M, Tuak(bytes(16), bytes(32)), Xor3g(bytes(16))], ids=["milenage", "tuak", "xor"]
)
def test_the_card_answers_what_the_network_expects(m: AkaFunctions) -> None:
    vector = generate_vector(m, RAND, join_sqn(9, 1))
    answer, array = authenticate(m, SqnArray(), RAND, vector.autn)
    assert (answer.res, answer.ck, answer.ik) == (vector.xres, vector.ck, vector.ik)
    assert array == SqnArray({1: 9})


def test_a_stale_sqn_gives_auts_with_the_highest_sqn() -> None:
    vector = generate_vector(M, RAND, join_sqn(9, 1))
    with pytest.raises(SyncFailure) as failure:
        authenticate(M, SqnArray({1: 9, 4: 20}), RAND, vector.autn)
    assert open_auts(M, RAND, failure.value.auts) == join_sqn(20, 4)


SYNC = [v for v in vectors("isim_files")["authenticate_kat"] if "card_sqn_ms" in v]


@pytest.mark.parametrize("v", SYNC, ids=[v["id"] for v in SYNC])
def test_mac_is_checked_before_sqn(v: dict[str, Any]) -> None:
    k, opc, rand, autn, sqn_ms = (bytes.fromhex(v[n]) for n in ("K", "OPc", "rand", "autn", "card_sqn_ms"))
    array = SqnArray.from_highest(sqn_ms, delta=None)
    if v["sw"] == "9862":
        with pytest.raises(MacFailure):
            authenticate(Milenage(k, opc), array, rand, autn)
        return
    with pytest.raises(SyncFailure) as failure:
        authenticate(Milenage(k, opc), array, rand, autn)
    assert failure.value.auts.hex() == v["auts"]


def test_a_real_card() -> None:
    v = next(v for v in vectors("isim_files")["authenticate_kat"] if v["id"] == "auth-real-sysmoISIM-SJA5")
    k, op, rand, autn = (bytes.fromhex(v[name]) for name in ("K", "OP", "rand", "autn"))
    answer, _ = authenticate(functions_for("milenage", k, op=op), SqnArray(), rand, autn)
    assert (answer.res.hex(), answer.ck.hex(), answer.ik.hex()) == (v["res"], v["ck"], v["ik"])
    assert c3(answer.ck, answer.ik).hex() == v["kc"]


def test_no_secret_in_a_repr() -> None:
    vector = generate_vector(M, RAND, bytes(6))
    answer, _ = authenticate(M, SqnArray(), RAND, generate_vector(M, RAND, join_sqn(1, 0)).autn)
    assert repr(vector) == f"AuthenticationVector(rand={RAND!r}, autn={vector.autn!r})"
    assert repr(answer) == "Answer()"


WRONG = {"rand": 15, "autn": 17, "xres": 3, "ck": 24, "ik": 8}


@pytest.mark.parametrize("name", ["ck", "ik"])
@pytest.mark.parametrize("length", [15, 17, 31, 33])
def test_keys_have_16_or_32_octets(name: str, length: int) -> None:
    keys = {"ck": bytes(32), "ik": bytes(32)}
    assert AuthenticationVector(bytes(16), bytes(16), bytes(32), **keys)
    with pytest.raises(Malformed, match=f"{name} must be 16 or 32 octets, not {length}"):
        AuthenticationVector(bytes(16), bytes(16), bytes(8), **keys | {name: bytes(length)})


@pytest.mark.parametrize("name", WRONG)
def test_a_vector_with_a_wrong_length_is_malformed(name: str) -> None:
    right: dict[str, Any] = {
        "rand": bytes(16),
        "autn": bytes(16),
        "xres": bytes(8),
        "ck": bytes(16),
        "ik": bytes(16),
    }
    with pytest.raises(Malformed, match=f"{name} must be"):
        AuthenticationVector(**right | {name: bytes(WRONG[name])})
    with pytest.raises(Malformed, match="xres must be"):
        AuthenticationVector(**right | {"xres": bytes(33)})


def test_wrong_lengths_are_malformed() -> None:
    with pytest.raises(Malformed, match="autn must be 16"):
        open_autn(M, RAND, bytes(15))
    with pytest.raises(Malformed, match="auts must be 14"):
        open_auts(M, RAND, bytes(11))
    with pytest.raises(Malformed, match="sqn_ms must be 6"):
        generate_auts(M, RAND, bytes(5))
    with pytest.raises(Malformed, match="amf must be 2"):
        generate_vector(M, RAND, bytes(6), b"")


@pytest.mark.parametrize(
    ("res", "sres"),
    [
        ("01020304", "01020304"),
        ("0102030410203040", "11223344"),
        ("01" * 12, "01010101"),
        ("01" * 16, "00000000"),
    ],
)
def test_c2_takes_res_of_any_length(res: str, sres: str) -> None:
    assert c2(bytes.fromhex(res)).hex() == sres


def test_conversions_refuse_what_gsm_cannot_use() -> None:
    with pytest.raises(Malformed, match="res must be"):
        c2(bytes(17))
    with pytest.raises(Malformed, match="res must be"):
        c2(bytes(3))
    with pytest.raises(Malformed, match="ck must be 16"):
        c3(bytes(32), bytes(16))
    with pytest.raises(Malformed, match="ik must be 16"):
        c3(bytes(16), bytes(32))


def test_choice_of_algorithm() -> None:
    k, value = bytes(16), bytes(range(16))
    assert functions_for("Milenage", k, opc=value) == Milenage(k, value)
    assert functions_for("milenage", k, op=value) == Milenage.from_op(k, value)
    assert functions_for("xor", k) == Xor3g(k)
    assert functions_for("xor", k, res_length=8) == Xor3g(k, 8)
    assert functions_for("tuak", k, topc=value * 2) == Tuak(k, value * 2)
    made = functions_for("TUAK", k, top=value * 2, mac_length=16, res_length=4, ck_length=32, iterations=2)
    assert made == Tuak.from_top(k, value * 2, 16, 4, 32, 16, 2)


@pytest.mark.parametrize(
    ("algorithm", "given"),
    [
        ("milenage", {}),
        ("milenage", {"op": bytes(16), "opc": bytes(16)}),
        ("tuak", {"opc": bytes(16)}),
        ("tuak", {"topc": bytes(16)}),
        ("comp128", {"opc": bytes(16)}),
    ],
)
def test_a_choice_that_cannot_be_made_is_malformed(algorithm: str, given: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        functions_for(algorithm, bytes(16), **given)
