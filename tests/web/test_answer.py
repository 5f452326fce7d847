"""The bridge answers a challenge itself: what a page gets, and what it never gets."""

import pytest

from imslab.aka import digest, generate_vector
from imslab.errors import BridgeRefused
from imslab.uicc.access import AccessRules, Filter, Rule, lab_rules, origin_hash
from imslab.uicc.personalisation import ISIM_AID
from imslab.web.answer import Question, answer

PAGE = "http://127.0.0.1:8080"
REALM = "ims.mnc001.mcc001.3gppnetwork.org"


def vector_of(table, number=1, **changes):
    sqn = (number << 5 | 1).to_bytes(6)
    return generate_vector(table.profile.functions, bytes(range(16)), sqn)


def question(vector, **changes):
    said = {
        "algorithm": "AKAv2-MD5",
        "realm": REALM,
        "nonce": digest.nonce_for(vector.rand, vector.autn),
        "qop": "auth",
        "method": "REGISTER",
        "uri": f"sip:{REALM}",
    }
    return Question.parse({**said, **changes})


async def asked(table, asking, origin=PAGE):
    element = table.element
    return await element.run(lambda link: answer(element, link, origin, asking, table.random))


@pytest.mark.parametrize("algorithm", ["AKAv1-MD5", "AKAv2-MD5", "AKAv2-SHA-256"])
@pytest.mark.parametrize("qop", ["auth", ""])
async def test_a_page_gets_the_answer_and_the_proof_to_expect(desk, algorithm, qop):
    table = desk()
    vector = vector_of(table)
    got = await asked(table, question(vector, algorithm=algorithm, qop=qop))
    keys = {"res": vector.xres, "ck": vector.ck, "ik": vector.ik}
    said = {name: got.get(name) for name in ("username", "realm", "nonce", "uri", "qop", "nc", "cnonce")}
    assert said["username"] == table.profile.impi
    digest.verify(algorithm, got["response"], method="REGISTER", **said, **keys)
    assert got["rspauth"] == digest.rspauth(algorithm, **said, **keys)


async def test_res_ck_and_ik_are_nowhere_in_what_a_page_gets(desk):
    table = desk()
    vector = vector_of(table)
    got = await asked(table, question(vector))
    text = repr(got)
    for secret in (vector.xres, vector.ck, vector.ik):
        assert secret.hex() not in text.lower() and repr(secret) not in text
    password = digest.password("AKAv2-MD5", vector.xres, vector.ck, vector.ik)
    assert password.decode() not in text
    assert set(got) == {
        *("username", "realm", "nonce", "uri", "algorithm", "qop", "nc", "cnonce"),
        *("response", "rspauth"),
    }


async def test_a_stale_challenge_gives_auts_and_the_answer_to_an_empty_password(desk):
    table = desk()
    await asked(table, question(vector_of(table, 9)))
    got = await asked(table, question(vector_of(table, 9)))
    assert len(digest.parse_auts(got["auts"])) == 14
    said = {name: got[name] for name in ("username", "realm", "nonce", "uri", "qop", "nc", "cnonce")}
    digest.verify("AKAv2-MD5", got["response"], method="REGISTER", password=b"", **said)
    assert "rspauth" not in got


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"realm": "evil.example.org"}, "AccessDenied"),
        ({"uri": "sip:evil.example.org"}, "AccessDenied"),
        ({"method": "INVITE"}, "AccessDenied"),
        ({"algorithm": "MD5"}, "AccessDenied"),
        ({"algorithm": "AKAv9-MD5"}, "BadRequest"),
        ({"nonce": "AAAA"}, "BadRequest"),
        ({"qop": "unknown"}, "BadRequest"),
    ],
)
async def test_only_a_challenge_of_the_home_network_is_answered(desk, changes, name):
    table = desk()
    with pytest.raises(BridgeRefused) as refused:
        await asked(table, question(vector_of(table), **changes))
    assert refused.value.name == name
    # and the card was not asked: its SQN is where it was
    assert await asked(table, question(vector_of(table)))


async def test_a_network_that_cannot_prove_itself(desk):
    table = desk()
    vector = vector_of(table)
    forged = digest.nonce_for(vector.rand, vector.autn[:-1] + bytes([vector.autn[-1] ^ 1]))
    with pytest.raises(BridgeRefused) as refused:
        await asked(table, question(vector, nonce=forged))
    assert refused.value.name == "MacFailure"


@pytest.mark.parametrize(
    ("access", "origin"),
    [
        (lab_rules(ISIM_AID, PAGE), "http://evil.example.org"),
        (AccessRules((Rule(ISIM_AID, origin_hash(PAGE), (Filter(bytes.fromhex("00a40004")),)),)), PAGE),
    ],
)
async def test_the_cards_rules_hold_here_too(desk, access, origin):
    table = desk(access=access)
    with pytest.raises(BridgeRefused) as refused:
        await asked(table, question(vector_of(table)), origin)
    assert refused.value.name == "AccessDenied"


@pytest.mark.parametrize("changes", [{"nonce": 5}, {"realm": None}, {"uri": "x" * 513}])
def test_words_of_a_question_are_short_texts(desk, changes):
    with pytest.raises(BridgeRefused) as refused:
        question(vector_of(desk()), **changes)
    assert refused.value.name == "BadRequest"


async def test_no_channel_is_left_open(desk):
    table = desk()
    await asked(table, question(vector_of(table)))
    assert list(table.card._session.channels) == [0]
