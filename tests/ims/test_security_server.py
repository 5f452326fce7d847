"""The P-CSCF's side of the security agreement: TS 24.229 5.2.2, TS 33.203 7, RFC 3329 2.3 and 5."""

from dataclasses import replace

import pytest

from imslab.data import profile_path
from imslab.errors import RegistrationFailed
from imslab.ims import Address
from imslab.ims.attacks import Relay, bid_down, leak_keys
from imslab.ims.indications import Incoming
from imslab.ims.node import ESP
from imslab.ims.security_client import AWAITED, GRACE, LINGER
from imslab.ims.security_server import Offer, without_agreement
from imslab.ims.ue import State
from imslab.ipsec import UDP, Associations
from imslab.ipsec.datagram import datagram
from imslab.ipsec.offer import name_of
from imslab.sip import Message, SecurityMechanism
from imslab.uicc import Card, IsimClient, Profile
from tests.ims.gm import ALICE, altered, dropped, gm, opened

BOB = Profile.load(profile_path("bob"))
SDP = b"v=0\r\no=- 1 1 IN IP4 1.1.1.1\r\ns=-\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n"


def to_core(network, method="REGISTER"):
    """The requests that reached the S-CSCF."""
    got = network.messages(to=network.scscf.address)
    return [m for m in got if m.is_request and m.method == method]


def refusals(network):
    return [(event.what, event.why) for event in network.log if "refused with" in event.what]


def test_the_core_sees_the_protection_and_nothing_of_how():
    network = gm()
    network.register()
    first, second = to_core(network)
    said = [one.authorization[0].params.get("integrity-protected") for one in (first, second)]
    assert said == ["no", "yes"]
    for one in (first, second):
        assert not {"security-client", "security-verify", "proxy-require"} & set(one.keys)
        assert one.require == ("path",)


def test_security_server_lists_all_and_one_challenge_goes_on():
    network = gm()
    network.register()
    (challenge,) = network.to_ue
    assert [one.q for one in challenge.security_server] == [0.9, 0.8, 0.7, 0.6]
    (offered,) = challenge.www_authenticate
    assert (offered.algorithm, offered.ck, offered.ik) == ("AKAv1-MD5", None, None)
    assert len({(one.spi_c, one.spi_s, one.port_c, one.port_s) for one in challenge.security_server}) == 1


def test_a_ue_that_does_not_ask_is_served_as_before():
    network = gm(ipsec=False)
    assert network.register() is not None
    (challenge, _) = network.to_ue
    assert not challenge.security_server and len(challenge.www_authenticate) == 3


def test_where_protection_is_required():
    network = gm(ipsec=False, ipsec_required=True)
    with pytest.raises(RegistrationFailed, match=r"421 Extension Required\. .*offer it"):
        network.register()
    assert network.to_ue[0].require == ("sec-agree",) and to_core(network) == []
    assert gm(ipsec_required=True).register() is not None


def test_nothing_in_common():
    network = gm(ipsec="null/hmac-md5-96")
    with pytest.raises(RegistrationFailed, match="494"):
        network.register()
    assert name_of(network.to_ue[0].security_server[0]) == "aes-cbc/hmac-sha-1-96"
    assert to_core(network) == []


def test_a_terminal_that_announces_without_end():
    network = gm()
    row = "ipsec-3gpp;alg=hmac-sha-1-96;spi-c=1000;spi-s=1001;port-c=5;port-s=6;x=" + "y" * 1000
    altered(network, lambda m: m.with_rows("Security-Client", 5 * [row]))
    with pytest.raises(RegistrationFailed, match="400"):
        network.register()
    assert to_core(network) == [] and len(network.pcscf.database) == 0


# -- a middleman: RFC 3329, section 5 ---------------------------------------------------------------


def without_the_last(name):
    return lambda m: m.with_rows(name, list(m.all(name))[:-1]) if name in m else m


@pytest.mark.parametrize(
    ("name", "status", "why"),
    [
        ("Security-Client", None, "Security-Client is not what it was in clear"),
        ("Security-Server", 401, "Security-Verify is not what Security-Server said"),
    ],
)
def test_one_list_is_shorter_than_it_was(name, status, why):
    """What was chosen is the same, and yet it is seen."""
    network = gm()
    altered(network, without_the_last(name), status=status)
    with pytest.raises(RegistrationFailed, match=r"494 .*bids down"):
        network.register()
    assert refusals(network) == [("REGISTER refused with 494", why)]
    assert len(to_core(network)) == 1, "the answer to the challenge went no further"
    assert network.scscf.registrar.by_impi(ALICE.impi) is None


