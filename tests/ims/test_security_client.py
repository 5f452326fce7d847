"""The terminal's side of the security agreement: TS 24.229 5.1.1, TS 33.203 7, RFC 3329 2.3."""

import pytest

from imslab.errors import MacFailure, Malformed, RegistrationFailed
from imslab.ims import Address
from imslab.ims.node import ESP, ESP_TCP
from imslab.ims.scscf import Policy
from imslab.ims.security_client import AWAITED, GRACE, LINGER, SecurityClient
from imslab.ims.ue import State
from imslab.ipsec import TRANSFORMS
from imslab.ipsec.offer import name_of
from imslab.sip import Message
from imslab.sip.sec_agree import same_list
from imslab.uicc import Profile
from tests.ims.gm import ALICE, altered, dropped, gm, opened


@pytest.mark.parametrize("name", [*TRANSFORMS, "des-ede3-cbc/hmac-md5-96"])
def test_registers_under_each_transform(name):
    network = gm(ipsec=name, pcscf_ipsec=(*TRANSFORMS, "des-ede3-cbc/hmac-md5-96"))
    registered = network.register()
    assert registered.proven is True and len(network.esp) == 2
    (used,) = network.ue.database.sets(network.ue.proxy[:2])
    sa = used.associations.request.sa
    assert f"{sa.encryption}/{sa.integrity}" == name
    assert [m.status for m in network.to_ue] == [401], "only the challenge came in clear"


def test_over_tcp():
    """TS 33.203, 7.1: each end asks on a connection that it opens, and answers on the other's."""
    network = gm(transport="TCP")
    assert network.register().proven is True
    network.ue.subscribe(network.now)
    network.run()
    assert network.ue.reginfo and network.register() is not None
    assert network.ue.proxy == Address("127.0.0.21", 5063, ESP_TCP)
    assert [m.status for m in network.to_ue] == [401], "only the first challenge came in clear"
    register = next(m for m in reversed(network.messages()) if m.is_request and m.method == "REGISTER")
    assert register.vias[-1].transport == "TCP"
    assert register.contacts[0].uri.transport == "tcp"
    client = network.from_ue[0].security_client[0]
    known = {a.sa.spi: a.use for s in network.ue.database.sets(network.ue.proxy[:2]) for a in s.associations}
    uses = {known[int.from_bytes(one.octets[:4])] for one in network.esp}
    assert len(uses) == 4, "all four associations carry something"
    network.ue.deregister(network.now)
    network.run()
    assert network.ue.state is State.IDLE and dropped(network) == []
    network.advance(100)
    assert len(network.ue.database) == len(network.pcscf.database) == 0
    assert network.ue.database.timer() is None and network.pcscf.database.timer() is None
    assert client.port_s == register.contacts[0].uri.port


@pytest.mark.parametrize("n", range(1, 30))
def test_the_nth_packet_of_a_login_over_tcp_is_lost(n):
    network, count = gm(transport="TCP"), iter(range(1, 10_000))
    network.intercept = lambda send: [] if send.destination.is_protected and next(count) == n else [send]
    for _ in range(2):
        network.register()
        network.advance(10)
        assert network.ue.state is State.REGISTERED
    assert dropped(network) == []


def test_the_first_register_asks_and_the_second_repeats():
    network = gm()
    network.register()
    first, challenge = network.from_ue[0], network.to_ue[0]
    second = opened(network, network.esp[0])
    assert tuple(map(name_of, first.security_client)) == TRANSFORMS
    assert first.require == first.proxy_require == ("sec-agree",) and not first.security_verify
    assert second.require == second.proxy_require == ("sec-agree",)
    assert same_list(first.security_client, second.security_client)
    assert same_list(challenge.security_server, second.security_verify)
    assert len({one.spi_c for one in first.security_client}) == 1


