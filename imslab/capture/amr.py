"""AMR and AMR-WB in RTP: payloads cut into the frames that a decoder takes.

Spec: RFC 4867, 4.3 (bandwidth-efficient: everything lies bit beside bit) and 4.4 (octet-aligned), 5.3 (a
frame in a file: one octet with type and quality, then the speech, padded to octets); 3GPP TS 26.101 and TS
26.201 for the bits of each frame type.
"""

from collections.abc import Iterator

from imslab.capture.codecs import Codec

_NARROW = (
    95,
    103,
    118,
    134,
    148,
    159,
    204,
    244,
    39,
)  # bits of speech of frame types 0 to 8 (8: comfort noise)
_WIDE = (132, 177, 253, 285, 317, 365, 397, 461, 477, 40)
_NO_DATA, _LOST = 15, 14
_MOST_FRAMES = 32


def frames(payload: bytes, codec: Codec) -> Iterator[bytes]:
    """Yield the frames of a payload as a file has them; what the payload cuts off is left out."""
    bits = _NARROW if codec.name.lower() == "amr" else _WIDE
    aligned = "octet-align=1" in codec.parameters.replace(" ", "").split(";")
    step, head = (8, 8) if aligned else (6, 4)  # bits of an entry in the table of contents, and of the CMR
    stream = int.from_bytes(payload)
    end = len(payload) * 8
    at, entries = head, list[int]()
    while at + step <= end and len(entries) < _MOST_FRAMES:
        entry = stream >> (end - at - step) & ((1 << step) - 1)
        entry >>= step - 6  # F, FT (4 bits), Q: what follows in an octet is padding
        entries.append(entry)
        at += step
        if not entry & 0x20:
            break
    for entry in entries:
        kind, quality = entry >> 1 & 15, entry & 1
        size = bits[kind] if kind < len(bits) else 0
        if at + size > end:
            return
        speech = stream >> (end - at - size) & ((1 << size) - 1)
        at += -(-size // 8) * 8 if aligned else size
        if kind < len(bits) or kind in (_NO_DATA, _LOST):
            yield bytes([kind << 3 | quality << 2]) + (speech << -size % 8).to_bytes(-(-size // 8))
