"""The bridge on its socket: who is let in, what a page must do first, floods, faults, and its end."""

import asyncio
import json
from contextlib import asynccontextmanager

import aiohttp
import pytest

from imslab.aka import digest, generate_vector
from imslab.errors import Malformed, NetworkError
from imslab.lab import Seeded
from imslab.uicc import apdu
from imslab.uicc.isim import read_answer
from imslab.uicc.personalisation import ISIM_AID
from imslab.web.bridge import MOST_PAGES, SUBPROTOCOL, Bridge
from imslab.web.caller import ANSWER, LONGEST

PAGE = "http://127.0.0.1:8080"
REALM = "ims.mnc001.mcc001.3gppnetwork.org"


class Told(Exception):
    """The bridge answered with an error."""

    def __init__(self, name, message):
        self.name = name
        super().__init__(message)


class Client:
    """A page, as seen from the wire."""

    def __init__(self, socket):
        self.socket, self._id, self.events = socket, 0, []

    async def ask(self, do, **said):
        self._id += 1
        await self.socket.send_json({"id": self._id, "do": do, **said})
        return await self.heard(self._id)

    async def heard(self, number):
        while True:
            message = await self.socket.receive(timeout=10)
            assert message.type is aiohttp.WSMsgType.TEXT, message
            said = json.loads(message.data)
            if "event" in said:
                self.events.append(said)
                continue
            assert said["id"] == number
            if "error" in said:
                raise Told(said["error"]["name"], said["error"]["message"])
            return said["ok"]

    async def open_channel(self):
        session = (await self.ask("openSession", reader="reader"))["session"]
        opened = await self.ask("openLogicalChannel", session=session, aid=ISIM_AID[:7].hex())
        return opened["channel"]


@asynccontextmanager
async def running(desk, **settings):
    table = desk()
    codes = []
    made = {"clock": Clock(), "random": Seeded("bridge"), "on_code": codes.append, **settings}
    bridge = Bridge([table.element], [PAGE], **made)
    await bridge.start()
    bridge.codes, bridge.table = codes, table
    try:
        yield bridge
    finally:
        await bridge.close()


class Clock:
    def __init__(self):
        self.now = 1_700_000_000.0

    def __call__(self):
        return self.now


@asynccontextmanager
async def connected(bridge, *, origin=PAGE, pair=True, **headers):
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(
            bridge.url.replace("ws:", "http:"),
            origin=origin,
            protocols=(SUBPROTOCOL,),
            headers=headers,
            max_msg_size=0,
        ) as socket,
    ):
        client = Client(socket)
        if pair:
            await client.ask("pair", code=bridge.codes[-1])
        yield client


async def refused(bridge, **settings):
    with pytest.raises(aiohttp.WSServerHandshakeError) as error:
        async with connected(bridge, pair=False, **settings):
            pass
    return error.value.status


def challenge(bridge, number=1):
    vector = generate_vector(bridge.table.profile.functions, bytes(range(16)), (number << 5 | 1).to_bytes(6))
    return vector, apdu.authenticate(vector.rand, vector.autn).hex()


async def told(name, asking):
    with pytest.raises(Told) as error:
        await asking
    assert error.value.name == name
    return str(error.value)


async def test_a_paired_page_authenticates(desk):
    async with running(desk) as bridge, connected(bridge) as page:
        assert await page.ask("hello") == {"mode": "transmit", "paired": True}
        assert (await page.ask("readers"))["readers"] == [{"name": "reader", "present": True}]
        channel = await page.open_channel()
        vector, command = challenge(bridge)
        response = bytes.fromhex((await page.ask("transmit", channel=channel, command=command))["response"])
        assert read_answer(response[:-2]).res == vector.xres
        await page.ask("closeChannel", channel=channel)
        await told("Unknown", page.ask("transmit", channel=channel, command=command))


