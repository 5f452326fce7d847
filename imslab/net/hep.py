"""HEP version 3: copies of SIP messages that a proxy sends to whoever records them.

Spec: Homer Encapsulation Protocol, HEP3 (sipcapture): "HEP3", a length, then chunks of vendor, type, length
and value. Kamailio's siptrace and many others send it over UDP.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from dataclasses import dataclass

from imslab.errors import Malformed
from imslab.net.udp import cannot_bind

MAGIC = b"HEP3"
SIP = 1  # protocol type
UDP, TCP = 17, 6
_FAMILY, _PROTOCOL, _SOURCE_4, _DESTINATION_4, _SOURCE_6, _DESTINATION_6 = 1, 2, 3, 4, 5, 6
_SOURCE_PORT, _DESTINATION_PORT, _SECONDS, _MICROSECONDS, _TYPE, _AGENT, _PAYLOAD = 7, 8, 9, 10, 11, 12, 15
_CHUNK = 6  # octets of a chunk's header


@dataclass(frozen=True, slots=True)
class Copy:
    """A message that somebody saw.

    ``at``        epoch seconds
    ``protocol``  17 for UDP, 6 for TCP (IANA);  ``type``: 1 for SIP
    ``agent``     the number by which the one who saw it calls itself
    """

    at: float
    source: tuple[str, int]
    destination: tuple[str, int]
    protocol: int
    type: int
    agent: int
    payload: bytes

    @classmethod
    def parse(cls, octets: bytes) -> "Copy":
        """Read one HEP3 packet; Malformed when it is none, is cut, or lacks an address or the payload."""
        chunks = _chunks(octets)
        source = chunks.get(_SOURCE_4) or chunks.get(_SOURCE_6, b"")
        destination = chunks.get(_DESTINATION_4) or chunks.get(_DESTINATION_6, b"")
        if _PAYLOAD not in chunks or len(source) not in (4, 16) or len(destination) not in (4, 16):
            raise Malformed("a HEP packet without addresses or payload")
        number = {kind: int.from_bytes(value) for kind, value in chunks.items() if len(value) <= 4}
        return cls(
            number.get(_SECONDS, 0) + number.get(_MICROSECONDS, 0) / 1e6,
            (str(ipaddress.ip_address(source)), number.get(_SOURCE_PORT, 0)),
            (str(ipaddress.ip_address(destination)), number.get(_DESTINATION_PORT, 0)),
            number.get(_PROTOCOL, UDP),
            number.get(_TYPE, SIP),
            number.get(_AGENT, 0),
            chunks[_PAYLOAD],
        )


def _chunks(octets: bytes) -> dict[int, bytes]:
    if octets[:4] != MAGIC or len(octets) < 6:
        raise Malformed("no HEP packet", offset=0, expected="HEP3 and a length")
    end = int.from_bytes(octets[4:6])
    if end > len(octets):
        raise Malformed(f"a HEP packet of {end} octets in {len(octets)}", offset=4)
    found: dict[int, bytes] = {}
    at = 6
    while at < end:
        length = int.from_bytes(octets[at + 4 : at + 6])
        if not _CHUNK <= length <= end - at:
            raise Malformed("a chunk of a HEP packet that is too long or too short", offset=at)
        if octets[at : at + 2] == b"\0\0":  # generic: other vendors' types are their own
            found.setdefault(int.from_bytes(octets[at + 2 : at + 4]), octets[at + _CHUNK : at + length])
        at += length
    return found


class HepListener(asyncio.DatagramProtocol):
    """A UDP socket that takes copies; ``address`` is where it listens.

    ``on_copy``    called with each;  ``refused`` counts datagrams that are no HEP
    """

    def __init__(self, on_copy: Callable[[Copy], None]) -> None:
        self.address = ("", 0)
        self.refused = 0
        self._on_copy = on_copy
        self._transport: asyncio.BaseTransport | None = None

    @classmethod
    async def bind(cls, host: str, port: int, on_copy: Callable[[Copy], None]) -> "HepListener":
        """Listen at ``host``:``port`` (0: any free port); NetworkError when that is not possible."""
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            sock.bind((host, port))
        except OSError as error:
            sock.close()
            raise cannot_bind(error, host, port, "UDP") from None
        loop = asyncio.get_running_loop()
        _, listener = await loop.create_datagram_endpoint(lambda: cls(on_copy), sock=sock)
        return listener

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the socket that asyncio has opened."""
        self._transport = transport
        host, port = transport.get_extra_info("sockname")[:2]
        self.address = (host, port)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Hand on one copy; anything else is counted."""
        try:
            copy = Copy.parse(data)
        except Malformed:
            self.refused += 1
            return
        self._on_copy(copy)

    def close(self) -> None:
        """Close the socket."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None
