"""The core on real sockets of 127.0.0.x: UDP, TCP, WebSocket; its borders and its end."""

import asyncio
import io
import socket
from contextlib import asynccontextmanager

import pytest

from imslab.capture import open_capture
from imslab.data import profile_path
from imslab.errors import MacFailure, NetworkError, RegistrationFailed
from imslab.ims import Address
from imslab.ims.scscf import Policy
from imslab.ims.ue import State
from imslab.net.core import Core
from imslab.net.drive import Driver
from imslab.net.stream import StreamWire
from imslab.net.tap import Clock, Tap
from imslab.net.terminal import Terminal
from imslab.net.trace import TraceWriter
from imslab.net.websocket import WebSocketConnection, open_websocket
from imslab.sip import Message
from imslab.uicc import Card, IsimClient, Profile

HOST = "127.0.7.21"  # away from the lab's own addresses: a notebook may be open on this machine
TRANSPORTS = ["UDP", "TCP", "WS"]


@pytest.fixture
def alice():
    return Profile.load(profile_path("alice"))


@asynccontextmanager
async def running(*profiles, **settings):
    core = Core(**{"host": HOST, "port": 0, "websocket_port": 0, **settings})
    await core.start()
    core.add(profiles)
    try:
        yield core
    finally:
        core.close()
        await asyncio.sleep(0)


@asynccontextmanager
async def terminal(core, profile, transport="UDP", **settings):
    client = IsimClient(Card(profile))
    one = Terminal(
        client.read_profile(),
        client,
        core.addresses[transport],
        host="127.0.7.11",
        clock=core.clock,
        **settings,
    )
    try:
        yield one
    finally:
        one.close()
        await asyncio.sleep(0)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_registers_watches_renews_and_leaves(alice, transport):
    async with running(alice) as core, terminal(core, alice, transport) as ue:
        first = await ue.register("AKAv2-MD5")
        assert first.algorithm == "AKAv2-MD5" and first.proven
        assert await ue.subscribe() == dict.fromkeys(alice.impu, "active")
        again = await ue.register("AKAv1-MD5")
        assert again.call_id == first.call_id and again.algorithm == "AKAv1-MD5"
        await ue.deregister()
        assert core.scscf.registrar.by_impi(alice.impi) is None


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_the_trace_holds_each_message_once(alice, transport):
    clock, file = Clock(), io.BytesIO()
    tap = Tap(TraceWriter(file), clock)
    async with running(alice, clock=clock, tap=tap) as core, terminal(core, alice, transport) as ue:
        await ue.register("AKAv2-MD5")
        tap.flush()
    capture = open_capture(file.getvalue(), profile=alice)
    lines = [event.message.start_line.split(" ")[:2] for event in capture.sip]
    kinds = ["REGISTER" if line[0] == "REGISTER" else line[1] for line in lines]
    assert kinds == ["REGISTER", "REGISTER", "401", "401", "REGISTER", "REGISTER", "200", "200"]
    assert capture.warnings == []
    (login,) = capture.logins
    assert (login.result, login.challenge.verified) == ("registered", True)
    assert [event.message.name for event in capture.cx_events] == [
        *("UAR", "UAA", "MAR", "MAA"),
        *("UAR", "UAA", "SAR", "SAA"),
    ]


async def test_many_terminals_at_once(alice):
    profiles = [
        Profile(imsi=f"0010100000001{n:02}", k=bytes([n]) * 16, opc=bytes([n + 1]) * 16, name=str(n))
        for n in range(20)
    ]
    async with running(*profiles) as core:
        cards = [IsimClient(Card(profile)) for profile in profiles]
        ues = [
            Terminal(card.read_profile(), card, core.addresses[TRANSPORTS[n % 3]], host="127.0.7.11")
            for n, card in enumerate(cards)
        ]
        try:
            registered = await asyncio.gather(*(ue.register() for ue in ues))
        finally:
            for ue in ues:
                ue.close()
        assert len({one.impus for one in registered}) == 20


async def test_a_network_without_the_key_is_refused_by_the_card(alice):
    impostor = Profile(**{**_plain(alice), "k": bytes(16)})
    async with running(impostor) as core, terminal(core, alice) as ue:
        with pytest.raises(MacFailure):
            await ue.register()


