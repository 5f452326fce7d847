"""Files about services: short messages, mailboxes, group calls, femtocells, ePDG.

Spec: 3GPP TS 31.102, sections 4.2 and 4.4.6 (DF.HNB); TS 31.103, sections 4.2.12 to 4.2.15 (the same).
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from imslab.errors import Malformed
from imslab.octets import exactly
from imslab.uicc import bcd, tlv
from imslab.uicc.files.base import TEXT, ElementaryFile, Structure, at_least, fits, is_empty
from imslab.uicc.files.isim import Address, DataObjects
from imslab.uicc.files.usim import Msisdn, decode_alpha

Examples = tuple[tuple[str, dict[str, Any]], ...]


@dataclass(frozen=True, slots=True)
class ShortMessage(ElementaryFile):
    """EF.SMS: one record of 176 octets: status (0 free, 1 read, 3 unread) and message."""

    status: int
    message: bytes

    NAME: ClassVar[str] = "EF.SMS"
    FID: ClassVar[int] = 0x6F3C
    STRUCTURE: ClassVar[Structure] = Structure.LINEAR_FIXED
    SPEC: ClassVar[str] = "TS 31.102, 4.2.25"
    EXAMPLES: ClassVar[Examples] = (("00" + "ff" * 175, {"status": 0, "message": b"\xff" * 175}),)

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read the status and the message with its filling."""
        octets = at_least(octets, 1, cls.NAME)
        return cls(octets[0], octets[1:])

    def _contents(self) -> bytes:
        return fits(self.status, 1, self.NAME) + self.message


class IsimShortMessage(ShortMessage):
    """EF.SMS of the ISIM."""

    __slots__ = ()
    SPEC: ClassVar[str] = "TS 31.103, 4.2.12"


@dataclass(frozen=True, slots=True)
class ShortMessageStatus(ElementaryFile):
    """EF.SMSS: the last message reference, and FF while there is memory (FE when it is exceeded)."""

    last_reference: int = 0xFF
    memory: int = 0xFF
    future: bytes = b""

    NAME: ClassVar[str] = "EF.SMSS"
    FID: ClassVar[int] = 0x6F43
    SPEC: ClassVar[str] = "TS 31.102, 4.2.28"
    EXAMPLES: ClassVar[Examples] = (("ffff", {}), ("07fe", {"last_reference": 7, "memory": 0xFE}))

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read 2 octets or more."""
        octets = at_least(octets, 2, cls.NAME)
        return cls(octets[0], octets[1], octets[2:])

    def _contents(self) -> bytes:
        return fits(self.last_reference, 1, self.NAME) + fits(self.memory, 1, self.NAME) + self.future


class IsimShortMessageStatus(ShortMessageStatus):
    """EF.SMSS of the ISIM."""

    __slots__ = ()
    SPEC: ClassVar[str] = "TS 31.103, 4.2.13"


@dataclass(frozen=True, slots=True)
class StatusReport(ElementaryFile):
    """EF.SMSR: one record of 30 octets: the record in EF.SMS that is reported on (0 none), and the report."""

    record: int
    report: bytes

    NAME: ClassVar[str] = "EF.SMSR"
    FID: ClassVar[int] = 0x6F47
    STRUCTURE: ClassVar[Structure] = Structure.LINEAR_FIXED
    SPEC: ClassVar[str] = "TS 31.102, 4.2.32"
    EXAMPLES: ClassVar[Examples] = (("00" + "ff" * 29, {"record": 0, "report": b"\xff" * 29}),)

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read 30 octets."""
        octets = at_least(octets, 30, cls.NAME)
        return cls(octets[0], octets[1:])

    def _contents(self) -> bytes:
        return fits(self.record, 1, self.NAME) + self.report


class IsimStatusReport(StatusReport):
    """EF.SMSR of the ISIM."""

    __slots__ = ()
    SPEC: ClassVar[str] = "TS 31.103, 4.2.14"


