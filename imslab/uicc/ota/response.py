"""Response packets: the proof of receipt that a card sends back.

Spec: ETSI TS 102 225, section 5.2; 3GPP TS 31.115, section 4.3.

    RPL (2) RHL (1) TAR (3) | CNTR (5) PCNTR (1) status (1) RC/CC (0 to 8) data and padding

Everything after the bar is ciphered. Real cards count the user data header, 02 71 00, as part of what the
check covers.
"""

from dataclasses import dataclass

from imslab.errors import Malformed, OtaError
from imslab.octets import exactly
from imslab.uicc.ota import crypto
from imslab.uicc.ota.coding import Check, Spi, Status
from imslab.uicc.ota.keys import KeySet
from imslab.uicc.ota.packet import CommandPacket, check_length, demand_cipher, make_check

RESPONSE_HEADER = bytes.fromhex("027100")
_HEADER, _CLEAR = 10, 6  # octets of the header without RPL, RHL and check; RPL to TAR


@dataclass(frozen=True, slots=True)
class ResponsePacket:
    """A proof of receipt: ``tar`` and ``counter`` are those of the command that it answers.

    ``data``      what the application answered
    ``verified``  whether it was protected as the command asked; if not, it says only that an error occurred
    """

    tar: bytes
    counter: int
    status: Status
    data: bytes = b""
    verified: bool = True


def seal_response(response: ResponsePacket, command: CommandPacket, keys: KeySet | None = None) -> bytes:
    """Return the octets of a response packet, protected as the SPI of ``command`` asks.

    One that is not ``verified`` is left without protection. Raises Malformed when the key set cannot do
    what is asked.
    """
    spi = command.spi if response.verified else _UNPROTECTED
    length = check_length(spi.proof_check, command.kid, keys)
    demand_cipher(spi.proof_ciphered, command.kic, keys)
    block = crypto.block_length(keys.cipher) if spi.proof_ciphered and keys else 1
    padding = -(7 + length + len(response.data)) % block
    total = _HEADER + 1 + length + len(response.data) + padding
    if total > 0xFFFF:
        raise Malformed(f"a response packet holds at most 65535 octets, not {total}")
    clear = total.to_bytes(2) + bytes((_HEADER + length,)) + exactly("TAR", response.tar, 3)
    counted = response.counter.to_bytes(5) + bytes((padding, response.status))
    data = response.data + bytes(padding)
    check = make_check(spi.proof_check, command.kid, keys, RESPONSE_HEADER + clear + counted + data)
    secured = counted + check + data
    return clear + (
        crypto.encrypt(keys.cipher, keys.kic, secured) if spi.proof_ciphered and keys else secured
    )


def unseal_response(packet: bytes, command: CommandPacket, keys: KeySet | None = None) -> ResponsePacket:
    """Open a response packet to ``command``, which says how it is protected.

    An error without data and without protection comes back with ``verified`` False: the card could not use
    its keys, or somebody on the way made it up. Raises Malformed when it is no response packet, OtaError
    when its protection does not hold or when it answers another command.
    """
    rest, announced = _body(packet)
    if (bare := _bare_error(packet, rest, announced, command.spi)) is not None:
        return bare
    spi = command.spi
    length = check_length(spi.proof_check, command.kid, keys)
    demand_cipher(spi.proof_ciphered, command.kic, keys)
    if announced != length:
        raise OtaError(f"a check of {announced} octets, not {length}", status=None)
    if spi.proof_ciphered and keys is not None:
        rest = crypto.decrypt(keys.cipher, keys.kic, rest)
    counted, check, data = rest[:7], rest[7 : 7 + length], rest[7 + length :]
    covered = RESPONSE_HEADER + packet[:_CLEAR] + counted + data
    if not crypto.same(make_check(spi.proof_check, command.kid, keys, covered), check):
        raise OtaError("the check of the response packet is wrong", status=None)
    # A card that does not pad may still fill PCNTR with what it likes; more than there is cannot be.
    if counted[5] > len(data):
        raise Malformed("PCNTR counts more octets than there are", offset=_CLEAR + 5)
    response = _response(packet[3:6], counted, data[: len(data) - counted[5]], verified=True)
    if (response.tar, response.counter) != (command.tar, command.counter):
        raise OtaError("the response packet answers another command", status=None)
    return response


_UNPROTECTED = Spi(proof_check=Check.NONE, proof_ciphered=False)


def _body(packet: bytes) -> tuple[bytes, int]:
    """Return what follows TAR, and how long the check is said to be."""
    if len(packet) < 3 + _HEADER:
        raise Malformed(
            f"a response packet has at least {3 + _HEADER} octets, not {len(packet)}", offset=len(packet)
        )
    if int.from_bytes(packet[:2]) != len(packet) - 2:
        raise Malformed(f"RPL is {int.from_bytes(packet[:2])}, {len(packet) - 2} octets follow", offset=0)
    announced = packet[2] - _HEADER
    if not 0 <= announced <= len(packet) - 3 - _HEADER:
        raise Malformed(f"RHL is {packet[2]}", offset=2, expected=f"{_HEADER} to {len(packet) - 3}")
    return bytes(packet[_CLEAR:]), announced


def _bare_error(packet: bytes, rest: bytes, announced: int, spi: Spi) -> ResponsePacket | None:
    # Seven octets are never whole blocks: this cannot be a ciphered response.
    protected = spi.proof_check is not Check.NONE or spi.proof_ciphered
    if not protected or announced or len(rest) != 7 or rest[6] == Status.OK:
        return None
    return _response(packet[3:6], rest, b"", verified=False)


def _response(tar: bytes, counted: bytes, data: bytes, *, verified: bool) -> ResponsePacket:
    try:
        status = Status(counted[6])
    except ValueError:
        raise Malformed(f"response status {counted[6]:02X} is reserved", offset=_CLEAR + 6) from None
    return ResponsePacket(bytes(tar), int.from_bytes(counted[:5]), status, data, verified)
