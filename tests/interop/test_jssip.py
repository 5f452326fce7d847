"""JsSIP of npm, in Node, at our core through WebSocket: a password, the card, text messages, a call."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from imslab.errors import SyncFailure
from imslab.ims.responder import Responder, choose
from imslab.ims.scscf import Policy
from imslab.media import RtpEndpoint, pitch
from imslab.net.call import TerminalCall
from imslab.sip import Challenge
from imslab.uicc import Card, IsimClient
from tests.interop import network
from tests.interop.jssip import JsSip
from tests.interop.network import ALICE, BOB, PASSWORD

pytestmark = pytest.mark.component("node")

HOST, ALICE_HOST, BOB_HOST = "127.0.14.21", "127.0.14.11", "127.0.14.12"
MODULES = Path(__file__).parents[1] / "browser" / "node_modules"


class Network(network.Network):
    """... at which bob's JsSIP has an account."""

    def account(self, **more: Any) -> dict[str, Any]:
        """What JsSIP is told of bob; without ``password`` it is AKA."""
        address = self.core.addresses["WS"]
        return {
            "url": f"ws://{address.host}:{address.port}", "uri": BOB.impu[0], "authorization_user": BOB.impi,
            "registrar_server": f"sip:{BOB.domain}", "register_expires": 600, **more,
        }  # fmt: skip


@pytest.fixture
def modules(cannot_run: Callable[[str], NoReturn]) -> Path:
    if not (MODULES / "ws").exists():
        cannot_run("JsSIP and ws are missing; to bring them: npm ci --prefix tests/browser")
    return MODULES


@pytest.fixture(name="network")
async def network_fixture(request: pytest.FixtureRequest) -> AsyncIterator[Network]:
    policy = Policy(algorithms=(request.param,)) if hasattr(request, "param") else None
    async with network.running(Network, HOST, ALICE_HOST, policy) as running:
        yield running


@pytest.fixture
def with_password(network: Network) -> Network:
    network.give_bob_a_password()
    return network


async def test_it_registers_with_a_password_and_leaves(with_password: Network, modules: Path) -> None:
    async with JsSip(modules) as jssip:
        await jssip.tell("start", **with_password.account(password=PASSWORD))
        told = await jssip.event("registered", "registrationFailed")
        assert (told["event"], told["status"]) == ("registered", 200)
        assert with_password.happened("registered") == [ALICE.impi, BOB.impi]
        await jssip.tell("leave")
        await jssip.event("unregistered")
    assert with_password.happened("de-registered") == [BOB.impi]


async def test_with_another_password_it_does_not(with_password: Network, modules: Path) -> None:
    async with JsSip(modules) as jssip:
        await jssip.tell("start", **with_password.account(password="wrong"))
        told = await jssip.event("registered", "registrationFailed")
        assert (told["event"], told["status"], told["cause"]) == ("registrationFailed", 403, "Rejected")


@pytest.mark.parametrize("network", ["AKAv1-MD5", "AKAv2-MD5", "AKAv2-SHA-256"], indirect=True)
async def test_it_registers_with_the_card(network: Network, modules: Path) -> None:
    """And again, when the HSS has forgotten SQN: AUTS goes through JsSIP, and a second challenge comes.

    One algorithm is offered, since of several challenges JsSIP 3.13 sees the last.
    """
    card = IsimClient(Card(BOB))
    asked: list[str] = []

    async def answer(told: dict[str, Any]) -> str:
        offered = tuple(Challenge.parse(text) for text in told["challenges"])
        responder = Responder(
            choose(offered, None), BOB.impi, method=told["method"], uri=told["uri"], cnonce="0a4f113b"
        )
        asked.append(responder.algorithm)
        try:
            return str(responder.answer(card.authenticate(responder.request.rand, responder.request.autn)))
        except SyncFailure as stale:
            return str(responder.synchronise(stale.auts))

    async with JsSip(modules, {"challenged": answer}) as jssip:
        await jssip.tell("start", **network.account(aka=True, password="JsSIP wants one"))
        told = await jssip.event("registered", "registrationFailed")
        assert (told["event"], len(asked)) == ("registered", 1)
        await jssip.tell("leave")
        await jssip.event("unregistered")
        network.core.hss.forget_sqn(BOB.impi)
        before = len(jssip.events)
        await jssip.tell("again")
        told = await jssip.event("registered", "registrationFailed", after=before)
        assert (told["event"], len(asked)) == ("registered", 4)
        assert network.happened("synchronisation failure") == [BOB.impi]
    assert network.core.scscf is not None and set(asked) == set(network.core.scscf.policy.algorithms)


async def test_text_messages_both_ways(with_password: Network, modules: Path) -> None:
    texts: list[str] = []
    with_password.terminal.on_message = lambda message: texts.append(message.text)
    async with JsSip(modules) as jssip:
        await jssip.tell("start", **with_password.account(password=PASSWORD))
        await jssip.event("registered")
        await jssip.tell("message", to=ALICE.impu[0], text="grüß dich")
        await jssip.event("delivered")
        await with_password.terminal.message(BOB.impu[0], "auch so")
        told = await jssip.event("message")
        assert (told["text"], told["from"]) == ("auch so", ALICE.impu[0])
    assert texts == ["grüß dich"]


@pytest.mark.parametrize("caller", ["jssip", "alice"])
async def test_a_call_with_sound(with_password: Network, modules: Path, caller: str) -> None:
    """The descriptions that JsSIP sends and gets are those of an end of ours: Node has no sound."""
    ends = {
        name: RtpEndpoint(name, host, suites=()) for name, host in (("alice", ALICE_HOST), ("bob", BOB_HOST))
    }
    calls: list[TerminalCall] = []

    async def offer(_: dict[str, Any]) -> str:
        return (await ends["bob"].offer()).decode()

    async def answered(told: dict[str, Any]) -> str:
        return (await ends["bob"].answer(told["offer"].encode())).decode()

    async def called(call: TerminalCall) -> None:
        calls.append(call)
        await call.ring()
        await call.answer(ends["alice"])

    with_password.terminal.on_call = called
    async with JsSip(modules, {"offer wanted": offer, "answer wanted": answered}) as jssip:
        await jssip.tell("start", **with_password.account(password=PASSWORD))
        await jssip.event("registered")
        if caller == "jssip":
            await jssip.tell("call", to=ALICE.impu[0])
            await ends["bob"].accept((await jssip.event("answer"))["sdp"].encode())
        else:
            calls.append(await with_password.terminal.call(BOB.impu[0], ends["alice"]))
        await jssip.event("confirmed")
        for name, other in (("alice", "bob"), ("bob", "alice")):
            await ends[name].recorded(seconds=0.5)
            sound = ends[name].sound
            assert sound is not None and sound.pitch == pytest.approx(pitch(other), abs=15)
        await jssip.tell("hangup")
        (call,) = calls
        assert (await call.ended()).by == "peer" and call.peer == BOB.impu[0]
        await jssip.event("ended")
    await ends["bob"].close()
