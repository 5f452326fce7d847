"""GBA on sockets: software cards, a BSF and a shop on 127.0.0.x, all in one process."""

import io
import socket
from contextlib import asynccontextmanager

import pytest

from imslab.aka import gba
from imslab.capture import open_capture
from imslab.data import profile_path
from imslab.errors import CardError, ImslabError, MacFailure, NetworkError, WrongResponse
from imslab.ims import Hss
from imslab.ims.gba import GbaFailed
from imslab.ims.http import Request, Response
from imslab.lab import Seeded
from imslab.net.gba import BSF_NAME, NAF_NAME, Browser, WebOperator
from imslab.net.http import HttpServer, send
from imslab.net.tap import Clock, Tap
from imslab.net.trace import TraceWriter
from imslab.uicc import Card, IsimClient, Profile

HOSTS = {"bsf": "127.0.3.51", "naf": "127.0.3.61"}
ALICE = "127.0.3.11"
URL = f"http://{NAF_NAME}/basket"


class World:
    def __init__(self, **options):
        self.profile = Profile.load(profile_path("alice"))
        self.hss = Hss(random=Seeded("hss"))
        self.hss.add(self.profile)
        self.clock = Clock()
        self.file = io.BytesIO()
        self.tap = Tap(TraceWriter(self.file), self.clock, hss="127.0.3.41")
        self.operator = WebOperator(
            self.hss.ask, hosts=HOSTS, random=Seeded("operator"), clock=self.clock, tap=self.tap, **options
        )
        self.card = Card(self.profile)
        self.client = IsimClient(self.card)

    def browser(self, **options):
        names, impi = self.operator.names, self.profile.impi
        return Browser(self.client, impi, names, host=ALICE, clock=self.clock, **options)

    @property
    def capture(self):
        self.tap.flush()
        return open_capture(self.file.getvalue())


@asynccontextmanager
async def running(**options):
    world = World(**options)
    await world.operator.start()
    try:
        yield world
    finally:
        world.operator.close()
        world.hss.close()


@pytest.fixture
async def world():
    async with running() as world:
        yield world


@pytest.mark.parametrize("uicc", [False, True], ids=["GBA_ME", "GBA_U"])
async def test_a_login_with_the_card(world, uicc):
    browser = world.browser(uicc=uicc)
    page = await browser.open(URL)
    assert world.profile.impi in page.body and "/basket" in page.body
    assert page.b_tid == browser.bootstrapping.b_tid
    assert (browser.bootstrapping.ks is None) is uicc
    again = await browser.open(f"http://{NAF_NAME}/again")
    assert again.b_tid == page.b_tid  # one bootstrapping serves many logins


async def test_gba_u_leaves_its_notes_on_the_card(world):
    browser = world.browser(uicc=True)
    await browser.open(URL)
    run = browser.bootstrapping
    noted = world.client.gba_bootstrapping()
    assert (noted.rand, noted.b_tid, noted.lifetime) == (run.rand, run.b_tid, run.lifetime)
    assert [(one.naf_id, one.b_tid) for one in world.client.gba_nafs()] == [
        (gba.naf_id(NAF_NAME), run.b_tid.encode())
    ]


async def test_gba_me_leaves_nothing_on_the_card(world):
    await world.browser().open(URL)
    assert world.client.gba_bootstrapping().b_tid == "" and world.client.gba_nafs() == []
    with pytest.raises(CardError) as caught:
        world.client.gba_naf(gba.naf_id(NAF_NAME), world.profile.impi)
    assert (caught.value.sw1, caught.value.sw2) == (0x69, 0x85)


async def test_both_ways_give_the_same_key(world):
    browser = world.browser(uicc=True)
    run = await browser.bootstrap()
    identifier = gba.naf_id(NAF_NAME)
    key = world.client.gba_naf(identifier, world.profile.impi)
    assert key == world.operator.bsf.keys(run.b_tid, identifier, world.clock()).ks_naf


@pytest.mark.parametrize("uicc", [False, True], ids=["GBA_ME", "GBA_U"])
async def test_resynchronisation_on_ub(world, uicc):
    browser = world.browser(uicc=uicc)
    await browser.bootstrap()
    world.hss.forget_sqn(world.profile.impi)
    await browser.bootstrap()
    asked = [e.message for e in world.capture.http if isinstance(e.message, Request)]
    assert [("auts=" in (m.get("Authorization") or "")) for m in asked] == [0, 0, 0, 1, 0]
    labels = [a.label for a in world.capture.arrows() if a.kind == "Cx"]
    assert [label.split()[0] for label in labels] == ["MAR", "MAA"] * 3


async def test_a_network_without_the_key_is_refused(world):
    other = Profile.from_dict({**world.profile.to_dict(), "k": "00" * 16})
    world.hss.add(other)
    with pytest.raises(MacFailure):
        await world.browser().open(URL)
    said = [e.message for e in world.capture.http][-1]
    assert said.status == 403 and b"MAC failure" in said.body


