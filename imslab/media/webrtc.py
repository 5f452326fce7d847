"""The WebRTC end of a call: aiortc with a test tone, a test picture, a recorder and nothing hidden.

Spec: RFC 8829 (JSEP), RFC 8445 (ICE), RFC 5763 and RFC 5764 (DTLS-SRTP), RFC 8834 (RTP). The endpoint has one
ICE candidate, on its own address, and asks no server: it works where loopback is the only interface.
"""

import asyncio
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any

from imslab.errors import ImslabError, Malformed, NetworkError
from imslab.ims.node import RandomSource
from imslab.media.description import for_aiortc
from imslab.media.endpoint import Endpoint
from imslab.media.recorder import Recorder
from imslab.media.sound import Tone, Voice, pitch
from imslab.media.transport import Keying, Watched
from imslab.net.tap import Clock, Tap
from imslab.sip.sdp import SessionDescription
from imslab.srtp.profiles import Profile

KINDS = ("audio", "video")
_GOODBYE = 5.0  # seconds that closing may take before what is left is cancelled
_LONGEST = 200  # letters of what a message repeats of an error of aiortc


class WebRtcEndpoint(Endpoint):
    """One end of a WebRTC call; make it where an event loop runs.

    ``name``      whose tone and picture it sends
    ``host``      the address of its only ICE candidate, such as 127.0.0.11
    ``profiles``  SRTP protection profiles in the order of preference; () takes aiortc's: GCM before CM
    ``kinds``     what it sends: audio, video, or both
    ``voice``     what it says, 48000 samples in a second; None: the test tone
    ``recorder``  what it tells of what it hears and sees
    ``key_log``   lines of an NSS key log that the handshake left
    """

    def __init__(
        self,
        name: str,
        host: str,
        *,
        tap: Tap | None = None,
        clock: Clock | None = None,
        profiles: Sequence[str | Profile] = (),
        kinds: Sequence[str] = KINDS,
        voice: Voice | None = None,
        recorder: Recorder | None = None,
        random: RandomSource = os.urandom,
    ) -> None:
        from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection

        super().__init__(name, host, tap=tap, clock=clock, recorder=recorder, random=random)
        if not kinds or not set(kinds) <= set(KINDS):
            raise Malformed(f"cannot send {', '.join(kinds) or 'nothing'}", expected="audio, video or both")
        self.key_log: list[bytes] = []
        self._listening: set[asyncio.Task[None]] = set()
        settings = RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        self._peer = RTCPeerConnection(settings)
        self._peer.on("track", self._listen)
        for kind in kinds:
            self._peer.addTrack(self._track(kind, voice))
        self._transport = self._watch(tuple(Profile.named(profile) for profile in profiles))

    async def offer(self, direction: str = "sendrecv") -> bytes:
        """Return an offer; a later one changes the ``direction`` (hold: "sendonly" or "inactive")."""
        for transceiver in self._peer.getTransceivers():
            transceiver.direction = direction
        return await self._describe()

    async def answer(self, offer: bytes) -> bytes:
        """Take the peer's offer and return the answer; raise Malformed for what cannot be taken."""
        await self._take(offer, "offer")
        for transceiver in self._peer.getTransceivers():
            if transceiver._offerDirection is None:  # a call of sound alone; aiortc 1.16 forgets to ask
                transceiver._offerDirection = "inactive"
        with _refusing("offer"):
            return await self._describe()

    async def accept(self, answer: bytes) -> None:
        """Take the peer's answer to the offer; raise Malformed for what cannot be taken."""
        if self._peer.signalingState != "have-local-offer":
            raise ImslabError(f"{self.name} has no offer open that this could answer: call offer() first")
        await self._take(answer, "answer")

    @property
    def keying(self) -> Keying | None:
        """Profile, role and the exporter's octets, once DTLS is done."""
        return self._transport.keying

    @property
    def ready(self) -> bool:
        """Whether keys are there, and a first packet where the peer is to send any."""
        directions = [t.currentDirection for t in self._peer.getTransceivers()]
        comes = any(direction in ("sendrecv", "recvonly") for direction in directions)
        return self._transport.keyed and (self.moments.first_packet is not None or not comes)

    @property
    def progress(self) -> str:
        """How far the media got, in words."""
        ice, dtls = self._transport.ice.state, self._transport.dtls.state
        came = "packets came" if self.moments.first_packet else "no packet came"
        return f"ICE is {ice}, DTLS is {dtls}, {came}"

    # -- descriptions -----------------------------------------------------------------------

    async def _describe(self) -> bytes:
        """Return the offer or the answer that is due; JSEP calls it setLocalDescription."""
        self._begin()
        await self._peer.setLocalDescription()
        description = SessionDescription.parse(self._peer.localDescription.sdp)
        local = replace(description, origin=self._origin())
        self._set(local=local)
        return bytes(local)

    async def _take(self, octets: bytes, kind: str) -> None:
        """Take the peer's description; JSEP calls it setRemoteDescription."""
        from aiortc import RTCSessionDescription

        self._begin()
        description = SessionDescription.parse(octets)
        usable = for_aiortc(description)
        with _refusing(kind):
            await self._peer.setRemoteDescription(RTCSessionDescription(sdp=str(usable), type=kind))
        self._set(remote=description)

    # -- what happens -----------------------------------------------------------------------

    def _track(self, kind: str, voice: Voice | None) -> Any:
        from imslab.media.tracks import RATE, PictureTrack, VoiceTrack

        if kind == "video":
            return PictureTrack(self.name, self.clock)
        return VoiceTrack(voice or Tone(pitch(self.name), RATE))

    def _watch(self, profiles: tuple[Profile, ...]) -> Watched:
        tap = self._tap
        return Watched(
            self._peer.getTransceivers()[0].receiver.transport,
            host=self.host,
            profiles=profiles,
            on_state=self._state,
            on_secret=self._secret,
            on_rtp=self._rtp,
            on_sent=_nothing if tap is None else tap.media,
            on_arrived=_nothing if tap is None else partial(tap.media, arrived=True),
        )

    def _state(self) -> None:
        transport, moments, now = self._transport, self.moments, self.clock()
        if transport.ice.state == "completed" and moments.ice_connected is None:
            moments.ice_connected = now
        if transport.dtls.state == "connected" and moments.dtls_done is None:
            moments.dtls_done = now
        if (fault := transport.fault) is not None:
            self._failed(fault)
        elif transport.dtls.state == "closed" and self._closing is None:
            self._failed(NetworkError(f"the peer of {self.name} has ended the media"))
        self._changed()

    def _secret(self, line: bytes) -> None:
        self.key_log.append(line)
        if self._tap is not None:
            self._tap.secret(line)

    def _rtp(self, packet: bytes, came_in: bool) -> None:
        with suppress(Malformed):  # one that the peer's key protects and that is none: aiortc drops it too
            if not came_in:
                self._counter.sent(packet)
                return
            now = self.clock()
            self._counter.received(packet, now)
            if self.moments.first_packet is None:
                self.moments.first_packet = now
                self._changed()

    def _listen(self, track: Any) -> None:
        task = asyncio.create_task(self._record(track))
        self._listening.add(task)
        task.add_done_callback(self._listening.discard)

    async def _record(self, track: Any) -> None:
        from aiortc.mediastreams import MediaStreamError

        with suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                (self._heard if track.kind == "audio" else self._seen)(frame)
                self._changed()

    def _heard(self, frame: Any) -> None:
        if self.moments.first_sound is None:
            self.moments.first_sound = self.clock()
        channels = frame.layout.nb_channels
        self.recorder.hear(frame.to_ndarray().reshape(-1, channels)[:, 0], frame.sample_rate)

    def _seen(self, frame: Any) -> None:
        if self.moments.first_picture is None:
            self.moments.first_picture = self.clock()
        octets = sum(plane.buffer_size for plane in frame.planes)
        self.recorder.see(partial(frame.to_ndarray, format="rgb24"), octets)

    # -- the end ----------------------------------------------------------------------------

    async def _close(self) -> None:
        # First what still connects: else aiortc starts senders and threads of what it has already stopped.
        await _cancel(self._left("RTCPeerConnection.__connect"))
        with suppress(Exception):  # whatever aiortc trips over: the socket below is closed
            async with asyncio.timeout(_GOODBYE):
                await self._peer.close()
        await self._transport.ice.stop()
        await _cancel([*self._listening, *self._left()])

    def _left(self, name: str = "") -> list[asyncio.Task[Any]]:
        """Return the tasks that aiortc runs for this connection, all or those of one ``name``."""
        transport, peer = self._transport, self._peer
        owners: list[Any] = [peer, transport.dtls, transport.ice, transport.ice._connection]
        owners += [*peer.getSenders(), *peer.getReceivers()]
        known = {id(owner) for owner in owners}

        def is_ours(task: asyncio.Task[Any]) -> bool:
            work: Any = task.get_coro()
            frame = getattr(work, "cr_frame", None)
            return (
                frame is not None
                and id(frame.f_locals.get("self")) in known
                and (not name or work.__qualname__ == name)
            )

        return [task for task in asyncio.all_tasks() if is_ours(task)]


async def _cancel(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _nothing(*_: object) -> None:
    """Tell nobody."""


@contextmanager
def _refusing(kind: str) -> Iterator[None]:
    """Say Malformed where aiortc's parser lets everything out: IndexError, KeyError, AssertionError."""
    try:
        yield
    except ImslabError:
        raise
    except Exception as error:
        what = f"{type(error).__name__} {error}".strip()[:_LONGEST]
        raise Malformed(f"the {kind} cannot be taken: {what}") from error
