"""The plain end of a call: RTP with keys in SDP (SDES), or without any, for peers that are no WebRTC.

Spec: RFC 3550 and RFC 3551 (RTP, G.711), RFC 4568 (SDES), RFC 3264 (offer and answer). No ICE, one port for
each: RTP on an even one, RTCP on the next. No jitter buffer: the recorder takes packets as they come.
"""

import asyncio
import os
import struct
from collections import Counter as Tally
from collections.abc import Sequence
from contextlib import suppress

from imslab.errors import ImslabError, Malformed, NetworkError
from imslab.ims.node import RandomSource
from imslab.media.datagram import Socket, bind_pair
from imslab.media.endpoint import Endpoint
from imslab.media.g711 import G711, PAYLOAD_TYPES, PIECE, RATE
from imslab.media.protection import SUITES, Protection
from imslab.media.recorder import Recorder
from imslab.media.rtcp import Reports
from imslab.media.sound import Tone, Voice, pitch
from imslab.media.statistics import Header
from imslab.net.packet import Endpoint as Address
from imslab.net.packet import packed_address
from imslab.net.tap import Clock, Tap
from imslab.sip.sdp import Attribute, Connection, Media, SessionDescription
from imslab.srtp import Profile

_INTERVAL = 1.0  # seconds between two reports: a call of a lesson is too short for the 5 of RFC 3550, 6.2
_PACKET = PIECE / RATE  # seconds
_VERSION, _MARKER = 0x80, 0x80  # in the first and in the second octet (RFC 3550, 5.1; RFC 3551, 4.1)
_MIRROR = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}


