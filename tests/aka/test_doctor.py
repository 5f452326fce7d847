"""The doctor names each fault that is made here, and finds none where there is none."""

import base64
import hashlib
from dataclasses import replace
from typing import Any

import pytest

from imslab.aka import Milenage, Tuak, Xor3g, digest, generate_auts, generate_vector
from imslab.aka.doctor import (
    CODES,
    Check,
    Diagnosis,
    Evidence,
    Result,
    explain,
    explain_known,
    known_reading,
)
from imslab.aka.doctor.causes import Fault, cause_of
from imslab.data import vectors
from imslab.errors import Malformed
from imslab.octets import xor

SET = vectors("milenage")["sets"][0]
K, OP, OPC, RAND, SQN, AMF = (bytes.fromhex(SET[name]) for name in ("K", "OP", "OPc", "RAND", "SQN", "AMF"))
M = Milenage(K, OPC)
VECTOR = generate_vector(M, RAND, SQN, AMF)
RES, CK, IK = VECTOR.xres, VECTOR.ck, VECTOR.ik
TOPC = bytes(range(32))
REQUEST: dict[str, Any] = {
    "method": "REGISTER",
    "uri": "sip:ims.mnc001.mcc001.3gppnetwork.org",
    "username": "001010000000001@ims.mnc001.mcc001.3gppnetwork.org",
    "realm": "ims.mnc001.mcc001.3gppnetwork.org",
    "qop": "auth",
    "nc": "0000000a",
    "cnonce": "0a4f113b",
    "body": b"",
}


def evidence(m: Any = M, **changes: Any) -> Evidence:
    """Return what is seen when nothing is wrong, with ``changes``."""
    vector = generate_vector(m, RAND, SQN, AMF)
    given = REQUEST | {"k": K, "opc": OPC, "nonce": digest.nonce_for(RAND, vector.autn)}
    return Evidence(**given | changes)


def answered(label: str = "AKAv1-MD5", /, m: Any = M, evidence_of: Any = None, **made: Any) -> Evidence:
    """Return evidence with a response that was made with ``made`` in place of what the message says."""
    e = evidence(**(evidence_of or {}), digest_algorithm=label)
    res, ck, ik, _ = m.f2_to_f5(RAND)
    request = {name: getattr(e, name) for name in REQUEST} | {
        "nonce": e.nonce,
        "res": res,
        "ck": ck,
        "ik": ik,
    }
    return replace(e, response=digest.response(made.pop("algorithm", label), **request | made))


def raw_response(e: Evidence, password: bytes, nc: str) -> str:
    """Return a response by RFC 7616 that hashes ``nc`` even when it is none."""

    def h(octets: bytes) -> str:
        return hashlib.md5(octets).hexdigest()

    a1 = h(f"{e.username}:{e.realm}:".encode() + password)
    a2 = h(f"{e.method}:{e.uri}".encode())
    return h(f"{a1}:{e.nonce}:{nc}:{e.cnonce}:{e.qop}:{a2}".encode())


def codes(diagnosis: Diagnosis) -> list[str]:
    return [cause.code for cause in diagnosis.causes]


def check(diagnosis: Diagnosis, name: str) -> Check:
    return next(check for check in diagnosis.checks if check.name == name)


# ---- nothing is wrong

AKA_NAMES = [name for name in digest.ALGORITHMS if digest.is_aka(name)]


@pytest.mark.parametrize("qop", [None, "auth", "auth-int"])
@pytest.mark.parametrize("algorithm", AKA_NAMES)
def test_a_right_answer_has_a_clean_bill(algorithm: str, qop: str | None) -> None:
    e = answered(algorithm, evidence_of={"qop": qop, "body": b"v=0\r\n"})
    found = explain(replace(e, res=RES, sqn=bytes(6), amf=AMF))
    assert found.ok
    assert found.cause is None
    assert found.tried == ()
    assert {c.name for c in found.checks} == {"MAC-A", "freshness", "RES", "response"}
    assert {c.result for c in found.checks} == {Result.RIGHT}
    assert "No fault found" in str(found)


@pytest.mark.parametrize(
    ("m", "given"),
    [
        (M, {"op": OP, "opc": None}),
        (M, {"op": OP}),
        (Tuak(K, TOPC), {"opc": None, "topc": TOPC}),
        (Tuak.from_top(K, TOPC), {"opc": None, "top": TOPC}),
        (Tuak(K, TOPC, 16, 32, 32, 32, 2), {"opc": None, "topc": TOPC, "mac_length": 16, "res_length": 32}
         | {"ck_length": 32, "ik_length": 32, "iterations": 2}),
        (Tuak(K * 2, TOPC), {"opc": None, "topc": TOPC, "k": K * 2}),
        (Xor3g(K), {"opc": None}),
        (Xor3g(K, 8), {"algorithm": "XOR", "res_length": 8}),
    ],
    ids=["op", "op and opc", "topc", "top", "long tuak", "long k", "xor", "short xor"],
)  # fmt: skip
@pytest.mark.parametrize("algorithm", ["AKAv1-MD5", "AKAv2-SHA-256"])
def test_all_credentials_have_a_clean_bill(algorithm: str, m: Any, given: dict[str, Any]) -> None:
    found = explain(answered(algorithm, m, {"m": m} | given))
    assert found.ok, str(found)
    assert check(found, "response").result is Result.RIGHT


