"""Thousands of connections that are half open, slow, or silent: others are served, and memory is bounded."""

import asyncio
import contextlib
import resource
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from imslab.data import profile_path
from imslab.ims.node import Event
from imslab.net import stream
from imslab.net.core import Core
from imslab.net.terminal import Terminal
from imslab.net.waiting import Waiting
from imslab.uicc import Card, IsimClient, Profile

HOST, UE = "127.0.15.21", "127.0.15.11"
ALICE = Profile.load(profile_path("alice"))
REGISTER = (
    b"REGISTER sip:x SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bKa\r\nMax-Forwards: 70\r\n"
    b"From: <sip:a@x>;tag=1\r\nTo: <sip:a@x>\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\n"
    b"Content-Length: 0\r\n\r\n"
)
HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: sip\r\n\r\n"
)
FRAME = b"\x81\xfe\x01\x00\0\0\0\0" + b"x" * 10  # text, masked, 256 octets: 10 of them are here


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
async def core(events: list[Event]) -> AsyncIterator[Core]:
    one = Core(host=HOST, port=0, websocket_port=0, on_event=events.append)
    await one.start()
    one.add([ALICE])
    yield one
    one.close()
    await asyncio.sleep(0.01)


@pytest.fixture
def files() -> Iterator[int]:
    """How many files this process may open; as many as the system allows for the time of the test."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def wire(core: Core, transport: str) -> stream.StreamWire:
    assert core._driver is not None
    found: Any = core._driver._wires[id(core.pcscf), transport]
    return found


class Crowd:
    """Many bare sockets that say what they are told to, and no more."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.sockets: list[socket.socket] = []

    async def come(self, transport: str, count: int, octets: bytes = b"") -> list[socket.socket]:
        """Open connections; each says ``octets``."""
        loop, (host, port, _) = asyncio.get_running_loop(), self._core.addresses[transport]
        new = [socket.socket() for _ in range(count)]
        self.sockets += new
        for start in range(0, count, 200):
            for one in new[start : start + 200]:
                one.setblocking(False)
            await asyncio.gather(*(loop.sock_connect(one, (host, port)) for one in new[start : start + 200]))
        for one in new:
            one.send(octets)
        return new

    def leave(self) -> None:
        for one in self.sockets:
            one.close()


async def said(one: socket.socket, *, until: bytes = b"") -> bytes:
    """Return what a socket gets until ``until`` comes, or the end."""
    heard, loop = b"", asyncio.get_running_loop()
    async with asyncio.timeout(5):
        while not until or until not in heard:
            try:
                octets = await loop.sock_recv(one, 65_536)
            except ConnectionError:
                break
            if not octets:
                break
            heard += octets
    return heard


@pytest.fixture
async def crowd(core: Core) -> AsyncIterator[Crowd]:
    people = Crowd(core)
    yield people
    people.leave()
    await asyncio.sleep(0.01)


async def registers(core: Core, transport: str) -> bool:
    client = IsimClient(Card(ALICE))
    one = Terminal(client.read_profile(), client, core.addresses[transport], host=UE, clock=core.clock)
    try:
        registered = await asyncio.wait_for(one.register(), 20)
    finally:
        one.close()
        await asyncio.sleep(0)
    return bool(registered.proven)


