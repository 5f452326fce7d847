"""Files of ADF.USIM that a phone reads when it starts: identity, names, services, keys.

Spec: 3GPP TS 31.102, section 4.2; EF.Kc of DF.GSM-ACCESS, section 4.4.3.1; EF.LP of TS 51.011.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from imslab.errors import Malformed
from imslab.octets import exactly
from imslab.uicc import bcd
from imslab.uicc.files.access import AccessRules
from imslab.uicc.files.base import (
    ElementaryFile,
    ServiceTable,
    Structure,
    at_least,
    fits,
)
from imslab.uicc.files.isim import GbaBootstrapping, GbaNaf
from imslab.uicc.files.uicc import PreferredLanguages

Examples = tuple[tuple[str, dict[str, Any]], ...]


class LanguageIndication(PreferredLanguages):
    """EF.LI: languages that the user prefers."""

    __slots__ = ()
    NAME: ClassVar[str] = "EF.LI"
    FID: ClassVar[int] = 0x6F05
    SFI: ClassVar[int | None] = 0x02
    SPEC: ClassVar[str] = "TS 31.102, 4.2.1"
    EXAMPLES: ClassVar[Examples] = (("656effff", {"languages": ("en",)}),)


@dataclass(frozen=True, slots=True)
class GsmLanguagePreference(ElementaryFile):
    """EF.LP of a GSM SIM: language codes of one octet each."""

    languages: bytes

    NAME: ClassVar[str] = "EF.LP"
    FID: ClassVar[int] = 0x6F05
    SPEC: ClassVar[str] = "TS 51.011, 10.3.1"
    EXAMPLES: ClassVar[Examples] = (("24", {"languages": b"\x24"}), ("0124ff", {"languages": b"\x01\x24"}))

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read codes of 1 octet up to the filling."""
        return cls(bytes(octets).rstrip(b"\xff"))

    def _contents(self) -> bytes:
        return self.languages


@dataclass(frozen=True, slots=True)
class Imsi(ElementaryFile):
    """EF.IMSI: the international mobile subscriber identity, up to 15 digits."""

    imsi: str

    NAME: ClassVar[str] = "EF.IMSI"
    FID: ClassVar[int] = 0x6F07
    SFI: ClassVar[int | None] = 0x07
    SPEC: ClassVar[str] = "TS 31.102, 4.2.2"
    EXAMPLES: ClassVar[Examples] = (
        ("082982608200002080", {"imsi": "228062800000208"}),
        ("080910100000000010", {"imsi": "001010000000001"}),
        ("0811325476981032f4", {"imsi": "12345678901234"}),
    )

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read a length and up to 8 octets of digits."""
        return cls(bcd.decode_imsi(octets))

    def _contents(self) -> bytes:
        return bcd.encode_imsi(self.imsi)


@dataclass(frozen=True, slots=True)
class Keys(ElementaryFile):
    """EF.Keys: the last ciphering and integrity key, with their key set identifier."""

    ksi: int = 7
    ck: bytes = field(default=b"\xff" * 16, repr=False)
    ik: bytes = field(default=b"\xff" * 16, repr=False)

    NAME: ClassVar[str] = "EF.Keys"
    FID: ClassVar[int] = 0x6F08
    SFI: ClassVar[int | None] = 0x08
    SPEC: ClassVar[str] = "TS 31.102, 4.2.3"
    EXAMPLES: ClassVar[Examples] = (
        ("07" + "ff" * 32, {}),
        ("01" + "11" * 16 + "22" * 16, {"ksi": 1, "ck": b"\x11" * 16, "ik": b"\x22" * 16}),
    )

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read 33 octets."""
        octets = at_least(octets, 33, cls.NAME)
        return cls(octets[0], octets[1:17], octets[17:33])

    def _contents(self) -> bytes:
        return fits(self.ksi, 1, self.NAME) + exactly("ck", self.ck, 16) + exactly("ik", self.ik, 16)


