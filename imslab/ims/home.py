"""A home network in one thread: subscribers with their cards, P-CSCF, S-CSCF and HSS.

What a notebook needs to drop, replay or forge a message of a login or a call: no socket, no waiting, and the
same octets in each run when ``random`` is seeded.
"""

from collections.abc import Iterable

from imslab.ims.call import Times
from imslab.ims.hss import Hss
from imslab.ims.network import Card, Network
from imslab.ims.node import Address, RandomSource, Send
from imslab.ims.pcscf import Pcscf
from imslab.ims.scscf import Policy, Scscf
from imslab.ims.ue import EXPIRES, Registered, State, Ue
from imslab.ipsec import TRANSFORMS
from imslab.ipsec.offer import chosen
from imslab.sip import Message
from imslab.uicc import Card as SoftwareCard
from imslab.uicc import IsimClient, Profile

UE, PCSCF, SCSCF = (Address(f"127.0.0.{last}", 5060) for last in (11, 21, 31))


class HomeNetwork(Network):
    """The nodes of one home network, connected: ``ue``, ``pcscf``, ``scscf`` and ``hss``.

    ``profile``     the subscriber; the HSS knows it, and a software card is made of it
    ``random``      gives all random octets: RAND, tags, branches, cnonces
    ``card``        who answers the challenges in place of that card
    ``algorithm``   the only one that the UE accepts; None takes the strongest that is offered
    ``policy``      what the S-CSCF offers
    ``transport``   "UDP", "TCP" or "WS"; the hop to the S-CSCF is UDP
    ``times``       how long the UE's calls wait
    ``ipsec``       transforms that the UE offers to protect its access: True its own, or their names
    ``pcscf_ipsec``, ``ipsec_required``  what the P-CSCF offers, and whether it lets in a UE that does not ask
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
        times: Times | None = None,
        ipsec: bool | str | Iterable[str] = False,
        pcscf_ipsec: tuple[str, ...] = TRANSFORMS,
        ipsec_required: bool = False,
    ) -> None:
        self._random, self._clients = random, dict[str, IsimClient]()
        self.hss = Hss(random=random)
        self.scscf = Scscf(SCSCF, profile.domain, self.hss.ask, random=random, policy=policy)
        self.pcscf = Pcscf(
            PCSCF,
            SCSCF,
            profile.domain,
            random=random,
            ipsec=pcscf_ipsec,
            ipsec_required=ipsec_required,
        )
        super().__init__(self.pcscf, self.scscf, now=now)
        self.ues: list[Ue] = []
        self.ue = self.subscribe(
            profile,
            card=card,
            algorithm=algorithm,
            transport=transport,
            expires=expires,
            times=times,
            ipsec=ipsec,
        )

    def subscribe(
        self,
        profile: Profile,
        *,
        card: Card | None = None,
        algorithm: str | None = None,
        transport: str = "UDP",
        expires: int = EXPIRES,
        times: Times | None = None,
        ipsec: bool | str | Iterable[str] = False,
    ) -> Ue:
        """Add a terminal with the card of ``profile``, the next address after the last one, and return it.

        A second terminal of the same subscriber shares the card with the first: a call rings at both.
        """
        if profile.impi not in self._clients:
            self.hss.add(profile)
            self._clients[profile.impi] = IsimClient(SoftwareCard(profile))
        client = self._clients[profile.impi]
        ue = Ue(
            client.read_profile(),
            Address(f"127.0.{len(self.ues) // 10}.{11 + len(self.ues) % 10}", UE.port, transport),
            PCSCF._replace(transport=transport),
            random=self._random,
            algorithm=algorithm,
            expires=expires,
            times=times,
            ipsec=chosen(ipsec),
        )
        self.ues.append(ue)
        self.add(ue, client if card is None else card)
        return ue

    def register(self, ue: Ue | None = None) -> Registered | None:
        """Register, or renew, ``ue`` or the first one: deliver until nobody has anything to say.

        Returns what the network granted, or None when the UE still waits for a lost message (``advance``
        the clock then). Raises what the UE failed with: MacFailure, RegistrationFailed or CardError.
        """
        ue = ue or self.ue
        ue.register(self.now)
        self.run()
        if ue.failure is not None:
            raise ue.failure
        return None if ue.state is State.REGISTERING else ue.registered

    @property
    def to_ue(self) -> list[Message]:
        """The messages that arrived at the UE in clear."""
        return self.messages(to=self.ue.address)

    @property
    def from_ue(self) -> list[Message]:
        """The messages of the UE that arrived at the P-CSCF in clear."""
        return [Message.parse(one.octets) for one in self.passed if one.source == self.ue.address]

    @property
    def esp(self) -> list[Send]:
        """The ESP packets that arrived."""
        return [one for one in self.passed if one.destination.is_protected]

    def ask(self, request: Message, source: Address) -> Message | None:
        """Let a stranger at ``source`` send ``request`` to the P-CSCF; return the last response to him."""
        passed = self.inject(bytes(request), source, self.pcscf.address)
        return next(
            (Message.parse(one.octets) for one in reversed(passed) if one.destination == source), None
        )

    def messages(self, *, to: Address | None = None) -> list[Message]:
        """Return the messages that arrived in clear, in their order: all, or those for one address."""
        clear = (one for one in self.passed if not one.destination.is_protected)
        return [Message.parse(one.octets) for one in clear if to is None or one.destination == to]
