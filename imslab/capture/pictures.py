"""The pictures of a stream: VP8 put together out of its packets, and decoded by PyAV.

Spec: RFC 7741, 4.2 (payload descriptor) and 4.5; RFC 6386, 9.1 (frame header). A frame of which a packet is
missing is left out, and so is what cannot be decoded until the next key frame. Other codecs stay closed.
"""

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from imslab.capture.audio import in_order
from imslab.capture.index import Index
from imslab.errors import Malformed, SrtpError

if TYPE_CHECKING:
    from imslab.capture.rtp import RtpPackets
    from imslab.capture.streams import RtpStream

_MOST_PIXELS = 4096 * 2304  # of a picture that is decoded: a frame of ten octets can claim 268 million
_MOST_FRAMES = 100_000


def last_picture(index: Index, stream: "RtpStream") -> bytes:
    """Return the last picture of a stream as PNG.

    Raises SrtpError when it is encrypted and no key opened it, Malformed when it is not VP8, or when nothing
    in it could be decoded.
    """
    if stream.encrypted == "srtp" and not stream.decrypted:
        raise SrtpError("the stream is encrypted, and no key opened it: give a key log or the key (srtp=)")
    codec = stream.codec
    if codec is None or codec.name.upper() != "VP8":
        raise Malformed(
            f"the pictures of {codec.name if codec else 'an unknown codec'} stay closed", expected="VP8"
        )
    picture = None
    decode = _decoder()
    for number, frame in enumerate(frames(index, in_order(stream, codec))):
        if number >= _MOST_FRAMES:
            break
        picture = decode(frame) or picture
    if picture is None:
        raise Malformed("the stream holds no picture that can be decoded")
    file = io.BytesIO()
    picture.to_image().save(file, format="PNG")
    return file.getvalue()


def frames(index: Index, packets: "RtpPackets") -> Iterator[bytes]:
    """Yield the VP8 frames of packets in their order, those that are whole."""
    ends = np.flatnonzero(np.diff(packets.timestamp, append=-1))
    first = 0
    for end in ends.tolist():
        rows = range(first, end + 1)
        first = end + 1
        pieces = [_piece(index.data[at : at + size]) for at, size in _places(packets, rows)]
        numbers = packets.seq[rows.start : rows.stop].astype(np.int64)
        gapless = not np.any(np.diff(numbers) % 2**16 != 1)
        if gapless and pieces and pieces[0][0] and all(octets for _, octets in pieces):
            yield b"".join(octets for _, octets in pieces)


def _places(packets: "RtpPackets", rows: range) -> Iterator[tuple[int, int]]:
    for row in rows:
        yield int(packets.start[row]), int(packets.size[row])


def _piece(payload: bytes) -> tuple[bool, bytes]:
    """Return whether a payload begins a frame, and its octets behind the descriptor; none of a broken one."""
    if not payload:
        return False, b""
    at, first = 1, payload[0]
    if first & 0x80 and len(payload) > 1:  # X: extensions follow
        extensions, at = payload[1], 2
        if extensions & 0x80:  # I: a picture id of one or two octets
            at += 2 if payload[at : at + 1] >= b"\x80" else 1
        at += bool(extensions & 0x40) + bool(extensions & 0x30)  # L; T or K
    begins = bool(first & 0x10) and not first & 0x0F  # S of partition 0
    return begins, payload[at:]


def _decoder() -> Any:
    """Return what decodes a frame to the picture of PyAV; None for what cannot be decoded."""
    import av

    context: Any = av.CodecContext.create("vp8", "r")

    def decode(frame: bytes) -> Any:
        if _pixels(frame) > _MOST_PIXELS:
            return None
        try:
            found = context.decode(av.Packet(frame))
        except (ValueError, av.error.FFmpegError):
            return None
        return found[-1] if found else None

    return decode


def _pixels(frame: bytes) -> int:
    """Return how many pixels a key frame claims; 0 for another frame (RFC 6386, 9.1)."""
    if len(frame) < 10 or frame[0] & 1 or frame[3:6] != b"\x9d\x01\x2a":
        return 0
    width, height = (int.from_bytes(frame[at : at + 2], "little") & 0x3FFF for at in (6, 8))
    return width * height
