"""Wireshark's table of security associations, ``esp_sa``: read, matched, written.

Spec: Wireshark's User's Guide, "ESP SAs": family, source, destination, SPI, encryption and its key,
authentication and its key, each in quotes. A key is 0x and hex, or text. ``*`` stands for any address, any
octet of one, any SPI, or any hex digit of one. Wireshark checks nothing under the names that end in "[no
checking]"; neither do we.
"""

import csv
import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

from imslab.errors import Malformed
from imslab.ipsec import SecurityAssociation
from imslab.octets import unhex

ENCRYPTIONS = {
    "NULL": "null",
    "TripleDES-CBC [RFC2451]": "des-ede3-cbc",
    "AES-CBC [RFC3602]": "aes-cbc",
    "AES-CTR [RFC3686]": "aes-ctr",
    "DES-CBC [RFC2405]": "des-cbc",
    "AES-GCM [RFC4106]": "aes-gcm",
    "AES-GCM with 16 octet ICV [RFC4106]": "aes-gcm",
}
# name -> (ours, octets of its key: shorter ones are filled with zeros, which changes no HMAC)
INTEGRITIES = {
    "NULL": ("null", 0),
    "HMAC-SHA-1-96 [RFC2404]": ("hmac-sha-1-96", 20),
    "HMAC-MD5-96 [RFC2403]": ("hmac-md5-96", 16),
    "HMAC-SHA-256-128 [RFC4868]": ("hmac-sha-256-128", 32),
    "HMAC-SHA-384-192 [RFC4868]": ("hmac-sha-384-192", 48),
    "HMAC-SHA-512-256 [RFC4868]": ("hmac-sha-512-256", 64),
}
_UNCHECKED = re.compile(r"ANY (64|96|128|192|256) bit authentication \[no checking\]")
_FIELDS = 8
_GCM_ICV = 16  # octets
_MOST = 10_000  # rows
_HEADING = "# Written by imslab. Keys: whoever has this file reads the traffic."


@dataclass(frozen=True, slots=True)
class Row:
    """One row: which packets, and how they are opened.

    ``source, destination``  addresses, or patterns;  ``spi``: "0x00001000", or a pattern
    ``encryption, integrity``  by the names of `imslab.ipsec.transforms`
    ``unchecked``  octets of a check value that nobody can check; None: ``integrity`` says it
    """

    source: str
    destination: str
    spi: str
    encryption: str
    encryption_key: bytes = field(repr=False)
    integrity: str
    integrity_key: bytes = field(repr=False)
    unchecked: int | None = None

    def fits(self, source: str, destination: str, spi: int) -> bool:
        """Tell whether packets of this SPI between these addresses are meant."""
        ends = _is_like(source, self.source) and _is_like(destination, self.destination)
        return ends and _is_spi(spi, self.spi)

    def association(self, spi: int) -> SecurityAssociation:
        """Return the association for an SPI that fits; Malformed when the keys have a wrong length."""
        return SecurityAssociation(
            spi, self.encryption, self.encryption_key, self.integrity, self.integrity_key
        )


def parse(text: str) -> list[Row]:
    """Read a table; Malformed, with its line, for what Wireshark would not take or we cannot open."""
    rows: list[Row] = []
    for number, fields in enumerate(csv.reader(text.splitlines()), 1):
        if not fields or fields[0].lstrip().startswith("#"):
            continue
        if len(rows) >= _MOST:
            raise Malformed(f"esp_sa, line {number}: more than {_MOST} rows")
        try:
            rows.append(_row([value.strip() for value in fields]))
        except Malformed as error:
            raise Malformed(f"esp_sa, line {number}: {error}") from None
    return rows


