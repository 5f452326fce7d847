"""Checksums that were right stay right, and those that were wrong stay wrong by as much.

Spec: RFC 1071; RFC 1624 (incremental update): nothing but what changed is needed, so a packet that was cut
when it was captured, or that a network card was to finish, is treated like any other. RFC 9260, annex A
(CRC32c).
"""

from functools import cache

_CRC32C = 0x82F63B78


def adjusted(checksum: bytes, old: bytes, new: bytes, *, never_zero: bool = False) -> bytes:
    """Return a checksum of 2 octets after ``old`` became ``new``, of as many octets and at an even place.

    ``never_zero``  0 means that there is none (UDP): it stays 0, and none becomes 0
    """
    value = int.from_bytes(checksum)
    if never_zero and not value:
        return checksum
    value = (value + _sum(old) - _sum(new)) % 0xFFFF
    return ((value or 0xFFFF) if never_zero else value).to_bytes(2)


def _sum(octets: bytes) -> int:
    # 2**16 leaves 1 when divided by 65535: the sum of the words is what the whole leaves.
    return int.from_bytes(octets + b"\0" * (len(octets) % 2)) % 0xFFFF


def crc32c(octets: bytes) -> int:
    """Return the checksum of SCTP."""
    table, value = _table(), 0xFFFFFFFF
    for octet in octets:
        value = table[(value ^ octet) & 0xFF] ^ value >> 8
    return value ^ 0xFFFFFFFF


@cache
def _table() -> tuple[int, ...]:
    def entry(value: int) -> int:
        for _ in range(8):
            value = value >> 1 ^ (_CRC32C if value & 1 else 0)
        return value

    return tuple(entry(number) for number in range(256))