def test_bidding_down_in_both_directions():
    """Both choose NULL encryption in good faith; the protected REGISTER tells what was said in clear."""
    network = gm()
    network.intercept = bid_down("null/hmac-sha-1-96")
    with pytest.raises(RegistrationFailed, match="494"):
        network.register()
    assert refusals(network)[0][1] == "Security-Verify is not what Security-Server said"
    (agreement,) = network.pcscf.security._agreements.values()
    assert agreement.sa_set.associations.request.sa.encryption == "null", "so far he had come"
    assert agreement.sa_set.ended, "a set that was bid down opens nothing for long"
    answer = agreement.sa_set.associations.network_request.sa.open(network.esp[1].octets)
    refusal = Message.parse(answer.payload[8:])
    assert refusal.status == 494 and len(refusal.security_server) == 4


@pytest.mark.parametrize("at", [8, 40, -1], ids=["IV", "ciphertext", "ICV"])
def test_one_who_changes_what_is_under_ik(at):
    """Security-Verify is written where nobody can alter it without IK."""
    network = gm()

    def intercept(send):
        if not send.destination.is_protected:
            return [send]
        octets = bytearray(send.octets)
        octets[at] ^= 1
        return [send._replace(octets=bytes(octets))]

    network.intercept = intercept
    assert network.register() is None and len(to_core(network)) == 1
    assert dropped(network) == ["the integrity check value is wrong: another key, or the packet was changed"]


def test_bidding_down_in_one_direction_ends_in_silence():
    """The two choose differently: nothing opens, and nothing is registered."""
    network = gm()
    both_ways = bid_down("null/hmac-sha-1-96")
    network.intercept = lambda send: both_ways(send) if send.source == network.ue.address else [send]
    assert network.register() is None
    network.advance(33)
    assert network.ue.state is State.FAILED and len(to_core(network)) == 1
    assert dropped(network) != []


def test_a_thief_of_res_gets_nowhere():
    """RES alone is a password in AKAv1; under IPsec he needs IK before he can say it."""
    thief = Relay(IsimClient(Card(ALICE)))
    network = gm(card=thief)
    assert network.register() is None
    network.advance(33)
    assert network.ue.state is State.FAILED
    assert set(dropped(network)) == {
        "the integrity check value is wrong: another key, or the packet was changed"
    }
    assert len(to_core(network)) == 1


# -- what comes in clear, or late, or from somebody else --------------------------------------------


def answered_in_clear(network):
    """Take the protected REGISTER off the wire, and send what is in it in clear."""
    caught = []
    network.intercept = lambda send: caught.append(send) or [] if send.destination.is_protected else [send]
    network.register()
    network.intercept = None
    return opened(network, caught[0])


def test_the_answer_to_the_challenge_in_clear():
    network = gm()
    register = answered_in_clear(network)
    reply = network.ask(register.without("Security-Verify", "Security-Client"), network.ue.address)
    assert reply.status == 494 and refusals(network)[0][1] == "the answer to a challenge came in clear"
    assert [one.q for one in reply.security_server] == [0.9, 0.8, 0.7, 0.6]
    assert len(to_core(network)) == 1
    verify = register.with_header("Authorization", 'Digest username="x", nonce=""').with_header(
        "CSeq", "7 REGISTER"
    )
    other = str(verify.via).replace("z9hG4bK", "z9hG4bKother")
    assert network.ask(verify.with_header("Via", other), network.ue.address).status == 494
    assert refusals(network)[1][1] == "Security-Verify in clear"


def test_other_requests_in_clear_after_the_agreement():
    network = gm()
    network.register()
    port = network.ue.security.server_port
    text = (
        "OPTIONS sip:bob@x SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.11:{0};branch=z9hG4bK{0}\r\n"
        "Max-Forwards: 70\r\nFrom: <sip:x@y>;tag=1\r\nTo: <sip:bob@x>\r\nCall-ID: x{0}\r\n"
        "CSeq: 1 OPTIONS\r\n\r\n"
    )
    for one in (5060, port):
        message = Message.parse(text.format(one).encode())
        assert network.ask(message, Address("127.0.0.11", one)).status == 403
    assert to_core(network, "OPTIONS") == []


