"""A key set: what one version number in KIc and KID stands for.

Spec: ETSI TS 102 225, sections 5.1.2 and 5.1.3; TS 102 226, section 8.2 (minimum security level). Server
and card hold the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from imslab.errors import Malformed
from imslab.octets import exactly, unhex
from imslab.uicc.ota.coding import CIPHERS, MACS, Check, Counting, Spi, is_implicit

# What a key set demands unless it says otherwise: a MAC, a ciphered packet, and a counter that rises.
STRICT = Spi(Check.CC, True, Counting.HIGHER)
_FIELDS = ("version", "cipher", "kic", "mac", "kid", "mac_length", "minimum")


@dataclass(frozen=True, slots=True)
class KeySet:
    """One key set.

    ``version``     0 to 15, as the high half of KIc and KID names it
    ``cipher``, ``kic``  a name of CIPHERS and its key; "" and nothing when it cannot cipher
    ``mac``, ``kid``     a name of MACS and its key; "" and nothing when it cannot make a MAC
    ``mac_length``  octets of the cryptographic checksum: 8, or 4 with AES-CMAC
    ``minimum``     the least protection that a command must have

    Raises Malformed when an algorithm is unknown or a key does not fit it.
    """

    version: int
    cipher: str = ""
    kic: bytes = field(default=b"", repr=False)
    mac: str = ""
    kid: bytes = field(default=b"", repr=False)
    mac_length: int = 8
    minimum: Spi = STRICT

    def __post_init__(self) -> None:
        if type(self.version) is not int or not 0 <= self.version <= 15:
            raise Malformed("ota: the version of a key set is 0 to 15")
        _fit("cipher", self.cipher, self.kic, CIPHERS)
        _fit("mac", self.mac, self.kid, MACS)
        if self.mac_length not in ((4, 8) if self.mac == "AES-CMAC" else (8,)):
            raise Malformed("ota: mac_length must be 8, or 4 with AES-CMAC")

    @property
    def kic_octet(self) -> int:
        """KIc as a packet names it: version and cipher."""
        return self.version << 4 | (CIPHERS[self.cipher][0] if self.cipher else 0)

    @property
    def kid_octet(self) -> int:
        """KID as a packet names it: version and MAC."""
        return self.version << 4 | (MACS[self.mac][0] if self.mac else 0)

    def ciphers_as(self, kic: int) -> bool:
        """Tell whether ``kic`` names this set's cipher, or leaves it to what both sides know."""
        return bool(self.cipher) and (is_implicit(kic) or kic & 0x0F == CIPHERS[self.cipher][0])

    def signs_as(self, kid: int) -> bool:
        """Tell whether ``kid`` names this set's MAC, or leaves it to what both sides know."""
        return bool(self.mac) and (is_implicit(kid) or kid & 0x0F == MACS[self.mac][0])

    @classmethod
    def from_dict(cls, values: object) -> "KeySet":
        """Read one row of a profile's ``ota`` table; keys and ``minimum`` (2 octets of SPI) are hex.

        Raises Malformed naming the key of the row, never its value.
        """
        if not isinstance(values, Mapping):
            raise Malformed("ota: a key set is a table of keys and values")
        unknown = sorted(str(key) for key in values if key not in _FIELDS)
        if unknown:
            raise Malformed(f"ota: unknown key {unknown[0]!r}", expected=f"one of {', '.join(_FIELDS)}")
        if "version" not in values:
            raise Malformed("ota: key 'version' is missing")
        return cls(**{key: _from_plain(key, value) for key, value in values.items()})

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, secrets included."""
        return {
            "version": self.version,
            "cipher": self.cipher,
            "kic": self.kic.hex(),
            "mac": self.mac,
            "kid": self.kid.hex(),
            "mac_length": self.mac_length,
            "minimum": bytes(self.minimum).hex(),
        }


def _fit(key: str, name: object, octets: bytes, known: Mapping[str, tuple[int, tuple[int, ...]]]) -> None:
    if name == "" and not octets:
        return
    if not isinstance(name, str) or name not in known:
        raise Malformed(f"ota: unknown {key}", expected=", ".join(known))
    exactly(f"ota: the key of {name}", octets, *known[name][1])


def _from_plain(key: str, value: object) -> Any:
    if key in ("version", "mac_length"):
        if type(value) is not int:
            raise Malformed(f"ota: {key} must be a number")
        return value
    if not isinstance(value, str):
        raise Malformed(f"ota: {key} must be text in quotes")
    if key == "minimum":
        return Spi.parse(unhex("ota: minimum", value))
    return unhex(f"ota: {key}", value) if key in ("kic", "kid") else value
