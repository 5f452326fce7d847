"""A card in a PC/SC reader, as a link.

Spec: PC/SC part 3 (winscard), through ``pyscard``, which is loaded when it is first needed (the extra
``reader``). Whatever is missing, from the library to the card, is one CardError that says which.
"""

from importlib import import_module
from types import ModuleType
from typing import Any

from imslab.errors import CardError, CardGone

_INSTALL = 'install the extra "reader": pip install "imslab[reader]" (on Linux it builds against libpcsclite)'


class PcscLink:
    """One connected card: ``transmit`` and ``reset`` as any link."""

    def __init__(self, connection: Any, name: str) -> None:
        self._connection, self.name = connection, name

    @property
    def protocol(self) -> str:
        """The transmission protocol, "T=0" or "T=1"."""
        return f"T={self._connection.getProtocol() - 1}"

    def transmit(self, apdu: bytes, /) -> bytes:
        """Send one command; raise CardGone when the card or its reader is not there any more."""
        scard = _smartcard()
        try:
            data, sw1, sw2 = self._connection.transmit(list(apdu))
        except (scard.Exceptions.CardConnectionException, scard.Exceptions.NoCardException) as error:
            raise CardGone(f"the card in {self.name} went away: {error}") from None
        return bytes(data) + bytes((sw1, sw2))

    def reset(self) -> bytes:
        """Connect anew, which resets the card, and return its ATR."""
        scard = _smartcard()
        try:
            self._connection.reconnect(disposition=scard.scard.SCARD_RESET_CARD)
        except scard.Exceptions.SmartcardException as error:
            raise CardGone(f"the card in {self.name} went away: {error}") from None
        return bytes(self._connection.getATR())

    def close(self) -> None:
        """Let go of the card."""
        self._connection.disconnect()


def readers() -> list[str]:
    """Return the names of all readers; raise CardError when PC/SC is not there."""
    return [str(reader) for reader in _readers()]


def connect(name: str | None = None) -> PcscLink:
    """Connect to the card in the first reader that has one, or in the reader whose name holds ``name``.

    Raises CardError when PC/SC, the reader or the card is missing.
    """
    found = [reader for reader in _readers() if name is None or name.lower() in str(reader).lower()]
    if not found:
        wanted = "no reader is connected" if name is None else f"no reader's name holds {name!r}"
        raise _missing(f"{wanted}; imslab doctor shows what is there.")
    exceptions = _smartcard().Exceptions
    for reader in found:
        connection = reader.createConnection()
        try:
            connection.connect()
        except exceptions.NoCardException:
            continue
        except exceptions.SmartcardException as error:
            raise _missing(f"the card in {reader} cannot be used: {error}.") from None
        return PcscLink(connection, str(reader))
    raise _missing(f"there is no card in {', '.join(map(str, found))}.")


def _readers() -> list[Any]:
    scard = _smartcard()
    try:
        return list(scard.System.readers())
    except scard.Exceptions.SmartcardException as error:
        raise _missing(f"PC/SC does not answer ({error}): is pcscd running?") from None


def _smartcard() -> ModuleType:
    try:
        for part in ("Exceptions", "scard", "System"):
            import_module(f"smartcard.{part}")
        return import_module("smartcard")
    except ImportError:
        raise _missing(f"pyscard is not there: {_INSTALL}.") from None


def _missing(text: str) -> CardError:
    return CardError(text, sw1=None, sw2=None, meaning="no card")
