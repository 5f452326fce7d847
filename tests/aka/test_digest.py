"""HTTP Digest, AKAv1 and AKAv2 against RFC 7616, RFC 2617, Clearwater, and derived vectors."""

import base64
import hashlib
import hmac
from typing import Any

import pytest

from imslab.aka import digest
from imslab.data import vectors
from imslab.errors import Malformed, WrongResponse

PLAIN = vectors("digest")["vectors"]
AKAV1 = vectors("akav1")
AKAV2 = vectors("akav2")
AKA = AKAV1["vectors"] + AKAV2["vectors"]
aka_vectors = pytest.mark.parametrize("v", AKA, ids=[v["id"] for v in AKA])


def arguments(v: dict[str, Any]) -> dict[str, Any]:
    names = ("method", "uri", "username", "realm", "nonce", "qop")
    return {name: v[name] for name in names} | {
        "nc": v.get("nc"),
        "cnonce": v.get("cnonce"),
        "body": bytes.fromhex(v["entity_body"]),
    }


def secret(v: dict[str, Any]) -> dict[str, Any]:
    if "auts" in v:
        return {"password": ""}
    return {name: bytes.fromhex(v[name]) for name in ("res", "ck", "ik")}


def without(arguments: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if name not in names}


@pytest.mark.parametrize("v", PLAIN, ids=[v["id"] for v in PLAIN])
def test_plain_digest(v: dict[str, Any]) -> None:
    computed = digest.response(v["algorithm"], **arguments(v), password=v["password"])
    assert computed == v["response"]
    assert (computed == v["published_response"]) is v["published_matches"]


@aka_vectors
def test_aka_response(v: dict[str, Any]) -> None:
    assert digest.response(v["algorithm"], **arguments(v), **secret(v)) == v["response"]
    digest.verify(v["algorithm"], v["response"], **arguments(v), **secret(v))


@aka_vectors
def test_aka_password(v: dict[str, Any]) -> None:
    res = b"" if "auts" in v else bytes.fromhex(v["res"])
    computed = digest.password(v["algorithm"], res, bytes.fromhex(v["ck"]), bytes.fromhex(v["ik"]))
    assert computed.hex() == v["password_hex"]
    if "password_ascii" in v:
        assert computed.decode() == v["password_ascii"]


@aka_vectors
def test_the_name_is_matched_without_regard_to_case(v: dict[str, Any]) -> None:
    for name in (v["algorithm"].upper(), v["algorithm"].lower()):
        assert digest.response(name, **arguments(v), **secret(v)) == v["response"]


RSPAUTH = [v for v in AKA if "rspauth_empty_body" in v]


@pytest.mark.parametrize("v", RSPAUTH, ids=[v["id"] for v in RSPAUTH])
def test_rspauth(v: dict[str, Any]) -> None:
    given = without(arguments(v), "method", "body")
    assert digest.rspauth(v["algorithm"], **given, **secret(v)) == v["rspauth_empty_body"]


NONCES = [v for v in AKA if "rand" in v]


@pytest.mark.parametrize("v", NONCES, ids=[v["id"] for v in NONCES])
def test_nonce(v: dict[str, Any]) -> None:
    rand, autn, server_data = (bytes.fromhex(v[name]) for name in ("rand", "autn", "server_data"))
    assert digest.nonce_for(rand, autn, server_data) == v["nonce"]
    assert digest.parse_nonce(v["nonce"]) == (rand, autn, server_data)


WITH_AUTS = [v for v in AKA if "auts" in v]


@pytest.mark.parametrize("v", WITH_AUTS, ids=[v["id"] for v in WITH_AUTS])
def test_auts_directive(v: dict[str, Any]) -> None:
    assert digest.parse_auts(v["auts"]).hex() == v["auts_hex"]
    assert digest.auts_text(bytes.fromhex(v["auts_hex"])) == v["auts"]


def test_all_akav2_names_in_the_file_are_known() -> None:
    for line in AKAV2["algorithm_names"]:
        assert digest.canonical(line.split()[0]) in digest.ALGORITHMS


