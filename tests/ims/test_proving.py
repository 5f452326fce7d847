"""An INVITE that is challenged: 407, answered by the card (RFC 3261 22.3, RFC 3310, TS 24.229 5.4.3.6)."""

import pytest

from imslab.errors import CardError, MacFailure
from imslab.ims.attacks import rewrite
from imslab.ims.call import CallState
from imslab.ims.scscf import Policy

CHALLENGING = Policy(challenge_calls=True)


@pytest.fixture
def strict(home):
    return home(policy=CHALLENGING)


@pytest.mark.parametrize("algorithm", ["AKAv1-MD5", "AKAv2-MD5", "AKAv2-SHA-256", None])
def test_the_card_answers(strict, algorithm):
    strict.alice.ue.algorithm = algorithm
    call = strict.alice.calls(strict.bob)
    assert call.state is CallState.CONFIRMED
    assert strict.alice.statuses() == [100, 407, 100, 180, 200]
    first, second = [m for m in strict.alice.sent() if m.method == "INVITE" and m.is_request]
    assert (first.call_id, first.from_) == (second.call_id, second.from_)
    assert (first.cseq.number, second.cseq.number) == (1, 2)
    credentials = second.proxy_authorization[0]
    assert credentials.uri == strict.bob.uri and credentials.algorithm == (algorithm or "AKAv2-SHA-256")
    assert "Proxy-Authorization" not in strict.bob.got()[0]
    strict.alice.do("hang_up", call)
    assert strict.bob.endings[0].by == "peer"


def test_nobody_but_the_proxies_sees_ck_and_ik(strict):
    strict.alice.calls(strict.bob)
    challenges = [m for m in strict.network.messages() if m.status == 407]
    assert [bool(m.proxy_authenticate[0].ck) for m in challenges] == [True, False]
    assert b"ck=" not in bytes(challenges[1]) and b"ik=" not in bytes(challenges[1])


def test_the_called_side_is_not_challenged(strict):
    strict.alice.calls(strict.bob)
    assert not [m for m in strict.bob.got() if m.status == 407]


def test_a_message_and_a_change_are_not_challenged(strict):
    call = strict.alice.calls(strict.bob)
    strict.alice.do("message", strict.bob.uri, "hello")
    assert strict.alice.statuses("MESSAGE") == [200]
    strict.alice.do("hold", call, strict.alice.sdp("sendonly"))
    assert strict.alice.statuses().count(407) == 1


def test_a_stale_sqn_is_mended_by_auts(strict):
    strict.hss.forget_sqn(strict.alice.ue.identity.impi)
    call = strict.alice.calls(strict.bob)
    assert call.state is CallState.CONFIRMED and strict.alice.statuses().count(407) == 2


@pytest.mark.parametrize("error", [MacFailure("forged"), CardError("gone", sw1=0x6F, sw2=0, meaning="?")])
def test_a_card_that_refuses_ends_the_call(strict, error):
    def refuse(rand, autn):
        raise error

    strict.network._cards[id(strict.alice.ue)] = type("Card", (), {"authenticate": staticmethod(refuse)})()
    call = strict.alice.calls(strict.bob)
    assert (call.ending.status, call.ending.reason) == (407, str(error))
    assert strict.bob.told == []


@pytest.mark.parametrize(
    ("challenge", "why"),
    [
        ('Digest realm="x", nonce="abc", algorithm=MD5', "offers MD5, not AKAv2-SHA-256 or"),
        ('Digest realm="x", nonce="abc", algorithm=AKAv1-MD5', "nonce"),
        ('Digest realm="x", nonce="%s", algorithm=AKAv1-MD5, qop="new"' % ("A" * 43 + "="), "qop"),
        ("Basic realm=x", "offers Basic, not AKAv2"),
    ],
    ids=["md5", "short nonce", "qop", "basic"],
)
def test_a_challenge_that_no_card_can_answer(strict, challenge, why):
    strict.network.intercept = rewrite(
        lambda m: m.with_rows("Proxy-Authenticate", [challenge]), status=407, to=strict.alice.address
    )
    call = strict.alice.calls(strict.bob)
    assert call.ending.status == 407 and why in call.ending.reason


def test_a_network_that_asks_for_ever_is_left(strict):
    strict.scscf.policy = Policy(challenge_calls=True)
    strict.scscf._authenticator.policy = Policy(challenge_calls=True, nonce_lifetime=-1.0)
    call = strict.alice.calls(strict.bob)
    assert call.ending.status == 407 and "asked 4 times" in call.ending.reason


