"""Digests: right ones are right again for other names, wrong ones stay wrong, faults stay what they were."""

from typing import Any

import pytest

from imslab.aka import Milenage, digest, gba, generate_auts, generate_vector
from imslab.aka.vector import AuthenticationVector
from imslab.errors import WrongResponse
from imslab.sip import AuthenticationInfo, Credentials
from tests.capture.anonymise.parts import OPC, K, Parts

MILENAGE = Milenage(K, OPC)
RAND, SQN = bytes(range(16)), bytes.fromhex("000000000120")
VECTOR = generate_vector(MILENAGE, RAND, SQN)
NONCE = digest.nonce_for(VECTOR.rand, VECTOR.autn)
SAID: dict[str, Any] = {
    "username": "alice@home.example",
    "realm": "home.example",
    "nonce": NONCE,
    "uri": "sip:home.example",
}
COUNTED: dict[str, Any] = {"qop": "auth", "nc": "00000001", "cnonce": "0a4f113b"}


def header(algorithm: str, response: str, **more: str) -> str:
    return str(Credentials.digest(algorithm=algorithm, response=response, **SAID, **COUNTED, **more))


def answer(algorithm: str, labelled: str | None = None, *, body: bytes = b"", **changes: str) -> str:
    secrets: dict[str, Any] = {"res": VECTOR.xres, "ck": VECTOR.ck, "ik": VECTOR.ik}
    response = digest.response(
        algorithm, method="REGISTER", body=body, **(SAID | COUNTED | changes), **secrets
    )
    return header(labelled or algorithm, response, **{k: v for k, v in changes.items() if k not in COUNTED})


def signed(made: Parts, value: str, *, body: bytes = b"", new_body: bytes = b"") -> Credentials:
    made.authentication.survey(value)
    new = made.authentication.rewrite(value)
    text = made.authentication.sign("one 1", "REGISTER", (value, body), (new, new_body))
    assert len(text) == len(value)
    return Credentials.parse(text)


def new_vector(made: Parts) -> AuthenticationVector:
    (functions,) = made.challenges.made
    return generate_vector(functions, made.challenges.rand(RAND), SQN)


def check(made: Parts, algorithm: str, given: Credentials, body: bytes = b"") -> None:
    vector = new_vector(made)
    secrets: dict[str, Any] = {"res": vector.xres, "ck": vector.ck, "ik": vector.ik}
    digest.verify(algorithm, given.response, method="REGISTER", body=body, **given.arguments, **secrets)


@pytest.mark.parametrize("algorithm", ["AKAv1-MD5", "AKAv2-MD5", "AKAv2-SHA-256"])
def test_a_right_answer_is_right_again(keyed: Parts, algorithm: str) -> None:
    given = signed(keyed, answer(algorithm))
    check(keyed, algorithm, given)
    assert "alice" not in str(given)
    assert "home" not in str(given)
    assert (given.algorithm, given.qop, given.nc) == (algorithm, "auth", "00000001")
    assert (keyed.authentication.signed, keyed.authentication.unsigned) == (1, 0)


def test_a_body_counts(keyed: Parts) -> None:
    old, new = b"v=0\r\n", b"v=1\r\n"
    given = signed(
        keyed,
        answer("AKAv1-MD5", qop="auth-int", body=old).replace("qop=auth,", "qop=auth-int,"),
        body=old,
        new_body=new,
    )
    check(keyed, "AKAv1-MD5", given, body=new)


def test_an_answer_of_another_version_stays_one(keyed: Parts) -> None:
    given = signed(keyed, answer("AKAv1-MD5", labelled="AKAv2-MD5"))
    check(keyed, "AKAv1-MD5", given)
    with pytest.raises(WrongResponse):
        check(keyed, "AKAv2-MD5", given)


def test_a_wrong_answer_stays_wrong(keyed: Parts) -> None:
    given = signed(keyed, header("AKAv1-MD5", "0" * 31 + "1"))
    assert given.response != "0" * 31 + "1"
    with pytest.raises(WrongResponse):
        check(keyed, "AKAv1-MD5", given)
    assert (keyed.authentication.signed, keyed.authentication.unsigned) == (0, 1)


def test_an_answer_with_auts(keyed: Parts) -> None:
    auts = generate_auts(MILENAGE, RAND, SQN)
    response = digest.response("AKAv1-MD5", method="REGISTER", password="", **SAID, **COUNTED)
    given = signed(keyed, header("AKAv1-MD5", response, auts=digest.auts_text(auts)))
    digest.verify("AKAv1-MD5", given.response, method="REGISTER", password="", **given.arguments)
    assert given.auts != digest.auts_text(auts)