@dataclass(frozen=True, slots=True)
class ShortMessageParameters(ElementaryFile):
    """EF.SMSP: one record, the parameters for sending: 28 octets after the alpha identifier.

    A parameter counts when its bit in ``indicators`` is 0. Addresses have 12 octets, FF when there is none.
    """

    alpha: bytes = b""
    indicators: int = 0xFF
    destination: bytes = b"\xff" * 12
    service_centre: bytes = b"\xff" * 12
    protocol: int = 0xFF
    data_coding: int = 0xFF
    validity: int = 0xFF

    NAME: ClassVar[str] = "EF.SMSP"
    FID: ClassVar[int] = 0x6F42
    STRUCTURE: ClassVar[Structure] = Structure.LINEAR_FIXED
    SPEC: ClassVar[str] = "TS 31.102, 4.2.27"
    EXAMPLES: ClassVar[Examples] = (
        (
            "e1ffffffffffffffffffffffff0891945197109099f9ffffff0000a9",
            {
                "indicators": 0xE1,
                "service_centre": bytes.fromhex("0891945197109099f9ffffff"),
                "protocol": 0,
                "data_coding": 0,
                "validity": 0xA9,
            },
        ),
    )

    @property
    def service_centre_number(self) -> str:
        """The digits of the service centre; "" when the record has none."""
        length = self.service_centre[0]
        return bcd.decode(self.service_centre[2 : 1 + length]) if 2 <= length <= 11 else ""

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read a record of 28 octets or more."""
        octets = at_least(octets, 28, cls.NAME)
        alpha, rest = octets[:-28], octets[-28:]
        return cls(alpha, rest[0], rest[1:13], rest[13:25], *rest[25:28])

    def _contents(self) -> bytes:
        addresses = exactly("destination", self.destination, 12) + exactly(
            "service centre", self.service_centre, 12
        )
        ends = (self.protocol, self.data_coding, self.validity)
        octets = b"".join(fits(value, 1, self.NAME) for value in ends)
        return self.alpha + fits(self.indicators, 1, self.NAME) + addresses + octets

    def encode(self, size: int | None = None) -> bytes:
        """Write the record; the filling belongs to the alpha identifier."""
        contents = self._contents()
        if size is None:
            return contents
        if size < len(contents):
            raise Malformed(f"{self.NAME} needs {len(contents)} octets, the record has {size}")
        return self.alpha + b"\xff" * (size - len(contents)) + contents[len(self.alpha) :]


class IsimShortMessageParameters(ShortMessageParameters):
    """EF.SMSP of the ISIM."""

    __slots__ = ()
    SPEC: ClassVar[str] = "TS 31.103, 4.2.15"


@dataclass(frozen=True, slots=True)
class CallMeterMaximum(ElementaryFile):
    """EF.ACMmax: the most units that may be charged, 3 octets; 0 for no limit."""

    maximum: int

    NAME: ClassVar[str] = "EF.ACMmax"
    FID: ClassVar[int] = 0x6F37
    SPEC: ClassVar[str] = "TS 31.102, 4.2.7"
    EXAMPLES: ClassVar[Examples] = (("000100", {"maximum": 256}),)

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read 3 octets."""
        return cls(int.from_bytes(at_least(octets, 3, cls.NAME)[:3]))

    def _contents(self) -> bytes:
        return fits(self.maximum, 3, self.NAME)


@dataclass(frozen=True, slots=True)
class MailboxIdentifier(ElementaryFile):
    """EF.MBI: one record: for voice, fax, e-mail, other (and video) the record of EF.MBDN; 0 for none."""

    records: bytes

    NAME: ClassVar[str] = "EF.MBI"
    FID: ClassVar[int] = 0x6FC9
    STRUCTURE: ClassVar[Structure] = Structure.LINEAR_FIXED
    SPEC: ClassVar[str] = "TS 31.102, 4.2.62"
    EXAMPLES: ClassVar[Examples] = (("0100000000", {"records": b"\1\0\0\0\0"}),)

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read 4 octets or more."""
        return cls(at_least(octets, 4, cls.NAME))

    def _contents(self) -> bytes:
        return self.records


@dataclass(frozen=True, slots=True)
class MessageWaiting(ElementaryFile):
    """EF.MWIS: one record: which kinds of message wait (a bit each), and how many of each."""

    waiting: int
    counts: bytes

    NAME: ClassVar[str] = "EF.MWIS"
    FID: ClassVar[int] = 0x6FCA
    STRUCTURE: ClassVar[Structure] = Structure.LINEAR_FIXED
    SPEC: ClassVar[str] = "TS 31.102, 4.2.63"
    EXAMPLES: ClassVar[Examples] = (("0103000000", {"waiting": 1, "counts": b"\3\0\0\0"}),)

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read 5 octets or more."""
        octets = at_least(octets, 5, cls.NAME)
        return cls(octets[0], octets[1:])

    def _contents(self) -> bytes:
        return fits(self.waiting, 1, self.NAME) + self.counts


