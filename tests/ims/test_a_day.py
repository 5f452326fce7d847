"""24 hours on a simulated clock: re-registrations, logins that are given up, strangers; nothing grows."""

import gc
import weakref
from functools import _lru_cache_wrapper
from types import FunctionType, ModuleType

import pytest

from imslab.data import profile_path
from imslab.ims import Address
from imslab.ims.home import HomeNetwork
from imslab.ims.ue import State
from imslab.uicc.profile import Profile

from .conftest import Seeded

HOUR, EXPIRES = 3600.0, 600  # a registration of 600 s is renewed after 300 s


BOUNDED = (type, ModuleType, FunctionType, weakref.ReferenceType, _lru_cache_wrapper)


def weight(*nodes):
    """How many objects hang on these nodes: all that they remember.

    But not what has a bound of its own: a cache, and the weak references that an SQLite connection collects.
    """
    seen, waiting = set(), list(nodes)
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, BOUNDED):
            continue
        seen.add(id(one))
        waiting += gc.get_referents(one)
    return len(seen)


class Day(HomeNetwork):
    """Alice renews; bob comes and goes; every ten minutes a stranger begins a login and gives up."""

    def __init__(self, transport):
        super().__init__(
            Profile.load(profile_path("alice")), random=Seeded("day"), expires=EXPIRES, transport=transport
        )
        self.bob = self.subscribe(Profile.load(profile_path("bob")), expires=EXPIRES)
        self.register()
        self.ue.subscribe(self.now)
        self.run()
        self.strangers = self.registrations = 0

    def hour(self):
        for _ in range(6):
            self.register(self.bob)
            self.stranger()
            self.advance(200)
            self.bob.deregister(self.now)
            self.run()
            self.advance(400)
        events = [event.what for event in self.log if event.node == "S-CSCF"]
        self.registrations += events.count("registered")
        for kept in (self.passed, self.history, self.log):
            kept.clear()  # what the network itself writes down for the reader

    def stranger(self):
        self.strangers += 1
        where = Address(f"10.0.{self.strangers // 250}.{self.strangers % 250 + 1}", 5060)
        request = self.bob.requests.register(
            call_id=f"s{self.strangers}", cseq=1, tag="t", expires=600, credentials=self._nothing()
        )
        assert self.ask(request, where).status == 401

    def _nothing(self):
        return self.bob.requests.nothing_yet()

    def weights(self):
        return [weight(node) for node in (self.pcscf, self.scscf, self.hss, self.ue, self.bob)]


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
def test_a_day_of_registrations_leaves_nothing_behind(transport):
    day = Day(transport)
    day.hour()
    day.hour()
    after_two = day.weights()
    for _ in range(22):
        day.hour()
    assert day.ue.state is State.REGISTERED and day.ue.registered.expires_at > day.now
    assert day.registrations == 1 + 24 * 12 + 24 * 6  # alice's first and her renewals, and bob's
    assert day.weights() == pytest.approx(after_two, abs=2)  # an object an hour would be 22
    assert day.ue.reginfo == dict.fromkeys(day.ue.identity.impu, "active")


def test_ues_that_vanish_are_forgotten():
    """Their registrations run out; the P-CSCF's associations with them."""
    day = Day("UDP")
    day.hour()
    before = day.weights()[:3]
    for node in (day.ue, day.bob):
        day._nodes.pop(node.address[:2])  # a battery dies
    day.advance(2 * EXPIRES)
    assert day.scscf.registrar._registrations == {} and day.pcscf.associations == {}
    assert day.hss.subscriber(day.ue.identity.impi).server == ""
    assert sum(day.weights()[:3]) < sum(before)
