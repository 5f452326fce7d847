"""Our core asks an HSS over Diameter Cx: ours, on another address, in the place of a foreign one."""

import asyncio
import io
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from imslab.aka import open_autn
from imslab.capture import open_capture
from imslab.data import profile_path
from imslab.errors import CallFailed, ImslabError, MacFailure, Malformed, NetworkError, RegistrationFailed
from imslab.ims import Address, Hss, cx
from imslab.ims.hss import Subscriber
from imslab.ims.node import Event
from imslab.ims.ue import CardAnswer, State
from imslab.lab import Seeded
from imslab.net import remote_hss
from imslab.net.core import Core
from imslab.net.hss import HssServer
from imslab.net.remote_hss import address_of
from imslab.net.tap import Clock, Tap
from imslab.net.terminal import Terminal
from imslab.net.trace import TraceWriter
from imslab.uicc import Card, IsimClient, Profile

HSS, SCSCF, PCSCF, UE = (f"127.0.14.{last}" for last in (41, 31, 21, 11))
ALICE, BOB = (Profile.load(profile_path(name)) for name in ("alice", "bob"))


class Home:
    """A core, the HSS that it asks, and terminals; everything that happens is in ``events``."""

    def __init__(self, database: str) -> None:
        self.clock, self.file = Clock(), io.BytesIO()
        self.tap = Tap(TraceWriter(self.file), self.clock)
        self.events: list[Event] = []
        self.database, self.runs = database, 0
        self.hss: HssServer
        self.core: Core
        self.terminals: list[Terminal] = []

    async def start_hss(self, port: int = 0) -> None:
        self.runs += 1  # another seed: an HSS that begins anew draws other RANDs
        hss = Hss(self.database, random=Seeded(f"hss {self.runs}"))
        for profile in (ALICE, BOB):
            hss.add(profile)
        self.hss = HssServer(hss, host=HSS, port=port)
        await self.hss.start()

    def kill_hss(self) -> None:
        """End the HSS as a crash does: no goodbye, nothing tidied up."""
        assert self.hss._server is not None
        self.hss._server.close()
        for peer in list(self.hss._peers):
            assert peer._transport is not None
            peer._transport.abort()

    async def start(self) -> None:
        await self.start_hss()
        self.core = Core(
            host=PCSCF, port=0, websocket_port=0, scscf=SCSCF, clock=self.clock, tap=self.tap,
            random=Seeded("core"), on_event=self.events.append,
            hss=f"aaa://{HSS}:{self.hss.address.port}",
        )  # fmt: skip
        await self.core.start()

    def terminal(self, profile: Profile = ALICE) -> Terminal:
        client = IsimClient(Card(profile))
        one = Terminal(client.read_profile(), client, self.core.addresses["UDP"], host=UE, clock=self.clock)
        self.terminals.append(one)
        return one

    async def close(self) -> None:
        for terminal in self.terminals:
            await terminal.aclose()
        self.core.close()
        self.hss.close()
        self.hss.hss.close()
        await asyncio.sleep(0.01)

    async def until(self, what: str, count: int = 1) -> None:
        async with asyncio.timeout(10):
            while sum(event.what == what for event in self.events) < count:
                await asyncio.sleep(0.005)

    def capture_to(self, path: Path) -> None:
        self.tap.flush()
        path.write_bytes(self.file.getvalue())


@pytest.fixture
async def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Home]:
    monkeypatch.setattr(remote_hss, "AGAIN", 0.02)
    one = Home(str(tmp_path / "hss.db"))
    await one.start()
    yield one
    await one.close()


async def whole_life(home: Home) -> None:
    """Register (AKAv2), watch, resynchronise, call, be refused, be renamed, be taken out."""
    alice, bob = home.terminal(), home.terminal(BOB)
    registered = await alice.register("AKAv2-MD5")
    assert registered.proven and registered.impus == ALICE.impu
    await bob.register()
    await alice.subscribe()
    home.hss.hss.forget_sqn(ALICE.impi)
    await alice.register("AKAv2-MD5")
    with suppress(CallFailed):  # bob takes no calls: it was the question where he is that mattered
        await alice.message(BOB.impu[0], "hello")
    stranger = home.terminal(replace(ALICE, imsi="001010000000099", impi="", impu=(), name="nobody"))
    with pytest.raises(RegistrationFailed) as refused:
        await stranger.register()
    assert refused.value.status == 403
    await home.hss.push_profile(ALICE.impi)
    await home.hss.terminate(ALICE.impi)
    assert alice.ue is not None
    async with asyncio.timeout(5):
        while alice.ue.state is State.REGISTERED:
            await asyncio.sleep(0.005)
    assert home.core.scscf is not None and home.core.scscf.registrar.by_impi(ALICE.impi) is None
    await bob.deregister()


