"""DER with other names and keys: certificates that name nobody, and parse as before.

Spec: ITU-T X.690, 8 and 10; RFC 5280; RFC 6962. Types, lengths, object identifiers, times and small
numbers stay; strings, addresses, keys, serial numbers and signatures become others. No signature fits any
more.
"""

from collections.abc import Iterator

from imslab.capture.anonymise.bodies import is_text
from imslab.capture.anonymise.text import Texts

_INTEGER, _BITS, _OCTETS = 0x02, 0x03, 0x04
_STRINGS = frozenset((0x0C, 0x12, 0x13, 0x14, 0x16, 0x1A, 0x1B, 0x1E))
_CONSTRUCTED = 0x20
_KEPT = frozenset((0x01, 0x05, 0x06, 0x0A, 0x17, 0x18))  # BOOLEAN, NULL, OBJECT IDENTIFIER, times
_SMALL = 4  # octets of a number or of bits that name nobody: a version, an exponent, a key usage
_DEPTH = 24


def rewrite(octets: bytes, texts: Texts, depth: int = 0) -> bytes:
    """Return DER with other contents; what is none becomes other octets."""
    places = list(_places(octets))
    if not places or places[-1][2] != len(octets) or depth > _DEPTH:
        return texts.pseudonyms.octets(octets) if octets else octets
    result = bytearray(octets)
    for tag, start, end in places:
        result[start:end] = _value(tag, octets[start:end], texts, depth)
    return bytes(result)


def _value(tag: int, value: bytes, texts: Texts, depth: int) -> bytes:
    if not value or tag in _KEPT:
        return value
    if tag & _CONSTRUCTED:
        return rewrite(value, texts, depth + 1)
    if tag == _INTEGER:
        return value if len(value) <= _SMALL else value[:1] + _other(value[1:], texts)
    if tag == _BITS:
        small = len(value) <= _SMALL
        return value if small else value[:1] + _inside(value[1:], texts, depth)
    if tag == _OCTETS:
        return _inside(value, texts, depth)
    if tag in _STRINGS or (is_text(value) and len(value) > 1):
        return texts.name(value.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
    return texts.addresses.ip(value) if len(value) in (4, 16) and tag == 0x87 else _other(value, texts)


def _inside(value: bytes, texts: Texts, depth: int) -> bytes:
    """Rewrite octets that may hold DER: extensions and keys do."""
    if int.from_bytes(value[:2]) == len(value) - 2 > 0:
        return value[:2] + _timestamps(value[2:], texts)
    places = list(_places(value))
    holds = bool(places) and places[-1][2] == len(value) and value[0] in (0x30, 0x03, 0x04, 0x02, 0x01, 0x05)
    return rewrite(value, texts, depth + 1) if holds else _other(value, texts)


def _timestamps(value: bytes, texts: Texts) -> bytes:
    """Rewrite signed certificate timestamps (RFC 6962, 3.3): log and signature, not lengths and times."""
    result, at = bytearray(texts.pseudonyms.octets(value)), 0
    while at + 2 <= len(value):
        end = min(at + 2 + int.from_bytes(value[at : at + 2]), len(value))
        more = at + 45 + int.from_bytes(value[at + 43 : at + 45])  # version, log, time; extensions
        for start, stop in ((at, at + 3), (at + 35, at + 45), (more, more + 4)):
            result[min(start, end) : min(stop, end)] = value[min(start, end) : min(stop, end)]
        at = end
    return bytes(result)


def _other(value: bytes, texts: Texts) -> bytes:
    return texts.pseudonyms.octets(value) if value else value


def _places(octets: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield (tag, start, end) of each value, as far as tags and lengths go."""
    at = 0
    while at + 2 <= len(octets):
        tag, length, start = octets[at], octets[at + 1], at + 2
        if tag & 0x1F == 0x1F or length == 0x80:
            return
        if length > 0x80:
            start = at + 2 + (length & 0x7F)
            length = int.from_bytes(octets[at + 2 : start])
        if start + length > len(octets):
            return
        yield tag, start, start + length
        at = start + length
