"""What every end of a call can do, and what it tells: offers, moments, sound, pictures, statistics."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from imslab.errors import ImslabError, NetworkError
from imslab.ims.node import RandomSource
from imslab.media.recorder import Recorder
from imslab.media.sound import Sound
from imslab.media.statistics import Counter, StreamStatistics, codecs
from imslab.net.tap import Clock, Tap
from imslab.sip.sdp import Origin, SessionDescription

PATIENCE = 10.0  # seconds that a wait lasts unless it is told otherwise


@dataclass(slots=True)
class Moments:
    """When things happened, in epoch seconds of the endpoint's clock; None when they have not.

    ``described``      offer made, or offer taken: from here on it can be measured
    ``ice_connected``  a pair of addresses works in both directions (RFC 8445)
    ``dtls_done``      both ends have proved themselves and have keys (RFC 5763)
    ``first_packet``   the first RTP packet that could be opened came in
    ``first_sound``    the first piece of sound was decoded
    ``first_picture``  the first picture was decoded
    ``closed``         the endpoint let go of everything
    """

    described: float | None = None
    ice_connected: float | None = None
    dtls_done: float | None = None
    first_packet: float | None = None
    first_sound: float | None = None
    first_picture: float | None = None
    closed: float | None = None


class Endpoint(ABC):
    """One end of the media of a call.

    Offers and answers are SDP octets (RFC 3264). One end calls ``offer`` and then ``accept``, the other
    ``answer``; both then wait with ``connected``, and in the end call ``close``, after which no task, socket
    or thread of the endpoint is left. ``local`` and ``remote`` are the descriptions in force.
    """

    def __init__(
        self,
        name: str,
        host: str,
        *,
        tap: Tap | None,
        clock: Clock | None,
        recorder: Recorder | None,
        random: RandomSource,
    ) -> None:
        self.name, self.host = name, host
        self.clock = clock or (tap.clock if tap is not None else Clock())
        self.moments = Moments()
        self.recorder = recorder or Recorder()
        self.local: SessionDescription | None = None
        self.remote: SessionDescription | None = None
        self._tap = tap
        self._session, self._version = str(int.from_bytes(random(4))), 0
        self._closing: asyncio.Task[None] | None = None
        self._counter = Counter()
        self._failure: ImslabError | None = None
        self._change = asyncio.Event()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.name} on {self.host}>"

    @abstractmethod
    async def offer(self, direction: str = "sendrecv") -> bytes:
        """Return an offer; a later one changes the ``direction`` (hold: "sendonly" or "inactive")."""

    @abstractmethod
    async def answer(self, offer: bytes) -> bytes:
        """Take the peer's offer and return the answer; raise Malformed for what cannot be taken."""

    @abstractmethod
    async def accept(self, answer: bytes) -> None:
        """Take the peer's answer to the offer; raise Malformed for what cannot be taken."""

    @abstractmethod
    async def _close(self) -> None:
        """Say goodbye, and let go of everything."""

    @property
    @abstractmethod
    def progress(self) -> str:
        """How far the media got, in words."""

    @property
    @abstractmethod
    def ready(self) -> bool:
        """Whether keys are there, and a first packet where the peer is to send any."""

    @property
    def sound(self) -> Sound | None:
        """What was heard in the last minute; ``.wav`` is a WAV file, ``.samples`` its numbers."""
        return self.recorder.sound()

    @property
    def pictures(self) -> list[bytes]:
        """What was seen (the last 150 pictures, oldest first), each as a PNG file."""
        return self.recorder.png()

    @property
    def statistics(self) -> list[StreamStatistics]:
        """Every stream of this end, what came in first."""
        return self._counter.report()

    async def close(self) -> None:
        """Say goodbye, and let go of everything; a second time does nothing."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._finish())
        await asyncio.shield(self._closing)

    async def connected(self, timeout: float = PATIENCE) -> Moments:
        """Wait until media can flow: keys are there, and a first packet where the peer is to send any.

        Raises NetworkError after ``timeout`` seconds, saying how far it got; at once what went wrong before.
        """
        await self._until(lambda: self.ready, timeout, "no media")
        return self.moments

    async def recorded(self, *, seconds: float = 0, pictures: int = 0, timeout: float = PATIENCE) -> None:
        """Wait until so much sound and so many pictures came altogether; NetworkError after ``timeout`` s."""

        def enough() -> bool:
            return self.recorder.seconds >= seconds and self.recorder.pictures >= pictures

        await self._until(enough, timeout, f"not {seconds:g} s of sound and {pictures} pictures")

    async def _until(self, ready: Callable[[], bool], seconds: float, missing: str) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not ready():
                    if self._failure is not None:
                        raise self._failure
                    if self.moments.closed is not None:
                        raise NetworkError(f"{self.name}'s end of the call is closed: {missing} will come")
                    self._change.clear()
                    await self._change.wait()
        except TimeoutError:
            raise NetworkError(
                f"{missing} for {self.name} on {self.host} in {seconds:g} s: {self.progress}"
            ) from None

    def _begin(self) -> None:
        """Note that a description is made or taken; raise ImslabError after the end."""
        if self._closing is not None:
            raise ImslabError(f"{self.name}'s end of the call is closed: make another")
        if self.moments.described is None:
            self.moments.described = self.clock()

    def _origin(self) -> Origin:
        """Return the next version of the same session (RFC 3264, section 8)."""
        self._version += 1
        family = "IP6" if ":" in self.host else "IP4"
        return Origin("-", self._session, str(self._version), "IN", family, self.host)

    def _set(
        self, *, local: SessionDescription | None = None, remote: SessionDescription | None = None
    ) -> None:
        """Keep a description that is in force from now on."""
        self.local, self.remote = local or self.local, remote or self.remote
        for description in (local, remote):
            if description is not None:
                self._counter.codecs |= codecs(description)

    async def _finish(self) -> None:
        await self._close()
        self.moments.closed = self.clock()
        self._changed()

    def _changed(self) -> None:
        """Wake those who wait."""
        self._change.set()

    def _failed(self, error: ImslabError) -> None:
        """Keep the first thing that went wrong, for those who wait."""
        self._failure = self._failure or error
        self._changed()
