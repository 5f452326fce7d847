"""The choice among the AKA algorithms, by the names that a card profile uses.

Spec: Milenage 3GPP TS 35.206, TUAK TS 35.231, the XOR test algorithm TS 34.108, section 8.1.2.
"""

from imslab.aka.functions import AkaFunctions
from imslab.aka.milenage import Milenage
from imslab.aka.tuak import Tuak
from imslab.aka.xor3g import Xor3g
from imslab.errors import Malformed

NAMES = ("milenage", "tuak", "xor")


def functions_for(
    algorithm: str,
    k: bytes,
    *,
    op: bytes | None = None,
    opc: bytes | None = None,
    top: bytes | None = None,
    topc: bytes | None = None,
    mac_length: int = 8,
    res_length: int | None = None,
    ck_length: int = 16,
    ik_length: int = 16,
    iterations: int = 1,
) -> AkaFunctions:
    """Return the functions of ``algorithm`` ("milenage", "tuak" or "xor") for ``k``.

    Milenage takes one of ``op`` and ``opc`` (16 octets); TUAK one of ``top`` and ``topc`` (32 octets), its
    lengths in octets and iterations; XOR takes ``res_length`` alone. Raises Malformed for another name,
    for a missing or a doubled operator value, and for a wrong length.
    """
    name = algorithm.lower()
    if name == "milenage":
        value, bound = _operator_value(name, "op", op, opc)
        return Milenage(k, value) if bound else Milenage.from_op(k, value)
    if name == "tuak":
        value, bound = _operator_value(name, "top", top, topc)
        lengths = (mac_length, 8 if res_length is None else res_length, ck_length, ik_length, iterations)
        return Tuak(k, value, *lengths) if bound else Tuak.from_top(k, value, *lengths)
    if name == "xor":
        return Xor3g(k, 16 if res_length is None else res_length)
    raise Malformed(f"unknown AKA algorithm {algorithm!r}", expected=", ".join(NAMES))


def _operator_value(algorithm: str, name: str, free: bytes | None, bound: bytes | None) -> tuple[bytes, bool]:
    if (free is None) == (bound is None):
        raise Malformed(f"{algorithm} needs either {name} or {name}c, and not both")
    return (free, False) if free is not None else (bound or b"", True)
