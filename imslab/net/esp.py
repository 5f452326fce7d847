"""How ESP packets travel: in the process, in UDP, or as what they are, IP protocol 50.

Spec: RFC 4303, 2 (protocol 50); RFC 3948 (in UDP, port 4500). The packets are sealed and opened by the nodes
themselves, in user space. What is below is only the way, and any of the three may carry them:

    EspLink()      both ends live in one process: no socket, no right, and the trace shows protocol 50
    EspInUdp()     as behind a NAT: no right either, and the other end may be anywhere
    EspOverIp()    as a phone does it: raw sockets, which take root or CAP_NET_RAW
"""

import asyncio
import socket
import sys
from abc import ABC, abstractmethod
from typing import cast

from imslab.errors import NetworkError
from imslab.ims.node import ESP, Address, Node
from imslab.ipsec import udp
from imslab.net.drive import Driver
from imslab.net.packet import ESP as PROTOCOL
from imslab.net.udp import bound_socket

_LARGEST = 65_507  # octets of one UDP datagram over IPv4
_ONE_PACKET = 65_535


class EspEnd(ABC):
    """The end of one node, at one address."""

    def __init__(self, driver: Driver, host: str) -> None:
        self._driver, self.host = driver, host
        self._node: Node | None = None

    def serve(self, node: Node) -> None:
        """Hand what arrives to ``node``, and carry what it sends."""
        self._node = node
        self._driver.attach(node, ESP, self)

    def send(self, octets: bytes, destination: Address) -> bool:
        """Send one ESP packet; False when it cannot be sent."""
        self._tell(octets, Address(self.host, self.port, ESP), destination)
        return self._transmit(octets, destination)

    @property
    @abstractmethod
    def port(self) -> int:
        """The port of ESP in UDP; 0 for what has no ports."""

    @abstractmethod
    def close(self) -> None:
        """Send and take nothing any more."""

    @abstractmethod
    def _transmit(self, octets: bytes, destination: Address) -> bool:
        """Put one packet on the way."""

    def _arrived(self, octets: bytes, source: Address) -> None:
        if self._node is not None:
            self._tell(octets, source, Address(self.host, self.port, ESP))
            self._driver.arrived(self._node, octets, source)

    def _tell(self, octets: bytes, source: Address, destination: Address) -> None:
        if self._driver.tap is None:
            return
        if self.port:
            self._driver.tap.datagram(source, destination, octets)
        else:
            self._driver.tap.esp(source.host, destination.host, octets)


class EspWay(ABC):
    """A way for ESP packets; ``port``: where the P-CSCF takes ESP in UDP, 0 for what has no ports."""

    port = 0

    @abstractmethod
    async def open(self, driver: Driver, host: str, *, server: bool = False) -> EspEnd:
        """Return the end at ``host``, the P-CSCF's when ``server``; NetworkError when that fails."""


# -- in one process -----------------------------------------------------------------------------


class EspLink(EspWay):
    """A link inside the process: who has opened an end gets what is sent to its address."""

    def __init__(self) -> None:
        self._ends: dict[str, _LinkEnd] = {}

    async def open(self, driver: Driver, host: str, *, server: bool = False) -> EspEnd:
        """Return the end at ``host``."""
        if host in self._ends:
            raise NetworkError(f"{host} has an end on this link already: close it first")
        end = self._ends[host] = _LinkEnd(driver, host, self._ends)
        return end


class _LinkEnd(EspEnd):
    port = 0

    def __init__(self, driver: Driver, host: str, ends: "dict[str, _LinkEnd]") -> None:
        super().__init__(driver, host)
        self._ends = ends

    def _transmit(self, octets: bytes, destination: Address) -> bool:
        other = self._ends.get(destination.host)
        if other is not None:  # to nobody, a packet is lost, as on any network
            source = Address(self.host, 0, ESP)
            asyncio.get_running_loop().call_soon(other._arrived, octets, source)
        return True

    def close(self) -> None:
        if self._ends.get(self.host) is self:
            del self._ends[self.host]
        self._node = None


# -- in UDP -------------------------------------------------------------------------------------


