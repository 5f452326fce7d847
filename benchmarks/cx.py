"""MARs per second of our HSS over Diameter Cx, beside what it takes to make the vectors alone.

One peer with a hundred questions under way, written before the clock starts, so that it costs next to nothing
itself; the HSS runs in a process of its own on the same event loop as ``imslab core`` has (uvloop). The bare
figure is the same HSS asked in its own process, without a socket and without Diameter: a vector, and a SQN
that is counted. With a database in a file each SQN is written there before its vector leaves.

    python benchmarks/cx.py [--questions 6000] [--rounds 3]
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from imslab.data import profile_path
from imslab.ims import Hss
from imslab.ims.cx import MultimediaAuthRequest, Result
from imslab.net import cx, diameter
from imslab.uicc import Profile

HOST, WINDOW = "127.0.6.42", 100
ALICE = Profile.load(profile_path("alice"))
MAR = MultimediaAuthRequest(ALICE.impu[0], ALICE.impi, "sip:127.0.6.31:5060")
PEER = diameter.Node("scscf.example", "example", "127.0.0.1", cx.APPLICATION)
PEERS = cx.Peers(PEER.host, "hss.example", PEER.realm)


def serve(database: str) -> None:
    """Run the HSS until the parent closes our input; say the port that it got."""
    import uvloop

    from imslab.net.hss import HssServer

    async def serving() -> None:
        hss = Hss(database, random=os.urandom)
        hss.add(ALICE)
        server = HssServer(hss, host=HOST, port=0)
        await server.start()
        print(server.address.port, flush=True)
        await asyncio.to_thread(sys.stdin.read)
        server.close()
        hss.close()

    uvloop.run(serving())


async def ask(port: int, questions: list[bytes]) -> float:
    """Ask all, at most ``WINDOW`` at a time; return the seconds that this took."""
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(PEER.request(diameter.CAPABILITIES_EXCHANGE, 1))
    await reader.readexactly(int.from_bytes((await reader.readexactly(4))[1:]) - 4)
    begin, under_way, answered, framer, last = time.perf_counter(), 0, 0, diameter.Framer(), b""
    waiting = iter(questions)
    while answered < len(questions):
        while under_way < WINDOW and (question := next(waiting, None)) is not None:
            writer.write(question)
            under_way += 1
        found = framer.receive(await reader.read(1 << 20))
        answered, under_way = answered + len(found), under_way - len(found)
        last = found[-1] if found else last
    seconds = time.perf_counter() - begin
    writer.close()
    if cx.decode(last).result != Result.SUCCESS:
        raise SystemExit("the HSS refuses what it is asked")
    return seconds


def over_cx(database: str, questions: list[bytes]) -> float:
    """Return MARs per second of an HSS in another process."""
    command = [sys.executable, __file__, "--serve", database]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    port = int(process.stdout.readline())
    try:
        asyncio.run(ask(port, questions[:500]))  # so that everything is loaded
        return len(questions) / asyncio.run(ask(port, questions))
    finally:
        process.communicate(timeout=20)


def bare(count: int) -> float:
    """Return vectors per second of an HSS that is asked in its own process."""
    hss = Hss(random=os.urandom)
    hss.add(ALICE)
    begin = time.perf_counter()
    for _ in range(count):
        hss.ask(MAR, 0.0)
    return count / (time.perf_counter() - begin)


def main() -> int:
    """Measure all in turn and print the medians and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--questions", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return 0
    questions = [
        cx.encode_request(MAR, PEERS, session=f"s;{n}", identifier=n) for n in range(options.questions)
    ]
    rates: dict[str, list[float]] = {"bare": [], "Cx, in memory": [], "Cx, in a file": []}
    with tempfile.TemporaryDirectory() as name:
        for number in range(options.rounds):
            rates["bare"].append(bare(options.questions))
            rates["Cx, in memory"].append(over_cx(":memory:", questions))
            rates["Cx, in a file"].append(over_cx(str(Path(name) / f"{number}.db"), questions))
    medians = {name: statistics.median(found) for name, found in rates.items()}
    print(f"processors: {os.cpu_count()}; questions a round: {options.questions}; rounds: {options.rounds}")
    for name, median in medians.items():
        print(f"{name:14} {median:7.0f} MAR/s   of the bare HSS {median / medians['bare']:5.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
