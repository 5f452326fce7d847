"""Files of ADF.USIM about networks: which to look for, where the phone was last.

Spec: 3GPP TS 31.102, section 4.2; EF.LOCIGPRS of TS 51.011, section 10.3.33.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from imslab.errors import Malformed
from imslab.octets import exactly
from imslab.uicc import bcd
from imslab.uicc.files.base import ElementaryFile, Structure, at_least, fits

Examples = tuple[tuple[str, dict[str, Any]], ...]


@dataclass(frozen=True, slots=True)
class OctetFile(ElementaryFile):
    """The base of files with one number in one octet, ``value``, and what may follow."""

    value: int
    future: bytes = b""

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read one octet."""
        octets = at_least(octets, 1, cls.NAME)
        return cls(octets[0], octets[1:])

    def _contents(self) -> bytes:
        return fits(self.value, 1, self.NAME) + self.future


class HomeSearchPeriod(OctetFile):
    """EF.HPPLMN: how often to look for the home network, in units of 6 minutes."""

    __slots__ = ()
    NAME: ClassVar[str] = "EF.HPPLMN"
    FID: ClassVar[int] = 0x6F31
    SFI: ClassVar[int | None] = 0x12
    SPEC: ClassVar[str] = "TS 31.102, 4.2.6"
    EXAMPLES: ClassVar[Examples] = (("05", {"value": 5}),)


class EquivalentHomePresentation(OctetFile):
    """EF.EHPLMNPI: 0 no preference, 1 show the best equivalent home network only, 2 show all."""

    __slots__ = ()
    NAME: ClassVar[str] = "EF.EHPLMNPI"
    FID: ClassVar[int] = 0x6FDB
    SPEC: ClassVar[str] = "TS 31.102, 4.2.87"
    EXAMPLES: ClassVar[Examples] = (("02", {"value": 2}),)


class PublicWarning(OctetFile):
    """EF.PWS: bit 1 ignore warnings at home, bit 2 ignore them in visited networks."""

    __slots__ = ()
    NAME: ClassVar[str] = "EF.PWS"
    FID: ClassVar[int] = 0x6FEC
    SPEC: ClassVar[str] = "TS 31.102, 4.2.94"
    EXAMPLES: ClassVar[Examples] = (("03", {"value": 3}),)


@dataclass(frozen=True, slots=True)
class NetworkList(ElementaryFile):
    """The base of lists of PLMNs, 3 octets each ("001-01"); an empty place is ""."""

    networks: tuple[str, ...]

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read entries of 3 octets; empty places at the end are left out."""
        whole = len(octets) - len(octets) % 3
        networks = [bcd.decode_plmn(bytes(octets[i : i + 3])) for i in range(0, whole, 3)]
        while networks and not networks[-1]:
            networks.pop()
        return cls(tuple(networks))

    def _contents(self) -> bytes:
        return b"".join(map(bcd.encode_plmn, self.networks))


class EquivalentHomeNetworks(NetworkList):
    """EF.EHPLMN: networks that count as the home network, the best first."""

    __slots__ = ()
    NAME: ClassVar[str] = "EF.EHPLMN"
    FID: ClassVar[int] = 0x6FD9
    SFI: ClassVar[int | None] = 0x1D
    SPEC: ClassVar[str] = "TS 31.102, 4.2.84"
    EXAMPLES: ClassVar[Examples] = (("00f11062f220ffffff", {"networks": ("001-01", "262-02")}),)


class ForbiddenNetworks(NetworkList):
    """EF.FPLMN: networks that refused the subscriber."""

    __slots__ = ()
    NAME: ClassVar[str] = "EF.FPLMN"
    FID: ClassVar[int] = 0x6F7B
    SFI: ClassVar[int | None] = 0x0D
    SPEC: ClassVar[str] = "TS 31.102, 4.2.16"
    EXAMPLES: ClassVar[Examples] = (("ffffff130014ffffff", {"networks": ("", "310-410")}),)


@dataclass(frozen=True, slots=True)
class NetworksWithTechnology(ElementaryFile):
    """The base of lists of (PLMN, access technologies): 3 and 2 octets; bit 16 UTRAN, bit 15 E-UTRAN ..."""

    entries: tuple[tuple[str, int], ...]

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read entries of 5 octets; the PLMN of an empty place is ""."""
        if len(octets) < 5:
            raise Malformed(f"{cls.NAME} has {len(octets)} octets", expected="5 at least")
        starts = range(0, len(octets) - len(octets) % 5, 5)
        entries = [
            (bcd.decode_plmn(bytes(octets[i : i + 3])), int.from_bytes(octets[i + 3 : i + 5])) for i in starts
        ]
        return cls(tuple(entries))

    def _contents(self) -> bytes:
        return b"".join(
            bcd.encode_plmn(plmn) + fits(technologies, 2, self.NAME) for plmn, technologies in self.entries
        )