@pytest.mark.parametrize("v", AKAV2["session_keys"], ids=[v["id"] for v in AKAV2["session_keys"]])
def test_session_keys(v: dict[str, Any]) -> None:
    ck, ik = bytes.fromhex(v["ck"]), bytes.fromhex(v["ik"])
    algorithm = v["prf"].replace("HMAC-", "AKAv2-")
    assert [key.hex() for key in digest.session_keys(algorithm, ck, ik)] == [v["ck_prime"], v["ik_prime"]]


def rfc3310(name: str) -> dict[str, Any]:
    return next(v for v in AKAV1["rfc3310_examples_are_not_vectors"] if v["id"] == name)


@pytest.mark.parametrize(("name", "length"), [("rfc3310-nonce-example", 36), ("rfc3310-challenge", 33)])
def test_the_badly_padded_nonces_of_rfc3310_can_be_read(name: str, length: int) -> None:
    rand, autn, server_data = digest.parse_nonce(rfc3310(name)["nonce"])
    assert (len(rand), len(autn), len(server_data)) == (16, 16, length - 32)


def test_the_auts_of_rfc3310_is_too_short() -> None:
    with pytest.raises(Malformed, match="auts must be 14 octets, not 11"):
        digest.parse_auts(rfc3310("rfc3310-auts")["auts"])


def test_the_response_of_rfc3310_is_that_of_rfc2617() -> None:
    mufasa = next(v for v in PLAIN if v["id"] == "rfc2617-3.5-md5")
    assert mufasa["response"] == rfc3310("rfc3310-response")["response"]


# ---- what no file says: each expected value is computed here from the RFC's formula alone


CHALLENGE: dict[str, Any] = {
    "method": "REGISTER",
    "uri": "sip:example.net",
    "username": "käthe@example.net",
    "realm": "example.net",
    "nonce": "n" * 44,
}
AUTH: dict[str, Any] = {"nc": "0000000a", "cnonce": "c0ffee"}
HASHES = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}


def by_formula(
    algorithm: str, password: bytes, method: str, qop: str | None, nc: str, cnonce: str, body: bytes
) -> str:
    name = next(HASHES[token] for token in sorted(HASHES, key=len, reverse=True) if token in algorithm)

    def h(octets: bytes) -> bytes:
        return hashlib.new(name, octets).hexdigest().encode()

    nonce = CHALLENGE["nonce"].encode()
    a1 = h("käthe@example.net:example.net:".encode() + password)
    if algorithm.endswith("-sess"):
        a1 = h(a1 + b":" + nonce + b":" + cnonce.encode())
    a2 = method.encode() + b":sip:example.net"
    if qop == "auth-int":
        a2 += b":" + h(body)
    if qop is None:
        return h(a1 + b":" + nonce + b":" + h(a2)).decode()
    middle = f"{nc}:{cnonce}:{qop}".encode()
    return h(a1 + b":" + nonce + b":" + middle + b":" + h(a2)).decode()


RES = [
    bytes(8),
    b"\r\n:\"'\\\0\xff",
    b"\xef\xbb\xbf\x80",
    b" a b c\t\n",
    bytes(range(0x80, 0xA0)),
]


@pytest.mark.parametrize("qop", [None, "auth", "auth-int"])
@pytest.mark.parametrize("res", RES, ids=[res.hex()[:16] for res in RES])
@pytest.mark.parametrize("key_length", [16, 32])
@pytest.mark.parametrize("algorithm", [name for name in digest.ALGORITHMS if digest.is_aka(name)])
def test_aka_by_formula(algorithm: str, key_length: int, res: bytes, qop: str | None) -> None:
    ck, ik, body = b"\x0c" * key_length, b"\x1c" * key_length, b"v=0\r\n\0\xff"
    password = res
    if "v2" in algorithm:
        name = next(HASHES[token] for token in sorted(HASHES, key=len, reverse=True) if token in algorithm)
        password = base64.b64encode(hmac.digest(res + ik + ck, b"http-digest-akav2-password", name))
    given = CHALLENGE | {"qop": qop, "body": body, **AUTH}
    expected = by_formula(algorithm, password, "REGISTER", qop, AUTH["nc"], AUTH["cnonce"], body)
    assert digest.response(algorithm, **given, res=res, ck=ck, ik=ik) == expected
    assert digest.response(algorithm, **given, password=password) == expected
    expected = by_formula(algorithm, password, "", qop, AUTH["nc"], AUTH["cnonce"], body)
    assert digest.rspauth(algorithm, **without(given, "method"), res=res, ck=ck, ik=ik) == expected


