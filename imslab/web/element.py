"""The secure element as a page sees it: readers, sessions, channels, ``transmit``.

Spec: GlobalPlatform, Open Mobile API 3.3 (before: SIMalliance), sections 6 and 7: SEService, Reader, Session,
Channel; GlobalPlatform, Secure Element Access Control 1.1 (who may open which channel). What a page opens has
a handle that nobody can guess and only that page may use; the basic channel belongs to the terminal.

Teaching code: it is not constant time.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from imslab.errors import BridgeRefused, CardError, CardGone, ImslabError, Malformed
from imslab.ims.node import RandomSource
from imslab.octets import exactly
from imslab.uicc import apdu, aram, status
from imslab.uicc.access import PROFILE_FILES, AccessRules, Decision, Guard, origin_hash
from imslab.uicc.channels import LogicalChannel, open_channel
from imslab.uicc.fcp import Fcp
from imslab.uicc.link import Exchange, Link, Recorder, exchange
from imslab.web.slot import Slot

MOST_SESSIONS, MOST_CHANNELS = 4, 4  # of one page
_HANDLE = 16  # octets
_LONGEST = 261  # octets of a command with short lengths (TS 102 221, 10.1.2)
T = TypeVar("T")


class SecureElement:
    """One reader, shared by all pages: it does one thing at a time.

    ``rules``        what counts when the card has no access rules of its own; None: then nothing is permitted
    ``on_exchange``  called with each command and its answer, for the trace; ``on_reset`` with each ATR
    """

    def __init__(
        self,
        slot: Slot,
        *,
        clock: Callable[[], float],
        rules: AccessRules | None = None,
        on_exchange: Callable[[Exchange], None] | None = None,
        on_reset: Callable[[bytes], None] | None = None,
    ) -> None:
        self.slot, self._rules, self._clock = slot, rules, clock
        self._on_exchange, self._on_reset = on_exchange, on_reset
        self._link: Recorder | None = None
        self._lock = asyncio.Lock()
        self.atr = b""
        self.power_ups = 0  # a session belongs to one of them

    @property
    def name(self) -> str:
        """The reader's name."""
        return self.slot.name

    async def look(self) -> bool:
        """Tell whether a card is there, and let go of one that is gone."""
        async with self._lock:
            there = await self._aside(self.slot.present)
            if not there:
                self._link = None
            return there

    async def run(self, work: Callable[[Link], T], power_up: int | None = None) -> T:
        """Do ``work`` with the card and return what it returns; nobody else speaks to the card meanwhile.

        ``power_up``  the one that a session belongs to. Raises BridgeRefused (NoCard) when the card is gone,
        or another one is there, and what ``work`` raises.
        """
        async with self._lock:
            try:
                link = self._link or await self._aside(self._power_up)
                if power_up not in (None, self.power_ups):
                    raise BridgeRefused("NoCard", "the card was taken out since: open a new session")
                return await self._aside(work, link)
            except CardGone as error:
                self._link = None
                raise BridgeRefused("NoCard", str(error)) from None
            finally:
                if self._link is not None:
                    self._link.exchanges.clear()  # a bridge runs for days

    def decide(self, link: Link, aid: bytes, origin: str) -> Decision:
        """Return what the card's rules (ARA-M) say of a page of ``origin`` and the application ``aid``."""
        channel = open_channel(link)
        try:
            rules = aram.read_rules(channel)
        finally:
            channel.close()
        if rules is None:
            rules = self._rules
        if rules is None:
            return Decision(False, "the card has no access rules")
        return rules.decide(aid, origin_hash(origin))

    def _power_up(self) -> Recorder:
        try:
            link = self.slot.connect()
        except CardGone:
            raise
        except CardError as error:
            raise BridgeRefused("NoCard", str(error)) from None
        self._link = Recorder(link, self._on_exchange, clock=self._clock)
        self.atr = self._link.reset()
        self.power_ups += 1
        if self._on_reset is not None:
            self._on_reset(self.atr)
        return self._link

    async def _aside(self, work: Callable[..., T], *arguments: object) -> T:
        return await asyncio.to_thread(work, *arguments) if self.slot.slow else work(*arguments)


@dataclass(slots=True)
class Session:
    """One connection of a page to one card: ``element``, and the power-up that it belongs to."""

    element: SecureElement
    power_up: int
    channels: set[str] = field(default_factory=set)


@dataclass(slots=True)
class OpenChannel:
    """One logical channel of a session, behind the guard that keeps the page to its application."""

    session: Session
    link: LogicalChannel
    guard: Guard


