"""The one way to a card: ``transmit(bytes) -> bytes``; a recorder and a replayer of it.

Spec: ETSI TS 102 221, sections 7.3 and 10; ISO/IEC 7816-3, section 10.3 (T=0: 61xx and 6Cxx).
A software card, a card in a reader and a recording are all a ``Link``. The clock of the recorder
is an argument.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from imslab.errors import CardError, CardGone, Departed
from imslab.uicc import status
from imslab.uicc.apdu import GET_RESPONSE
from imslab.uicc.narrator import explain_apdu

_MOST_RESPONSE = 65536  # octets: no command here answers more, and a broken card could say 61xx for ever
_GONE = (OSError, EOFError)  # ConnectionError and TimeoutError are OSErrors


@runtime_checkable
class Link(Protocol):
    """Anything that takes a command APDU and answers it.

    A link may have an attribute ``protocol``, "T=0" or "T=1"; without it ``exchange`` finds out.
    """

    def transmit(self, apdu: bytes, /) -> bytes:
        """Return the response and the status word; raise CardGone when the card is not there any more."""

    def reset(self) -> bytes:
        """Reset the card and return its ATR (2 to 33 octets)."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One command and its response: ``at`` and ``seconds`` by the recorder's clock."""

    at: float
    seconds: float
    command: bytes
    response: bytes


class Recorder:
    """Pass everything on to ``link`` and keep it; call ``on_exchange`` with each exchange."""

    def __init__(
        self, link: Link, on_exchange: Callable[[Exchange], None] | None = None, *, clock: Callable[[], float]
    ) -> None:
        self.exchanges: list[Exchange] = []
        self._link, self._on_exchange, self._clock = link, on_exchange, clock

    @property
    def protocol(self) -> str | None:
        """The transmission protocol of the link behind, where it says so."""
        return getattr(self._link, "protocol", None)

    def transmit(self, apdu: bytes, /) -> bytes:
        """Pass one command on; record it with its response and the time that it took."""
        at = self._clock()
        response = self._link.transmit(apdu)
        done = Exchange(at, self._clock() - at, bytes(apdu), bytes(response))
        self.exchanges.append(done)
        if self._on_exchange is not None:
            self._on_exchange(done)
        return response

    def reset(self) -> bytes:
        """Reset the card; the recording goes on."""
        return self._link.reset()


class Replayer:
    """Answer as a recording did, as long as it is asked the same, in the same order.

    ``rewinds``  a reset goes back to the start of the recording
    """

    def __init__(
        self, exchanges: Iterable[Exchange], *, atr: bytes = b"\x3b\x00", rewinds: bool = False
    ) -> None:
        self.position = 0
        self._exchanges, self._atr, self._rewinds = tuple(exchanges), atr, rewinds

    def transmit(self, apdu: bytes, /) -> bytes:
        """Return the recorded response; raise Departed when another command was recorded here, or none."""
        if self.position >= len(self._exchanges):
            raise Departed(
                f"the recording has {len(self._exchanges)} exchanges and ends before {_described(apdu)}",
                position=self.position,
            )
        recorded = self._exchanges[self.position]
        if recorded.command != apdu:
            raise Departed(
                f"exchange {self.position}: recorded {_described(recorded.command)}; got {_described(apdu)}",
                position=self.position,
            )
        self.position += 1
        return recorded.response

    def reset(self) -> bytes:
        """Return the ATR; the position in the recording stays where it is, unless it rewinds."""
        if self._rewinds:
            self.position = 0
        return self._atr


def exchange(link: Link, apdu: bytes) -> tuple[bytes, int]:
    """Send one command and return its data and status word, whatever the transmission protocol.

    Fetches what 61xx announces, and repeats with the Le that 6Cxx names. A trailing Le is left out for
    T=0. Raises CardGone when there is no answer, CardError when the card never stops announcing more.
    """
    takes_data = len(apdu) > 5
    trailing_le = takes_data and len(apdu) == 6 + apdu[4]
    protocol = getattr(link, "protocol", None)
    if trailing_le and protocol == "T=0":
        return _finish(link, apdu[:-1], *_ask(link, apdu[:-1]))
    data, sw = _ask(link, apdu)
    if sw == 0x6700 and trailing_le and protocol is None:
        # a T=0 card behind a reader that does not say so: ISO/IEC 7816-3 has no Le there in case 4
        apdu = apdu[:-1]
        data, sw = _ask(link, apdu)
    return _finish(link, apdu, data, sw)


def obtain(link: Link, apdu: bytes) -> bytes:
    """Send one command and return its data; raise CardError, with the reason in words, when it is refused.

    A warning (62xx, 63xx but 63Cx) counts as done. Otherwise as ``exchange``.
    """
    data, sw = exchange(link, apdu)
    if status.is_success(sw) or (sw >> 8 in (0x62, 0x63) and sw & 0xFFF0 != 0x63C0):
        return data
    raise status.refused(_described(apdu), sw)


def _finish(link: Link, apdu: bytes, data: bytes, sw: int) -> tuple[bytes, int]:
    if sw >> 8 == 0x6C:
        data, sw = _ask(link, _with_le(apdu, sw & 0xFF))
    while sw >> 8 == 0x61:
        more, sw = _get_response(link, apdu[0], sw & 0xFF)
        data += more
        if len(data) > _MOST_RESPONSE or (not more and sw >> 8 == 0x61):
            raise CardError(
                "the card announces more and more data",
                sw1=sw >> 8,
                sw2=sw & 0xFF,
                meaning="61xx without an end",
            )
    return data, sw


def _get_response(link: Link, cla: int, length: int) -> tuple[bytes, int]:
    # The response waits on the channel of the command; GET RESPONSE is of the inter-industry class.
    header = bytes((cla & 0x7F, GET_RESPONSE, 0, 0))
    more, sw = _ask(link, header + bytes((length,)))
    if sw >> 8 == 0x6C:
        more, sw = _ask(link, header + bytes((sw & 0xFF,)))
    return more, sw


def _with_le(apdu: bytes, le: int) -> bytes:
    if len(apdu) <= 5:
        return apdu[:4] + bytes((le,))
    body_ends = 5 + apdu[4]
    return apdu[:body_ends] + bytes((le,))


def _ask(link: Link, apdu: bytes) -> tuple[bytes, int]:
    try:
        response = link.transmit(apdu)
    except _GONE as error:
        raise CardGone(f"the card went away during {_described(apdu)}: {type(error).__name__}") from error
    if len(response) < 2:
        raise CardGone(
            f"the card answered {_described(apdu)} with {len(response)} octets, and no status word"
        )
    return bytes(response[:-2]), response[-2] << 8 | response[-1]


def _described(apdu: bytes) -> str:
    # Only the header: the data of VERIFY and of UPDATE may be secret.
    return f"{explain_apdu(apdu)} ({apdu[:5].hex()}{'...' if len(apdu) > 5 else ''})"
