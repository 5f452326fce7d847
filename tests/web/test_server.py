"""The demo on its sockets, without a browser: what it serves, what it tells, its trace, its end."""

import asyncio
import io
import json
import socket
import ssl
from contextlib import asynccontextmanager

import aiohttp
import pytest

from imslab.capture import open_capture
from imslab.data import profile_path
from imslab.errors import ImslabError, NetworkError
from imslab.ims import Address
from imslab.net.terminal import Terminal
from imslab.uicc import Card, IsimClient, Profile
from imslab.uicc.ota import TAR_ISIM, command_packet, isim_update, seal
from imslab.web.server import Demo, Ports


@asynccontextmanager
async def running(**settings):
    async with Demo(**{"ports": Ports.any(), "robot": None, **settings}) as demo:
        yield demo
    await asyncio.sleep(0)


async def got(url, **settings):
    async with aiohttp.ClientSession() as session, session.get(url, **settings) as answer:
        return answer.status, await answer.text(), answer.headers


async def test_each_page_is_told_its_own_bridge_and_the_others(demo_settings):
    async with running() as demo:
        alice, bob = [await demo_settings(demo, name) for name in ("alice", "bob")]
        assert alice["bridge"] == demo.people["alice"].bridge.url != bob["bridge"]
        assert alice["sip"] == f"{demo.sip}/alice"
        assert [one["name"] for one in alice["contacts"]] == ["bob"]
        assert bob["contacts"][0]["about"] == "+15550100001"


@pytest.fixture
def demo_settings():
    async def read(demo, name):
        return json.loads((await got(f"{demo.origin}/{name}/settings.json"))[1])

    return read


async def test_the_printed_address_holds_the_code_that_pairs(demo_settings):
    codes = []
    async with running(on_code=lambda name, code: codes.append((name, code))) as demo:
        code = demo.people["alice"].bridge.pairing.code
        assert demo.page("alice") == f"{demo.origin}/alice#pair={code}"
        assert demo.page("alice", paired=False) == f"{demo.origin}/alice"
        assert ("alice", code) in codes
        assert code not in (await got(f"{demo.origin}/alice"))[1] + str(demo.health())


async def test_cards_know_the_address_of_the_page_and_no_other():
    async with running() as demo:
        (rule,) = demo.people["alice"].slot._card.profile.access.rules
        from imslab.uicc.access import origin_hash

        assert rule.caller == origin_hash(demo.origin)


async def test_the_network_admits_pages_of_this_origin_only():
    async with running() as demo, aiohttp.ClientSession() as session:
        url = demo.sip.replace("ws:", "http:")
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(url, origin="http://evil.test", protocols=["sip"])
        assert refused.value.status == 403
        socket = await session.ws_connect(f"{url}/alice", origin=demo.origin, protocols=["sip"])
        await socket.close()


async def test_health_tells_what_is_there_and_what_is_not():
    async with running() as demo:
        health = json.loads((await got(f"{demo.origin}/health.json"))[1])
        assert health["registered"] == [] and health["core"] == "here"
        assert health["cards"] == {"alice": "software card", "bob": "software card"}
        demo.people["bob"].slot.pull()
        await demo.people["bob"].bridge.look()
        assert demo.health()["cards"]["bob"] == "software card: taken out"


async def test_two_demos_side_by_side_take_other_addresses():
    async with (
        running(ports=Ports(0, 0, 5060, 5080)) as first,
        running(ports=Ports(0, 0, 5060, 5080)) as second,
    ):
        assert first.core.host != second.core.host
        assert first.people["alice"].host != second.people["alice"].host


async def test_a_port_that_is_taken_is_one_clear_error_and_nothing_stays_open():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(NetworkError, match=str(port)):
            async with running(ports=Ports(port, 0, 0, 0)):
                pass
        with pytest.raises(NetworkError, match=str(port)):
            async with running(ports=Ports(0, port, 0, 0)):
                pass
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


