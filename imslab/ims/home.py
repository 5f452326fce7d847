"""A home network in one thread: one subscriber with a card, P-CSCF, S-CSCF and HSS.

What a notebook needs to drop, replay or forge a message of a login: no socket, no waiting, and
the same octets in each run when ``random`` is seeded.
"""

from imslab.ims.hss import Hss
from imslab.ims.network import Card, Network
from imslab.ims.node import Address, RandomSource
from imslab.ims.pcscf import Pcscf
from imslab.ims.scscf import Policy, Scscf
from imslab.ims.ue import EXPIRES, Registered, State, Ue
from imslab.sip import Message
from imslab.uicc import Card as SoftwareCard
from imslab.uicc import IsimClient, Profile

UE, PCSCF, SCSCF = (Address(f"127.0.0.{last}", 5060) for last in (11, 21, 31))


class HomeNetwork(Network):
    """The nodes of one registration, connected: ``ue``, ``pcscf``, ``scscf`` and ``hss``.

    ``profile``     the subscriber; the HSS knows it, and a software card is made of it
    ``random``      gives all random octets: RAND, tags, branches, cnonces
    ``card``        who answers the challenges in place of that card
    ``algorithm``   the only one that the UE accepts; None takes the strongest that is offered
    ``policy``      what the S-CSCF offers
    ``transport``   "UDP", "TCP" or "WS"; the hop to the S-CSCF is UDP
    """

    def __init__(
        self,
        profile: Profile,
        *,
        random: RandomSource,
        card: Card | None = None,
        algorithm: str | None = None,
        policy: Policy | None = None,
        transport: str = "UDP",
        expires: int = EXPIRES,
        now: float = 0.0,
    ) -> None:
        client = IsimClient(SoftwareCard(profile))
        self.hss = Hss(random=random)
        self.hss.add(profile)
        self.scscf = Scscf(SCSCF, profile.domain, self.hss.ask, random=random, policy=policy)
        self.pcscf = Pcscf(PCSCF, SCSCF, profile.domain, random=random)
        self.ue = Ue(
            client.read_profile(),
            UE._replace(transport=transport),
            PCSCF._replace(transport=transport),
            random=random,
            algorithm=algorithm,
            expires=expires,
        )
        super().__init__(self.pcscf, self.scscf, now=now)
        self.add(self.ue, client if card is None else card)

    def register(self) -> Registered | None:
        """Register, or renew: deliver until nobody has anything to say.

        Returns what the network granted, or None when the UE still waits for a lost message (``advance``
        the clock then). Raises what the UE failed with: MacFailure, RegistrationFailed or CardError.
        """
        self.ue.register(self.now)
        self.run()
        if self.ue.failure is not None:
            raise self.ue.failure
        return None if self.ue.state is State.REGISTERING else self.ue.registered

    @property
    def to_ue(self) -> list[Message]:
        """The messages that arrived at the UE."""
        return self.messages(to=self.ue.address)

    @property
    def from_ue(self) -> list[Message]:
        """The messages of the UE that arrived at the P-CSCF."""
        return [Message.parse(one.octets) for one in self.passed if one.source == self.ue.address]

    def ask(self, request: Message, source: Address) -> Message | None:
        """Let a stranger at ``source`` send ``request`` to the P-CSCF; return the last response to him."""
        passed = self.inject(bytes(request), source, self.pcscf.address)
        return next(
            (Message.parse(one.octets) for one in reversed(passed) if one.destination == source), None
        )

    def messages(self, *, to: Address | None = None) -> list[Message]:
        """Return the messages that arrived, in their order: all, or those for one address."""
        return [Message.parse(one.octets) for one in self.passed if to is None or one.destination == to]