def test_the_same_packet_again_and_another_spi():
    network = gm()
    network.register()
    packet = network.esp[0]
    sent = len(network.passed)
    network.inject(*packet[:3])
    network.inject((int.from_bytes(packet.octets[:4]) ^ 1).to_bytes(4) + packet.octets[4:], *packet[1:3])
    assert len(network.passed) == sent + 2, "nobody was answered"
    assert dropped(network)[0] == "number 1 has come before"
    assert dropped(network)[1].startswith("no association has SPI")


def test_an_expired_association():
    network = gm(expires=100)
    network.register()
    old = network.esp[0]
    network.ue.timers._heap.clear()  # a UE that forgets to renew
    network.advance(100 + 30)
    network.inject(old.octets, *old[1:3])
    assert len(network.pcscf.database) == 0
    assert dropped(network)[0].startswith("no association has SPI")


def sets_of(network):
    return network.pcscf.database.sets(
        ("127.0.0.11", network.ue.security.server_port or network.ue.security._port_s)
    )


def test_lifetimes_at_the_pcscf():
    """TS 33.203, 7.4: awaited for 4 minutes, then the registration and 30 s; the old one 32 s more."""
    network = gm(expires=1000)
    network.intercept = lambda send: [] if send.destination.is_protected else [send]
    network.register()
    (one,) = sets_of(network)
    assert one.until == AWAITED and not one.proven
    network.intercept = None
    network.advance(1)
    assert one.until == pytest.approx(1000 + GRACE, abs=1) and one.proven
    network.register()
    old, new = sets_of(network)
    assert old is one and old.ended and old.until == network.now + LINGER
    assert new.until == network.now + 1000 + GRACE and not new.ended


def test_a_newer_set_does_not_go_with_an_older_registration():
    """A second challenge is under way while the answer under the first is still being judged."""
    network = gm()
    network.register()
    (used,) = sets_of(network)
    asked = Offer(ALICE.impi, "127.0.0.11", network.pcscf.security.agreement(used).clients, 0, used)
    challenge = next(m for m in network.messages(to=network.pcscf.address) if m.status == 401)
    clients = tuple(
        SecurityMechanism.parse(str(one).replace(f"spi-s={one.spi_s}", "spi-s=4711")) for one in asked.clients
    )
    network.pcscf.security.challenge(replace(asked, clients=clients), challenge, network.now)
    network.pcscf.security.registered(used, network.now, 600)
    assert [one.ended for one in sets_of(network)] == [False, False]


def speak(network, message):
    """Send a message under the UE's associations."""
    database = network.ue.database
    packet, _ = database.seal(network.ue.proxy[:2], bytes(message))
    passed = network.inject(packet, Address("127.0.0.11", 0, ESP), Address("127.0.0.21", 0, ESP))
    return [opened(network, one) for one in passed if one.destination == Address("127.0.0.11", 0, ESP)]


def next_register(network):
    """A REGISTER of the UE as it would come next, with another branch."""
    register = opened(network, network.esp[0])
    via = str(register.via).replace("z9hG4bK", "z9hG4bKagain")
    return register.with_header("Via", via).with_header("CSeq", "9 REGISTER")


@pytest.mark.parametrize(
    ("change", "status", "why"),
    [
        (lambda m: m.without("Security-Verify"), 494, "Security-Verify is not what Security-Server said"),
        (lambda m: m.with_rows("Security-Verify", m.security_verify[::-1]), 494, "Security-Verify is not"),
        (lambda m: m.without("Security-Client"), 494, "no Security-Client"),
        (
            lambda m: m.with_header("Authorization", str(m.authorization[0]).replace(ALICE.impi, BOB.impi)),
            403,
            "under the associations of",
        ),
    ],
    ids=["no Security-Verify", "in another order", "no Security-Client", "another IMPI"],
)
def test_a_protected_register_that_does_not_fit(change, status, why):
    network = gm()
    network.register()
    reached = len(to_core(network))
    (reply,) = speak(network, change(next_register(network)))
    assert reply.status == status and why in refusals(network)[0][1]
    assert len(to_core(network)) == reached
    assert network.pcscf.database.active(("127.0.0.11", network.ue.security.server_port)).ended is False
    assert network.register() is not None, "the registration stands as it stood"


