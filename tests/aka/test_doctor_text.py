"""What a shell user types becomes evidence, or one error that names the option."""

import base64
import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imslab.aka import Milenage, Tuak, digest, generate_vector
from imslab.aka.doctor import Evidence, explain, from_text
from imslab.aka.doctor.text import OPTIONS
from imslab.data import vectors
from imslab.errors import ImslabError, Malformed

SET = vectors("milenage")["sets"][0]
K, OPC, RAND = SET["K"], SET["OPc"], bytes.fromhex(SET["RAND"])
VECTOR = generate_vector(Milenage(bytes.fromhex(K), bytes.fromhex(OPC)), RAND, b"\0\0\0\0\0\x20")
NONCE = digest.nonce_for(RAND, VECTOR.autn)
REQUEST: dict[str, Any] = {
    "method": "REGISTER",
    "uri": "sip:example.net",
    "username": "alice@example.net",
    "realm": "example.net",
    "nonce": NONCE,
    "qop": "auth",
    "nc": "00000001",
    "cnonce": "c",
}
RESPONSE = digest.response("AKAv2-MD5", **REQUEST, res=VECTOR.xres, ck=VECTOR.ck, ik=VECTOR.ik)
CHALLENGE = f'Digest realm="example.net", nonce="{NONCE}", algorithm=AKAv2-MD5, qop="auth,auth-int"'
AUTHORIZATION = (
    f'Digest username="alice@example.net", realm="example.net", nonce="{NONCE}", uri="sip:example.net", '
    f'response="{RESPONSE}", algorithm=AKAv2-MD5, qop=auth, nc=00000001, cnonce="c"'
)


def codes(**options: Any) -> list[str]:
    return [cause.code for cause in explain(from_text(**options)).causes]


BASE64 = base64.b64encode(bytes.fromhex(K)).decode()
FORMS = {
    "hex": K,
    "capitals": K.upper(),
    "0x": "0x" + K,
    "blanks": " ".join(K[i : i + 2] for i in range(0, 32, 2)),
    "colons": ":".join(K[i : i + 4] for i in range(0, 32, 4)),
    "base64": BASE64,
    "base64 without padding": BASE64.rstrip("="),
}


@pytest.mark.parametrize("k", FORMS.values(), ids=FORMS)
def test_octets_in_hex_or_base64(k: str) -> None:
    assert from_text(nonce=NONCE, k=k, opc=OPC).k.hex() == K


def test_options_as_they_are_typed() -> None:
    found = from_text(
        **REQUEST, algorithm="AKAv2-MD5", response=RESPONSE, k=K, opc=OPC, sqn="0" * 12, amf="0000"
    )
    assert found == Evidence(
        **REQUEST,
        digest_algorithm="AKAv2-MD5",
        response=RESPONSE,
        k=bytes.fromhex(K),
        opc=bytes.fromhex(OPC),
        sqn=bytes(6),
        amf=bytes(2),
    )
    assert explain(found).ok


@pytest.mark.parametrize("name", ["", "WWW-Authenticate: ", "www-authenticate:", "Proxy-Authenticate : "])
def test_a_challenge_line(name: str) -> None:
    found = from_text(challenge=name + CHALLENGE, k=K, opc=OPC)
    assert (found.nonce, found.realm, found.digest_algorithm) == (NONCE, "example.net", "AKAv2-MD5")


@pytest.mark.parametrize("name", ["", "Authorization: ", "Proxy-Authorization:"])
def test_an_authorization_line(name: str) -> None:
    found = from_text(authorization=name + AUTHORIZATION, k=K, opc=OPC)
    assert found == Evidence(
        **REQUEST, digest_algorithm="AKAv2-MD5", response=RESPONSE, k=bytes.fromhex(K), opc=bytes.fromhex(OPC)
    )
    assert explain(found).ok


def test_of_several_challenges_the_one_with_aka() -> None:
    line = f'Digest realm="r", nonce="abc", algorithm=MD5, {CHALLENGE}'
    assert from_text(challenge=line, k=K, opc=OPC).nonce == NONCE