async def test_a_demo_that_does_not_run_says_so():
    demo = Demo(ports=Ports.any(), robot=None)
    for ask in (lambda: demo.origin, lambda: demo.sip):
        with pytest.raises(ImslabError, match="await start"):
            ask()
    await demo.close()


async def test_a_login_of_another_client_is_in_the_trace_under_its_column():
    file = io.BytesIO()
    async with running(trace=file) as demo:
        person = demo.people["alice"]
        await person.element.run(lambda link: IsimClient(link).read_profile())
        address = demo.core.addresses["WS"]
        client = IsimClient(Card(person.profile))
        ue = Terminal(client.read_profile(), client, address, host="127.0.0.1", origin=demo.origin)
        await ue.register()
        await ue.aclose()
        await got(f"{demo.origin}/alice")
    capture = open_capture(file.getvalue(), profile=person.profile)
    assert capture.names[person.host] == "alice" and capture.names[person.card_host] == "alice's card"
    assert [login.result for login in capture.logins] == ["registered"]
    ends = {(arrow.source, arrow.destination) for arrow in capture.arrows() if arrow.kind == "APDU"}
    assert ends == {(person.host, person.card_host), (person.card_host, person.host)}
    pages = [arrow.source for arrow in capture.arrows() if arrow.label.startswith("GET /alice")]
    assert pages == [person.host]
    assert capture.warnings == []


async def test_an_update_over_the_air_reaches_the_card_and_the_hss():
    async with running() as demo:
        person = demo.people["alice"]
        keys = person.profile.ota[0]
        impu = "sip:alice.new@ims.mnc001.mcc001.3gppnetwork.org"
        proof = await person.ota(seal(command_packet(keys, TAR_ISIM, isim_update(impu=[impu]), 1), keys))
        assert proof
        assert (await person.read()).impu[0] == impu
        await person.provision(impu=(impu,))
        assert demo.core.hss.owner(impu) == person.profile.impi


async def test_within_tls():
    async with running(tls=True) as demo:
        assert demo.origin.startswith("https://127.0.0.1:") and demo.sip.startswith("wss://127.0.0.1:")
        trusting = ssl.create_default_context(cadata=demo.certificate.pem.decode())
        status, page, headers = await got(f"{demo.origin}/alice", ssl=trusting)
        assert status == 200 and "imslab phone" in page
        assert demo.sip in headers["Content-Security-Policy"]
        async with aiohttp.ClientSession() as session:
            url = demo.sip.replace("wss:", "https:")
            socket = await session.ws_connect(url, origin=demo.origin, protocols=["sip"], ssl=trusting)
            assert socket.protocol == "sip"
            await socket.close()
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await session.get(f"{demo.origin}/alice")


async def test_at_another_core_there_is_none_here(demo_settings):
    async with running() as network, running(core=network.sip, robot="carol") as demo:
        assert demo.core is None and demo.robot is None
        assert (await demo_settings(demo, "alice"))["sip"] == f"{network.sip}/alice"
        assert demo.health()["core"] == "another one"
        assert demo.health()["registered"] == []


async def test_the_card_in_a_reader_is_the_first_subscribers():
    profile = Profile.load(profile_path("carol"))
    async with running(reader="no such reader", profile=profile) as demo:
        assert not demo.people["alice"].is_software and demo.people["bob"].is_software
        assert demo.people["alice"].profile is profile
        assert demo.health()["cards"]["alice"] == "card in a reader: taken out"


async def test_the_core_comes_back_at_the_same_address():
    async with running() as demo:
        before = dict(demo.core.addresses)
        await demo.stop_core()
        await demo.start_core()
        assert demo.core.addresses == before
        client = IsimClient(Card(Profile.load(profile_path("bob"))))
        ue = Terminal(client.read_profile(), client, before["UDP"], host="127.0.0.1")
        assert await ue.register()
        await ue.aclose()


def test_free_ports():
    assert Ports.any() == Ports(0, 0, 0, 0)
    assert Address("127.0.0.1", Ports().web).port == 8080
