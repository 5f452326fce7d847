"""What every set of AKA functions can do, and the choice among the three that imslab knows.

Spec: 3GPP TS 33.102, section 6.3 (f1 to f5, f1*, f5*); Milenage TS 35.206, TUAK TS 35.231,
the XOR test algorithm TS 34.108, section 8.1.2.
"""

from typing import Protocol


class AkaFunctions(Protocol):
    """The functions of TS 33.102, section 6.3, for one subscriber."""

    def f1(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        """Return MAC-A: 8 octets, with TUAK 8, 16 or 32."""

    def f1_star(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        """Return MAC-S: as long as MAC-A."""

    def f2(self, rand: bytes) -> bytes:
        """Return RES: 4 to 16 octets, with TUAK up to 32."""

    def f3(self, rand: bytes) -> bytes:
        """Return CK: 16 octets, with TUAK 16 or 32."""

    def f4(self, rand: bytes) -> bytes:
        """Return IK: 16 octets, with TUAK 16 or 32."""

    def f5(self, rand: bytes) -> bytes:
        """Return AK, 6 octets."""

    def f5_star(self, rand: bytes) -> bytes:
        """Return AK*, 6 octets."""

    def f2_to_f5(self, rand: bytes) -> tuple[bytes, bytes, bytes, bytes]:
        """Return RES, CK, IK and AK of one RAND; at once, where the algorithm can."""
        return self.f2(rand), self.f3(rand), self.f4(rand), self.f5(rand)

    def f1_to_f5(self, rand: bytes, sqn: bytes, amf: bytes) -> tuple[bytes, bytes, bytes, bytes, bytes]:
        """Return MAC-A, RES, CK, IK and AK; at once, where the algorithm can."""
        return (self.f1(rand, sqn, amf), *self.f2_to_f5(rand))
