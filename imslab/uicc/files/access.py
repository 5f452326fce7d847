"""Access rules: who may do what with a file.

Spec: ETSI TS 102 221, sections 9.2.4 and 13.4 (EF.ARR), from ISO/IEC 7816-4, section 5.4.3 (expanded format).
A record of EF.ARR is a list of access modes (tag 80, or 81 to 8F) each followed by its condition.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from imslab.errors import Malformed
from imslab.uicc import tlv
from imslab.uicc.files.base import ElementaryFile, Structure, is_empty

READ, UPDATE = 0x01, 0x02
DEACTIVATE, ACTIVATE = 0x08, 0x10

PIN1, PIN2, ADM1 = 0x01, 0x81, 0x0A

_ALWAYS, _NEVER, _KEY, _OR, _AND = 0x90, 0x97, 0xA4, 0xA0, 0xAF
_KEY_REFERENCE, _USAGE = 0x83, 0x95
_VERIFIED_BY_USER = b"\x08"


@dataclass(frozen=True, slots=True)
class Condition:
    """What must have been verified: one of ``alternatives``, each a set of key references.

    ``alternatives`` holding the empty set means always; no alternative at all means never.
    """

    alternatives: tuple[frozenset[int], ...]

    def is_met(self, verified: frozenset[int]) -> bool:
        """Tell whether the keys that are ``verified`` satisfy the condition."""
        return any(needed <= verified for needed in self.alternatives)

    def __str__(self) -> str:
        words = [" and ".join(map(_key_name, sorted(needed))) or "always" for needed in self.alternatives]
        return " or ".join(words) or "never"


ALWAYS = Condition((frozenset(),))
NEVER = Condition(())


def needs(*references: int) -> Condition:
    """Return the condition that any one of these keys was verified."""
    return Condition(tuple(frozenset((reference,)) for reference in references))


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: ``modes`` is the access mode octet (bits READ, UPDATE ...), or 0 with other ``commands``."""

    modes: int
    condition: Condition
    commands: tuple[tuple[int, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class AccessRules(ElementaryFile):
    """EF.ARR: one record, the rules of the files that refer to it."""

    rules: tuple[Rule, ...]

    NAME: ClassVar[str] = "EF.ARR"
    FID: ClassVar[int] = 0x2F06
    SFI: ClassVar[int | None] = 0x06
    STRUCTURE: ClassVar[Structure] = Structure.LINEAR_FIXED
    SPEC: ClassVar[str] = "ETSI TS 102 221, 13.4"
    EXAMPLES: ClassVar[tuple[tuple[str, dict[str, Any]], ...]] = (
        (
            "8001019000800102a406830101950108",
            {"rules": (Rule(READ, ALWAYS), Rule(UPDATE, needs(PIN1)))},
        ),
        (
            "80010397008001189000",
            {"rules": (Rule(READ | UPDATE, NEVER), Rule(DEACTIVATE | ACTIVATE, ALWAYS))},
        ),
        (
            "800101a010a406830101950108a40683010a950108",
            {"rules": (Rule(READ, needs(PIN1, ADM1)),)},
        ),
        ("8401d4a40683010a950108", {"rules": (Rule(0, needs(ADM1), ((0x84, b"\xd4"),)),)}),
    )

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read the rules of one record; raise Malformed when a mode has no condition."""
        if is_empty(octets):
            return cls(())
        return cls(tuple(_rules(tlv.parse(octets))))

    def condition(self, mode: int) -> Condition:
        """Return the condition for READ, UPDATE ...; NEVER when no rule speaks of it."""
        found = [rule.condition for rule in self.rules if rule.modes & mode]
        return Condition(tuple(needed for condition in found for needed in condition.alternatives))

    def _contents(self) -> bytes:
        return b"".join(_mode(rule) + _condition_octets(rule.condition) for rule in self.rules)


def _rules(objects: list[tlv.Tlv]) -> list[Rule]:
    rules, modes, commands = [], 0, []
    for tag, value in objects:
        if tag == 0x80:
            if len(value) != 1:
                raise Malformed(f"EF.ARR: an access mode has 1 octet, not {len(value)}")
            modes = value[0]
        elif 0x81 <= tag <= 0x8F:
            commands.append((tag, value))
        else:
            if not modes and not commands:
                raise Malformed(f"EF.ARR: condition {tag:X} without an access mode")
            rules.append(Rule(modes, _condition(tag, value), tuple(commands)))
            modes, commands = 0, []
    if modes or commands:
        raise Malformed("EF.ARR: an access mode without a condition")
    return rules


def _condition(tag: int, value: bytes, depth: int = 4) -> Condition:
    if tag == _ALWAYS:
        return ALWAYS
    if tag == _NEVER:
        return NEVER
    if tag == _KEY:
        reference = tlv.first(tlv.parse(value), _KEY_REFERENCE)
        if reference is None or len(reference) != 1:
            raise Malformed(
                "EF.ARR: a control reference template without a key reference", expected="tag 83, 1 octet"
            )
        return needs(reference[0])
    if tag not in (_OR, _AND) or not depth:
        raise Malformed(
            f"EF.ARR: condition with tag {tag:X}", expected="90, 97, A4, A0 or AF, not nested deeply"
        )
    parts = [_condition(inner, content, depth - 1) for inner, content in tlv.parse(value)]
    return _any_of(parts) if tag == _OR else _all_of(parts)


def _any_of(parts: list[Condition]) -> Condition:
    return Condition(tuple(needed for part in parts for needed in part.alternatives))


def _all_of(parts: list[Condition]) -> Condition:
    alternatives = [frozenset[int]()]
    for part in parts:
        alternatives = [done | needed for done in alternatives for needed in part.alternatives]
        if len(alternatives) > 64:
            raise Malformed("EF.ARR: a condition with more than 64 alternatives")
    return Condition(tuple(alternatives))


def _mode(rule: Rule) -> bytes:
    mode = tlv.encode(0x80, bytes((rule.modes,))) if rule.modes else b""
    return mode + b"".join(tlv.encode(tag, value) for tag, value in rule.commands)


def _condition_octets(condition: Condition) -> bytes:
    if not condition.alternatives:
        return bytes((_NEVER, 0))
    written = [_all_octets(needed) for needed in condition.alternatives]
    return written[0] if len(written) == 1 else tlv.encode(_OR, b"".join(written))


def _all_octets(needed: frozenset[int]) -> bytes:
    if not needed:
        return bytes((_ALWAYS, 0))
    keys = [
        tlv.encode(
            _KEY, tlv.encode(_KEY_REFERENCE, bytes((reference,))) + tlv.encode(_USAGE, _VERIFIED_BY_USER)
        )
        for reference in sorted(needed)
    ]
    return keys[0] if len(keys) == 1 else tlv.encode(_AND, b"".join(keys))


def _key_name(reference: int) -> str:
    return {PIN1: "PIN1", PIN2: "PIN2", ADM1: "ADM1"}.get(reference, f"key {reference:02X}")
