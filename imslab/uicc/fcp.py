"""The file control parameters that SELECT and STATUS return.

Spec: ETSI TS 102 221, section 11.1.1.3. A template (tag 62) of data objects; this module keeps all of them in
their order, so that a template that was read is written again octet for octet.
"""

from dataclasses import dataclass
from typing import Self

from imslab.errors import Malformed
from imslab.octets import exactly
from imslab.uicc import tlv
from imslab.uicc.files.base import Structure

TEMPLATE, DESCRIPTOR, FID, DF_NAME = 0x62, 0x82, 0x83, 0x84
PROPRIETARY, LIFE_CYCLE, SECURITY_REFERENCE, SIZE, SFI, PIN_STATUS = 0xA5, 0x8A, 0x8B, 0x80, 0x88, 0xC6
_KEY_REFERENCE, _PS_DO = 0x83, 0x90
_STRUCTURES = {
    0x01: Structure.TRANSPARENT,
    0x02: Structure.LINEAR_FIXED,
    0x06: Structure.CYCLIC,
    0x39: Structure.BER_TLV,
}
_DIRECTORY = 0x38
_SHAREABLE = 0x40
_DATA_CODING = 0x21
# UICC characteristics 71 (clock may stop, three supply voltages); 87: TERMINAL CAPABILITY is supported.
_MF_PROPRIETARY = bytes.fromhex("800171870101")


@dataclass(frozen=True, slots=True)
class Fcp:
    """A template read or to be written; what is not there is None, or 0 for counts."""

    objects: tuple[tlv.Tlv, ...]

    @classmethod
    def parse(cls, octets: bytes) -> Self:
        """Read an FCP template; raise Malformed when it is cut, or no template."""
        return cls(tuple(tlv.parse(tlv.only(octets, TEMPLATE, "the FCP"))))

    def __bytes__(self) -> bytes:
        return tlv.encode(TEMPLATE, b"".join(map(bytes, self.objects)))

    @property
    def fid(self) -> int | None:
        """The file identifier."""
        value = tlv.first(self.objects, FID)
        return None if value is None else int.from_bytes(value)

    @property
    def aid(self) -> bytes | None:
        """The DF name of an application."""
        return tlv.first(self.objects, DF_NAME)

    @property
    def is_directory(self) -> bool:
        """Whether this is an MF, a DF or an ADF."""
        return self._descriptor[:1] != b"" and self._descriptor[0] & 0x3F == _DIRECTORY

    @property
    def structure(self) -> Structure | None:
        """How an EF's contents are divided; None for a directory."""
        octet = self._descriptor[0] & 0x3F if self._descriptor else 0
        return _STRUCTURES.get(octet) or _STRUCTURES.get(octet & 0x07 if octet != _DIRECTORY else 0)

    @property
    def record_length(self) -> int:
        """The length of each record in octets; 0 when the file has none."""
        return int.from_bytes(self._descriptor[2:4]) if len(self._descriptor) >= 5 else 0

    @property
    def records(self) -> int:
        """How many records there are."""
        return self._descriptor[4] if len(self._descriptor) >= 5 else 0

    @property
    def size(self) -> int | None:
        """The octets of an EF's contents."""
        value = tlv.first(self.objects, SIZE)
        return None if value is None else int.from_bytes(value)

    @property
    def sfi(self) -> int | None:
        """The short file identifier, 1 to 30; None when the file has none, or the card does not say it."""
        value = tlv.first(self.objects, SFI)
        return value[0] >> 3 if value else None

    @property
    def access_rule(self) -> tuple[int, int] | None:
        """The EF.ARR (its file identifier) and the record in it that hold the access rules."""
        value = tlv.first(self.objects, SECURITY_REFERENCE)
        return (int.from_bytes(value[:2]), value[2]) if value is not None and len(value) == 3 else None

    @property
    def pins(self) -> dict[int, bool]:
        """The key references of a directory, and which of them are enabled; raises Malformed when cut."""
        value = tlv.first(self.objects, PIN_STATUS)
        objects = tlv.parse(value) if value is not None else []
        bits = tlv.first(objects, _PS_DO) or b""
        references = [content[0] for tag, content in objects if tag == _KEY_REFERENCE and content]
        return {
            key: bool(bits[n // 8] >> 7 - n % 8 & 1) for n, key in enumerate(references) if n < 8 * len(bits)
        }

    @property
    def _descriptor(self) -> bytes:
        return tlv.first(self.objects, DESCRIPTOR) or b""


def for_file(
    fid: int,
    structure: Structure,
    size: int,
    *,
    rule: tuple[int, int],
    sfi: int | None,
    record_length: int = 0,
) -> Fcp:
    """Return the template of an EF of ``size`` octets; ``rule`` is EF.ARR's identifier and a record in it."""
    descriptor = bytes((_SHAREABLE | _descriptor_bits(structure), _DATA_CODING))
    if record_length:
        descriptor += record_length.to_bytes(2) + bytes((size // record_length,))
    return Fcp(
        (
            tlv.Tlv(DESCRIPTOR, descriptor),
            tlv.Tlv(FID, fid.to_bytes(2)),
            tlv.Tlv(LIFE_CYCLE, b"\x05"),
            tlv.Tlv(SECURITY_REFERENCE, rule[0].to_bytes(2) + bytes((rule[1],))),
            tlv.Tlv(SIZE, size.to_bytes(2)),
            # An empty object says: no short identifier (without the object it would follow from the FID).
            tlv.Tlv(SFI, bytes((sfi << 3,)) if sfi else b""),
        )
    )


def for_directory(fid: int, *, aid: bytes, rule: tuple[int, int], pins: dict[int, bool]) -> Fcp:
    """Return the template of an MF, DF or ADF; ``aid`` is empty for all but an ADF."""
    if len(pins) > 8:
        raise Malformed("one octet of PIN status holds 8 keys")
    status = bytes((sum(0x80 >> n for n, enabled in enumerate(pins.values()) if enabled),))
    keys = b"".join(tlv.encode(_KEY_REFERENCE, bytes((reference,))) for reference in pins)
    name = (tlv.Tlv(DF_NAME, exactly("AID", aid, *range(5, 17))),) if aid else ()
    return Fcp(
        (
            tlv.Tlv(DESCRIPTOR, bytes((_SHAREABLE | _DIRECTORY, _DATA_CODING))),
            tlv.Tlv(FID, fid.to_bytes(2)),
            *name,
            tlv.Tlv(PROPRIETARY, _MF_PROPRIETARY),
            tlv.Tlv(LIFE_CYCLE, b"\x05"),
            tlv.Tlv(SECURITY_REFERENCE, rule[0].to_bytes(2) + bytes((rule[1],))),
            tlv.Tlv(PIN_STATUS, tlv.encode(_PS_DO, status) + keys),
        )
    )


def _descriptor_bits(structure: Structure) -> int:
    return next(bits for bits, found in _STRUCTURES.items() if found is structure)