SETS = {name: v for v in vectors("milenage")["sets"] for name in (v["id"], *v.get("same_as", ()))}
AKA_VECTORS = [
    v for name in ("akav1", "akav2") for v in vectors(name)["vectors"] if v.get("aka_basis") in SETS
]


@pytest.mark.parametrize("v", AKA_VECTORS, ids=[v["id"] for v in AKA_VECTORS])
def test_published_vectors_have_a_clean_bill(v: dict[str, Any]) -> None:
    names = ("method", "uri", "username", "realm", "nonce", "qop", "response")
    given = {name: v[name] for name in names} | {"nc": v.get("nc"), "cnonce": v.get("cnonce")}
    given |= {
        "body": bytes.fromhex(v["entity_body"]),
        "digest_algorithm": v["algorithm"],
        "auts": v.get("auts"),
    }
    k, opc = (bytes.fromhex(SETS[v["aka_basis"]][name]) for name in ("K", "OPc"))
    found = explain(Evidence(k=k, opc=opc, **given))
    assert found.ok, str(found)
    assert check(found, "response").result is Result.RIGHT


def test_a_right_auts_has_a_clean_bill() -> None:
    auts = generate_auts(M, RAND, b"\xff" * 6)
    e = answered(evidence_of={"auts": digest.auts_text(auts)}, password="")
    found = explain(e)
    assert found.ok, str(found)
    assert found.values["SQN_MS"] == "ff" * 6
    assert check(found, "AUTS").result is Result.RIGHT
    assert check(found, "SQN_MS").result is Result.NOTE
    assert explain(replace(e, auts=auts)).ok


def test_the_challenge_alone_has_a_clean_bill() -> None:
    found = explain(Evidence(rand=RAND, autn=VECTOR.autn, k=K, opc=OPC))
    assert found.ok
    assert found.parts == {"RAND": RAND, "SQN xor AK": VECTOR.sqn_xor_ak, "AMF": AMF, "MAC-A": VECTOR.mac_a}
    assert found.values["SQN"].startswith(SQN.hex())
    assert found.values["XMAC"] == VECTOR.mac_a.hex()


def test_server_data_is_split_off() -> None:
    found = explain(evidence(nonce=digest.nonce_for(RAND, VECTOR.autn, b"\x01\x02")))
    assert found.parts["server data"] == b"\x01\x02"


# ---- the network's side


def autn(m: Any = M, sqn: bytes = SQN, amf: bytes = AMF) -> bytes:
    return generate_vector(m, RAND, sqn, amf).autn


AUTN = VECTOR.autn
AS_TEXT = K.hex().encode()
OPC_AS_TEXT = OPC.hex().encode()
LONG = Tuak(K, TOPC, mac_length=16)

NETWORK_FAULTS = {
    "op given as OPc": (AUTN, {"opc": OP}, ["op-given-as-opc"]),
    "OPc given as op": (AUTN, {"opc": None, "op": OPC}, ["opc-given-as-op"]),
    "op and OPc differ": (AUTN, {"opc": bytes(16), "op": OP}, ["op-and-opc-differ"]),
    "top given as TOPc": (autn(Tuak.from_top(K, TOPC)), {"opc": None, "topc": TOPC}, ["top-given-as-topc"]),
    "TOPc given as top": (autn(Tuak(K, TOPC)), {"opc": None, "top": TOPC}, ["topc-given-as-top"]),
    "K reversed": (AUTN, {"k": K[::-1]}, ["k-reversed"]),
    "K reversed in the network": (autn(Milenage(K[::-1], OPC)), {}, ["k-reversed"]),
    "OPc reversed": (AUTN, {"opc": OPC[::-1]}, ["operator-value-reversed"]),
    "hex of K as text in the network": (autn(Milenage(AS_TEXT[:16], OPC)), {}, ["k-hex-as-text"]),
    "capital hex of K as text": (autn(Milenage(AS_TEXT.upper()[:16], OPC)), {}, ["k-hex-as-text"]),
    "hex of K as text given": (AUTN, {"k": AS_TEXT}, ["k-hex-as-text"]),
    "hex of K as long K": (autn(Tuak(AS_TEXT, TOPC)), {"opc": None, "topc": TOPC}, ["k-hex-as-text"]),
    "hex of OPc as text": (autn(Milenage(K, OPC_AS_TEXT[:16])), {}, ["operator-value-hex-as-text"]),
    "hex of OPc as text given": (AUTN, {"opc": OPC_AS_TEXT}, ["operator-value-hex-as-text"]),
    "Milenage for TUAK": (AUTN, {"algorithm": "tuak"}, ["aka-algorithm"]),
    "Milenage for XOR": (AUTN, {"algorithm": "xor"}, ["aka-algorithm"]),
    "TUAK for Milenage": (autn(Tuak(K, TOPC)), {"topc": TOPC, "algorithm": "milenage"}, ["aka-algorithm"]),
    "XOR for Milenage": (autn(Xor3g(K)), {}, ["aka-algorithm"]),
    "TUAK with a longer MAC": (autn(LONG), {"opc": None, "topc": TOPC}, ["tuak-parameters"]),
    "TUAK with two iterations": (
        autn(Tuak(K, TOPC, iterations=2)),
        {"opc": None, "topc": TOPC},
        ["tuak-parameters"],
    ),
    "SQN in clear": (SQN + AMF + VECTOR.mac_a, {}, ["ak-not-applied"]),
    "SQN hidden with f5*": (xor(SQN, M.f5_star(RAND)) + AMF + VECTOR.mac_a, {}, ["autn-f5-star"]),
    "another AMF in the MAC": (
        AUTN[:6] + b"\x12\x34" + VECTOR.mac_a,
        {"amf": AMF},
        ["amf-from-configuration"],
    ),
    "AMF 0000 in the MAC": (AUTN[:8] + M.f1(RAND, SQN, b"\0\0"), {}, ["amf-from-configuration"]),
    "two faults: K and OP": (
        autn(Milenage.from_op(K[::-1], OP)),
        {"opc": OP},
        ["op-given-as-opc", "k-reversed"],
    ),
    "two faults: all hex as text": (
        autn(Milenage(AS_TEXT[:16], OPC_AS_TEXT[:16])),
        {},
        ["k-hex-as-text", "operator-value-hex-as-text"],
    ),
    "two faults: OP and SQN in clear": (
        SQN + AMF + VECTOR.mac_a,
        {"opc": OP},
        ["ak-not-applied", "op-given-as-opc"],
    ),
}


