"""Files of ADF.ISIM: who the user is in the IMS, and where the IMS is.

Spec: 3GPP TS 31.103, section 4.2. Most hold one data object, tag 80, with UTF-8 text.
"""

import ipaddress
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from imslab.errors import Malformed
from imslab.octets import exactly
from imslab.uicc import tlv
from imslab.uicc.files.access import ADM1, ALWAYS, READ, UPDATE, AccessRules, Rule, needs
from imslab.uicc.files.base import (
    TEXT,
    ElementaryFile,
    ServiceTable,
    Structure,
    at_least,
    fits,
    is_empty,
    text_object,
    to_utf8,
    utf8,
)

Examples = tuple[tuple[str, dict[str, Any]], ...]


@dataclass(frozen=True, slots=True)
class TextFile(ElementaryFile):
    """The base of the files that hold one text, ``text``; "" when the file was never written."""

    text: str

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read the text of the data object with tag 80."""
        return cls(text_object(octets, cls.NAME))

    def _contents(self) -> bytes:
        return tlv.encode(TEXT, to_utf8(self.text, self.NAME)) if self.text else b""


class Impi(TextFile):
    """EF.IMPI: the private identity, a NAI "user@realm" without "sip:"."""

    __slots__ = ()
    NAME: ClassVar[str] = "EF.IMPI"
    FID: ClassVar[int] = 0x6F02
    SFI: ClassVar[int | None] = 0x02
    SPEC: ClassVar[str] = "TS 31.103, 4.2.2"
    EXAMPLES: ClassVar[Examples] = (
        (
            "803137333830303630303030303031303140696d732e6d6e633030302e6d63633733382e336770706e6574776f726b2e6f7267",
            {"text": "738006000000101@ims.mnc000.mcc738.3gppnetwork.org"},
        ),
        ("ffff", {"text": ""}),
    )


class Domain(TextFile):
    """EF.DOMAIN: the home network's domain name."""

    __slots__ = ()
    NAME: ClassVar[str] = "EF.DOMAIN"
    FID: ClassVar[int] = 0x6F03
    SFI: ClassVar[int | None] = 0x05
    SPEC: ClassVar[str] = "TS 31.103, 4.2.3"
    EXAMPLES: ClassVar[Examples] = (
        (
            "8021696d732e6d6e633030302e6d63633733382e336770706e6574776f726b2e6f7267",
            {"text": "ims.mnc000.mcc738.3gppnetwork.org"},
        ),
        ("8009c3a9cf802e74657374ffff", {"text": "éπ.test"}),
    )


class Impu(TextFile):
    """EF.IMPU: one record, one public identity, a SIP or tel URI; the first is the default."""

    __slots__ = ()
    NAME: ClassVar[str] = "EF.IMPU"
    FID: ClassVar[int] = 0x6F04
    SFI: ClassVar[int | None] = 0x04
    STRUCTURE: ClassVar[Structure] = Structure.LINEAR_FIXED
    SPEC: ClassVar[str] = "TS 31.103, 4.2.4"
    EXAMPLES: ClassVar[Examples] = (
        ("80117369703a616c696365406578616d706c65ff", {"text": "sip:alice@example"}),
        ("800d74656c3a2b3132333435363738ffff", {"text": "tel:+12345678"}),
    )


