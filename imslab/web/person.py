"""One subscriber of the demo: a profile, a card in a slot, and the bridge to it.

Spec: 3GPP TS 31.103 (what the card says), TS 33.203, annex X. The card is software, or in a PC/SC reader. The
operator of this lab issues cards that know the address of its page (GlobalPlatform SEAC, section 3).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from imslab.uicc import Card, Exchange, IsimClient, Profile
from imslab.uicc.access import lab_rules
from imslab.uicc.ota import deliver
from imslab.uicc.personalisation import ISIM_AID
from imslab.web.bridge import Bridge
from imslab.web.element import SecureElement
from imslab.web.pairing import Pairing
from imslab.web.slot import ReaderSlot, Slot, SoftwareSlot

if TYPE_CHECKING:
    from imslab.web.server import Demo

BROWSER, CARD = 11, 111  # the last octets of the first browser's and the first card's address in the trace


class Person:
    """One subscriber of the demo: a profile, a card in a slot, and the bridge to it."""

    def __init__(self, demo: "Demo", profile: Profile, position: int) -> None:
        self.name, self.profile = profile.name, profile
        self._demo, self._position = demo, position
        self.reader: str | None = None
        self._pairing = Pairing(random=demo.random)
        self.slot: Slot
        self.bridge: Bridge

    @property
    def is_software(self) -> bool:
        """Whether the card is a software card."""
        return self.reader is None

    @property
    def host(self) -> str:
        """The address that this subscriber's browser has in the trace."""
        return self._demo.address(BROWSER + self._position)

    @property
    def card_host(self) -> str:
        """The address that the card has in the trace."""
        return self._demo.address(CARD + self._position)

    @property
    def number(self) -> str:
        """The telephone number, or else the address."""
        tel = [impu for impu in self.profile.impu if impu.startswith("tel:")]
        return tel[0].removeprefix("tel:") if tel else self.profile.impu[0]

    async def start(self, port: int) -> None:
        """Put the card in, and start the bridge."""
        rules = lab_rules(ISIM_AID, self._demo.origin)
        if self.reader is None:
            # The operator of this lab issues cards that know the address of its page.
            self.slot = SoftwareSlot(
                f"{self.name}'s reader", Card(replace(self.profile, access=rules), protocol="T=0")
            )
        else:
            self.slot = ReaderSlot(None if self.reader == "auto" else self.reader)
        element = SecureElement(
            self.slot,
            clock=self._demo.clock,
            rules=rules,  # a card in a reader may have none of its own
            on_exchange=self._said,
            on_reset=self._reset,
        )
        self.element = element
        await self.start_bridge(port)

    async def start_bridge(self, port: int) -> None:
        """Start the bridge; one that is started again knows the pages that it was paired with."""
        self.bridge = Bridge(
            [self.element],
            [self._demo.origin],
            port=port,
            mode=self._demo.mode,
            pairing=self._pairing,
            clock=self._demo.clock,
            random=self._demo.random,
            on_code=self._code,
            on_entry=self._demo.on_event,
        )
        await self.bridge.start()

    async def close(self) -> None:
        """Stop the bridge."""
        if hasattr(self, "bridge"):
            await self.bridge.close()

    async def ota(self, packet: bytes) -> bytes:
        """Carry a sealed command packet to the card, then tell the pages to read it again (REFRESH).

        Returns the response packet, b"" when none came. Raises what the card raises.
        """
        answer = await self.element.run(lambda link: deliver(link, packet))
        await self.bridge.refresh(self.element.name)
        return answer

    async def provision(self, **changes: Any) -> None:
        """Tell the HSS what has changed in this subscription: ``impu=("sip:...", ...)``; SQN goes on.

        Raises Malformed for what a profile cannot hold.
        """
        self.profile = replace(self.profile, **changes)
        if self._demo.core is not None:
            self._demo.core.hss.add(self.profile)

    async def read(self) -> Any:
        """Return what the card says now."""
        return await self.element.run(lambda link: IsimClient(link).read_profile())

    def settings(self) -> Mapping[str, Any]:
        """Return what this subscriber's page must know."""
        profile = self.profile
        return {
            "name": self.name,
            "title": f"{self.name}'s phone",
            "sip": f"{self._demo.sip}/{self.name}",
            "bridge": self.bridge.url,
            "contacts": self._demo.contacts(self.name),
            "ways": ["card", "password", "token"] if self.name in self._demo.passwords else ["card"],
            # Who the user is, for the ways in which no card says it.
            "profile": {"impi": profile.impi, "impu": profile.impu, "domain": profile.domain},
        }

    def card_problem(self) -> str:
        """Say why the reader gives no card, and what mends it; "" when it does."""
        return self.slot.problem() if isinstance(self.slot, ReaderSlot) else ""

    def card_state(self) -> str:
        """Say whether the card is there."""
        there = all(reader["present"] for reader in self.bridge.readers())
        kind = "software card" if self.is_software else "card in a reader"
        return kind if there else f"{kind}: taken out"

    def _code(self, code: str) -> None:
        if self._demo.on_code is not None:
            self._demo.on_code(self.name, code)

    def _said(self, exchange: Exchange) -> None:
        if self._demo.tap is not None:
            self._demo.tap.card(self.host, self.card_host, exchange)

    def _reset(self, atr: bytes) -> None:
        if self._demo.tap is not None:
            self._demo.tap.reset(self.host, self.card_host, atr)
