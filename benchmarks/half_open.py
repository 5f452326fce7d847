"""10,000 half-open connections at our core: does it still serve others, how fast, and with how much memory?

The core runs as ``imslab core`` does, in a process of its own. Half of the strangers open TCP and say half of
a REGISTER; the other half open a WebSocket and say half of the handshake; then they are silent, and stay. A
terminal registers (AKA, software card) over UDP, TCP and WebSocket before they come, while they are there,
and after the core has lost its patience with them (32 s).

    python benchmarks/half_open.py [--strangers 10000] [--logins 30]
"""

import argparse
import asyncio
import os
import re
import resource
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

from imslab.data import profile_path
from imslab.ims import Address
from imslab.net.terminal import Terminal
from imslab.net.waiting import PATIENCE
from imslab.uicc import Card, IsimClient, Profile

HOST = "127.0.6.51"
SAYS = {
    "TCP": b"REGISTER sip:ims.mnc001.mcc001.3gppnetwork.org SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bKa",
    "WS": b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Ke",
}


def megabytes(pid: int) -> float:
    """Return the resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def strangers(address: Address, count: int) -> list[socket.socket]:
    """Open connections that say half of something."""
    loop, found = asyncio.get_running_loop(), []
    for start in range(0, count, 500):
        several = [socket.socket() for _ in range(min(500, count - start))]
        for one in several:
            one.setblocking(False)
        await asyncio.gather(*(loop.sock_connect(one, address[:2]) for one in several))
        for one in several:
            one.send(SAYS[address.transport])
        found += several
    return found


async def logins(addresses: dict[str, Address], count: int) -> dict[str, float]:
    """Return the median milliseconds of a login over each transport; each has a connection of its own."""
    client = IsimClient(Card(Profile.load(profile_path("alice"))))
    profile = client.read_profile()
    medians = {}
    for transport, address in addresses.items():
        times = []
        for _ in range(count):
            begin = time.perf_counter()
            one = Terminal(profile, client, address, host="127.0.6.11")
            await one.register()
            times.append(time.perf_counter() - begin)
            one.close()
            await asyncio.sleep(0)
        medians[transport] = 1e3 * statistics.median(times)
    return medians


async def measure(core: subprocess.Popen[str], addresses: dict[str, Address], count: int, each: int) -> None:
    """Measure before, during and after."""

    async def look(when: str) -> float:
        found, memory = await logins(addresses, each), megabytes(core.pid)
        shown = "   ".join(f"{transport} {ms:5.1f} ms" for transport, ms in found.items())
        print(f"{when:10} login {shown}   core {memory:6.1f} MB", flush=True)
        return memory

    before = await look("before")
    begin = time.perf_counter()
    people = [one for name in SAYS for one in await strangers(addresses[name], count // 2)]
    print(f"{len(people)} connections opened in {time.perf_counter() - begin:.1f} s", flush=True)
    during = await look("during")
    print(f"{1e3 * (during - before) / len(people):.1f} kB a connection", flush=True)
    await asyncio.sleep(max(0.0, begin + PATIENCE + 5 - time.perf_counter()))
    await look("after")
    closed = sum(_is_closed(one) for one in people)
    print(f"{closed} of {len(people)} were closed after {PATIENCE:g} s")
    for one in people:
        one.close()


def _is_closed(one: socket.socket) -> bool:
    try:
        return one.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def main() -> int:
    """Start a core, and measure it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--strangers", type=int, default=10_000)
    parser.add_argument("--logins", type=int, default=30)
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # the core inherits it
    count = min(options.strangers, hard - 500)
    command = [
        sys.executable,
        "-m",
        "imslab",
        "core",
        "--host",
        HOST,
        "--port",
        "0",
        "--ws-port",
        "0",
        "--quiet",
    ]
    core = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert core.stdout is not None
    addresses = {}
    for line in core.stdout:
        if found := re.search(r"listens on ([\d.]+):(\d+) \((\w+)\)", line):
            addresses[found[3]] = Address(found[1], int(found[2]), found[3])
        elif line.startswith("Ctrl-C"):
            break
    try:
        asyncio.run(measure(core, addresses, count, options.logins))
    finally:
        core.terminate()
        core.wait(10)
    return 0


if __name__ == "__main__":
    sys.exit(main())