@dataclass(frozen=True, slots=True)
class CallForwarding(ElementaryFile):
    """EF.CFIS: one record: profile, which calls are forwarded (a bit each), the number as in EF.MSISDN."""

    profile: int
    indicators: int
    forwarded_to: Msisdn

    NAME: ClassVar[str] = "EF.CFIS"
    FID: ClassVar[int] = 0x6FCB
    STRUCTURE: ClassVar[Structure] = Structure.LINEAR_FIXED
    SPEC: ClassVar[str] = "TS 31.102, 4.2.64"
    EXAMPLES: ClassVar[Examples] = (
        ("0100" + "ff" * 14, {"profile": 1, "indicators": 0, "forwarded_to": Msisdn("")}),
        (
            "0101" + "0491214365ffffffffffffff" + "ffff",
            {"profile": 1, "indicators": 1, "forwarded_to": Msisdn("123456", 0x91)},
        ),
    )

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read 16 octets."""
        octets = at_least(octets, 16, cls.NAME)[:16]
        return cls(octets[0], octets[1], Msisdn.decode(octets[2:]))

    def _contents(self) -> bytes:
        return (
            fits(self.profile, 1, self.NAME)
            + fits(self.indicators, 1, self.NAME)
            + self.forwarded_to.encode(14)
        )


@dataclass(frozen=True, slots=True)
class Precedence(ElementaryFile):
    """EF.eMLPP: the priority levels that are subscribed, and those with fast set-up, a bit each."""

    levels: int
    fast: int

    NAME: ClassVar[str] = "EF.eMLPP"
    FID: ClassVar[int] = 0x6FB5
    SPEC: ClassVar[str] = "TS 31.102, 4.2.39"
    EXAMPLES: ClassVar[Examples] = (("7c04", {"levels": 0x7C, "fast": 0x04}),)

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read 2 octets."""
        octets = at_least(octets, 2, cls.NAME)
        return cls(octets[0], octets[1])

    def _contents(self) -> bytes:
        return fits(self.levels, 1, self.NAME) + fits(self.fast, 1, self.NAME)


@dataclass(frozen=True, slots=True)
class VoiceGroups(ElementaryFile):
    """EF.VGCS: identifiers of voice groups, 4 octets of digits each; an empty place is ""."""

    groups: tuple[str, ...]

    NAME: ClassVar[str] = "EF.VGCS"
    FID: ClassVar[int] = 0x6FB1
    SPEC: ClassVar[str] = "TS 31.102, 4.2.71"
    EXAMPLES: ClassVar[Examples] = (
        ("92f9ffff", {"groups": ("299",)}),
        ("92f9ffffffffffff", {"groups": ("299", "")}),
    )

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read identifiers of 4 octets."""
        return cls(tuple(bcd.decode(bytes(octets[i : i + 4])) for i in range(0, len(octets) - 3, 4)))

    def _contents(self) -> bytes:
        return b"".join(bcd.encode(group, 4) for group in self.groups)


@dataclass(frozen=True, slots=True)
class VoiceGroupStatus(ElementaryFile):
    """EF.VGCSS: which of the groups 1 to 50 in EF.VGCS are active; 50 bits, the 6 bits after them are set."""

    active: frozenset[int]

    NAME: ClassVar[str] = "EF.VGCSS"
    FID: ClassVar[int] = 0x6FB2
    SPEC: ClassVar[str] = "TS 31.102, 4.2.72"
    EXAMPLES: ClassVar[Examples] = (("010000004540fc", {"active": frozenset({1, 33, 35, 39, 47})}),)

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read 7 octets."""
        bits = int.from_bytes(at_least(octets, 7, cls.NAME)[:7], "little")
        return cls(frozenset(n + 1 for n in range(50) if bits >> n & 1))

    def _contents(self) -> bytes:
        if not self.active <= frozenset(range(1, 51)):
            raise Malformed(f"{self.NAME}: groups are numbered 1 to 50")
        return (sum(1 << n - 1 for n in self.active) | 0x3F << 50).to_bytes(7, "little")


class EpdgId(Address):
    """EF.ePDGId: a gateway for calls over untrusted WLAN: domain name or address."""

    __slots__ = ()
    NAME: ClassVar[str] = "EF.ePDGId"
    FID: ClassVar[int] = 0x6FF3
    SPEC: ClassVar[str] = "TS 31.102, 4.2.101"
    EXAMPLES: ClassVar[Examples] = (
        ("801100657064672e6f736d6f636f6d2e6f7267", {"address": "epdg.osmocom.org"}),
        ("800501c0a8a001", {"address": "192.168.160.1"}),
    )


