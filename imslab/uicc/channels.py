"""Logical channels: several conversations with one card, each with its own selected file.

Spec: ETSI TS 102 221, sections 8.7, 10.1.1 and 11.1.17 (MANAGE CHANNEL). Channel 0 is always open; the card
numbers the others, 1 to 19. A channel is a link: a command goes in for channel 0, and leaves with its own.
"""

from types import TracebackType
from typing import Self

from imslab.errors import CardError, Malformed
from imslab.uicc import apdu
from imslab.uicc.apdu import MANAGE_CHANNEL, Command
from imslab.uicc.link import Link, obtain


class LogicalChannel:
    """One open channel of the card behind ``link``; leave it with ``close``, or by the end of a ``with``."""

    def __init__(self, link: Link, number: int) -> None:
        self._link, self.number, self._open = link, number, True

    @property
    def protocol(self) -> str | None:
        """The transmission protocol of the link behind, where it says so."""
        return getattr(self._link, "protocol", None)

    def transmit(self, octets: bytes, /) -> bytes:
        """Send one command on this channel; raise CardError when it is closed, Malformed without a CLA."""
        if not self._open:
            raise CardError(
                f"logical channel {self.number} is closed", sw1=None, sw2=None, meaning="channel closed"
            )
        if not octets:
            raise Malformed("an empty command", expected="CLA INS P1 P2")
        cla = apdu.cla_for(self.number, octets[0] & 0x80)
        return self._link.transmit(bytes((cla,)) + octets[1:])

    def reset(self) -> bytes:
        """Reset the card, which closes every channel but 0; return its ATR."""
        self._open = self.number == 0
        return self._link.reset()

    def close(self) -> None:
        """Close the channel (channel 0 stays open); raise CardError when the card refuses."""
        if self._open and self.number:
            self._open = False
            obtain(self._link, bytes(Command(0x00, MANAGE_CHANNEL, 0x80, self.number)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except CardError:
            if error is None:  # else the card is probably gone, which is what the first error says
                raise


def open_channel(link: Link) -> LogicalChannel:
    """Let the card open a channel and number it (1 to 19).

    Raises CardError when the card has none left (6A81, 6881), CardGone when it is not there.
    """
    data = obtain(link, bytes(Command(0x00, MANAGE_CHANNEL, 0x00, 0x00, b"", 1)))
    if len(data) != 1 or not 1 <= data[0] <= 19:
        raise Malformed("MANAGE CHANNEL gave no channel", expected="one octet, 1 to 19")
    return LogicalChannel(link, data[0])
