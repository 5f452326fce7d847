"""Subscribers that SIPp can be, and SIPp at work: a scenario of the kit, run as its command line says."""

import asyncio
import hashlib
import re
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from imslab.interop import Target, sipp
from imslab.lab import Seeded
from imslab.net.core import Core
from imslab.uicc import Profile

DOMAIN = "ims.mnc001.mcc001.3gppnetwork.org"
# K with 5b, 00 or 0a breaks SIPp's parser, and it knows OP only: a TS 35.208 set that it can read.
K, OP = bytes.fromhex("8baf473f2f8fd09487cccbd7097c6862"), bytes.fromhex("8e27b6af0e692e750f32667a3b14605d")


def subscriber(name: str = "sipp", k: bytes = K, op: bytes | None = OP, number: int = 77) -> Profile:
    impu = (f"sip:{name}@{DOMAIN}",)
    return Profile(imsi=f"0010100{number:08d}", k=k, op=op, impi=f"{name}@{DOMAIN}", impu=impu)


def crowd(count: int) -> list[Profile]:
    """Return subscribers with keys of their own, from a seed, each of which SIPp can read."""
    found: list[Profile] = []
    for number in range(2 * count):
        k = hashlib.sha256(b"a crowd of SIPp %d" % number).digest()[:16]
        one = subscriber(f"s{number}", k, number=number)
        if not any(limit.blocks for limit in sipp.limits(one, Target())):
            found.append(one)
    assert len(found) >= count
    return found[:count]


def free_port(host: str) -> int:
    """Return a port of ``host`` that nobody uses, for a program that cannot be told to take any."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind((host, 0))
        port: int = free.getsockname()[1]
        return port


class NoZeroInRes(Seeded):
    """RANDs for which the RES of one subscriber holds no zero octet: with one, SIPp's answer is wrong."""

    def __call__(self, octets: int) -> bytes:
        while True:
            value = super().__call__(octets)
            if octets != 16 or 0 not in subscriber().functions.f2(value):
                return value


class Outcome(NamedTuple):
    """What SIPp says at its end."""

    good: int
    bad: int
    status: int | None
    output: str


def target_of(core: Core, local: str) -> Target:
    address = core.addresses["UDP"]
    return Target(pcscf=address.host, port=address.port, local=local)


def prepare(folder: Path, profiles: Sequence[Profile], target: Target) -> None:
    for name, text in sipp.files(profiles[0], target).items():
        (folder / name).write_text(text)
    (folder / sipp.SUBSCRIBERS).write_text(sipp.subscribers(profiles, target))


async def start(
    folder: Path, scenario: str, target: Target, *options: str, calls: int = 1, port: int = 0
) -> asyncio.subprocess.Process:
    """Start SIPp as the kit says, at ``port`` in place of the fixed one."""
    line = sipp.command(scenario, DOMAIN, target, calls=calls)
    line[line.index("-p") + 1] = str(port)
    if not port:
        del line[line.index("-p") : line.index("-p") + 2]
    return await asyncio.create_subprocess_exec(
        *line, *options, "-timeout", "30", "-trace_err",
        cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip


async def ended(process: asyncio.subprocess.Process, folder: Path) -> Outcome:
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    text = "".join(path.read_text("latin-1") for path in folder.glob("*_errors.log")) + output.decode(
        "latin-1"
    )
    counts = dict(re.findall(r"(Successful call|Failed call)\s*\|\s*\d+\s*\|\s*(\d+)", text))
    good, bad = (int(counts.get(name, 0)) for name in ("Successful call", "Failed call"))
    return Outcome(good, bad, process.returncode, text[:2000] + text[-2000:])


async def run(
    folder: Path, scenario: str, target: Target, *options: str, calls: int = 1, port: int = 0
) -> Outcome:
    return await ended(await start(folder, scenario, target, *options, calls=calls, port=port), folder)
