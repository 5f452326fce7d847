"""A home network in one thread: alice with a card made of the AKA functions alone."""

import hashlib
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from imslab.aka import Answer, SqnArray, authenticate
from imslab.data import profile_path
from imslab.ims import Address, Hss, Pcscf, Scscf, Ue
from imslab.ims.network import Network
from imslab.ims.scscf import Policy
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
