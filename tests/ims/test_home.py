"""The home network of the notebooks: it registers, raises what went wrong, and remembers what passed."""

import pytest

from imslab.data import profile_path
from imslab.errors import RegistrationFailed
from imslab.ims import Address
from imslab.ims.attacks import Relay, lose, rewrite
from imslab.ims.home import HomeNetwork
from imslab.ims.indications import Ended, Incoming
from imslab.ims.scscf import Policy
from imslab.lab import Seeded
from imslab.uicc import Card, IsimClient, Profile

ALICE = Profile.load(profile_path("alice"))


def home(**options):
    return HomeNetwork(ALICE, random=Seeded("home"), **options)


@pytest.mark.parametrize("transport", ["UDP", "TCP", "WS"])
def test_registers_in_one_call(transport):
    network = home(transport=transport)
    registered = network.register()
    assert registered.impus == ALICE.impu and registered.proven is True
    assert [m.status for m in network.messages(to=network.ue.address)] == [401, 200]
    assert len(network.messages()) == 8
    assert network.to_ue == network.messages(to=network.ue.address)
    assert [m.method for m in network.from_ue] == ["REGISTER"] * 2


def test_the_same_octets_in_each_run():
    one, other = home(), home()
    one.register()
    other.register()
    assert [bytes(m) for m in one.messages()] == [bytes(m) for m in other.messages()]


def test_raises_what_went_wrong():
    with pytest.raises(RegistrationFailed, match="offers AKAv1-MD5"):
        home(algorithm="AKAv2-MD5", policy=Policy(algorithms=("AKAv1-MD5",))).register()


def test_a_lost_message_is_in_the_history_and_not_in_what_arrived():
    network = home()
    network.intercept = lose(1, status=401, to=network.ue.address)
    assert network.register() is None
    assert [passage.lost for passage in network.history] == [False, False, False, True]
    assert len(network.passed) == 3
    network.advance(0.5)
    assert network.ue.registered is not None
    assert [passage.at for passage in network.history][4:6] == [0.5, 0.5]


def test_loses_as_many_as_it_is_told():
    network = home()
    network.intercept = lose(2, to=network.pcscf.address)
    network.register()
    network.advance(31)
    assert [passage.at for passage in network.history if passage.lost] == [0.0, 0.5]


def test_rewrites_what_fits_and_nothing_else():
    network = home()
    only_v1 = rewrite(
        lambda m: m.with_rows("WWW-Authenticate", m.www_authenticate[:1]), status=401, to=network.ue.address
    )
    network.intercept = only_v1
    assert network.register().algorithm == "AKAv1-MD5"
    offers = [len(m.www_authenticate) for m in network.messages() if m.status == 401]
    assert offers == [3, 1]  # towards the P-CSCF, and towards the UE


def test_a_relay_answers_akav1_and_never_akav2():
    """RFC 4169, section 1: RES alone is a password in AKAv1."""
    thief = Relay(IsimClient(Card(ALICE)))
    assert home(card=thief, algorithm="AKAv1-MD5").register().impus == ALICE.impu
    with pytest.raises(RegistrationFailed, match="403"):
        home(card=Relay(IsimClient(Card(ALICE))), algorithm="AKAv2-MD5").register()


def test_only_messages_for_which_where_is_true():
    network = home()
    network.intercept = lose(9, where=lambda message: message.is_request and message.cseq.number == 2)
    assert network.register() is None
    assert [passage.lost for passage in network.history] == [False] * 4 + [True]


def test_a_stranger_may_ask():
    network = home()
    network.register()
    stranger = Address("127.0.0.66", 5060)
    copy = network.from_ue[-1].with_header("Via", "SIP/2.0/UDP 127.0.0.66:5060;branch=z9hG4bKcopy")
    assert network.ask(copy, stranger).status == 401
    network.intercept = lose(99)
    assert network.ask(copy.with_header("CSeq", "9 REGISTER"), stranger) is None


def test_a_subscription_leaves_no_gap_between_registers():
    """RFC 3261, 10.2: CSeq grows by one for each REGISTER with the same Call-ID."""
    network = home()
    network.register()
    network.ue.subscribe(network.now)
    network.run()
    network.register()
    numbers = [m.cseq.number for m in network.from_ue if m.is_request and m.method == "REGISTER"]
    assert numbers == [1, 2, 3, 4]
    assert len({m.call_id for m in network.from_ue if m.is_request and m.method == "REGISTER"}) == 1


def test_two_subscribers_and_a_second_terminal():
    network = home()
    bob = network.subscribe(Profile.load(profile_path("bob")), transport="WS")
    again = network.subscribe(Profile.load(profile_path("bob")))
    assert len({ue.address for ue in network.ues}) == 3 and network.ues == [network.ue, bob, again]
    for ue in network.ues:
        assert network.register(ue).impus == ue.identity.impu
    assert len(network.scscf.registrar.by_impi(bob.identity.impi).bindings) == 2


def test_an_owner_hears_what_happens_and_may_act_at_once():
    network = home()
    bob = network.subscribe(Profile.load(profile_path("bob")))
    network.register()
    network.register(bob)
    heard = []

    def decline(indication, now):
        heard.append(type(indication))
        if isinstance(indication, Incoming):
            bob.refuse(indication.call, 603, now)

    network.own(bob, decline)
    sdp = b"v=0\r\no=- 1 1 IN IP4 1.1.1.1\r\ns=-\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n"
    call = network.ue.invite(bob.identity.impu[0], sdp, network.now)
    network.run()
    assert call.ending.status == 603 and heard == [Incoming, Ended]
    assert [type(one) for one in network.ue.indications()] == [Ended]
    assert network.ue.indications() == bob.indications() == []