@dataclass(frozen=True, slots=True)
class EpdgSelection(ElementaryFile):
    """EF.ePDGSelection: for each network its priority, how the gateway's name is formed (1: by location)."""

    entries: tuple[tuple[str, int, int], ...]

    NAME: ClassVar[str] = "EF.ePDGSelection"
    FID: ClassVar[int] = 0x6FF4
    SPEC: ClassVar[str] = "TS 31.102, 4.2.102"
    EXAMPLES: ClassVar[Examples] = (
        ("800600011000a001", {"entries": (("001-010", 160, 1),)}),
        ("ffff", {"entries": ()}),
    )

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read entries of 6 octets from the object with tag 80."""
        if is_empty(octets):
            return cls(())
        value = tlv.only(octets, TEXT, cls.NAME)
        if len(value) % 6:
            raise Malformed(f"{cls.NAME}: {len(value)} octets", expected="6 for each network")
        parts = [value[i : i + 6] for i in range(0, len(value), 6)]
        return cls(tuple((bcd.decode_plmn(one[:3]), int.from_bytes(one[3:5]), one[5]) for one in parts))

    def _contents(self) -> bytes:
        if not self.entries:
            return b""
        written = (
            bcd.encode_plmn(a) + fits(b, 2, self.NAME) + fits(c, 1, self.NAME) for a, b, c in self.entries
        )
        return tlv.encode(TEXT, b"".join(written))


class EarfcnList(DataObjects):
    """EF.EARFCNList: carriers for machines, tag A0 each: 80 the EARFCN, 81 the area."""

    __slots__ = ()
    NAME: ClassVar[str] = "EF.EARFCNList"
    FID: ClassVar[int] = 0x6FFD
    STRUCTURE: ClassVar[Structure] = Structure.TRANSPARENT
    SPEC: ClassVar[str] = "TS 31.102, 4.2.114"
    EXAMPLES: ClassVar[Examples] = (
        ("a006800400010000", {"objects": (tlv.Tlv(0xA0, bytes.fromhex("800400010000")),)}),
    )


class NamedObject(DataObjects):
    """The base of files with one text object, kept as octets because a text can be coded in several ways."""

    __slots__ = ()
    STRUCTURE: ClassVar[Structure] = Structure.LINEAR_FIXED
    TEXT_TAG: ClassVar[int]

    @property
    def text(self) -> str:
        """The name; "" when there is none."""
        return decode_alpha(tlv.first(self.objects, self.TEXT_TAG) or b"", self.NAME)


class CsgType(NamedObject):
    """EF.CSGT: one record, the name of a type of closed subscriber group."""

    __slots__ = ()
    NAME: ClassVar[str] = "EF.CSGT"
    FID: ClassVar[int] = 0x4F82
    TEXT_TAG: ClassVar[int] = 0x89
    SPEC: ClassVar[str] = "TS 31.102, 4.4.6.3"
    EXAMPLES: ClassVar[Examples] = (
        ("8906810300666f6f", {"objects": (tlv.Tlv(0x89, bytes.fromhex("810300666f6f")),)}),
    )


class HomeNodeName(NamedObject):
    """EF.HNBN: one record, the name of a home node."""

    __slots__ = ()
    NAME: ClassVar[str] = "EF.HNBN"
    FID: ClassVar[int] = 0x4F83
    TEXT_TAG: ClassVar[int] = 0x80
    SPEC: ClassVar[str] = "TS 31.102, 4.4.6.4"
    EXAMPLES: ClassVar[Examples] = (
        (
            "800b8108006d61686c7a656974",
            {"objects": (tlv.Tlv(0x80, bytes.fromhex("8108006d61686c7a656974")),)},
        ),
    )


class OperatorCsgList(DataObjects):
    """EF.OCSGL: one record, groups that the operator allows: tag A0, inside 80 PLMN, 81 group, 82 display."""

    __slots__ = ()
    NAME: ClassVar[str] = "EF.OCSGL"
    FID: ClassVar[int] = 0x4F84
    STRUCTURE: ClassVar[Structure] = Structure.LINEAR_FIXED
    SPEC: ClassVar[str] = "TS 31.102, 4.4.6.5"
    EXAMPLES: ClassVar[Examples] = (
        (
            "a010800362f21081060000000002e0820100",
            {"objects": (tlv.Tlv(0xA0, bytes.fromhex("800362f21081060000000002e0820100")),)},
        ),
    )