def test_ports_and_via():
    """TS 33.203, 7.1: Via and Contact name the protected server port, and rport would lead elsewhere."""
    network = gm()
    network.register()
    first, second = network.from_ue[0], opened(network, network.esp[0])
    client = first.security_client[0]
    assert first.via.port == first.contacts[0].uri.port == 5060 and "rport" in first.via.params
    assert second.via.port == second.contacts[0].uri.port == client.port_s
    assert "rport" not in second.via.params
    assert second.routes[0].uri.port == 5063 and second.routes[0].uri.transport is None
    (used,) = network.ue.database.sets(network.ue.proxy[:2])
    assert (used.sends.source_port, used.sends.destination_port) == (client.port_c, 5063)
    assert network.ue.proxy == Address("127.0.0.21", 5063, ESP)


def test_client_and_server_port_are_two():
    drawn = iter([b"\0\1", b"\0\1", b"\0\2", b"\0\2", b"\0\1", b"\0\3"])
    numbers = iter(range(1000, 9000))

    def random(octets):
        return next(drawn) if octets == 2 else next(numbers).to_bytes(octets)

    home = Address("192.0.2.1", 5060)
    security = SecurityClient(home, Address("192.0.2.2", 5060), TRANSFORMS, random=random)
    security.begin(fresh=True)
    first = security._offered[0]
    security.begin(fresh=False)
    second = security._offered[0]
    assert (first.port_s, first.port_c, second.port_s, second.port_c) == (49_153, 49_154, 49_153, 49_155)


def test_a_re_registration_agrees_anew_under_what_stands():
    network = gm()
    network.register()
    before = network.ue.database.active(network.ue.proxy[:2])
    network.passed.clear()
    assert network.register() is not None
    requests = [opened(network, one) for one in network.esp if one.source.host == "127.0.0.11"]
    challenge = next(m for one in network.esp if (m := opened(network, one)).status == 401)
    after = network.ue.database.active(network.ue.proxy[:2])
    assert network.to_ue == [], "nothing went in clear"
    assert after is not before and len(network.esp) == 4
    old, new = before.associations, after.associations
    assert old.request.source_port != new.request.source_port
    assert old.network_request.source_port != new.network_request.source_port
    assert old.network_request.destination_port == new.network_request.destination_port
    assert {a.sa.spi for a in old}.isdisjoint({a.sa.spi for a in new})
    assert not same_list(requests[0].security_verify, requests[1].security_verify)
    assert same_list(requests[1].security_verify, challenge.security_server)
    assert [int.from_bytes(one.octets[:4]) for one in network.esp] == [
        old.request.sa.spi,
        old.network_request.sa.spi,
        new.request.sa.spi,
        new.network_request.sa.spi,
    ]


def test_lifetimes():
    """TS 33.203, 7.4: a set lives as long as its registration and a little, an old one for 64 * T1."""
    network = gm(expires=1000)
    network.register()
    (one,) = network.ue.database.sets(network.ue.proxy[:2])
    assert one.until == 1000 + GRACE
    network.register()
    assert one.ended and one.until == LINGER
    network.advance(LINGER)
    assert len(network.ue.database) == len(network.pcscf.database) == 1
    network.advance(500)  # half way of the registration it is renewed, and agreed on anew
    assert network.ue.state is State.REGISTERED and network.ue.registered.expires_at == 1500
    (left,) = network.ue.database.sets(network.ue.proxy[:2])[-1:]
    assert left.until == 1500 + GRACE


def test_a_challenge_that_nobody_answers_leaves_nothing():
    network = gm()
    network.intercept = lambda send: [] if send.destination.is_protected else [send]
    assert network.register() is None
    (waiting,) = network.ue.database.sets(network.ue.proxy[:2])
    assert waiting.until == AWAITED
    network.advance(33)
    assert network.ue.state is State.FAILED and len(network.ue.database) == 0
    assert len(network.pcscf.database) == 1
    network.advance(AWAITED)
    assert len(network.pcscf.database) == 0


def test_a_lost_answer_is_asked_for_again_under_a_new_number():
    """A retransmission is sealed anew: the same packet would be taken for a replay."""
    network = gm()
    lost = []

    def intercept(send):
        if send.destination.is_protected and send.destination.host == "127.0.0.11" and not lost:
            lost.append(send)
            return []
        return [send]

    network.intercept = intercept
    assert network.register() is None
    network.advance(1)
    assert network.ue.state is State.REGISTERED and dropped(network) == []
    up = [int.from_bytes(one.octets[4:8]) for one in network.esp if one.source.host == "127.0.0.11"]
    assert up == [1, 2]


