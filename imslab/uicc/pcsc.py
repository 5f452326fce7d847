"""A card in a PC/SC reader, as a link.

Spec: PC/SC part 3 (winscard), through ``pyscard``, which is loaded when it is first needed (the extra
``reader``). Whatever is missing, from library to card, is one ReaderError (a CardError) that says which; a
card that goes away in mid use is CardGone. ``imslab.uicc.readiness`` says what mends it.
"""

import ctypes
import sys
from importlib import import_module
from types import ModuleType
from typing import Any

from imslab.errors import CardGone, Malformed
from imslab.uicc.apdu import VERIFY
from imslab.uicc.readiness import ReaderError, State, remedy, state_of

_PROTOCOLS = {"T=0": 1, "T=1": 2}  # SCARD_PROTOCOL_T0, SCARD_PROTOCOL_T1; pyscard's numbers are the same
_LOST = (State.CARD_GONE, State.NO_CARD, State.NO_DAEMON, State.NO_READER, State.MUTE_CARD)


class PcscLink:
    """One connected card: ``transmit`` and ``reset`` as any link."""

    def __init__(self, connection: Any, name: str, *, exclusive: bool = False) -> None:
        self._connection, self.name, self.exclusive = connection, name, exclusive
        self._verified = exclusive

    @property
    def protocol(self) -> str:
        """The transmission protocol, "T=0" or "T=1"."""
        return f"T={self._connection.getProtocol() - 1}"

    @property
    def atr(self) -> bytes:
        """The ATR of the last reset (2 to 33 octets); raises CardGone."""
        try:
            return bytes(self._connection.getATR())
        except _smartcard().Exceptions.SmartcardException as error:
            raise self._failure(error) from None

    def transmit(self, apdu: bytes, /) -> bytes:
        """Send one command.

        Raises CardGone when the card or its reader is not there any more, ReaderError when another program
        has reset the card: ``reset`` then takes it up again.
        """
        exceptions = _smartcard().Exceptions
        self._verified |= apdu[1:2] == bytes((VERIFY,))
        try:
            data, sw1, sw2 = self._connection.transmit(list(apdu))
        except exceptions.SmartcardException as error:
            raise self._failure(error) from None
        return bytes(data) + bytes((sw1, sw2))

    def reset(self) -> bytes:
        """Reset the card and return its ATR; it forgets selections, channels and PINs. Raises CardGone."""
        scard = _smartcard()
        mode = scard.scard.SCARD_SHARE_EXCLUSIVE if self.exclusive else scard.scard.SCARD_SHARE_SHARED
        try:
            self._connection.reconnect(mode=mode, disposition=scard.scard.SCARD_RESET_CARD)
        except scard.Exceptions.SmartcardException as error:
            raise self._failure(error) from None
        return self.atr

    def close(self) -> None:
        """Let go of the card. It is reset when a PIN was presented here, so that nobody inherits it."""
        scard = _smartcard()
        leave = scard.scard.SCARD_RESET_CARD if self._verified else scard.scard.SCARD_LEAVE_CARD
        _undecorated(self._connection).disposition = leave
        _let_go(self._connection)

    def _failure(self, error: Exception) -> CardGone | ReaderError:
        code = getattr(error, "hresult", -1)
        state = state_of(code)
        if state is not None and state not in _LOST:
            return ReaderError(f"{self.name}: {state.value}; {remedy(state)}.", state)
        return CardGone(f"the card in {self.name} went away ({_shown(code, error)})")


def readers() -> list[str]:
    """Return the names of all readers; raise ReaderError when PC/SC is not there."""
    return [str(reader) for reader in _readers()]


