"""Feed broken captures to `imslab inspect`: no traceback, no hang, bounded memory.

Run: ``python benchmarks/fuzz_capture.py [FOLDER] [--cuts 200] [--changes 1000] [--seed 1] [--only WORD]``.
Every file of FOLDER whose name begins with corrupt-, fuzz-, ng- or sipbad- is read cut at random places, and
with random octets changed (one to sixteen of them), in a process that may have 2 gigabytes of memory; each
reading may take 10 seconds of the processor. It gives a report that JSON can write, or a CaptureError of one
line. The same seed gives the same run.
"""

import argparse
import json
import os
import random
import resource
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

KINDS = ("corrupt-", "fuzz-", "ng-", "sipbad-")
FIELD = Path(__file__).resolve().parents[2] / "shared" / "field" / "captures"
BOUND = 10  # seconds of processor time for a reading
MEMORY = 2 * 2**30  # octets of address space
MOST_CHANGED = 16  # octets in one reading


class Result(NamedTuple):
    """What became of one file: readings, refusals, the slowest (seconds), octets resident, what broke."""

    name: str
    readings: int
    refused: int
    slowest: float
    memory: int
    broken: list[str]


def broken_copies(octets: bytes, cuts: int, changes: int, rand: random.Random) -> Iterator[tuple[str, bytes]]:
    """Yield what was done to the octets, and the result."""
    for _ in range(cuts):
        place = rand.randrange(len(octets))
        yield f"cut at {place}", octets[:place]
    for number in range(changes):
        changed = bytearray(octets)
        for _ in range(rand.randint(1, MOST_CHANGED)):
            changed[rand.randrange(len(octets))] = rand.randrange(256)
        yield f"change {number}", bytes(changed)


def read(octets: bytes) -> bool:
    """Read a capture and write its report; return False when it was refused with one line."""
    from imslab.capture import open_capture
    from imslab.capture.report import report
    from imslab.errors import CaptureError

    try:
        json.dumps(report(open_capture(octets)), allow_nan=False)
    except CaptureError as error:
        if "\n" in str(error):
            raise ValueError(f"an error of several lines: {error}") from error
        return False
    return True


class TooLong(Exception):
    """A reading took longer than it may."""


def _ring(*_: object) -> None:
    raise TooLong(f"not done after {BOUND} s")


def fuzz(path: Path, cuts: int, changes: int, seed: int) -> Result:
    """Read all broken copies of one file."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGPROF, _ring)
    read(path.read_bytes())  # imports what it takes
    rand = random.Random(f"{seed} {path.name}")
    readings, refused, slowest, broken = 0, 0, 0.0, []
    for done, octets in broken_copies(path.read_bytes(), cuts, changes, rand):
        start = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, BOUND)
        try:
            refused += not read(octets)
        except Exception:
            broken.append(f"{path.name}, {done}, seed {seed}:\n{traceback.format_exc(limit=-4)}")
        signal.setitimer(signal.ITIMER_PROF, 0)
        readings, slowest = readings + 1, max(slowest, time.process_time() - start)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Result(path.name, readings, refused, slowest, memory, broken)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=FIELD)
    parser.add_argument("--cuts", type=int, default=200)
    parser.add_argument("--changes", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="files with this in their name")
    told = parser.parse_args(arguments)
    names = sorted(name for name in os.listdir(told.folder) if name.startswith(KINDS) and told.only in name)
    with ProcessPoolExecutor(max_tasks_per_child=1) as pool:
        tasks = [pool.submit(fuzz, told.folder / name, told.cuts, told.changes, told.seed) for name in names]
        results = [task.result() for task in tasks]
    for one in results:
        print(
            f"{one.name:48} {one.readings:5} read, {one.refused:4} refused, {len(one.broken)} broken, "
            f"slowest {one.slowest:5.2f} s, {one.memory / 1e6:4.0f} MB"
        )
    for text in [text for one in results for text in one.broken][:20]:
        print(text)
    return 1 if any(one.broken for one in results) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
