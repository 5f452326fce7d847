"""Many calls at once through the embedded core: signalling alone, real sockets, memory.

Callers and callees are terminals of this process, each with a software card and a socket of its own; the
core, in the same process and event loop, carries each message over both its proxies. All calls are set up at
once, stand together, and are torn down at once. Nothing may be lost: each call is answered, acknowledged, and
ended by BYE; at the end no transaction, timer or task is left.

    python benchmarks/calls.py [--calls 100] [--pairs 10] [--transport UDP] [--rounds 3]
"""

import argparse
import asyncio
import gc
import os
import statistics
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from imslab.ims.call import CallState
from imslab.net.call import TerminalCall
from imslab.net.core import Core
from imslab.net.terminal import Terminal
from imslab.uicc import Card, IsimClient, Profile

HOST, CALLERS, CALLEES = "127.0.10.21", "127.0.10.11", "127.0.10.12"


class Described:
    """Media that are a description and nothing else."""

    async def offer(self, direction: str = "sendrecv") -> bytes:
        """Return the same description each time."""
        return (
            b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            b"m=audio 4000 RTP/AVP 0\r\na=" + direction.encode() + b"\r\n"
        )

    async def answer(self, offer: bytes) -> bytes:
        """Answer any offer of this benchmark."""
        return await self.offer()

    async def accept(self, answer: bytes) -> None:
        """Take any answer."""

    async def close(self) -> None:
        """Have nothing to close."""


@dataclass
class Round:
    """What one round measured: seconds, octets."""

    calls: int = 0
    answered: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    set_up: float = 0.0
    torn_down: float = 0.0
    cpu: float = 0.0
    resident: int = 0
    slowest: float = 0.0


def resident() -> int:
    """Return the octets of memory that this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def profiles(count: int) -> list[Profile]:
    """Return subscribers with made-up keys."""
    return [
        Profile(imsi=f"0010101{n:08}", k=n.to_bytes(16), opc=(n + 1).to_bytes(16), name=f"s{n}")
        for n in range(1, count + 1)
    ]


async def terminals(core: Core, pairs: int, transport: str) -> list[Terminal]:
    """Return registered terminals: callers first, then as many callees."""
    made = []
    for n, profile in enumerate(profiles(2 * pairs)):
        core.add([profile])
        client = IsimClient(Card(profile))
        host = CALLERS if n < pairs else CALLEES
        made.append(Terminal(client.read_profile(), client, core.addresses[transport], host=host))
    await asyncio.gather(*(one.register() for one in made))
    return made


async def answering(call: TerminalCall) -> None:
    """Ring and answer."""
    await call.ring()
    await call.answer(Described())


def left(core: Core, made: list[Terminal]) -> int:
    """Return how many calls and pending INVITEs are left."""
    assert core.pcscf is not None and core.scscf is not None
    nodes = [core.pcscf, core.scscf]
    open_ = sum(len(one.calls) for one in made)
    return open_ + sum(
        entry.transaction.state.value in ("Calling", "Proceeding") and entry.request.method == "INVITE"
        for node in nodes
        for entry in node._transactions.clients.values()
    )


async def one_round(core: Core, made: list[Terminal], calls: int) -> Round:
    """Set up ``calls`` calls at once, count them, tear them down."""
    pairs = len(made) // 2
    callers, callees = made[:pairs], made[pairs:]
    for callee in callees:
        callee.on_call = answering
    before, found = resident(), Round(calls=calls)
    begin, begin_cpu = time.perf_counter(), time.process_time()
    outcomes = await asyncio.gather(
        *(callers[n % pairs].call(callees[n % pairs].identity.impu[0], Described()) for n in range(calls)),
        return_exceptions=True,
    )
    found.set_up = time.perf_counter() - begin
    standing = [one for one in outcomes if isinstance(one, TerminalCall)]
    for failed in [one for one in outcomes if not isinstance(one, TerminalCall)]:
        print(f"  lost: {failed}")
    found.answered = sum(one.state is CallState.CONFIRMED for one in standing)
    found.slowest = max((one.moments["answered"] - one.moments["invited"] for one in standing), default=0.0)
    theirs = [call for callee in callees for call in callee.calls]
    gc.collect()
    found.resident = resident() - before
    begin = time.perf_counter()
    await asyncio.gather(*(one.hang_up() for one in standing))
    endings = await asyncio.gather(*(call.ended() for call in theirs))
    found.torn_down = time.perf_counter() - begin
    found.cpu = time.process_time() - begin_cpu
    found.ended = Counter(ending.by for ending in endings)
    return found


async def measure(calls: int, pairs: int, transport: str, rounds: int) -> int:
    """Run the rounds and print what they measured; 1 when anything was lost."""
    core = Core(host=HOST, port=0, websocket_port=0)
    await core.start()
    made = await terminals(core, pairs, transport)
    try:
        found = [await one_round(core, made, calls) for _ in range(rounds)]
        remaining = left(core, made)
    finally:
        for one in made:
            await one.aclose()
        core.close()
    tasks = len(asyncio.all_tasks()) - 1
    return report(found, remaining, tasks, transport)


def report(found: list[Round], remaining: int, tasks: int, transport: str) -> int:
    """Print the medians."""
    for one in found:
        print(
            f"{one.answered} of {one.calls} calls stood at once, {one.ended['peer']} ended by BYE;"
            f" set up in {one.set_up:.2f} s, torn down in {one.torn_down:.2f} s"
        )
    calls = found[0].calls
    set_up = statistics.median(one.set_up for one in found)
    down = statistics.median(one.torn_down for one in found)
    print(f"transport: {transport}; processors: {os.cpu_count()}; rounds: {len(found)}")
    slowest = max(one.slowest for one in found)
    print(f"set up        {calls / set_up:8.0f} calls/s; the slowest call was answered in {slowest:.2f} s")
    print(f"torn down     {calls / down:8.0f} calls/s")
    memory = found[0].resident / calls / 1024
    print(f"memory        {memory:8.0f} KiB a standing call, both ends and the core")
    cpu = statistics.median(one.cpu for one in found)
    print(f"processor     {1000 * cpu / calls:8.1f} ms a call, both ends and the core, set up and torn down")
    print(f"left          {remaining} calls and INVITEs, {tasks} tasks")
    lost = any(one.answered < one.calls or one.ended["peer"] < one.calls for one in found)
    return int(lost or remaining > 0 or tasks > 0)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--pairs", type=int, default=10, help="callers, and as many callees")
    parser.add_argument("--transport", choices=("UDP", "TCP", "WS"), default="UDP")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    return asyncio.run(measure(options.calls, options.pairs, options.transport, options.rounds))


if __name__ == "__main__":
    sys.exit(main())