class Visit:
    """What one page has open. When the page goes, ``close`` takes all of it away.

    ``origin``        of the page, as the browser says it
    ``authenticate``  whether AUTHENTICATE passes; False where the bridge answers challenges itself
    """

    def __init__(
        self,
        elements: Mapping[str, SecureElement],
        origin: str,
        *,
        random: RandomSource,
        authenticate: bool = True,
    ) -> None:
        self._elements, self._origin, self._random = elements, origin, random
        self._authenticate = authenticate
        self._sessions: dict[str, Session] = {}
        self._channels: dict[str, OpenChannel] = {}

    async def open_session(self, reader: str) -> tuple[str, bytes]:
        """Return a handle and the card's ATR; raise BridgeRefused when there is no such reader or card."""
        element = self._elements.get(reader)
        if element is None:
            raise BridgeRefused("Unknown", f"there is no reader {reader[:80]!r}")
        if len(self._sessions) >= MOST_SESSIONS:
            raise BridgeRefused("TooMany", f"a page has at most {MOST_SESSIONS} sessions")
        await element.run(lambda link: link)
        handle = self._new_handle()
        self._sessions[handle] = Session(element, element.power_ups)
        return handle, element.atr

    async def open_channel(self, session: str, aid: bytes) -> tuple[str, bytes]:
        """Select ``aid`` (5 to 16 octets, may be cut short) on a channel of its own; return handle and FCP.

        Raises BridgeRefused: AccessDenied, with the reason, when the card's rules do not permit it.
        """
        exactly("AID", aid, *range(5, 17))
        mine = self.session(session)
        if len(mine.channels) >= MOST_CHANNELS:
            raise BridgeRefused("TooMany", f"a session has at most {MOST_CHANNELS} channels")
        opened, answer = await mine.element.run(lambda link: self._select(mine, link, aid), mine.power_up)
        handle = self._new_handle()
        self._channels[handle] = opened
        mine.channels.add(handle)
        return handle, answer

    async def transmit(self, channel: str, command: bytes) -> bytes:
        """Return the answer to one command, and its status word; 61xx and 6Cxx are dealt with here.

        Raises BridgeRefused: Unknown for a handle of another page, AccessDenied for what may not pass.
        """
        opened = self._channels.get(channel)
        if opened is None:
            raise BridgeRefused("Unknown", "this page has no such channel")
        if not 4 <= len(command) <= _LONGEST:
            raise BridgeRefused("BadRequest", f"a command has 4 to {_LONGEST} octets, not {len(command)}")
        if command[1] == apdu.AUTHENTICATE and not self._authenticate:
            raise BridgeRefused("AccessDenied", "this bridge answers challenges itself: RES stays here")
        if command[0] & 0x7F:
            raise BridgeRefused("AccessDenied", "a page does not name logical channels")
        session = opened.session

        def work(_: Link) -> tuple[bytes, int]:
            if why := opened.guard.refusal(command):
                raise BridgeRefused("AccessDenied", why)
            return exchange(opened.guard, command)

        data, sw = await session.element.run(work, session.power_up)
        return data + sw.to_bytes(2)

    async def close_channel(self, channel: str) -> None:
        """Close one channel; one that is not there is closed already."""
        opened = self._channels.pop(channel, None)
        if opened is None:
            return
        opened.session.channels.discard(channel)
        try:
            await opened.session.element.run(lambda _: opened.link.close(), opened.session.power_up)
        except ImslabError:
            return  # the card is gone, and its channels with it

    async def close_session(self, session: str) -> None:
        """Close one session and its channels."""
        mine = self._sessions.pop(session, None)
        for channel in list(mine.channels) if mine else ():
            await self.close_channel(channel)

    async def close(self) -> None:
        """Close everything that the page has open."""
        for session in list(self._sessions):
            await self.close_session(session)

    def session(self, handle: str) -> Session:
        """Return the session of this page with that handle; raise BridgeRefused when there is none."""
        found = self._sessions.get(handle)
        if found is None:
            raise BridgeRefused("Unknown", "this page has no such session")
        return found

    def _select(self, session: Session, link: Link, aid: bytes) -> tuple[OpenChannel, bytes]:
        channel = open_channel(link)
        try:
            answer, sw = exchange(channel, apdu.select_aid(aid))
            if not status.is_success(sw):
                raise status.refused(f"SELECT of application {aid.hex()}", sw)
            whole = _whole_aid(answer) or aid
            decision = session.element.decide(link, whole, self._origin)
            if not decision.allowed:
                raise BridgeRefused("AccessDenied", decision.reason)
        except ImslabError:
            channel.close()
            raise
        return OpenChannel(session, channel, Guard(channel, decision, whole, files=PROFILE_FILES)), answer

    def _new_handle(self) -> str:
        return self._random(_HANDLE).hex()


def _whole_aid(fcp: bytes) -> bytes | None:
    try:
        return Fcp.parse(fcp).aid
    except Malformed:
        return None