@pytest.mark.parametrize(("autn", "given", "expected"), NETWORK_FAULTS.values(), ids=NETWORK_FAULTS)
def test_a_fault_in_autn(autn: bytes, given: dict[str, Any], expected: list[str]) -> None:
    found = explain(Evidence(**{"rand": RAND, "autn": autn, "k": K, "opc": OPC} | given))
    assert codes(found) == expected, str(found)
    assert not found.ok
    assert found.cause is found.causes[0]


def test_rand_and_autn_swapped() -> None:
    found = explain(evidence(nonce=digest.nonce_for(VECTOR.autn, RAND)))
    assert codes(found) == ["rand-autn-swapped"]


def test_a_nonce_in_hex() -> None:
    assert codes(explain(evidence(nonce=(RAND + VECTOR.autn).hex()))) == ["nonce-hex"]


def test_a_client_with_a_configured_amf_refuses() -> None:
    found = explain(evidence(amf=b"\x80\0", response=""))
    assert codes(found) == ["amf-from-configuration"]
    assert "8000" in found.verdict


def test_a_configured_amf_that_did_no_harm_is_a_note() -> None:
    found = explain(replace(answered(), amf=b"\x80\0"))
    assert found.ok
    assert check(found, "AMF").result is Result.NOTE


def test_the_amf_is_named_once() -> None:
    wrong = AUTN[:6] + b"\x12\x34" + VECTOR.mac_a
    assert (
        codes(explain(Evidence(rand=RAND, autn=wrong, k=K, opc=OPC, amf=AMF, response=""))).count(
            "amf-from-configuration"
        )
        == 1
    )


@pytest.mark.parametrize(
    ("highest", "delta", "fault"),
    [(SQN, None, True), (SQN[:5] + b"\x27", None, True), (bytes(6), None, False), (bytes(6), 2**28, True)],
    ids=["the same", "higher", "lower", "too far"],
)
def test_freshness(highest: bytes, delta: int | None, fault: bool) -> None:
    found = explain(evidence(sqn=highest, delta=delta))
    assert codes(found) == (["sqn-not-fresh"] if fault else [])
    if fault:
        assert found.values["AUTS"] == generate_auts(M, RAND, highest).hex()


def test_freshness_depends_on_the_slot_of_the_ind() -> None:
    found = explain(evidence(sqn=SQN[:5] + b"\x28"))
    assert found.ok
    assert check(found, "freshness").result is Result.NOTE


# ---- AUTS

SQN_MS = bytes.fromhex("ff9bb4d0b627")
OTHER = b"\x0f" * 16


def auts(hidden: bytes | None = None, mac: bytes | None = None, m: Any = M) -> bytes:
    right = generate_auts(m, RAND, SQN_MS)
    return (right[:6] if hidden is None else hidden) + (right[6:] if mac is None else mac)


AUTS_FAULTS = {
    "f5": (auts(xor(SQN_MS, M.f5(RAND))), {}, ["auts-f5"]),
    "AMF of the challenge": (auts(mac=M.f1_star(RAND, SQN_MS, AMF)), {}, ["auts-amf-star"]),
    "AMF of the configuration": (
        auts(mac=M.f1_star(RAND, SQN_MS, b"\x12\x34")),
        {"amf": b"\x12\x34"},
        ["auts-amf-star"],
    ),
    "AMF 8000": (auts(mac=M.f1_star(RAND, SQN_MS, b"\x80\0")), {}, ["auts-amf-star"]),
    "SQN_MS in clear": (auts(SQN_MS), {}, ["auts-ak-not-applied"]),
    "f1": (auts(mac=M.f1(RAND, SQN_MS, bytes(2))), {}, ["auts-f1"]),
    "RAND of another challenge": (generate_auts(M, OTHER, SQN_MS), {"rands": (OTHER,)}, ["auts-other-rand"]),
    "RAND of another nonce": (
        generate_auts(M, OTHER, SQN_MS),
        {"nonces": ("?", digest.nonce_for(OTHER, bytes(16)))},
        ["auts-other-rand"],
    ),
    "K reversed in the card": (auts(m=Milenage(K[::-1], OPC)), {}, ["k-reversed"]),
    "f5 and AMF": (
        auts(xor(SQN_MS, M.f5(RAND)), M.f1_star(RAND, SQN_MS, AMF)),
        {},
        ["auts-f5", "auts-amf-star"],
    ),
}


