"""Credentials as they were given, and as somebody may have mistaken them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from imslab.aka.algorithm import functions_for
from imslab.aka.doctor.causes import Fault
from imslab.aka.doctor.evidence import Evidence
from imslab.aka.functions import AkaFunctions
from imslab.aka.vector import AuthenticationVector
from imslab.errors import Malformed

_HEX = frozenset(b"0123456789abcdefABCDEF")


@dataclass(frozen=True, slots=True)
class Credentials:
    """One way to read the credentials: ``operator`` is OPc or TOPc when ``bound``, else OP or TOP."""

    algorithm: str
    k: bytes = field(repr=False)
    operator: bytes | None = field(repr=False)
    bound: bool
    mac_length: int = 8
    res_length: int | None = None
    ck_length: int = 16
    ik_length: int = 16
    iterations: int = 1

    def functions(self) -> AkaFunctions | None:
        """Return the AKA functions, or None when these values cannot make any."""
        name = {"milenage": "op", "tuak": "top"}.get(self.algorithm)
        value = {} if name is None else {name + "c" * self.bound: self.operator}
        lengths = (self.mac_length, self.res_length, self.ck_length, self.ik_length, self.iterations)
        names = ("mac_length", "res_length", "ck_length", "ik_length", "iterations")
        try:
            return functions_for(self.algorithm, self.k, **value, **dict(zip(names, lengths, strict=True)))  # type: ignore[arg-type]
        except Malformed:
            return None


@dataclass(frozen=True, slots=True)
class Reading:
    """Credentials with the faults that lead to them, and what they compute."""

    faults: tuple[Fault, ...]
    credentials: Credentials
    functions: AkaFunctions


@dataclass(frozen=True, slots=True)
class _Known:
    """Answers for one RAND and knows no K: f1 and f5 are not there to be asked."""

    vector: AuthenticationVector

    def f2(self, rand: bytes) -> bytes:
        return self.vector.xres

    def f2_to_f5(self, rand: bytes) -> tuple[bytes, bytes, bytes, bytes]:
        return self.vector.xres, self.vector.ck, self.vector.ik, b""


def known_reading(vector: AuthenticationVector) -> Reading:
    """Return what answers as ``vector`` does, where K is not known (see ``explain_known``)."""
    credentials = Credentials("known", b"", None, True)
    return Reading((), credentials, _Known(vector))  # type: ignore[arg-type]


_Change = tuple[str, Fault, Callable[[Credentials], Credentials]]  # kind of change, its fault, the change


def as_given(evidence: Evidence) -> Credentials:
    """Return the credentials as ``evidence`` gives them; OPc before OP when both are there."""
    e = evidence
    guess = "tuak" if e.top or e.topc else "milenage" if e.op or e.opc else "xor"
    algorithm = guess if e.algorithm is None else e.algorithm.lower()
    values = [(e.opc, True), (e.op, False)], [(e.topc, True), (e.top, False)]
    first, second = values if algorithm == "milenage" else values[::-1]
    value, bound = next((pair for pair in first + second if pair[0] is not None), (None, False))
    return Credentials(
        algorithm, e.k, value, bound, e.mac_length, e.res_length, e.ck_length, e.ik_length, e.iterations
    )


def singles(evidence: Evidence) -> list[Reading]:
    """Return the readings with one fault in the credentials, the likely ones first."""
    given = as_given(evidence)
    return list(_readings([((fault,), change(given)) for _, fault, change in _changes(given, evidence)]))


def answer_readings(reading: Reading) -> list[Reading]:
    """Return ``reading`` with the other lengths of RES, CK and IK of TUAK; MAC-A does not show them."""
    c = reading.credentials
    found: list[tuple[tuple[Fault, ...], Credentials]] = []
    if c.algorithm != "tuak":
        return []
    for res_length in (4, 8, 16, 32):
        other = replace(c, res_length=res_length)
        found.append(((Fault("res-length", f"TUAK with a RES of {res_length} octets"),), other))
        for ck_length, ik_length in ((32, 16), (16, 32), (32, 32), (16, 16)):
            detail = f"RES of {res_length}, CK of {ck_length}, IK of {ik_length} octets"
            longer = replace(other, ck_length=ck_length, ik_length=ik_length)
            found.append(((Fault("tuak-parameters", detail),), longer))
    return list(_readings(found))


def pairs(evidence: Evidence) -> Iterator[Reading]:
    """Yield the readings with two faults of different kinds in the credentials."""
    given = as_given(evidence)
    for kind, fault, change in _changes(given, evidence):
        once = change(given)
        second = [(other, f, c) for other, f, c in _changes(once, evidence) if other != kind]
        yield from _readings([((fault, f), c(once)) for _, f, c in second])


def _readings(found: list[tuple[tuple[Fault, ...], Credentials]]) -> Iterator[Reading]:
    for faults, credentials in found:
        functions = credentials.functions()
        if functions is not None:
            yield Reading(faults, credentials, functions)


def _changes(c: Credentials, evidence: Evidence) -> Iterator[_Change]:
    yield from _operator_changes(c, evidence)
    yield from _octet_changes(c)
    yield from _algorithm_changes(c, evidence)
    if c.algorithm == "tuak":
        yield from _tuak_changes(c)


def _operator_changes(c: Credentials, evidence: Evidence) -> Iterator[_Change]:
    if c.operator is None or c.algorithm == "xor":
        return
    name = "op" if c.algorithm == "milenage" else "top"
    code = f"{name}-given-as-{name}c" if c.bound else f"{name}c-given-as-{name}"
    yield "bound", Fault(code), lambda c: replace(c, bound=not c.bound)
    if evidence.op is not None and evidence.opc is not None and c.algorithm == "milenage":
        op = evidence.op
        yield "bound", Fault("op-and-opc-differ", "OP"), lambda c: replace(c, operator=op, bound=False)


def _octet_changes(c: Credentials) -> Iterator[_Change]:
    yield "k", Fault("k-reversed"), lambda c: replace(c, k=c.k[::-1])
    for k in _as_text(c.k):
        yield "k", Fault("k-hex-as-text"), lambda c, k=k: replace(c, k=k)  # type: ignore[misc]
    if c.operator is None:
        return
    reverse = Fault("operator-value-reversed")
    yield "operator", reverse, lambda c: replace(c, operator=(c.operator or b"")[::-1])
    for value in _as_text(c.operator):
        fault = Fault("operator-value-hex-as-text")
        yield "operator", fault, lambda c, value=value: replace(c, operator=value)  # type: ignore[misc]


def _as_text(octets: bytes) -> Iterator[bytes]:
    # Somebody took hex digits for octets, as many as there was room for; or such octets were given to us.
    for text in dict.fromkeys((octets.hex().encode(), octets.hex().upper().encode())):
        yield text[:16]
        yield text[:32]
    if len(octets) == 32 and _HEX.issuperset(octets):
        yield bytes.fromhex(octets.decode())


def _algorithm_changes(c: Credentials, evidence: Evidence) -> Iterator[_Change]:
    e = evidence
    values = [(e.opc, True), (e.op, False), (e.topc, True), (e.top, False)]
    for algorithm, length in (("milenage", 16), ("tuak", 32)):
        for value, bound in values:
            if algorithm != c.algorithm and value is not None and len(value) == length:
                fault = Fault("aka-algorithm", algorithm.upper() if length == 32 else "Milenage")
                yield "algorithm", fault, _switch(algorithm, value, bound)
    if c.algorithm != "xor":
        yield "algorithm", Fault("aka-algorithm", "XOR of TS 34.108"), _switch("xor", None, False)


def _switch(algorithm: str, value: bytes | None, bound: bool) -> Callable[[Credentials], Credentials]:
    return lambda c: replace(c, algorithm=algorithm, operator=value, bound=bound)


def _tuak_changes(c: Credentials) -> Iterator[_Change]:
    for iterations in (1, 2):
        for mac_length in (8, 16, 32):
            if (iterations, mac_length) != (c.iterations, c.mac_length):
                detail = f"MAC of {mac_length} octets, {iterations} iteration{'s' * (iterations > 1)}"
                yield "lengths", Fault("tuak-parameters", detail), _lengthen(mac_length, iterations)


def _lengthen(mac_length: int, iterations: int) -> Callable[[Credentials], Credentials]:
    return lambda c: replace(c, mac_length=mac_length, iterations=iterations)
