"""10,000 registrations over UDP that loses, doubles and reorders on each hop: all succeed, none twice.

The links are simulated, and so is the clock: nothing here waits. `lossy.py` says what the links do.
"""

import hashlib
from collections import Counter
from types import SimpleNamespace

import pytest

from imslab.errors import RegistrationFailed
from imslab.ims import Address, Hss, Pcscf, Scscf, Ue
from imslab.ims.ue import State
from imslab.uicc.profile import Profile

from .conftest import DOMAIN, PCSCF, SCSCF, AkaCard, Seeded
from .lossy import LossyNetwork

PACE, ROUND = 0.01, 100.0  # seconds between two logins, and between two of the same UE


class Operator:
    """A home network and its subscribers; ``asked`` counts the questions to the HSS."""

    def __init__(self, seed, subscribers, **links):
        self.hss, self.asked = Hss(random=Seeded(f"hss {seed}")), Counter()
        self.scscf = Scscf(SCSCF, DOMAIN, self.ask, random=Seeded(f"scscf {seed}"))
        self.pcscf = Pcscf(PCSCF, SCSCF, DOMAIN, random=Seeded(f"pcscf {seed}"))
        self.network = LossyNetwork(seed, **links)
        for node in (self.pcscf, self.scscf):
            self.network.add(node)
        self.ues = [self._subscribe(f"{seed}/{n}", n) for n in range(subscribers)]

    def ask(self, request, now):
        self.asked[type(request).__name__] += 1
        return self.hss.ask(request, now)

    def _subscribe(self, name, n):
        keys = hashlib.sha256(name.encode()).digest()
        profile = Profile(imsi=f"00101{n:010}", k=keys[:16], opc=keys[16:], name=name)
        self.hss.add(profile)
        identity = SimpleNamespace(impi=profile.impi, impu=profile.impu, domain=profile.domain)
        address = Address(f"10.{n // 62500}.{n // 250 % 250}.{n % 250 + 1}", 5060)
        ue = Ue(identity, address, PCSCF, random=Seeded(f"ue {name}"))
        self.network.add(ue, AkaCard(profile))
        return ue

    def register_all(self, times):
        """Let every UE register ``times`` times, one after the other and many at once."""
        start = self.network.now
        for turn in range(times):
            for n, ue in enumerate(self.ues):
                self.network.at(start + turn * ROUND + n * PACE, self._register(ue))
        self.network.run(start + times * ROUND + len(self.ues) * PACE)

    def _register(self, ue):
        def go(now):
            ue.register(now)
            self.network.settle(ue)

        return go

    def happened(self, node, what):
        return sum((event.node, event.what) == (node, what) for event in self.network.events)


@pytest.mark.parametrize("seed", ["first", "second", "third", "fourth"])
def test_two_percent_are_lost_and_2500_registrations_succeed_once_each(seed):
    operator = Operator(seed, 500, loss=0.02, double=0.02, slowest=0.04)
    operator.register_all(5)
    network = operator.network
    # The links did what they are here for ...
    assert 0.015 < network.lost / network.sent < 0.025 and 0.015 < network.doubled / network.sent < 0.025
    assert network.overtaken > network.sent / 10
    # ... every UE has what it wanted, the network saw each registration once, and each took one vector.
    assert Counter(ue.state for ue in operator.ues) == {State.REGISTERED: 500}
    assert operator.happened("UE", "registered") == operator.happened("S-CSCF", "registered") == 2500
    assert operator.asked == {
        "UserAuthorizationRequest": 5000,
        "MultimediaAuthRequest": 2500,
        "ServerAssignmentRequest": 2500,
    }
    for ue in operator.ues:
        (binding,) = operator.scscf.registrar.by_impi(ue.identity.impi).bindings.values()
        assert binding.contact == f"<{ue.requests.contact}>"


def test_half_of_everything_is_lost_and_each_end_is_clear():
    operator = Operator("a bad day", 100, loss=0.5, double=0.1, slowest=1.0)
    operator.register_all(1)
    states = Counter(ue.state for ue in operator.ues)
    assert set(states) == {State.REGISTERED, State.FAILED} and states[State.REGISTERED] > 25
    for ue in operator.ues:
        if ue.state is State.FAILED:
            assert isinstance(ue.failure, RegistrationFailed) and ue.failure.advice
    assert operator.asked["MultimediaAuthRequest"] <= 200
    operator.network.run(operator.network.now + 100)
    assert operator.pcscf._pending == {} and operator.scscf._transactions.servers == {}