class RtpEndpoint(Endpoint):
    """One end of a call of G.711 sound over RTP; make it where an event loop runs.

    ``suites``    crypto suites of SDES in the order of preference; (): RTP without protection (RTP/AVP)
    ``codecs``    PCMA, PCMU or both, in the order of preference
    ``interval``  seconds between two RTCP reports
    ``voice``     what it says, 8000 samples in a second; None: the test tone
    ``recorder``  what it tells of what it hears
    ``refused``   how many packets could not be opened, by the name of the error
    ``reports``   what the peer reports of what it gets: ``reports.peer``
    """

    def __init__(
        self,
        name: str,
        host: str,
        *,
        tap: Tap | None = None,
        clock: Clock | None = None,
        suites: Sequence[str] = SUITES,
        codecs: Sequence[str] = ("PCMA", "PCMU"),
        interval: float = _INTERVAL,
        voice: Voice | None = None,
        recorder: Recorder | None = None,
        random: RandomSource = os.urandom,
    ) -> None:
        super().__init__(name, host, tap=tap, clock=clock, recorder=recorder, random=random)
        self.refused: Tally[str] = Tally()
        self._codecs = {str(PAYLOAD_TYPES.get(encoding)): G711(encoding) for encoding in codecs}
        self._protection = Protection(suites, random)
        self._ssrc, self._timestamp = struct.unpack("!II", random(8))
        self._sequence = int.from_bytes(random(2)) >> 1  # the wrap is far away (RFC 3711, 3.3.1)
        self.reports = Reports(self._ssrc, f"{name}@{host}", self._counter)
        self._interval, self._voice = interval, voice or Tone(pitch(name), RATE)
        self._sockets: tuple[Socket, Socket] | None = None
        self._peer: tuple[Address, Address] | None = None
        self._codec = ""  # the payload type that both have
        self._direction = self._agreed = "sendrecv"
        self._open = False  # whether an offer waits for its answer
        self._described = False  # whether both ends are
        self._tasks: list[asyncio.Task[None]] = []

    async def offer(self, direction: str = "sendrecv") -> bytes:
        """Return an offer; a later one changes the ``direction`` (hold: "sendonly" or "inactive")."""
        self._begin()
        await self._bind()
        self._direction, self._open = direction, True
        return self._describe(tuple(self._codecs), self._protection.offer(), direction)

    async def answer(self, offer: bytes) -> bytes:
        """Take the peer's offer and return the answer; raise Malformed for what cannot be taken.

        Raises SrtpError when the offer has no protection and this end asks for it, or none that both know.
        """
        self._begin()
        description, media = self._read(offer)
        keys = self._protection.answer(media)
        await self._bind()
        direction = _narrow(self._direction, _MIRROR[media.direction or "sendrecv"])
        answer = self._describe((self._codec,), keys, direction, kinds=description.media)
        self._take(description, media, direction)
        return answer

    async def accept(self, answer: bytes) -> None:
        """Take the peer's answer to the offer; raise Malformed or SrtpError for what cannot be taken."""
        if not self._open or self._closing is not None:
            raise ImslabError(f"{self.name} has no offer open that this could answer: call offer() first")
        description, media = self._read(answer)
        self._protection.accept(media)
        self._open = False
        self._take(description, media, _narrow(self._direction, _MIRROR[media.direction or "sendrecv"]))

    @property
    def profile(self) -> Profile | None:
        """The crypto suite that was agreed; None when there is no protection, or not yet."""
        return self._protection.profile

    @property
    def ready(self) -> bool:
        """Whether both ends are described, and a first packet is there where the peer is to send any."""
        comes = self._agreed in ("sendrecv", "recvonly")
        return self._described and (self.moments.first_packet is not None or not comes)

    @property
    def progress(self) -> str:
        """How far the media got, in words."""
        if not self._described or self._peer is None:
            return "there is no answer yet"
        refused = ", ".join(f"{count} {name}" for name, count in self.refused.items())
        return f"packets go to {self._peer[0][0]}:{self._peer[0][1]}, refused: {refused or 'none'}"

    # -- descriptions -----------------------------------------------------------------------

    async def _bind(self) -> None:
        if self._sockets is None:
            self._sockets = await bind_pair(self.host, self._rtp, self._rtcp)

    def _describe(
        self,
        formats: tuple[str, ...],
        keys: Sequence[Attribute],
        direction: str,
        *,
        kinds: Sequence[Media] = (),
    ) -> bytes:
        """Write a description; of the ``kinds`` of an offer, all but the first sound are refused (port 0)."""
        assert self._sockets is not None
        maps = [Attribute("rtpmap", f"{one} {self._codecs[one].encoding}/{RATE}") for one in formats]
        others = [Attribute("ptime", str(round(_PACKET * 1000))), Attribute(direction)]
        protocol = self._protection.protocol
        sound = Media(
            "audio", self._sockets[0].address[1], protocol, formats, attributes=(*maps, *keys, *others)
        )
        first = next((media for media in kinds if _is_sound(media)), None)
        media = [sound if one is first else Media(one.kind, 0, one.protocol, one.formats) for one in kinds]
        origin = self._origin()
        local = SessionDescription(
            origin,
            connection=Connection("IN", origin.address_type, self.host),
            media=tuple(media) or (sound,),
        )
        self._set(local=local)
        return bytes(local)

    def _read(self, octets: bytes) -> tuple[SessionDescription, Media]:
        """Return a description and the sound in it that both can speak; sets codec and addresses."""
        description = SessionDescription.parse(octets)
        media = next((media for media in description.media if _is_sound(media)), None)
        if media is None:
            raise Malformed("a description without sound", expected="m=audio with a port")
        self._codec = next((one for one in media.formats if one in self._codecs), "")
        if not self._codec:
            ours = ", ".join(codec.encoding for codec in self._codecs.values())
            raise Malformed(f"no codec in common in payload types {' '.join(media.formats)}", expected=ours)
        where = description.connection_of(media)
        if where is None:
            raise Malformed("a description that does not say where the sound goes", expected="c=")
        packed_address(where.address)  # a name would ask somebody
        self._peer = ((where.address, media.port), _rtcp_address(where.address, media))
        return description, media

    def _take(self, description: SessionDescription, media: Media, direction: str) -> None:
        """Begin, or go on, with what was agreed."""
        self._set(remote=description)
        self._agreed = direction
        self._described = True
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._speak()), asyncio.create_task(self._report())]
        self._changed()

    # -- what goes out ----------------------------------------------------------------------

    @property
    def _sends(self) -> bool:
        assert self._peer is not None
        # 0.0.0.0, or ::, is the old way to say hold (RFC 3264, section 8.4).
        return self._agreed in ("sendrecv", "sendonly") and any(packed_address(self._peer[0][0]))

    async def _speak(self) -> None:
        """Send what the voice says, a packet each 20 ms; on hold the clock of the timestamps runs on."""
        loop, count, talking = asyncio.get_running_loop(), 0, False
        start = loop.time()
        while True:
            samples = self._voice.take(PIECE)
            if self._sends:
                self._send_rtp(self._codecs[self._codec].encode(samples), marker=not talking)
                talking = True
            else:
                talking = False
            self._timestamp = (self._timestamp + PIECE) & 0xFFFFFFFF
            count += 1
            await asyncio.sleep(start + count * _PACKET - loop.time())

    def _send_rtp(self, payload: bytes, *, marker: bool) -> None:
        second = int(self._codec) | (_MARKER if marker else 0)
        head = struct.pack("!BBHII", _VERSION, second, self._sequence, self._timestamp, self._ssrc)
        self._sequence = (self._sequence + 1) & 0xFFFF
        packet = head + payload
        self._counter.sent(packet)
        self._send(0, self._protection.protect(packet))

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            self._send_rtcp()

    def _send_rtcp(self, *, goodbye: bool = False) -> None:
        packet = self.reports.write(self.clock(), self._timestamp, goodbye=goodbye)
        self._send(1, self._protection.protect_rtcp(packet))

    def _send(self, which: int, octets: bytes) -> None:
        """Send from the first socket (RTP) or the second (RTCP) to its fellow."""
        assert self._sockets is not None and self._peer is not None
        socket, peer = self._sockets[which], self._peer[which]
        if not any(packed_address(peer[0])):
            return
        if self._tap is not None:
            self._tap.media(socket.address, peer, octets)
        socket.send(octets, peer)

    # -- what comes in ----------------------------------------------------------------------

    def _rtp(self, octets: bytes, source: Address) -> None:
        self._arrived(0, octets, source)
        try:
            packet = self._protection.unprotect(octets)
            now = self.clock()
            header = self._counter.received(packet, now)
        except ImslabError as error:
            self.refused[type(error).__name__] += 1
            return
        if self.moments.first_packet is None:
            self.moments.first_packet = now
        self._hear(header, packet[header.payload], now)
        self._changed()

    def _hear(self, header: Header, payload: bytes, now: float) -> None:
        codec = self._codecs.get(str(header.payload_type))
        if codec is None or self._agreed not in ("sendrecv", "recvonly"):
            return  # comfort noise, telephone events, or what comes although nobody listens
        self.recorder.hear(codec.decode(payload), RATE)
        if self.moments.first_sound is None:
            self.moments.first_sound = now

    def _rtcp(self, octets: bytes, source: Address) -> None:
        self._arrived(1, octets, source)
        try:
            self.reports.read(self._protection.unprotect_rtcp(octets), self.clock())
        except ImslabError as error:
            self.refused[type(error).__name__] += 1
            return
        if self.reports.gone and self._closing is None:
            self._failed(NetworkError(f"the peer of {self.name} has ended the media"))
        self._changed()

    def _arrived(self, which: int, octets: bytes, source: Address) -> None:
        if self._tap is not None and self._sockets is not None:
            self._tap.media(source, self._sockets[which].address, octets, arrived=True)

    # -- the end ----------------------------------------------------------------------------

    async def _close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._described:
            with suppress(ImslabError):  # a spent key cannot say goodbye
                self._send_rtcp(goodbye=True)
        for socket in self._sockets or ():
            await socket.close()


def _is_sound(media: Media) -> bool:
    return media.kind == "audio" and media.port != 0


def _narrow(ours: str, offered: str) -> str:
    """Return the direction in which both want media (RFC 3264, section 6.1), as this end sees it."""
    sends = all(one in ("sendrecv", "sendonly") for one in (ours, offered))
    receives = all(one in ("sendrecv", "recvonly") for one in (ours, offered))
    return {(True, True): "sendrecv", (True, False): "sendonly", (False, True): "recvonly"}.get(
        (sends, receives), "inactive"
    )


def _rtcp_address(host: str, media: Media) -> Address:
    """Return where reports go: the next port, or what ``a=rtcp`` says (RFC 3605)."""
    port, _, rest = (media.get("rtcp") or "").partition(" ")
    if not port:
        return host, media.port + 1
    address = rest.split(" ")[2] if rest.startswith("IN ") and rest.count(" ") == 2 else host
    packed_address(address)
    if not port.isdigit() or not 0 < int(port) < 65_536:
        raise Malformed("bad a=rtcp", expected="a port, and perhaps IN IP4 address")
    return address, int(port)
