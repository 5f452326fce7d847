"""BER-TLV data objects, as a UICC uses them.

Spec: ISO/IEC 7816-4, section 5.2.2; ETSI TS 101 220, section 7.1. A tag has one to three
octets, a length one to four. Octets 00 and FF before a tag are filling and are passed over.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from imslab.errors import Malformed

_MAX_DEPTH = 8


class Tlv(NamedTuple):
    """One data object: ``tag`` as a number with all its octets (0x62, 0x5F2D), ``value`` as octets."""

    tag: int
    value: bytes

    def __bytes__(self) -> bytes:
        return encode(self.tag, self.value)


@dataclass(frozen=True, slots=True)
class Nested:
    """A data object with its children; ``children`` is empty for a primitive one."""

    tag: int
    value: bytes
    children: tuple["Nested", ...] = ()


def encode(tag: int, value: bytes) -> bytes:
    """Write one data object; raise Malformed when ``tag`` is none, or ``value`` too long to be written."""
    if not _is_tag(tag):
        raise Malformed(f"{tag:#x} is not a BER tag")
    return tag.to_bytes((tag.bit_length() + 7) // 8) + encode_length(len(value)) + value


def encode_length(length: int) -> bytes:
    """Write a length in the shortest form, one to four octets."""
    if not 0 <= length < 1 << 24:
        raise Malformed(f"a TLV cannot hold {length} octets")
    if length < 0x80:
        return bytes([length])
    octets = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes([0x80 | len(octets)]) + octets


def read(octets: bytes, at: int = 0) -> tuple[Tlv, int]:
    """Read the data object at ``at``: return it and the position after it; raise Malformed when cut."""
    tag, after_tag = read_tag(octets, at)
    length, start = read_length(octets, after_tag)
    end = start + length
    if end > len(octets):
        raise Malformed(
            f"TLV {tag:X} is cut", offset=start, expected=f"{length} octets, not {len(octets) - start}"
        )
    return Tlv(tag, bytes(octets[start:end])), end


def read_tag(octets: bytes, at: int) -> tuple[int, int]:
    """Read a tag of one to three octets: return it and the position after it."""
    first = _octet(octets, at, "a tag")
    tag, end = first, at + 1
    if first & 0x1F == 0x1F:
        while True:
            more = _octet(octets, end, "more of a tag")
            tag, end = tag << 8 | more, end + 1
            if more < 0x80:
                break
            if end - at == 3:
                raise Malformed("tag longer than three octets", offset=at)
    return tag, end


def read_length(octets: bytes, at: int) -> tuple[int, int]:
    """Read a length of one to four octets: return it and the position after it."""
    first = _octet(octets, at, "a length")
    if first < 0x80:
        return first, at + 1
    count = first & 0x7F
    if not 1 <= count <= 3:
        raise Malformed(f"length octet {first:02X}", offset=at, expected="00 to 7F, 81, 82 or 83")
    end = at + 1 + count
    if end > len(octets):
        raise Malformed("a length is cut", offset=at, expected=f"{count} more octets")
    return int.from_bytes(octets[at + 1 : end]), end


def parse(octets: bytes) -> list[Tlv]:
    """Read all data objects in ``octets``, passing over filling; raise Malformed when one is cut."""
    found, at = [], 0
    while (at := _skip_filling(octets, at)) < len(octets):
        tlv, at = read(octets, at)
        found.append(tlv)
    return found


def parse_leniently(octets: bytes) -> tuple[list[Tlv], Malformed | None]:
    """Read data objects up to the first fault; return them and the fault (None when there is none)."""
    found: list[Tlv] = []
    at = 0
    try:
        while (at := _skip_filling(octets, at)) < len(octets):
            tlv, at = read(octets, at)
            found.append(tlv)
    except Malformed as fault:
        return found, fault
    return found, None


def parse_nested(octets: bytes, depth: int = _MAX_DEPTH) -> tuple[Nested, ...]:
    """Read data objects and those inside constructed ones, at most ``depth`` deep."""
    if depth <= 0:
        raise Malformed(f"data objects nested deeper than {_MAX_DEPTH}")
    return tuple(
        Nested(tag, value, parse_nested(value, depth - 1) if is_constructed(tag) else ())
        for tag, value in parse(octets)
    )


def is_constructed(tag: int) -> bool:
    """Tell whether the value of ``tag`` is made of data objects (bit 6 of its first octet)."""
    return bool(tag >> 8 * ((tag.bit_length() + 7) // 8 - 1) & 0x20) if tag > 0 else False


def first(objects: Iterable[Tlv], tag: int) -> bytes | None:
    """Return the value of the first object with ``tag``, or None."""
    return next((value for found, value in objects if found == tag), None)


def only(octets: bytes, tag: int, what: str) -> bytes:
    """Return the value of the ``tag`` object that ``octets`` start with; else raise Malformed."""
    found, _ = read(octets)
    if found.tag != tag:
        raise Malformed(f"{what} starts with tag {found.tag:X}", offset=0, expected=f"tag {tag:X}")
    return found.value


def _skip_filling(octets: bytes, at: int) -> int:
    while at < len(octets) and octets[at] in (0x00, 0xFF):
        at += 1
    return at


def _octet(octets: bytes, at: int, what: str) -> int:
    if not 0 <= at < len(octets):
        raise Malformed("the octets end", offset=at, expected=what)
    return octets[at]


def _is_tag(tag: int) -> bool:
    if not 0 < tag < 1 << 24 or tag in (0x00, 0xFF):
        return False
    try:
        return read_tag(tag.to_bytes((tag.bit_length() + 7) // 8), 0)[1] == (tag.bit_length() + 7) // 8
    except Malformed:
        return False
