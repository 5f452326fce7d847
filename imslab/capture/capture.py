"""A capture that is open: its messages, APDUs, registrations, calls and streams, as tables and values.

Times in tables are seconds since the first packet, as in Wireshark; ``at`` of an event is epoch
seconds. Frames count from 1. Octets stand as hex in tables and as bytes in values. Everything is
read when it is first asked for.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from imslab.capture import calls, dtmf, quality, streams
from imslab.capture.announcements import Announcements
from imslab.capture.call import Call
from imslab.capture.dtmf import Key
from imslab.capture.file import CaptureFile, Source, check_index, read_file
from imslab.capture.index import Index
from imslab.capture.registration import Registration
from imslab.capture.rtcp import Report, ReportBlock, round_trips
from imslab.capture.sip import SipEvent
from imslab.capture.streams import RtpStream
from imslab.capture.stun import StunMessages
from imslab.capture.tabulated import Tabulated
from imslab.capture.views import Arrow, drawn, picture
from imslab.capture.whole import Part, Whole
from imslab.errors import Malformed

if TYPE_CHECKING:
    from imslab.capture.apdu import ApduEvent
    from imslab.capture.audio import Sound
    from imslab.capture.cx import CxEvent
    from imslab.capture.dtls import DtlsSession
    from imslab.capture.esp_sa import Row
    from imslab.capture.findings import Findings
    from imslab.capture.http import HttpEvent
    from imslab.capture.ipsec import EspFlow
    from imslab.capture.media_keys import KeyText, MediaKeys
    from imslab.capture.unlock import Keyring
    from imslab.uicc import Exchange


def open_capture(
    source: Source,
    *,
    k: str | bytes | None = None,
    op: str | bytes | None = None,
    opc: str | bytes | None = None,
    profile: object = None,
    srtp: "KeyText | Iterable[KeyText] | None" = None,
    keylog: str | PathLike[str] | bytes | None = None,
    esp_sa: str | PathLike[str] | None = None,
) -> "Capture":
    """Open a capture: a path, its octets, or an open binary file.

    ``k`` with ``op`` or ``opc`` (16 octets, as bytes or hex), or ``profile`` (a Profile, the path of
    one, or a list of these) let it verify what the network and the card said. ``srtp`` ("PROFILE:base64"
    of key and salt, or a list) and ``keylog`` (the path of an NSS key log, or its octets) open SRTP.
    ``esp_sa`` (the path of Wireshark's table) opens ESP. Keys that stand in the capture itself, or follow
    from K, need not be given.

    Raises CaptureError when the file is no capture, Malformed for keys of a wrong length. A file that
    is cut or corrupt opens: ``warnings`` says where it ends.
    """
    keys, media = None, None
    if (k, op, opc, profile) != (None,) * 4:
        from imslab.capture.unlock import keyring

        keys = keyring(k=k, op=op, opc=opc, profile=profile)
    if srtp or keylog is not None:
        from imslab.capture.media_keys import media_keys

        media = media_keys(srtp=srtp, keylog=keylog)
    table: Sequence[Row] = ()
    if esp_sa is not None:
        from imslab.capture.esp_sa import read

        table = read(esp_sa)
    return Capture(read_file(source), keys, media_keys=media, esp_sa=table)


class Capture(Tabulated):
    """A capture, or a part of one (``where``, ``between``)."""

    def __init__(
        self,
        file: CaptureFile,
        keys: "Keyring | None" = None,
        part: Part | None = None,
        *,
        media_keys: "MediaKeys | None" = None,
        esp_sa: "Sequence[Row]" = (),
    ) -> None:
        self.file = file
        self._esp_sa = esp_sa
        self._keys = keys
        self._media_keys = media_keys
        self._part = part

    def __len__(self) -> int:
        return len(self.file) if self._part is None else len(self._part.frames)

    def __repr__(self) -> str:
        return f"<Capture of {len(self)} packets from {self.file.name}>"

    # -- what was seen ---------------------------------------------------------------------------

    @property
    def names(self) -> dict[str, str]:
        """The names of the nodes, by address, as the file gives them."""
        return self.file.names

    @property
    def warnings(self) -> list[str]:
        """What could not be read, with frames or offsets."""
        _ = self.sip, self.apdu_events, self.cx_events, self.http, self._whole.rtp
        return [*self.file.warnings, *self._whole.index.warnings, *self._whole.warnings]

    @property
    def sip(self) -> list[SipEvent]:
        """The SIP messages, each once, at the frame that completes it."""
        return self._mine(self._whole.sip)

    @property
    def apdu_events(self) -> "list[ApduEvent]":
        """The APDUs, each with its response."""
        return self._mine(self._whole.apdus)

    @property
    def cx_events(self) -> "list[CxEvent]":
        """The Diameter Cx messages."""
        return self._mine(self._whole.cx)

    @property
    def http(self) -> "list[HttpEvent]":
        """The HTTP messages: of GBA, for example."""
        return self._mine(self._whole.http)

    @cached_property
    def logins(self) -> list[Registration]:
        """The registrations, as values."""
        if not any("REGISTER" in (event.message.get("CSeq") or "").upper() for event in self.sip):
            return []
        from imslab.capture.registrations import gather

        return [Registration(login, self) for login in gather(self.sip, self._whole.keyring)]

    @cached_property
    def call_list(self) -> list[Call]:
        """The calls, as values."""
        return [Call(dialling, self) for dialling in calls.gather(self.sip)]

    @cached_property
    def rtp(self) -> list[RtpStream]:
        """The RTP streams, as values."""
        packets = self._whole.rtp
        if self.frames is not None:
            packets = packets.take(self._in_part(self._whole.index.frame[packets.row]))
        return streams.gather(self._whole.index, packets, self._whole.announcements)

    @property
    def rtcp(self) -> list[Report]:
        """The RTCP packets, those of a compound one by one."""
        return self._mine(self._whole.rtcp)

    @property
    def stun(self) -> StunMessages:
        """The STUN messages, as columns."""
        messages = self._whole.stun
        if self.frames is None:
            return messages
        return messages.take(self._in_part(self._whole.index.frame[messages.row]))

    @property
    def dtls(self) -> "list[DtlsSession]":
        """The DTLS handshakes."""
        frames = self.frames
        return [one for one in self._whole.dtls if frames is None or not frames.isdisjoint(one.frames)]

    @property
    def esp(self) -> "list[EspFlow]":
        """The ESP packets, opened or not: a value for each source, destination and SPI."""
        opening = self._whole.opening
        return opening.flows(self.frames) if opening else []

    @cached_property
    def findings(self) -> "Findings":
        """What is wrong, the worst first: a list that a notebook shows as a table (``findings.table``)."""
        from imslab.capture.findings import find

        return find(self)

    @property
    def unreadable_sip(self) -> list[int]:
        """The frames of what begins like SIP and gives no message at all."""
        _ = self._whole.sip
        return [frame for frame in self._whole.unreadable_sip if self.frames is None or frame in self.frames]

    def mos(self, stream: RtpStream) -> float | None:
        """Estimate the mean opinion score of a stream, 1 to 4.5 (`quality`); None where it cannot be told.

        The delay is half of what RTCP measured there and back, where it did, and a jitter buffer.
        """
        trips = [seconds for _, block, seconds in self.delays if block.ssrc == stream.ssrc]
        return quality.estimate(stream, sum(trips) / len(trips) / 2 if trips else 0.0)

    def keys_pressed(self, stream: RtpStream) -> list[Key]:
        """Return the keys that were pressed in a stream (DTMF)."""
        return dtmf.keys(self._whole.index, stream)

    @cached_property
    def delays(self) -> list[tuple[Report, ReportBlock, float]]:
        """What RTCP says of the time there and back: the report, the block in it, seconds."""
        return round_trips(self.rtcp)

    # -- views -----------------------------------------------------------------------------------

    def registration(self, which: int | str = -1) -> Registration:
        """Return a registration by number (from 0; -1 is the last), or the last one of an identity.

        Raises Malformed when there is none.
        """
        known = self.logins
        if isinstance(which, str):
            known = [login for login in known if which in (login.impu, login.impi)]
            which = -1
        if not -len(known) <= which < len(known):
            identities = sorted({login.impu for login in self.logins})
            raise Malformed(
                "no such registration in this capture", expected=", ".join(identities) or "none is"
            )
        return known[which]

    def call(self, which: int | str = -1) -> Call:
        """Return a call by number (from 0; -1 is the last) or by Call-ID; Malformed when there is none."""
        known = self.call_list
        if isinstance(which, str):
            known, which = [call for call in known if call.call_id == which], -1
        if not -len(known) <= which < len(known):
            raise Malformed("no such call in this capture", expected=f"one of {len(self.call_list)}")
        return known[which]

    def stream(self, which: int = 0) -> RtpStream:
        """Return a stream by its number in the table of streams; Malformed when there is none."""
        if not -len(self.rtp) <= which < len(self.rtp):
            raise Malformed("no such stream in this capture", expected=f"one of {len(self.rtp)}")
        return self.rtp[which]

    def sound(self, which: int = 0) -> "Sound":
        """Decode a stream (PyAV): G.711, G.722, G.729, GSM, AMR, Opus; one that is encrypted needs its key.

        Raises SrtpError when no key opened it, Malformed when its codec is not known or cannot be decoded.
        """
        from imslab.capture import audio

        return audio.sound(self._whole.index, self.stream(which))

    def wav(self, which: int = 0) -> bytes:
        """Return the sound of a stream as a WAV file; raises as ``sound`` does."""
        return self.sound(which).wav()

    def streams_audio(self, which: int = 0) -> Any:
        """Return a player for the sound of a stream (IPython Audio); raises as ``sound`` does."""
        return drawn("player", self.wav(which))

    def picture(self, which: int = 0) -> bytes:
        """Return the last picture of a stream (VP8) as PNG; raises as ``sound`` does."""
        from imslab.capture import pictures

        return pictures.last_picture(self._whole.index, self.stream(which))

    def where(self, frames: Iterable[int]) -> "Capture":
        """Return the part with these frames; Malformed for a frame that does not exist."""
        wanted = sorted({check_index(frame, len(self.file)) + 1 for frame in frames})
        kept = [frame for frame in wanted if self.frames is None or frame in self.frames]
        return Capture(self.file, self._keys, Part(self._whole, frozenset(kept)))

    def between(self, start: float, end: float) -> "Capture":
        """Return the part from ``start`` to ``end``, seconds since the first packet of the file."""
        time = self.file.records.time
        seconds = (time - time[:1]) / 1e9
        return self.where((np.flatnonzero((seconds >= start) & (seconds <= end)) + 1).tolist())

    def exchanges(self, name: str) -> "list[Exchange]":
        """Return what the card of ``name`` was asked, as its terminal asked it, for a Replayer.

        ``name`` is the name or the address of the terminal or of the card. Nothing: an empty list.
        """
        from imslab.capture import apdu

        return [
            apdu.as_sent(pair)
            for pair in apdu.pairs(self.apdu_events)
            if pair.command and name in self._called(pair.events[0].terminal, pair.events[0].card)
        ]

    def _called(self, *addresses: str) -> set[str]:
        return {*addresses, *(self.names.get(address, "") for address in addresses)}

    def arrows(self) -> list[Arrow]:
        """Return everything that a ladder can show, in the order of time."""
        from imslab.capture.arrows import arrows

        found = arrows(self.sip, self.apdu_events, self.cx_events, self.shared, self.http)
        return sorted([*found, *self.media_arrows()], key=lambda arrow: arrow.at)

    @property
    def announcements(self) -> Announcements:
        """What the session descriptions of the file say of media."""
        return self._whole.announcements

    @cached_property
    def shared(self) -> frozenset[str]:
        """The addresses that several nodes have: there a ladder names a node by its port too."""
        from imslab.capture.arrows import shared_addresses

        return shared_addresses([*self._whole.sip, *self._whole.cx, *self._whole.http])

    def media_arrows(self, call_id: str | None = None) -> list[Arrow]:
        """Return what a ladder shows of media, summed up: of one call, or of all that there is."""
        from imslab.capture import media_arrows

        return media_arrows.arrows(self, call_id)

    def ladder(self, **options: Any) -> Any:
        """Draw who sent what to whom; options are those of `imslab.charts.ladder`."""
        return picture("ladder", self.arrows(), self.names, **options)

    def timing(self, **options: Any) -> Any:
        """Draw where the time goes; options are those of `imslab.charts.timing`."""
        return picture("timing", self.arrows(), self.names, **options)

    def timeline(self, **options: Any) -> Any:
        """Draw which message carried RAND, AUTN, RES, CK, IK: equal octets in one colour, no key shown."""
        from imslab.capture.timeline import sightings

        return drawn("timeline", sightings(self.sip, self.apdu_events, self.cx_events), self.names, **options)

    # -- how -------------------------------------------------------------------------------------

    @property
    def start(self) -> float:
        """The time of the first packet of the file, epoch seconds; 0 without any."""
        time = self.file.records.time
        return int(time[0]) / 1e9 if len(time) else 0.0

    @property
    def index(self) -> Index:
        """All datagrams and segments of the file, as columns."""
        return self._whole.index

    @property
    def whole(self) -> Whole:
        """What was read from the file, of which this may be a part."""
        return self._whole

    @cached_property
    def _whole(self) -> Whole:
        if self._part is not None:
            return self._part.whole
        return Whole(self.file, self._keys, self._media_keys, self._esp_sa)

    @property
    def frames(self) -> frozenset[int] | None:
        """The frames of this part; None when it is the whole."""
        return None if self._part is None else self._part.frames

    def _in_part(self, frame: NDArray[Any]) -> NDArray[np.bool_]:
        return np.isin(frame, np.array(sorted(self.frames or ()), np.int64))

    def _mine(self, events: list[Any]) -> list[Any]:
        frames = self.frames
        return events if frames is None else [event for event in events if event.frame in frames]