@pytest.mark.parametrize("seen", [digest.auts_text, bytes.hex, bytes], ids=["base64", "hex", "octets"])
@pytest.mark.parametrize(("made", "given", "expected"), AUTS_FAULTS.values(), ids=AUTS_FAULTS)
def test_a_fault_in_auts(made: bytes, given: dict[str, Any], expected: list[str], seen: Any) -> None:
    found = explain(evidence(auts=seen(made), **given))
    form = ["auts-hex"] if seen is bytes.hex else []
    assert codes(found) == form + expected, str(found)
    assert found.values["SQN_MS"] == SQN_MS.hex()


@pytest.mark.parametrize(
    "text",
    [
        auts().hex(),
        auts().hex().upper(),
        "0x" + auts().hex(),
        base64.b64encode(auts().hex().encode()).decode(),
    ],
)
def test_auts_in_hex(text: str) -> None:
    found = explain(evidence(auts=text))
    assert codes(found) == ["auts-hex"]
    assert found.values["AUTS"] == auts().hex()


AUTS_VECTORS = [v for v in vectors("sqn")["auts"] if any(s["RAND"] == v["RAND"] for s in SETS.values())]


@pytest.mark.parametrize("v", AUTS_VECTORS, ids=[v["id"] for v in AUTS_VECTORS])
def test_the_wrong_auts_of_the_vectors(v: dict[str, Any]) -> None:
    k, opc, rand = (bytes.fromhex(v[name]) for name in ("K", "OPc", "RAND"))
    amf = next(bytes.fromhex(s["AMF"]) for s in SETS.values() if s["RAND"] == v["RAND"])
    challenge = generate_vector(Milenage(k, opc), rand, bytes(6), amf)
    e = Evidence(rand=rand, autn=challenge.autn, k=k, opc=opc)
    for name, expected in (
        ("AUTS", []),
        ("wrong_if_challenge_amf_used", ["auts-amf-star"]),
        ("wrong_if_f5_used", ["auts-f5"]),
    ):
        assert codes(explain(replace(e, auts=bytes.fromhex(v[name])))) == expected


@pytest.mark.parametrize("text", ["", "!", "5PYxMuX2NOT2NeQ=", "00" * 13, b"\xff" * 5])
def test_what_is_no_auts_is_said(text: str | bytes) -> None:
    found = explain(evidence(auts=text))
    assert found.cause is None
    assert check(found, "AUTS").result is Result.WRONG


def test_auts_that_nothing_explains() -> None:
    found = explain(evidence(auts=bytes(14)))
    assert found.cause is None
    assert not found.ok
    assert {"auts-f5", "auts-amf-star", "k-reversed"} <= set(found.tried)
    assert "AUTS wrong, and nothing that was tried explains it" in str(found)


@pytest.mark.parametrize(("sqn_ms", "words"), [(SQN_MS, "right to ask"), (bytes(6), "more than delta")])
def test_what_sqn_ms_says_of_the_challenge(sqn_ms: bytes, words: str) -> None:
    found = explain(evidence(auts=generate_auts(M, RAND, sqn_ms)))
    assert words in check(found, "SQN_MS").detail
    assert found.ok


@pytest.mark.parametrize("algorithm", ["AKAv1-MD5", "AKAv2-MD5"])
def test_a_password_beside_auts(algorithm: str) -> None:
    e = replace(answered(algorithm), auts=digest.auts_text(auts()))
    assert codes(explain(e)) == ["password-not-empty-with-auts"]


# ---- RES

RES_FAULTS = {
    "truncated": (RES[:4], ["res-length"]),
    "by one octet": (RES[:7], ["res-length"]),
    "padded": (RES + bytes(8), ["res-length"]),
    "hex text": (RES.hex().encode(), ["res-as-hex"]),
    "of an OP taken for OPc": (Milenage.from_op(K, OPC).f2(RAND), ["op-given-as-opc"]),
    "of K reversed": (Milenage(K[::-1], OPC).f2(RAND), ["k-reversed"]),
    "of K reversed, truncated": (Milenage(K[::-1], OPC).f2(RAND)[:4], ["k-reversed", "res-length"]),
}


@pytest.mark.parametrize(("res", "expected"), RES_FAULTS.values(), ids=RES_FAULTS)
def test_a_fault_in_res(res: bytes, expected: list[str]) -> None:
    found = explain(evidence(res=res))
    assert codes(found) == expected, str(found)


def test_res_of_tuak_with_another_length() -> None:
    m = Tuak(K, TOPC, res_length=16)
    given = {"opc": None, "topc": TOPC}
    assert codes(explain(evidence(m, **given, res=m.f2(RAND)))) == ["res-length"]
    longer = Tuak(K, TOPC, ck_length=32)
    assert codes(explain(evidence(longer, **given, res=longer.f2(RAND)))) == ["tuak-parameters"]


def test_res_that_nothing_explains() -> None:
    found = explain(evidence(res=bytes(8)))
    assert found.cause is None
    assert "res-length" in found.tried


# ---- the response

V1, V2, V2_SHA = "AKAv1-MD5", "AKAv2-MD5", "AKAv2-SHA-256"
AKAV2 = digest.password(V2, RES, CK, IK)
BODY = b"v=0\r\no=-\r\n"
REALM, URI, USERNAME = REQUEST["realm"], REQUEST["uri"], REQUEST["username"]
IMPU = "sip:alice@ims.mnc001.mcc001.3gppnetwork.org"


