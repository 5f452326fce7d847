"""Networks and cards that never come to an end: a UE leaves them, says why, and keeps nothing.

Each is asked for the third time before it is left (TS 24.229, 5.1.1.5.1); each message is one round, so an
endless one would be 10,000 messages and an error of the network.
"""

import pytest

from imslab.aka import generate_auts
from imslab.errors import RegistrationFailed, SyncFailure
from imslab.ims.attacks import rewrite
from imslab.ims.scscf import Policy
from imslab.ims.ue import State
from imslab.sip import Message


def register(lab):
    lab.ue.register(lab.network.now)
    lab.network.run()


def forgets(lab, times):
    """Let the S-CSCF forget its first ``times`` challenges: each answer is met with another challenge."""
    left = times

    def intercept(send):
        nonlocal left
        if send.destination == lab.ue.address and Message.parse(send.octets).status in (401, 407) and left:
            left -= 1
            lab.scscf._authenticator._challenges.clear()
        return [send]

    return intercept


def at_rest(lab):
    """Let the last transactions die out, and tell what the UE still waits for."""
    lab.network.advance(64)
    return len(lab.ue.timers), len(lab.ue.transactions.clients)


def asked(lab):
    passed = [Message.parse(send.octets) for send in lab.network.passed if send.source == lab.ue.address]
    return sum(message.is_request for message in passed)


@pytest.mark.parametrize("times", [1, 2])
def test_who_is_asked_again_once_or_twice_answers(make, times):
    """Kamailio's 401 leaves before its vector is kept: a fast UE is asked again."""
    lab = make()
    lab.network.intercept = forgets(lab, times)
    register(lab)
    assert lab.ue.state is State.REGISTERED and asked(lab) == 2 + times


@pytest.mark.parametrize("times", [3, 10**9], ids=["three times", "for ever"])
def test_who_is_asked_again_and_again_leaves(make, times):
    lab = make()
    lab.network.intercept = forgets(lab, times)
    register(lab)
    assert lab.ue.state is State.FAILED and asked(lab) == 4
    assert isinstance(lab.ue.failure, RegistrationFailed) and lab.ue.failure.status == 401
    assert "the network asked 4 times" in str(lab.ue.failure) and "compare K and OPc" in lab.ue.failure.advice
    assert at_rest(lab) == (0, 0)
    lab.network.intercept = None
    register(lab)
    assert lab.ue.state is State.REGISTERED  # the next login is not held against it


def test_a_renewal_that_is_never_accepted_leaves_too(make):
    lab = make(expires=600)
    register(lab)
    lab.network.intercept = forgets(lab, 10**9)
    lab.network.advance(301)
    assert lab.ue.state is State.FAILED and "asked 4 times" in str(lab.ue.failure)
    assert at_rest(lab) == (0, 0)


def test_a_card_that_is_never_in_step_leaves(make):
    """Each challenge is answered with AUTS, whatever the HSS makes of it."""
    lab = make()
    functions = lab.profile.functions

    class Stubborn:
        def authenticate(self, rand, autn):
            auts = generate_auts(functions, rand, (1 << 40).to_bytes(6))
            raise SyncFailure("never fresh enough", auts=auts)

    lab.network._cards[id(lab.ue)] = Stubborn()
    register(lab)
    assert lab.ue.state is State.FAILED and "asked 4 times" in str(lab.ue.failure)
    assert asked(lab) == 4 and at_rest(lab) == (0, 0)


def test_a_call_that_is_challenged_for_ever_ends(home, left_over):
    lab = home(policy=Policy(challenge_calls=True))
    lab.ue = lab.alice.ue
    lab.network.intercept = forgets(lab, 10**9)
    call = lab.alice.calls(lab.bob)
    assert call.ending.status == 407 and "asked 4 times" in call.ending.reason
    assert lab.bob.told == []
    lab.network.advance(70)
    assert left_over(lab) == (0, 0, 0)


@pytest.mark.parametrize("wanted", ["700000", str(2**32 - 1)])
def test_a_longer_registration_is_asked_for_once(make, wanted):
    lab = make(expires=100, policy=Policy(min_expires=200))
    register(lab)
    assert lab.ue.state is State.REGISTERED and lab.ue.expires == 200
    lab = make(expires=100, policy=Policy(min_expires=200))
    lab.network.intercept = rewrite(
        lambda m: m.with_header("Min-Expires", wanted), to=lab.ue.address, status=423
    )
    register(lab)
    assert lab.ue.state is State.REGISTERED and lab.ue.expires == int(wanted)


def test_a_network_that_wants_ever_longer_registrations_is_left(make):
    lab = make(expires=100, policy=Policy(min_expires=10**6, max_expires=10**6))
    wanted = 200

    def more(message):
        nonlocal wanted
        wanted += 1
        return message.with_header("Min-Expires", str(wanted))

    lab.network.intercept = rewrite(more, to=lab.ue.address, status=423)
    register(lab)
    assert lab.ue.state is State.FAILED and lab.ue.failure.status == 423
    assert "ask for a longer registration" in lab.ue.failure.advice
    assert at_rest(lab) == (0, 0)