class UserNetworks(NetworksWithTechnology):
    """EF.PLMNwAcT: networks that the user prefers."""

    __slots__ = ()
    NAME: ClassVar[str] = "EF.PLMNwAcT"
    FID: ClassVar[int] = 0x6F60
    SFI: ClassVar[int | None] = 0x0A
    SPEC: ClassVar[str] = "TS 31.102, 4.2.5"
    EXAMPLES: ClassVar[Examples] = (
        ("62f2104000ffffff0000", {"entries": (("262-01", 0x4000), ("", 0))}),
        ("62f220488c", {"entries": (("262-02", 0x488C),)}),
    )


class OperatorNetworks(NetworksWithTechnology):
    """EF.OPLMNwAcT: networks that the operator prefers."""

    __slots__ = ()
    NAME: ClassVar[str] = "EF.OPLMNwAcT"
    FID: ClassVar[int] = 0x6F61
    SFI: ClassVar[int | None] = 0x11
    SPEC: ClassVar[str] = "TS 31.102, 4.2.53"
    EXAMPLES: ClassVar[Examples] = (("62f2108000", {"entries": (("262-01", 0x8000),)}),)


class HomeNetworks(NetworksWithTechnology):
    """EF.HPLMNwAcT: access technologies of the home network, in order."""

    __slots__ = ()
    NAME: ClassVar[str] = "EF.HPLMNwAcT"
    FID: ClassVar[int] = 0x6F62
    SFI: ClassVar[int | None] = 0x13
    SPEC: ClassVar[str] = "TS 31.102, 4.2.54"
    EXAMPLES: ClassVar[Examples] = (("00f1104000", {"entries": (("001-01", 0x4000),)}),)


@dataclass(frozen=True, slots=True)
class Location(ElementaryFile):
    """EF.LOCI: TMSI (4 octets), location area, an octet for the future, and the update status."""

    tmsi: bytes = b"\xff" * 4
    network: str = ""
    area: bytes = b"\xff\xfe"
    reserved: int = 0xFF
    status: int = 1

    NAME: ClassVar[str] = "EF.LOCI"
    FID: ClassVar[int] = 0x6F7E
    SFI: ClassVar[int | None] = 0x0B
    SPEC: ClassVar[str] = "TS 31.102, 4.2.17"
    EXAMPLES: ClassVar[Examples] = (
        ("ffffffff62f2200000ff01", {"network": "262-02", "area": b"\0\0"}),
        ("ffffffffffffff" + "fffeff01", {}),
    )

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read 11 octets."""
        octets = at_least(octets, 11, cls.NAME)
        return cls(octets[:4], bcd.decode_plmn(octets[4:7]), octets[7:9], octets[9], octets[10])

    def _contents(self) -> bytes:
        area = bcd.encode_plmn(self.network) + exactly("area", self.area, 2)
        ends = fits(self.reserved, 1, self.NAME) + fits(self.status, 1, self.NAME)
        return exactly("tmsi", self.tmsi, 4) + area + ends


@dataclass(frozen=True, slots=True)
class PacketLocation(ElementaryFile):
    """EF.PSLOCI: P-TMSI (4 octets), its signature (3), routing area (6) and the update status."""

    p_tmsi: bytes = b"\xff" * 4
    signature: bytes = b"\xff" * 3
    area: bytes = b"\xff\xff\xff\xff\xfe\xff"
    status: int = 1

    NAME: ClassVar[str] = "EF.PSLOCI"
    FID: ClassVar[int] = 0x6F73
    SFI: ClassVar[int | None] = 0x0C
    SPEC: ClassVar[str] = "TS 31.102, 4.2.23"
    EXAMPLES: ClassVar[Examples] = (
        ("ffffffffffffff22f8990000ff01", {"area": bytes.fromhex("22f8990000ff")}),
        ("ffffffffffffffffffffffFEff01".lower(), {}),
    )

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read 14 octets."""
        octets = at_least(octets, 14, cls.NAME)
        return cls(octets[:4], octets[4:7], octets[7:13], octets[13])

    def _contents(self) -> bytes:
        identity = exactly("p_tmsi", self.p_tmsi, 4) + exactly("signature", self.signature, 3)
        return identity + exactly("area", self.area, 6) + fits(self.status, 1, self.NAME)