async def test_everything_that_a_subscriber_does(home: Home, tmp_path: Path) -> None:
    await whole_life(home)
    home.capture_to(tmp_path / "cx.pcapng")
    capture = open_capture(tmp_path / "cx.pcapng", profile=[ALICE, BOB])
    said = [event.message.name for event in capture.cx_events]
    for name in ("UA", "MA", "SA", "LI", "RT", "PP"):
        assert said.count(f"{name}R") == said.count(f"{name}A") > 0
    assert said.count("MAR") == 5  # alice, bob, alice again and after AUTS, bob when he leaves
    assert [login.result for login in capture.logins][:3] == ["registered"] * 3
    assert capture.logins[2].resync and capture.warnings == []
    assert {event.source[0] for event in capture.cx_events} == {HSS, SCSCF}


@pytest.mark.component("tshark")
async def test_tshark_knows_every_cx_message_and_every_avp(home: Home, tmp_path: Path) -> None:
    await whole_life(home)
    home.core.close()
    await asyncio.sleep(0.01)
    home.capture_to(path := tmp_path / "cx.pcapng")
    worse = "_ws.malformed || diameter.avp.unknown || _ws.expert.severity >= 6291456"
    assert tshark(path, "-Y", f"diameter && ({worse})") == ""
    shown = tshark(path, "-Y", "diameter", "-O", "diameter").replace("on interface unknown", "")
    assert "3GPP-SIP-Number-Auth-Items" in shown  # the AVPs are there, with their names
    assert "unknown" not in shown.replace("USER_UNKNOWN", "").lower()
    codes = tshark(path, "-Y", "diameter", "-Tfields", "-ediameter.cmd.code").split()
    assert {"257", "282", "300", "301", "302", "303", "304", "305"} == set(",".join(codes).split(","))


