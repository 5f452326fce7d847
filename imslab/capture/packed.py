"""Files that are packed with gzip (RFC 1952) or zstd (RFC 8878): what is in them, up to a fault.

A file of a few octets can claim to hold terabytes: unpacking takes small steps and stops at a bound.
"""

import zlib
from collections.abc import Callable
from typing import Protocol

from imslab.capture.file import Buffer
from imslab.errors import CaptureError

GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_AT_MOST = 2**31  # octets that are taken out of a file
_WINDOW = 2**27  # octets of memory that a zstd frame may ask for (the bound of zstd itself)
_GZIP_STEP = 2**16  # octets that go in at a time; each can become a thousand
_ZSTD_STEP = 2**8  # 4 octets of zstd can become 2**17


class _Fault(Exception):
    """Unpacking stops here."""


class _Unpacker(Protocol):
    """Unpacks one gzip member or one zstd frame; several may follow each other."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, /) -> bytes: ...


def unpacked(name: str, data: Buffer) -> tuple[Buffer, list[str]]:
    """Return what is in ``data``, and a warning when that is not all; ``data`` itself when it is not packed.

    Raises CaptureError when the library that unpacks zstd is missing.
    """
    start = bytes(data[:4])
    if start.startswith(GZIP):
        return _all_of(data, GZIP, _gzip, f"{name}: the gzip data")
    if start == ZSTD:
        return _all_of(data, ZSTD, _zstd(name), f"{name}: the zstd data")
    return data, []


def _all_of(
    data: Buffer, magic: bytes, unpack: Callable[[Buffer, int, bytearray], int], what: str
) -> tuple[Buffer, list[str]]:
    found, place = bytearray(), 0
    try:
        while bytes(data[place : place + len(magic)]) == magic:
            place = unpack(data, place, found)
    except _Fault as fault:
        return found, [f"{what} {fault}"]
    return found, []


def _gzip(data: Buffer, place: int, found: bytearray) -> int:
    """Unpack the member at ``place``; return where it ends."""
    member = zlib.decompressobj(wbits=31)
    while not member.eof:
        octets = _next(data, place, _GZIP_STEP, found)
        before = member.copy()
        try:
            found += member.decompress(octets)
        except zlib.error:
            place += _salvage(before, octets, found)
            raise _Fault(f"is corrupt near octet {place}") from None
        place += len(octets)
    return place - len(member.unused_data)


def _salvage(member: _Unpacker, octets: bytes, found: bytearray) -> int:
    """Take out what comes before the fault; return how many octets of the input that took."""
    for place in range(len(octets)):
        try:
            found += member.decompress(octets[place : place + 1])
        except zlib.error:
            return place
    return len(octets)


def _zstd(name: str) -> Callable[[Buffer, int, bytearray], int]:
    try:
        import zstandard
    except ImportError:
        raise CaptureError(
            f"{name} is packed with zstd; install zstandard, or unpack it first: zstd -d"
        ) from None
    library = zstandard.ZstdDecompressor(max_window_size=_WINDOW)

    def unpack(data: Buffer, place: int, found: bytearray) -> int:
        frame: _Unpacker = library.decompressobj()
        while not frame.eof:
            octets = _next(data, place, _ZSTD_STEP, found)
            try:
                found += frame.decompress(octets)
            except zstandard.ZstdError:
                raise _Fault(f"is corrupt near octet {place}") from None
            place += len(octets)
        return place - len(frame.unused_data)

    return unpack


def _next(data: Buffer, place: int, step: int, found: bytearray) -> bytes:
    """Return the next octets that are packed."""
    if len(found) > _AT_MOST:
        raise _Fault(f"holds more than {_AT_MOST} octets; the rest is left out")
    octets = bytes(data[place : place + step])
    if not octets:
        raise _Fault(f"is cut at octet {place}")
    return octets