def test_a_pcscf_that_has_lost_its_associations():
    """It drops what it cannot open, and says nothing: the terminal begins anew, in clear."""
    network = gm()
    network.register()
    for one in network.pcscf.database.sets(("127.0.0.11", network.ue.security.server_port)):
        network.pcscf.database.remove(one)
    network.passed.clear()
    assert network.register() is None
    network.advance(32)
    assert network.ue.state is State.REGISTERED and len(network.from_ue) == 1
    assert network.from_ue[0].cseq.number == 1 and not network.from_ue[0].security_verify
    assert any(event.what == "no answer under IPsec" for event in network.log)
    network.intercept = lambda send: []
    network.register()
    network.advance(100)
    assert network.ue.state is State.FAILED, "and not for ever"
    assert len([p for p in network.history if p.lost and not p.send.destination.is_protected]) <= 12


def test_leaving_under_ipsec_without_an_answer_is_not_begun_anew():
    network = gm()
    network.register()
    network.intercept = lambda send: []
    network.ue.deregister(network.now)
    network.advance(70)
    assert network.ue.state is State.FAILED
    assert all(p.send.destination.is_protected for p in network.history if p.lost)


@pytest.mark.parametrize("fate", ["lost", "doubled"])
@pytest.mark.parametrize("n", range(1, 17))
def test_the_nth_message_of_a_login_and_its_renewal(n, fate):
    network, count = gm(), iter(range(1, 1000))

    def intercept(send):
        copies = 1 if next(count) != n else 0 if fate == "lost" else 2
        return copies * [send]

    network.intercept = intercept
    for _ in range(2):
        network.register()
        network.advance(5)
        assert network.ue.state is State.REGISTERED and network.ue.failure is None
    assert next(count) > 16
    bindings = network.scscf.registrar.by_impi(ALICE.impi).bindings
    assert len(bindings) == 1
    doubled = fate == "doubled" and len(dropped(network)) == 1
    assert doubled or dropped(network) == []


def test_leaving_and_coming_back_in_clear():
    network = gm()
    network.register()
    network.ue.deregister(network.now)
    network.run()
    assert network.ue.state is State.IDLE and network.ue.proxy == network.pcscf.address
    network.advance(LINGER)
    assert len(network.ue.database) == len(network.pcscf.database) == 0
    network.passed.clear()
    network.register()
    assert network.from_ue[0].cseq.number == 1 and len(network.esp) == 2


def test_a_stale_sqn_is_mended_in_clear():
    """There are no keys yet: AUTS goes in clear, and the second challenge brings the associations."""
    network = gm()
    network.register()
    network.ue.deregister(network.now)
    network.run()
    network.hss.forget_sqn(ALICE.impi)
    network.passed.clear()
    network.register()
    assert [m.status for m in network.to_ue] == [401, 401] and len(network.esp) == 2
    assert network.from_ue[1].authorization[0].auts and network.from_ue[1].security_client


# -- what it does not put up with -----------------------------------------------------------------


def test_a_pcscf_without_security_server():
    network = gm(pcscf_ipsec=())
    with pytest.raises(RegistrationFailed, match="no Security-Server") as failed:
        network.register()
    assert failed.value.status == 401 and len(network.from_ue) == 1, "the answer was not given in clear"


def test_somebody_takes_security_server_out():
    """Bidding down to nothing: the terminal does not go on in clear (RFC 3329, 5)."""
    network = gm()
    altered(network, lambda m: m.without("Security-Server"), status=401)
    with pytest.raises(RegistrationFailed, match="takes it out"):
        network.register()
    assert len(network.from_ue) == 1 and network.esp == []


def test_a_pcscf_without_its_algorithms():
    network = gm(ipsec="aes-gcm/null")
    other = "ipsec-3gpp;alg=hmac-md5-96;spi-c=1000;spi-s=1001;port-c=5062;port-s=5063"
    altered(network, lambda m: m.with_rows("Security-Server", [other]), status=401)
    with pytest.raises(RegistrationFailed, match="protects with null/hmac-md5-96, not with aes-gcm/null"):
        network.register()
    assert network.esp == []


