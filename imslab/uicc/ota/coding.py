"""SPI, KIc and KID: the four octets that say how a secured packet is protected.

Spec: ETSI TS 102 225, sections 5.1.1 (SPI), 5.1.2 (KIc), 5.1.3 (KID). Bits are numbered from 1, the lowest.
Bits that the specification keeps for later are passed over when they are read, and written as 0.
"""

from dataclasses import dataclass
from enum import IntEnum

from imslab.errors import Malformed
from imslab.octets import exactly


class Check(IntEnum):
    """What proves that a packet is whole: nothing, a checksum (RC), a MAC (CC), a signature (DS)."""

    NONE, RC, CC, DS = range(4)


class Counting(IntEnum):
    """What the receiver does with CNTR: not there, not looked at, must be higher, must be exactly one
    higher.
    """

    NONE, UNCHECKED, HIGHER, NEXT = range(4)


class Proof(IntEnum):
    """When a proof of receipt (PoR) is wanted."""

    NEVER, ALWAYS, ON_ERROR = range(3)


class Status(IntEnum):
    """Response status code (TS 102 225, section 5.2, table 5)."""

    OK = 0x00
    CHECK_FAILED = 0x01
    COUNTER_LOW = 0x02
    COUNTER_HIGH = 0x03
    COUNTER_BLOCKED = 0x04
    CIPHERING_ERROR = 0x05
    SECURITY_ERROR = 0x06
    NO_MEMORY = 0x07
    MORE_TIME = 0x08
    TAR_UNKNOWN = 0x09
    INSUFFICIENT_SECURITY = 0x0A
    RESPONSE_IN_SUBMIT = 0x0B
    RESPONSE_IN_USSD = 0x0C

    @property
    def words(self) -> str:
        """The status in words."""
        return _WORDS[self]


_WORDS = {
    Status.OK: "PoR OK",
    Status.CHECK_FAILED: "RC, CC or DS failed",
    Status.COUNTER_LOW: "CNTR low",
    Status.COUNTER_HIGH: "CNTR high",
    Status.COUNTER_BLOCKED: "CNTR blocked",
    Status.CIPHERING_ERROR: "ciphering error",
    Status.SECURITY_ERROR: "unidentified security error",
    Status.NO_MEMORY: "insufficient memory",
    Status.MORE_TIME: "more time is needed",
    Status.TAR_UNKNOWN: "TAR unknown",
    Status.INSUFFICIENT_SECURITY: "insufficient security level",
    Status.RESPONSE_IN_SUBMIT: "the response comes by SMS-SUBMIT",
    Status.RESPONSE_IN_USSD: "the response comes by USSD",
}


@dataclass(frozen=True, slots=True)
class Spi:
    """Security parameter indication, 2 octets: how the command is protected, and how its answer shall be.

    ``check``, ``ciphered``, ``counting``         of the command (first octet)
    ``proof``, ``proof_check``, ``proof_ciphered``  of the proof of receipt (second octet)
    ``by_submit``                                 the proof comes as an SMS-SUBMIT, not in the delivery report
    """

    check: Check = Check.CC
    ciphered: bool = True
    counting: Counting = Counting.HIGHER
    proof: Proof = Proof.ALWAYS
    proof_check: Check = Check.CC
    proof_ciphered: bool = True
    by_submit: bool = False

    @classmethod
    def parse(cls, octets: bytes) -> "Spi":
        """Read 2 octets; raise Malformed for the reserved kind of proof."""
        first, second = exactly("SPI", octets, 2)
        if second & 0x03 == 0x03:
            raise Malformed("SPI: proof of receipt 11 is reserved", offset=1)
        return cls(
            Check(first & 0x03),
            bool(first & 0x04),
            Counting(first >> 3 & 0x03),
            Proof(second & 0x03),
            Check(second >> 2 & 0x03),
            bool(second & 0x10),
            bool(second & 0x20),
        )

    def __bytes__(self) -> bytes:
        first = self.check | self.ciphered << 2 | self.counting << 3
        second = self.proof | self.proof_check << 2 | self.proof_ciphered << 4 | self.by_submit << 5
        return bytes((first, second))

    def reaches(self, least: "Spi") -> bool:
        """Tell whether a command protected like this is protected at least as ``least`` says."""
        enough = self.check >= least.check and self.counting >= least.counting
        return enough and self.ciphered >= least.ciphered


# The low half of KIc and KID names the algorithm, the high half the version of the key set. Bits 1 and 2 at
# 00 say that both sides know the algorithm; "3DES-ECB" can be named only like that.
CIPHERS = {
    "DES-CBC": (0x01, (8,)),
    "3DES-CBC-2": (0x05, (16,)),
    "3DES-CBC-3": (0x09, (24,)),
    "DES-ECB": (0x0D, (8,)),
    "AES-CBC": (0x02, (16, 24, 32)),
    "3DES-ECB": (0x00, (16, 24)),
}
MACS = {
    "DES-CBC-MAC": (0x01, (8,)),
    "3DES-CBC-MAC-2": (0x05, (16,)),
    "3DES-CBC-MAC-3": (0x09, (24,)),
    "AES-CMAC": (0x02, (16, 24, 32)),
}
CHECKSUMS = {"CRC16": 0x01, "CRC32": 0x05}


def version(octet: int) -> int:
    """Return the version of the key set, 0 to 15, that a KIc or a KID names."""
    return octet >> 4 & 0x0F


def is_implicit(octet: int) -> bool:
    """Tell whether a KIc or a KID leaves the algorithm to what both sides know."""
    return octet & 0x03 == 0


def checksum_named(kid: int) -> str:
    """Return the checksum that a KID names, CRC32 where it leaves it open; else raise Malformed."""
    if is_implicit(kid):
        return "CRC32"
    found = [name for name, code in CHECKSUMS.items() if kid & 0x0F == code]
    if not found:
        raise Malformed(f"KID {kid:02X} names no checksum", expected="01 (CRC16) or 05 (CRC32)")
    return found[0]
