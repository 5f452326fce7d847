"""The parts of a secured packet by name, for pictures.

Spec: ETSI TS 102 225, sections 5.1 and 5.2.
"""

from imslab.uicc.ota import crypto
from imslab.uicc.ota.coding import Check
from imslab.uicc.ota.keys import KeySet
from imslab.uicc.ota.packet import Header, read_header, unseal

Parts = list[tuple[str, bytes]]


def sealed_parts(packet: bytes) -> Parts:
    """Divide a command packet as anybody sees it; raise Malformed when it is none."""
    header = read_header(packet)
    if header.spi.ciphered:
        return [*_clear(packet), ("ciphered", header.rest)]
    return [*_clear(packet), *_secured(header.rest, header)]


def opened_parts(packet: bytes, keys: KeySet) -> Parts:
    """Divide a command packet as the owner of the keys sees it; raises what ``unseal`` raises."""
    unseal(packet, keys)
    header = read_header(packet)
    rest = header.rest
    if header.spi.ciphered:
        rest = crypto.decrypt(keys.cipher, keys.kic, rest)
    return [*_clear(packet), *_secured(rest, header)]


def _clear(packet: bytes) -> Parts:
    edges = {"CPL, CHL": (0, 3), "SPI": (3, 5), "KIc, KID": (5, 7), "TAR": (7, 10)}
    return [(name, bytes(packet[start:end])) for name, (start, end) in edges.items()]


def _secured(rest: bytes, header: Header) -> Parts:
    start, end = 6 + header.check_length, len(rest) - rest[5]
    check = "MAC" if header.spi.check is Check.CC else "checksum"
    parts = [("CNTR", rest[:5]), ("PCNTR", rest[5:6]), (check, rest[6:start]), ("data", rest[start:end])]
    return [(name, value) for name, value in [*parts, ("padding", rest[end:])] if value]
