"""The check below an exercise: right, or not yet and a hint; the solution is not on the page."""

import hashlib
import html
import os
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real

# Set by the notebook runner: in the solved notebook every answer must be right.
SOLVED = "IMSLAB_SOLVED"

_NOTHING = object()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the check of one exercise says; true when the answer is right."""

    name: str
    right: bool
    words: str

    def __bool__(self) -> bool:
        return self.right

    def __repr__(self) -> str:
        return f"{self.name}: {self.words}"

    def _repr_html_(self) -> str:
        mark, colour = ("✓", "#009E73") if self.right else ("✗", "#D55E00")
        text = html.escape(repr(self))
        return f'<div style="border-left:4px solid {colour};padding-left:.6em">{mark} {text}</div>'


def check(
    name: str,
    answer: object,
    *,
    expected: object | Callable[[], object] = _NOTHING,
    sealed: str = "",
    hint: str = "",
) -> Verdict:
    """Compare ``answer`` with ``expected`` (a value, or a function that computes it) or with a seal.

    Octets may be given as bytes or in hex; text is compared without case and outer spaces. In the
    solved notebook (``make notebooks``) a wrong answer raises AssertionError. Raises TypeError when
    the author gave neither ``expected`` nor ``sealed``, or both.
    """
    if (expected is _NOTHING) == (not sealed):
        raise TypeError(f"check({name!r}) needs either expected= or sealed=")
    verdict = _judge(name, answer, expected, sealed, hint)
    if not verdict and os.environ.get(SOLVED):
        raise AssertionError(f"the solved notebook has a wrong answer: {verdict!r}")
    return verdict


def seal(answer: object) -> str:
    """Return a digest of ``answer`` to put into ``check(..., sealed=...)``.

    It keeps the solution off the page; it is no secret, for a short answer can be guessed.
    """
    return hashlib.sha256(b"imslab exercise\n" + _canonical(answer).encode()).hexdigest()[:16]


def _judge(name: str, answer: object, expected: object, sealed: str, hint: str) -> Verdict:
    if answer is None or answer is ...:
        return Verdict(name, False, _with_hint("not answered yet", hint))
    if sealed:
        right = seal(answer) == sealed
        return Verdict(name, right, "right" if right else _with_hint("not yet", hint))
    value = expected() if callable(expected) else expected
    if _canonical(answer) == _canonical(value):
        return Verdict(name, True, "right")
    return Verdict(name, False, _with_hint("not yet" + _what_differs(answer, value), hint))


def _canonical(value: object) -> str:
    """Return one text for all the ways in which the same answer can be given."""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, str):
        text = " ".join(value.split()).casefold()
        octets = _octets(text)
        return text if octets is None else octets.hex()
    if isinstance(value, bool):
        return str(value).casefold()
    if isinstance(value, Integral):
        return str(int(value))
    if isinstance(value, Real):
        return f"{float(value):.9g}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_canonical, value)) + "]"
    if isinstance(value, set | frozenset):
        return "{" + ", ".join(sorted(map(_canonical, value))) + "}"
    return value.__name__.casefold() if isinstance(value, type) else repr(value).casefold()


def _octets(value: object) -> bytes | None:
    """Return ``value`` as octets, or None when it is none (a number, a word)."""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if isinstance(value, str):
        digits = value.replace(" ", "").replace(":", "").removeprefix("0x")
        try:
            return bytes.fromhex(digits) if digits else None
        except ValueError:
            return None
    return None


def _what_differs(answer: object, value: object) -> str:
    """Say what is wrong in general; never the value itself."""
    given, wanted = _octets(answer), _octets(value)
    if wanted is None:
        return "" if type(answer) is type(value) else f": a {type(value).__name__} is asked for"
    if given is None:
        return ": octets are asked for, as bytes or in hex"
    if len(given) != len(wanted):
        return f": {len(wanted)} octets are asked for, you gave {len(given)}"
    if given == wanted[::-1]:
        return ": the right octets in reversed order"
    return f": {sum(a == b for a, b in zip(given, wanted, strict=True))} of {len(wanted)} octets are right"


def _with_hint(words: str, hint: str) -> str:
    return f"{words}. {hint[0].upper()}{hint[1:]}" if hint else words