def test_the_answer_under_older_associations():
    network = gm()
    network.register()
    old, caught = network.ue.database.active(network.ue.proxy[:2]), []

    def keep(send):
        if send.destination.is_protected and send.destination.host == network.pcscf.address.host:
            caught.append(send)
        return [send] if len(caught) < 2 else []

    network.intercept = keep
    network.register()
    network.intercept = None
    answer = opened(network, caught[1])
    network.ue.database.use(old)
    verify = opened(network, caught[0]).security_verify  # what was said of the old ones
    packet, _ = network.ue.database.seal(
        network.ue.proxy[:2], bytes(answer.with_rows("Security-Verify", verify))
    )
    network.inject(packet, Address("127.0.0.11", 0, ESP), Address("127.0.0.21", 0, ESP))
    assert network.ue.failure.status == 494
    assert refusals(network)[-1][1] == "the answer to a challenge came under older associations"


def test_other_requests_repeat_security_server_too():
    network = gm()
    network.register()
    network.passed.clear()
    network.ue.subscribe(network.now)
    network.run()
    subscribe = opened(network, network.esp[0])
    assert len(subscribe.security_verify) == 4 and subscribe.require == ("sec-agree",)
    (onward,) = to_core(network, "SUBSCRIBE")
    assert not {"security-verify", "require", "proxy-require"} & set(onward.keys)
    assert network.ue.reginfo, "the NOTIFY came back under IPsec"
    notify = next(m for one in network.esp if (m := opened(network, one)).is_request and m.method == "NOTIFY")
    assert notify.via.port == 5063
    altered_one = subscribe.with_rows("Security-Verify", subscribe.security_verify[:1])
    via = str(altered_one.via).replace("z9hG4bK", "z9hG4bKagain")
    (reply,) = speak(network, altered_one.with_header("Via", via))
    assert reply.status == 494 and len(to_core(network, "SUBSCRIBE")) == 1


def test_a_wrong_answer_leaves_the_older_associations():
    network = gm()
    network.register()
    network.intercept = lambda send: [send]
    wrong = network.scscf._authenticator
    check = wrong.check

    def never(request, credentials, *rest):
        verdict = yield from check(request, credentials, *rest)
        return verdict._replace(status=403, headers=[]) if verdict.status == 200 else verdict

    wrong.check = never
    with pytest.raises(RegistrationFailed, match="403"):
        network.register()
    sets = network.pcscf.database.sets(("127.0.0.11", network.ue.security._port_s))
    assert [one.ended for one in sets] == [False, True]
    assert len(network.ue.database) == 0, "the terminal begins anew, in clear"
    wrong.check = check
    assert network.register() is not None


def test_nobody_takes_the_ports_of_another_terminal():
    """TS 33.203, 7.2: at one address a protected port belongs to one terminal."""
    network = gm()
    network.register()
    bob = network.subscribe(BOB, ipsec=True)
    bob.security._port_s = network.ue.security.server_port
    bob.address = network.ue.address._replace(port=5099)  # behind the same NAT
    network.add(bob, IsimClient(Card(BOB)))
    with pytest.raises(RegistrationFailed, match="no Security-Server"):
        network.register(bob)
    assert any("belongs to another terminal" in event.why for event in network.log)


def test_who_has_only_asked_keeps_nobody_out():
    """Anybody can ask in the name of bob, from alice's address as well."""
    network = gm()
    network.hss.add(BOB)
    asked = []

    def intercept(send):
        if not asked and send.source == network.ue.address:
            asked.append(send)
            message = Message.parse(send.octets)
            forged = str(message.authorization[0]).replace(ALICE.impi, BOB.impi)
            via = str(message.via).replace("z9hG4bK", "z9hG4bKbob")
            forged = message.with_header("Authorization", forged).with_header("Via", via)
            forged = forged.with_header("To", f"<{BOB.impu[0]}>").with_header("Call-ID", "bob")
            return [send._replace(octets=bytes(forged)), send]
        return [send]

    network.intercept = intercept
    assert network.register() is not None and len(network.pcscf.database) == 2


def call_to(bob, network):
    """Let alice call bob, who picks up; return her call."""

    def pick_up(indication, now):
        if isinstance(indication, Incoming):
            bob.answer(indication.call, SDP, now)

    network.own(bob, pick_up)
    network.passed.clear()
    call = network.ue.invite(BOB.impu[0], SDP, network.now)
    network.run()
    return call


def test_a_call_under_ipsec(answers):
    network = gm()
    bob = network.subscribe(BOB, ipsec="aes-gcm/null")
    network.register()
    network.register(bob)
    call = call_to(bob, network)
    assert call.state.name == "CONFIRMED" and network.to_ue == []
    network.register()  # a new set in mid call
    network.ue.hang_up(call, network.now)
    network.run()
    assert call.ending is not None and bob.calls == []
    network.advance(40)
    assert dropped(network) == []


