"""Where a foreign client is tried: our core, alice's terminal, what happened, and how the client ends."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar

from imslab.data import profile_path
from imslab.errors import WrongResponse
from imslab.ims.node import Event
from imslab.ims.scscf import Policy
from imslab.ims.webrtc_access import ha1
from imslab.net.core import Core
from imslab.net.terminal import Terminal
from imslab.uicc import Card, IsimClient, Profile

ALICE, BOB = (Profile.load(profile_path(name)) for name in ("alice", "bob"))
PASSWORD = "circle-of-life"
PATIENCE = 10.0  # seconds for whatever a client is asked to do


@dataclass(frozen=True)
class Network:
    """A core whose subscribers are alice and bob, alice's terminal, and what happened."""

    core: Core
    terminal: Terminal
    events: list[Event]

    def happened(self, what: str) -> list[str]:
        return [event.about for event in self.events if event.what == what]

    def give_bob_a_password(self) -> None:
        self.core.hss.set_ha1(BOB.impi, ha1(BOB.impi, self.core.domain, PASSWORD))


Kind = TypeVar("Kind", bound=Network)


def no_tokens(token: str, now: float) -> str:
    raise WrongResponse("there is no web server here")


@asynccontextmanager
async def running(
    kind: type[Kind], host: str, alice: str, policy: Policy | None = None
) -> AsyncIterator[Kind]:
    """Run the core on ``host``, and register alice from her address."""
    events: list[Event] = []
    core = Core(host=host, port=0, websocket_port=0, vouch=no_tokens, policy=policy, on_event=events.append)
    await core.start()
    core.add([ALICE, BOB])
    client = IsimClient(Card(ALICE))
    terminal = Terminal(client.read_profile(), client, core.addresses["UDP"], host=alice)
    await terminal.register()
    try:
        yield kind(core, terminal, events)
    finally:
        await terminal.aclose()
        core.close()


async def ended(process: asyncio.subprocess.Process, asked: Awaitable[None]) -> None:
    """Ask a client to de-register and end; kill it when it does not."""
    with suppress(OSError):
        await asked
    try:
        await asyncio.wait_for(process.wait(), PATIENCE)
    except TimeoutError:
        process.kill()
        await process.wait()
