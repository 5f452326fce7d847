"""G.711: telephone sound, 8000 samples in a second, one octet each; the codec is FFmpeg's, through PyAV.

Spec: ITU-T G.711; RFC 3551, sections 4.5.14 and 6 (PCMU is payload type 0, PCMA 8).
"""

from fractions import Fraction
from typing import Any

import numpy as np

from imslab.errors import Malformed
from imslab.media.sound import Samples

RATE = 8_000
PIECE = 160  # samples in a packet of 20 ms
PAYLOAD_TYPES = {"PCMU": 0, "PCMA": 8}
_FFMPEG = {"PCMU": "pcm_mulaw", "PCMA": "pcm_alaw"}


class G711:
    """One direction or both of PCMU or PCMA; it keeps no state from piece to piece."""

    def __init__(self, encoding: str) -> None:
        if encoding not in _FFMPEG:
            raise Malformed(f"{encoding!r} is no codec of plain RTP here", expected=" or ".join(_FFMPEG))
        self.encoding = encoding
        self._encoder, self._decoder = _context(_FFMPEG[encoding], "w"), _context(_FFMPEG[encoding], "r")

    def encode(self, samples: Samples) -> bytes:
        """Return an octet for each sample."""
        from av import AudioFrame

        frame = AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), 0
        return b"".join(bytes(packet) for packet in self._encoder.encode(frame))

    def decode(self, octets: bytes) -> Samples:
        """Return a sample for each octet."""
        from av import Packet

        pieces = [frame.to_ndarray()[0] for frame in self._decoder.decode(Packet(octets))] if octets else []
        return np.concatenate([np.zeros(0, np.int16), *pieces])


def _context(name: str, mode: str) -> Any:
    from av import CodecContext

    context: Any = CodecContext.create(name, mode)  # type: ignore[call-overload]
    context.sample_rate, context.layout, context.format = RATE, "mono", "s16"
    if mode == "w":
        context.time_base = Fraction(1, RATE)
    return context
