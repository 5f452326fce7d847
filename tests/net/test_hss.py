"""The HSS on a socket: peers, questions about subscribers, what it says by itself, and bad peers."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import pytest

from imslab.data import profile_path
from imslab.errors import ImslabError, NetworkError
from imslab.ims import Hss
from imslab.ims.cx import (
    Assignment,
    LocationInfoRequest,
    MultimediaAuthRequest,
    Request,
    Result,
    ServerAssignmentRequest,
    UserAuthorizationRequest,
)
from imslab.ims.node import Event
from imslab.lab import Seeded
from imslab.net import cx, diameter
from imslab.net.hss import HssServer
from imslab.uicc import Profile

ALICE = Profile.load(profile_path("alice"))
SERVER = "sip:127.0.0.31:5060"
IMPU = ALICE.impu[0]
PEERS = cx.Peers("scscf.example", "hss.example", "example")
SCSCF = diameter.Node("scscf.example", "example", "127.0.0.1", cx.APPLICATION)


class Peer:
    """A CSCF that says what a test tells it to say."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.framer, self.count = diameter.Framer(), 0

    async def read(self) -> bytes:
        while data := await asyncio.wait_for(self.reader.read(65536), 5):
            if found := self.framer.receive(data):
                return found[0]
        return b""

    async def say(self, octets: bytes) -> bytes:
        self.writer.write(octets)
        return await self.read()

    async def ask(self, request: Request) -> cx.CxMessage:
        self.count += 1
        octets = cx.encode_request(request, PEERS, session=f"s;{self.count}", identifier=self.count)
        end_to_end = (1000 + self.count).to_bytes(4)  # not the same as Hop-by-Hop, as real peers have it
        answer = cx.decode(await self.say(octets[:16] + end_to_end + octets[20:]))
        assert (answer.identifier, answer.end_to_end) == (self.count, 1000 + self.count)
        assert answer.session == f"s;{self.count}" and not answer.is_request
        return answer


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
async def server(events: list[Event]) -> AsyncIterator[HssServer]:
    hss = Hss(random=Seeded("cx"))
    hss.add(ALICE)
    one = HssServer(
        hss, host="127.0.0.1", port=0, identity="hss.example", realm="example", on_event=events.append
    )
    await one.start()
    yield one
    one.close()
    hss.close()


@pytest.fixture
async def stranger(server: HssServer) -> AsyncIterator[Peer]:
    peer = Peer(*await asyncio.open_connection(*server.address[:2]))
    yield peer
    peer.writer.close()


@pytest.fixture
async def peer(stranger: Peer) -> Peer:
    answer = await stranger.say(SCSCF.request(diameter.CAPABILITIES_EXCHANGE, 1))
    assert cx.decode(answer).result == diameter.SUCCESS
    return stranger


async def test_a_peer_says_who_it_is_and_is_asked_for(
    server: HssServer, peer: Peer, events: list[Event]
) -> None:
    await server.wait_for("scscf.example")
    assert server.peers == ["scscf.example"]
    assert [(event.what, event.about) for event in events] == [("peer", "scscf.example")]
    answer = cx.decode(await peer.say(SCSCF.request(diameter.DEVICE_WATCHDOG, 9)))
    assert (answer.name, answer.result, answer.identifier) == ("DWA", 2001, 9)


async def test_the_four_questions(peer: Peer) -> None:
    uaa = await peer.ask(UserAuthorizationRequest(IMPU, ALICE.impi, "visited"))
    assert uaa.result == 2001 and uaa.value is not None and uaa.value.impi == ALICE.impi  # type: ignore[union-attr]
    maa = await peer.ask(MultimediaAuthRequest(IMPU, ALICE.impi, SERVER))
    vector: Any = maa.value
    assert vector.vector.xres == ALICE.functions.f2(vector.vector.rand)
    saa = await peer.ask(ServerAssignmentRequest(IMPU, ALICE.impi, SERVER, Assignment.REGISTRATION))
    assert saa.value.impus[0] == IMPU  # type: ignore[union-attr]
    lia = await peer.ask(LocationInfoRequest(IMPU))
    assert lia.value.server == SERVER  # type: ignore[union-attr]


