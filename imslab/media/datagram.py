"""Two UDP sockets for plain RTP: an even port, and the odd one above it for RTCP (RFC 3550, section 11)."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any, cast

from imslab.errors import NetworkError
from imslab.net.packet import Endpoint
from imslab.net.udp import bound_socket

_TRIES = 50  # of finding two ports side by side

Received = Callable[[bytes, Endpoint], None]


class Socket(asyncio.DatagramProtocol):
    """One UDP socket on ``address``; ``receive`` gets each datagram and where it came from."""

    def __init__(self, receive: Received) -> None:
        self.address: Endpoint = ("", 0)
        self._receive = receive
        self._transport: asyncio.DatagramTransport | None = None
        self._closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the socket that asyncio watches."""
        self._transport = cast(asyncio.DatagramTransport, transport)
        self.address = transport.get_extra_info("sockname")[:2]

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Hand over one datagram."""
        self._receive(data, addr[:2])

    def error_received(self, exc: Exception) -> None:
        """Go on: a peer that is not there yet is no reason to stop."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the socket is closed."""
        if not self._closed.done():
            self._closed.set_result(None)

    def send(self, octets: bytes, destination: Endpoint) -> None:
        """Send one datagram."""
        if self._transport is not None:
            self._transport.sendto(octets, destination)

    async def close(self) -> None:
        """Close the socket, and wait until it is."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()
        await self._closed


async def bind_pair(host: str, rtp: Received, rtcp: Received) -> tuple[Socket, Socket]:
    """Open an even port of ``host`` for RTP and the next one for RTCP; NetworkError when there are none."""
    for _ in range(_TRIES):
        even = bound_socket(host, 0)
        port = even.getsockname()[1]
        if port % 2 == 0:
            try:
                odd = bound_socket(host, port + 1)
            except NetworkError:
                even.close()
                continue
            return await _serve(even, rtp), await _serve(odd, rtcp)
        even.close()
    raise NetworkError(f"{host} has no two free UDP ports side by side: close something that uses them")


async def _serve(sock: socket.socket, receive: Received) -> Socket:
    loop = asyncio.get_running_loop()
    _, protocol = await loop.create_datagram_endpoint(lambda: Socket(receive), sock=sock)
    return protocol