@pytest.mark.parametrize(
    "origin", ["http://127.0.0.1:8081", "https://127.0.0.1:8080", "http://localhost:8080", "null", None]
)
async def test_another_origin_is_refused_on_the_websocket_too(desk, origin):
    async with running(desk) as bridge:
        assert await refused(bridge, origin=origin) == 403
        entry = bridge.audit.entries[-1]
        assert (entry.origin, entry.what) == (origin or "no origin", "connect")
        assert "origin" in entry.outcome


@pytest.mark.parametrize("host", ["evil.example.org", "127.0.0.1", "127.0.0.1:1", "localhost.evil.org:{}"])
async def test_a_name_rebound_to_this_machine_is_refused(desk, host):
    async with running(desk) as bridge:
        assert await refused(bridge, Host=host.format(bridge.address.port)) == 403
        async with connected(bridge, Host=f"localhost:{bridge.address.port}", pair=False) as page:
            assert await page.ask("hello")


async def test_nothing_but_pairing_before_it_is_paired(desk):
    async with running(desk) as bridge, connected(bridge, pair=False) as page:
        assert await page.ask("hello") == {"mode": "transmit", "paired": False}
        for deed in ("readers", "openSession", "openLogicalChannel", "transmit", "answer", "closeSession"):
            await told("NotPaired", page.ask(deed, reader="reader", session="0", channel="0", command="00"))
        assert bridge.table.exchanges == []


async def test_a_code_is_used_up_and_the_next_one_is_shown(desk):
    async with running(desk) as bridge, connected(bridge, pair=False) as page:
        (code,) = bridge.codes
        token = (await page.ask("pair", code=code))["token"]
        assert bridge.codes == [code, bridge.pairing.code]
        assert bridge.pairing.code != code
        async with connected(bridge, pair=False) as second:
            await told("WrongCode", second.ask("pair", code=code))
            assert await second.ask("resume", token=token) == {}
            assert (await second.ask("hello"))["paired"]


async def test_a_wrong_token(desk):
    async with running(desk) as bridge, connected(bridge, pair=False) as page:
        await told("NotPaired", page.ask("resume", token="A" * 75))
        await told("NotPaired", page.ask("openSession", reader="reader"))


async def test_guessing_codes_ends_after_three_tries(desk):
    async with running(desk) as bridge, connected(bridge, pair=False) as page:
        names = []
        for guess in range(5):
            with pytest.raises(Told) as error:
                await page.ask("pair", code=f"x{guess}")
            names.append(error.value.name)
        assert names == ["WrongCode"] * 3 + ["TooMany"] * 2
        assert len(bridge.codes) == 2  # there is another code now, and the person sees it
        bridge.clock.now += 61
        assert await page.ask("pair", code=bridge.codes[-1])


async def test_another_pages_channel_cannot_be_used(desk):
    async with running(desk) as bridge, connected(bridge) as page, connected(bridge) as thief:
        channel = await page.open_channel()
        _, command = challenge(bridge)
        await told("Unknown", thief.ask("transmit", channel=channel, command=command))
        await thief.ask("closeChannel", channel=channel)
        assert await page.ask("transmit", channel=channel, command=command)


async def test_a_page_that_goes_away_leaves_no_channel_open(desk):
    async with running(desk) as bridge:
        async with connected(bridge) as page:
            await page.open_channel()
            assert len(bridge.table.card._session.channels) == 2
        await until(lambda: len(bridge.table.card._session.channels) == 1)


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "JSON object"),
        ("[]", "JSON object"),
        ("[" * 2000, "JSON object"),
        ('"x"', "JSON object"),
        ('{"id": true, "do": "hello"}', "an id, a number"),
        ('{"do": "hello"}', "an id, a number"),
        ('{"id": 1}', "do is one of"),
        ('{"id": 1, "do": ["hello"]}', "do is one of"),
        ('{"id": 1, "do": "openSession"}', "reader is missing"),
        ('{"id": 1, "do": "openSession", "reader": 7}', "reader is missing, or no text"),
        ('{"id": 1, "do": "openLogicalChannel", "session": "0", "aid": "xyz"}', "aid is not hex"),
        ('{"id": 1, "do": "transmit", "channel": "0", "command": "0"}', "odd number"),
    ],
)
async def test_bad_questions_get_one_clear_answer_and_the_page_may_go_on(desk, text, why):
    async with running(desk) as bridge, connected(bridge) as page:
        await page.socket.send_str(text)
        said = json.loads((await page.socket.receive(timeout=10)).data)
        while "event" in said:
            said = json.loads((await page.socket.receive(timeout=10)).data)
        assert said["error"]["name"] == "BadRequest"
        assert why in said["error"]["message"]
        assert await page.ask("hello")