@pytest.mark.parametrize("missing", ["port-s", "spi-s"])
def test_a_security_server_that_lacks_something(missing):
    network = gm()

    def without(message):
        rows = [
            ";".join(p for p in str(one).split(";") if missing not in p) for one in message.security_server
        ]
        return message.with_rows("Security-Server", rows)

    altered(network, without, status=401)
    with pytest.raises(Malformed, match="without all of"):
        network.register()


def test_another_network_key():
    """The card sees it first: no keys are made of a challenge that proves nothing."""
    network = gm()
    network.hss.add(Profile.from_dict({**ALICE.to_dict(), "k": "00" * 16}), sqn=0)
    with pytest.raises(MacFailure):
        network.register()
    assert network.esp == [] and network.ue.proxy == network.pcscf.address


def test_keys_of_another_length():
    """AKAv2 with SHA-256 has CK' and IK' of 32 octets; IPsec takes 16: there is nothing to agree on."""
    network = gm(policy=Policy(algorithms=("AKAv2-SHA-256",)))
    with pytest.raises(RegistrationFailed, match="no Security-Server"):
        network.register()
    assert any("no challenge with ck and ik of 16 octets" in event.why for event in network.log)


def test_keys_of_akav2_are_the_derived_ones():
    network = gm(policy=Policy(algorithms=("AKAv2-MD5",)))
    assert network.register().algorithm == "AKAv2-MD5" and len(network.esp) == 2


def test_what_comes_in_clear_under_an_agreement_is_a_strangers():
    network = gm()
    network.register()
    client = network.ue.database.active(network.ue.proxy[:2]).associations.network_request.destination_port
    options = Message.parse(
        b"OPTIONS sip:alice SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.21:5063;branch=z9hG4bKx\r\n"
        b"Max-Forwards: 70\r\nFrom: <sip:x@y>;tag=1\r\nTo: <sip:alice@x>\r\nCall-ID: x\r\n"
        b"CSeq: 1 OPTIONS\r\n\r\n"
    )
    for port in (5060, 5063):
        forged = network.inject(bytes(options), Address("127.0.0.21", port), network.ue.address)
        assert [Message.parse(one.octets).status for one in forged[1:]] == [403]
    assert client not in (5060, 5063)


def test_esp_without_an_agreement_is_dropped():
    network = gm(ipsec=False)
    network.inject(bytes(64), Address("127.0.0.21", 0, ESP), Address("127.0.0.11", 0, ESP))
    assert dropped(network) == ["no association with anybody"]


@pytest.mark.parametrize("again", [1, 2])
def test_a_challenge_upon_the_answer(again):
    """A vector that was too old: the next one brings keys and associations of its own."""
    network = gm()
    forget = iter([True] * again)
    network.intercept = lambda send: [send]
    authenticator = network.scscf._authenticator
    check = authenticator.check

    def forgetful(request, credentials, *rest):
        if credentials is not None and credentials.response and next(forget, False):
            authenticator._challenges.clear()
        return check(request, credentials, *rest)

    authenticator.check = forgetful
    assert network.register() is not None
    assert [m.status for m in network.messages(to=network.pcscf.address) if not m.is_request] == [
        401,
        *again * [401],
        200,
    ]
    assert len(network.to_ue) == 1 and len(network.esp) == 2 * again + 2
    assert network.ue.state is State.REGISTERED and len(network.ue.database) == 1


def test_an_end_behind_ipsec_is_udp_to_sip_and_another_end():
    clear, protected = Address("192.0.2.1", 5063), Address("192.0.2.1", 5063, ESP)
    assert protected.uri == clear.uri == "sip:192.0.2.1:5063" and not protected.reliable
    assert protected.sip_transport == "UDP" and protected.is_protected and not clear.is_protected
    assert not protected.is_same_end(clear) and not clear.is_same_end(protected)
    assert protected.is_same_end(protected) and not protected.is_same_end(protected._replace(port=1))
    assert clear.is_same_end(clear._replace(transport="TCP"))
