"""The media of a capture: streams and their sound, RTCP, STUN, DTLS."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

from imslab.capture import dtmf, quality, streams
from imslab.capture.announcements import Announcements
from imslab.capture.dtmf import Key
from imslab.capture.excerpt import Excerpt
from imslab.capture.rtcp import Report, ReportBlock, round_trips
from imslab.capture.streams import RtpStream
from imslab.capture.stun import StunMessages
from imslab.capture.views import drawn
from imslab.errors import Malformed

if TYPE_CHECKING:
    from imslab.capture.audio import Sound
    from imslab.capture.dtls import DtlsSession


class Media(Excerpt):
    """What an excerpt holds of media."""

    @cached_property
    def rtp(self) -> list[RtpStream]:
        """The RTP streams, as values."""
        packets = self.whole.rtp
        if self.frames is not None:
            packets = packets.take(self._in_part(self.whole.index.frame[packets.row]))
        return streams.gather(self.whole.index, packets, self.whole.announcements)

    @property
    def rtcp(self) -> list[Report]:
        """The RTCP packets, those of a compound one by one."""
        return self._mine(self.whole.rtcp)

    @property
    def stun(self) -> StunMessages:
        """The STUN messages, as columns."""
        messages = self.whole.stun
        if self.frames is None:
            return messages
        return messages.take(self._in_part(self.whole.index.frame[messages.row]))

    @property
    def dtls(self) -> "list[DtlsSession]":
        """The DTLS handshakes."""
        frames = self.frames
        return [one for one in self.whole.dtls if frames is None or not frames.isdisjoint(one.frames)]

    def mos(self, stream: RtpStream) -> float | None:
        """Estimate the mean opinion score of a stream, 1 to 4.5 (`quality`); None where it cannot be told.

        The delay is half of what RTCP measured there and back, where it did, and a jitter buffer.
        """
        trips = [seconds for _, block, seconds in self.delays if block.ssrc == stream.ssrc]
        return quality.estimate(stream, sum(trips) / len(trips) / 2 if trips else 0.0)

    def keys_pressed(self, stream: RtpStream) -> list[Key]:
        """Return the keys that were pressed in a stream (DTMF)."""
        return dtmf.keys(self.whole.index, stream)

    @cached_property
    def delays(self) -> list[tuple[Report, ReportBlock, float]]:
        """What RTCP says of the time there and back: the report, the block in it, seconds."""
        return round_trips(self.rtcp)

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

        return audio.sound(self.whole.index, self.stream(which))

    def wav(self, which: int = 0) -> bytes:
        """Return the sound of a stream as a WAV file; raises as ``sound`` does."""
        return self.sound(which).wav()

    def streams_audio(self, which: int = 0) -> Any:
        """Return a player for the sound of a stream (IPython Audio); raises as ``sound`` does."""
        return drawn("player", self.wav(which))

    def picture(self, which: int = 0) -> bytes:
        """Return the last picture of a stream (VP8) as PNG; raises as ``sound`` does."""
        from imslab.capture import pictures

        return pictures.last_picture(self.whole.index, self.stream(which))

    @property
    def announcements(self) -> Announcements:
        """What the session descriptions of the file say of media."""
        return self.whole.announcements
