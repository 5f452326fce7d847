"""A real Kamailio that is restarted under registered UEs: they come back, and calls and texts pass again."""

import os
from collections.abc import AsyncIterator

import pytest

import imslab
from imslab.errors import CallFailed, NetworkError, RegistrationFailed
from imslab.ims.ue import State
from imslab.kamailio import Kamailio

pytestmark = pytest.mark.component("kamailio")


@pytest.fixture
async def lab(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[imslab.Lab]:
    # Addresses that no lab beside takes while a Kamailio is away.
    block = 61 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    monkeypatch.setattr("imslab.lab.network._BLOCKS", range(block, block + 1))
    lab = imslab.Lab(core="kamailio", seed="faults")
    await lab.start()
    yield lab
    await lab.aclose()


def core(lab: imslab.Lab) -> Kamailio:
    assert isinstance(lab.core, Kamailio)
    return lab.core


@pytest.mark.parametrize("transports", [("UDP", "TCP"), ("WS", "UDP")], ids="-".join)
async def test_all_three_are_restarted_under_registered_ues(
    lab: imslab.Lab, transports: tuple[str, str]
) -> None:
    for subscriber, transport in zip((lab.alice, lab.bob), transports, strict=True):
        await subscriber.register("AKAv2-MD5", transport=transport)
    await lab.alice.message(lab.bob, "before")
    for name in ("pcscf", "icscf", "scscf"):
        await core(lab).restart(name)
    # It has forgotten everything: what is tried before the next login has a clear end.
    with pytest.raises((CallFailed, RegistrationFailed, NetworkError)):
        await lab.alice.message(lab.bob, "too early")
    for subscriber, transport in zip((lab.alice, lab.bob), transports, strict=True):
        again = await subscriber.register("AKAv2-MD5", transport=transport)
        assert again.result == "registered" and not again.resync  # the HSS has kept the SQN
        assert subscriber._terminal is not None and subscriber._terminal.ue is not None
        assert subscriber._terminal.ue.state is State.REGISTERED
    await lab.alice.message(lab.bob, "after")
    assert [text.text for text in lab.bob.messages] == ["before", "after"]


async def test_a_kamailio_that_is_gone_and_comes_back(lab: imslab.Lab) -> None:
    """While it is away a login over TCP ends at once, with the reason; when it is back, the next works."""
    await lab.alice.register(transport="TCP")
    await core(lab)._end("pcscf")
    with pytest.raises(
        (NetworkError, RegistrationFailed), match=r"no connection to|is gone|is not reachable"
    ):
        await lab.alice.register(transport="TCP")
    await core(lab)._run("pcscf")
    again = await lab.alice.register(transport="TCP")
    assert again.result == "registered" and not again.resync
