"""SIPp 3.6.1 (Debian sip-tester) calls our terminal, is called by it, and calls itself, through our core.

The scenarios are those of the interop kit. SIPp knows neither 100rel nor the session timer, and sends within
a dialog what Record-Route tells it.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from imslab.data import profile_path
from imslab.errors import CallFailed
from imslab.ims.call import CallState
from imslab.ims.node import Event
from imslab.interop import Target, sipp
from imslab.lab import Seeded
from imslab.net.call import TerminalCall
from imslab.net.core import Core
from imslab.net.terminal import Terminal
from imslab.sip.sdp import SessionDescription
from imslab.uicc import Card, IsimClient, Profile
from tests.interop.subscribers import (
    DOMAIN,
    NoZeroInRes,
    crowd,
    ended,
    free_port,
    prepare,
    run,
    start,
    subscriber,
    target_of,
)

ALICE, SIPP = f"sip:alice@{DOMAIN}", f"sip:sipp@{DOMAIN}"
HOST, ALICE_HOST, SIPP_HOST, OTHER_HOST = "127.0.11.21", "127.0.11.11", "127.0.11.1", "127.0.11.2"
BUSY = """<?xml version="1.0"?>
<scenario name="busy">
<recv request="INVITE"/>
<send retrans="500"><![CDATA[
SIP/2.0 486 Busy Here
[last_Via:]
[last_From:]
[last_To:];tag=[call_number]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
<recv request="ACK"/>
</scenario>
"""


class Described:
    """Media that are descriptions."""

    async def offer(self, direction: str = "sendrecv") -> bytes:
        return (
            f"v=0\r\no=- 1 1 IN IP4 {ALICE_HOST}\r\ns=-\r\nc=IN IP4 {ALICE_HOST}\r\nt=0 0\r\n"
            f"m=audio 4000 RTP/AVP 0\r\na={direction}\r\n"
        ).encode()

    async def answer(self, offer: bytes) -> bytes:
        self.offered = SessionDescription.parse(offer)
        return await self.offer()

    async def accept(self, answer: bytes) -> None:
        self.accepted = SessionDescription.parse(answer)

    async def close(self) -> None:
        pass


class Sipp:
    """SIPp at one port of its own, in a folder with the scenarios of the kit."""

    def __init__(self, folder: Path, target: Target, profiles: list[Profile]) -> None:
        self.folder, self.target, self.port = folder, target, free_port(target.local)
        self.running: list[asyncio.subprocess.Process] = []
        folder.mkdir()
        prepare(folder, profiles, target)

    async def start(self, scenario: str, *options: str, calls: int = 1) -> asyncio.subprocess.Process:
        """Start it, and wait until it has bound its port: it answers nothing before that."""
        process = await start(self.folder, scenario, self.target, *options, calls=calls, port=self.port)
        self.running.append(process)
        async with asyncio.timeout(10):
            while process.returncode is None and not self._listens():
                await asyncio.sleep(0.02)
        return process

    async def run(self, scenario: str, *options: str, calls: int = 1) -> None:
        outcome = await run(self.folder, scenario, self.target, *options, calls=calls, port=self.port)
        assert outcome[:3] == (calls, 0, 0), outcome.output

    def _listens(self) -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind((self.target.local, self.port))
            except OSError:
                return True
        return False

    async def close(self) -> None:
        for process in self.running:
            if process.returncode is None:
                process.kill()
                await process.wait()


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[tuple[Terminal, Sipp]]:
    """A core with alice and SIPp registered."""
    core = Core(host=HOST, port=0, websocket_port=0, random=NoZeroInRes("sipp calls"))
    await core.start()
    alice = Profile.load(profile_path("alice"))
    core.add([alice, subscriber()])
    client = IsimClient(Card(alice))
    terminal = Terminal(client.read_profile(), client, core.addresses["UDP"], host=ALICE_HOST)
    await terminal.register()
    peer = Sipp(tmp_path / "sipp", replace(target_of(core, SIPP_HOST), callee=ALICE), [subscriber()])
    try:
        await peer.run("register.xml")
        yield terminal, peer
    finally:
        await terminal.aclose()
        core.close()
        await peer.close()


@pytest.mark.component("sipp")
async def test_sipp_calls_alice(lab: tuple[Terminal, Sipp]) -> None:
    terminal, peer = lab
    media, calls = Described(), []

    async def answer(call: TerminalCall) -> None:
        calls.append(call)
        await call.ring()
        await call.answer(media)

    terminal.on_call = answer
    file = peer.folder / "call.xml"  # it says that it is somebody else
    file.write_text(
        file.read_text().replace(
            "P-Preferred-Identity: <[field0]>", f"P-Asserted-Identity: <sip:boss@{DOMAIN}>"
        )
    )
    await peer.run("call.xml")
    (call,) = calls
    ending = await asyncio.wait_for(call.ended(), 5)
    assert ending.by == "peer" and media.offered.media[0].port == 6000
    assert (call.peer, call.is_asserted) == (SIPP, True)  # and not the boss
    assert {"ringing", "answered", "acknowledged", "ended"} <= set(call.moments)


@pytest.mark.component("sipp")
async def test_alice_calls_sipp(lab: tuple[Terminal, Sipp]) -> None:
    terminal, peer = lab
    process = await peer.start("answer.xml")
    media = Described()
    call = await terminal.call(SIPP, media)
    assert call.state is CallState.CONFIRMED and media.accepted.media[0].port == 6000
    assert [progress.status for progress in call.progress] == [180]
    await call.hang_up()
    assert (await ended(process, peer.folder))[:3] == (1, 0, 0)


@pytest.mark.component("sipp")
async def test_sipp_is_busy(lab: tuple[Terminal, Sipp]) -> None:
    terminal, peer = lab
    (peer.folder / "busy.xml").write_text(BUSY)
    process = await peer.start("busy.xml")
    with pytest.raises(CallFailed, match="486 Busy Here"):
        await terminal.call(SIPP, Described())
    assert (await ended(process, peer.folder))[:3] == (1, 0, 0)


@pytest.mark.component("sipp")
async def test_two_hundred_subscribers_call_one(tmp_path: Path) -> None:
    """Each has registered from the port from which all of them call; SIPp answers at another."""
    callers, registered = crowd(200), set()

    def happened(event: Event) -> None:
        if event.what == "registered":
            registered.add(event.about)

    core = Core(host=HOST, port=0, websocket_port=0, random=Seeded("two hundred"), on_event=happened)
    await core.start()
    core.add([*callers, subscriber()])
    calling = Sipp(tmp_path / "calling", replace(target_of(core, SIPP_HOST), callee=SIPP), callers)
    called = Sipp(tmp_path / "called", target_of(core, OTHER_HOST), [subscriber()])
    try:
        for peer, people in ((calling, callers), (called, [subscriber()])):
            # Who had a zero octet in RES, SIPp's known fault, tries again.
            for _ in range(5):
                left = [one for one in people if not any(one.impi in about for about in registered)]
                if left:
                    (peer.folder / sipp.SUBSCRIBERS).write_text(sipp.subscribers(left, peer.target))
                    options = (peer.folder, "register.xml", peer.target, "-r", "200", "-l", "50")
                    await run(*options, calls=len(left), port=peer.port)
            assert not left
            (peer.folder / sipp.SUBSCRIBERS).write_text(sipp.subscribers(people, peer.target))
        answering = await called.start("answer.xml", calls=200)
        await calling.run("call.xml", "-r", "100", "-l", "100", calls=200)
        assert (await ended(answering, called.folder))[:3] == (200, 0, 0)
    finally:
        core.close()
        await calling.close()
        await called.close()
