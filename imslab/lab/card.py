"""The card in the lab: software, in a reader, or in a recording; it notes what it was asked."""

from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imslab.aka import Answer
from imslab.uicc import Card, Exchange, IsimClient, IsimProfile, Link, Narrator, Profile, Recorder
from imslab.uicc.ota import deliver

if TYPE_CHECKING:
    import pandas as pd


class LabCard:
    """One card, and a record of everything that was said to it."""

    def __init__(self, link: Link, clock: Any, *, software: Card | None = None) -> None:
        self.software = software
        self.waiting: deque[Exchange] = deque()
        self._recorder = Recorder(link, self.waiting.append, clock=clock)
        self._client = IsimClient(self._recorder)
        self._profile: IsimProfile | None = None

    @property
    def profile(self) -> IsimProfile:
        """The IMS profile as the card tells it: read by APDUs the first time, shown as a table."""
        if self._profile is None:
            self._profile = self._client.read_profile()
        return self._profile

    @property
    def protocol(self) -> str | None:
        """The transmission protocol, "T=0" or "T=1", where the card's link says it."""
        return self._recorder.protocol

    @property
    def exchanges(self) -> list[Exchange]:
        """Every command and response so far."""
        return list(self._recorder.exchanges)

    @property
    def apdus(self) -> "pd.DataFrame":
        """Every command and response so far in words and in hex: label, answer, command, response."""
        import pandas as pd

        told = Narrator()
        rows = [
            (*told.label(one.command, one.response), one.command.hex(), one.response.hex())
            for one in self.exchanges
        ]
        return pd.DataFrame(rows, columns=["label", "answer", "command", "response"])

    def transmit(self, apdu: bytes) -> bytes:
        """Send one command APDU; return data and status word."""
        return self._recorder.transmit(apdu)

    def reset(self) -> bytes:
        """Reset the card and return its ATR; a recording starts again from its beginning."""
        self._profile = None
        return self._recorder.reset()

    @property
    def client(self) -> IsimClient:
        """The client that speaks to the card, for what is not shown here: GBA, PINs."""
        return self._client

    def ota(self, packet: bytes) -> bytes:
        """Carry a sealed command packet to the card by SMS; return the response packet, b"" when none came.

        What was read of the card before is forgotten: the packet may have changed it. Raises CardError.
        """
        self._profile = None
        return deliver(self._recorder, packet)

    def authenticate(self, rand: bytes, autn: bytes) -> Answer:
        """Let the card judge a challenge: RES, CK and IK, or MacFailure, SyncFailure, CardError."""
        return self._client.authenticate(rand, autn)


def profile_of(card: LabCard, known: str | Path | Profile | None) -> Profile:
    """Return what the HSS shall know of a card in a reader.

    Without its profile nobody here knows its K: the network gets a made-up one, and the card
    will say so (9862), which is what it is for.
    """
    if known is not None:
        return known if isinstance(known, Profile) else Profile.load(known)
    told = card.profile
    return Profile(
        imsi=told.imsi or "001010000000001",
        impi=told.impi,
        impu=told.impu,
        domain=told.domain,
        k=bytes(16),
        opc=bytes(16),
    )
