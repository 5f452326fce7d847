"""Two ports side by side, and sockets that are gone when they are closed."""

import asyncio
import socket

import pytest

from imslab.errors import NetworkError
from imslab.media import datagram
from imslab.media.datagram import bind_pair
from imslab.net.udp import bound_socket

HOST = "127.0.9.41"


def nothing(octets: bytes, source: tuple[str, int]) -> None:
    """Drop what comes."""


async def test_an_even_port_and_the_next() -> None:
    rtp, rtcp = await bind_pair(HOST, nothing, nothing)
    assert rtp.address[0] == rtcp.address[0] == HOST
    assert rtp.address[1] % 2 == 0 and rtcp.address[1] == rtp.address[1] + 1
    await asyncio.gather(rtp.close(), rtcp.close())
    for address in (rtp.address, rtcp.address):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(address)  # free again
    await rtp.close()


async def test_each_socket_hands_over_what_comes_to_it() -> None:
    heard: asyncio.Queue[tuple[str, bytes, str]] = asyncio.Queue()
    rtp, rtcp = await bind_pair(
        HOST,
        lambda octets, source: heard.put_nowait(("rtp", octets, source[0])),
        lambda octets, source: heard.put_nowait(("rtcp", octets, source[0])),
    )
    rtp.send(b"one", rtcp.address)
    rtcp.send(b"two", rtp.address)
    assert {await heard.get(), await heard.get()} == {("rtcp", b"one", HOST), ("rtp", b"two", HOST)}
    await asyncio.gather(rtp.close(), rtcp.close())
    rtp.send(b"too late", rtcp.address)


async def test_an_odd_port_that_is_taken_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []

    def first_taken(host: str, port: int) -> socket.socket:
        if port and not taken:
            taken.append(port)
            raise NetworkError("in use")
        return bound_socket(host, port)

    monkeypatch.setattr(datagram, "bound_socket", first_taken)
    rtp, rtcp = await bind_pair(HOST, nothing, nothing)
    assert taken and rtcp.address[1] != taken[0]
    await asyncio.gather(rtp.close(), rtcp.close())


async def test_no_two_ports_are_said_to_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(host: str, port: int) -> socket.socket:
        if port:
            raise NetworkError("in use")
        return bound_socket(host, port)

    monkeypatch.setattr(datagram, "bound_socket", never)
    with pytest.raises(NetworkError, match="no two free UDP ports side by side"):
        await bind_pair(HOST, nothing, nothing)


async def test_an_address_of_another_machine() -> None:
    with pytest.raises(NetworkError, match="no address of this machine"):
        await bind_pair("192.0.2.1", nothing, nothing)
