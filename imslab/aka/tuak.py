"""TUAK: the second set of AKA functions, built on Keccak.

Spec: 3GPP TS 35.231, sections 6 and 7. Names follow the spec: ``k``, ``top``, ``topc``,
``rand``, ``sqn``, ``amf``; every value is ``bytes``, most significant octet first, and goes
into the permutation (and comes out of it) last octet first.

Teaching code: it is not constant time.
"""

from dataclasses import dataclass, field
from typing import Self

from imslab.aka.functions import AkaFunctions
from imslab.aka.keccak import keccak_f1600
from imslab.errors import Malformed
from imslab.octets import exactly

_NAME = b"TUAK1.0"
# Five ones after the key, and one at the end of the 1088 bits that TUAK fills (section 6).
_PADDING = b"\x1f" + bytes(38) + b"\x80" + bytes(64)

# Bits of the INSTANCE octet (sections 6.2 to 6.6).
_STAR, _F2_TO_F5, _CK_32, _IK_32, _K_32 = 0x80, 0x40, 0x04, 0x02, 0x01
_MAC = {8: 0x08, 16: 0x10, 32: 0x20}
_RES = {4: 0x00, 8: 0x08, 16: 0x10, 32: 0x20}


@dataclass(frozen=True, slots=True)
class Tuak(AkaFunctions):
    """One subscriber's TUAK functions.

    ``k``           subscriber key, 16 or 32 octets
    ``topc``        operator value already bound to ``k``, 32 octets
    ``mac_length``  8, 16 or 32 octets of MAC-A and MAC-S
    ``res_length``  4, 8, 16 or 32 octets of RES
    ``ck_length``, ``ik_length``  16 or 32 octets
    ``iterations``  how often Keccak runs, 1 to 255

    Raises Malformed when a length is another.
    """

    k: bytes = field(repr=False)
    topc: bytes = field(repr=False)
    mac_length: int = 8
    res_length: int = 8
    ck_length: int = 16
    ik_length: int = 16
    iterations: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "k", exactly("k", self.k, 16, 32))
        object.__setattr__(self, "topc", exactly("topc", self.topc, 32))
        _one_of("mac_length", self.mac_length, _MAC)
        _one_of("res_length", self.res_length, _RES)
        _one_of("ck_length", self.ck_length, (16, 32))
        _one_of("ik_length", self.ik_length, (16, 32))
        _one_of("iterations", self.iterations, range(1, 256))

    @classmethod
    def from_top(
        cls,
        k: bytes,
        top: bytes,
        mac_length: int = 8,
        res_length: int = 8,
        ck_length: int = 16,
        ik_length: int = 16,
        iterations: int = 1,
    ) -> Self:
        """Bind an operator value ``top`` (32 octets) to ``k``; ``iterations`` counts too (section 6.2)."""
        unbound = cls(k, top, mac_length, res_length, ck_length, ik_length, iterations)
        topc = _take(unbound._permute(0), 0, 32)
        return cls(k, topc, mac_length, res_length, ck_length, ik_length, iterations)

    def f1(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        """Return MAC-A, ``mac_length`` octets: proves the network to the card."""
        return self._mac(0, rand, sqn, amf)

    def f1_star(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        """Return MAC-S, ``mac_length`` octets: proves the card when it asks to resynchronise."""
        return self._mac(_STAR, rand, sqn, amf)

    def f2(self, rand: bytes) -> bytes:
        """Return RES, ``res_length`` octets: proves the card to the network."""
        return self.f2_to_f5(rand)[0]

    def f3(self, rand: bytes) -> bytes:
        """Return CK, ``ck_length`` octets."""
        return self.f2_to_f5(rand)[1]

    def f4(self, rand: bytes) -> bytes:
        """Return IK, ``ik_length`` octets."""
        return self.f2_to_f5(rand)[2]

    def f5(self, rand: bytes) -> bytes:
        """Return AK, 6 octets: hides SQN in AUTN."""
        return self.f2_to_f5(rand)[3]

    def f5_star(self, rand: bytes) -> bytes:
        """Return AK*, 6 octets: hides SQN in AUTS."""
        return _take(self._permute(_STAR | _F2_TO_F5, exactly("rand", rand, 16)), 96, 6)

    def f2_to_f5(self, rand: bytes) -> tuple[bytes, bytes, bytes, bytes]:
        """Return RES, CK, IK and AK, which come out of one permutation (section 6.4)."""
        keys = (_CK_32 if self.ck_length == 32 else 0) | (_IK_32 if self.ik_length == 32 else 0)
        instance = _F2_TO_F5 | _RES[self.res_length] | keys
        out = self._permute(instance, exactly("rand", rand, 16))
        return (
            _take(out, 0, self.res_length),
            _take(out, 32, self.ck_length),
            _take(out, 64, self.ik_length),
            _take(out, 96, 6),
        )

    def _mac(self, star: int, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        sqn, amf = exactly("sqn", sqn, 6), exactly("amf", amf, 2)
        instance = star | _MAC[self.mac_length]
        out = self._permute(instance, exactly("rand", rand, 16), amf, sqn)
        return _take(out, 0, self.mac_length)

    def _permute(
        self, instance: int, rand: bytes = bytes(16), amf: bytes = bytes(2), sqn: bytes = bytes(6)
    ) -> bytes:
        # IN = TOPc | INSTANCE | ALGONAME | RAND | AMF | SQN | KEY | padding, each field reversed.
        if len(self.k) == 32:
            instance |= _K_32
        fields = (self.topc, bytes([instance]), _NAME, rand, amf, sqn, self.k)
        state = b"".join(field[::-1] for field in fields).ljust(96, b"\0") + _PADDING
        for _ in range(self.iterations):
            state = keccak_f1600(state)
        return state


def _take(out: bytes, position: int, length: int) -> bytes:
    return out[position : position + length][::-1]


def _one_of(name: str, value: int, allowed: "range | tuple[int, ...] | dict[int, int]") -> None:
    if value not in allowed:
        wanted = "1 to 255" if isinstance(allowed, range) else " or ".join(map(str, allowed))
        raise Malformed(f"{name} must be {wanted}, not {value}")