def hmac_of(key: bytes, algorithm: str = V2) -> bytes:
    return base64.b64encode(digest.prf(algorithm, key, b"http-digest-akav2-password"))


def swapped(request: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"evidence_of": request, **changes}


FAULTS: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    # the password
    "AKAv1 password under AKAv2": (V2, {"password": RES}, ["akav1-password-under-akav2"]),
    "AKAv1 password under AKAv2-SHA-256": (V2_SHA, {"password": RES}, ["akav1-password-under-akav2"]),
    "AKAv2 password under AKAv1": (V1, {"password": AKAV2}, ["akav2-password-under-akav1"]),
    "IK and CK swapped": (V2, {"ck": IK, "ik": CK}, ["ik-ck-swapped"]),
    "IK and CK swapped, SHA-512-256": ("AKAv2-SHA-512-256", {"ck": IK, "ik": CK}, ["ik-ck-swapped"]),
    "RES as hex": (V1, {"password": RES.hex()}, ["res-as-hex"]),
    "RES as capital hex": (V1, {"password": RES.hex().upper()}, ["res-as-hex"]),
    "RES as hex under AKAv2": (V2, {"password": RES.hex()}, ["res-as-hex"]),
    "RES as base64": (V1, {"password": base64.b64encode(RES)}, ["res-as-base64"]),
    "RES as base64 without padding": (
        V1,
        {"password": base64.b64encode(RES).rstrip(b"=")},
        ["res-as-base64"],
    ),
    "padding dropped": (V2, {"password": AKAV2.rstrip(b"=")}, ["password-padding-dropped"]),
    "HMAC not in base64": (V2, {"password": base64.b64decode(AKAV2)}, ["password-not-base64"]),
    "HMAC in hex": (V2, {"password": base64.b64decode(AKAV2).hex()}, ["password-not-base64"]),
    "HMAC with the wrong hash": (V2_SHA, {"password": AKAV2}, ["password-hmac"]),
    "HMAC key without IK and CK": (V2, {"password": hmac_of(RES)}, ["password-hmac"]),
    "HMAC key with hex of RES": (
        V2,
        {"password": hmac_of((RES + IK + CK).hex().encode())},
        ["password-hmac"],
    ),
    "HMAC key and label swapped": (
        V2,
        {"password": base64.b64encode(digest.prf(V2, b"http-digest-akav2-password", RES + IK + CK))},
        ["password-hmac"],
    ),
    "HMAC label with a NUL": (
        V2,
        {"password": base64.b64encode(digest.prf(V2, RES + IK + CK, b"http-digest-akav2-password\0"))},
        ["password-hmac"],
    ),
    "empty password": (V1, {"password": ""}, ["password-empty"]),
    "AKAv1 password under MD5": ("MD5", {"password": RES}, ["aka-password-without-aka"]),
    "AKAv2 password under SHA-256": (
        "SHA-256",
        {"password": digest.password(V2_SHA, RES, CK, IK)},
        ["aka-password-without-aka"],
    ),
    # RES
    "RES truncated": (V1, {"res": RES[:4]}, ["res-length"]),
    "RES padded to 16": (V1, {"res": RES.ljust(16, b"\0")}, ["res-length"]),
    "RES truncated under AKAv2": (V2, {"res": RES[:4]}, ["res-length"]),
    "RES padded to 32 under AKAv2": (V2_SHA, {"res": RES.ljust(32, b"\0")}, ["res-length"]),
    # the credentials of the one who answered
    "OPc taken for OP in the answer": (V1, {"m": Milenage.from_op(K, OPC)}, ["op-given-as-opc"]),
    "K reversed in the answer": (V2, {"m": Milenage(K[::-1], OPC)}, ["k-reversed"]),
    "hex as text in the answer": (V1, {"m": Milenage(AS_TEXT[:16], OPC)}, ["k-hex-as-text"]),
    "XOR in the answer": (V1, {"m": Xor3g(K)}, ["aka-algorithm"]),
    # nc
    "nc counted in decimal": (V1, {"nc": "00000010"}, ["nc"]),
    "nc not counted": (V1, {"nc": 1}, ["nc"]),
    "nc one more": (V1, {"nc": 11}, ["nc"]),
    "nc one less": (V1, {"nc": 9}, ["nc"]),
    # qop
    "no qop": (V1, {"qop": None}, ["qop"]),
    "auth-int for auth": (V1, {"qop": "auth-int"}, ["qop"]),
    "auth-int with a body for auth": (V1, swapped({"body": BODY}, qop="auth-int"), ["qop"]),
    "auth for auth-int": (V1, swapped({"qop": "auth-int", "body": BODY}, qop="auth"), ["qop"]),
    "auth for no qop": (V1, swapped({"qop": None}, qop="auth"), ["qop"]),
    # the body
    "hash of nothing": (V1, swapped({"qop": "auth-int", "body": BODY}, body=b""), ["body-hash"]),
    "body without its last line end": (
        V1,
        swapped({"qop": "auth-int", "body": BODY}, body=BODY[:-2]),
        ["body-hash"],
    ),
    "body with a line end more": (
        V1,
        swapped({"qop": "auth-int", "body": BODY}, body=BODY + b"\r\n"),
        ["body-hash"],
    ),
    "body with line feeds": (
        V1,
        swapped({"qop": "auth-int", "body": BODY}, body=BODY.replace(b"\r", b"")),
        ["body-hash"],
    ),
    # the request
    "uri of ip and port": (
        V1,
        {"uri": "sip:127.0.0.4:5060", "evidence_of": {"uris": ("sip:127.0.0.4:5060",)}},
        ["uri"],
    ),
    "uri is the realm": (V1, swapped({"uri": "sip:127.0.0.4:5060"}, uri=f"sip:{REALM}"), ["uri"]),
    "uri with ;lr": (V1, {"uri": f"{URI};lr"}, ["uri"]),
    "uri without ;lr": (V1, swapped({"uri": f"{URI};lr"}, uri=URI), ["uri"]),
    "uri with a port": (V1, {"uri": f"{URI}:5060"}, ["uri"]),
    "uri without a port": (V1, swapped({"uri": f"{URI}:5060"}, uri=URI), ["uri"]),
    "uri with sips": (V1, {"uri": URI.replace("sip:", "sips:")}, ["uri"]),
    "realm of the candidates": (
        V1,
        {"realm": "open-ims.test", "evidence_of": {"realms": ("open-ims.test",)}},
        ["realm"],
    ),
    "realm of the username": (V1, swapped({"realm": "other.example"}, realm=REALM), ["realm"]),
    "realm with quotes": (V1, {"realm": f'"{REALM}"'}, ["realm"]),
    "realm in capitals": (V1, {"realm": REALM.upper()}, ["realm"]),
    "method in small letters": (V1, {"method": "register"}, ["method"]),
    "method of another request": (V1, {"method": "INVITE"}, ["method"]),
    "method of the candidates": (V1, {"method": "PING", "evidence_of": {"methods": ("PING",)}}, ["method"]),
    "IMPU for IMPI": (V1, {"username": IMPU, "evidence_of": {"usernames": (IMPU,)}}, ["username"]),
    "sip: before the IMPI": (V1, {"username": f"sip:{USERNAME}"}, ["username"]),
    "user part alone": (V1, {"username": USERNAME.partition("@")[0]}, ["username"]),
    "username with the realm": (
        V1,
        swapped({"username": USERNAME.partition("@")[0]}, username=USERNAME),
        ["username"],
    ),
    "cnonce in quotes": (V1, {"cnonce": '"0a4f113b"'}, ["cnonce"]),
    "nonce without padding": (V1, {"nonce": digest.nonce_for(RAND, AUTN).rstrip("=")}, ["nonce-text"]),
    "nonce of before": (V1, {"nonce": "before", "evidence_of": {"nonces": ("before",)}}, ["nonce-text"]),
    # the algorithm
    "-sess without saying so": (V1, {"algorithm": "AKAv1-MD5-sess"}, ["session"]),
    "-sess said and not done": ("AKAv1-MD5-sess", {"algorithm": V1}, ["session"]),
    "MD5 under SHA-256": ("AKAv1-SHA-256", {"algorithm": V1}, ["hash"]),
    "AKAv2 with another hash": (V2, {"algorithm": V2_SHA}, ["hash"]),
    # two at once
    "AKAv1 password and sip:realm": (
        V2,
        swapped({"uri": "sip:127.0.0.4:5060"}, password=RES, uri=f"sip:{REALM}"),
        ["akav1-password-under-akav2", "uri"],
    ),
    "decimal nc and IMPU": (
        V1,
        {"nc": "00000010", "username": IMPU, "evidence_of": {"usernames": (IMPU,)}},
        ["username", "nc"],
    ),
    "swapped keys and short RES": (V2, {"ck": IK, "ik": CK, "res": RES[:4]}, ["ik-ck-swapped", "res-length"]),
    "K reversed and RES as hex": (
        V1,
        {"password": Milenage(K[::-1], OPC).f2(RAND).hex()},
        ["res-as-hex", "k-reversed"],
    ),
}