def test_an_option_wins_over_a_header() -> None:
    found = from_text(authorization=AUTHORIZATION, uri="sip:other", algorithm="AKAv1-MD5", k=K, opc=OPC)
    assert (found.uri, found.digest_algorithm) == ("sip:other", "AKAv1-MD5")
    assert codes(authorization=AUTHORIZATION, uri="sip:127.0.0.4:5060", k=K, opc=OPC) == ["uri"]


def test_a_header_with_auts() -> None:
    line = f'Digest username="a", realm="r", nonce="{NONCE}", uri="sip:r", response="", auts="{"00" * 14}"'
    found = from_text(authorization=line, k=K, opc=OPC)
    assert (found.auts, found.response) == ("00" * 14, "")


def test_a_challenge_and_an_answer_to_another() -> None:
    other = digest.nonce_for(RAND, VECTOR.autn, b"later")
    seen = digest.response(
        "AKAv2-MD5", **REQUEST | {"nonce": other}, res=VECTOR.xres, ck=VECTOR.ck, ik=VECTOR.ik
    )
    options = {"challenge": CHALLENGE.replace(NONCE, other), "k": K, "opc": OPC}
    assert codes(authorization=AUTHORIZATION.replace(RESPONSE, seen), **options) == ["nonce-text"]


def test_realms_that_differ() -> None:
    answer = AUTHORIZATION.replace('realm="example.net"', 'realm="other.test"')
    challenge = CHALLENGE.replace('realm="example.net"', 'realm="strange.test"')
    seen = digest.response(
        "AKAv2-MD5", **REQUEST | {"realm": "strange.test"}, res=VECTOR.xres, ck=VECTOR.ck, ik=VECTOR.ik
    )
    options = {"challenge": challenge, "authorization": answer.replace(RESPONSE, seen), "k": K, "opc": OPC}
    assert codes(**options) == ["realm"]


@pytest.mark.parametrize("name", ["algorithm", "digest_algorithm"])
def test_both_kinds_of_algorithm(name: str) -> None:
    assert from_text(nonce=NONCE, k=K, **{name: "AKAv2-SHA-256"}).digest_algorithm == "AKAv2-SHA-256"
    both = from_text(nonce=NONCE, k=K, algorithm="tuak", digest_algorithm="AKAv2-MD5", topc="00" * 32)
    assert (both.algorithm, both.digest_algorithm) == ("tuak", "AKAv2-MD5")


def test_numbers() -> None:
    m = Tuak(bytes.fromhex(K), bytes(32), 16, 16, 32, 32, 3)
    vector = generate_vector(m, RAND, bytes(6))
    found = from_text(
        rand=RAND.hex(),
        autn=base64.b64encode(vector.autn).decode(),
        res=vector.xres.hex(),
        k=K,
        topc="00" * 32,
        mac_length="16",
        res_length="16",
        ck_length="32",
        ik_length="32",
        iterations="3",
        ind_length="6",
        delta="9",
    )
    assert (found.ind_length, found.delta) == (6, 9)
    assert explain(found).ok


def test_lists_take_one_text_or_several() -> None:
    found = from_text(nonce=NONCE, k=K, uris="sip:a", realms=["b", "c"], rands=("00" * 16,), body="é")
    assert (found.uris, found.realms, found.rands) == (("sip:a",), ("b", "c"), (bytes(16),))
    assert found.body == "é".encode()


