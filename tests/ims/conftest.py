"""A home network in one thread: alice with a card made of the AKA functions alone; and people who call."""

import hashlib
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from imslab.aka import Answer, SqnArray, authenticate
from imslab.data import profile_path
from imslab.ims import Address, Hss, Pcscf, Scscf, Ue
from imslab.ims.call import Times
from imslab.ims.home import HomeNetwork
from imslab.ims.indications import Incoming, Offered
from imslab.ims.network import Network
from imslab.ims.scscf import Policy
from imslab.sip import Message
from imslab.sip.offer import mirrored
from imslab.sip.sdp import SessionDescription
from imslab.uicc.profile import Profile

DOMAIN = "ims.mnc001.mcc001.3gppnetwork.org"
UE = Address("127.0.0.11", 5060)
PCSCF = Address("127.0.0.21", 5060)
SCSCF = Address("127.0.0.31", 5060)


class Seeded:
    """Octets that look random and are the same in each run."""

    def __init__(self, seed: str) -> None:
        self._seed, self._count = seed, 0

    def __call__(self, octets: int) -> bytes:
        self._count += 1
        return hashlib.shake_128(f"{self._seed}{self._count}".encode()).digest(octets)


@dataclass
class AkaCard:
    """The least a card is: K, and what it remembers of SQN."""

    profile: Profile
    array: SqnArray = field(default_factory=lambda: SqnArray(delta=None))
    asked: list[tuple[bytes, bytes]] = field(default_factory=list)

    def authenticate(self, rand: bytes, autn: bytes) -> Answer:
        self.asked.append((rand, autn))
        answer, self.array = authenticate(self.profile.functions, self.array, rand, autn)
        return answer


@pytest.fixture
def make():
    """Build a network: ``make(transport=..., policy=..., algorithm=...)``."""

    def build(*, transport="UDP", algorithm=None, expires=600_000, policy=None, impi=None, **subscriber):
        profile = Profile.load(profile_path("alice"))
        hss = Hss(random=Seeded("hss"))
        hss.add(profile, **subscriber)
        scscf = Scscf(SCSCF, DOMAIN, hss.ask, random=Seeded("scscf"), policy=policy or Policy())
        pcscf = Pcscf(PCSCF, SCSCF, DOMAIN, random=Seeded("pcscf"), origins=("http://lab.example",))
        identity = SimpleNamespace(impi=impi or profile.impi, impu=profile.impu, domain=profile.domain)
        ue = Ue(
            identity,
            UE._replace(transport=transport),
            PCSCF._replace(transport=transport),
            random=Seeded("ue"),
            algorithm=algorithm,
            expires=expires,
        )
        card = AkaCard(profile)
        network = Network(pcscf, scscf, now=1000.0)
        network.add(ue, card)
        return SimpleNamespace(
            network=network, ue=ue, card=card, pcscf=pcscf, scscf=scscf, hss=hss, profile=profile
        )

    return build


# -- people who call ------------------------------------------------------------------------------


def description(who, direction="sendrecv", *, formats="0 8", kinds=("audio",), version=1):
    """What ``who`` says of the media, as octets."""
    rows = [f"m={kind} {4000 + 2 * n} RTP/AVP {formats}\r\na={direction}\r\n" for n, kind in enumerate(kinds)]
    head = f"v=0\r\no={who} 1 {version} IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
    return (head + "".join(rows)).encode()


