"""APDUs in a capture: GSMTAP packets of type SIM on UDP.

Spec: GSMTAP version 2 (libosmocore); ETSI TS 102 221. A packet holds a command and its response and
bears the time of the response. Our own traces say in the packet's comment how long the card took.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from imslab.capture.file import CaptureFile
from imslab.capture.index import UDP, Index
from imslab.errors import Malformed
from imslab.uicc import gsmtap
from imslab.uicc.apdu import AUTHENTICATE, GET_RESPONSE, SEARCH_RECORD, SELECT
from imslab.uicc.link import Exchange
from imslab.uicc.narrator import Narrator, authenticate_parts

_CARD_TIME = re.compile(r"card time (\d{1,12}) us")


@dataclass(frozen=True, slots=True)
class ApduEvent:
    """One command and its response, or an answer to reset (``command`` is empty then).

    ``frame``     from 1;  ``at``: the time of the response, epoch seconds
    ``seconds``   how long the card took; None when the capture does not say
    ``terminal, card``  addresses; a capture from one machine calls the card "card"
    ``label, answer``   both in words;  ``response``: with its status word
    """

    frame: int
    at: float
    seconds: float | None
    terminal: str
    card: str
    command: bytes = field(repr=False)
    response: bytes = field(repr=False)
    label: str = ""
    answer: str = ""

    @property
    def sw(self) -> int | None:
        """The status word; None for an answer to reset."""
        return int.from_bytes(self.response[-2:]) if self.command else None


@dataclass(frozen=True, slots=True)
class Pair:
    """A command-response pair: one event, or two where the card said 61xx and was asked for more."""

    events: tuple[ApduEvent, ...]

    @property
    def command(self) -> bytes:
        """The command that was asked, CLA first."""
        return self.events[0].command

    @property
    def response(self) -> bytes:
        """The data of all responses, and the last status word."""
        return b"".join(event.response[:-2] for event in self.events) + self.events[-1].response[-2:]

    @property
    def seconds(self) -> float | None:
        """How long the card took in all; None when the capture does not say."""
        known = [event.seconds for event in self.events if event.seconds is not None]
        return sum(known) if known else None

    @property
    def parts(self) -> dict[str, bytes]:
        """Of an AUTHENTICATE: RAND, SQN xor AK, AMF, MAC; else nothing."""
        if self.command[1:2] != bytes([AUTHENTICATE]):
            return {}
        return dict(authenticate_parts(self.command, self.response)[0])


def read(capture: CaptureFile, index: Index, warnings: list[str]) -> list[ApduEvent]:
    """Return the APDUs of a capture in the order of their frames."""
    port = gsmtap.PORT
    mine = (index.protocol == UDP) & ((index.dport == port) | (index.sport == port)) & (index.length >= 16)
    narrators: dict[tuple[str, str], Narrator] = {}
    found = []
    for row in np.flatnonzero(mine).tolist():
        try:
            packet = gsmtap.decode(index.octets(row))
        except Malformed as error:
            warnings.append(f"frame {int(index.frame[row])}: GSMTAP, but {error}")
            continue
        if packet.type == gsmtap.TYPE_SIM:
            event = _event(capture, index, row, packet)
            if not event.command:  # a reset: nothing is selected any more
                narrators.pop((event.terminal, event.card), None)
            narrator = narrators.setdefault((event.terminal, event.card), Narrator())
            found.append(_told(event, narrator) if event.command else event)
    return found


def pairs(events: Iterable[ApduEvent]) -> list[Pair]:
    """Join each 61xx with the GET RESPONSE that follows it on the same card."""
    found: list[Pair] = []
    open_at: dict[tuple[str, str], int] = {}
    for event in events:
        place = event.terminal, event.card
        fetches = event.command[1:2] == bytes([GET_RESPONSE])
        if fetches and place in open_at:
            number = open_at[place]
            found[number] = Pair((*found[number].events, event))
        else:
            number = len(found)
            found.append(Pair((event,)))
        if event.command and event.response[-2:-1] == b"\x61":
            open_at[place] = number
        else:
            open_at.pop(place, None)
    return found


def as_sent(pair: Pair) -> Exchange:
    """Return the pair as a terminal sends it, for a Replayer; ``at`` is the time of the command.

    GSMTAP has no room for the Le of a command with data; it is put back where such a command asks for data.
    """
    first, command = pair.events[0], pair.command
    if len(command) > 5 and (len(pair.response) > 2 or _asks_for_data(command)):
        command += b"\x00"
    seconds = pair.seconds or 0.0
    return Exchange(first.at - (first.seconds or 0.0), seconds, command, pair.response)


def _asks_for_data(command: bytes) -> bool:
    """Tell whether a command with data has an Le too (TS 102 221, 11.1.1, 11.1.7; TS 31.102, 7.1)."""
    if command[1] == SELECT:
        return command[3] & 0x0C != 0x0C  # 0C: no FCP is wanted
    return command[1] in (AUTHENTICATE, SEARCH_RECORD)


def _event(capture: CaptureFile, index: Index, row: int, packet: gsmtap.Gsmtap) -> ApduEvent:
    frame = int(index.frame[row])
    at = int(capture.records.time[frame - 1]) / 1e9
    (terminal, _), (card, _) = index.endpoints(row)
    place = (
        frame,
        at,
        _seconds(capture.packet_comment(frame - 1)),
        terminal,
        "card" if card == terminal else card,
    )
    if packet.subtype == gsmtap.SUBTYPE_ATR:
        return ApduEvent(*place, b"", packet.octets, "RESET", f"ATR, {len(packet.octets)} octets")
    exchange = packet.exchange
    if exchange is None:  # not whole: shown as what it is
        return ApduEvent(*place, packet.octets, b"", f"{len(packet.octets)} octets, no whole APDU", "")
    return ApduEvent(*place, *exchange)


def _told(event: ApduEvent, narrator: Narrator) -> ApduEvent:
    if event.label:
        return event
    label, answer = narrator.label(event.command, event.response)
    return replace(event, label=label, answer=answer)


def _seconds(comment: str) -> float | None:
    match = _CARD_TIME.search(comment)
    return int(match.group(1)) / 1e6 if match else None