async def closed(page, code):
    while True:
        message = await page.socket.receive(timeout=10)
        if message.type is aiohttp.WSMsgType.CLOSE or page.socket.closed:
            assert page.socket.close_code == code
            return


async def test_a_question_of_any_length_or_kind_ends_the_connection_and_not_the_bridge(desk):
    async with running(desk) as bridge:
        async with connected(bridge) as page:
            await page.socket.send_str("x" * (LONGEST + 1))
            await closed(page, 1009)
        async with connected(bridge) as page:
            await page.socket.send_bytes(b"\0")
            await closed(page, 1003)
        async with connected(bridge) as page:
            assert await page.ask("hello")


async def test_a_flood_is_slowed_down_then_ended_and_others_go_on(desk):
    async with running(desk) as bridge, connected(bridge) as good:
        channel = await good.open_channel()
        async with connected(bridge) as flooder:
            for number in range(600):
                try:
                    await flooder.socket.send_json({"id": number, "do": "hello"})
                except ConnectionError:
                    break
            await closed(flooder, 1008)
        assert any(entry.what == "flood" for entry in bridge.audit.entries)
        _, command = challenge(bridge)
        assert await good.ask("transmit", channel=channel, command=command)


async def test_authentications_have_a_limit_of_their_own(desk):
    async with running(desk, authentications=(1.0, 2.0)) as bridge, connected(bridge) as page:
        channel = await page.open_channel()
        for number in (1, 2):
            _, command = challenge(bridge, number)
            await page.ask("transmit", channel=channel, command=command)
        _, command = challenge(bridge, 3)
        asked = len(bridge.table.exchanges)
        assert "authentications" in await told(
            "TooMany", page.ask("transmit", channel=channel, command=command)
        )
        assert len(bridge.table.exchanges) == asked
        bridge.clock.now += 1
        assert await page.ask("transmit", channel=channel, command=command)


async def test_only_so_many_pages(desk):
    async with running(desk) as bridge, aiohttp.ClientSession() as session:
        url = bridge.url.replace("ws:", "http:")
        pages = [await session.ws_connect(url, origin=PAGE) for _ in range(MOST_PAGES)]
        assert await refused(bridge) == 503
        await pages[0].close()
        await until(lambda: len(bridge._pages) < MOST_PAGES)
        async with connected(bridge, pair=False) as page:
            assert await page.ask("hello")
        for socket in pages[1:]:
            await socket.close()


async def test_what_is_no_websocket_is_told_so(desk):
    async with running(desk) as bridge, aiohttp.ClientSession() as session:
        url = bridge.url.replace("ws:", "http:")
        async with session.get(url, headers={"Origin": PAGE}) as answer:
            assert answer.status == 426
        async with session.get(url) as answer:
            assert answer.status == 403
        async with session.get(url.replace("/element", "/"), headers={"Origin": PAGE}) as answer:
            assert answer.status == 404


async def test_pages_are_told_when_the_card_goes_and_comes(desk):
    async with running(desk) as bridge, connected(bridge) as page:
        await page.open_channel()
        bridge.table.slot.pull()
        await bridge.look()
        await told("NoCard", page.ask("openSession", reader="reader"))
        bridge.table.slot.insert()
        await bridge.look()
        await page.open_channel()
        assert [event["present"] for event in page.events[-2:]] == [False, True]
        assert page.events[-1]["reader"] == "reader"


