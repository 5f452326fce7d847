"""The pcapng format: sections of blocks.

Spec: draft-ietf-opsawg-pcapng. Read: section header, interface description, enhanced, simple
and obsolete packet blocks, name resolution, decryption secrets. Other blocks are stepped over.
"""

import ipaddress
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imslab.capture.blocks import (
    INTERFACE,
    LEAST,
    NAMES,
    OBSOLETE,
    PACKETS,
    SECRETS,
    SECTION_TYPE,
    SIMPLE,
    Blocks,
)  # fmt: skip
from imslab.capture.buffer import Octets
from imslab.capture.columns import Column
from imslab.capture.file import Buffer, CaptureFile, Records
from imslab.capture.walk import walk
from imslab.errors import CaptureError

SECTION = SECTION_TYPE.to_bytes(4)
_MAGIC = 0x1A2B3C4D
_COMMENT, _TSRESOL, _TSOFFSET = 1, 9, 14  # option codes
_HEADER, _SIMPLE_HEADER = 28, 12  # octets of a packet block before the packet
_MOST_NAMES = 100_000
_PART = 32_768  # blocks that are looked at at a time
_NO_TIME = np.iinfo(np.int64).min


class _Fault(Exception):
    """Reading stops here: the message says why and where."""


@dataclass(frozen=True, slots=True)
class _Interface:
    link: int
    snaplen: int
    resolution: int  # the octet of if_tsresol: a power of ten, or of two when its top bit is set
    offset: int  # seconds
    position: int  # of its block


def read(name: str, data: Buffer) -> CaptureFile:
    """Go through a pcapng file; CaptureError when its first block is no section header."""
    octets, parts, position = Octets(data), list[Records](), 0
    capture, fault = CaptureFile(name, "pcapng", data, Records.none()), ""
    try:
        while position < len(data):
            blocks = Blocks(data, octets, _byte_order(data, position), position)
            capture.byte_order = capture.byte_order or blocks.order
            position = _section(blocks, capture, parts)
    except _Fault as error:
        fault = str(error)
        if not position and not capture.byte_order:
            raise CaptureError(f"{name} is no pcapng file: {fault}") from None
    capture.records = _timed(Records.joined(parts) if parts else Records.none())
    if fault:
        capture.truncated = True
        count = len(capture.records.offset)
        capture.warnings.append(f"{name}: {fault}; {count} packets before that were read")
    return capture


def _byte_order(data: Buffer, position: int) -> str:
    if len(data) - position < LEAST:
        raise _Fault(f"cut at octet {position}, within a block header")
    for order in ("<", ">"):
        magic, major, minor = struct.unpack_from(
            order + "IHH", data[position + 8 : position + 16].ljust(8, b"\0")
        )
        if magic == _MAGIC:
            if major != 1:
                raise _Fault(f"version {major}.{minor} at octet {position}; version 1 is known")
            return order
    raise _Fault(f"corrupt at octet {position}: no byte order in the section header")


def _section(blocks: Blocks, capture: CaptureFile, parts: list[Records]) -> int:
    """Take in one section and return where the next one starts."""
    positions, stop = walk(blocks, blocks.octets.windows, blocks.start, len(blocks.data))
    if not len(positions):
        raise _Fault(blocks.fault(blocks.start))
    packets, others = _kinds(blocks, positions)
    interfaces: list[_Interface] = []
    fault = ""
    for position in others.tolist():
        fault = _other(blocks, position, interfaces, capture)
        if fault:
            packets = packets[packets < position]
            break
    for first in range(0, len(packets), _PART):
        records, wrong = _records(blocks, packets[first : first + _PART], interfaces)
        parts.append(records)
        if wrong:
            raise _Fault(wrong)
    if fault:
        raise _Fault(fault)
    if stop < len(blocks.data) and not blocks.begins_section(stop):
        raise _Fault(blocks.fault(stop))
    return stop


def _kinds(blocks: Blocks, positions: Column) -> tuple[Column, Column]:
    """Return the positions of packet blocks, and of the other blocks that are read."""
    packets, others = [], []
    for first in range(0, len(positions), _PART):
        at = positions[first : first + _PART]
        kind = blocks.words(at, 1)[:, 0]
        packets.append(at[np.isin(kind, PACKETS)])
        others.append(at[np.isin(kind, (SECTION_TYPE, INTERFACE, NAMES, SECRETS))])
    return np.concatenate(packets), np.concatenate(others)