class KeysPs(Keys):
    """EF.KeysPS: the same for the packet domain."""

    __slots__ = ()
    NAME: ClassVar[str] = "EF.KeysPS"
    FID: ClassVar[int] = 0x6F09
    SFI: ClassVar[int | None] = 0x09
    SPEC: ClassVar[str] = "TS 31.102, 4.2.4"


@dataclass(frozen=True, slots=True)
class GsmKey(ElementaryFile):
    """EF.Kc: the GSM ciphering key, 8 octets, and its sequence number."""

    kc: bytes = field(repr=False)
    cksn: int = 7

    NAME: ClassVar[str] = "EF.Kc"
    FID: ClassVar[int] = 0x4F20
    SFI: ClassVar[int | None] = 0x01
    SPEC: ClassVar[str] = "TS 31.102, 4.4.3.1"
    EXAMPLES: ClassVar[Examples] = (
        ("837d783609a3858f05", {"kc": bytes.fromhex("837d783609a3858f"), "cksn": 5}),
    )

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read 9 octets."""
        octets = at_least(octets, 9, cls.NAME)
        return cls(octets[:8], octets[8])

    def _contents(self) -> bytes:
        return exactly("kc", self.kc, 8) + fits(self.cksn, 1, self.NAME)


class UsimServices(ServiceTable):
    """EF.UST: which services the USIM offers (27: GSM access, 38: GSM security context, 68: GBA ...)."""

    __slots__ = ()
    NAME: ClassVar[str] = "EF.UST"
    FID: ClassVar[int] = 0x6F38
    SFI: ClassVar[int | None] = 0x04
    SPEC: ClassVar[str] = "TS 31.102, 4.2.8"
    EXAMPLES: ClassVar[Examples] = (("0000040420", {"services": frozenset({19, 27, 38})}),)


class EnabledServices(ServiceTable):
    """EF.EST: which services are switched on (1: FDN, 2: BDN, 3: ACL)."""

    __slots__ = ()
    NAME: ClassVar[str] = "EF.EST"
    FID: ClassVar[int] = 0x6F56
    SFI: ClassVar[int | None] = 0x05
    SPEC: ClassVar[str] = "TS 31.102, 4.2.47"
    EXAMPLES: ClassVar[Examples] = (("05", {"services": frozenset({1, 3})}),)


@dataclass(frozen=True, slots=True)
class ServiceProviderName(ElementaryFile):
    """EF.SPN: what the phone displays; ``display`` is the display condition octet. Room for 16 octets."""

    name: str
    display: int = 0

    NAME: ClassVar[str] = "EF.SPN"
    FID: ClassVar[int] = 0x6F46
    SPEC: ClassVar[str] = "TS 31.102, 4.2.12"
    EXAMPLES: ClassVar[Examples] = (
        ("01" + "696d736c6162" + "ff" * 10, {"name": "imslab", "display": 1}),
        ("00" + "80" + "00e9" + "ff" * 13, {"name": "é"}),
    )

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read the display condition and the name."""
        octets = at_least(octets, 1, cls.NAME)
        return cls(decode_alpha(octets[1:], cls.NAME), octets[0])

    def _contents(self) -> bytes:
        name = encode_alpha(self.name, self.NAME)
        if len(name) > 16:
            raise Malformed(f"{self.NAME} has room for 16 octets, not {len(name)}")
        return fits(self.display, 1, self.NAME) + name.ljust(16, b"\xff")


def decode_alpha(octets: bytes, name: str) -> str:
    """Read an alpha identifier: ASCII, or UCS2 after 80, 81 or 82 (TS 102 221, annex A)."""
    octets = bytes(octets)
    if octets[:1] == b"\x80":
        return _ucs2([octets[i] << 8 | octets[i + 1] for i in range(1, len(octets) - 1, 2)], name)
    if octets[:1] == b"\x81" and len(octets) >= 3:
        return _half_page(octets[3 : 3 + octets[1]], octets[2] << 7, name)
    if octets[:1] == b"\x82" and len(octets) >= 4:
        return _half_page(octets[4 : 4 + octets[1]], octets[2] << 8 | octets[3], name)
    return octets.rstrip(b"\xff").decode("latin-1")


