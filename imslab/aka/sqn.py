"""Sequence numbers: how the card knows that a challenge is fresh, and how the network counts.

Spec: 3GPP TS 33.102, annex C. SQN is 6 octets, SEQ | IND, with IND in the last ``ind_length``
bits. The USIM side (C.2) is SqnArray; the AuC side (C.1) is CounterGenerator, TimeGenerator and
PartlyTimeGenerator. All are values: a step returns the new state, and nothing reads a clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol, Self

from imslab.errors import AkaError, Malformed
from imslab.octets import exactly

_SQN_BITS = 48
DELTA = 2**28  # the limit on jumps in all profiles of annex C.3


class Freshness(StrEnum):
    """What a USIM says of one SQN (annex C.2.1 and C.2.2)."""

    ACCEPT = "accept"
    STALE = "stale"
    TOO_FAR = "too far"
    TOO_OLD = "too old"


class NotFresh(AkaError):
    """A SQN was refused; ``freshness`` says why, ``highest`` is SQN_MS for AUTS, 6 octets."""

    def __init__(self, freshness: Freshness, *, highest: bytes) -> None:
        self.freshness, self.highest = freshness, highest
        super().__init__(f"SQN is not fresh: {freshness}; answer with AUTS")


def split_sqn(sqn: bytes, ind_length: int = 5) -> tuple[int, int]:
    """Return (SEQ, IND) of ``sqn``, 6 octets."""
    value = int.from_bytes(exactly("sqn", sqn, 6))
    return value >> ind_length, value & (1 << ind_length) - 1


def join_sqn(seq: int, ind: int, ind_length: int = 5) -> bytes:
    """Return SEQ | IND, 6 octets; Malformed when SEQ or IND has too many bits."""
    if not 0 <= ind < 1 << ind_length:
        raise Malformed(f"IND {ind} does not fit in {ind_length} bits")
    if not 0 <= seq < 1 << _SQN_BITS - ind_length:
        raise Malformed(f"SEQ {seq} does not fit in {_SQN_BITS - ind_length} bits")
    return (seq << ind_length | ind).to_bytes(6)


@dataclass(frozen=True, slots=True)
class SqnArray:
    """What a USIM remembers: the highest SEQ that it accepted for each IND.

    ``seq_ms``      SEQ_MS(IND) for each IND; an IND that is not there stands at 0
    ``ind_length``  bits of IND, 0 to 16
    ``delta``       greatest jump above SEQ_MS that is accepted; None for no limit (C.2.1)
    ``age_limit``   L: a SEQ that is L or more below SEQ_MS is refused; None for no limit (C.2.2)

    Raises Malformed when a value does not fit.
    """

    seq_ms: Mapping[int, int] = field(default_factory=dict, hash=False)
    ind_length: int = 5
    delta: int | None = DELTA
    age_limit: int | None = None

    def __post_init__(self) -> None:
        _check_ind_length(self.ind_length)
        for name, limit in (("delta", self.delta), ("age_limit", self.age_limit)):
            if limit is not None and limit < 1:
                raise Malformed(f"{name} must be 1 or more, or None")
        for ind, seq in self.seq_ms.items():
            join_sqn(seq, ind, self.ind_length)
        used = {ind: seq for ind, seq in sorted(self.seq_ms.items()) if seq}
        object.__setattr__(self, "seq_ms", MappingProxyType(used))

    def __reduce__(self) -> tuple[type[Self], tuple[dict[int, int], int, int | None, int | None]]:
        # A mapping proxy can be neither copied nor pickled.
        return type(self), (dict(self.seq_ms), self.ind_length, self.delta, self.age_limit)

    @classmethod
    def from_highest(
        cls, sqn: bytes, ind_length: int = 5, delta: int | None = DELTA, age_limit: int | None = None
    ) -> Self:
        """Return the array of a USIM whose highest accepted SQN is ``sqn``, 6 octets."""
        _check_ind_length(ind_length)
        seq, ind = split_sqn(sqn, ind_length)
        return cls({ind: seq}, ind_length, delta, age_limit)

    @property
    def highest(self) -> bytes:
        """Return SQN_MS, 6 octets: the highest SQN of the whole array, the one that AUTS carries."""
        seq, ind = max(((seq, ind) for ind, seq in self.seq_ms.items()), default=(0, 0))
        return join_sqn(seq, ind, self.ind_length)

    def check(self, sqn: bytes) -> Freshness:
        """Return whether ``sqn`` (6 octets) is fresh; the limits are tested before the array (C.2.2)."""
        seq, ind = split_sqn(sqn, self.ind_length)
        seq_ms, _ = split_sqn(self.highest, self.ind_length)
        if self.delta is not None and seq - seq_ms > self.delta:
            return Freshness.TOO_FAR
        if self.age_limit is not None and seq_ms - seq >= self.age_limit:
            return Freshness.TOO_OLD
        return Freshness.ACCEPT if seq > self.seq_ms.get(ind, 0) else Freshness.STALE

    def accept(self, sqn: bytes) -> Self:
        """Return the array after ``sqn`` (6 octets) was used; raise NotFresh if it is stale."""
        freshness = self.check(sqn)
        if freshness is not Freshness.ACCEPT:
            raise NotFresh(freshness, highest=self.highest)
        seq, ind = split_sqn(sqn, self.ind_length)
        return replace(self, seq_ms={**self.seq_ms, ind: seq})


class SqnGenerator(Protocol):
    """One subscriber's counter in an AuC."""

    def next(self, ind: int | None = None, *, now: float = 0.0) -> tuple[bytes, Self]:
        """Return the next SQN (6 octets) and the new state; without ``ind`` the IND after the last one."""

    def resynchronise(self, sqn_ms: bytes, ind: int = 0, *, now: float = 0.0) -> Self:
        """Return the state after AUTS brought ``sqn_ms``, 6 octets (section 6.3.5).

        The next SQN is (SEQ_MS + 1) | ``ind``, or what the clock then says if that is higher.
        """