@pytest.mark.parametrize(
    "spoil",
    [
        lambda c: c.having(response="0" * 64),
        lambda c: c.having(uri="sip:carol@ims.mnc001.mcc001.3gppnetwork.org"),
        lambda c: c.having(realm="elsewhere"),
        lambda c: c.having(algorithm="AKAv1-SHA-256"),
    ],
    ids=["response", "uri", "realm", "algorithm"],
)
def test_a_wrong_answer_is_403(strict, spoil):
    strict.network.intercept = rewrite(
        lambda m: m.with_header("Proxy-Authorization", spoil(m.proxy_authorization[0])),
        to=strict.pcscf.address,
        where=lambda m: "Proxy-Authorization" in m,
    )
    call = strict.alice.calls(strict.bob)
    assert call.ending.status == 403 and strict.bob.told == []


@pytest.mark.parametrize("name", ["integrity-protected", "ck", "ik"])
def test_a_caller_does_not_vouch_for_itself(strict, name):
    """TS 24.229, 7.2A.2: only the network says that somebody has been authenticated."""
    strict.network.intercept = rewrite(
        lambda m: m.append("Proxy-Authorization", f'Digest username="x", {name}="auth-done"').append(
            "Authorization", f'Digest username="x", {name}="auth-done"'
        ),
        to=strict.pcscf.address,
        where=lambda m: m.is_request and m.method == "INVITE" and len(m.vias) == 1,
    )
    strict.alice.calls(strict.bob)
    at_scscf = [m for m in strict.network.messages(to=strict.scscf.address) if m.method == "INVITE"]
    assert at_scscf and not [m for m in at_scscf if b"auth-done" in bytes(m)]
    assert any(name in event.why for event in strict.network.log)


def test_an_answer_is_good_for_one_callee(strict):
    """RFC 7616, 3.4.6: who changes the Request-URI on the way does not call somebody else with it."""
    strict.network.intercept = rewrite(
        lambda m: m.with_uri("sip:carol@ims.mnc001.mcc001.3gppnetwork.org"),
        to=strict.pcscf.address,
        where=lambda m: m.is_request and "Proxy-Authorization" in m,
    )
    assert strict.alice.calls(strict.bob).ending.status == 403


def test_the_keys_of_a_401_stay_in_the_network_as_well(strict):
    """RFC 3261, 22.2: a user agent may challenge too; what it says of keys is not for the caller."""
    challenge = 'Digest realm="x", nonce="n", algorithm=AKAv1-MD5, ck="00", ik="11"'
    strict.network.intercept = rewrite(
        lambda m: m.with_status(401).append("WWW-Authenticate", challenge),
        status=407,
        to=strict.pcscf.address,
    )
    strict.alice.calls(strict.bob)
    (refusal,) = [m for m in strict.alice.got() if m.status == 401]
    assert refusal.www_authenticate[0].nonce == "n" and b"ck=" not in bytes(refusal)


def test_an_answer_counts_once(strict):
    """A copy of a proven INVITE, from the same address, is challenged anew."""
    call = strict.alice.calls(strict.bob)
    proven = next(m for m in strict.alice.sent() if "Proxy-Authorization" in m)
    copy = proven.with_header("Call-ID", "other").replace_first("Via", strict.alice.ue.requests.via()[1])
    strict.network.inject(bytes(copy), strict.alice.address, strict.pcscf.address)
    assert strict.alice.statuses()[-1] == 407
    assert call.state is CallState.CONFIRMED


def test_the_answer_of_another_card_is_of_no_use(strict):
    """Alice's terminal answers with bob's card."""
    cards = strict.network._cards
    cards[id(strict.alice.ue)] = cards[id(strict.bob.ue)]
    call = strict.alice.calls(strict.bob)
    assert call.ending.status == 407 and strict.bob.told == []


def test_cancelled_while_the_card_thinks(strict):
    call = strict.alice.ue.invite(strict.bob.uri, strict.alice.sdp(), strict.network.now)
    cards, key = strict.network._cards, id(strict.alice.ue)
    card = cards[key]

    class Slow:
        def authenticate(self, rand, autn):
            strict.alice.ue.cancel(call, strict.network.now)
            return card.authenticate(rand, autn)

    cards[key] = Slow()
    strict.network.run()
    assert call.ending.reason == "cancelled" and strict.bob.told == []