def connect(
    name: str | None = None,
    *,
    atr: bytes | str | None = None,
    exclusive: bool = False,
    protocol: str | None = None,
) -> PcscLink:
    """Connect to a card: the first that is found, or the first that fits what is asked.

    ``name``       a part of the reader's name, in any case
    ``atr``        how the card's ATR begins, as octets or in hex
    ``exclusive``  no other program may use the card meanwhile
    ``protocol``   "T=0" or "T=1"; None leaves it to card and reader

    Raises ReaderError (a CardError) when PC/SC, the reader or the card is missing or cannot be used.
    """
    beginning = _octets(atr)
    if protocol is not None and protocol not in _PROTOCOLS:
        raise Malformed(f"unknown protocol {protocol!r}", expected="T=0 or T=1")
    found = [reader for reader in _readers() if name is None or name.lower() in str(reader).lower()]
    if not found:
        wanted = "no reader is connected" if name is None else f"no reader's name holds {name!r}"
        raise ReaderError(f"{wanted}; imslab doctor shows what is there.", State.NO_READER)
    obstacle: ReaderError | None = None
    for reader in found:
        try:
            link = _connect(reader, exclusive, protocol)
        except ReaderError as error:
            # An empty slot hides no better reason: a mute card in another is what the user should hear of.
            if obstacle is None or obstacle.state is State.NO_CARD:
                obstacle = error
            continue
        if link.atr.startswith(beginning):
            return link
        link.close()
    if obstacle is None or (obstacle.state is State.NO_CARD and len(found) > 1):
        fitting = f" whose ATR begins with {beginning.hex()}" if beginning else ""
        raise ReaderError(f"there is no card{fitting} in {', '.join(map(str, found))}.", State.NO_CARD)
    raise obstacle


def _connect(reader: Any, exclusive: bool, protocol: str | None) -> PcscLink:
    scard = _smartcard()
    mode = scard.scard.SCARD_SHARE_EXCLUSIVE if exclusive else scard.scard.SCARD_SHARE_SHARED
    connection = None
    try:
        connection = reader.createConnection()
        connection.connect(
            protocol=None if protocol is None else _PROTOCOLS[protocol],
            mode=mode,
            disposition=scard.scard.SCARD_LEAVE_CARD,
        )
    except scard.Exceptions.NoCardException:
        _let_go(connection)
        raise ReaderError(f"there is no card in {reader}.", State.NO_CARD) from None
    except scard.Exceptions.SmartcardException as error:
        _let_go(connection)
        state = state_of(getattr(error, "hresult", -1)) or State.MUTE_CARD
        text = f"the card in {reader} cannot be used: {state.value} ({_shown(error.hresult, error)})"
        raise ReaderError(f"{text}; {remedy(state)}.", state) from None
    return PcscLink(connection, str(reader), exclusive=exclusive)


def _readers() -> list[Any]:
    scard = _smartcard()
    try:
        return list(scard.System.readers())
    except _errors() as error:
        code = getattr(error, "hresult", -1)
        state = state_of(code, library=library_is_there()) or State.NO_DAEMON
        text = f"PC/SC cannot be used: {state.value} ({_shown(code, error)})"
        raise ReaderError(f"{text}: is pcscd running? imslab doctor says what mends it.", state) from None


def library_is_there() -> bool:
    """Tell whether the library of PC/SC can be loaded; it is part of macOS and of Windows."""
    if sys.platform in ("darwin", "win32"):
        return True
    try:
        ctypes.CDLL("libpcsclite.so.1")
    except OSError:
        return False
    return True


def _smartcard() -> ModuleType:
    try:
        for part in ("Exceptions", "scard", "System"):
            import_module(f"smartcard.{part}")
        return import_module("smartcard")
    except ImportError:
        how = 'pip install "imslab[reader]" (on Linux it builds against libpcsclite), or `make reader`'
        text = f'pyscard is not there: install the extra "reader": {how}.'
        raise ReaderError(text, State.NO_PYSCARD) from None


def _errors() -> tuple[type[Exception], ...]:
    """Return the roots of pyscard's exceptions: those of its PC/SC layer have one of their own."""
    layer = import_module("smartcard.pcsc.PCSCExceptions")
    return _smartcard().Exceptions.SmartcardException, layer.BaseSCardException


def _let_go(connection: Any) -> None:
    """Give up a connection and its context now: pyscard's finalizer complains when the service is gone."""
    if connection is None:
        return
    inner = _undecorated(connection)
    try:
        getattr(inner, "release", inner.disconnect)()
    except _errors():
        inner.hcontext = None  # the card, its reader or the service is gone: there is nothing to let go of


def _undecorated(connection: Any) -> Any:
    """Return the connection that pyscard's decorators hide: how it lets go of a card stands there."""
    return getattr(connection, "component", connection)


def _octets(atr: bytes | str | None) -> bytes:
    if isinstance(atr, str):
        try:
            return bytes.fromhex(atr)
        except ValueError:
            raise Malformed("an ATR is written in hex") from None
    return atr or b""


def _shown(code: int, error: Exception) -> str:
    return f"PC/SC {code & 0xFFFFFFFF:08X}" if code != -1 else str(error)