def _half_page(octets: bytes, base: int, name: str) -> str:
    # Below 80 a character of the GSM alphabet, above it one of 128 from ``base``.
    return _ucs2([octet if octet < 0x80 else base + (octet & 0x7F) for octet in octets], name)


def _ucs2(codes: list[int], name: str) -> str:
    if any(0xD800 <= code <= 0xDFFF for code in codes):
        raise Malformed(f"{name} is not UCS2")
    return "".join(chr(code) for code in codes if code != 0xFFFF)


def encode_alpha(text: str, name: str) -> bytes:
    """Write an alpha identifier: ASCII where that is enough, else 80 and UCS2."""
    if text.isascii():
        return text.encode("ascii")
    try:
        return b"\x80" + text.encode("utf-16-be")
    except UnicodeEncodeError:
        raise Malformed(f"{name} cannot be written in UCS2") from None


@dataclass(frozen=True, slots=True)
class UsimAdministrativeData(ElementaryFile):
    """EF.AD of the USIM: operation mode, 2 octets of more, and how many digits the MNC has."""

    operation_mode: int = 0
    additional: bytes = b"\0\0"
    mnc_length: int | None = 2
    future: bytes = b""

    NAME: ClassVar[str] = "EF.AD"
    FID: ClassVar[int] = 0x6FAD
    SFI: ClassVar[int | None] = 0x03
    SPEC: ClassVar[str] = "TS 31.102, 4.2.18"
    EXAMPLES: ClassVar[Examples] = (
        ("00000002", {"mnc_length": 2}),
        ("01000103", {"operation_mode": 1, "additional": b"\0\1", "mnc_length": 3}),
        ("000000", {"mnc_length": None}),
    )

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read 3 octets or more; ``mnc_length`` is None where the card does not say it."""
        octets = at_least(octets, 3, cls.NAME)
        return cls(octets[0], octets[1:3], octets[3] & 0x0F if len(octets) > 3 else None, octets[4:])

    def _contents(self) -> bytes:
        length = b"" if self.mnc_length is None else fits(self.mnc_length, 1, self.NAME)
        return (
            fits(self.operation_mode, 1, self.NAME)
            + exactly("additional", self.additional, 2)
            + length
            + self.future
        )


@dataclass(frozen=True, slots=True)
class AccessControlClasses(ElementaryFile):
    """EF.ACC: the access control classes (0 to 15) that the subscriber belongs to."""

    classes: frozenset[int]

    NAME: ClassVar[str] = "EF.ACC"
    FID: ClassVar[int] = 0x6F78
    SFI: ClassVar[int | None] = 0x06
    SPEC: ClassVar[str] = "TS 31.102, 4.2.15"
    EXAMPLES: ClassVar[Examples] = (
        ("802b", {"classes": frozenset({0, 1, 3, 5, 15})}),
        ("0000", {"classes": frozenset()}),
    )

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read 2 octets, class 15 in the highest bit."""
        bits = int.from_bytes(at_least(octets, 2, cls.NAME)[:2])
        return cls(frozenset(n for n in range(16) if bits >> n & 1))

    def _contents(self) -> bytes:
        if not self.classes <= frozenset(range(16)):
            raise Malformed(f"{self.NAME}: access classes are 0 to 15")
        return sum(1 << n for n in self.classes).to_bytes(2)