@dataclass(frozen=True, slots=True)
class CounterGenerator:
    """Generation that is not time-based (annex C.1.1.2): each SEQ is one more than the last.

    ``sqn_he``  the last SQN that was given out, 0 at first
    """

    sqn_he: int = 0
    ind_length: int = 5

    def __post_init__(self) -> None:
        _check_ind_length(self.ind_length)
        _check_sqn(self.sqn_he)

    def next(self, ind: int | None = None, *, now: float = 0.0) -> tuple[bytes, Self]:
        """Return the next SQN (6 octets) and the new state; ``now`` does not matter."""
        seq, last = self.sqn_he >> self.ind_length, self.sqn_he & (1 << self.ind_length) - 1
        sqn = _next_sqn(seq + 1, last, ind, self.ind_length)
        return sqn, replace(self, sqn_he=int.from_bytes(sqn))

    def resynchronise(self, sqn_ms: bytes, ind: int = 0, *, now: float = 0.0) -> Self:
        """Return the state whose next SQN is (SEQ_MS + 1) | ``ind`` (section 6.3.5)."""
        return replace(self, sqn_he=_before(sqn_ms, ind, self.ind_length))


@dataclass(frozen=True, slots=True)
class TimeGenerator:
    """Entirely time-based generation (annex C.1.1.3): SEQ = GLC + DIF.

    GLC counts clock units since the epoch of ``now``. ``unit`` is the clock unit in seconds (0.1 s in
    profile 3, annex C.3.3), ``dif`` the subscriber's DIF. When the clock has not moved since the last SQN, or
    was set back, SEQ is one more than the last.
    """

    dif: int = 0
    unit: float = 0.1
    sqn_he: int = 0
    ind_length: int = 5

    def __post_init__(self) -> None:
        _check_ind_length(self.ind_length)
        _check_sqn(self.sqn_he)
        _check_unit(self.unit)

    def next(self, ind: int | None = None, *, now: float = 0.0) -> tuple[bytes, Self]:
        """Return the SQN (6 octets) for ``now`` (seconds) and the new state."""
        seq_he, last = self.sqn_he >> self.ind_length, self.sqn_he & (1 << self.ind_length) - 1
        sqn = _next_sqn(max(_glc(now, self.unit) + self.dif, seq_he + 1), last, ind, self.ind_length)
        return sqn, replace(self, sqn_he=int.from_bytes(sqn))

    def resynchronise(self, sqn_ms: bytes, ind: int = 0, *, now: float = 0.0) -> Self:
        """Return the state with DIF = SEQ_MS - GLC, whose next SQN at ``now`` is (SEQ_MS + 1) | ``ind``."""
        seq_ms, _ = split_sqn(sqn_ms, self.ind_length)
        sqn_he = _before(sqn_ms, ind, self.ind_length)
        return replace(self, dif=seq_ms - _glc(now, self.unit), sqn_he=sqn_he)


