"""A call between two subscribers of the lab: its signalling, its media, its keys, and pictures of all three.

A live call has two ends of media that run until ``hang_up``; a recorded one is read from the trace. What is
drawn comes from the trace in both cases; what was heard and seen at once comes from the ends.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from imslab.errors import ImslabError, Malformed
from imslab.lab.display import audio, image

if TYPE_CHECKING:
    import pandas as pd

    from imslab.capture.call import Call
    from imslab.capture.capture import Capture
    from imslab.charts import Picture
    from imslab.ims.indications import Ending
    from imslab.media import Endpoint, Sound
    from imslab.media.transport import Keying
    from imslab.net.call import TerminalCall
    from imslab.net.tap import Clock, Tap

PATIENCE = 10.0  # seconds until media flow both ways, once the callee has answered
MEDIA = ("webrtc", "sdes", "rtp")

Steps = list[tuple[str, float | None]]


class Person(Protocol):
    """Who calls, or is called."""

    @property
    def name(self) -> str:
        """The name in the ladder."""


class LabCall:
    """One call, read from the trace. Times are seconds since the first INVITE."""

    def __init__(
        self, capture: "Callable[[], Capture]", call_id: str, caller: Person | None, callee: Person | None
    ) -> None:
        self._capture, self.call_id = capture, call_id
        self.caller, self.callee = caller, callee

    def __repr__(self) -> str:
        return repr(self.record)

    def _repr_html_(self) -> str:
        return str(self.record._repr_html_())

    @property
    def record(self) -> "Call":
        """The call as the trace has it: messages, streams, state."""
        return self._capture().call(self.call_id)

    @property
    def streams(self) -> "pd.DataFrame":
        """Its RTP streams: source, destination, codec, packets, lost, jitter, encrypted, decrypted."""
        table = self._capture().streams
        return table[table["call_id"] == self.call_id]

    @property
    def steps(self) -> dict[str, Steps]:
        """Who -> (step, seconds since INVITE): ringing, answered, ICE, DTLS, first packet, by the trace."""
        record, names = self.record, self._capture().names
        hosts = [record.messages[0].source[0]]
        hosts += [one.destination[0] for one in record.streams if one.destination[0] not in hosts]
        signalling = {"ringing": record.rang, "answered": record.answered}
        found: dict[str, Steps] = {}
        for number, host in enumerate(dict.fromkeys(hosts)):
            came = {**({} if number else signalling), **_media_steps(record, host)}
            found[names.get(host, host)] = [
                (step, at - record.began) for step, at in came.items() if at is not None
            ]
        return found

    def ladder(self, **options: Any) -> "Picture":
        """Draw all layers of the call: SIP on every hop, ICE, DTLS, and a line for each stream."""
        return self.record.ladder(**options)  # type: ignore[no-any-return]

    def timing(self, title: str = "", width: float = 9.0) -> "Picture":
        """Draw when each step came, for both ends, in milliseconds since INVITE."""
        from imslab.charts import milestones

        return milestones(self.steps, label="ms since INVITE", title=title, width=width)

    def sound(self, of: str, seconds: float = 1.0) -> Any:
        """Return a player of what ``of`` ("alice" or "bob") heard last; ImslabError when that is nothing."""
        return audio(self._sound(of), seconds)

    def _sound(self, of: str) -> "Sound":
        from imslab.media.sound import Sound

        return Sound.read(self._capture().wav(self._stream_to(of, "audio")))

    def picture(self, of: str) -> Any:
        """Return what ``of`` ("alice" or "bob") saw last, to show in a notebook; ImslabError when nothing."""
        return image(self._capture().picture(self._stream_to(of, "video")))

    def _stream_to(self, of: str, kind: str) -> int:
        """Return the number of the stream of ``kind`` that ``of`` received."""
        capture = self._capture()
        for number, stream in enumerate(capture.rtp):
            mine = capture.names.get(stream.destination[0]) == of and stream.call_id == self.call_id
            if mine and stream.codec and stream.codec.kind == kind:
                return number
        raise ImslabError(f"the trace holds no {kind} that {of} received in this call")

    async def hang_up(self) -> "Ending | None":
        """End the call; a recorded one has ended already."""
        return None


def _media_steps(record: "Call", host: str) -> dict[str, float | None]:
    """Return when the media of ``host`` came how far: an answer to STUN, the last DTLS flight, a packet."""
    arrows = record.arrows()
    packets = [one.began for one in record.streams if one.destination[0] == host]
    first = min(packets, default=None)
    stun = [a.at for a in arrows if a.kind == "STUN" and "Success" in a.label and a.destination == host]
    keys = [a.at for a in arrows if a.kind == "DTLS" and "Finished" in a.label]
    return {
        "ICE connected": min(stun, default=None),
        "DTLS done": max((at for at in keys if first is None or at <= first), default=None),
        "first packet": first,
    }


class LiveCall(LabCall):
    """A call that runs. ``ends`` are the two ends of its media, by name."""

    def __init__(
        self,
        capture: "Callable[[], Capture]",
        caller: Person,
        callee: Person | None,
        signalling: "TerminalCall",
        ends: "dict[str, Endpoint]",
        *,
        video: bool,
        settled: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__(capture, signalling.call_id, caller, callee)
        self.signalling, self.ends, self._video, self._settled = signalling, ends, video, settled

    @property
    def steps(self) -> dict[str, Steps]:
        """Who -> (step, seconds since INVITE): ringing, answered, ICE, DTLS, first packet, first picture."""
        moments = self.signalling.moments
        began = moments["invited"]
        found: dict[str, Steps] = {}
        for name, end in self.ends.items():
            own = end.moments
            media: list[tuple[str, float | None]] = [
                ("ICE connected", own.ice_connected),
                ("DTLS done", own.dtls_done),
                ("first packet", own.first_packet),
                ("first sound", own.first_sound),
                ("first picture", own.first_picture),
            ]
            if self.caller is not None and name == self.caller.name:
                media = [("ringing", moments.get("ringing")), ("answered", moments.get("answered")), *media]
            came = [(step, at) for step, at in media if at is not None]
            found[name] = [(step, at - began) for step, at in came]
        return found

    @property
    def keying(self) -> "Keying":
        """What the DTLS handshake left, as the caller sees it: profile, role, the ledger of four keys.

        Raises ImslabError when the call has no DTLS (SDES, plain RTP), or not yet.
        """
        keying = getattr(next(iter(self.ends.values())), "keying", None)
        if keying is None:
            raise ImslabError("this call has no DTLS: its keys stand in SDP, or there are none")
        return keying  # type: ignore[no-any-return]

    @property
    def statistics(self) -> "pd.DataFrame":
        """What both ends count: end, direction, kind, encoding, packets, octets, lost, jitter_ms."""
        import pandas as pd

        rows = [
            (
                name, one.direction, one.kind, one.encoding, one.packets, one.octets, one.lost,
                None if one.jitter is None else one.jitter * 1e3,
            )
            for name, end in self.ends.items()
            for one in end.statistics
        ]  # fmt: skip
        columns = ["end", "direction", "kind", "encoding", "packets", "octets", "lost", "jitter_ms"]
        return pd.DataFrame(rows, columns=columns)

    async def talk(self, seconds: float = 1.0) -> None:
        """Let both ends speak for so long; NetworkError when the sound stops coming."""
        await asyncio.gather(
            *(end.recorded(seconds=end.recorder.seconds + seconds) for end in self.ends.values())
        )

    def picture(self, of: str) -> Any:
        """Return what ``of`` ("alice" or "bob") saw last, to show in a notebook; ImslabError when nothing."""
        from imslab.media.picture import png

        pixels = self._end(of).recorder.last()
        if pixels is None:
            raise ImslabError(f"{of} has seen nothing in this call")
        return image(png(pixels))

    async def hold(self) -> None:
        """Put the callee on hold; CallFailed when it refuses."""
        await self.signalling.hold()

    async def resume(self) -> None:
        """Take the callee back; CallFailed when it refuses."""
        await self.signalling.resume()

    async def hang_up(self) -> "Ending":
        """End the call, and return when both ends have let go of everything."""
        ending = await self.signalling.hang_up()
        await asyncio.gather(*(end.close() for end in self.ends.values()))
        await self._settled()
        return ending

    async def connected(self, seconds: float = PATIENCE) -> None:
        """Wait until media flow both ways; NetworkError, which says how far they got, when they do not."""
        await asyncio.gather(*(end.connected(seconds) for end in self.ends.values()))
        if self._video:
            await asyncio.gather(*(end.recorded(pictures=1, timeout=seconds) for end in self.ends.values()))

    def _sound(self, of: str) -> "Sound":
        sound = self._end(of).sound
        if sound is None:
            raise ImslabError(f"{of} has heard nothing in this call")
        return sound

    def _end(self, of: str) -> "Endpoint":
        if of not in self.ends:
            raise Malformed(f"{of!r} has no end of this call", expected=" or ".join(self.ends))
        return self.ends[of]


def endpoint(
    media: "str | Callable[..., Endpoint]",
    profiles: Sequence[str],
    name: str,
    host: str,
    *,
    tap: "Tap",
    clock: "Clock",
    random: Any,
) -> "Endpoint":
    """Make one end of the media.

    ``media``     "webrtc" (sound and picture, DTLS-SRTP), "sdes" (sound, keys in SDP), "rtp" (in clear), or
                  what makes an end of another kind: called with name, host, tap, clock and random
    ``profiles``  SRTP profiles or crypto suites in the order of preference; () takes the usual ones

    Raises Malformed for another kind of media, and for a profile that is none.
    """
    from imslab.media import RtpEndpoint, WebRtcEndpoint
    from imslab.media.protection import SUITES

    common: dict[str, Any] = {"tap": tap, "clock": clock, "random": random}
    if callable(media):
        return media(name, host, **common)
    if media == "webrtc":
        return WebRtcEndpoint(name, host, profiles=profiles, **common)
    if media == "sdes":
        return RtpEndpoint(name, host, suites=profiles or SUITES, **common)
    if media == "rtp":
        return RtpEndpoint(name, host, suites=(), **common)
    raise Malformed(f"unknown media {media!r}", expected=", ".join(MEDIA))


def callee(
    make: "Callable[[], Endpoint]", answer: int | None, rings: float, ends: "dict[str, Endpoint]", name: str
) -> "Callable[[TerminalCall], Awaitable[None]]":
    """Return what a callee does: ring, think for ``rings`` seconds, and answer, refuse, or let it ring.

    ``answer``  200, a status to refuse with, or None to let it ring
    """
    return partial(_decide, make, answer, rings, ends, name)


async def _decide(
    make: "Callable[[], Endpoint]",
    answer: int | None,
    rings: float,
    ends: "dict[str, Endpoint]",
    name: str,
    call: "TerminalCall",
) -> None:
    if answer != 200 and answer is not None and not rings:
        await call.refuse(answer)
        return
    await call.ring()
    if answer is None:
        await call.ended()
        return
    await asyncio.sleep(rings)
    if answer == 200:
        ends[name] = make()
        await call.answer(ends[name])
    else:
        await call.refuse(answer)