@dataclass(frozen=True, slots=True)
class IsimAdministrativeData(ElementaryFile):
    """EF.AD of the ISIM: how the terminal shall operate; it has no length of the MNC.

    ``additional`` has 2 octets, ``future`` whatever the card holds after them.
    """

    operation_mode: int = 0
    additional: bytes = b"\0\0"
    future: bytes = b""

    NAME: ClassVar[str] = "EF.AD"
    FID: ClassVar[int] = 0x6FAD
    SFI: ClassVar[int | None] = 0x03
    SPEC: ClassVar[str] = "TS 31.103, 4.2.5"
    EXAMPLES: ClassVar[Examples] = (
        ("00ffff", {"operation_mode": 0, "additional": b"\xff\xff"}),
        ("800000", {"operation_mode": 0x80}),
    )

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read 3 octets or more."""
        octets = at_least(octets, 3, cls.NAME)
        return cls(octets[0], octets[1:3], octets[3:])

    def _contents(self) -> bytes:
        return (
            fits(self.operation_mode, 1, self.NAME) + exactly("additional", self.additional, 2) + self.future
        )


class IsimAccessRules(AccessRules):
    """EF.ARR of the ISIM."""

    __slots__ = ()
    FID: ClassVar[int] = 0x6F06
    SPEC: ClassVar[str] = "TS 31.103, 4.2.6"
    EXAMPLES: ClassVar[Examples] = (
        ("8001019000800102a40683010a950108", {"rules": (Rule(READ, ALWAYS), Rule(UPDATE, needs(ADM1)))}),
    )


class IsimServices(ServiceTable):
    """EF.IST: which services the ISIM offers (1: P-CSCF address, 2: GBA, 20: WebRTC URI ...)."""

    __slots__ = ()
    NAME: ClassVar[str] = "EF.IST"
    FID: ClassVar[int] = 0x6F07
    SFI: ClassVar[int | None] = 0x07
    SPEC: ClassVar[str] = "TS 31.103, 4.2.7"
    EXAMPLES: ClassVar[Examples] = (
        ("130008", {"services": frozenset({1, 2, 5, 20})}),
        ("0000", {"services": frozenset()}),
    )


_FQDN, _IPV4, _IPV6 = 0x00, 0x01, 0x02


@dataclass(frozen=True, slots=True)
class Address(ElementaryFile):
    """The base of files that hold a host: a domain name, an IPv4 or an IPv6 address, as text.

    The octet before it tells which: 00 FQDN, 01 IPv4, 02 IPv6.
    """

    address: str

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read the type of address and the address from the object with tag 80."""
        if is_empty(octets):
            return cls("")
        value = tlv.only(octets, TEXT, cls.NAME)
        if not value:
            return cls("")
        return cls(_address(value[0], value[1:], cls.NAME))

    def _contents(self) -> bytes:
        return tlv.encode(TEXT, _typed_address(self.address, self.NAME)) if self.address else b""


def _address(kind: int, octets: bytes, name: str) -> str:
    if kind == _FQDN:
        return utf8(octets, name)
    if kind == _IPV4:
        return str(ipaddress.IPv4Address(exactly(f"{name}: an IPv4 address", octets, 4)))
    if kind == _IPV6:
        return str(ipaddress.IPv6Address(exactly(f"{name}: an IPv6 address", octets, 16)))
    raise Malformed(f"{name}: type of address {kind:02X}", expected="00 FQDN, 01 IPv4 or 02 IPv6")


def _typed_address(text: str, name: str) -> bytes:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return bytes((_FQDN,)) + to_utf8(text, name)
    return bytes((_IPV4 if address.version == 4 else _IPV6,)) + address.packed


class PCscf(Address):
    """EF.P-CSCF: one record, one P-CSCF, the first is tried first."""

    __slots__ = ()
    NAME: ClassVar[str] = "EF.P-CSCF"
    FID: ClassVar[int] = 0x6F09
    STRUCTURE: ClassVar[Structure] = Structure.LINEAR_FIXED
    SPEC: ClassVar[str] = "TS 31.103, 4.2.8"
    EXAMPLES: ClassVar[Examples] = (
        ("801102fe800000000000000042d7fffe530335", {"address": "fe80::42:d7ff:fe53:335"}),
        ("80050151000001", {"address": "81.0.0.1"}),
        ("800b0070637363662e74657374", {"address": "pcscf.test"}),
    )


