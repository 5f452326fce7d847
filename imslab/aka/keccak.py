"""Keccak-f[1600]: the permutation under SHA-3, and under TUAK.

Spec: FIPS 202, section 3; TS 35.231, annex A. A state is 200 octets: 25 lanes of 64 bits,
least significant octet first, lane (x, y) at position x + 5*y.

Teaching code: it is not constant time.
"""

import struct

from imslab.octets import exactly

_LANES = struct.Struct("<25Q")
_MASK = 2**64 - 1


def _rotations() -> list[int]:
    # rho (FIPS 202, 3.2.2): the t-th lane of the walk (x, y) -> (y, 2x + 3y) turns by (t+1)(t+2)/2.
    rotations, x, y = [0] * 25, 1, 0
    for t in range(24):
        rotations[x + 5 * y] = (t + 1) * (t + 2) // 2 % 64
        x, y = y, (2 * x + 3 * y) % 5
    return rotations


def _round_constants() -> list[int]:
    # iota (FIPS 202, 3.2.5): bits of the shift register x^8 + x^6 + x^5 + x^4 + 1 at positions 2^j - 1.
    constants, register = [], 1
    for _ in range(24):
        constant = 0
        for j in range(7):
            constant |= (register & 1) << (2**j - 1)
            register = (register << 1) ^ (0x171 if register & 0x80 else 0)
        constants.append(constant)
    return constants


# pi (FIPS 202, 3.2.3): where lane (x, y) goes, with its rotation: (from, to, rotation).
_MOVES = [
    (x + 5 * y, y + 5 * ((2 * x + 3 * y) % 5), _rotations()[x + 5 * y]) for x in range(5) for y in range(5)
]
_ROUND_CONSTANTS = _round_constants()
_ROWS = [(y + x, y + (x + 1) % 5, y + (x + 2) % 5) for y in range(0, 25, 5) for x in range(5)]


def keccak_f1600(state: bytes) -> bytes:
    """Return the permutation of ``state``, 200 octets to 200 octets; another length is Malformed."""
    a = list(_LANES.unpack(exactly("Keccak state", state, 200)))
    for constant in _ROUND_CONSTANTS:
        a = _round(a, constant)
    return _LANES.pack(*a)


def _round(a: list[int], constant: int) -> list[int]:
    c = [a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20] for x in range(5)]
    d = [c[x - 1] ^ (c[x - 4] << 1 & _MASK | c[x - 4] >> 63) for x in range(5)]  # theta
    b = [0] * 25
    for source, target, rotation in _MOVES:  # rho and pi
        lane = a[source] ^ d[source % 5]
        b[target] = lane << rotation & _MASK | lane >> 64 - rotation
    a = [b[i] ^ (~b[j] & b[k]) for i, j, k in _ROWS]  # chi
    a[0] ^= constant  # iota
    return a