async def test_a_slow_card_does_not_block_the_loop(alice):
    async with running(alice) as core:
        client = IsimClient(Card(alice))

        class Slow:
            def authenticate(self, rand, autn):
                import time

                time.sleep(0.15)
                return client.authenticate(rand, autn)

        profile = client.read_profile()
        ue = Terminal(profile, Slow(), core.addresses["UDP"], host="127.0.7.11", slow=True)
        beats = 0

        async def beat():
            nonlocal beats
            while True:
                await asyncio.sleep(0.01)
                beats += 1

        heart = asyncio.ensure_future(beat())
        try:
            await ue.register()
        finally:
            heart.cancel()
            ue.close()
        assert beats >= 5


# -- addresses ------------------------------------------------------------------------------------


async def test_a_second_core_on_the_same_address_says_so(alice):
    async with running(alice) as core:
        second = Core(host=HOST, port=core.addresses["UDP"].port, websocket_port=0)
        with pytest.raises(NetworkError, match=r"127\.0\.7\.21:\d+/UDP is in use: stop the program"):
            await second.start()
        second.close()
        third = Core(host=HOST, port=0, websocket_port=core.addresses["WS"].port)
        with pytest.raises(NetworkError, match="/WS is in use"):
            await third.start()
        third.close()


async def test_what_failed_to_start_leaves_nothing_open(alice):
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        core = Core(host=HOST, port=port, websocket_port=0)
        with pytest.raises(NetworkError, match="/TCP is in use"):
            await core.start()
        core.close()
        await asyncio.sleep(0.01)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.bind((HOST, port))  # the datagram socket was given back


async def test_an_address_of_another_machine():
    core = Core(host="192.0.2.1", port=0, websocket_port=0)
    with pytest.raises(NetworkError, match="no address of this machine"):
        await core.start()
    core.close()


@pytest.mark.parametrize("transport", ["TCP", "WS"])
async def test_nobody_listens(alice, transport):
    client = IsimClient(Card(alice))
    ue = Terminal(client.read_profile(), client, Address(HOST, 9, transport), host="127.0.7.11")
    with pytest.raises(NetworkError, match="no connection to"):
        await ue.register()
    ue.close()


async def test_an_unknown_transport(alice):
    client = IsimClient(Card(alice))
    ue = Terminal(client.read_profile(), client, Address(HOST, 9, "SCTP"), host="127.0.7.11")
    with pytest.raises(NetworkError, match="choose UDP, TCP or WS"):
        await ue.register()


async def test_a_core_that_dies_under_a_login(alice):
    """The terminal hears it from the connection at once, or from its timer; it never hangs."""
    async with running(alice) as core, terminal(core, alice, "TCP") as ue:
        await ue.open()
        core.close()
        await asyncio.sleep(0.05)
        with pytest.raises(NetworkError, match="no connection to"):
            await asyncio.wait_for(ue.register(), 5)


async def test_a_connection_that_breaks_between_two_messages(alice):
    async with running(alice) as core, terminal(core, alice, "TCP") as ue:
        await ue.open()
        ue._stream.connections.popitem()[1].close()
        ue.ue.register(core.clock())
        ue._driver.step(ue.ue)
        assert ue.ue.state is State.FAILED and "is not reachable" in str(ue.ue.failure)
        assert (await ue.register()).impus == alice.impu  # and the next login opens a new one


# -- what a stranger may send ---------------------------------------------------------------------


REGISTER = (
    b"REGISTER sip:ims.mnc001.mcc001.3gppnetwork.org SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bKa\r\n"
    b"Max-Forwards: 70\r\nFrom: <sip:alice@ims.mnc001.mcc001.3gppnetwork.org>;tag=1\r\n"
    b"To: <sip:alice@ims.mnc001.mcc001.3gppnetwork.org>\r\nCall-ID: one\r\nCSeq: 1 REGISTER\r\n"
    b"Contact: <sip:a@a>\r\nContent-Length: 0\r\n\r\n"
)


