"""The sound of a stream: its media put in order, decoded by PyAV, and laid out by their timestamps.

Spec: RFC 3551 (G.711, G.722, GSM, G.729, L16), RFC 4867 (AMR, AMR-WB: see `amr`), RFC 7587 (Opus). What was
lost is silence; copies are left out. Where a timestamp leaps away from the time of arrival, arrival counts:
a hostile timestamp makes no gigabytes. A stream that no key opened has no sound, and neither has one whose
codec PyAV does not know.
"""

import io
import wave
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from imslab.capture import amr
from imslab.capture.codecs import Codec
from imslab.capture.index import Column, Index
from imslab.capture.rtp import RtpPackets
from imslab.errors import Malformed, SrtpError

if TYPE_CHECKING:
    from imslab.capture.streams import RtpStream

Samples = NDArray[np.int16]

_LONGEST = 4 * 3600  # seconds of sound that are made
_ASTRAY = 5.0  # seconds between timestamp and arrival from which arrival is believed


@dataclass(frozen=True, slots=True)
class Sound:
    """Sound of one channel: 16-bit samples, ``rate`` of them in a second."""

    rate: int
    samples: Samples = field(repr=False)

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.samples) / self.rate

    def wav(self) -> bytes:
        """Return it as a WAV file."""
        file = io.BytesIO()
        with wave.open(file, "wb") as written:
            written.setnchannels(1)
            written.setsampwidth(2)
            written.setframerate(self.rate)
            written.writeframes(self.samples.astype("<i2").tobytes())
        return file.getvalue()


@dataclass(frozen=True, slots=True)
class _Decoder:
    """How PyAV decodes a codec.

    ``rate``    samples in a second;  ``frames``: what cuts a payload into the frames that the decoder takes
    """

    name: str
    rate: int
    frames: Callable[[bytes, Codec], Iterable[bytes]]


def _whole(payload: bytes, codec: Codec) -> list[bytes]:
    return [payload] if payload else []


def _of(size: int) -> Callable[[bytes, Codec], Iterable[bytes]]:
    def frames(payload: bytes, codec: Codec) -> list[bytes]:
        return [payload[at : at + size] for at in range(0, len(payload) - size + 1, size)]

    return frames


_DECODERS = {
    "pcmu": _Decoder("pcm_mulaw", 8000, _whole),
    "pcma": _Decoder("pcm_alaw", 8000, _whole),
    "g722": _Decoder("g722", 16000, _whole),
    "gsm": _Decoder("gsm", 8000, _of(33)),
    "g729": _Decoder("g729", 8000, _of(10)),  # a last frame of 2 octets is comfort noise (RFC 3551, 4.5.6)
    "amr": _Decoder("amrnb", 8000, amr.frames),
    "amr-wb": _Decoder("amrwb", 16000, amr.frames),
    "opus": _Decoder("libopus", 48000, _whole),
}


def sound(index: Index, stream: "RtpStream") -> Sound:
    """Decode a stream.

    Raises SrtpError when it is encrypted and no key opened it, Malformed when its codec is not known, or
    when there is nothing that PyAV can decode.
    """
    if stream.encrypted == "srtp" and not stream.decrypted:
        raise SrtpError("the stream is encrypted, and no key opened it: give a key log or the key (srtp=)")
    codec, decoder = _chosen(stream)
    packets = in_order(stream, codec)
    if not len(packets):
        raise Malformed("the stream has no packet with sound")
    decode = _opened(decoder.name, decoder.rate)
    pieces = [
        _joined(decode(frame) for frame in decoder.frames(index.data[start : start + size], codec))
        for start, size in zip(packets.start.tolist(), packets.size.tolist(), strict=True)
    ]
    return Sound(decoder.rate, _laid_out(pieces, _places(packets, codec.clock_rate), decoder.rate))


def _chosen(stream: "RtpStream") -> tuple[Codec, _Decoder]:
    codec = stream.codec
    if codec is None:
        raise Malformed(f"nothing says which codec payload type {stream.payload_type} is")
    decoder = _DECODERS.get(codec.name.lower())
    if decoder is None:
        raise Malformed(f"the sound of {codec.name} stays closed", expected=f"one of {', '.join(_DECODERS)}")
    return codec, decoder


def in_order(stream: "RtpStream", codec: Codec) -> RtpPackets:
    """Return the packets of a codec by their sequence numbers, each once, those that can be read."""
    from imslab.capture.reception import extended

    packets = stream.packets
    kinds = [kind for kind, known in stream.codecs.items() if known == codec]
    mine = np.isin(packets.payload_type, kinds) & (packets.opened | (stream.encrypted != "srtp"))
    number = extended(packets)[mine]
    _, place = np.unique(number, return_index=True)
    return packets.take(np.flatnonzero(mine)[place])


def _opened(name: str, rate: int) -> Callable[[bytes], Samples]:
    """Return what decodes one frame; a frame that cannot be decoded gives nothing."""
    import av

    try:
        context: Any = av.CodecContext.create(name, "r")
    except (ValueError, av.error.FFmpegError):
        raise Malformed(f"this PyAV has no decoder {name}: the sound stays closed") from None
    context.sample_rate, context.layout = rate, "mono"

    def decode(frame: bytes) -> Samples:
        try:
            return _joined(_as_int16(found.to_ndarray()) for found in context.decode(av.Packet(frame)))
        except (ValueError, av.error.FFmpegError):
            return np.zeros(0, np.int16)

    return decode


def _as_int16(samples: NDArray[Any]) -> Samples:
    if samples.dtype.kind == "f":
        samples = np.clip(samples, -1, 1) * 32767
    return samples.reshape(-1).astype(np.int16)


def _joined(pieces: Iterable[Samples]) -> Samples:
    return np.concatenate([np.zeros(0, np.int16), *pieces])


def _places(packets: RtpPackets, clock: int) -> NDArray[np.float64]:
    """Return at which second of the sound each packet begins."""
    ticks = np.diff(packets.timestamp, prepend=packets.timestamp[:1])
    age: Column = np.cumsum((ticks + 2**31 & 0xFFFFFFFF) - 2**31)
    said, arrived = age / clock, (packets.time - packets.time[0]) / 1e9
    place = np.where(np.abs(said - arrived) <= _ASTRAY, said, arrived)
    return np.asarray(place - place.min())


def _laid_out(pieces: list[Samples], places: NDArray[np.float64], rate: int) -> Samples:
    """Return the pieces at their places, with silence between them."""
    starts = np.minimum(np.rint(places * rate), _LONGEST * rate).astype(np.int64).tolist()
    end = max(start + len(piece) for start, piece in zip(starts, pieces, strict=True))
    made = np.zeros(end, np.int16)
    for start, piece in zip(starts, pieces, strict=True):
        made[start : start + len(piece)] = piece
    return made
