"""Command packets: what an OTA server sends to a card.

Spec: ETSI TS 102 225, section 5.1; 3GPP TS 31.115, section 4.2.

    CPL (2) CHL (1) SPI (2) KIc (1) KID (1) TAR (3) | CNTR (5) PCNTR (1) RC/CC (0 to 8) data and padding

Everything after the bar is ciphered. The check covers all but itself, the padding of the cipher included.
CPL is there even when nothing is protected. A MAC that pads on its own (DES) does so silently: PCNTR does
not count it.
"""

from dataclasses import dataclass

from imslab.errors import Malformed, OtaError
from imslab.octets import exactly
from imslab.uicc.ota import crypto
from imslab.uicc.ota.coding import Check, Spi, Status, checksum_named
from imslab.uicc.ota.keys import KeySet

LARGEST_COUNTER = 0xFFFFFFFFFF
_HEADER, _CLEAR = 13, 10  # octets of the header without CPL, CHL and check; CPL to TAR
_MOST = 0xFFFF


@dataclass(frozen=True, slots=True)
class CommandPacket:
    """A command packet in clear: ``tar`` names the application (3 octets), ``data`` is what it gets."""

    spi: Spi
    kic: int
    kid: int
    tar: bytes
    counter: int
    data: bytes

    def __post_init__(self) -> None:
        exactly("TAR", self.tar, 3)
        if not 0 <= self.counter <= LARGEST_COUNTER:
            raise Malformed("CNTR has 5 octets")
        if not (0 <= self.kic <= 0xFF and 0 <= self.kid <= 0xFF):
            raise Malformed("KIc and KID are one octet each")


@dataclass(frozen=True, slots=True)
class Header:
    """What stands in clear before the ciphered part; ``octets`` is CPL to TAR, ``rest`` what follows."""

    spi: Spi
    kic: int
    kid: int
    tar: bytes
    check_length: int
    octets: bytes
    rest: bytes


def seal(command: CommandPacket, keys: KeySet | None = None) -> bytes:
    """Return the octets of a command packet, protected as its SPI says.

    ``keys`` may be None where neither a MAC nor a cipher is asked for. Raises Malformed when SPI, KIc and
    KID ask for what the key set cannot do.
    """
    spi = command.spi
    length = check_length(spi.check, command.kid, keys)
    demand_cipher(spi.ciphered, command.kic, keys)
    padding = (
        -(6 + length + len(command.data)) % crypto.block_length(keys.cipher) if spi.ciphered and keys else 0
    )
    total = _HEADER + 1 + length + len(command.data) + padding
    if total > _MOST:
        raise Malformed(f"a command packet holds at most {_MOST} octets, not {total}")
    clear = (
        total.to_bytes(2)
        + bytes((_HEADER + length,))
        + bytes(spi)
        + bytes((command.kic, command.kid))
        + command.tar
    )
    counted = command.counter.to_bytes(5) + bytes((padding,))
    data = command.data + bytes(padding)
    check = make_check(spi.check, command.kid, keys, clear + counted + data)
    secured = counted + check + data
    return clear + (crypto.encrypt(keys.cipher, keys.kic, secured) if spi.ciphered and keys else secured)


def read_header(packet: bytes) -> Header:
    """Read what stands in clear; raise Malformed when a length is wrong."""
    if len(packet) < 3 + _HEADER:
        raise Malformed(
            f"a command packet has at least {3 + _HEADER} octets, not {len(packet)}", offset=len(packet)
        )
    if int.from_bytes(packet[:2]) != len(packet) - 2:
        raise Malformed(f"CPL is {int.from_bytes(packet[:2])}, {len(packet) - 2} octets follow", offset=0)
    check = packet[2] - _HEADER
    if not 0 <= check <= len(packet) - 3 - _HEADER:
        raise Malformed(f"CHL is {packet[2]}", offset=2, expected=f"{_HEADER} to {len(packet) - 3}")
    spi, tar = Spi.parse(packet[3:5]), bytes(packet[7:10])
    return Header(spi, packet[5], packet[6], tar, check, bytes(packet[:_CLEAR]), bytes(packet[_CLEAR:]))


def unseal(packet: bytes, keys: KeySet | None = None) -> CommandPacket:
    """Decipher and check a command packet, and return it in clear. The counter is not judged here.

    Raises Malformed when it is none, OtaError with ``status`` 01, 05 or 06 when its protection does not hold.
    """
    header = read_header(packet)
    spi = header.spi
    try:
        demand_cipher(spi.ciphered, header.kic, keys)
        wanted = check_length(spi.check, header.kid, keys)
    except Malformed as error:
        raise OtaError(str(error), status=Status.SECURITY_ERROR) from None
    if wanted != header.check_length:
        raise OtaError(f"a check of {header.check_length} octets, not {wanted}", status=Status.CHECK_FAILED)
    secured = header.rest
    if spi.ciphered and keys is not None:
        try:
            secured = crypto.decrypt(keys.cipher, keys.kic, secured)
        except Malformed as error:
            raise OtaError(str(error), status=Status.CIPHERING_ERROR) from None
    counted, check, data = secured[:6], secured[6 : 6 + wanted], secured[6 + wanted :]
    if not crypto.same(make_check(spi.check, header.kid, keys, header.octets + counted + data), check):
        raise OtaError("the check of the command packet is wrong", status=Status.CHECK_FAILED)
    if counted[5] > len(data):
        raise OtaError("PCNTR counts more octets than there are", status=Status.CIPHERING_ERROR)
    data = data[: len(data) - counted[5]]
    return CommandPacket(spi, header.kic, header.kid, header.tar, int.from_bytes(counted[:5]), data)


def check_length(check: Check, kid: int, keys: KeySet | None) -> int:
    """Return the length of RC or CC in octets; raise Malformed when the key set cannot make it, or for a
    DS.
    """
    if check is Check.NONE:
        return 0
    if check is Check.RC:
        return 2 if checksum_named(kid) == "CRC16" else 4
    if check is Check.DS:
        raise Malformed("digital signatures are not supported: no algorithm is specified for them")
    if keys is None or not keys.signs_as(kid):
        raise Malformed(f"KID {kid:02X} names no key that is here")
    return keys.mac_length


def make_check(check: Check, kid: int, keys: KeySet | None, octets: bytes) -> bytes:
    """Return RC or CC over ``octets``; ``check_length`` has said that it can be made."""
    if check is Check.RC:
        return crypto.checksum(checksum_named(kid), octets)
    if check is Check.CC and keys is not None:
        return crypto.mac(keys.mac, keys.kid, octets, keys.mac_length)
    return b""


def demand_cipher(ciphered: bool, kic: int, keys: KeySet | None) -> None:
    """Raise Malformed when a cipher is asked for and the key set is not the one that KIc names."""
    if ciphered and (keys is None or not keys.ciphers_as(kic)):
        raise Malformed(f"KIc {kic:02X} names no key that is here")
