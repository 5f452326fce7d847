"""Calls on real sockets of 127.0.0.x, with media that are nothing but descriptions."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from imslab.data import profile_path
from imslab.errors import CallFailed
from imslab.ims.call import CallState
from imslab.net.core import Core
from imslab.net.terminal import Terminal
from imslab.sip.sdp import SessionDescription
from imslab.uicc import Card, IsimClient, Profile

HOST = "127.0.9.21"
HOSTS = {"alice": "127.0.9.11", "bob": "127.0.9.12"}
BOB = "sip:bob@ims.mnc001.mcc001.3gppnetwork.org"
MIXES = [("UDP", "UDP"), ("TCP", "TCP"), ("WS", "WS"), ("UDP", "WS"), ("WS", "TCP"), ("TCP", "UDP")]


class Described:
    """Media that only write descriptions, and remember what was asked of them."""

    def __init__(self, name):
        self.name, self.version, self.log = name, 0, []

    def _write(self, direction):
        self.version += 1
        return (
            f"v=0\r\no={self.name} 1 {self.version} IN IP4 {HOSTS[self.name]}\r\ns=-\r\n"
            f"c=IN IP4 {HOSTS[self.name]}\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8\r\na={direction}\r\n"
        ).encode()

    async def offer(self, direction="sendrecv"):
        self.log.append(f"offer {direction}")
        return self._write(direction)

    async def answer(self, offer):
        asked = SessionDescription.parse(offer).media[0].direction
        self.log.append(f"answer {asked}")
        return self._write({"sendonly": "recvonly", "recvonly": "sendonly"}.get(asked, asked))

    async def accept(self, answer):
        self.log.append(f"accept {SessionDescription.parse(answer).media[0].direction}")

    async def close(self):
        self.log.append("close")


@asynccontextmanager
async def two(transports=("UDP", "UDP"), core_settings=(), **settings):
    """A core, and alice and bob registered with it."""
    profiles = [Profile.load(profile_path(name)) for name in HOSTS]
    core = Core(**{"host": HOST, "port": 0, "websocket_port": 0, **dict(core_settings)})
    await core.start()
    core.add(profiles)
    terminals = []
    try:
        for profile, host, transport in zip(profiles, HOSTS.values(), transports, strict=True):
            client = IsimClient(Card(profile))
            terminal = Terminal(
                client.read_profile(),
                client,
                core.addresses[transport],
                host=host,
                clock=core.clock,
                **settings,
            )
            await terminal.register()
            terminals.append(terminal)
        yield core, *terminals
    finally:
        for terminal in terminals:
            await terminal.aclose()
        core.close()
        await asyncio.sleep(0)


def answering(media, *, ring=True):
    async def handler(call):
        if ring:
            await call.ring()
        await call.answer(media)

    return handler


@pytest.mark.parametrize("transports", MIXES, ids="-".join)
async def test_a_call(transports):
    mine, theirs = Described("alice"), Described("bob")
    async with two(transports) as (_, alice, bob):
        bob.on_call = answering(theirs)
        call = await alice.call(BOB, mine)
        assert call.state is CallState.CONFIRMED and call.peer == BOB and call.is_asserted
        (other,) = bob.calls
        assert other.peer == "sip:alice@ims.mnc001.mcc001.3gppnetwork.org" and other.is_asserted
        await call.hold()
        await call.resume()
        ending = await call.hang_up()
        assert (ending.by, (await other.ended()).by) == ("us", "peer")
    assert mine.log == [
        "offer sendrecv", "accept sendrecv", "offer sendonly", "accept recvonly", "offer sendrecv",
        "accept sendrecv", "close",
    ]  # fmt: skip
    assert theirs.log == ["answer sendrecv", "answer sendonly", "answer sendrecv", "close"]
    assert list(call.moments) == ["invited", "ringing", "answered", "acknowledged", "ended"]
    assert sorted(call.moments.values()) == list(call.moments.values())


@pytest.mark.parametrize("transports", MIXES[:3], ids="-".join)
async def test_nobody_answers_there(transports):
    media = Described("alice")
    async with two(transports) as (_, alice, bob):
        with pytest.raises(CallFailed, match="480 Temporarily Unavailable") as caught:
            await alice.call(BOB, media)
        assert caught.value.status == 480
    assert media.log == ["offer sendrecv", "close"]


async def test_messages():
    got = []
    async with two(on_message=got.append) as (_, alice, bob):
        await alice.message(BOB, "hello")
        await bob.message("tel:+15550100001", "and hello")
        with pytest.raises(CallFailed, match="no such user") as caught:
            await alice.message("sip:nobody@ims.mnc001.mcc001.3gppnetwork.org", "is there anybody")
    assert [text.text for text in got] == ["hello", "and hello"]
    assert caught.value.status == 404
