"""A call as a program sees it: the signalling of ``imslab.ims``, and media that the owner brings.

Nothing here waits for ever. An INVITE rings ``Times.no_answer`` seconds at most; media have
``MEDIA_PATIENCE`` for each step; a peer or a core that is gone is noticed within ``Times.session`` seconds
(RFC 4028), over TCP and WebSocket when the connection ends; a BYE waits ``BYE_PATIENCE`` for its answer.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from imslab.errors import CallFailed, ImslabError, Malformed
from imslab.ims.call import Call, CallState
from imslab.ims.indications import (
    Answered,
    Changed,
    Confirmed,
    Ended,
    Ending,
    Indication,
    Offered,
    Progress,
    Refused,
)
from imslab.net.media import MEDIA_PATIENCE, Media, bounded
from imslab.sip import preconditions
from imslab.sip.offer import is_held
from imslab.sip.sdp import SessionDescription

__all__ = ["BYE_PATIENCE", "MEDIA_PATIENCE", "Handler", "Media", "TerminalCall"]

if TYPE_CHECKING:
    from imslab.net.terminal import Terminal

BYE_PATIENCE = 2.0  # seconds that ``hang_up`` waits for the answer to its BYE

T = TypeVar("T")

_ADVICE = {
    403: "the network does not let this user call",
    404: "is the address right?",
    407: "the network wants a proof that the card cannot give",
    408: "is the other side there?",
    480: "let the other side register, and call again",
    486: "call again later",
    488: "the two ends have no media in common",
}


class TerminalCall:
    """One call of a terminal.

    ``media``  our end of the media; None before a call that came in is answered
    """

    def __init__(self, terminal: "Terminal", machine: Call, media: Media | None, offer: bytes = b"") -> None:
        self._terminal, self._machine, self._offer = terminal, machine, offer
        self.media = media
        self.progress: list[Progress] = []
        loop = asyncio.get_running_loop()
        self._described: asyncio.Future[bytes] = loop.create_future()  # an early answer, or the answer
        self._answered: asyncio.Future[bytes] = loop.create_future()
        self._ready: asyncio.Future[None] = loop.create_future()  # the caller's resources are there
        self._early = False
        self._change: asyncio.Future[Changed | Refused] | None = None
        self._over: asyncio.Future[Ending] = loop.create_future()
        self._ringing = asyncio.Event()
        self._closing: asyncio.Task[None] | None = None
        self.handler: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return repr(self._machine).replace(type(self._machine).__name__, type(self).__name__)

    # -- what it is ---------------------------------------------------------------------------

    @property
    def call_id(self) -> str:
        """The Call-ID, by which the trace finds the call."""
        return self._machine.id

    @property
    def peer(self) -> str:
        """Who the other side is, a URI: of the network's word where ``is_asserted``."""
        return self._machine.peer

    @property
    def is_asserted(self) -> bool:
        """Whether the network has said who the other side is (P-Asserted-Identity)."""
        return self._machine.is_asserted

    @property
    def is_outgoing(self) -> bool:
        """Whether we have made the call."""
        return self._machine.is_outgoing

    @property
    def state(self) -> CallState:
        """Where the call stands."""
        return self._machine.state

    @property
    def moments(self) -> dict[str, float]:
        """When it was invited, ringing, answered, acknowledged, ended: seconds of the terminal's clock."""
        return self._machine.moments

    @property
    def ending(self) -> Ending | None:
        """Why it is over; None while it is not."""
        return self._machine.ending

    @property
    def offer(self) -> bytes:
        """The offer of a call that came in; b"" when it brought none, or when we have made the call."""
        return self._offer

    @property
    def local(self) -> bytes:
        """Our session description that is in force."""
        return self._machine.local

    @property
    def remote(self) -> bytes:
        """The peer's session description that is in force."""
        return self._machine.remote

    async def ended(self) -> Ending:
        """Wait for the end of the call and of its media, and return why it ended."""
        ending = await asyncio.shield(self._over)
        if self._closing is not None:
            await asyncio.shield(self._closing)
        return ending

    # -- a call that came in --------------------------------------------------------------------

    async def ring(self, status: int = 180, *, media: Media | None = None) -> None:
        """Let the caller hear that it rings (180), or something else before the answer (181 to 199).

        With ``media`` they flow before the answer (early media); the caller must know 100rel (RFC 3262).
        A caller whose preconditions are not met hears 183 until they are (RFC 3312).
        """
        if media is not None:
            await self._answer_early(status, media)
        else:
            self._ring(183 if status == 180 and not self._may_alert(self._offer) else status)

    def _ring(self, status: int, sdp: bytes = b"") -> None:
        self._terminal.ue_of(self).ring(self._machine, self._terminal.clock(), sdp, status)
        self._terminal.step()

    async def _answer_early(self, status: int, media: Media) -> None:
        self.media, self._early = media, True
        try:
            alerts = self._may_alert(self._offer)
            self._ring(status if alerts else 183, await self._description(self._offer))
            if not alerts:
                await self._until(self._ready)
                self._ring(status)
        except BaseException as error:
            await self._fail(error)
            raise

    @staticmethod
    def _may_alert(offer: bytes) -> bool:
        return not offer or preconditions.may_alert(SessionDescription.parse(offer))

    async def _description(self, offer: bytes) -> bytes:
        """Return what the media answer to an offer, with what there is to say of preconditions."""
        assert self.media is not None
        sdp = await bounded(self.media.answer(offer) if offer else self.media.offer(), "no answer")
        if not offer or b"a=des:" not in offer:
            return sdp
        asked, given = SessionDescription.parse(offer), SessionDescription.parse(sdp)
        return bytes(preconditions.answered(asked, given))

    async def answer(self, media: Media) -> None:
        """Answer with ``media``, and wait until the caller has heard it.

        Raises CallFailed when the call is over, or ends meanwhile; Malformed and NetworkError as media do.
        """
        if not self._early and not self._may_alert(self._offer):
            await self.ring(media=media)  # RFC 3312: nobody is called before the resources are there
        self.media = media
        try:
            sdp = b"" if self._early else await self._description(self._offer)
            self._terminal.ue_of(self).answer(self._machine, sdp, self._terminal.clock())
            self._terminal.step()
            await self._until(self._answered)
            if not self._offer:
                await bounded(media.accept(self.remote), "the caller's answer was not taken")
        except BaseException as error:
            await self._fail(error)
            raise

    async def refuse(self, status: int = 486) -> None:
        """Refuse the call: 486 busy, 603 declined, 480 not now."""
        self._terminal.ue_of(self).refuse(self._machine, status, self._terminal.clock())
        self._terminal.step()

    # -- a call that we make ----------------------------------------------------------------------

    async def set_up(self, *, early_media: bool = False) -> None:
        """Wait for the answer, and give it to the media; called by ``Terminal.call``.

        With ``early_media`` the media take what comes before the answer, and have to stay with it.
        """
        assert self.media is not None
        try:
            answer = await self._until(self._described if early_media else self._answered)
            await bounded(self.media.accept(answer), "the callee's answer was not taken")
            if await self._until(self._answered) != answer:
                await self.hang_up("another terminal answered than the one that was heard before")
                raise CallFailed(str(self.ending and self.ending.reason), status=None)
        except BaseException as error:
            await self._fail(error)
            raise

    # -- both ---------------------------------------------------------------------------------------

    async def hang_up(self, reason: str = "") -> Ending:
        """End the call, and return when its media are closed and the other side knows.

        A side that does not answer is not waited for longer than ``BYE_PATIENCE``.
        """
        if not self._over.done():
            now = self._terminal.clock()
            self._machine.hang_up(now, reason)
            self._terminal.step()
            self._close_media()
            await asyncio.wait({self._over}, timeout=BYE_PATIENCE)
        if not self._over.done():
            self._terminal.give_up(self._machine, Ending(None, reason or "hung up", "us"))
        return await self.ended()

    async def hold(self) -> None:
        """Put the other side on hold; CallFailed when it refuses."""
        await self._redirect("sendonly", "inactive")

    async def resume(self) -> None:
        """Take the other side back; CallFailed when it refuses."""
        await self._redirect("sendrecv", "recvonly")

    async def _redirect(self, direction: str, when_held: str) -> None:
        if self.media is None or self.state is not CallState.CONFIRMED:
            raise CallFailed(f"the call is {self.state.value}", status=None, advice="only an answered call")
        if self._change is not None:
            raise CallFailed("a change is under way", status=491, advice="wait for its end")
        held = is_held(SessionDescription.parse(self.remote))
        self._change = asyncio.get_running_loop().create_future()
        try:
            sdp = await bounded(self.media.offer(when_held if held else direction), "no offer")
            self._terminal.ue_of(self).hold(self._machine, sdp, self._terminal.clock())
            self._terminal.step()
            outcome = await self._until(self._change)
            if isinstance(outcome, Refused):
                raise CallFailed(f"the other side refused ({outcome.status})", status=outcome.status)
            await bounded(self.media.accept(outcome.sdp), "the answer was not taken")
        finally:
            self._change = None

    # -- what the machine tells -----------------------------------------------------------------------

    def take(self, indication: Indication) -> None:
        """Take what the machine tells about this call."""
        if isinstance(indication, Progress):
            self.progress.append(indication)
            self._ringing.set()
            if indication.sdp and not self._described.done():
                self._described.set_result(indication.sdp)
        elif isinstance(indication, Answered | Confirmed):
            for waiting in (self._described, self._answered):
                if not waiting.done():
                    waiting.set_result(indication.sdp)
        elif isinstance(indication, Changed | Refused):
            if self._change is not None and not self._change.done():
                self._change.set_result(indication)
        elif isinstance(indication, Offered):
            self._terminal.start(self._answer_change(indication.offer))
        elif isinstance(indication, Ended):
            self._ended(indication.ending)

    async def ringing(self) -> Progress:
        """Wait until the callee rings, or says something else before its answer; CallFailed when it ends."""
        waiting = asyncio.ensure_future(self._ringing.wait())
        try:
            await self._until(waiting)
        finally:
            waiting.cancel()
        return self.progress[0]

    def _ended(self, ending: Ending) -> None:
        if not self._over.done():
            self._over.set_result(ending)
        self._close_media()
        if self.handler is not None and self.handler is not asyncio.current_task():
            self.handler.cancel()

    async def _answer_change(self, offer: bytes) -> None:
        """Answer a change that the peer offers: the media decide."""
        ue, now = self._terminal.ue_of(self), self._terminal.clock
        try:
            ue.answer(self._machine, await self._description(offer), now())
            if self._may_alert(offer) and not self._ready.done():
                self._ready.set_result(None)
        except ImslabError:
            if self.ending is None:
                ue.refuse(self._machine, 488, now())
        self._terminal.step()

    async def _until(self, event: "asyncio.Future[T]") -> T:
        """Wait for ``event``; CallFailed when the call is over first."""
        ends: set[asyncio.Future[Any]] = {event, self._over}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if event.done() and not event.cancelled():
            return event.result()
        ending = self._over.result()
        raise CallFailed(ending.reason, status=ending.status, advice=_ADVICE.get(ending.status or 0, ""))

    async def _fail(self, error: BaseException) -> None:
        """End a call that cannot be set up, and its media."""
        if not self._over.done():
            reason = "media failed" if isinstance(error, ImslabError) else "given up"
            now = self._terminal.clock()
            if isinstance(error, Malformed) and not self.is_outgoing and self.state is not CallState.ENDED:
                self._terminal.ue_of(self).refuse(self._machine, 488, now)
            else:
                self._machine.hang_up(now, reason)
            self._terminal.step()
        self._close_media()
        if self._closing is not None:
            await asyncio.shield(self._closing)

    def _close_media(self) -> None:
        if self.media is not None and self._closing is None:
            self._closing = self._terminal.start(self.media.close(), lasts=True)


Handler = Callable[[TerminalCall], Awaitable[None]]
