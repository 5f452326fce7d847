"""Files under the MF that every UICC has.

Spec: ETSI TS 102 221, section 13.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from imslab.errors import Malformed
from imslab.octets import exactly
from imslab.uicc import bcd, tlv
from imslab.uicc.files.base import ElementaryFile, Structure, at_least, fits, is_empty, to_utf8, utf8

_TEMPLATE, _AID, _LABEL = 0x61, 0x4F, 0x50


@dataclass(frozen=True, slots=True)
class Application(ElementaryFile):
    """EF.DIR: one record, one application: its AID (5 to 16 octets) and its label.

    ``others`` holds data objects of the template that are neither.
    """

    aid: bytes
    label: str = ""
    others: tuple[tlv.Tlv, ...] = ()

    NAME: ClassVar[str] = "EF.DIR"
    FID: ClassVar[int] = 0x2F00
    SFI: ClassVar[int | None] = 0x1E
    STRUCTURE: ClassVar[Structure] = Structure.LINEAR_FIXED
    SPEC: ClassVar[str] = "ETSI TS 102 221, 13.1"
    EXAMPLES: ClassVar[tuple[tuple[str, dict[str, Any]], ...]] = (
        (
            "61194f10a0000000871004ffffffff890709000050054953696d31",
            {"aid": bytes.fromhex("a0000000871004ffffffff8907090000"), "label": "ISim1"},
        ),
    )

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read one application template."""
        objects = tlv.parse(tlv.only(octets, _TEMPLATE, cls.NAME))
        aid, label = tlv.first(objects, _AID), tlv.first(objects, _LABEL)
        if aid is None:
            raise Malformed("EF.DIR: an application without an AID", expected="tag 4F")
        others = tuple(one for one in objects if one.tag not in (_AID, _LABEL))
        return cls(aid, utf8(label or b"", cls.NAME), others)

    def _contents(self) -> bytes:
        aid = tlv.encode(_AID, exactly("AID", self.aid, *range(5, 17)))
        label = tlv.encode(_LABEL, to_utf8(self.label, self.NAME)) if self.label else b""
        return tlv.encode(_TEMPLATE, aid + label + b"".join(map(bytes, self.others)))


@dataclass(frozen=True, slots=True)
class Iccid(ElementaryFile):
    """EF.ICCID: the card's number, up to 20 digits."""

    iccid: str

    NAME: ClassVar[str] = "EF.ICCID"
    FID: ClassVar[int] = 0x2FE2
    SFI: ClassVar[int | None] = 0x02
    SPEC: ClassVar[str] = "ETSI TS 102 221, 13.2"
    EXAMPLES: ClassVar[tuple[tuple[str, dict[str, Any]], ...]] = (
        ("988812010000400310f0", {"iccid": "8988211000000430010"}),
        ("89010100000000000010", {"iccid": "98101000000000000001"}),
    )

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read 10 octets."""
        return cls(bcd.decode(at_least(octets, 10, cls.NAME)[:10]))

    def _contents(self) -> bytes:
        return bcd.encode(self.iccid, 10)


@dataclass(frozen=True, slots=True)
class PreferredLanguages(ElementaryFile):
    """EF.PL: language codes of two letters, the best first."""

    languages: tuple[str, ...]

    NAME: ClassVar[str] = "EF.PL"
    FID: ClassVar[int] = 0x2F05
    SFI: ClassVar[int | None] = 0x05
    SPEC: ClassVar[str] = "ETSI TS 102 221, 13.3"
    EXAMPLES: ClassVar[tuple[tuple[str, dict[str, Any]], ...]] = (
        ("6465", {"languages": ("de",)}),
        ("656e6672ffff", {"languages": ("en", "fr")}),
        ("ffff", {"languages": ()}),
    )

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read codes of 2 octets each; FF FF is none."""
        pairs = (bytes(octets[i : i + 2]) for i in range(0, len(octets), 2))
        return cls(tuple(pair.decode("latin-1") for pair in pairs if not is_empty(pair)))

    def _contents(self) -> bytes:
        if any(len(code) != 2 or not code.isascii() for code in self.languages):
            raise Malformed(f"{self.NAME}: a language has two ASCII letters")
        return "".join(self.languages).encode("ascii")


@dataclass(frozen=True, slots=True)
class PowerConsumption(ElementaryFile):
    """EF.UMPC: the card's highest current in mA, and the seconds until it runs."""

    max_current: int
    operational_after: int
    additional: int = 0
    future: bytes = b""

    NAME: ClassVar[str] = "EF.UMPC"
    FID: ClassVar[int] = 0x2F08
    SFI: ClassVar[int | None] = 0x08
    SPEC: ClassVar[str] = "ETSI TS 102 221, 13.5"
    EXAMPLES: ClassVar[tuple[tuple[str, dict[str, Any]], ...]] = (
        ("3cff02", {"max_current": 60, "operational_after": 255, "additional": 2}),
        ("320500", {"max_current": 50, "operational_after": 5}),
        ("3205000000", {"max_current": 50, "operational_after": 5, "future": b"\0\0"}),
    )

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read 3 octets, and those reserved for the future after them."""
        current, after, additional, *future = at_least(octets, 3, cls.NAME)
        return cls(current, after, additional, bytes(future))

    def _contents(self) -> bytes:
        values = (self.max_current, self.operational_after, self.additional)
        return b"".join(fits(value, 1, self.NAME) for value in values) + self.future
