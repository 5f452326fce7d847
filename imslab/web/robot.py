"""The robot: a Python subscriber that answers every call with an echo and a picture with a clock.

It is a UE of its own, with a card of its own, registered at the same core over UDP; its end of the media is
``imslab.media``. What a page says comes back half a second later, and its text messages come back too.
"""

import asyncio
from importlib import import_module
from typing import Any

import numpy as np

from imslab.data import profile_path
from imslab.errors import CallFailed, ImslabError
from imslab.ims.indications import Text
from imslab.ims.node import Address, Event, RandomSource
from imslab.media import WebRtcEndpoint
from imslab.media.recorder import Recorder
from imslab.media.sound import Samples
from imslab.media.webrtc import KINDS
from imslab.net.call import TerminalCall
from imslab.net.tap import Clock, Tap
from imslab.net.terminal import Terminal
from imslab.sip.sdp import SessionDescription
from imslab.uicc import Card, IsimClient, Profile
from imslab.uicc import Recorder as CardRecorder

DELAY, LONGEST = 0.5, 2.0  # seconds that an echo waits; more than that is thrown away
_RATE = 48_000  # samples in a second


class Echo(Recorder):
    """What was heard, to be said again: samples go in, and come out after ``DELAY`` seconds."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: Samples = np.zeros(int(DELAY * _RATE), np.int16)

    def hear(self, samples: Samples, rate: int) -> None:
        """Keep a piece of sound; another rate than 48 kHz is stretched by repeating samples."""
        super().hear(samples, rate)
        if rate != _RATE:
            samples = np.repeat(samples, max(1, _RATE // rate))
        self._waiting = np.concatenate([self._waiting, samples])[-int(LONGEST * _RATE) :]

    def take(self, count: int) -> Samples:
        """Return the next ``count`` samples; silence where there are none."""
        piece, self._waiting = self._waiting[:count], self._waiting[count:]
        return np.concatenate([piece, np.zeros(count - len(piece), np.int16)])


class Robot:
    """A subscriber that answers by itself; ``start`` registers it, ``close`` hangs up and ends it.

    ``host``, ``card_host``  the addresses of the UE, and of its card in the trace
    """

    def __init__(
        self,
        name: str,
        proxy: Address,
        *,
        host: str,
        card_host: str,
        random: RandomSource,
        clock: Clock,
        tap: Tap | None = None,
        on_event: Any = None,
    ) -> None:
        self.name, self.host, self.card_host = name, host, card_host
        self.profile = Profile.load(profile_path(name))
        self._random, self._clock, self._tap, self._on_event = random, clock, tap, on_event
        self._card = CardRecorder(Card(self.profile, protocol="T=0"), self._said, clock=clock)
        self._client = IsimClient(self._card)
        self._proxy = proxy
        self._terminal: Terminal | None = None
        self.endpoints: list[WebRtcEndpoint] = []

    async def start(self) -> None:
        """Read the card and register; raises what a registration raises."""
        await asyncio.to_thread(import_module, "aiortc")  # a second that no caller should wait
        if self._tap is not None:
            self._tap.reset(self.host, self.card_host, self._card.reset())
        self._terminal = Terminal(
            self._client.read_profile(),
            self._client,
            self._proxy,
            host=self.host,
            random=self._random,
            clock=self._clock,
            on_event=self._on_event,
            on_call=self._answer,
            on_message=self._told,
        )
        await self.register()

    async def register(self) -> None:
        """Register once more, at a core that has forgotten; raises what a registration raises."""
        if self._terminal is not None:
            await self._terminal.register()

    async def close(self) -> None:
        """Hang up, and close the socket."""
        if self._terminal is not None:
            await self._terminal.aclose()
            self._terminal = None

    async def _answer(self, call: TerminalCall) -> None:
        await call.ring()
        kinds = [media.kind for media in SessionDescription.parse(call.offer).media] if call.offer else KINDS
        common: dict[str, Any] = {"tap": self._tap, "clock": self._clock, "random": self._random}
        echo = Echo()
        endpoint = WebRtcEndpoint(self.name, self.host, kinds=kinds, voice=echo, recorder=echo, **common)
        self.endpoints = [one for one in self.endpoints if one.moments.closed is None] + [endpoint]
        await call.answer(endpoint)

    def _told(self, text: Text) -> None:
        if self._terminal is not None:
            self._terminal.start(self._reply(text))

    async def _reply(self, text: Text) -> None:
        try:
            assert self._terminal is not None
            await self._terminal.message(text.sender, f"You said: {text.text}")
        except CallFailed as error:
            self._note("echo not delivered", error)

    def _note(self, what: str, error: ImslabError) -> None:
        if self._on_event is not None:
            self._on_event(Event(self._clock(), self.name, what, why=str(error)))

    def _said(self, exchange: Any) -> None:
        if self._tap is not None:
            self._tap.card(self.host, self.card_host, exchange)
