"""Registration in one thread: 3GPP TS 24.229, 5.1.1, 5.2.2 and 5.4.1; RFC 3310; RFC 4169."""

import base64

import pytest

from imslab.aka import SqnArray, digest
from imslab.errors import MacFailure, RegistrationFailed
from imslab.ims import Address
from imslab.ims.scscf import Policy
from imslab.ims.ue import State
from imslab.sip import Message

ALGORITHMS = ["AKAv1-MD5", "AKAv2-MD5", "AKAv2-SHA-256"]
ATTACKER = Address("127.0.0.66", 5060)


def messages(lab, *, to=None):
    """What passed, parsed; ``to`` keeps those towards one address."""
    return [Message.parse(s.octets) for s in lab.network.passed if to is None or s.destination == to]


def register(lab):
    lab.ue.register(lab.network.now)
    lab.network.run()


@pytest.mark.parametrize("transport", ["UDP", "TCP", "WS"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_registers(make, algorithm, transport):
    lab = make(algorithm=algorithm, transport=transport)
    register(lab)
    assert lab.ue.state is State.REGISTERED
    assert lab.ue.registered.algorithm == algorithm
    assert lab.ue.registered.proven is True
    assert lab.ue.registered.impus == lab.profile.impu
    statuses = [m.status for m in messages(lab, to=lab.ue.address) if not m.is_request]
    assert statuses == [401, 200]
    binding = next(iter(lab.scscf.registrar.by_impi(lab.profile.impi).bindings.values()))
    assert binding.expires_at == 1000 + 600_000


def test_the_strongest_algorithm_is_chosen_when_none_is_asked_for(make):
    lab = make()
    register(lab)
    assert lab.ue.registered.algorithm == "AKAv2-SHA-256"


def test_first_register_says_who_but_nothing_else(make):
    lab = make()
    register(lab)
    first = messages(lab)[0]
    credentials = first.authorization[0]
    assert credentials.username == lab.profile.impi
    assert credentials.params["nonce"] == "" and credentials.params["response"] == ""
    assert credentials.cnonce is None and credentials.nc is None


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_ue_never_sees_ck_and_ik_and_the_pcscf_keeps_them(make, algorithm):
    lab = make(algorithm=algorithm)
    register(lab)
    at_core = next(m for m in messages(lab, to=lab.pcscf.address) if m.status == 401)
    at_ue = next(m for m in messages(lab, to=lab.ue.address) if m.status == 401)
    assert all(c.ck and c.ik for c in at_core.www_authenticate)
    assert not any(c.ck or c.ik for c in at_ue.www_authenticate)
    assert b"ck=" not in bytes(at_ue) and b"ik=" not in bytes(at_ue)
    assert [c.algorithm for c in at_ue.www_authenticate] == ALGORITHMS
    rand, autn = lab.card.asked[0]
    m = lab.profile.functions
    last = digest.session_keys("AKAv2-SHA-256", m.f3(rand), m.f4(rand))
    kept = lab.pcscf.session_keys[lab.profile.impi]
    assert (kept.ck, kept.ik) == last  # the challenge that came last in the 401
    assert m.f3(rand).hex() not in repr(kept)


def test_what_a_ue_may_not_say_is_removed(make):
    lab = make()

    def lie(send):
        if send.source == lab.ue.address and b"REGISTER" in send.octets[:8]:
            message = Message.parse(send.octets)
            credentials = message.authorization[0].having(integrity_protected="yes", ck="00", ik="00")
            message = message.with_header("Authorization", credentials)
            for name in ("P-Asserted-Identity", "P-Charging-Vector", "P-Visited-Network-ID", "Path"):
                message = message.append(name, "<sip:mallory@evil.example>")
            return [send._replace(octets=bytes(message))]
        return [send]

    lab.network.intercept = lie
    register(lab)
    assert lab.ue.state is State.REGISTERED
    for request in (m for m in messages(lab, to=lab.scscf.address) if m.method == "REGISTER"):
        assert b"evil.example" not in bytes(request)
        assert request.authorization[0].integrity_protected == "no"
        assert request.authorization[0].ck is None and request.authorization[0].ik is None
        assert len(request.paths) == 1 and request.require == ("path",)
        assert request.p_visited_network_id == (lab.profile.domain,)
        assert request.max_forwards == 69


def test_a_stale_sqn_is_mended_by_auts(make):
    lab = make()
    lab.card.array = SqnArray(dict.fromkeys(range(32), 5000), delta=None)
    register(lab)
    assert lab.ue.state is State.REGISTERED
    requests = [m for m in messages(lab, to=lab.pcscf.address) if m.is_request]
    assert len(requests) == 3
    auts = requests[1].authorization[0].auts
    assert len(base64.b64decode(auts)) == 14
    assert requests[1].authorization[0].response  # computed with the empty password (RFC 3310, 3.4)
    assert len(lab.card.asked) == 2 and lab.card.asked[0] != lab.card.asked[1]
    assert max(lab.card.array.seq_ms.values()) == 5001  # as the AuC counts after resynchronisation


def test_an_auts_with_a_wrong_mac_is_refused(make):
    lab = make()
    lab.card.array = SqnArray(dict.fromkeys(range(32), 5000), delta=None)

    def forge(send):
        message = Message.parse(send.octets)
        if send.source == lab.ue.address and message.authorization[0].auts:
            auts = bytearray(base64.b64decode(message.authorization[0].auts))
            auts[-1] ^= 1
            forged = message.authorization[0].having(auts=base64.b64encode(auts).decode())
            return [send._replace(octets=bytes(message.with_header("Authorization", forged)))]
        return [send]

    lab.network.intercept = forge
    register(lab)
    assert lab.ue.state is State.FAILED and lab.ue.failure.status == 403


def test_a_forged_autn_stops_at_the_card(make):
    lab = make()

    def forge(send):
        message = Message.parse(send.octets)
        if send.destination == lab.ue.address and message.status == 401:
            rows = []
            for challenge in message.www_authenticate:
                octets = bytearray(base64.b64decode(challenge.nonce))
                octets[31] ^= 1
                rows.append(challenge.having(nonce=base64.b64encode(octets).decode()))
            return [send._replace(octets=bytes(message.with_rows("WWW-Authenticate", rows)))]
        return [send]

    lab.network.intercept = forge
    register(lab)
    assert lab.ue.state is State.FAILED
    assert isinstance(lab.ue.failure, MacFailure)
    last = [m for m in messages(lab, to=lab.pcscf.address) if m.is_request][-1]
    assert last.authorization[0].params["response"] == "" and last.authorization[0].auts is None
    assert lab.scscf.registrar.by_impi(lab.profile.impi) is None


def test_a_rejected_autn_is_not_challenged_again(make):
    """Only the MAC failure of the very challenge ends it: TS 24.229, 5.4.1.2.3."""
    lab = make()
    lab.card.authenticate = lambda rand, autn: (_ for _ in ()).throw(MacFailure("forged"))
    register(lab)
    final = messages(lab, to=lab.ue.address)[-1]
    assert final.status == 403


def test_a_replayed_answer_registers_nobody(make):
    lab = make()
    register(lab)
    answer = [s for s in lab.network.passed if s.source == lab.ue.address][-1]
    thief = Message.parse(answer.octets)
    via = thief.via.params["branch"]
    octets = answer.octets.replace(via.encode(), b"z9hG4bKthief")
    passed = lab.network.inject(octets, ATTACKER, lab.pcscf.address)
    reply = next(Message.parse(s.octets) for s in passed if s.destination == ATTACKER)
    assert reply.status == 401
    assert reply.www_authenticate[0].nonce != thief.authorization[0].nonce
    assert ATTACKER not in lab.pcscf.associations


def test_a_wrong_response_is_403(make):
    lab = make()

    def spoil(send):
        message = Message.parse(send.octets)
        if send.source == lab.ue.address and message.authorization[0].response:
            wrong = message.authorization[0].having(response="0" * 64)
            return [send._replace(octets=bytes(message.with_header("Authorization", wrong)))]
        return [send]

    lab.network.intercept = spoil
    register(lab)
    assert lab.ue.failure.status == 403
    assert "imslab explain" in str(lab.ue.failure)


def test_a_late_answer_gets_a_new_challenge_and_an_endless_network_is_left(make):
    lab = make(policy=Policy(nonce_lifetime=-1.0))
    register(lab)
    assert lab.ue.state is State.FAILED and lab.ue.failure.status == 401
    assert "asked 4 times" in str(lab.ue.failure)


def test_an_algorithm_that_is_not_offered(make):
    lab = make(algorithm="AKAv2-MD5", policy=Policy(algorithms=("AKAv1-MD5",)))
    register(lab)
    assert isinstance(lab.ue.failure, RegistrationFailed)
    assert "offers AKAv1-MD5, not AKAv2-MD5" in str(lab.ue.failure)


def test_the_hss_may_allow_a_subscriber_fewer_algorithms(make):
    lab = make(algorithms=("AKAv2-MD5",))
    register(lab)
    challenge = next(m for m in messages(lab, to=lab.ue.address) if m.status == 401)
    assert [c.algorithm for c in challenge.www_authenticate] == ["AKAv2-MD5"]


def test_unknown_user_and_stranger_are_forbidden(make):
    lab = make(impi="stranger@" + "ims.mnc001.mcc001.3gppnetwork.org")
    register(lab)
    assert lab.ue.failure.status == 403


@pytest.mark.parametrize("qop", ["auth", "auth-int", "auth,auth-int"])
def test_qop(make, qop):
    lab = make(policy=Policy(qop=qop))
    register(lab)
    assert lab.ue.state is State.REGISTERED
    used = [m for m in messages(lab, to=lab.pcscf.address) if m.is_request][-1].authorization[0]
    assert used.qop == ("auth-int" if qop == "auth-int" else "auth")


def test_a_forged_rspauth_is_noticed(make):
    lab = make()

    def forge(send):
        message = Message.parse(send.octets)
        if send.destination == lab.ue.address and message.status == 200:
            return [send._replace(octets=send.octets.replace(b'rspauth="', b'rspauth="0'))]
        return [send]

    lab.network.intercept = forge
    register(lab)
    assert isinstance(lab.ue.failure, MacFailure)


def test_a_network_that_does_not_challenge_is_not_trusted(make):
    lab = make()

    def fake(send):
        if send.destination != lab.pcscf.address or send.source != lab.ue.address:
            return [send]
        request = Message.parse(send.octets)
        reply = Message.reply(request, 200, headers=[("Contact", request.get("Contact"))], to_tag="x")
        return [send._replace(octets=bytes(reply), source=send.destination, destination=send.source)]

    lab.network.intercept = fake
    register(lab)
    assert lab.ue.state is State.FAILED and "without a challenge" in str(lab.ue.failure)


def test_a_network_that_accepts_auts_alone_is_not_trusted(make):
    """AUTS is no RES: a 200 to it would register a user whom nobody has authenticated."""
    lab = make()
    lab.card.array = SqnArray(dict.fromkeys(range(32), 5000), delta=None)

    def fake(send):
        request = Message.parse(send.octets)
        if send.source != lab.ue.address or not request.authorization[0].auts:
            return [send]
        reply = Message.reply(request, 200, headers=[("Contact", request.get("Contact"))], to_tag="x")
        return [send._replace(octets=bytes(reply), source=send.destination, destination=send.source)]

    lab.network.intercept = fake
    register(lab)
    assert lab.ue.state is State.FAILED and "without a challenge that the card has answered" in str(
        lab.ue.failure
    )


def test_a_network_that_could_not_prove_itself_stays_the_cause_when_it_falls_silent(make):
    lab = make()
    lab.card.authenticate = lambda rand, autn: (_ for _ in ()).throw(MacFailure("forged"))
    lab.network.intercept = lambda send: (
        [] if send.source == lab.ue.address and len(lab.card.asked) + len(lab.network.passed) > 4 else [send]
    )
    register(lab)
    lab.network.advance(40)
    assert isinstance(lab.ue.failure, MacFailure)


# -- time -----------------------------------------------------------------------------------------


def test_a_lost_datagram_is_sent_again(make):
    lab = make()
    lost = []

    def lose(send):
        if not lost and send.source == lab.ue.address:
            lost.append(send)
            return []
        return [send]

    lab.network.intercept = lose
    register(lab)
    assert lab.ue.state is State.REGISTERING
    lab.network.advance(0.6)
    assert lab.ue.state is State.REGISTERED
    assert len(lost) == 1


def test_a_lost_response_is_repeated_and_the_card_is_asked_once(make):
    lab = make()
    lost = []

    def lose(send):
        if not lost and send.destination == lab.ue.address:
            lost.append(send)
            return []
        return [send]

    lab.network.intercept = lose
    register(lab)
    lab.network.advance(0.6)
    assert lab.ue.state is State.REGISTERED
    assert len(lab.card.asked) == 1


def test_nobody_answers(make):
    lab = make()
    lab.network.intercept = lambda send: []
    register(lab)
    lab.network.advance(31.9)
    assert lab.ue.state is State.REGISTERING
    lab.network.advance(0.2)
    assert lab.ue.state is State.FAILED and lab.ue.failure.status is None
    assert "127.0.0.21:5060" in str(lab.ue.failure)


def test_a_core_that_is_silent_gives_408(make):
    lab = make(transport="TCP")
    lab.network.intercept = lambda send: [] if send.destination == lab.scscf.address else [send]
    register(lab)
    lab.network.advance(33)
    assert lab.ue.failure.status in (408, None)


@pytest.mark.parametrize(("granted", "at"), [(600_000, 599_400), (1200, 600), (100, 50)])
def test_renews_before_it_runs_out(make, granted, at):
    lab = make(expires=granted)
    register(lab)
    count = len(lab.card.asked)
    lab.network.advance(at - 1)
    assert len(lab.card.asked) == count
    lab.network.advance(2)
    assert len(lab.card.asked) == count + 1
    assert lab.ue.state is State.REGISTERED
    lab.network.advance(granted)
    assert lab.scscf.registrar.registered(lab.profile.impi, lab.network.now)


def test_a_renewal_repeats_the_last_answer_and_the_nonce_is_not_taken_twice(make):
    """TS 24.229, 5.1.1.4.1: last nonce and response; the registrar challenges anew."""
    lab = make()
    register(lab)
    before = [m for m in messages(lab, to=lab.pcscf.address) if m.is_request][-1]
    start = len(lab.network.passed)
    register(lab)
    again = Message.parse(lab.network.passed[start].octets)
    assert again.authorization[0].nonce == before.authorization[0].nonce
    assert again.call_id == before.call_id and again.cseq.number == before.cseq.number + 1
    assert lab.ue.state is State.REGISTERED and len(lab.card.asked) == 2


def test_deregisters(make):
    lab = make()
    register(lab)
    lab.ue.deregister(lab.network.now)
    lab.network.run()
    assert lab.ue.state is State.IDLE and lab.ue.registered is None
    assert lab.scscf.registrar.by_impi(lab.profile.impi) is None
    assert lab.hss.subscriber(lab.profile.impi).server == ""
    assert lab.pcscf.associations == {}


def test_a_registration_runs_out(make):
    lab = make(expires=60)
    register(lab)
    lab.network.intercept = lambda send: [] if send.source == lab.ue.address else [send]
    lab.network.advance(61)
    assert lab.scscf.registrar.by_impi(lab.profile.impi) is None
    assert lab.hss.subscriber(lab.profile.impi).server == ""
    assert any(e.what == "registration expired" for e in lab.network.log)


def test_too_short_registrations_are_told_the_least(make):
    lab = make(expires=5, policy=Policy(min_expires=60))
    register(lab)
    assert lab.ue.state is State.REGISTERED
    assert 423 in [m.status for m in messages(lab, to=lab.ue.address)]
    binding = next(iter(lab.scscf.registrar.by_impi(lab.profile.impi).bindings.values()))
    assert binding.expires_at == 1060


def test_two_procedures_at_once_are_refused(make):
    lab = make()
    lab.ue.register(1000.0)
    with pytest.raises(RegistrationFailed, match="already registering"):
        lab.ue.register(1000.0)


def test_the_registrar_repeats_its_answer_to_octets_that_come_twice(make):
    """Behind a P-CSCF in another process a datagram may be doubled: RFC 3261, 17.2.2."""
    lab = make()
    register(lab)
    octets = next(s.octets for s in lab.network.passed if s.destination == lab.scscf.address)
    asked = len(lab.card.asked)
    replies = []
    for _ in range(2):
        lab.scscf.receive(octets, lab.pcscf.address, lab.network.now)
        replies += [send.octets for send in lab.scscf.outgoing()]
    assert len(replies) == 2 and replies[0] == replies[1] and len(lab.card.asked) == asked


def test_the_registrar_answers_400_to_a_request_that_lacks_what_it_needs(make):
    lab = make()
    octets = b"REGISTER sip:x SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKx\r\nContent-Length: 0\r\n\r\n"
    lab.scscf.receive(octets, lab.pcscf.address, lab.network.now)
    assert [Message.parse(send.octets).status for send in lab.scscf.outgoing()] == [400]
    assert [event.what for event in lab.scscf.events()] == ["malformed request"]