@pytest.mark.parametrize("qop", [None, "auth", "auth-int"])
@pytest.mark.parametrize("algorithm", digest.ALGORITHMS)
def test_the_password_beside_auts_is_empty(algorithm: str, qop: str | None) -> None:
    given = CHALLENGE | {"qop": qop, **AUTH}
    expected = by_formula(algorithm, b"", "REGISTER", qop, AUTH["nc"], AUTH["cnonce"], b"")
    assert digest.response(algorithm, **given, password="") == expected
    assert digest.response(algorithm, **given, password="", res=b"12345678") == expected
    if digest.is_aka(algorithm):
        assert digest.response(algorithm, **given, res=b"") == expected


def test_absent_algorithm_means_md5() -> None:
    given = CHALLENGE | {"password": "secret"}
    assert digest.response(None, **given) == digest.response("MD5", **given)
    assert not digest.is_aka(None)


def test_nc_as_a_number_is_written_in_hex() -> None:
    given = CHALLENGE | {"password": "x", "qop": "auth", "cnonce": "c"}
    assert digest.response("MD5", **given, nc=10) == digest.response("MD5", **given, nc="0000000a")
    assert digest.response("MD5", **given, nc=0xFFFFFFFF) == digest.response("MD5", **given, nc="ffffffff")
    assert digest.response("MD5", **given, nc=0) == digest.response("MD5", **given, nc="00000000")


def test_octets_that_were_no_utf8_are_hashed_as_they_came() -> None:
    name = b"\xe9t\xe9".decode("utf-8", "surrogateescape")
    computed = digest.response("MD5", **CHALLENGE | {"username": name, "password": ""})
    a1 = hashlib.md5(b"\xe9t\xe9:example.net:").hexdigest()
    a2 = hashlib.md5(b"REGISTER:sip:example.net").hexdigest()
    assert computed == hashlib.md5(f"{a1}:{'n' * 44}:{a2}".encode()).hexdigest()


@pytest.mark.parametrize("wrong", ["", "0" * 32, "not hex", "é" * 32])
def test_a_wrong_response_raises(wrong: Any) -> None:
    with pytest.raises(WrongResponse, match="REGISTER"):
        digest.verify("MD5", wrong, **CHALLENGE, password="secret")


def test_a_response_in_capitals_is_the_same_number() -> None:
    right = digest.response("MD5", **CHALLENGE, password="secret")
    digest.verify("MD5", right.upper(), **CHALLENGE, password="secret")


