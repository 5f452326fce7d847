"""A copy of a capture as pcapng: the frames as they were, some of them replaced by what was in them.

Spec: draft-ietf-opsawg-pcapng (section header, interface description, name resolution, enhanced packet and
decryption secrets blocks). Frame numbers stay: each frame of the capture is one of the copy. A replaced frame
is an IP packet on an interface of link type RAW, and its comment says what it was.
"""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from imslab.capture.blocks import ENHANCED, INTERFACE, NAMES, SECRETS, SECTION_TYPE
from imslab.capture.file import CaptureFile
from imslab.net.packet import packed_address

if TYPE_CHECKING:
    from imslab.capture.capture import Capture

RAW_IP = 101
TLS_KEY_LOG = 0x544C534B
_BYTE_ORDER, _TO_THE_END = 0x1A2B3C4D, -1
_COMMENT, _APPLICATION, _TSRESOL = 1, 4, 9
_NANOSECONDS = b"\x09"
_LONGEST = 0xFFFF  # octets of an option


@dataclass(frozen=True, slots=True)
class Replacement:
    """An IP packet that stands for a frame; ``comment`` says what the frame was."""

    octets: bytes = field(repr=False)
    comment: str


def write(
    file: BinaryIO,
    capture: CaptureFile,
    frames: Iterable[int],
    *,
    replaced: Mapping[int, Replacement] | None = None,
    key_log: bytes = b"",
    comment: str = "",
) -> int:
    """Write these frames of a capture (counted from 1) to ``file``; return how many there were.

    ``replaced``  what stands for a frame;  ``key_log``: an NSS key log, for a Decryption Secrets Block
    """
    instead = replaced or {}
    links = list(dict.fromkeys([*capture.records.link.tolist(), *([RAW_IP] if instead else [])]))
    _block(file, SECTION_TYPE, struct.pack("<IHHq", _BYTE_ORDER, 1, 0, _TO_THE_END) + _options(
        (_COMMENT, (comment or capture.comment).encode()), (_APPLICATION, b"imslab")
    ))  # fmt: skip
    if key_log:  # before the packets that it opens
        _block(file, SECRETS, struct.pack("<II", TLS_KEY_LOG, len(key_log)) + _padded(key_log))
    for link in links:
        _block(file, INTERFACE, struct.pack("<HHI", link, 0, 0) + _options((_TSRESOL, _NANOSECONDS)))
    for address, name in capture.names.items():
        _name(file, address, name)
    count = 0
    for frame in frames:
        _packet(file, capture, frame, instead.get(frame), links)
        count += 1
    return count


def frames_of(capture: "Capture") -> list[int]:
    """Return the frames of a capture, or of a part of one."""
    frames = capture.frames
    return list(range(1, len(capture.file) + 1)) if frames is None else sorted(frames)


def _packet(
    file: BinaryIO, capture: CaptureFile, frame: int, instead: Replacement | None, links: list[int]
) -> None:
    row, records = frame - 1, capture.records
    octets = capture.packet(row) if instead is None else instead.octets
    link = int(records.link[row]) if instead is None else RAW_IP
    original = int(records.original[row]) if instead is None else len(octets)
    said = [capture.packet_comment(row)] if capture.format == "pcapng" else []
    said += [instead.comment] if instead else []
    time = int(records.time[row]) & 0xFFFFFFFFFFFFFFFF
    head = struct.pack(
        "<IIIII", links.index(link), time >> 32, time & 0xFFFFFFFF, len(octets), original & 0xFFFFFFFF
    )
    comments = ((_COMMENT, text.encode()) for text in said if text)
    _block(file, ENHANCED, head + _padded(octets) + _options(*comments))


def _name(file: BinaryIO, address: str, name: str) -> None:
    octets = packed_address(address)
    record = octets + name.encode() + b"\0"
    if len(record) <= _LONGEST:
        head = struct.pack("<HH", 1 if len(octets) == 4 else 2, len(record))
        _block(file, NAMES, head + _padded(record) + bytes(4))


def _block(file: BinaryIO, kind: int, body: bytes) -> None:
    length = struct.pack("<I", 12 + len(body))
    file.write(struct.pack("<I", kind) + length + body + length)


def _options(*options: tuple[int, bytes]) -> bytes:
    found = b"".join(
        struct.pack("<HH", code, len(value[:_LONGEST])) + _padded(value[:_LONGEST])
        for code, value in options
        if value
    )
    return found + bytes(4) if found else b""


def _padded(octets: bytes) -> bytes:
    return octets + bytes(-len(octets) % 4)