class EspInUdp(EspWay):
    """ESP in UDP (RFC 3948).

    ``port``  of the P-CSCF; a terminal takes any free one
    """

    def __init__(self, port: int = udp.PORT) -> None:
        self.port = port

    async def open(self, driver: Driver, host: str, *, server: bool = False) -> EspEnd:
        """Return the end at ``host``; NetworkError when its port is in use."""
        sock, loop = bound_socket(host, self.port if server else 0), asyncio.get_running_loop()
        _, protocol = await loop.create_datagram_endpoint(lambda: _Datagrams(), sock=sock)
        end = _UdpEnd(driver, host, protocol)
        if server:
            self.port = end.port  # the system may have chosen it
        return end


class _Datagrams(asyncio.DatagramProtocol):
    """The socket below: what asyncio wants to see."""

    def __init__(self) -> None:
        self.transport: asyncio.DatagramTransport | None = None
        self.end: _UdpEnd | None = None
        self.port = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        packet = udp.unwrap(data)
        if self.end is not None and packet is not None:
            self.end._arrived(packet, Address(addr[0], addr[1], ESP))

    def error_received(self, exc: Exception) -> None:
        """Let the transaction's timer deal with it: ICMP says nothing that can be trusted."""


class _UdpEnd(EspEnd):
    def __init__(self, driver: Driver, host: str, protocol: _Datagrams) -> None:
        super().__init__(driver, host)
        self._protocol = protocol
        protocol.end = self

    @property
    def port(self) -> int:
        return self._protocol.port

    def _transmit(self, octets: bytes, destination: Address) -> bool:
        transport = self._protocol.transport
        if transport is None or len(octets) > _LARGEST:
            return False
        transport.sendto(udp.wrap(octets), destination[:2])
        return True

    def close(self) -> None:
        self._node, self._protocol.end = None, None
        if self._protocol.transport is not None:
            self._protocol.transport.close()
            self._protocol.transport = None


# -- as IP protocol 50 --------------------------------------------------------------------------


class EspOverIp(EspWay):
    """ESP as what it is, through raw sockets: root, or CAP_NET_RAW."""

    async def open(self, driver: Driver, host: str, *, server: bool = False) -> EspEnd:
        """Return the end at ``host``; NetworkError without the right to raw sockets."""
        return _RawEnd(driver, host, raw_socket(host))


class _RawEnd(EspEnd):
    port = 0

    def __init__(self, driver: Driver, host: str, sock: socket.socket) -> None:
        super().__init__(driver, host)
        self._socket: socket.socket | None = sock
        asyncio.get_running_loop().add_reader(sock, self._readable, sock)

    def _readable(self, sock: socket.socket) -> None:
        try:
            octets, source = sock.recvfrom(_ONE_PACKET)
        except OSError:
            return
        if (
            sock.family == socket.AF_INET
        ):  # an IPv4 socket gives the IP header too (raw(7)), an IPv6 one does not
            octets = octets[4 * (octets[0] & 0x0F) :] if octets else b""
        self._arrived(octets, Address(source[0], 0, ESP))

    def _transmit(self, octets: bytes, destination: Address) -> bool:
        try:
            return self._socket is not None and self._socket.sendto(octets, (destination.host, 0)) > 0
        except OSError:  # it is too large, or the way is gone
            return False

    def close(self) -> None:
        self._node = None
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None


def raw_socket(host: str) -> socket.socket:
    """Return a socket for IP protocol 50 at ``host``; NetworkError, with what to do, when there is none."""
    try:
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_RAW, PROTOCOL)
    except PermissionError:
        right = "root" if sys.platform == "darwin" else "root or CAP_NET_RAW"
        raise NetworkError(f"raw sockets take {right}: carry ESP in UDP instead (EspInUdp)") from None
    except OSError as error:
        raise NetworkError(f"no raw socket for ESP: {error.strerror or error}") from None
    try:
        sock.setblocking(False)
        sock.bind((host, 0))
    except OSError as error:
        sock.close()
        raise NetworkError(f"{host} cannot be used for ESP: {error.strerror or error}") from None
    return sock