@dataclass(frozen=True, slots=True)
class GbaBootstrapping(ElementaryFile):
    """EF.GBABP: what the last bootstrap left: RAND (16 octets), B-TID, key lifetime, after their lengths."""

    rand: bytes = b""
    b_tid: str = ""
    lifetime: str = ""

    NAME: ClassVar[str] = "EF.GBABP"
    FID: ClassVar[int] = 0x6FD5
    SPEC: ClassVar[str] = "TS 31.103, 4.2.9"
    EXAMPLES: ClassVar[Examples] = (
        (
            "10000102030405060708090a0b0c0d0e0f0440627366023630ff",
            {"rand": bytes(range(16)), "b_tid": "@bsf", "lifetime": "60"},
        ),
        ("ffff", {}),
    )

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read three values, each after an octet with its length."""
        if is_empty(octets):
            return cls()
        rand, at = length_value(octets, 0, cls.NAME)
        b_tid, at = length_value(octets, at, cls.NAME)
        lifetime, _ = length_value(octets, at, cls.NAME)
        return cls(rand, utf8(b_tid, cls.NAME), utf8(lifetime, cls.NAME))

    def _contents(self) -> bytes:
        if self == type(self)():
            return b""
        values = (self.rand, to_utf8(self.b_tid, self.NAME), to_utf8(self.lifetime, self.NAME))
        return b"".join(fits(len(value), 1, self.NAME) + value for value in values)


def length_value(octets: bytes, at: int, name: str) -> tuple[bytes, int]:
    """Read a length octet and that many octets: return them and the position after them."""
    if at >= len(octets) or at + 1 + octets[at] > len(octets):
        raise Malformed(f"{name} is cut", offset=at, expected="a length octet and as many octets")
    end = at + 1 + octets[at]
    return bytes(octets[at + 1 : end]), end


@dataclass(frozen=True, slots=True)
class GbaNaf(ElementaryFile):
    """EF.GBANL: one record, one NAF for which a key was derived: its identifier and the B-TID."""

    naf_id: bytes = b""
    b_tid: bytes = b""

    NAME: ClassVar[str] = "EF.GBANL"
    FID: ClassVar[int] = 0x6FD7
    STRUCTURE: ClassVar[Structure] = Structure.LINEAR_FIXED
    SPEC: ClassVar[str] = "TS 31.103, 4.2.10"
    EXAMPLES: ClassVar[Examples] = (
        ("80086e61660100000002810440627366ff", {"naf_id": b"naf\x01\0\0\0\x02", "b_tid": b"@bsf"}),
        ("ff", {}),
    )

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read the objects with tags 80 and 81."""
        objects = tlv.parse(octets)
        return cls(tlv.first(objects, 0x80) or b"", tlv.first(objects, 0x81) or b"")

    def _contents(self) -> bytes:
        if self == type(self)():
            return b""
        return tlv.encode(0x80, self.naf_id) + tlv.encode(0x81, self.b_tid)


class NafKeyCentre(TextFile):
    """EF.NAFKCA: one record, the domain name of one NAF key centre."""

    __slots__ = ()
    NAME: ClassVar[str] = "EF.NAFKCA"
    FID: ClassVar[int] = 0x6FDD
    STRUCTURE: ClassVar[Structure] = Structure.LINEAR_FIXED
    SPEC: ClassVar[str] = "TS 31.103, 4.2.11"
    EXAMPLES: ClassVar[Examples] = (("80086273662e74657374", {"text": "bsf.test"}),)


class UiccIari(TextFile):
    """EF.UICCIARI: one record, one IMS application reference of the card."""

    __slots__ = ()
    NAME: ClassVar[str] = "EF.UICCIARI"
    FID: ClassVar[int] = 0x6FE7
    STRUCTURE: ClassVar[Structure] = Structure.LINEAR_FIXED
    SPEC: ClassVar[str] = "TS 31.103, 4.2.16"
    EXAMPLES: ClassVar[Examples] = (("800775726e3a782d79ffff", {"text": "urn:x-y"}),)


@dataclass(frozen=True, slots=True)
class FromPreferred(ElementaryFile):
    """EF.FromPreferred: whether the From header's identity is shown (bit 1)."""

    preferred: bool
    reserved: int = 0

    NAME: ClassVar[str] = "EF.FromPreferred"
    FID: ClassVar[int] = 0x6FF7
    SPEC: ClassVar[str] = "TS 31.103, 4.2.17"
    EXAMPLES: ClassVar[Examples] = (("01", {"preferred": True}), ("00", {"preferred": False}))

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read one octet."""
        octet = at_least(octets, 1, cls.NAME)[0]
        return cls(bool(octet & 1), octet & 0xFE)

    def _contents(self) -> bytes:
        return fits(self.reserved & 0xFE | self.preferred, 1, self.NAME)


@dataclass(frozen=True, slots=True)
class DataObjects(ElementaryFile):
    """The base of the BER-TLV files: data objects in the order in which they were set."""

    objects: tuple[tlv.Tlv, ...]

    STRUCTURE: ClassVar[Structure] = Structure.BER_TLV

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read all data objects."""
        return cls(tuple(tlv.parse(octets)))

    def _contents(self) -> bytes:
        return b"".join(map(bytes, self.objects))