def test_what_is_none_was_not_given() -> None:
    assert from_text(nonce=NONCE, k=K, opc=None, uris=None) == from_text(nonce=NONCE, k=K)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "k not hex": ({"k": "xyz!"}, "--k: neither hex nor base64"),
    "k odd": ({"k": K[:-1]}, "--k: "),
    "k short": ({"k": K[:-2]}, "--k: 15 octets; expected 16 or 32"),
    "no k": ({"k": None}, "--k: "),
    "opc short": ({"opc": "00"}, "--opc: 1 octets"),
    "res empty": ({"res": ""}, "--res: "),
    "amf long": ({"amf": "000000"}, "--amf: "),
    "no challenge": ({"nonce": None}, "--nonce: there is no challenge"),
    "nonce short": ({"nonce": "AAAA"}, "--nonce: "),
    "nonce not base64": ({"nonce": "%%%"}, "--nonce: "),
    "rand alone": ({"rand": "00" * 16}, "--rand: "),
    "algorithm unknown": ({"algorithm": "AKAv7-MD5"}, "--algorithm: "),
    "digest algorithm unknown": ({"digest_algorithm": "rot13"}, "--"),
    "number": ({"iterations": "many"}, "--iterations: "),
    "large number": ({"iterations": "256"}, "--iterations: "),
    "huge number": ({"delta": "9" * 5000}, "--delta: "),
    "negative number": ({"ind_length": "-1"}, "--ind-length: "),
    "strange digit": ({"ind_length": "²"}, "--ind-length: "),
    "res length of TUAK": ({"res_length": "3"}, "--res-length: "),
    "bad challenge": ({"challenge": "Digest ,,="}, "--challenge: "),
    "other challenge": ({"challenge": 'Basic realm="x"'}, "--challenge: "),
    "bad authorization": ({"authorization": 'Digest a="'}, "--authorization: "),
    "not text": ({"uri": 7}, "--uri: must be text"),
    "not texts": ({"uris": 7}, "--uris: must be texts"),
    "not a list of texts": ({"uris": [7]}, "--uris: must be text"),
    "body": ({"body": "\ud800"}, "--body: "),
    "half a character": ({"response": "0", "uri": "\ud800"}, "--uri: "),
    "unknown option": ({"password": "x"}, "--password: there is no such option"),
    "other rand": ({"rands": ["00"]}, "--rands: "),
}


@pytest.mark.parametrize(("options", "words"), WRONG.values(), ids=WRONG)
def test_a_wrong_value_names_its_option(options: dict[str, Any], words: str) -> None:
    with pytest.raises(Malformed) as error:
        from_text(**{"nonce": NONCE, "k": K, "opc": OPC} | options)
    assert str(error.value).startswith(words)


def test_a_wrong_key_is_not_repeated() -> None:
    for name in ("k", "op", "opc", "top", "topc", "res"):
        with pytest.raises(Malformed) as error:
            from_text(**{"nonce": NONCE, "k": K, name: "5ec2e7" * 50})
        assert "5ec2e7" not in str(error.value)


TEXTS = st.one_of(
    st.text(st.characters(), max_size=60),
    st.text("0123456789abcdef", min_size=4000, max_size=6000),
    st.sampled_from(
        [K, OPC, NONCE, CHALLENGE, AUTHORIZATION, RESPONSE, "", "auth-int", "tuak", "xor", "00" * 32]
    ),
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(OPTIONS), TEXTS, max_size=8))
def test_nothing_but_our_errors_comes_out(options: dict[str, Any]) -> None:
    with contextlib.suppress(ImslabError):
        str(explain(from_text(**{"nonce": NONCE, "k": K, "opc": OPC} | options)))


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=80) | st.binary(max_size=80).map(lambda octets: base64.b64encode(octets).decode()))
def test_nonces_and_auts_of_any_kind(text: str) -> None:
    for parse in (digest.parse_nonce, digest.parse_auts):
        with contextlib.suppress(Malformed):
            parse(text)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(digest.ALGORITHMS) | st.text(max_size=9),
    st.fixed_dictionaries(
        {name: st.text(max_size=9) for name in ("method", "uri", "username", "realm", "nonce")},
        optional={
            "res": st.binary(max_size=40),
            "ck": st.binary(min_size=15, max_size=17),
            "ik": st.binary(min_size=15, max_size=17),
            "password": st.text(max_size=9) | st.binary(max_size=9),
            "qop": st.sampled_from(["auth", "auth-int", "", "x"]),
            "nc": st.integers() | st.text(max_size=9),
            "cnonce": st.text(max_size=9),
            "body": st.binary(max_size=9),
        },
    ),
)
def test_responses_of_any_kind(algorithm: str, given: dict[str, Any]) -> None:
    try:
        found = digest.response(algorithm, **given)
    except Malformed:
        return
    assert len(found) == (32 if "MD5" in digest.canonical(algorithm) else 64)