@pytest.mark.parametrize(("algorithm", "made", "expected"), FAULTS.values(), ids=FAULTS)
def test_a_fault_in_the_response(algorithm: str, made: dict[str, Any], expected: list[str]) -> None:
    e = answered(algorithm, **dict(made))
    found = explain(e)
    assert codes(found) == expected, str(found)
    assert check(found, "MAC-A").result is Result.RIGHT
    assert found.tried == ()


NC = ["10", "a", "A", "0000000A", "1", '"0000000a"', "000000010"[-8:]]


@pytest.mark.parametrize("nc", NC)
def test_an_nc_that_is_written_otherwise(nc: str) -> None:
    e = evidence()
    found = explain(replace(e, response=raw_response(e, RES, nc)))
    assert codes(found) == ["nc"]
    assert f'"{nc}"' in found.verdict


def test_an_nc_in_decimal_that_was_sent_in_decimal() -> None:
    e = evidence(nc="00000010")  # the sixteenth by RFC 7616; the sender meant the tenth, and hashed it so
    found = explain(replace(e, response=raw_response(e, RES, "0000000a")))
    assert codes(found) == ["nc"]


@pytest.mark.parametrize("entity", [None, b"", BODY], ids=["left out", "empty", "not hashed"])
def test_auth_int_with_something_else_in_a2(entity: bytes | None) -> None:
    e = evidence(qop="auth-int", body=BODY)
    a1 = digest.h(V1, USERNAME.encode(), REALM.encode(), RES)
    a2 = digest.h(V1, b"REGISTER", URI.encode(), *(() if entity is None else (entity,)))
    middle = (str(e.nc).encode(), str(e.cnonce).encode(), b"auth-int")
    seen = digest.h(V1, a1, str(e.nonce).encode(), *middle, a2).decode()
    assert codes(explain(replace(e, response=seen))) == ["body-hash"]