@dataclass(frozen=True, slots=True)
class PartlyTimeGenerator:
    """Partly time-based generation (annex C.1.1.1): SEQ = SEQ1 | SEQ2, where SEQ2 follows the clock.

    ``seq2_length``  bits of SEQ2 and of GLC (24 in profile 1, annex C.3.1)
    ``d``            at most ``d`` vectors are made in ``d`` clock units (65536 in profile 1)
    ``unit``         the clock unit in seconds
    """

    sqn_he: int = 0
    seq2_length: int = 24
    d: int = 2**16
    unit: float = 1.0
    ind_length: int = 5

    def __post_init__(self) -> None:
        _check_ind_length(self.ind_length)
        _check_sqn(self.sqn_he)
        _check_unit(self.unit)
        if not 1 <= self.seq2_length < _SQN_BITS - self.ind_length:
            raise Malformed(f"seq2_length must be 1 to {_SQN_BITS - self.ind_length - 1} bits")
        if not 0 < self.d < 1 << self.seq2_length:
            raise Malformed("d must be more than 0 and less than 2 to the power of seq2_length")

    def next(self, ind: int | None = None, *, now: float = 0.0) -> tuple[bytes, Self]:
        """Return the SQN (6 octets) for ``now`` (seconds) and the new state."""
        seq_he, last = self.sqn_he >> self.ind_length, self.sqn_he & (1 << self.ind_length) - 1
        sqn = _next_sqn(self._seq(seq_he, now), last, ind, self.ind_length)
        return sqn, replace(self, sqn_he=int.from_bytes(sqn))

    def resynchronise(self, sqn_ms: bytes, ind: int = 0, *, now: float = 0.0) -> Self:
        """Return the state with SQN_HE = SQN_MS (section 6.3.5); the next SQN follows the rule of C.1.1.1."""
        return replace(self, sqn_he=_before(sqn_ms, ind, self.ind_length))

    def _seq(self, seq_he: int, now: float) -> int:
        p = 1 << self.seq2_length
        glc, seq1, seq2 = _glc(now, self.unit) % p, seq_he >> self.seq2_length, seq_he % p
        if seq2 < glc < seq2 + p - self.d + 1:  # the clock is ahead: follow it
            return seq1 * p + glc
        if glc + self.d - 1 < seq2:  # the clock went round: the next SEQ1
            return (seq1 + 1) * p + glc
        return seq_he + 1  # many vectors in a short time: count


def _next_sqn(seq: int, last_ind: int, ind: int | None, ind_length: int) -> bytes:
    if seq >= 1 << _SQN_BITS - ind_length:
        raise AkaError("the sequence numbers of this subscriber are used up: give out a new K")
    # Annex C.1.2: without a wish (one IND for each domain, say) the INDs take turns.
    return join_sqn(seq, (last_ind + 1) % (1 << ind_length) if ind is None else ind, ind_length)


def _before(sqn_ms: bytes, ind: int, ind_length: int) -> int:
    # SEQ_MS with the IND before ``ind``, so that next() without a wish uses ``ind`` too.
    seq_ms, _ = split_sqn(sqn_ms, ind_length)
    join_sqn(seq_ms, ind, ind_length)
    return seq_ms << ind_length | (ind - 1) % (1 << ind_length)


def _glc(now: float, unit: float) -> int:
    return int(now / unit)


def _check_ind_length(ind_length: int) -> None:
    if not 0 <= ind_length <= 16:
        raise Malformed(f"ind_length must be 0 to 16 bits, not {ind_length}")


def _check_sqn(sqn: int) -> None:
    if not 0 <= sqn < 1 << _SQN_BITS:
        raise Malformed("SQN_HE must fit in 48 bits")


def _check_unit(unit: float) -> None:
    if not unit > 0:
        raise Malformed("the clock unit must be more than 0 seconds")