def _other(blocks: Blocks, position: int, interfaces: list[_Interface], capture: CaptureFile) -> str:
    """Take in a block that holds no packet; return what is wrong with it, or ""."""
    order = blocks.order
    kind, total = struct.unpack_from(order + "II", blocks.data, position)
    body = bytes(blocks.data[position + 8 : position + total + (-total & 3) - 4])
    if kind == INTERFACE:
        if len(body) < 8:
            return f"corrupt at octet {position}: an interface description of {len(body)} octets"
        interfaces.append(_interface(body, order, position))
    elif kind == SECTION_TYPE:
        comment = next((value for code, value in options(body[16:], order) if code == _COMMENT), b"")
        capture.comment = capture.comment or comment.decode("utf-8", "replace")
    elif kind == NAMES:
        for address, name in _names(body, order):
            if len(capture.names) < _MOST_NAMES:
                capture.names.setdefault(address, name)
    elif len(body) >= 8:
        secret, length = struct.unpack_from(order + "II", body)
        capture.secrets.append((secret, body[8 : 8 + length]))
    return ""


def _interface(body: bytes, order: str, position: int) -> _Interface:
    link, _, snaplen = struct.unpack_from(order + "HHI", body)
    found = dict(options(body[8:], order))
    resolution = found.get(_TSRESOL, b"")[:1] or b"\x06"
    (offset,) = struct.unpack(order + "q", found.get(_TSOFFSET, b"").ljust(8, b"\0")[:8])
    return _Interface(link, snaplen, resolution[0], offset, position)


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


def _records(blocks: Blocks, at: Column, interfaces: list[_Interface]) -> tuple[Records, str]:
    """Read the headers of packet blocks; return the packets before the first fault, and that fault."""
    head = blocks.words(at, _HEADER // 4)
    kind, total = head[:, 0], head[:, 1] + (-head[:, 1] & 3)
    simple, obsolete = kind == SIMPLE, kind == OBSOLETE
    short = head[:, 2] & 0xFFFF if blocks.order == "<" else head[:, 2] >> 16
    number = np.where(simple, 0, np.where(obsolete, short, head[:, 2]))
    size = np.where(simple, _SIMPLE_HEADER, _HEADER)
    described = np.searchsorted(np.array([known.position for known in interfaces], np.int64), at)
    offset, end = at + size, at + total - 4
    original, length = np.where(simple, head[:, 2], head[:, 6]), head[:, 5]
    if simple.any():
        snaplen = np.array([known.snaplen or 2**32 for known in interfaces] or [0], np.int64)
        length = np.where(simple, np.minimum(np.minimum(original, snaplen[0]), end - offset), length)
    good = (total >= size + 4) & (number < described) & (offset + length <= end)
    count, fault = len(at), ""
    if not good.all():
        count = int(np.argmin(good))
        fault = _fault(*(int(column[count]) for column in (at, total, size, number, described, length)))
    rows = slice(0, count)
    time = _times(head[rows], number[rows], interfaces)
    time[simple[rows]] = _NO_TIME
    link = np.array([known.link for known in interfaces] or [0], np.uint16)[number[rows]]
    options_end = np.where(simple, 0, end)[rows]
    numbers = length[rows].astype(np.int32), original[rows].astype(np.uint32)
    return Records(offset[rows], *numbers, time, link, options_end), fault


def _fault(at: int, total: int, size: int, number: int, described: int, length: int) -> str:
    """Say what is wrong with the packet block at ``at``."""
    if total < size + 4:
        return f"corrupt at octet {at}: a packet block of {total} octets"
    if number >= described:
        return f"corrupt at octet {at}: interface {number} was not described"
    return f"corrupt at octet {at}: a packet of {length} octets in a smaller block"


def _times(head: Column, number: Column, interfaces: list[_Interface]) -> NDArray[np.int64]:
    ticks = (head[:, 3] << 32 | head[:, 4]).astype(np.uint64)
    time = np.zeros(len(head), np.int64)
    for which, known in enumerate(interfaces):
        mine = number == which
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