RES_00 = SETS["ts35.208-set20"]


@pytest.mark.parametrize("algorithm", [V1, V2])
def test_a_c_string_ends_at_the_first_zero_octet(algorithm: str) -> None:
    k, opc, rand = (bytes.fromhex(RES_00[name]) for name in ("K", "OPc", "RAND"))
    vector = generate_vector(Milenage(k, opc), rand, SQN)
    e = Evidence(
        k=k, opc=opc, digest_algorithm=algorithm, nonce=digest.nonce_for(rand, vector.autn), **REQUEST
    )
    cut = vector.xres[: vector.xres.index(0)]
    request = REQUEST | {"nonce": e.nonce, "res": cut, "ck": vector.ck, "ik": vector.ik}
    found = explain(replace(e, response=digest.response(algorithm, **request)))
    assert codes(found) == ["res-length"]
    assert "C string" in found.verdict


def test_a_mistaken_op_explains_the_answer_too() -> None:
    found = explain(replace(answered(), opc=OP))
    assert codes(found) == ["op-given-as-opc"]
    assert check(found, "response").result is Result.RIGHT


def test_a_mistaken_op_and_a_mistaken_password() -> None:
    found = explain(replace(answered(V2, password=RES), opc=OP))
    assert codes(found) == ["op-given-as-opc", "akav1-password-under-akav2"]


def test_the_one_who_answered_has_the_credentials_as_given() -> None:
    e = answered(m=Milenage(K, OP))
    found = explain(replace(e, opc=OP))
    assert codes(found) == ["op-given-as-opc"]


def test_an_empty_response_is_a_refusal() -> None:
    found = explain(evidence(response=""))
    assert found.cause is None
    assert "did not accept MAC-A" in check(found, "response").detail
    assert not found.ok


def test_capitals_in_a_response_are_no_fault() -> None:
    e = answered()
    assert explain(replace(e, response=str(e.response).upper())).ok


# ---- nothing explains it


@pytest.mark.parametrize("response", ["0" * 32, "nothing", "é", "\ud800"])
def test_a_response_that_nothing_explains(response: str) -> None:
    found = explain(evidence(response=response))
    assert found.cause is None
    assert not found.ok
    assert found.verdict == "response wrong, and nothing that was tried explains it"
    assert {"nc", "uri", "akav2-password-under-akav1", "res-length", "k-reversed", "body-hash"} - set(
        found.tried
    ) == {"body-hash"}
    assert "Tried in vain" in str(found)


def test_an_autn_that_nothing_explains() -> None:
    found = explain(
        Evidence(
            rand=RAND, autn=bytes(16), k=K, opc=OPC, sqn=SQN, auts=bytes(14), res=bytes(8), amf=b"\x80\0"
        )
    )
    assert found.cause is None
    assert {"op-given-as-opc", "ak-not-applied", "aka-algorithm"} <= set(found.tried)
    assert "SQN" not in found.values


@pytest.mark.parametrize(
    "given", [{"algorithm": "tuak"}, {"opc": K * 2, "algorithm": "milenage"}, {"k": b"k" * 32}], ids=str
)
def test_credentials_that_cannot_be(given: dict[str, Any]) -> None:
    found = explain(
        Evidence(**{"rand": RAND, "autn": bytes(16), "k": K, "opc": OPC, "response": "0"} | given)
    )
    assert found.cause is None
    assert not found.ok
    assert check(found, "credentials").result is Result.WRONG


# ---- how it is said


DERIVED = digest.session_keys("AKAv2-MD5", CK, IK)
KEY_FAULTS: dict[str, tuple[bool, tuple[bytes, bytes], list[str]]] = {
    "right": (False, (CK, IK), []),
    "derived": (True, DERIVED, []),
    "exchanged": (False, (IK, CK), ["ck-ik-exchanged"]),
    "not derived": (True, (CK, IK), ["ck-ik-not-derived"]),
    "derived and exchanged": (True, DERIVED[::-1], ["ck-ik-exchanged"]),
    "neither derived nor in order": (True, (IK, CK), ["ck-ik-not-derived", "ck-ik-exchanged"]),
}


@pytest.mark.parametrize(("derived", "keys", "expected"), KEY_FAULTS.values(), ids=KEY_FAULTS)
def test_ck_and_ik(derived: bool, keys: tuple[bytes, bytes], expected: list[str]) -> None:
    seen = {"ck": keys[0], "ik": keys[1], "derived": derived, "digest_algorithm": "AKAv2-MD5"}
    assert codes(explain(evidence(**seen))) == expected


def test_other_keys_are_wrong_and_no_cause_is_made_up() -> None:
    found = explain(evidence(ck=CK, ik=bytes(16)))
    assert ("CK and IK", Result.WRONG) in [(check.name, check.result) for check in found.checks]
    assert found.causes == () and CK.hex() not in str(found)


def test_without_k_a_known_vector_judges_the_answer_and_no_mac() -> None:
    known = known_reading(VECTOR)
    right = explain_known(replace(answered("AKAv2-MD5"), k=b"", opc=None), known, "the answer of the card")
    assert right.ok
    assert [(check.name, check.result) for check in right.checks] == [
        ("MAC-A", Result.OPEN),
        ("response", Result.RIGHT),
    ]
    assert "the answer of the card" in right.checks[0].detail
    wrong = replace(answered("AKAv2-MD5", algorithm="AKAv1-MD5"), k=b"", opc=None, res=RES, ck=IK, ik=CK)
    found = explain_known(wrong, known, "Cx")
    assert codes(found) == ["ck-ik-exchanged", "akav1-password-under-akav2"]
    assert RES.hex() not in str(found)