class ImsConfiguration(DataObjects):
    """EF.IMSConfigData: tag 80 the encoding, tag 81 the configuration of the IMS client."""

    __slots__ = ()
    NAME: ClassVar[str] = "EF.IMSConfigData"
    FID: ClassVar[int] = 0x6FF8
    SPEC: ClassVar[str] = "TS 31.103, 4.2.18"
    EXAMPLES: ClassVar[Examples] = (
        ("80010081033c612f", {"objects": (tlv.Tlv(0x80, b"\0"), tlv.Tlv(0x81, b"<a/"))}),
    )


class XcapConfiguration(DataObjects):
    """EF.XCAPConfigData: tag 80, inside it the XCAP connection parameters."""

    __slots__ = ()
    NAME: ClassVar[str] = "EF.XCAPConfigData"
    FID: ClassVar[int] = 0x6FFC
    SPEC: ClassVar[str] = "TS 31.103, 4.2.19"
    EXAMPLES: ClassVar[Examples] = (
        ("8005a003820101", {"objects": (tlv.Tlv(0x80, bytes.fromhex("a003820101")),)}),
    )


class WebRtcUri(TextFile):
    """EF.WebRTCURI: one record, the URI of one WebRTC client that reaches this user's IMS."""

    __slots__ = ()
    NAME: ClassVar[str] = "EF.WebRTCURI"
    FID: ClassVar[int] = 0x6FFA
    STRUCTURE: ClassVar[Structure] = Structure.LINEAR_FIXED
    SPEC: ClassVar[str] = "TS 31.103, 4.2.20"
    EXAMPLES: ClassVar[Examples] = (("800f68747470733a2f2f7765627274632f", {"text": "https://webrtc/"}),)


class MudMidConfiguration(DataObjects):
    """EF.MuDMiDConfigData: several devices and several identities; tag 80 the encoding, tag 81 the data."""

    __slots__ = ()
    NAME: ClassVar[str] = "EF.MuDMiDConfigData"
    FID: ClassVar[int] = 0x6FFE
    SPEC: ClassVar[str] = "TS 31.103, 4.2.21"
    EXAMPLES: ClassVar[Examples] = (("800100", {"objects": (tlv.Tlv(0x80, b"\0"),)}),)


@dataclass(frozen=True, slots=True)
class GbaUApi(ElementaryFile):
    """EF.GBAUAPI: one record, one applet (AID) that may use the keys of one NAF."""

    aid: bytes = b""
    naf_id: bytes = b""

    NAME: ClassVar[str] = "EF.GBAUAPI"
    FID: ClassVar[int] = 0x6F0A
    STRUCTURE: ClassVar[Structure] = Structure.LINEAR_FIXED
    SPEC: ClassVar[str] = "TS 31.103, 4.2.22"
    EXAMPLES: ClassVar[Examples] = (
        ("800b05a0000000ff046e616631ff", {"aid": bytes.fromhex("a0000000ff"), "naf_id": b"naf1"}),
        ("ff", {}),
    )

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read the AID and the NAF identifier, each after its length, from the object with tag 80."""
        if is_empty(octets):
            return cls()
        value = tlv.only(octets, TEXT, cls.NAME)
        aid, at = length_value(value, 0, cls.NAME)
        naf_id, _ = length_value(value, at, cls.NAME)
        return cls(aid, naf_id)

    def _contents(self) -> bytes:
        if self == type(self)():
            return b""
        values = (self.aid, self.naf_id)
        return tlv.encode(TEXT, b"".join(fits(len(value), 1, self.NAME) + value for value in values))


@dataclass(frozen=True, slots=True)
class DataChannelIndication(ElementaryFile):
    """EF.IMSDCI: IMS data channel 0 not allowed, 1 after the IMS session, 2 together with it."""

    indication: int

    NAME: ClassVar[str] = "EF.IMSDCI"
    FID: ClassVar[int] = 0x6F0B
    SPEC: ClassVar[str] = "TS 31.103, 4.2.23"
    EXAMPLES: ClassVar[Examples] = (("02", {"indication": 2}),)

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read one octet."""
        return cls(at_least(octets, 1, cls.NAME)[0])

    def _contents(self) -> bytes:
        return fits(self.indication, 1, self.NAME)
