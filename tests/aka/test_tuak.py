"""TUAK against TS 35.232 and TS 35.233, and Keccak under it."""

from typing import Any

import pytest

from imslab.aka import Tuak, generate_auts, generate_vector, open_autn, open_auts
from imslab.aka.keccak import keccak_f1600
from imslab.data import vectors
from imslab.errors import Malformed

VECTORS = vectors("tuak")
sets = pytest.mark.parametrize("v", VECTORS["sets"], ids=[v["id"] for v in VECTORS["sets"]])


def octets(v: dict[str, Any], *names: str) -> list[bytes]:
    return [bytes.fromhex(v[name]) for name in names]


def lengths(v: dict[str, Any]) -> tuple[int, int, int, int, int]:
    mac, res, ck, ik = (v[name] // 8 for name in ("mac_bits", "res_bits", "ck_bits", "ik_bits"))
    return mac, res, ck, ik, v["keccak_iterations"]


def tuak(v: dict[str, Any]) -> Tuak:
    k, topc = octets(v, "K", "TOPc")
    return Tuak(k, topc, *lengths(v))


@sets
def test_f1_to_f5_star(v: dict[str, Any]) -> None:
    rand, sqn, amf = octets(v, "RAND", "SQN", "AMF")
    m = tuak(v)
    assert m.f1(rand, sqn, amf).hex() == v["f1"]
    assert m.f1_star(rand, sqn, amf).hex() == v["f1star"]
    assert m.f2(rand).hex() == v["f2"]
    assert m.f3(rand).hex() == v["f3"]
    assert m.f4(rand).hex() == v["f4"]
    assert m.f5(rand).hex() == v["f5"]
    assert m.f5_star(rand).hex() == v["f5star"]
    assert [x.hex() for x in m.f1_to_f5(rand, sqn, amf)] == [v[f] for f in ("f1", "f2", "f3", "f4", "f5")]


@sets
def test_top_is_bound_to_k(v: dict[str, Any]) -> None:
    k, top, topc = octets(v, "K", "TOP", "TOPc")
    assert Tuak.from_top(k, top, *lengths(v)).topc == topc


@sets
def test_autn_and_auts_carry_the_first_8_octets_of_the_mac(v: dict[str, Any]) -> None:
    rand, sqn, amf = octets(v, "RAND", "SQN", "AMF")
    m = tuak(v)
    vector = generate_vector(m, rand, sqn, amf)
    assert vector.autn[8:].hex() == v["f1"][:16]
    assert open_autn(m, rand, vector.autn) == sqn
    auts = generate_auts(m, rand, sqn)
    assert len(auts) == 14
    assert open_auts(m, rand, auts) == sqn


def test_iterations_change_topc() -> None:
    assert Tuak.from_top(bytes(16), bytes(32)).topc != Tuak.from_top(bytes(16), bytes(32), iterations=2).topc


@pytest.mark.parametrize("v", VECTORS["keccak"], ids=[v["id"] for v in VECTORS["keccak"]])
def test_keccak(v: dict[str, Any]) -> None:
    assert keccak_f1600(bytes.fromhex(v["input"])).hex() == v["output"]


@pytest.mark.parametrize("length", [0, 199, 201])
def test_keccak_takes_200_octets(length: int) -> None:
    with pytest.raises(Malformed, match="200 octets"):
        keccak_f1600(bytes(length))


@pytest.mark.parametrize(
    "wrong",
    [
        {"k": bytes(24)},
        {"topc": bytes(16)},
        {"mac_length": 4},
        {"res_length": 12},
        {"ck_length": 24},
        {"ik_length": 8},
        {"iterations": 0},
        {"iterations": 256},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_wrong_length_is_refused(wrong: Any) -> None:
    with pytest.raises(Malformed, match=f"{next(iter(wrong))} must be"):
        Tuak(**{"k": bytes(16), "topc": bytes(32)} | wrong)


@pytest.mark.parametrize("function", ["f2", "f3", "f4", "f5", "f5_star", "f2_to_f5"])
def test_a_wrong_rand_is_refused(function: str) -> None:
    with pytest.raises(Malformed, match="rand must be 16 octets"):
        getattr(Tuak(bytes(16), bytes(32)), function)(bytes(15))


def test_secrets_are_not_in_the_repr() -> None:
    shown = repr(Tuak(b"K" * 16, b"T" * 32))
    assert "K" * 4 not in shown
    assert "TTTT" not in shown
