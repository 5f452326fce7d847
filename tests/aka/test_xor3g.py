"""The XOR test algorithm of TS 34.108, section 8.1.2."""

from typing import Any

import pytest

from imslab.aka import Xor3g, generate_auts, generate_vector, open_autn, open_auts
from imslab.data import vectors
from imslab.errors import Malformed

VECTORS = vectors("xor3g")["vectors"]


@pytest.mark.parametrize("v", VECTORS, ids=[v["id"] for v in VECTORS])
def test_vector_and_auts(v: dict[str, Any]) -> None:
    k, rand, sqn, amf = (bytes.fromhex(v[name]) for name in ("K", "RAND", "SQN", "AMF"))
    m = Xor3g(k)
    vector = generate_vector(m, rand, sqn, amf)
    assert vector.xres.hex() == v["RES"] == m.f2(rand).hex()
    assert vector.ck.hex() == v["CK"] == m.f3(rand).hex()
    assert vector.ik.hex() == v["IK"] == m.f4(rand).hex()
    assert m.f5(rand).hex() == v["AK"] == m.f5_star(rand).hex()
    assert vector.mac_a.hex() == v["MAC_A"] == m.f1(rand, sqn, amf).hex() == m.f1_star(rand, sqn, amf).hex()
    assert vector.autn.hex() == v["AUTN"]
    assert open_autn(m, rand, vector.autn) == sqn
    auts = generate_auts(m, rand, sqn)
    assert auts.hex() == v["AUTS_if_sqn_ms_is_SQN"]
    assert open_auts(m, rand, auts) == sqn


@pytest.mark.parametrize("length", [4, 8, 15, 16])
def test_res_can_be_cut(length: int) -> None:
    v = VECTORS[0]
    m = Xor3g(bytes.fromhex(v["K"]), length)
    assert m.f2(bytes.fromhex(v["RAND"])).hex() == v["RES"][: 2 * length]


@pytest.mark.parametrize("length", [0, 3, 17])
def test_a_wrong_res_length_is_refused(length: int) -> None:
    with pytest.raises(Malformed, match="res_length must be 4 to 16"):
        Xor3g(bytes(16), length)


def test_wrong_octets_are_refused() -> None:
    with pytest.raises(Malformed, match="k must be 16"):
        Xor3g(bytes(8))
    with pytest.raises(Malformed, match="rand must be 16"):
        Xor3g(bytes(16)).f2(bytes(8))
    with pytest.raises(Malformed, match="sqn must be 6"):
        Xor3g(bytes(16)).f1(bytes(16), bytes(5), bytes(3))


def test_the_key_is_not_in_the_repr() -> None:
    assert repr(Xor3g(b"K" * 16)) == "Xor3g(res_length=16)"
