"""Capture files: where each packet lies, how long it is, when it was seen.

Spec: draft-ietf-opsawg-pcap (pcap, with its nanosecond and "modified" variants) and
draft-ietf-opsawg-pcapng; both byte orders; gzip or zstd around either.

A file is mapped, not read: one loop steps over the record headers, everything else about the
records is computed on numpy arrays, and a packet becomes an object only when somebody looks at
it. A file that is cut or corrupt gives what comes before the fault, and a warning with the
offset. Frames are counted from 1, as in Wireshark; the arrays here from 0.
"""

import mmap
import os
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import BinaryIO

import numpy as np

from imslab.capture.columns import Column, Columns
from imslab.errors import CaptureError, Malformed

Source = str | PathLike[str] | bytes | BinaryIO
Buffer = bytes | bytearray | mmap.mmap


@dataclass(frozen=True, slots=True)
class Records(Columns):
    """The packets of a file as columns, one row for each.

    ``offset``    octets from the start of the file to the first octet of the packet
    ``length``    octets captured;  ``original``: octets on the wire
    ``time``      nanoseconds since the epoch (a packet without a time has that of the one before)
    ``link``      the link type (LINKTYPE_...) of the interface
    ``end``       octets from the start of the file to the end of the packet's options (pcapng), 0: no options
    """

    offset: Column
    length: Column
    original: Column
    time: Column
    link: Column
    end: Column

    @classmethod
    def none(cls) -> "Records":
        """Return a table without rows."""
        no = np.zeros(0, np.int64)
        return cls(no, no, no, no, no, no)


@dataclass(slots=True)
class CaptureFile:
    """A capture file that was gone through once.

    ``format``     "pcap" or "pcapng";  ``name``: the file's name, for messages
    ``names``      address -> name, from Name Resolution Blocks
    ``secrets``    (type, octets) of Decryption Secrets Blocks
    ``truncated``  the file ends within a packet
    """

    name: str
    format: str
    data: Buffer = field(repr=False)
    records: Records = field(repr=False)
    names: dict[str, str] = field(default_factory=dict)
    comment: str = ""
    secrets: list[tuple[int, bytes]] = field(default_factory=list, repr=False)
    warnings: list[str] = field(default_factory=list)
    truncated: bool = False
    byte_order: str = ""

    def __len__(self) -> int:
        return len(self.records.offset)

    def packet(self, index: int) -> bytes:
        """Return the octets of packet ``index``, counted from 0."""
        start = int(self.records.offset[index])
        return bytes(self.data[start : start + int(self.records.length[index])])

    def packet_comment(self, index: int) -> str:
        """Return the comment that stands beside packet ``index`` (pcapng), or ""."""
        from imslab.capture import pcapng

        length = int(self.records.length[index])
        start = int(self.records.offset[index]) + length + -length % 4
        options = pcapng.options(bytes(self.data[start : int(self.records.end[index])]), self.byte_order)
        return next((value.decode("utf-8", "replace") for code, value in options if code == 1), "")


def read_file(source: Source) -> CaptureFile:
    """Go through a capture once; ``source`` is a path, the octets themselves, or an open binary file.

    Raises CaptureError when it cannot be opened or is no capture.
    """
    from imslab.capture import packed, pcap, pcapng

    name, data = _octets(source)
    data, warnings = packed.unpacked(name, data)
    start = bytes(data[:4])
    if start == pcapng.SECTION:
        capture = pcapng.read(name, data)
    elif start in pcap.MAGIC:
        capture = pcap.read(name, data)
    else:
        raise CaptureError("; ".join([*warnings, _no_capture(name, data)]))
    capture.warnings[:0] = warnings
    capture.truncated |= bool(warnings)
    return capture


def _octets(source: Source) -> tuple[str, Buffer]:
    """Return a name for messages and the octets, mapped when they are in a file."""
    if isinstance(source, bytes | bytearray | memoryview):
        return "the capture", bytes(source)
    if not isinstance(source, str | PathLike):
        name = getattr(source, "name", "the capture")
        try:
            octets = source.read()
        except (OSError, AttributeError, ValueError) as error:
            raise CaptureError(f"{name} cannot be read: {error}") from None
        if not isinstance(octets, bytes):
            raise CaptureError(f"{name} was opened as text; open it as binary")
        return str(name), octets
    return _mapped(Path(source))


def _mapped(path: Path) -> tuple[str, Buffer]:
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                return path.name, b""  # an empty file cannot be mapped
            return path.name, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CaptureError(f"{path} cannot be opened: {reason}") from None


def _no_capture(name: str, data: Buffer) -> str:
    if not data:
        return f"{name} is empty: no capture"
    return f"{name} is no capture: it begins with {data[:8].hex(' ')}, neither pcap nor pcapng (gzip, zstd)"


def check_index(frame: int, count: int) -> int:
    """Return the index of frame number ``frame`` (from 1); Malformed unless it is one of ``count``."""
    if not 1 <= frame <= count:
        raise Malformed(f"there is no frame {frame}; the capture has {count}")
    return frame - 1
