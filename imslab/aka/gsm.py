"""Conversions between AKA and GSM authentication.

Spec: 3GPP TS 33.102, section 6.8.1.2: c2 makes SRES, c3 makes Kc.

Teaching code: it is not constant time.
"""

from imslab.errors import Malformed
from imslab.octets import exactly, xor


def c2(res: bytes) -> bytes:
    """Return SRES, 4 octets: the four words of RES (4 to 16 octets, filled with zeros), xored."""
    if not 4 <= len(res) <= 16:
        raise Malformed(f"res must be 4 to 16 octets, not {len(res)}")
    words = bytes(res).ljust(16, b"\0")
    return xor(xor(words[:4], words[4:8]), xor(words[8:12], words[12:]))


def c3(ck: bytes, ik: bytes) -> bytes:
    """Return Kc, 8 octets: the halves of CK and of IK (16 octets each), xored."""
    halves = xor(exactly("ck", ck, 16), exactly("ik", ik, 16))
    return xor(halves[:8], halves[8:])