async def speak(core, octets, *, pieces=1):
    """Send octets over TCP and return what comes back until the connection is quiet or closed."""
    address = core.addresses["TCP"]
    reader, writer = await asyncio.open_connection(address.host, address.port)
    step = max(1, len(octets) // pieces)
    for start in range(0, len(octets), step):
        writer.write(octets[start : start + step])
        await writer.drain()
        await asyncio.sleep(0)
    answer = b""
    try:
        while data := await asyncio.wait_for(reader.read(65536), 0.3):
            answer += data
        closed = True
    except TimeoutError:
        closed = False
    writer.close()
    return answer, closed


@pytest.mark.parametrize("pieces", [1, 7, 400])
async def test_tcp_is_a_stream(alice, pieces):
    async with running(alice) as core:
        two = REGISTER + REGISTER.replace(b"z9hG4bKa", b"z9hG4bKb").replace(b"one", b"two")
        answer, closed = await speak(core, two, pieces=pieces)
        assert answer.count(b"SIP/2.0 401") == 2 and not closed


async def test_keep_alive_is_answered(alice):
    async with running(alice) as core:
        answer, closed = await speak(core, b"\r\n\r\n" + REGISTER)
        assert answer.startswith(b"\r\nSIP/2.0 401") and not closed


@pytest.mark.parametrize(
    "octets",
    [
        REGISTER.replace(b"Content-Length: 0\r\n", b""),
        REGISTER.replace(b"Content-Length: 0", b"Content-Length: -1"),
        REGISTER.replace(b"Content-Length: 0", b"Content-Length: 0\r\nContent-Length: 9"),
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\0" * 100_000,
        b"A" * 100_000,
        b"OPTIONS sip:a SIP/2.0\r\n" + b"X: y\r\n" * 10_000 + b"\r\n",
    ],
    ids=["no length", "negative", "two lengths", "http", "nul", "no end", "ten thousand headers"],
)
async def test_a_stream_that_is_lost_is_closed_and_the_core_lives(alice, octets):
    log = []
    async with running(alice, on_event=log.append) as core:
        _, closed = await speak(core, octets)
        assert closed
        assert any(event.what == "connection closed" for event in log)
        answer, _ = await speak(core, REGISTER)
        assert b"SIP/2.0 401" in answer


async def raw_websocket(core, request):
    address = core.addresses["WS"]
    reader, writer = await asyncio.open_connection(address.host, address.port)
    writer.write(request)
    status = await asyncio.wait_for(reader.readline(), 2)
    writer.close()
    return status


HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: sip\r\n%s\r\n"
)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ((b"%s", b""), b"101"),
        ((b"%s", b"Origin: http://lab.example\r\n"), b"101"),
        ((b"%s", b"Origin: http://evil.example\r\n"), b"403"),
        ((b"%s", b"Origin: null\r\n"), b"403"),
        ((b"%s", b"Origin: http://lab.example\r\nOrigin: http://evil.example\r\n"), b"403"),
        ((b"Protocol: sip", b"Protocol: chat"), b"400"),
        ((b"Sec-WebSocket-Protocol: sip\r\n", b""), b"400"),
        ((b"Upgrade: websocket\r\n", b""), b"426"),
    ],
)
async def test_who_may_open_a_websocket(alice, change, status):
    async with running(alice, origins=("http://lab.example",)) as core:
        request = HANDSHAKE.replace(*change).replace(b"%s", b"")
        assert (await raw_websocket(core, request)).split()[1] == status


async def test_a_refused_origin_is_one_clear_error(alice):
    async with running(alice) as core, terminal(core, alice, "WS", origin="http://evil.example") as ue:
        with pytest.raises(NetworkError, match="refused the WebSocket: 403"):
            await ue.register()


async def test_garbage_on_an_open_websocket(alice):
    async with running(alice) as core:
        wire = StreamWire(Driver(core.clock), WebSocketConnection)
        connection = await open_websocket(wire, core.addresses["WS"])
        assert connection.send(b"\xff\xfe no sip")
        assert connection.send(b"\r\n\r\n")
        await asyncio.sleep(0.05)
        answer, _ = await speak(core, REGISTER)
        assert b"SIP/2.0 401" in answer
        wire.close()
        await asyncio.sleep(0.05)


async def test_udp_fuzz_leaves_the_core_alive(alice):
    async with running(alice) as core:
        address = core.addresses["UDP"]
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.bind(("127.0.7.66", 0))
            for n in range(300):
                cut = bytearray(REGISTER)
                cut[(n * 37) % len(cut)] = n % 256
                await loop.sock_sendto(sock, bytes(cut[: len(cut) - n % 50]), address[:2])
                await asyncio.sleep(0)
            await loop.sock_sendto(sock, REGISTER.replace(b"z9hG4bKa", b"z9hG4bKlast"), address[:2])
            statuses = []
            while not any(Message.parse(s).via.branch == "z9hG4bKlast" for s in statuses[-1:]):
                statuses.append(await asyncio.wait_for(loop.sock_recv(sock, 65536), 2))
        assert Message.parse(statuses[-1]).status == 401


async def test_policy_reaches_the_wire(alice):
    policy = Policy(algorithms=("AKAv2-MD5",))
    async with running(alice, policy=policy) as core, terminal(core, alice) as ue:
        with pytest.raises(RegistrationFailed, match="offers AKAv2-MD5, not AKAv1-MD5"):
            await ue.register("AKAv1-MD5")


def _plain(profile):
    from dataclasses import fields

    return {one.name: getattr(profile, one.name) for one in fields(profile)}
