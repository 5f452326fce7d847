"""Where a card is put in: a slot that may be empty, with a software card or with a reader behind it."""

from typing import Protocol, cast

from imslab.errors import CardError, CardGone
from imslab.uicc.link import Link


class Slot(Protocol):
    """A reader. ``slow`` when a card in it is real, and must not block the event loop."""

    name: str
    slow: bool

    def connect(self) -> Link:
        """Return a link to the card that is there; raise CardError when there is none."""
        ...

    def present(self) -> bool:
        """Tell whether a card is there now."""
        ...


class SoftwareSlot:
    """A slot for a software card, which can be pulled out and put back, as with fingers."""

    slow = False

    def __init__(self, name: str, card: Link) -> None:
        self.name = name
        self._card: Link = card
        self._pulled = False

    @property
    def protocol(self) -> str | None:
        """The transmission protocol of the card, where it says so."""
        return getattr(self._card, "protocol", None)

    def pull(self) -> None:
        """Take the card out: whoever speaks to it gets CardGone."""
        self._pulled = True

    def insert(self) -> None:
        """Put the card back; it powers up, and has forgotten selections and channels."""
        if self._pulled:
            self._pulled = False
            self._card.reset()

    def present(self) -> bool:
        """Tell whether the card is in the slot."""
        return not self._pulled

    def connect(self) -> Link:
        """Return a link to the card; raise CardGone when it was pulled out."""
        self._there()
        return self

    def transmit(self, apdu: bytes, /) -> bytes:
        """Pass one command on; raise CardGone when the card is out."""
        self._there()
        return self._card.transmit(apdu)

    def reset(self) -> bytes:
        """Reset the card and return its ATR; raise CardGone when it is out."""
        self._there()
        return self._card.reset()

    def _there(self) -> None:
        if self._pulled:
            raise CardGone(f"there is no card in {self.name}")


class ReaderSlot:
    """A PC/SC reader; ``name`` is a part of its name, None for the first one with a card."""

    slow = True

    def __init__(self, name: str | None = None) -> None:
        self._wanted = name
        self.name = name or "card reader"

    def connect(self) -> Link:
        """Connect to the card, shared with other programs; raise CardError, which says what mends it."""
        from imslab.uicc import pcsc

        link = pcsc.connect(self._wanted)
        self.name = self._wanted = link.name  # from now on this reader, whatever else is plugged in
        return cast(Link, link)

    def present(self) -> bool:
        """Connect once more beside whoever is connected: only this tells on every reader."""
        return not self.problem()

    def problem(self) -> str:
        """Say why there is no card, and what mends it; "" when there is one."""
        from imslab.uicc import pcsc

        try:
            pcsc.connect(self._wanted).close()
        except CardError as error:
            return str(error)
        return ""
