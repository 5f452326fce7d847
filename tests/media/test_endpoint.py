"""How an end of a call ends: at any moment, twice, from outside, and with nothing left of it."""

import asyncio
import os
import threading
from pathlib import Path

import pytest

from imslab.media import RtpEndpoint, WebRtcEndpoint

ALICE, BOB = "127.0.9.11", "127.0.9.12"


def sockets():
    """Return the inodes of the sockets of this process (Linux)."""
    links = (os.path.realpath(link) for link in Path("/proc/self/fd").iterdir())
    return {Path(link).name for link in links if "socket:" in link}


def tasks():
    return asyncio.all_tasks() - {asyncio.current_task()}


async def nothing(alice, bob):
    """Leave the two as they were made."""


async def offered(alice, bob):
    await alice.offer()


async def answered(alice, bob):
    await bob.answer(await alice.offer())


async def accepted(alice, bob):
    await answered_and_accepted(alice, bob)


async def checking(alice, bob):
    await answered_and_accepted(alice, bob)
    while "ICE is checking" not in alice.progress:
        await asyncio.sleep(0)


async def handshaking(alice, bob):
    await answered_and_accepted(alice, bob)
    while alice.moments.ice_connected is None and bob.moments.ice_connected is None:
        await asyncio.sleep(0)


async def keyed(alice, bob):
    await answered_and_accepted(alice, bob)
    while alice.moments.dtls_done is None and bob.moments.dtls_done is None:
        await asyncio.sleep(0)


async def connected(alice, bob):
    await answered_and_accepted(alice, bob)
    await asyncio.gather(alice.connected(), bob.connected())


async def answered_and_accepted(alice, bob):
    await alice.accept(await bob.answer(await alice.offer()))


STEPS = [nothing, offered, answered, accepted, checking, handshaking, keyed, connected]


PLAIN = [nothing, offered, answered, accepted, connected]
ENDS = [(WebRtcEndpoint, step) for step in STEPS] + [(RtpEndpoint, step) for step in PLAIN]


@pytest.mark.parametrize("together", [True, False], ids=["together", "one after the other"])
@pytest.mark.parametrize(
    ("kind", "step"), ENDS, ids=[f"{kind.__name__}-{step.__name__}" for kind, step in ENDS]
)
async def test_nothing_is_left_whenever_it_ends(kind, step, together):
    before = tasks(), sockets(), set(threading.enumerate())
    alice, bob = kind("alice", ALICE), kind("bob", BOB)
    await step(alice, bob)
    if together:
        await asyncio.gather(alice.close(), bob.close())
    else:
        await bob.close()
        await alice.close()
    assert (tasks(), sockets()) == before[:2]
    # Encoding runs on the event loop's own threads, which the loop keeps for its next use.
    await asyncio.get_running_loop().shutdown_default_executor()
    assert set(threading.enumerate()) == before[2]


async def test_closing_twice_and_at_once_is_closing():
    alice = WebRtcEndpoint("alice", ALICE)
    await alice.offer()
    await asyncio.gather(alice.close(), alice.close())
    closed = alice.moments.closed
    await alice.close()
    assert alice.moments.closed == closed


async def test_who_waits_for_the_end_may_be_cancelled():
    alice, bob = WebRtcEndpoint("alice", ALICE), WebRtcEndpoint("bob", BOB)
    await connected(alice, bob)
    waiting = asyncio.create_task(alice.close())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    await asyncio.gather(alice.close(), bob.close())  # it went on
    assert waiting.cancelled() and alice.moments.closed is not None


async def test_the_name_is_in_the_repr_and_no_key():
    alice = WebRtcEndpoint("alice", ALICE)
    assert repr(alice) == "<WebRtcEndpoint: alice on 127.0.9.11>"
    await alice.close()
