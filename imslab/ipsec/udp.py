"""ESP inside UDP, for a terminal behind a NAT.

Spec: RFC 3948, sections 2 and 3; 3GPP TS 33.203, annex M (mod=UDP-enc-tun). IKE shares the port: its
messages begin with four zero octets, which no SPI may be. One octet FF keeps the NAT's mapping alive.
"""

from imslab.errors import EspError

PORT = 4500
KEEPALIVE = b"\xff"

_NO_SPI = bytes(4)
_LEAST = 8  # octets: SPI and sequence number


def wrap(packet: bytes) -> bytes:
    """Return the UDP payload that carries an ESP packet: the packet itself; EspError when it is none."""
    if unwrap(packet) is None:
        raise EspError("that is no ESP packet: it is too short, or its SPI is 0")
    return packet


def unwrap(payload: bytes) -> bytes | None:
    """Return the ESP packet in a UDP payload; None for a keepalive, for IKE, and for what is too short."""
    if len(payload) < _LEAST or payload.startswith(_NO_SPI):
        return None
    return payload