def test_what_a_ue_repeats_becomes_what_its_answer_became(keyed: Parts) -> None:
    value = answer("AKAv1-MD5")
    first = signed(keyed, value)
    bare = str(Credentials.parse(value).without("qop", "nc", "cnonce", "algorithm"))
    assert signed(keyed, bare).response == first.response
    assert keyed.authentication.unsigned == 0


@pytest.mark.parametrize("place", ["one 1", "elsewhere"])
def test_the_proof_of_the_network_fits_again(keyed: Parts, place: str) -> None:
    value = answer("AKAv2-MD5")
    given = signed(keyed, value)
    secrets: dict[str, Any] = {"res": VECTOR.xres, "ck": VECTOR.ck, "ik": VECTOR.ik}
    proof = digest.rspauth("AKAv2-MD5", **(SAID | COUNTED), **secrets)
    info = str(AuthenticationInfo.of(qop="auth", rspauth=proof, cnonce=COUNTED["cnonce"], nc="00000001"))
    new = keyed.authentication.sign(place, "SIP/2.0", (info, b""), (keyed.authentication.rewrite(info), b""))
    vector = new_vector(keyed)
    after: dict[str, Any] = {"res": vector.xres, "ck": vector.ck, "ik": vector.ik}
    assert AuthenticationInfo.parse(new).rspauth == digest.rspauth("AKAv2-MD5", **given.arguments, **after)
    wrong = info.replace(proof, "1" * 32)
    same = keyed.authentication.sign(place, "", (wrong, b""), (keyed.authentication.rewrite(wrong), b""))
    assert same == keyed.authentication.rewrite(wrong)


def test_a_web_application_s_digest_fits_again(keyed: Parts) -> None:
    keyed.authentication.survey(answer("AKAv1-MD5"))  # the bootstrapping
    b_tid, fqdn = gba.b_tid(RAND, "bsf.example.com"), "naf.example.com"
    key = gba.ks_naf(gba.ks(VECTOR.ck, VECTOR.ik), RAND, SAID["username"], gba.naf_id(fqdn))
    said: dict[str, Any] = {
        "username": b_tid,
        "realm": f"3GPP-bootstrapping@{fqdn}",
        "nonce": "abc",
        "uri": "/basket",
    }
    response = digest.response("MD5", method="GET", password=gba.password(key), **said, **COUNTED)
    value = str(Credentials.digest(algorithm="MD5", response=response, **said, **COUNTED))
    new = keyed.authentication.sign("c", "GET", (value, b""), (keyed.authentication.rewrite(value), b""))
    given, vector = Credentials.parse(new), new_vector(keyed)
    assert given.realm.startswith("3GPP-bootstrapping@")
    assert given.username.startswith(gba.b_tid(vector.rand, ""))
    naf_id = gba.naf_id(given.realm.partition("@")[2])
    new_key = gba.ks_naf(
        gba.ks(vector.ck, vector.ik), vector.rand, keyed.texts.name(SAID["username"]), naf_id
    )
    digest.verify("MD5", given.response, method="GET", password=gba.password(new_key), **given.arguments)


def test_a_challenge_with_keys_in_it(keyed: Parts) -> None:
    value = (
        f'Digest realm="home.example", nonce="{NONCE}", algorithm=AKAv1-MD5, qop="auth,auth-int", '
        f'ck="{VECTOR.ck.hex()}", ik="{VECTOR.ik.hex().upper()}"'
    )
    keyed.authentication.survey(value)
    new, vector = keyed.authentication.rewrite(value), new_vector(keyed)
    assert f'ck="{vector.ck.hex()}", ik="{vector.ik.hex().upper()}"' in new
    assert 'algorithm=AKAv1-MD5, qop="auth,auth-int"' in new
    assert digest.nonce_for(vector.rand, vector.autn) in new


def test_others_headers_lose_their_names(made: Parts) -> None:
    for value in (
        "Basic YWxpY2U6c2VjcmV0",
        "Bearer eyJhbGciOiJIUzI1NiJ9.alice",
        'Digest username="alice", realm="My Home"',
    ):
        new = made.authentication.rewrite(value)
        assert len(new) == len(value)
        assert new.split()[0] == ("Digest" if value.startswith("Digest") else new.split()[0])
        for word in ("alice", "Home", "YWxpY2U6c2VjcmV0", "eyJhbGciOiJIUzI1NiJ9"):
            assert word not in new


def test_an_algorithm_that_nobody_knows_is_no_challenge(made: Parts) -> None:
    made.authentication.survey(f'Digest realm="a", nonce="{"A" * 44}", algorithm=\x00KAv1-MD5')
    assert made.challenges.count == 0
