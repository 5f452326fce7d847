"""A person with a card: what alice and bob can be asked to do in a notebook."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from imslab.errors import ImslabError
from imslab.ims.ue import EXPIRES
from imslab.lab.card import LabCard
from imslab.uicc import Profile

if TYPE_CHECKING:
    from imslab.capture import Registration
    from imslab.ims.indications import Text
    from imslab.lab import Lab
    from imslab.lab.call import LabCall
    from imslab.media import Endpoint
    from imslab.net.gba import Browser
    from imslab.net.terminal import Terminal


class Subscriber:
    """A person with a card. In a recording the card replays, and ``register`` finds what happened."""

    def __init__(self, lab: "Lab", name: str, card: LabCard, profile: Profile | None) -> None:
        self.name, self.card, self.profile = name, card, profile
        self._lab = lab
        self.messages: list[Text] = []
        self._terminal: Terminal | None = None
        self._left = False  # has de-registered, and stays away until the next ``register``

    def __repr__(self) -> str:
        return f"<{self.name}: {self.card.profile.impu[0]}>"

    async def register(
        self,
        algorithm: str | None = None,
        *,
        transport: str = "UDP",
        expires: int = EXPIRES,
        ipsec: "bool | str | Iterable[str]" = False,
    ) -> "Registration":
        """Register, and return what happened, with ``ladder()`` and ``timing()``.

        ``algorithm``  "AKAv1-MD5", "AKAv2-MD5", "AKAv2-SHA-256"; None takes the strongest offered
        ``transport``  "UDP", "TCP" or "WS"
        ``ipsec``      protect the access (TS 33.203, 7): True, or transforms: "aes-cbc/hmac-sha-1-96", ...
        Raises MacFailure, RegistrationFailed, CardError or NetworkError.
        """
        registration = await self._lab._register(self, algorithm, transport, expires, ipsec)
        self._left = False
        return registration

    async def call(
        self,
        callee: "Subscriber | str",
        *,
        media: "str | Callable[..., Endpoint]" = "webrtc",
        profiles: Sequence[str] = (),
        answer: int | None = 200,
        rings: float = 0.0,
    ) -> "LabCall":
        """Call somebody, and return when sound and picture come in at both ends.

        Who has never registered is registered first; who has left stays away.

        ``callee``    a subscriber of this lab, or a SIP or tel URI
        ``media``     "webrtc": sound and picture, DTLS-SRTP; "sdes": sound, keys in SDP; "rtp": in clear; or
                      what makes an end of another kind: called with name, host, tap, clock and random
        ``profiles``  SRTP profiles (or crypto suites) in the order of preference, of both ends
        ``answer``    what the callee does: 200 answers, 486 and the like refuse, None lets it ring
        ``rings``     seconds that it rings before that

        Raises CallFailed, with the status and what to do, NetworkError when media do not come. In a
        recording: the call that it holds.
        """
        return await self._lab._call(self, callee, media, tuple(profiles), answer, rings)

    async def message(self, recipient: "Subscriber | str", text: str) -> None:
        """Send a text message (RFC 3428), and return when it has arrived: it is among their ``messages``.

        Raises CallFailed when it is not delivered, ImslabError in a recording.
        """
        await self._lab._message(self, recipient, text)

    async def repeat(
        self, times: int, *algorithms: str | None, transport: str = "UDP"
    ) -> "list[Registration]":
        """Register ``times`` times with each algorithm, and return what happened, for measurements.

        Several algorithms take turns, so that a machine that gets slower is slower for all of them. From the
        second on these are re-registrations, with the same messages. The trace is read once, at the end. In a
        recording: those that it holds. Raises what ``register`` raises.
        """
        return await self._lab._repeat(self, times, algorithms or (None,), transport)

    async def browser(self, *, uicc: bool = False) -> "Browser":
        """Return a browser that logs in to web applications with the card (GBA, TS 33.220).

        ``uicc``  Ks stays in the card (GBA_U); else the terminal computes it of CK and IK (GBA_ME)
        Raises ImslabError in a recording: look at ``lab.capture`` there. NetworkError as ``start``.
        """
        return await self._lab._browser(self, uicc)

    async def provision(self, **changes: Any) -> None:
        """Tell the HSS what has changed in this subscription: ``impu=("sip:...", ...)``, ``domain="..."``.

        Sequence numbers go on. Raises Malformed for what a profile cannot hold, ImslabError in a recording.
        """
        if self.profile is None:
            raise ImslabError(f"{self.name} is in a recording: there is no HSS to tell")
        self.profile = replace(self.profile, **changes)
        await self._lab.start()
        self._lab.core.hss.add(self.profile)

    def take_software_card(self) -> None:
        """Go on with the software card, after CardGone for example; the next registration uses it."""
        self._lab._take_software_card(self)

    async def deregister(self) -> None:
        """Leave the network."""
        if self._terminal is None:
            raise ImslabError(f"{self.name} is not registered")
        await self._terminal.deregister()
        await self._lab._settled()
        self._left = True

    async def watch(self) -> dict[str, str]:
        """Subscribe to the reg event; return what the network says of each public identity."""
        if self._terminal is None:
            raise ImslabError(f"{self.name} is not registered: register first")
        return await self._terminal.subscribe()
