"""GSMTAP: how APDUs travel in a capture.

Spec: libosmocore's gsmtap.h, version 2: a header of 16 octets, then the octets; UDP port 4729. Type 4 is SIM;
subtype 0 is an APDU with its response as T=0 writes them, 1 an ATR. A case-4 exchange is two packets: the
command with 61xx, and GET RESPONSE with the data. Wireshark and pySim-trace read this form.
"""

from dataclasses import dataclass

from imslab.errors import Malformed
from imslab.uicc.apdu import GET_RESPONSE, split_exchange

PORT = 4729
TYPE_SIM, SUBTYPE_APDU, SUBTYPE_ATR = 0x04, 0x00, 0x01
_VERSION, _HEADER_WORDS = 2, 4
_HEADER = 4 * _HEADER_WORDS


@dataclass(frozen=True, slots=True)
class Gsmtap:
    """One GSMTAP packet: ``type`` 4 is SIM, ``subtype`` 0 APDU or 1 ATR; ``octets`` follow the header."""

    type: int
    subtype: int
    octets: bytes

    @property
    def exchange(self) -> tuple[bytes, bytes] | None:
        """Command and response, or None when this packet holds no whole APDU."""
        if (self.type, self.subtype) != (TYPE_SIM, SUBTYPE_APDU) or len(self.octets) < 7:
            return None
        return split_exchange(self.octets)


def encode(octets: bytes, subtype: int = SUBTYPE_APDU) -> bytes:
    """Return a packet of type SIM."""
    return bytes((_VERSION, _HEADER_WORDS, TYPE_SIM)) + bytes(9) + bytes((subtype, 0, 0, 0)) + octets


def encode_atr(atr: bytes) -> bytes:
    """Return the packet that tells of a reset."""
    return encode(atr, SUBTYPE_ATR)


def encode_exchange(command: bytes, response: bytes) -> list[bytes]:
    """Return the packets of one exchange: two when data went both ways, else one.

    Raises Malformed when the command has under 4 octets, or the response under 2.
    """
    if len(command) < 4 or len(response) < 2:
        raise Malformed(f"no exchange: {len(command)} octets asked, {len(response)} answered")
    header, data, sw = command[:4], response[:-2], response[-2:]
    sent = command[5 : 5 + command[4]] if len(command) > 5 else b""
    if sent and data:
        waits = bytes((0x61, len(data) & 0xFF))
        fetch = bytes((command[0] & 0x7F, GET_RESPONSE, 0, 0, len(data) & 0xFF))
        return [encode(header + bytes((len(sent),)) + sent + waits), encode(fetch + data + sw)]
    # Where Le was open, T=0 would have asked for what came.
    p3 = (
        len(sent)
        or len(data) & 0xFF
        or (command[4] if len(command) == 5 and sw[0] not in (0x90, 0x91) else 0)
    )
    return [encode(header + bytes((p3,)) + sent + data + sw)]


def decode(payload: bytes) -> Gsmtap:
    """Read one GSMTAP packet of any type; raise Malformed when it is none."""
    if len(payload) < _HEADER:
        raise Malformed("a GSMTAP header has 16 octets", offset=len(payload))
    if payload[0] not in (_VERSION, 3):
        raise Malformed(f"GSMTAP version {payload[0]}", offset=0, expected="2")
    start = 4 * payload[1]
    if not _HEADER <= start <= len(payload):
        raise Malformed(f"GSMTAP header of {start} octets", offset=1, expected="16 or more, all there")
    return Gsmtap(payload[2], payload[12], bytes(payload[start:]))
