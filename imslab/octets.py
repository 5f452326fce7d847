"""Octet strings: exclusive or, the length check that every coding starts with, the Internet checksum."""

from imslab.errors import Malformed


def xor(a: bytes, b: bytes) -> bytes:
    """Return ``a`` xor ``b``; the two must have the same length, else Malformed."""
    if len(a) != len(b):
        raise Malformed(f"cannot xor {len(a)} octets with {len(b)}")
    return (int.from_bytes(a) ^ int.from_bytes(b)).to_bytes(len(a))


def exactly(name: str, value: bytes, *lengths: int) -> bytes:
    """Return ``value`` as bytes, or raise Malformed unless its length is one of ``lengths``."""
    if not isinstance(value, bytes | bytearray | memoryview):
        raise Malformed(f"{name} must be bytes, not {type(value).__name__}")
    if len(value) not in lengths:
        wanted = " or ".join(str(n) for n in lengths)
        raise Malformed(f"{name} must be {wanted} octets, not {len(value)}")
    return bytes(value)


def unhex(name: str, text: str) -> bytes:
    """Return the octets that ``text`` writes in hex (spaces and colons allowed), or raise Malformed.

    The text itself is not repeated in the error: it may be a key.
    """
    digits = "".join(text.split()).replace(":", "").removeprefix("0x")
    bad = next((i for i, c in enumerate(digits) if c not in "0123456789abcdefABCDEF"), None)
    if bad is not None:
        raise Malformed(f"{name} is not hex", offset=bad, expected="0-9 or a-f")
    if len(digits) % 2:
        raise Malformed(f"{name} has an odd number of hex digits ({len(digits)})")
    return bytes.fromhex(digits)


def checksum(octets: bytes) -> int:
    """Return the Internet checksum of ``octets`` (RFC 1071), 16 bits."""
    if len(octets) % 2:
        octets += b"\0"
    # The sum of 16-bit words with end-around carry is the value modulo 65535: 2**16 leaves 1.
    total = int.from_bytes(octets) % 0xFFFF
    if not total and any(octets):
        total = 0xFFFF  # such a sum never falls back to 0
    return 0xFFFF - total
