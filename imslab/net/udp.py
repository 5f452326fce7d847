"""SIP over UDP: one socket of one node (RFC 3261, 18)."""

import asyncio
import errno
import socket
import sys
from typing import cast

from imslab.errors import NetworkError
from imslab.ims.node import Address, Node
from imslab.net.drive import Driver

_BUFFER = 4 * 1024 * 1024  # octets: a burst of a thousand REGISTERs must not be lost in the kernel
_LARGEST = 65_507  # octets of one UDP datagram over IPv4


class UdpWire(asyncio.DatagramProtocol):
    """A bound UDP socket; ``address`` is where it listens."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._node: Node | None = None
        self._transport: asyncio.DatagramTransport | None = None
        self.address = Address("", 0)

    @classmethod
    async def bind(cls, driver: Driver, host: str, port: int) -> "UdpWire":
        """Open the socket at ``host``:``port`` (0: any free port); NetworkError when that is not possible."""
        loop, sock = asyncio.get_running_loop(), bound_socket(host, port)
        _, wire = await loop.create_datagram_endpoint(lambda: cls(driver), sock=sock)
        return wire

    def serve(self, node: Node) -> None:
        """Hand what arrives to ``node``, and carry what it sends."""
        self._node = node
        self._driver.attach(node, "UDP", self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the socket that asyncio has opened."""
        # A cast: neither asyncio's own transport nor uvloop's is an instance of what it implements.
        self._transport = cast(asyncio.DatagramTransport, transport)
        host, port = transport.get_extra_info("sockname")[:2]
        self.address = Address(host, port, "UDP")
        sock = transport.get_extra_info("socket")
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            sock.setsockopt(socket.SOL_SOCKET, option, _BUFFER)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Take one datagram; one that holds only line ends is a keep-alive (RFC 5626, 3.5.1)."""
        if self._node is None or (len(data) < 5 and not data.strip(b"\r\n\0")):
            return
        source = Address(addr[0], addr[1], "UDP")
        if self._driver.tap is not None:
            self._driver.tap.datagram(source, self.address, data)
        self._driver.arrived(self._node, data, source)

    def error_received(self, exc: Exception) -> None:
        """Let the transaction's timer deal with it: ICMP says nothing that can be trusted."""

    def send(self, octets: bytes, destination: Address) -> bool:
        """Send one datagram."""
        if self._transport is None or len(octets) > _LARGEST:
            return False
        if self._driver.tap is not None:
            self._driver.tap.datagram(self.address, destination, octets)
        self._transport.sendto(octets, (destination.host, destination.port))
        return True

    def close(self) -> None:
        """Close the socket."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None


def bound_socket(host: str, port: int) -> socket.socket:
    """Return a UDP socket at ``host``:``port`` (0: any free port); NetworkError when that is not possible."""
    # Bound here and not by the loop: uvloop does not tell why an address cannot be used.
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise cannot_bind(error, host, port, "UDP") from None
    return sock


def cannot_bind(error: OSError, host: str, port: int, transport: str) -> NetworkError:
    """Say why an address cannot be used, and what to do."""
    where = f"{host}:{port}/{transport}"
    if error.errno == errno.EADDRINUSE:
        return NetworkError(f"{where} is in use: stop the program that listens there, or choose another port")
    if error.errno == errno.EADDRNOTAVAIL:
        advice = f" (sudo ifconfig lo0 alias {host})" if sys.platform == "darwin" else ""
        return NetworkError(f"{where} is no address of this machine: choose another, or add it{advice}")
    if error.errno == errno.EACCES:
        return NetworkError(f"{where} needs more rights: choose a port above 1023")
    return NetworkError(f"{where} cannot be opened: {error.strerror or error}")