def test_without_k_auts_stays_open() -> None:
    auts = generate_auts(M, RAND, SQN)
    found = explain_known(Evidence(rand=RAND, autn=VECTOR.autn, auts=auts), known_reading(VECTOR), "Cx")
    assert [(check.name, check.result) for check in found.checks] == [
        ("MAC-A", Result.OPEN),
        ("AUTS", Result.OPEN),
    ]


def test_k_is_needed_where_nothing_else_is_known() -> None:
    with pytest.raises(Malformed, match="k is missing"):
        explain(Evidence(rand=RAND, autn=VECTOR.autn))


def test_every_code_of_the_catalogue_is_made_by_a_test() -> None:
    made = {code for *_, expected in (*NETWORK_FAULTS.values(), *AUTS_FAULTS.values()) for code in expected}
    made |= {code for *_, expected in FAULTS.values() for code in expected}
    made |= {"rand-autn-swapped", "nonce-hex", "sqn-not-fresh", "auts-hex", "password-not-empty-with-auts"}
    made |= {code for *_, expected in KEY_FAULTS.values() for code in expected}
    assert set(CODES) == made


@pytest.mark.parametrize("code", CODES)
def test_every_cause_says_clause_and_advice(code: str) -> None:
    cause = cause_of(Fault(code, "DETAIL"))
    assert cause.sentence
    assert cause.advice
    assert cause.clause.startswith(("TS ", "RFC "))
    assert "{" not in str(cause)
    assert str(cause).startswith(f"{code}: ")


def test_a_detail_cannot_move_the_cursor() -> None:
    uri = "sip:\x1b[2J\r\udce9"
    found = explain(answered(uri=uri, evidence_of={"uris": (uri,)}))
    assert codes(found) == ["uri"]
    assert "\\x1b[2J\\r\\udce9" in str(found)
    assert str(found).replace("\n", "").isprintable()


def test_a_wrong_choice_of_xor_does_not_give_k_away() -> None:
    found = explain(evidence(algorithm="xor"))
    assert codes(found) == ["aka-algorithm"]
    leaked = xor(xor(K, RAND)[:8], xor(AUTN[:6], Xor3g(K).f5(RAND)) + AMF).hex()
    assert leaked not in str(found)
    assert "not shown" in found.values["XMAC"]


SECRETS = [value.hex() for value in (K, OP, OPC)] + [repr(value) for value in (K, OP, OPC)]
KEYS = [value.hex() for value in (RES, CK, IK)]


@pytest.mark.parametrize("reveal", [False, True])
def test_secrets(reveal: bool) -> None:
    for e in (answered(V2, ck=IK, ik=CK), answered(), evidence(opc=OP, res=RES), evidence(k=AS_TEXT)):
        found = explain(e, reveal=reveal)
        shown = [str(found), found._repr_html_()]
        for secret in SECRETS:
            assert all(secret not in text for text in (*shown, repr(found), repr(e)))
        for key in KEYS:
            assert all((key in text) is reveal for text in shown)
            assert key not in repr(found)
            assert key not in repr(e)


def test_text_and_table() -> None:
    found = explain(evidence(opc=OP, response="<b>", uri="sip:<b>"))
    text, table = str(found), found._repr_html_()
    for word in (
        "RAND",
        RAND.hex(),
        "SQN xor AK",
        "AMF",
        "b9b9",
        "MAC-A",
        "op-given-as-opc",
        "TS 35.206 4.1",
    ):
        assert word in text
        assert word in table
    assert "<b>" not in table
    assert explain(evidence())._repr_html_().count("No fault found") == 1
    assert "Tried in vain" in explain(evidence(res=bytes(8)))._repr_html_()


WRONG_EVIDENCE: dict[str, tuple[dict[str, Any], str]] = {
    "no challenge": ({"nonce": None}, "challenge"),
    "rand alone": ({"rand": RAND}, "together"),
    "short nonce": ({"nonce": "AAAA"}, "nonce"),
    "nonce that is no base64": ({"nonce": "%"}, "nonce"),
    "short rand": ({"rand": b"", "autn": AUTN}, "rand"),
    "short autn": ({"rand": RAND, "autn": b""}, "autn"),
    "short k": ({"k": bytes(15)}, "k must"),
    "short opc": ({"opc": bytes(15)}, "opc must"),
    "short amf": ({"amf": b""}, "amf must"),
    "short sqn": ({"sqn": b""}, "sqn must"),
    "short other rand": ({"rands": (b"",)}, "rands must"),
    "ind_length": ({"ind_length": 99}, "ind_length must"),
    "delta": ({"delta": 0}, "delta must"),
    "unknown digest": ({"digest_algorithm": "AKAv9-MD5"}, "digest algorithm"),
    "unknown algorithm": ({"algorithm": "comp128"}, "AKA algorithm"),
}


@pytest.mark.parametrize(("given", "words"), WRONG_EVIDENCE.values(), ids=WRONG_EVIDENCE)
def test_evidence_that_cannot_be(given: dict[str, Any], words: str) -> None:
    with pytest.raises(Malformed, match=words):
        evidence(**given)