def test_a_dialog_comes_back_to_the_protected_port():
    """TS 24.229, 5.2.6.3 and 5.2.6.4: a UE that follows Record-Route stays under IPsec."""
    network = gm()
    bob = network.subscribe(BOB, ipsec=True)
    network.register()
    network.register(bob)
    call = call_to(bob, network)
    bob.hang_up(bob.calls[0], network.now)
    network.run()
    assert call.ending.by == "peer"
    nodes = {node.address.host: node for node in (network.ue, bob, network.pcscf)}
    inside = []
    for one in network.esp:
        association = nodes[one.destination.host].database.receiving(int.from_bytes(one.octets[:4]))
        inside.append(Message.parse(association.sa.open(one.octets).payload[8:]))
    pcscf = network.pcscf.address.host
    sent = [m for one, m in zip(network.esp, inside, strict=True) if one.destination.host == pcscf]
    later = [m for m in sent if m.is_request and m.to.tag is not None]
    assert {m.method for m in later} == {"ACK", "BYE"}
    assert all(m.routes[0].uri.port == 5063 and m.routes[0].uri.host == pcscf for m in later)
    invite = next(m for m in inside if m.is_request and m.method == "INVITE" and m.record_routes)
    to_alice = [m for one, m in zip(network.esp, inside, strict=True) if one.destination.host == "127.0.0.11"]
    ok = next(m for m in to_alice if m.status == 200 and m.cseq.method == "INVITE")
    assert invite.record_routes[0].uri.port == 5063 and ok.record_routes[-1].uri.port == 5063
    for message in network.messages(to=network.scscf.address):
        assert all(one.uri.port == 5060 for one in (*message.routes, *message.record_routes))


def test_keys_come_from_the_challenge_and_not_from_what_it_would_be():
    """An attacker who has seen ck and ik of the 401 between the CSCFs has every key (TS 24.229, 5.2.2)."""
    network = gm()
    network.register()
    challenge = next(m for m in network.messages(to=network.pcscf.address) if m.status == 401)
    leaked = challenge.www_authenticate[0]
    pair = network.from_ue[0].security_client[0], network.to_ue[0].security_server[0]
    guessed = Associations.agree(*pair, bytes.fromhex(leaked.ck), bytes.fromhex(leaked.ik))
    port = guessed.request.source_port, guessed.request.destination_port
    inner = datagram(("127.0.0.11", port[0]), ("127.0.0.21", port[1]), b"\r\n\r\n")
    network.inject(
        guessed.request.sa.seal(77, UDP, inner, bytes(16)),
        Address("127.0.0.11", 0, ESP),
        Address("127.0.0.21", 0, ESP),
    )
    assert dropped(network) == [], "it was opened: the packet is as good as the terminal's own"


def test_an_end_that_does_not_offer_the_weakest_is_left_alone():
    network = gm(ipsec="aes-gcm/null")
    network.intercept = bid_down("null/hmac-sha-1-96")
    with pytest.raises(RegistrationFailed, match="null/hmac-sha-1-96, not with aes-gcm/null"):
        network.register()


def test_a_pcscf_that_leaves_the_keys_in_the_challenge():
    network = gm()
    leak_keys(network.pcscf)
    network.register()
    (challenge,) = network.to_ue
    told = challenge.www_authenticate[0]
    assert (
        bytes.fromhex(told.ck)
        == network.ue.database.active(network.ue.proxy[:2]).associations.request.sa.encryption_key
    )
    assert bytes.fromhex(told.ik)


def test_what_stays_between_the_two():
    register = Message.parse(
        b"REGISTER sip:x SIP/2.0\r\nRequire: sec-agree, path\r\nProxy-Require: Sec-Agree\r\n"
        b"Security-Client: tls\r\nSecurity-Verify: tls\r\nSupported: sec-agree\r\n\r\n"
    )
    left = without_agreement(register)
    assert left.require == ("path",) and "proxy-require" not in left.keys
    assert not {"security-client", "security-verify"} & set(left.keys) and left.supported == ("sec-agree",)
    plain = Message.parse(b"REGISTER sip:x SIP/2.0\r\nRequire: path\r\n\r\n")
    assert bytes(without_agreement(plain)) == bytes(plain)