async def test_an_unknown_user(world):
    browser = world.browser()
    browser.impi = "nobody@example.com"
    with pytest.raises(GbaFailed, match="403 Forbidden: the HSS has no vector") as caught:
        await browser.bootstrap()
    assert caught.value.status == 403


async def test_an_expired_key_is_renewed_by_the_browser_and_refused_by_the_naf():
    async with running(lifetime=60.0) as world:
        browser = world.browser()
        first = (await browser.open(URL)).b_tid
        world.operator.clock._epoch += 61.0
        second = (await browser.open(URL)).b_tid
        assert second != first
        run = browser.bootstrapping
        world.operator.bsf._keys.clear()  # a BSF that was started anew
        with pytest.raises(GbaFailed, match="no such B-TID"):
            await browser.open(URL)
        assert browser.bootstrapping is None and run is not None
        assert (await browser.open(URL)).b_tid != second


async def test_a_wrong_key_is_refused(world):
    from dataclasses import replace

    browser = world.browser()
    browser.bootstrapping = replace(await browser.bootstrap(), ks=bytes(32))
    with pytest.raises(GbaFailed, match="403 Forbidden: the response"):
        await browser.open(URL)


async def test_a_server_that_does_not_know_the_key_is_not_believed(world):
    browser = world.browser()
    await browser.bootstrap()

    def forger(request, now):
        answer = world.operator.naf.receive(request, now)
        return Response(answer.status, headers=answer.headers, body=answer.body.replace(b"shop", b"bank"))

    server = HttpServer(forger, host=HOSTS["naf"], clock=world.clock)
    await server.start()
    try:
        browser.names = {**browser.names, NAF_NAME: server.address}
        with pytest.raises(WrongResponse, match="rspauth"):
            await browser.open(URL)
    finally:
        server.close()


async def test_names_and_addresses(world):
    browser = world.browser()
    with pytest.raises(ImslabError, match=r"no address is known for nowhere\.example"):
        await browser.open("http://nowhere.example/")
    for url in ("https://shop.example.com/", "shop.example.com", "http://", "http:///x", "http://a/\r\n"):
        with pytest.raises(GbaFailed, match="no address of a page"):
            await browser.open(url)


async def test_a_port_in_use_is_said_and_nothing_stays_open():
    with socket.socket() as taken:
        taken.bind((HOSTS["naf"], 0))
        taken.listen()
        port = taken.getsockname()[1]
        world = World(ports={"naf": port})
        with pytest.raises(NetworkError, match=rf"cannot listen on {HOSTS['naf']}:{port}"):
            await world.operator.start()
    bsf = world.operator.names[BSF_NAME]
    with pytest.raises(NetworkError, match="cannot be asked"):
        await send(Request("GET", "/"), bsf, host=ALICE)
    world.hss.close()


async def test_octets_in_the_trace_are_those_on_the_wire(world):
    await world.browser().open(URL)
    capture = world.capture
    assert capture.warnings == []
    messages = [event.message for event in capture.http]
    # To the NAF, to the BSF and back twice, and to the NAF again.
    assert [m.status for m in messages if isinstance(m, Response)] == [401, 401, 200, 200]
    hosts = [m.get("Host") for m in messages if isinstance(m, Request)]
    assert hosts == [NAF_NAME, BSF_NAME, BSF_NAME, NAF_NAME]
    assert all(m.get("Date") for m in messages if isinstance(m, Response))
    arrows = capture.arrows()
    assert {a.kind for a in arrows} == {"HTTP", "Cx"}
    labels = [a.label for a in arrows]
    assert labels[1] == "401 Unauthorized · MD5" and labels[5] == "401 Unauthorized · AKAv1-MD5"
    assert "RAND" in arrows[5].detail and arrows[1].detail == f"3GPP-bootstrapping@{NAF_NAME}"


async def test_garbage_on_the_socket_leaves_the_server_whole(world):
    import asyncio

    for octets in (b"\0" * 40, b"GET / HTTP/1.1\r\nAuthorization: Digest " + b"," * 300 + b"\r\n\r\n", b"G"):
        bsf = world.operator.names[BSF_NAME]
        reader, writer = await asyncio.open_connection(bsf.host, bsf.port)
        writer.write(octets)
        writer.write_eof()
        first = await reader.readline()
        assert first == b"" or b" 400 " in first
        writer.close()
        await writer.wait_closed()
    assert (await world.browser().open(URL)).body


async def test_a_bsf_that_asks_for_another_algorithm(world):
    def other(request, now):
        answer = world.operator.bsf.receive(request, now)
        headers = tuple((name, value.replace("AKAv1-MD5", "MD5")) for name, value in answer.headers)
        return Response(answer.status, headers=headers, body=answer.body)

    server = HttpServer(other, host=HOSTS["bsf"], clock=world.clock)
    await server.start()
    browser = world.browser()
    browser.names = {**browser.names, BSF_NAME: server.address}
    try:
        with pytest.raises(GbaFailed, match="asks for MD5, not AKAv1-MD5"):
            await browser.bootstrap()
    finally:
        server.close()
