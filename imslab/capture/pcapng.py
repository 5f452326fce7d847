"""The pcapng format: sections of blocks.

Spec: draft-ietf-opsawg-pcapng. Read: section header, interface description, enhanced, simple
and obsolete packet blocks, name resolution, decryption secrets. Other blocks are stepped over.
"""

import ipaddress
import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from imslab.capture.file import Buffer, CaptureFile, Records, Words
from imslab.errors import CaptureError

SECTION = b"\x0a\x0d\x0d\x0a"
_MAGIC = 0x1A2B3C4D
_INTERFACE, _OBSOLETE, _SIMPLE, _NAMES, _ENHANCED, _SECRETS = 1, 2, 3, 4, 6, 10
_PACKETS = {_OBSOLETE, _SIMPLE, _ENHANCED}
_COMMENT, _TSRESOL, _TSOFFSET = 1, 9, 14  # option codes
_HEADER = 28  # octets before the packet in an enhanced or obsolete packet block; 12 in a simple one
_SIMPLE_HEADER = 12
_MOST_NAMES = 100_000


class _Fault(Exception):
    """Reading stops here: the message says why, the offset is known to the caller."""


@dataclass(frozen=True, slots=True)
class _Interface:
    link: int
    snaplen: int
    resolution: int  # the octet of if_tsresol: a power of ten, or of two when its top bit is set
    offset: int  # seconds


@dataclass(slots=True)
class _Section:
    """What a section has said so far: the columns of its packet blocks, and its interfaces."""

    order: str
    interfaces: list[_Interface] = field(default_factory=list)
    position: "array[int]" = field(default_factory=lambda: array("q"))
    kind: "array[int]" = field(default_factory=lambda: array("q"))
    total: "array[int]" = field(default_factory=lambda: array("q"))
    interface: "array[int]" = field(default_factory=lambda: array("q"))


def read(name: str, data: Buffer) -> CaptureFile:
    """Go through a pcapng file; CaptureError when its first block is no section header."""
    capture = CaptureFile(name, "pcapng", data, Records.joined([]))
    sections: list[_Section] = []
    position = 0
    try:
        while position < len(data):
            position = _block(data, position, sections, capture)
    except _Fault as fault:
        if not sections:
            raise CaptureError(f"{name} is no pcapng file: {fault}") from None
        _warn(capture, sections, str(fault))
    parts = [_records(data, section) for section in sections]
    capture.records = _timed(Records.joined(parts))
    capture.byte_order = sections[0].order
    return _checked(capture)


def _warn(capture: CaptureFile, sections: list[_Section], fault: str) -> None:
    count = sum(len(section.position) for section in sections)
    capture.truncated = True
    capture.warnings.append(f"{capture.name}: {fault}; {count} packets before that were read")


def _block(data: Buffer, position: int, sections: list[_Section], capture: CaptureFile) -> int:
    """Take in one block and return where the next one starts."""
    if len(data) - position < 12:
        raise _Fault(f"cut at octet {position}, within a block header")
    if data[position : position + 4] == SECTION:
        sections.append(_section(data, position))
    section = sections[-1]
    kind, claimed = struct.unpack_from(section.order + "II", data, position)
    total: int = claimed + -claimed % 4  # the first writers of the format did not count the padding
    end = position + total
    if total < 12:
        raise _Fault(f"corrupt at octet {position}: a block of {total} octets")
    if end > len(data):
        raise _Fault(f"cut at octet {position}: the block there should have {total} octets")
    if struct.unpack_from(section.order + "I", data, end - 4) != (claimed,):
        raise _Fault(f"corrupt at octet {position}: the two lengths of the block differ")
    if kind in _PACKETS:
        _packet(data, position, kind, total, section)
    else:
        _other(kind, data[position + 8 : end - 4], position, section, capture)
    return end


def _section(data: Buffer, position: int) -> _Section:
    for order in ("<", ">"):
        magic, major, minor = struct.unpack_from(
            order + "IHH", data[position + 8 : position + 16].ljust(8, b"\0")
        )
        if magic == _MAGIC:
            if major != 1:
                raise _Fault(f"version {major}.{minor} at octet {position}; version 1 is known")
            return _Section(order)
    raise _Fault(f"corrupt at octet {position}: no byte order in the section header")


def _packet(data: Buffer, position: int, kind: int, total: int, section: _Section) -> None:
    least = _SIMPLE_HEADER + 4 if kind == _SIMPLE else _HEADER + 4
    if total < least:
        raise _Fault(f"corrupt at octet {position}: a packet block of {total} octets")
    interface = 0
    if kind == _ENHANCED:
        (interface,) = struct.unpack_from(section.order + "I", data, position + 8)
    elif kind == _OBSOLETE:
        (interface,) = struct.unpack_from(section.order + "H", data, position + 8)
    if interface >= len(section.interfaces):
        raise _Fault(f"corrupt at octet {position}: interface {interface} was not described")
    section.position.append(position)
    section.kind.append(kind)
    section.total.append(total)
    section.interface.append(interface)


