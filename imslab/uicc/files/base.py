"""What every coding of an elementary file has: its place in the card, decode, encode, examples.

Spec: 3GPP TS 31.102, 31.103; ETSI TS 102 221. A coding is a frozen dataclass: ``decode`` reads the contents
of a transparent file, or one record, and ``encode(size)`` writes them back, filled up to ``size``.
A generic test runs every class over its EXAMPLES.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, Self

from imslab.errors import Malformed
from imslab.uicc import tlv

TEXT = 0x80  # the tag of the one text object that most IMS files hold


class Structure(Enum):
    """How a file's contents are divided (ETSI TS 102 221, section 8.3)."""

    TRANSPARENT = "transparent"
    LINEAR_FIXED = "linear_fixed"
    CYCLIC = "cyclic"
    BER_TLV = "ber_tlv"


@dataclass(frozen=True, slots=True)
class ElementaryFile(ABC):
    """The base of all codings; a subclass says its place and codes its fields."""

    NAME: ClassVar[str]
    FID: ClassVar[int]
    SFI: ClassVar[int | None] = None
    STRUCTURE: ClassVar[Structure] = Structure.TRANSPARENT
    SPEC: ClassVar[str]
    FILLING: ClassVar[int] = 0xFF
    EXAMPLES: ClassVar[tuple[tuple[str, dict[str, Any]], ...]]

    @classmethod
    @abstractmethod
    def decode(cls, octets: bytes) -> Self:
        """Read the file's contents (or one record); raise Malformed when they break the coding."""

    def encode(self, size: int | None = None) -> bytes:
        """Write the contents, filled up to ``size`` octets; raise Malformed when they do not fit."""
        contents = self._contents()
        if size is None:
            return contents
        if len(contents) > size:
            raise Malformed(f"{self.NAME} needs {len(contents)} octets, the file has {size}")
        return contents + bytes((self.FILLING,)) * (size - len(contents))

    @abstractmethod
    def _contents(self) -> bytes:
        """Return the contents without filling."""


def is_empty(octets: bytes) -> bool:
    """Tell whether a file or a record was never written: nothing but FF."""
    return not bytes(octets).strip(b"\xff")


def text_object(octets: bytes, name: str) -> str:
    """Return the UTF-8 text of the object with tag 80 that ``octets`` start with; "" when all is FF."""
    return "" if is_empty(octets) else utf8(tlv.only(octets, TEXT, name), name)


def utf8(octets: bytes, name: str) -> str:
    """Return ``octets`` as text, or raise Malformed when they are not UTF-8."""
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed(f"{name} is not UTF-8", offset=error.start) from None


def to_utf8(text: str, name: str) -> bytes:
    """Return ``text`` as UTF-8, or raise Malformed when it holds a lone surrogate."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise Malformed(f"{name} cannot be written in UTF-8") from None


def at_least(octets: bytes, length: int, name: str) -> bytes:
    """Return ``octets``, or raise Malformed when there are fewer than ``length``."""
    if len(octets) < length:
        raise Malformed(f"{name} has {len(octets)} octets", expected=f"{length} at least")
    return bytes(octets)


def fits(value: int, octets: int, name: str) -> bytes:
    """Return a number as ``octets`` octets, or raise Malformed when it does not fit."""
    if not 0 <= value < 1 << 8 * octets:
        raise Malformed(f"{name} is {value}, which does not fit in {octets} octets")
    return value.to_bytes(octets)


@dataclass(frozen=True, slots=True)
class ServiceTable(ElementaryFile):
    """A bit map of services: service n is bit (n-1)%8 of octet (n-1)//8, the lowest bit first."""

    services: frozenset[int]

    FILLING: ClassVar[int] = 0x00

    def __contains__(self, service: int) -> bool:
        return service in self.services

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Return the numbers of the services that are available."""
        bits = int.from_bytes(octets, "little")
        return cls(frozenset(n + 1 for n in range(8 * len(octets)) if bits >> n & 1))

    def _contents(self) -> bytes:
        if any(not 1 <= n <= 2040 for n in self.services):
            raise Malformed(f"{self.NAME}: services are numbered 1 to 2040")
        bits = sum(1 << n - 1 for n in self.services)
        return bits.to_bytes((bits.bit_length() + 7) // 8, "little")