@dataclass(frozen=True, slots=True)
class EmergencyCode(ElementaryFile):
    """EF.ECC: one record, one emergency number (up to 6 digits), its text and its service category."""

    number: str
    category: int = 0
    text: bytes = b""

    NAME: ClassVar[str] = "EF.ECC"
    FID: ClassVar[int] = 0x6FB7
    SFI: ClassVar[int | None] = 0x01
    STRUCTURE: ClassVar[Structure] = Structure.LINEAR_FIXED
    SPEC: ClassVar[str] = "TS 31.102, 4.2.21"
    EXAMPLES: ClassVar[Examples] = (
        ("19f1ff01", {"number": "911", "category": 1}),
        ("11f2ff736f7320ff10", {"number": "112", "category": 16, "text": b"sos \xff"}),
    )

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read 3 octets of digits, the text, and the category in the last octet."""
        octets = at_least(octets, 4, cls.NAME)
        return cls(bcd.decode(octets[:3]), octets[-1], octets[3:-1])

    def _contents(self) -> bytes:
        return bcd.encode(self.number, 3) + self.text + fits(self.category, 1, self.NAME)

    def encode(self, size: int | None = None) -> bytes:
        """Write the record; the filling goes before the category, which is the last octet."""
        contents = self._contents()
        if size is None or size == len(contents):
            return contents
        if size < len(contents):
            raise Malformed(f"{self.NAME} needs {len(contents)} octets, the record has {size}")
        return contents[:-1] + b"\xff" * (size - len(contents)) + contents[-1:]


@dataclass(frozen=True, slots=True)
class DiallingNumber(ElementaryFile):
    """The base of files with telephone numbers: alpha identifier, number, capability and extension records.

    The last 14 octets of a record: length, type of number, 10 octets of digits, two record numbers.
    """

    number: str
    type_of_number: int = 0xFF
    alpha: bytes = b""
    length: int | None = None
    capability: int = 0xFF
    extension: int = 0xFF

    STRUCTURE: ClassVar[Structure] = Structure.LINEAR_FIXED

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read a record of 14 octets or more."""
        octets = at_least(octets, 14, cls.NAME)
        alpha, rest = octets[:-14], octets[-14:]
        digits = bcd.decode(rest[2:12])
        length = None if rest[0] == _number_length(digits) else rest[0]
        return cls(digits, rest[1], alpha, length, rest[12], rest[13])

    def _contents(self) -> bytes:
        length = _number_length(self.number) if self.length is None else self.length
        return (
            self.alpha
            + fits(length, 1, self.NAME)
            + fits(self.type_of_number, 1, self.NAME)
            + bcd.encode(self.number, 10)
            + fits(self.capability, 1, self.NAME)
            + fits(self.extension, 1, self.NAME)
        )

    def encode(self, size: int | None = None) -> bytes:
        """Write the record; the filling belongs to the alpha identifier before the number."""
        contents = self._contents()
        if size is None:
            return contents
        if size < len(contents):
            raise Malformed(f"{self.NAME} needs {len(contents)} octets, the record has {size}")
        return self.alpha + b"\xff" * (size - len(contents)) + contents[len(self.alpha) :]


def _number_length(digits: str) -> int:
    # The octets of digits and the type-of-number octet before them; FF when there is no number.
    return 1 + (len(digits) + 1) // 2 if digits else 0xFF


class Msisdn(DiallingNumber):
    """EF.MSISDN: one record, one telephone number of the subscriber."""

    __slots__ = ()
    NAME: ClassVar[str] = "EF.MSISDN"
    FID: ClassVar[int] = 0x6F40
    SPEC: ClassVar[str] = "TS 31.102, 4.2.26"
    EXAMPLES: ClassVar[Examples] = (
        (
            "ff" * 20 + "04b12143f5ffffffffffffffffff",
            {"number": "12345", "type_of_number": 0xB1, "alpha": b"\xff" * 20},
        ),
        ("ff" * 14, {"number": ""}),
    )


class UsimAccessRules(AccessRules):
    """EF.ARR of the USIM."""

    __slots__ = ()
    FID: ClassVar[int] = 0x6F06
    SFI: ClassVar[int | None] = 0x17
    SPEC: ClassVar[str] = "TS 31.102, 4.2.55"


class UsimGbaBootstrapping(GbaBootstrapping):
    """EF.GBABP of the USIM."""

    __slots__ = ()
    FID: ClassVar[int] = 0x6FD6
    SPEC: ClassVar[str] = "TS 31.102, 4.2.79"


class UsimGbaNaf(GbaNaf):
    """EF.GBANL of the USIM."""

    __slots__ = ()
    FID: ClassVar[int] = 0x6FDA
    SPEC: ClassVar[str] = "TS 31.102, 4.2.83"