async def test_in_the_second_mode_a_page_gets_answers_and_no_keys(desk):
    async with running(desk, mode=ANSWER) as bridge, connected(bridge) as page:
        assert (await page.ask("hello"))["mode"] == "answer"
        session = (await page.ask("openSession", reader="reader"))["session"]
        opened = await page.ask("openLogicalChannel", session=session, aid=ISIM_AID[:7].hex())
        vector, command = challenge(bridge)
        await told("AccessDenied", page.ask("transmit", channel=opened["channel"], command=command))
        asked = {
            "algorithm": "AKAv2-MD5",
            "realm": REALM,
            "qop": "auth",
            "method": "REGISTER",
            "nonce": digest.nonce_for(vector.rand, vector.autn),
            "uri": f"sip:{REALM}",
        }
        got = (await page.ask("answer", session=session, **asked))["authorization"]
        assert len(got["response"]) == 32
        assert vector.xres.hex() not in json.dumps(got)
        await told("AccessDenied", page.ask("answer", session=session, **{**asked, "realm": "other"}))
        await told("Unknown", page.ask("answer", session="0", **asked))


async def test_in_the_first_mode_the_bridge_computes_nothing(desk):
    async with running(desk) as bridge, connected(bridge) as page:
        session = (await page.ask("openSession", reader="reader"))["session"]
        await told("BadRequest", page.ask("answer", session=session))


async def test_the_audit_log_says_what_was_done_and_no_secret(desk):
    async with running(desk) as bridge, connected(bridge) as page:
        channel = await page.open_channel()
        vector, command = challenge(bridge)
        await page.ask("transmit", channel=channel, command=command)
        pin = bytes(apdu.Command(0, apdu.VERIFY, 0, 1, b"98765432")).hex()
        await told("AccessDenied", page.ask("transmit", channel=channel, command=pin))
        lines = [str(entry) for entry in bridge.audit.entries]
    text = "\n".join(lines)
    assert f"{PAGE}: AUTHENTICATE (3G): ok" in text
    assert f"{PAGE}: open a channel to a0000000871004: ok" in text
    assert "(00200001): refused: no filter fits" in text
    secrets = [vector.xres, vector.ck, vector.ik, vector.rand, vector.autn, b"98765432"]
    for secret in [*map(bytes.hex, secrets), bridge.codes[0], channel]:
        assert secret not in text.lower()


async def test_a_bridge_that_is_started_again_knows_the_pages_it_was_paired_with(desk):
    async with running(desk) as bridge:
        async with connected(bridge, pair=False) as page:
            token = (await page.ask("pair", code=bridge.codes[-1]))["token"]
            await bridge.close()
            await closed(page, 1001)
        again = Bridge(
            [bridge.table.element],
            [PAGE],
            port=bridge.address.port,
            pairing=bridge.pairing,
            clock=bridge.clock,
        )
        await again.start()
        try:
            async with connected(again, pair=False) as page:
                assert await page.ask("resume", token=token) == {}
                assert await page.open_channel()
        finally:
            await again.close()


async def test_a_port_that_is_taken_is_one_clear_error(desk):
    async with running(desk) as bridge:
        second = Bridge([], [PAGE], port=bridge.address.port, clock=bridge.clock)
        with pytest.raises(NetworkError, match="cannot listen on"):
            await second.start()
        await second.close()


async def test_it_can_be_closed_twice_and_nothing_is_left_running(desk):
    async with running(desk) as bridge:
        await bridge.close()
        await bridge.close()
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


def test_there_are_two_modes(desk):
    with pytest.raises(Malformed, match="transmit or answer"):
        Bridge([], [PAGE], mode="everything", clock=Clock())
