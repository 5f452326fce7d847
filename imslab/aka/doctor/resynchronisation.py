"""Is AUTS right, and if not, what would make it right? (3GPP TS 33.102, 6.3.3 and 6.3.5)"""

import base64
import binascii
import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations

from imslab.aka import digest
from imslab.aka.doctor.causes import Fault
from imslab.aka.doctor.credentials import Reading
from imslab.aka.doctor.evidence import Evidence
from imslab.errors import Malformed
from imslab.octets import xor

_HEX = frozenset("0123456789abcdefABCDEF")


@dataclass(frozen=True, slots=True)
class AutsView:
    """One way to read AUTS: for which RAND, what hides SQN_MS, which function and which AMF make MAC-S."""

    rand: bytes
    hidden_by: str = "f5_star"  # "" for a SQN_MS in clear
    mac_by: str = "f1_star"
    amf: bytes = bytes(2)

    def sqn_ms(self, reading: Reading, auts: bytes) -> bytes:
        """Return SQN_MS, 6 octets, that this view finds in ``auts``."""
        if not self.hidden_by:
            return auts[:6]
        return xor(auts[:6], getattr(reading.functions, self.hidden_by)(self.rand))

    def holds(self, reading: Reading, auts: bytes) -> bool:
        """Return whether MAC-S is right."""
        mac: bytes = getattr(reading.functions, self.mac_by)(self.rand, self.sqn_ms(reading, auts), self.amf)
        return hmac.compare_digest(mac[:8], auts[6:])


@dataclass(frozen=True, slots=True)
class Resynchronisation:
    """How AUTS can be explained; ``sqn_ms`` is None when nothing that was tried fits."""

    sqn_ms: bytes | None
    faults: tuple[Fault, ...]
    tried: tuple[str, ...] = ()


def examine_auts(
    evidence: Evidence, given: Reading, others: Iterable[Reading], rand: bytes, amf: bytes
) -> Resynchronisation:
    """Return what makes MAC-S right: nothing amiss, one fault, or two; Malformed when it is no AUTS."""
    auts, form = decode_auts(evidence.auts or "")
    tried: dict[str, None] = {}
    for faults, view, reading in _in_order(evidence, given, list(others), rand, amf):
        tried.update(dict.fromkeys(fault.code for fault in faults))
        if view.holds(reading, auts):
            return Resynchronisation(view.sqn_ms(reading, auts), form + faults)
    return Resynchronisation(None, form, tuple(tried))


def decode_auts(auts: str | bytes) -> tuple[bytes, tuple[Fault, ...]]:
    """Return AUTS, 14 octets, and a fault when it was written in hex; Malformed when it is neither."""
    if isinstance(auts, bytes):
        if len(auts) == 14:
            return auts, ()
        auts = auts.decode("latin-1")
    try:
        return digest.parse_auts(auts), ()
    except Malformed:
        pass
    for digits in (auts.strip().removeprefix("0x"), _base64_of_text(auts)):
        if len(digits) == 28 and _HEX.issuperset(digits):
            return bytes.fromhex(digits), (Fault("auts-hex"),)
    raise Malformed("auts is no AUTS", expected="base64 of 14 octets")


def _base64_of_text(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return ""


_Step = tuple[tuple[Fault, ...], AutsView, Reading]


def _in_order(
    evidence: Evidence, given: Reading, others: list[Reading], rand: bytes, amf: bytes
) -> Iterator[_Step]:
    plain = AutsView(rand)
    yield (), plain, given
    changes = list(_changes(evidence, amf))
    for _, fault, change in changes:
        yield (fault,), replace(plain, **change), given  # type: ignore[arg-type]
    for reading in others:
        yield reading.faults, plain, reading
    for (one, first, a), (two, second, b) in combinations(changes, 2):
        if one != two:
            yield (first, second), replace(plain, **a, **b), given  # type: ignore[arg-type]
    for reading in others:
        for _, fault, change in changes:
            yield (*reading.faults, fault), replace(plain, **change), reading  # type: ignore[arg-type]


def _changes(evidence: Evidence, amf: bytes) -> Iterator[tuple[str, Fault, dict[str, object]]]:
    yield "hidden", Fault("auts-f5"), {"hidden_by": "f5"}
    configured = () if evidence.amf is None else (evidence.amf,)
    for other in dict.fromkeys((amf, *configured, b"\x80\x00", b"\xff\xff")):
        if other != bytes(2):
            yield "amf", Fault("auts-amf-star", other.hex()), {"amf": other}
    yield "hidden", Fault("auts-ak-not-applied"), {"hidden_by": ""}
    yield "mac", Fault("auts-f1"), {"mac_by": "f1"}
    for rand in _other_rands(evidence):
        yield "rand", Fault("auts-other-rand", f"RAND {rand.hex()}"), {"rand": rand}


def _other_rands(evidence: Evidence) -> Iterator[bytes]:
    yield from evidence.rands
    for nonce in evidence.nonces:
        try:
            yield digest.parse_nonce(nonce)[0]
        except Malformed:
            continue
