"""The XOR test algorithm of test USIMs: AKA functions that anyone can compute by hand.

Spec: 3GPP TS 34.108, section 8.1.2. It proves nothing about anybody: XDOUT = K xor RAND
is sent in clear as RES. For test systems only.

Teaching code: it is not constant time.
"""

from dataclasses import dataclass, field

from imslab.aka.functions import AkaFunctions
from imslab.errors import Malformed
from imslab.octets import exactly, xor


@dataclass(frozen=True, slots=True)
class Xor3g(AkaFunctions):
    """One test USIM's functions.

    ``k``           subscriber key, 16 octets
    ``res_length``  4 to 16 octets of RES

    Raises Malformed when a length is another.
    """

    k: bytes = field(repr=False)
    res_length: int = 16

    def __post_init__(self) -> None:
        object.__setattr__(self, "k", exactly("k", self.k, 16))
        if not 4 <= self.res_length <= 16:
            raise Malformed(f"res_length must be 4 to 16 octets, not {self.res_length}")

    def f1(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        """Return MAC-A, 8 octets: XDOUT[0..7] xor (SQN | AMF)."""
        return xor(self._xdout(rand)[:8], exactly("sqn", sqn, 6) + exactly("amf", amf, 2))

    def f1_star(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        """Return MAC-S, 8 octets: as f1."""
        return self.f1(rand, sqn, amf)

    def f2(self, rand: bytes) -> bytes:
        """Return RES, ``res_length`` octets: XDOUT from its first octet."""
        return self._xdout(rand)[: self.res_length]

    def f3(self, rand: bytes) -> bytes:
        """Return CK, 16 octets: XDOUT rotated left by one octet."""
        xdout = self._xdout(rand)
        return xdout[1:] + xdout[:1]

    def f4(self, rand: bytes) -> bytes:
        """Return IK, 16 octets: XDOUT rotated left by two octets."""
        xdout = self._xdout(rand)
        return xdout[2:] + xdout[:2]

    def f5(self, rand: bytes) -> bytes:
        """Return AK, 6 octets: XDOUT[3..8]."""
        return self._xdout(rand)[3:9]

    def f5_star(self, rand: bytes) -> bytes:
        """Return AK*, 6 octets: as f5."""
        return self.f5(rand)

    def _xdout(self, rand: bytes) -> bytes:
        return xor(self.k, exactly("rand", rand, 16))
