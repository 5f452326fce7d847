"""baresip registers at our core with a password (SIP Digest), calls our terminal, is called; with sound."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from imslab.media import RtpEndpoint, pitch
from imslab.net.call import TerminalCall
from tests.interop import network
from tests.interop.baresip import TONE, Baresip
from tests.interop.network import ALICE, BOB, PASSWORD
from tests.interop.subscribers import free_port

pytestmark = pytest.mark.component("baresip")

HOST, ALICE_HOST, BOB_HOST = "127.0.13.21", "127.0.13.11", "127.0.13.12"


class Network(network.Network):
    """... from which bob's baresip is started."""

    def baresip(self, folder: Path, *, password: str = PASSWORD, codec: str = "PCMA") -> Baresip:
        proxy = f"{HOST}:{self.core.addresses['UDP'].port}"
        account = {
            "impu": BOB.impu[0],
            "impi": BOB.impi,
            "password": password,
            "proxy": proxy,
            "codec": codec,
        }
        return Baresip(folder / "baresip", BOB_HOST, free_port(BOB_HOST), **account)


@pytest.fixture(name="network")
async def network_fixture() -> AsyncIterator[Network]:
    async with network.running(Network, HOST, ALICE_HOST) as running:
        running.give_bob_a_password()
        yield running


async def test_it_registers_with_its_password_and_leaves(network: Network, tmp_path: Path) -> None:
    async with network.baresip(tmp_path) as baresip:
        told = await baresip.event("REGISTER_OK", "REGISTER_FAIL")
        assert told["type"] == "REGISTER_OK", baresip.log
        assert network.happened("registered") == [ALICE.impi, BOB.impi]
    assert network.happened("de-registered") == [BOB.impi]


async def test_with_another_password_it_does_not(network: Network, tmp_path: Path) -> None:
    async with network.baresip(tmp_path, password="wrong") as baresip:
        told = await baresip.event("REGISTER_OK", "REGISTER_FAIL")
        assert (told["type"], told["param"]) == ("REGISTER_FAIL", "403 Forbidden")
    assert network.happened("registered") == [ALICE.impi]


@pytest.mark.parametrize("codec", ["PCMA", "PCMU"])
async def test_it_calls_alice_and_both_hear_each_other(network: Network, tmp_path: Path, codec: str) -> None:
    end, calls = RtpEndpoint("alice", ALICE_HOST, suites=()), list[TerminalCall]()

    async def answer(call: TerminalCall) -> None:
        calls.append(call)
        await call.ring()
        await call.answer(end)

    network.terminal.on_call = answer
    async with network.baresip(tmp_path, codec=codec) as baresip:
        await baresip.event("REGISTER_OK")
        await baresip.tell("dial", ALICE.impu[0])
        await baresip.event("CALL_ESTABLISHED")
        await end.connected()
        await end.recorded(seconds=1.0)
        await baresip.tell("hangup")
        (call,) = calls
        assert (await call.ended()).by == "peer"
        assert (call.peer, call.is_asserted) == (BOB.impu[0], True)
    both_heard(end, baresip, codec)


async def test_alice_calls_it(network: Network, tmp_path: Path) -> None:
    end = RtpEndpoint("alice", ALICE_HOST, suites=())
    async with network.baresip(tmp_path) as baresip:
        await baresip.event("REGISTER_OK")
        call = await network.terminal.call(BOB.impu[0], end)
        await end.connected()
        await end.recorded(seconds=1.0)
        await call.hang_up()
        assert (await baresip.event("CALL_CLOSED"))["param"] == "Connection reset by peer"
    both_heard(end, baresip, "PCMA")


def both_heard(end: RtpEndpoint, baresip: Baresip, codec: str) -> None:
    assert end.sound is not None and end.sound.pitch == pytest.approx(TONE, abs=10)
    assert baresip.heard().pitch == pytest.approx(pitch("alice"), abs=10)
    received = next(one for one in end.statistics if one.direction == "in")
    assert received.encoding == codec and received.packets >= 45 and not received.lost