def tshark(path: Path, *options: str) -> str:
    port = ("-d", "tcp.port==1-65535,diameter")  # the HSS of a test listens where it may
    command = ["tshark", "-r", str(path), *port, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_a_network_without_the_key_is_refused_by_the_card(home: Home) -> None:
    home.hss.hss.add(replace(ALICE, k=bytes(16)))
    with pytest.raises(MacFailure):
        await home.terminal().register()


async def test_an_hss_killed_in_mid_registration_uses_no_sqn_twice(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The MAR is answered and the vector on its way when the HSS dies: its SQN is used up all the same."""
    seen = watch_sqn(monkeypatch)
    alice = home.terminal()
    await alice.register()
    port = home.hss.address.port
    home.hss.hss.ask = killing(home)  # type: ignore[method-assign, assignment]
    with pytest.raises(
        RegistrationFailed, match="the HSS did not answer the core: try again later"
    ) as caught:
        await alice.register()
    assert caught.value.status == 504
    await home.until("HSS lost")
    with pytest.raises(RegistrationFailed) as caught:  # the connection is not there: no waiting
        await alice.register()
    assert caught.value.status == 504
    await home.start_hss(port)
    await home.until("HSS found", 2)
    assert (await alice.register()).proven
    assert (await home.terminal(BOB).register()).proven
    alices = [sqn for impi, sqn in seen if impi == ALICE.impi]
    assert len(alices) == 3 and alices == sorted(set(alices))


def watch_sqn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Write down the SQN of every vector that is made from now on, by whichever HSS."""
    seen: list[tuple[str, int]] = []
    save = Hss._save

    def saved(hss: Hss, subscriber: Subscriber) -> None:
        save(hss, subscriber)
        seen.append((subscriber.impi, subscriber.generator.sqn_he))

    monkeypatch.setattr(Hss, "_save", saved)
    return seen


def killing(home: Home) -> Callable[[cx.Request, float], cx.Answer]:
    """Let the HSS die when it has made the next vector."""
    ask = home.hss.hss.ask

    def answered(request: cx.Request, now: float) -> cx.Answer:
        answer = ask(request, now)
        if isinstance(request, cx.MultimediaAuthRequest):
            home.kill_hss()
        return answer

    return answered


HSS_PROCESS = """
import asyncio, os, sys
from imslab.data import profile_path
from imslab.ims import Hss
from imslab.net.hss import HssServer
from imslab.uicc import Profile

async def main(database, host, port):
    hss = Hss(database, random=os.urandom)
    for name in ("alice", "bob"):
        hss.add(Profile.load(profile_path(name)))
    server = HssServer(hss, host=host, port=int(port))
    await server.start()
    print(server.address.port, flush=True)
    await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:]))
"""


class HssProcess:
    """An HSS in a process of its own, which can be killed."""

    def __init__(self, database: Path) -> None:
        self._database, self.port = database, 0
        self._process: subprocess.Popen[str] | None = None

    async def start(self) -> None:
        command = [sys.executable, "-c", HSS_PROCESS, str(self._database), HSS, str(self.port)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(await asyncio.to_thread(self._process.stdout.readline))

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


class Noting:
    """A card that writes down the SQN of each challenge that it takes."""

    def __init__(self, profile: Profile, client: IsimClient) -> None:
        self._profile, self._client = profile, client
        self.sqns: list[int] = []
        self.before: Callable[[], None] | None = None  # called once, when the card is asked

    def authenticate(self, rand: bytes, autn: bytes) -> CardAnswer:
        if self.before is not None:
            self.before()
            self.before = None
        self.sqns.append(int.from_bytes(open_autn(self._profile.functions, rand, autn)))
        return self._client.authenticate(rand, autn)  # raises SyncFailure for a SQN that was seen before


async def test_an_hss_that_is_really_killed_and_begins_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGKILL in mid login, twice: what the cards see is always fresh, and nobody has to resynchronise."""
    monkeypatch.setattr(remote_hss, "AGAIN", 0.02)
    hss, events = HssProcess(tmp_path / "hss.db"), list[Event]()
    await hss.start()
    settings = {"port": 0, "websocket_port": 0, "scscf": SCSCF, "on_event": events.append}
    core = Core(host=PCSCF, hss=f"aaa://{HSS}:{hss.port}", **settings)  # type: ignore[arg-type]
    await core.start()
    clients = [(profile, IsimClient(Card(profile))) for profile in (ALICE, BOB)]
    cards = [Noting(profile, client) for profile, client in clients]
    people = [
        Terminal(client.read_profile(), card, core.addresses["UDP"], host=UE, on_event=events.append)
        for (_, client), card in zip(clients, cards, strict=True)
    ]
    for run in range(3):
        for _ in range(4):
            await asyncio.gather(*(one.register() for one in people))
        if run < 2:
            cards[0].before = hss.kill  # the vector is given out, the answer to it on its way
            for result in await asyncio.gather(*(one.register() for one in people), return_exceptions=True):
                assert isinstance(result, RegistrationFailed) and result.status == 504
            await hss.start()
            async with asyncio.timeout(10):
                while sum(event.what == "HSS found" for event in events) < run + 2:
                    await asyncio.sleep(0.01)
    for card in cards:
        assert card.sqns == sorted(set(card.sqns)) and len(card.sqns) >= 12
    assert not any(event.what == "SQN out of range" for event in events)
    for one in people:
        one.close()
    core.close()
    hss.kill()
    await asyncio.sleep(0.01)


async def test_an_hss_that_comes_back_is_found_by_itself(home: Home) -> None:
    port = home.hss.address.port
    for count in (2, 3):
        home.hss.close()  # with a goodbye
        await home.until("HSS lost", count - 1)
        await home.start_hss(port)
        await home.until("HSS found", count)
    assert (await home.terminal().register()).proven


async def test_a_silent_hss_is_given_up_in_time(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imslab.net.cx_peer.PATIENCE", 0.05)
    monkeypatch.setattr("imslab.net.hss._Peer._serve", lambda *_: None)
    with pytest.raises(RegistrationFailed) as caught:
        await home.terminal().register()
    assert caught.value.status == 504
    assert any(event.what == "no answer from the HSS" for event in home.events)


async def test_an_s_cscf_that_does_not_serve_the_user_says_so(home: Home) -> None:
    await home.terminal().register()
    assert home.core.scscf is not None
    home.core.scscf.registrar._registrations.clear()  # it was restarted, and has forgotten
    with pytest.raises(ImslabError, match=r"refused to let .* go \(result 5001\)"):
        await home.hss.terminate(ALICE.impi)


async def test_subscribers_are_not_ours_to_add(home: Home) -> None:
    with pytest.raises(ImslabError, match=rf"the HSS is at {re.escape(HSS)}:\d+/TCP: subscribers are"):
        home.core.add([ALICE])


async def refused(core: Core, match: str) -> None:
    with pytest.raises(NetworkError, match=match):
        await core.start()
    core.close()
    await asyncio.sleep(0)


async def test_no_hss_at_all_and_an_hss_that_does_not_want_us() -> None:
    settings = {"host": PCSCF, "port": 0, "websocket_port": 0, "scscf": SCSCF}
    await refused(Core(hss=f"aaa://{HSS}:9", **settings), r"no HSS at .*:9 \(.*\): start it first")  # type: ignore[arg-type]

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.close()

    async with await asyncio.start_server(hang_up, HSS, 0) as server:
        port = server.sockets[0].getsockname()[1]
        await refused(Core(hss=f"{HSS}:{port}", **settings), "does not take us for its S-CSCF")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("aaa://127.0.0.20:3868", ("127.0.0.20", 3868)),
        ("aaa://hss.example", ("hss.example", 3868)),
        ("AAA://hss.example:1;transport=TCP", ("hss.example", 1)),
        ("127.0.0.20", ("127.0.0.20", 3868)),
        ("aaa://[::1]:3869", ("::1", 3869)),
    ],
)
def test_where_an_hss_is(uri: str, address: tuple[str, int]) -> None:
    assert address_of(uri) == Address(*address, "TCP")


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "aaa://",
        "aaas://hss.example",
        "aaa://hss:0",
        "aaa://hss:65536",
        "aaa://h;transport=sctp",
        "http://h",
    ],
)
def test_what_is_no_address_of_an_hss(uri: str) -> None:
    with pytest.raises(Malformed, match=r"expected aaa://HOST:PORT"):
        address_of(uri)
