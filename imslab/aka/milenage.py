"""Milenage: the 3GPP example set of AKA functions.

Spec: 3GPP TS 35.206, section 4.1. Names follow the spec: ``k``, ``opc``,
``rand``, ``sqn``, ``amf``; every value is ``bytes``, most significant octet first.

Teaching code: it is not constant time.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from imslab.octets import exactly, xor

# i: (r, c), rotation in octets and constant, for OUT1..OUT5 -- TS 35.206, section 4.1.
_ROTATION_AND_CONSTANT = {1: (8, 0), 2: (0, 1), 3: (4, 2), 4: (8, 4), 5: (12, 8)}
# Times this, SQN | AMF stands twice in the first of four blocks.
_IN1 = (1 << 64 | 1) << 3 * 128
# Where MAC-A, AK, RES, CK and IK stand in OUT1 | OUT2 | OUT3 | OUT4.
_OUT = struct.Struct("8s8x 6s2x8s 16s 16s")
_number = int.from_bytes


@dataclass(frozen=True, slots=True)
class Milenage:
    """One subscriber's Milenage functions.

    ``k``    subscriber key, 16 octets
    ``opc``  operator value already bound to ``k``, 16 octets

    Raises Malformed when a value has another length.
    """

    k: bytes = field(repr=False)
    opc: bytes = field(repr=False)
    # One AES encryptor for life: building one costs thirty times what a block costs. ECB over whole
    # blocks keeps no state between calls, so calls may come in any order, and from several threads
    # (``update`` holds the interpreter lock). It cannot be copied or pickled: see __reduce__.
    _encrypt: Callable[[bytes], bytes] = field(init=False, repr=False, compare=False)
    _masks: int = field(init=False, repr=False, compare=False)
    _opc1: int = field(init=False, repr=False, compare=False)
    _opc4: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "k", exactly("k", self.k, 16))
        object.__setattr__(self, "opc", exactly("opc", self.opc, 16))
        object.__setattr__(self, "_encrypt", _aes(self.k))
        masks = b"".join(self._mix(i, self.opc) for i in (1, 2, 3, 4))
        object.__setattr__(self, "_masks", int.from_bytes(masks))
        object.__setattr__(self, "_opc1", int.from_bytes(self.opc))
        object.__setattr__(self, "_opc4", int.from_bytes(self.opc * 4))

    def __reduce__(self) -> tuple[type[Self], tuple[bytes, bytes]]:
        return type(self), (self.k, self.opc)  # a copy builds an encryptor of its own

    @classmethod
    def from_op(cls, k: bytes, op: bytes) -> Self:
        """Bind an operator value ``op`` (16 octets) to ``k``: OPc = OP xor E[OP] (section 4.1)."""
        return cls(k, xor(_aes(exactly("k", k, 16))(exactly("op", op, 16)), op))

    def f1(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        """Return MAC-A, 8 octets: proves the network to the card."""
        return self._out1(rand, sqn, amf)[:8]

    def f1_star(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        """Return MAC-S, 8 octets: proves the card when it asks to resynchronise."""
        return self._out1(rand, sqn, amf)[8:]

    def f2(self, rand: bytes) -> bytes:
        """Return RES, 8 octets: proves the card to the network."""
        return self._out(2, rand)[8:]

    def f3(self, rand: bytes) -> bytes:
        """Return CK, 16 octets."""
        return self._out(3, rand)

    def f4(self, rand: bytes) -> bytes:
        """Return IK, 16 octets."""
        return self._out(4, rand)

    def f5(self, rand: bytes) -> bytes:
        """Return AK, 6 octets: hides SQN in AUTN."""
        return self._out(2, rand)[:6]

    def f5_star(self, rand: bytes) -> bytes:
        """Return AK*, 6 octets: hides SQN in AUTS."""
        return self._out(5, rand)[:6]

    def f2_to_f5(self, rand: bytes) -> tuple[bytes, bytes, bytes, bytes]:
        """Return RES (8 octets), CK (16), IK (16) and AK (6)."""
        return self.f1_to_f5(rand, bytes(6), bytes(2))[1:]

    def f1_to_f5(self, rand: bytes, sqn: bytes, amf: bytes) -> tuple[bytes, bytes, bytes, bytes, bytes]:
        """Return MAC-A (8 octets), RES (8), CK (16), IK (16) and AK (6), in two AES calls."""
        if len(rand) != 16 or len(sqn) != 6 or len(amf) != 2:
            exactly("rand", rand, 16), exactly("sqn", sqn, 6), exactly("amf", amf, 2)
        encrypt = self._encrypt
        t = encrypt((_number(rand) ^ self._opc1).to_bytes(16))
        # OUT1..OUT4 side by side, 64 octets. Rotation and xor can change places, so all that OPc and
        # the constants add is one mask for life. IN1 is 8 octets twice, which r1 leaves as they are.
        tt = t + t
        inputs = _number(tt + tt[4:20] + tt[8:24]) ^ self._masks ^ _number(sqn + amf) * _IN1
        out = (_number(encrypt(inputs.to_bytes(64))) ^ self._opc4).to_bytes(64)
        mac_a, ak, res, ck, ik = _OUT.unpack(out)
        return mac_a, res, ck, ik, ak

    def steps(self, rand: bytes, sqn: bytes, amf: bytes) -> dict[str, bytes]:
        """Return the values on the way, in the order of section 4.1, 16 octets each; they are secret.

        TEMP and IN1; then for each i of 1 to 5 what the cipher takes in, which has no name in the spec and
        is called Xi here, and OUTi: f1 and f1* are cut from OUT1, f5 and f2 from OUT2, f3 and f4 are OUT3
        and OUT4, f5* is cut from OUT5. Raises Malformed when a length is wrong.
        """
        temp = self._temp(rand)
        in1 = (exactly("sqn", sqn, 6) + exactly("amf", amf, 2)) * 2
        inputs = {1: xor(temp, self._mix(1, xor(in1, self.opc)))}
        inputs |= {i: self._mix(i, xor(temp, self.opc)) for i in (2, 3, 4, 5)}
        named = {"TEMP": temp, "IN1": in1}
        for i, block in inputs.items():
            named |= {f"X{i}": block, f"OUT{i}": self._finish(block)}
        return named

    def _temp(self, rand: bytes) -> bytes:
        # TEMP = E[RAND xor OPc]
        return self._encrypt(xor(exactly("rand", rand, 16), self.opc))

    def _out1(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        # OUT1 = E[TEMP xor rot(IN1 xor OPc, r1) xor c1] xor OPc, IN1 = SQN|AMF|SQN|AMF
        in1 = (exactly("sqn", sqn, 6) + exactly("amf", amf, 2)) * 2
        return self._finish(xor(self._temp(rand), self._mix(1, xor(in1, self.opc))))

    def _out(self, i: int, rand: bytes) -> bytes:
        # OUTi = E[rot(TEMP xor OPc, ri) xor ci] xor OPc
        return self._finish(self._mix(i, xor(self._temp(rand), self.opc)))

    def _mix(self, i: int, block: bytes) -> bytes:
        rotation, constant = _ROTATION_AND_CONSTANT[i]
        return xor(block[rotation:] + block[:rotation], constant.to_bytes(16))

    def _finish(self, block: bytes) -> bytes:
        return xor(self._encrypt(block), self.opc)


def _aes(k: bytes) -> Callable[[bytes], bytes]:
    return Cipher(algorithms.AES(k), modes.ECB()).encryptor().update