async def test_thousands_that_are_half_open_do_not_keep_others_out(
    core: Core, crowd: Crowd, files: int
) -> None:
    each = min(800, files // 12)  # of five kinds; and both ends of each are in this process
    kinds = [
        ("TCP", b""),
        ("TCP", REGISTER[:100]),
        ("TCP", b"\r\n\r\n"),
        ("WS", HANDSHAKE[:60]),
        ("WS", HANDSHAKE + FRAME),
    ]
    for transport, octets in kinds:
        await crowd.come(transport, each, octets)
    for transport in ("UDP", "TCP", "WS"):
        assert await registers(core, transport)
    tcp, ws = wire(core, "TCP"), wire(core, "WS")
    async with asyncio.timeout(5):  # the terminals' own connections end in a moment
        while len(tcp.connections) + len(ws.connections) > 5 * each:
            await asyncio.sleep(0.01)
    assert len(tcp.connections) == len(tcp._waiting) == 3 * each
    assert len(ws.connections) == len(ws._waiting) == 2 * each
    # What is kept of them is what they have sent of a message, and nothing else.
    assert tcp._waiting.octets == 100 * each
    assert (60 + 10) * each <= ws._waiting.octets <= (60 + len(HANDSHAKE + FRAME)) * each


async def test_when_there_are_too_many_the_silent_make_room(
    core: Core, crowd: Crowd, events: list[Event]
) -> None:
    for transport in ("TCP", "WS"):
        wire(core, transport)._most = 50
        await crowd.come(transport, 120)
        assert await registers(core, transport)
        assert len(wire(core, transport).connections) <= 50
    assert {event.why for event in events if event.what == "connections closed"} == {"too many connections"}


async def test_those_who_have_spoken_stay_and_the_next_is_turned_away(core: Core, crowd: Crowd) -> None:
    tcp = wire(core, "TCP")
    tcp._most = 5
    for one in await crowd.come("TCP", 5, REGISTER):
        assert await said(one, until=b"\r\n\r\n")
    (late,) = await crowd.come("TCP", 1)
    assert await said(late) == b""
    assert len(tcp.connections) == 5


PATIENT = [("TCP", REGISTER), ("TCP", REGISTER * 3), ("WS", HANDSHAKE)]
FRAGMENT = b"\x01\x81\0\0\0\0x"  # the first of a message, one octet
LATE = [
    ("TCP", b""),
    ("TCP", b"\r\n\r\n"),
    ("TCP", REGISTER[:-2]),
    ("TCP", REGISTER + REGISTER[:50]),
    ("WS", b""),
    ("WS", HANDSHAKE[:-2]),
    ("WS", HANDSHAKE + FRAME),
    ("WS", HANDSHAKE + FRAGMENT),
]


async def test_who_does_not_finish_is_closed_and_who_has_spoken_is_not(
    core: Core, crowd: Crowd, events: list[Event]
) -> None:
    for transport in ("TCP", "WS"):
        wire(core, transport)._waiting = Waiting(patience=0.5)
    for transport, octets in PATIENT + LATE:
        await crowd.come(transport, 1, octets)
    for one in crowd.sockets[len(PATIENT) :]:
        await said(one)  # all that it is told, and then the end
    assert [len(wire(core, transport).connections) for transport in ("TCP", "WS")] == [2, 1]
    closed = [event for event in events if event.what == "connections closed"]
    assert sum(int(event.about) for event in closed) == len(LATE)
    assert {event.why for event in closed} == {"no whole message in 32 s"}


async def test_unfinished_messages_hold_no_more_than_their_share(
    core: Core, crowd: Crowd, events: list[Event]
) -> None:
    wire(core, "TCP")._waiting = Waiting(most_octets=500_000)
    body = REGISTER.replace(b"Content-Length: 0", b"Content-Length: 1000000") + bytes(60_000)
    await crowd.come("TCP", 40, body)
    async with asyncio.timeout(10):
        while sum(int(event.about) for event in events if event.what == "connections closed") < 31:
            await asyncio.sleep(0.01)
    assert wire(core, "TCP")._waiting.octets <= 500_000
    assert await registers(core, "TCP")


async def test_who_never_reads_is_cut_off(core: Core, crowd: Crowd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "_UNSENT", 10_000)
    (one,) = await crowd.come("TCP", 1)
    loop, tcp = asyncio.get_running_loop(), wire(core, "TCP")
    while not tcp.connections:
        await asyncio.sleep(0)
    transport = next(iter(tcp.connections.values()))._transport
    assert transport is not None
    for end in (one, transport.get_extra_info("socket")):  # so that the kernel does not keep it all
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(20):
            while True:
                await loop.sock_sendall(one, REGISTER * 50)
    await asyncio.sleep(0)
    assert tcp.connections == {}


def test_a_server_leaves_files_to_others(files: int) -> None:
    assert stream._files(20_000) == max(16, min(20_000, files // 2 - 64))
    assert stream._files(10) == 16