def _other(kind: int, body: bytes, position: int, section: _Section, capture: CaptureFile) -> None:
    order = section.order
    if kind == _INTERFACE:
        if len(body) < 8:
            raise _Fault(f"corrupt at octet {position}: an interface description of {len(body)} octets")
        section.interfaces.append(_interface(body, order))
    elif kind == int.from_bytes(SECTION):
        comment = next((value for code, value in options(body[16:], order) if code == _COMMENT), b"")
        capture.comment = capture.comment or comment.decode("utf-8", "replace")
    elif kind == _NAMES:
        for address, name in _names(body, order):
            if len(capture.names) < _MOST_NAMES:
                capture.names.setdefault(address, name)
    elif kind == _SECRETS and len(body) >= 8:
        secret, length = struct.unpack_from(order + "II", body)
        capture.secrets.append((secret, body[8 : 8 + length]))


def _interface(body: bytes, order: str) -> _Interface:
    link, _, snaplen = struct.unpack_from(order + "HHI", body)
    found = dict(options(body[8:], order))
    resolution = found.get(_TSRESOL, b"")[:1] or b"\x06"
    offset = found.get(_TSOFFSET, b"").ljust(8, b"\0")[:8]
    return _Interface(link, snaplen, resolution[0], *struct.unpack(order + "q", offset))


def options(octets: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Yield (code, value) of the options in ``octets``, up to the end mark or to what is broken."""
    position = 0
    while position + 4 <= len(octets):
        code, length = struct.unpack_from(order + "HH", octets, position)
        value = octets[position + 4 : position + 4 + length]
        if code == 0 or len(value) < length:
            return
        yield code, value
        position += 4 + length + -length % 4


def _names(body: bytes, order: str) -> Iterator[tuple[str, str]]:
    for kind, value in options(body, order):  # a record is laid out as an option is
        size = {1: 4, 2: 16}.get(kind)
        if size is None or len(value) <= size:
            continue
        name = value[size:].split(b"\0")[0].decode("utf-8", "replace")
        yield str(ipaddress.ip_address(value[:size])), name


def _records(data: Buffer, section: _Section) -> Records:
    """Compute the columns of the section's packets."""
    at, kind = np.array(section.position, np.int64), np.array(section.kind, np.int64)
    end = at + np.array(section.total, np.int64) - 4
    interface = np.array(section.interface, np.int64)
    words = Words(data, section.order)
    simple = kind == _SIMPLE
    offset = at + np.where(simple, _SIMPLE_HEADER, _HEADER)
    original = words.u32(np.where(simple, at + 8, at + 24))
    snaplen = np.array([known.snaplen or 2**32 for known in section.interfaces] or [0], np.int64)[interface]
    held = np.minimum(np.minimum(original, snaplen), end - offset)
    # In a simple block these octets are the packet's; they lie within the file, and are not used.
    length = np.where(simple, held, words.u32(np.minimum(at + 20, len(data) - 4)))
    link = np.array([known.link for known in section.interfaces] or [0], np.int64)[interface]
    tail = np.where(simple, end, offset + length + -length % 4)
    time = _times(words, at, interface, section.interfaces)
    time[simple] = _NO_TIME
    return Records(offset, length, original, time, link, tail, end)


_NO_TIME = np.iinfo(np.int64).min


def _times(
    words: Words, at: NDArray[np.int64], interface: NDArray[np.int64], interfaces: list[_Interface]
) -> NDArray[np.int64]:
    high, low = words.u32(at + 12), words.u32(at + 16) if len(at) else at
    ticks = (high << 32 | low).astype(np.uint64)
    time = np.zeros(len(at), np.int64)
    for number, known in enumerate(interfaces):
        mine = interface == number
        if mine.any():
            nanoseconds = _nanoseconds(ticks[mine], known.resolution)
            time[mine] = nanoseconds + np.int64(known.offset * 1_000_000_000 % 2**63)
    return time


def _nanoseconds(ticks: NDArray[np.uint64], resolution: int) -> NDArray[np.int64]:
    power = resolution & 0x7F
    if not resolution & 0x80:
        if power <= 9:
            return (ticks * np.uint64(10 ** (9 - power))).astype(np.int64)
        return (ticks // np.uint64(10 ** min(power - 9, 19))).astype(np.int64)
    shift = np.uint64(min(power, 63))
    seconds, rest = ticks >> shift, ticks & np.uint64((1 << int(shift)) - 1)
    fraction = rest.astype(np.float64) / 2.0 ** int(shift) * 1e9
    return (seconds * np.uint64(1_000_000_000)).astype(np.int64) + fraction.astype(np.int64)


def _timed(records: Records) -> Records:
    """Give a packet without a time that of the packet before it."""
    known = records.time != _NO_TIME
    if not known.all():
        before = np.maximum.accumulate(np.where(known, np.arange(len(known)), -1))
        records.time[:] = np.where(before >= 0, records.time[before], 0)
    return records


def _checked(capture: CaptureFile) -> CaptureFile:
    """Stop at the first packet that claims more octets than its block has."""
    records = capture.records
    bad = np.flatnonzero(records.offset + records.length > records.end)
    if len(bad):
        first = int(bad[0])
        offset, length = int(records.offset[first]), int(records.length[first])
        capture.records = records.first(first)
        capture.truncated = True
        capture.warnings.append(
            f"{capture.name}: corrupt at octet {offset}: a packet of {length} octets in a smaller block; "
            f"{first} packets before that were read"
        )
    return capture
