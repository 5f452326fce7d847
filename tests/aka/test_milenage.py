"""Milenage against TS 35.207, TS 35.208 and TS 55.205."""

import copy
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from imslab.aka import Milenage, c2, c3, generate_auts, generate_vector, open_auts
from imslab.data import vectors
from imslab.errors import MacFailure, Malformed
from imslab.octets import xor

VECTORS = vectors("milenage")
SET1 = VECTORS["sets"][0]


def by_id(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("v", VECTORS[name], ids=[v["id"] for v in VECTORS[name]])


def octets(v: dict[str, Any], *names: str) -> list[bytes]:
    return [bytes.fromhex(v[name]) for name in names]


def set1() -> tuple[Milenage, bytes, bytes, bytes]:
    k, opc, rand, sqn, amf = octets(SET1, "K", "OPc", "RAND", "SQN", "AMF")
    return Milenage(k, opc), rand, sqn, amf


@by_id("sets")
def test_f1_to_f5_star(v: dict[str, Any]) -> None:
    k, opc, rand, sqn, amf = octets(v, "K", "OPc", "RAND", "SQN", "AMF")
    m = Milenage(k, opc)
    assert m.f1(rand, sqn, amf).hex() == v["f1"]
    assert m.f1_star(rand, sqn, amf).hex() == v["f1star"]
    assert m.f2(rand).hex() == v["f2"]
    assert m.f3(rand).hex() == v["f3"]
    assert m.f4(rand).hex() == v["f4"]
    assert m.f5(rand).hex() == v["f5"]
    assert m.f5_star(rand).hex() == v["f5star"]


@by_id("sets")
def test_op_is_bound_to_k(v: dict[str, Any]) -> None:
    k, op, opc = octets(v, "K", "OP", "OPc")
    assert Milenage.from_op(k, op).opc == opc


@by_id("sets")
def test_all_at_once_are_the_same_as_one_by_one(v: dict[str, Any]) -> None:
    k, opc, rand, sqn, amf = octets(v, "K", "OPc", "RAND", "SQN", "AMF")
    m = Milenage(k, opc)
    assert [x.hex() for x in m.f1_to_f5(rand, sqn, amf)] == [v[f] for f in ("f1", "f2", "f3", "f4", "f5")]
    assert [x.hex() for x in m.f2_to_f5(rand)] == [v[f] for f in ("f2", "f3", "f4", "f5")]


@by_id("sets")
def test_the_steps_lead_to_the_published_outputs(v: dict[str, Any]) -> None:
    k, opc, rand, sqn, amf = octets(v, "K", "OPc", "RAND", "SQN", "AMF")
    steps = Milenage(k, opc).steps(rand, sqn, amf)
    assert list(steps) == ["TEMP", "IN1", *(f"{name}{i}" for i in range(1, 6) for name in ("X", "OUT"))]
    assert steps["IN1"] == sqn + amf + sqn + amf
    aes = Cipher(algorithms.AES(k), modes.ECB()).encryptor()
    assert steps["TEMP"] == aes.update(xor(rand, opc))
    for i in range(1, 6):
        assert steps[f"OUT{i}"] == xor(aes.update(steps[f"X{i}"]), opc)
    assert (steps["OUT1"][:8].hex(), steps["OUT1"][8:].hex()) == (v["f1"], v["f1star"])
    assert (steps["OUT2"][:6].hex(), steps["OUT2"][8:].hex()) == (v["f5"], v["f2"])
    assert (steps["OUT3"].hex(), steps["OUT4"].hex()) == (v["f3"], v["f4"])
    assert steps["OUT5"][:6].hex() == v["f5star"]


@by_id("sets")
def test_derived_values(v: dict[str, Any]) -> None:
    k, opc, rand, sqn, amf = octets(v, "K", "OPc", "RAND", "SQN", "AMF")
    m, derived = Milenage(k, opc), v["derived"]
    vector = generate_vector(m, rand, sqn, amf)
    assert vector.autn.hex() == derived["AUTN"]
    assert generate_auts(m, rand, sqn).hex() == derived["AUTS_for_SQNMS_equal_SQN"]
    assert m.f1_star(rand, sqn, bytes(2)).hex() == derived["MAC_S_with_AMF_0000"]
    assert c2(vector.xres).hex() == derived["GSM_SRES_c2"]
    assert c3(vector.ck, vector.ik).hex() == derived["GSM_Kc_c3"]


@by_id("gsm")
def test_gsm_milenage(v: dict[str, Any]) -> None:
    k, opc, rand = octets(v, "Ki", "OPc", "RAND")
    res, ck, ik, _ = Milenage(k, opc).f2_to_f5(rand)
    assert c2(res).hex() == v["SRES1"]
    assert res[:4].hex() == v["SRES2"]
    assert c3(ck, ik).hex() == v["Kc"]


@by_id("auts")
def test_auts(v: dict[str, Any]) -> None:
    k, opc, rand, auts = octets(v, "K", "OPc", "RAND", "AUTS")
    m = Milenage(k, opc)
    if not v["mac_ok"]:
        with pytest.raises(MacFailure):
            open_auts(m, rand, auts)
        return
    assert open_auts(m, rand, auts).hex() == v["SQN_MS"]
    assert generate_auts(m, rand, bytes.fromhex(v["SQN_MS"])) == auts


BLOCK = bytes(16)
TAKES_16_OCTETS: dict[str, Callable[[bytes], object]] = {
    "k": lambda wrong: Milenage(wrong, BLOCK),
    "opc": lambda wrong: Milenage(BLOCK, wrong),
    "op": lambda wrong: Milenage.from_op(BLOCK, wrong),
    "rand": lambda wrong: Milenage(BLOCK, BLOCK).f2(wrong),
}


@pytest.mark.parametrize("length", [0, 15, 17, 32])
@pytest.mark.parametrize("name", TAKES_16_OCTETS)
def test_a_wrong_length_is_refused(name: str, length: int) -> None:
    with pytest.raises(Malformed, match=rf"{name} must be 16 octets, not {length}"):
        TAKES_16_OCTETS[name](bytes(length))


@pytest.mark.parametrize("function", ["f1", "f1_star", "f1_to_f5", "steps"])
@pytest.mark.parametrize(("sqn", "amf"), [(bytes(5), bytes(2)), (bytes(7), bytes(2)), (bytes(6), b"\0")])
def test_a_wrong_sqn_or_amf_is_refused(function: str, sqn: bytes, amf: bytes) -> None:
    with pytest.raises(Malformed, match="must be"):
        getattr(Milenage(bytes(16), bytes(16)), function)(bytes(16), sqn, amf)


def test_text_is_not_octets() -> None:
    text: Any = "0123456789abcdef"
    with pytest.raises(Malformed, match="must be bytes"):
        Milenage(text, bytes(16))
    with pytest.raises(Malformed, match="must be bytes"):
        Milenage(bytes(16), bytes(16)).f2(text)


def test_secrets_are_not_in_the_repr() -> None:
    m, *_ = set1()
    assert repr(m) == "Milenage()"


def test_copies_are_equal_and_compute_the_same() -> None:
    m, rand, *_ = set1()
    for twin in (copy.copy(m), copy.deepcopy(m), pickle.loads(pickle.dumps(m))):
        assert twin == m
        assert hash(twin) == hash(m)
        assert twin.f2(rand) == m.f2(rand)


def test_a_changing_buffer_does_not_change_the_key() -> None:
    buffer: Any = bytearray(16)
    m = Milenage(buffer, bytes(16))
    buffer[0] = 1
    assert m == Milenage(bytes(16), bytes(16))


def test_threads_may_share_one_subscriber() -> None:
    m, rand, sqn, amf = set1()
    expected = m.f1_to_f5(rand, sqn, amf)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: m.f1_to_f5(rand, sqn, amf), range(2000)))
    assert all(result == expected for result in results)