class GprsLocation(PacketLocation):
    """EF.LOCIGPRS of a GSM SIM: the same coding."""

    __slots__ = ()
    NAME: ClassVar[str] = "EF.LOCIGPRS"
    FID: ClassVar[int] = 0x6F53
    SFI: ClassVar[int | None] = None
    SPEC: ClassVar[str] = "TS 51.011, 10.3.33"


@dataclass(frozen=True, slots=True)
class OperatorNameRule(ElementaryFile):
    """EF.OPL: one record: in these areas of this network, show the name in record ``name_record`` of EF.PNN.

    A wild-card digit of the network is D.
    """

    network: str
    first_area: bytes
    last_area: bytes
    name_record: int

    NAME: ClassVar[str] = "EF.OPL"
    FID: ClassVar[int] = 0x6FC6
    SFI: ClassVar[int | None] = 0x1A
    STRUCTURE: ClassVar[Structure] = Structure.LINEAR_FIXED
    SPEC: ClassVar[str] = "TS 31.102, 4.2.59"
    EXAMPLES: ClassVar[Examples] = (
        (
            "62f2100000fffe01",
            {"network": "262-01", "first_area": b"\0\0", "last_area": b"\xff\xfe", "name_record": 1},
        ),
        (
            "62f2d00000fffe02",
            {"network": "262-0d", "first_area": b"\0\0", "last_area": b"\xff\xfe", "name_record": 2},
        ),
    )

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read 8 octets."""
        octets = at_least(octets, 8, cls.NAME)
        return cls(bcd.decode_plmn(octets[:3]), octets[3:5], octets[5:7], octets[7])

    def _contents(self) -> bytes:
        areas = exactly("first_area", self.first_area, 2) + exactly("last_area", self.last_area, 2)
        return bcd.encode_plmn(self.network) + areas + fits(self.name_record, 1, self.NAME)


@dataclass(frozen=True, slots=True)
class StartHfn(ElementaryFile):
    """EF.START-HFN: START of the circuit and of the packet domain, 20 bits in 3 octets each."""

    start_cs: int = 0xF00000
    start_ps: int = 0xF00000

    NAME: ClassVar[str] = "EF.START-HFN"
    FID: ClassVar[int] = 0x6F5B
    SFI: ClassVar[int | None] = 0x0F
    SPEC: ClassVar[str] = "TS 31.102, 4.2.51"
    EXAMPLES: ClassVar[Examples] = (("f00000f00000", {}), ("000001000002", {"start_cs": 1, "start_ps": 2}))

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read 6 octets."""
        octets = at_least(octets, 6, cls.NAME)
        return cls(int.from_bytes(octets[:3]), int.from_bytes(octets[3:6]))

    def _contents(self) -> bytes:
        return fits(self.start_cs, 3, self.NAME) + fits(self.start_ps, 3, self.NAME)


@dataclass(frozen=True, slots=True)
class Threshold(ElementaryFile):
    """EF.THRESHOLD: the greatest START before new keys are asked for, 3 octets."""

    maximum: int

    NAME: ClassVar[str] = "EF.THRESHOLD"
    FID: ClassVar[int] = 0x6F5C
    SFI: ClassVar[int | None] = 0x10
    SPEC: ClassVar[str] = "TS 31.102, 4.2.52"
    EXAMPLES: ClassVar[Examples] = (("f01000", {"maximum": 0xF01000}),)

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read 3 octets."""
        return cls(int.from_bytes(at_least(octets, 3, cls.NAME)[:3]))

    def _contents(self) -> bytes:
        return fits(self.maximum, 3, self.NAME)
