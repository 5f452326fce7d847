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


def by_hand(k: bytes, instance: int, rand: bytes, amf: bytes = bytes(2), sqn: bytes = bytes(6)) -> bytes:
    """Return OUT for TOPc = 00..1f, with the INSTANCE octet written by hand (TS 35.231, 6.2 to 6.6)."""
    fields = (bytes(range(32)), bytes([instance]), b"TUAK1.0", rand, amf, sqn, k)
    filled = b"".join(field[::-1] for field in fields).ljust(96, b"\0")
    return keccak_f1600(filled + b"\x1f" + bytes(38) + b"\x80" + bytes(64))


@pytest.mark.parametrize(("k_length", "k_bit"), [(16, 0), (32, 1)])
def test_the_instance_octet_holds_every_length(k_length: int, k_bit: int) -> None:
    k, rand, sqn, amf = b"k" * k_length, b"r" * 16, b"s" * 6, b"am"
    for mac_length, bits in ((8, 0x08), (16, 0x10), (32, 0x20)):
        m = Tuak(k, bytes(range(32)), mac_length=mac_length)
        assert m.f1(rand, sqn, amf) == by_hand(k, bits | k_bit, rand, amf, sqn)[:mac_length][::-1]
        star = by_hand(k, 0x80 | bits | k_bit, rand, amf, sqn)
        assert m.f1_star(rand, sqn, amf) == star[:mac_length][::-1]
    for res_length, bits in ((4, 0x00), (8, 0x08), (16, 0x10), (32, 0x20)):
        for ck_length, ck_bit in ((16, 0), (32, 4)):
            for ik_length, ik_bit in ((16, 0), (32, 2)):
                m = Tuak(k, bytes(range(32)), 8, res_length, ck_length, ik_length)
                out = by_hand(k, 0x40 | bits | ck_bit | ik_bit | k_bit, rand)
                slices = (out[:res_length], out[32 : 32 + ck_length], out[64 : 64 + ik_length], out[96:102])
                assert m.f2_to_f5(rand) == tuple(part[::-1] for part in slices)
    assert m.f5_star(rand) == by_hand(k, 0xC0 | k_bit, rand)[96:102][::-1]


def test_what_is_not_said_is_8_8_16_16_and_once() -> None:
    k, value = bytes(16), bytes(32)
    assert Tuak(k, value) == Tuak(k, value, 8, 8, 16, 16, 1)
    assert Tuak.from_top(k, value) == Tuak.from_top(k, value, 8, 8, 16, 16, 1)


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