class Person:
    """A UE and who sits before it: ``told`` is what it has heard, ``habit`` what it does then."""

    def __init__(self, network, ue, name):
        self.network, self.ue, self.name = network, ue, name
        self.told, self.habit = [], None
        network.own(ue, self.hear)

    def hear(self, indication, now):
        self.told.append(indication)
        if self.habit is not None:
            self.habit(self, indication, now)

    @property
    def uri(self):
        return self.ue.identity.impu[0]

    @property
    def address(self):
        return self.ue.address

    def sdp(self, direction="sendrecv", **more):
        return description(self.name, direction, **more)

    def heard(self, kind):
        """All that was told of one kind."""
        return [one for one in self.told if isinstance(one, kind)]

    def do(self, name, *arguments, **more):
        """Let the UE do something now, and let the messages pass."""
        result = getattr(self.ue, name)(*arguments, **{"now": self.network.now, **more})
        self.network.run()
        return result

    def calls(self, other, sdp=None):
        """Call somebody, a person or a URI, and return the call."""
        target = other if isinstance(other, str) else other.uri
        return self.do("invite", target, sdp or self.sdp())

    @property
    def call(self):
        """The last call that came in."""
        return self.heard(Incoming)[-1].call

    @property
    def endings(self):
        return [one.ending for one in self.told if type(one).__name__ == "Ended"]

    def sent(self):
        """The messages of this UE that arrived somewhere."""
        return [Message.parse(s.octets) for s in self.network.passed if s.source == self.address]

    def got(self):
        """The messages that arrived at this UE."""
        return [Message.parse(s.octets) for s in self.network.passed if s.destination == self.address]

    def statuses(self, method="INVITE"):
        """The responses that arrived here to requests with this method."""
        return [m.status for m in self.got() if not m.is_request and m.cseq.method == method]

    def methods(self):
        """The methods of the requests that arrived here."""
        return [m.method for m in self.got() if m.is_request]


def answers(person, indication, now):
    """Ring and answer; take every change."""
    if isinstance(indication, Incoming):
        person.ue.ring(indication.call, now)
        person.ue.answer(indication.call, person.sdp(), now)
    elif isinstance(indication, Offered):
        reply_to(person, indication, now)


def reply_to(person, indication, now):
    """Answer a change with what fits its directions."""
    mine = SessionDescription.parse(indication.call.local)
    reply = mirrored(mine, SessionDescription.parse(indication.offer)) if indication.offer else mine
    person.ue.answer(indication.call, bytes(reply), now)


@pytest.fixture
def home():
    """Build alice and bob, registered: ``home(("UDP", "WS"), policy=..., times=..., extra=("bob",))``."""

    def build(transports=("UDP", "UDP"), *, extra=(), times=None, policy=None, habit=answers):
        names = ("alice", "bob", *extra)
        transports = (*transports, *["UDP"] * (len(names) - len(transports)))
        profiles = [Profile.load(profile_path(name)) for name in names]
        times = times or Times()
        network = HomeNetwork(
            profiles[0], random=Seeded("home"), transport=transports[0], policy=policy, times=times
        )
        ues = [network.ue]
        for profile, transport in zip(profiles[1:], transports[1:], strict=True):
            ues.append(network.subscribe(profile, transport=transport, times=times))
        for ue in ues:
            network.register(ue)
        people = [Person(network, ue, name) for ue, name in zip(ues, names, strict=True)]
        for person in people[1:]:
            person.habit = habit
        network.passed.clear()
        network.history.clear()
        network.log.clear()
        lab = SimpleNamespace(network=network, people=people, alice=people[0], bob=people[1])
        lab.others = people[2:]
        lab.pcscf, lab.scscf, lab.hss = network.pcscf, network.scscf, network.hss
        return lab

    return build


def left_over(lab):
    """What still waits somewhere: transactions, timers and calls, but for the renewals of registrations."""
    nodes = [lab.pcscf, lab.scscf]
    layers = [node._transactions for node in nodes] + [person.ue.transactions for person in lab.people]
    waiting = sum(len(layer.clients) + len(layer.servers) for layer in layers)
    timers = sum(len(node._timers) for node in nodes)
    timers += sum(len(person.ue.timers) - 1 for person in lab.people)
    return waiting, timers, sum(len(person.ue.calls) for person in lab.people)


@pytest.fixture(name="left_over")
def left_over_fixture():
    return left_over


@pytest.fixture(name="answers")
def answers_fixture():
    return answers


@pytest.fixture(name="description")
def description_fixture():
    return description