def read(path: str | PathLike[str]) -> list[Row]:
    """Read the table in a file; Malformed when there is none, or it cannot be read."""
    try:
        return parse(Path(path).read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise Malformed(f"{path} cannot be read as a table of associations: {reason}") from None


def written(rows: Iterable[Row]) -> str:
    """Return the table as Wireshark reads it."""
    return "\n".join([_HEADING, *map(_line, rows)]) + "\n"


def is_known_to_wireshark(row: Row) -> bool:
    """Tell whether Wireshark has a name for both algorithms of a row: it has none for AES-GMAC."""
    return row.integrity in {ours for ours, _ in INTEGRITIES.values()}


def _row(fields: Sequence[str]) -> Row:
    if len(fields) < _FIELDS:
        raise Malformed(f"{len(fields)} fields", expected=f"{_FIELDS}: see the User's Guide, ESP SAs")
    _, source, destination, spi, encryption, encryption_key, integrity, integrity_key = fields[:_FIELDS]
    if encryption not in ENCRYPTIONS:
        raise Malformed(f"encryption {encryption[:60]!r} is not known here", expected=", ".join(ENCRYPTIONS))
    checked = _integrity(integrity, _key("integrity key", integrity_key))
    if ENCRYPTIONS[encryption] == "aes-gcm":  # it authenticates by itself
        if checked[2] not in (None, _GCM_ICV):
            raise Malformed("AES-GCM has a check value of 16 octets here")
        checked = "null", b"", None
    found = Row(
        _address(source),
        _address(destination),
        _spi(spi),
        ENCRYPTIONS[encryption],
        _key("encryption key", encryption_key),
        *checked,
    )
    found.association(1)  # raises when the keys do not fit the algorithms
    return found


def _integrity(name: str, key: bytes) -> tuple[str, bytes, int | None]:
    unchecked = _UNCHECKED.fullmatch(name)
    if unchecked:
        return "null", b"", int(unchecked[1]) // 8
    if name not in INTEGRITIES:
        raise Malformed(f"authentication {name[:60]!r} is not known here", expected=", ".join(INTEGRITIES))
    ours, length = INTEGRITIES[name]
    return ours, key.ljust(length, b"\0") if length else b"", None


def _key(name: str, text: str) -> bytes:
    return unhex(name, text) if text[:2].lower() == "0x" else text.encode()


def _address(text: str) -> str:
    if "*" in text:
        return text
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise Malformed(f"{text[:60]!r} is no address", expected="an address, or *") from None


def _spi(text: str) -> str:
    """Return an SPI as 0x and eight digits, ``*`` among them where any digit will do."""
    if text == "*":
        return text
    if text[:2].lower() == "0x" and re.fullmatch(r"[0-9a-fA-F*]{1,8}", text[2:]):
        return "0x" + text[2:].lower().rjust(8, "0")
    if text.isdecimal() and len(text) <= 10 and int(text) < 1 << 32:
        return f"0x{int(text):08x}"
    raise Malformed(f"{text[:60]!r} is no SPI", expected="a number, 0x and hex digits, or *")


def _is_like(address: str, pattern: str) -> bool:
    if pattern == "*" or address == pattern:
        return True
    separator = ":" if ":" in pattern else "."
    given, wanted = address.split(separator), pattern.split(separator)
    return len(given) == len(wanted) and all(
        want in ("*", have) for have, want in zip(given, wanted, strict=True)
    )


def _is_spi(spi: int, pattern: str) -> bool:
    digits = f"0x{spi:08x}"
    return pattern == "*" or all(want in ("*", have) for have, want in zip(digits, pattern, strict=True))


def _line(row: Row) -> str:
    encryption = next(name for name, ours in ENCRYPTIONS.items() if ours == row.encryption)
    integrity = next(name for name, (ours, _) in INTEGRITIES.items() if ours == row.integrity)
    if row.encryption == "aes-gcm":
        encryption = "AES-GCM with 16 octet ICV [RFC4106]"
    if row.unchecked is not None:
        integrity = f"ANY {row.unchecked * 8} bit authentication [no checking]"
    family = "IPv6" if ":" in row.source + row.destination else "IPv4"
    keys = [f"0x{key.hex()}" if key else "" for key in (row.encryption_key, row.integrity_key)]
    values = [family, row.source, row.destination, row.spi, encryption, keys[0], integrity, keys[1]]
    return ",".join(f'"{value}"' for value in values)