async def test_a_core_that_names_akav2_gets_the_password_of_rfc_4169(peer: Peer) -> None:
    from imslab.aka.digest import password

    asked = MultimediaAuthRequest(IMPU, ALICE.impi, SERVER, scheme="Digest-AKAv2-MD5")
    answer: Any = (await peer.ask(asked)).value
    rand = answer.vector.rand
    m = ALICE.functions
    assert answer.vector.xres == password("AKAv2-MD5", m.f2(rand), m.f3(rand), m.f4(rand))
    assert len(answer.vector.xres) == 24  # base64 of MD5, with its padding


@pytest.mark.parametrize("scheme", ["Unknown", "Digest-AKAv1-MD5"])
async def test_an_hss_that_may_choose_takes_akav1(peer: Peer, scheme: str) -> None:
    answer: Any = (await peer.ask(MultimediaAuthRequest(IMPU, ALICE.impi, SERVER, scheme=scheme))).value
    assert answer.vector.xres == ALICE.functions.f2(answer.vector.rand)


async def test_unknown_schemes_and_users_are_refused(peer: Peer) -> None:
    refused = await peer.ask(MultimediaAuthRequest(IMPU, ALICE.impi, SERVER, scheme="Basic"))
    assert refused.result == Result.AUTH_SCHEME_NOT_SUPPORTED
    unknown = await peer.ask(UserAuthorizationRequest("sip:nobody@example", None, "visited"))
    assert unknown.result == Result.USER_UNKNOWN


async def test_who_has_not_said_who_it_is_gets_nothing(stranger: Peer, server: HssServer) -> None:
    question = cx.encode_request(
        MultimediaAuthRequest(IMPU, ALICE.impi, SERVER), PEERS, session="s", identifier=1
    )
    assert cx.decode(await stranger.say(question)).result == diameter.UNABLE_TO_COMPLY
    assert server.answered == 0


async def test_an_unknown_command_is_answered(peer: Peer) -> None:
    header = diameter.Header(999, diameter.REQUEST, cx.APPLICATION, 3, 4)
    assert cx.decode(await peer.say(diameter.message(header, []))).result == diameter.UNSUPPORTED_COMMAND


async def test_what_only_an_hss_says_is_no_question_to_one(peer: Peer, server: HssServer) -> None:
    answer = cx.decode(await peer.say(cx.encode_termination(ALICE.impi, (), PEERS, identifier=8)))
    assert answer.result == diameter.UNSUPPORTED_COMMAND and server.answered == 0


@pytest.mark.parametrize(
    "octets", [b"GET / HTTP/1.1\r\n\r\n", bytes(40), b"\x01\x00\x00\x18" + bytes(16) + b"\xff" * 4]
)
async def test_garbage_ends_that_peer_and_no_other(
    server: HssServer, peer: Peer, events: list[Event], octets: bytes
) -> None:
    other = Peer(*await asyncio.open_connection(*server.address[:2]))
    other.writer.write(octets)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await other.reader.readexactly(1)
    other.writer.close()
    assert events[-1].what == "no Diameter"
    assert (await peer.ask(LocationInfoRequest(IMPU))).result == 5003  # the first one is served on


async def test_garbage_in_many_pieces_and_from_many_sides(server: HssServer, peer: Peer) -> None:
    """Others are served on all the while, and what is kept of a message that never ends is bounded."""
    many = [await asyncio.open_connection(*server.address[:2]) for _ in range(40)]
    noise = Seeded("noise")
    for number, (_, writer) in enumerate(many):
        endless = b"\x01" + (diameter.MOST - number).to_bytes(3) + b"\x80" + noise(30_000)
        writer.write(noise(5000) if number % 2 else endless)
    for _ in range(20):
        assert (await peer.ask(LocationInfoRequest(IMPU))).result == 5003
    held = [len(one._framer._buffer) for one in server._peers]
    assert max(held) <= diameter.MOST and len(held) <= 41
    for _, writer in many:
        writer.write(noise(diameter.MOST))  # the endless ones end, and were no message
    async with asyncio.timeout(10):
        while len(server._peers) > 1:
            await peer.ask(LocationInfoRequest(IMPU))
    for _, writer in many:
        writer.close()