MALFORMED: dict[str, tuple[str, dict[str, Any], str]] = {
    "unknown algorithm": ("AKAv3-MD5", {"password": ""}, "AKAv2-SHA-256"),
    "plain without password": ("MD5", {}, "password="),
    "plain with res": ("MD5", {"res": bytes(8)}, "password="),
    "aka without res": ("AKAv1-MD5", {}, "res="),
    "akav2 without keys": ("AKAv2-MD5", {"res": bytes(8)}, "ck and ik"),
    "akav2 with a short key": ("AKAv2-MD5", {"res": bytes(8), "ck": bytes(15), "ik": bytes(16)}, "ck must"),
    "res as text": ("AKAv1-MD5", {"res": "a54211d5"}, "must be octets"),
    "unknown qop": ("MD5", {"password": "", "qop": "auth-conf"} | AUTH, "qop"),
    "two qops": ("MD5", {"password": "", "qop": "auth,auth-int"} | AUTH, "qop"),
    "qop without nc": ("MD5", {"password": "", "qop": "auth", "cnonce": "c"}, "nc"),
    "qop without cnonce": ("MD5", {"password": "", "qop": "auth", "nc": 1}, "cnonce"),
    "sess without cnonce": ("MD5-sess", {"password": ""}, "cnonce"),
    "nc too short": ("MD5", {"password": "", "qop": "auth", "cnonce": "c", "nc": "1"}, "nc"),
    "nc not hex": ("MD5", {"password": "", "qop": "auth", "cnonce": "c", "nc": "0000000g"}, "nc"),
    "nc negative": ("MD5", {"password": "", "qop": "auth", "cnonce": "c", "nc": -1}, "nc"),
    "nc too large": ("MD5", {"password": "", "qop": "auth", "cnonce": "c", "nc": 1 << 32}, "nc"),
    "half a character": ("MD5", {"password": "\ud800"}, "password"),
}


@pytest.mark.parametrize(("algorithm", "given", "words"), MALFORMED.values(), ids=MALFORMED)
def test_what_cannot_be_computed_is_malformed(algorithm: str, given: dict[str, Any], words: str) -> None:
    with pytest.raises(Malformed, match=words):
        digest.response(algorithm, **CHALLENGE | given)


def test_keys_and_passwords_only_where_they_belong() -> None:
    with pytest.raises(Malformed, match="not from AKA"):
        digest.password("MD5", bytes(8))
    for algorithm in ("MD5", "AKAv1-MD5"):
        with pytest.raises(Malformed, match="AKAv2 does"):
            digest.session_keys(algorithm, bytes(16), bytes(16))


def test_aka_versions() -> None:
    assert [digest.is_aka(name) for name in ("MD5", "AKAv1-MD5", "akav2-sha-256")] == [False, True, True]
    assert [digest.aka_version(name) for name in ("SHA-256", "akav1-md5", "AKAV2-sha-512-256-SESS")] == [
        0,
        1,
        2,
    ]


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (None, None),
        ("", None),
        ((), None),
        ("auth", "auth"),
        ("auth-int", "auth-int"),
        ("auth,auth-int", "auth"),
        (" auth-int , AUTH ", "auth"),
        (("auth-int", "auth-conf"), "auth-int"),
    ],
)
def test_choice_of_qop(offered: Any, chosen: str | None) -> None:
    assert digest.choose_qop(offered) == chosen


def test_only_unknown_qops() -> None:
    with pytest.raises(Malformed, match="qop"):
        digest.choose_qop("auth-conf")


@pytest.mark.parametrize(
    "nonce",
    ["", "====", "abc", "A" * 41, "%" * 44, "é" * 44, "\ud800" * 44, base64.b64encode(bytes(31)).decode()],
)
def test_a_bad_nonce_is_malformed(nonce: str) -> None:
    with pytest.raises(Malformed, match="nonce"):
        digest.parse_nonce(nonce)


@pytest.mark.parametrize("padding", ["", "=", "==", "==="])
def test_padding_of_a_nonce_is_forgiven(padding: str) -> None:
    nonce = base64.b64encode(bytes(range(32))).decode().rstrip("=") + padding
    assert digest.parse_nonce(nonce) == (bytes(range(16)), bytes(range(16, 32)), b"")


def test_authentication_info() -> None:
    assert digest.authentication_info() == {}
    assert digest.authentication_info(nextnonce="n") == {"nextnonce": "n"}
    given = digest.authentication_info(nextnonce="n", rspauth="r", qop="auth", nc=1, cnonce="c")
    assert list(given.items()) == [
        ("nextnonce", "n"),
        ("qop", "auth"),
        ("rspauth", "r"),
        ("cnonce", "c"),
        ("nc", "00000001"),
    ]
    with pytest.raises(Malformed, match="cnonce"):
        digest.authentication_info(qop="auth", nc=1)