async def test_strangers_who_say_nothing_do_not_keep_peers_out(
    server: HssServer, events: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imslab.net.hss._INTRODUCTION", 0.05)
    many = [await asyncio.open_connection(*server.address[:2]) for _ in range(80)]
    for reader, writer in many:
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
    assert {event.why for event in events if event.what == "no peer"} == {"no CER in 0.05 s"}
    monkeypatch.setattr("imslab.net.hss._INTRODUCTION", 0.5)
    late = Peer(*await asyncio.open_connection(*server.address[:2]))
    assert cx.decode(await late.say(SCSCF.request(diameter.CAPABILITIES_EXCHANGE, 1))).result == 2001
    await asyncio.sleep(0.6)
    assert (await late.ask(LocationInfoRequest(IMPU))).result == 5003  # who has said it may stay
    late.writer.close()


async def test_a_peer_that_reads_nothing_is_cut_off(
    server: HssServer, stranger: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imslab.net.hss._UNSENT", 10_000)
    await stranger.say(SCSCF.request(diameter.CAPABILITIES_EXCHANGE, 1))
    transport = next(iter(server._peers))._transport
    assert transport is not None
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    cast(asyncio.Transport, stranger.writer.transport).pause_reading()
    question = cx.encode_request(LocationInfoRequest(IMPU), PEERS, session="s", identifier=1)
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(20):
            while server._peers:
                stranger.writer.write(question * 20)
                await asyncio.sleep(0)
    assert server.peers == []


async def registered(peer: Peer) -> None:
    await peer.ask(ServerAssignmentRequest(IMPU, ALICE.impi, SERVER, Assignment.REGISTRATION))


@pytest.mark.parametrize(
    ("push", "name"),
    [(lambda server: server.terminate(ALICE.impi), "RTR"), (lambda s: s.push_profile(ALICE.impi), "PPR")],
    ids=["RTR", "PPR"],
)
async def test_what_the_hss_says_by_itself(
    server: HssServer, peer: Peer, push: Callable[[HssServer], Any], name: str
) -> None:
    await registered(peer)
    pushing = asyncio.ensure_future(push(server))
    octets = await peer.read()
    said = cx.decode(octets)
    assert (said.name, said.impi) == (name, ALICE.impi)
    header, avps = diameter.parse(octets)
    assert avps.text(diameter.DESTINATION_HOST) == "scscf.example"
    peer.writer.write(SCSCF.answer(header))
    await pushing
    subscriber = server.hss.subscriber(ALICE.impi)
    assert subscriber is not None and subscriber.server == ("" if name == "RTR" else SERVER)


async def test_a_refusal_and_a_silence_are_said(
    server: HssServer, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imslab.net.hss.PATIENCE", 0.05)
    with pytest.raises(ImslabError, match="nobody to tell"):
        await server.terminate(ALICE.impi)
    await registered(peer)
    with pytest.raises(NetworkError, match=r"scscf\.example did not answer"):
        await server.terminate(ALICE.impi)
    refusing = asyncio.ensure_future(server.push_profile(ALICE.impi))
    await peer.read()
    header, _ = diameter.parse(await peer.read())
    monkeypatch.setattr("imslab.net.hss.PATIENCE", 5)
    peer.writer.write(SCSCF.answer(header, diameter.UNABLE_TO_COMPLY))
    with pytest.raises(ImslabError):
        await refusing


async def test_a_peer_that_vanishes_while_it_is_asked(server: HssServer, peer: Peer) -> None:
    await registered(peer)
    pushing = asyncio.ensure_future(server.terminate(ALICE.impi))
    await peer.read()
    peer.writer.close()
    with pytest.raises(NetworkError, match=r"scscf\.example has hung up"):
        await pushing
    with pytest.raises(NetworkError, match="is not connected to the HSS"):
        await server.terminate(ALICE.impi)


async def test_peers_that_do_not_come_and_a_port_that_is_taken(server: HssServer) -> None:
    with pytest.raises(NetworkError, match=r"icscf\.example did not connect"):
        await server.wait_for("icscf.example", seconds=0.01)
    second = HssServer(server.hss, host="127.0.0.1", port=server.address.port)
    with pytest.raises(NetworkError, match="is in use"):
        await second.start()


async def test_a_goodbye_is_answered_and_said(server: HssServer, peer: Peer) -> None:
    assert cx.decode(await peer.say(SCSCF.request(diameter.DISCONNECT_PEER, 5))).name == "DPA"
    assert await peer.reader.read() == b""
    other = Peer(*await asyncio.open_connection(*server.address[:2]))
    await other.say(SCSCF.request(diameter.CAPABILITIES_EXCHANGE, 1))
    server.close()
    assert cx.decode(await other.read()).name == "DPR"
    other.writer.close()
