"""Registrations per second with AKA: our S-CSCF and Kamailio's, our core and Kamailio's P-I-S chain.

The same SIPp scenario (3.6.1; Debian: apt install sip-tester), the same machine, one after the other: two
REGISTERs and one AKA run (AKAv1-MD5, which is all that SIPp knows) for each registration, a thousand
subscribers in turn, fifty at a time. Kamailio (5.6) runs with the configuration that ``imslab kamailio
write`` gives away, without the copies of its messages that go into our traces, and with more shared memory
and longer queues, or it loses calls under this load; its fifty processes use every processor that there is.
It asks our HSS over Diameter Cx, and so does our core in the last row. Ours is one process each time: an
S-CSCF with its HSS, or the whole core, which does the work of a P-CSCF and an I-CSCF as well.

Beside the rate stands the processor time of a registration, of all processes of that row but SIPp: it tells
the same on a machine that has other things to do.

SIPp answers wrongly where RES holds a zero octet: the RANDs are chosen so that there is none.

    python benchmarks/kamailio.py [--calls 6000] [--rounds 3]
"""

import argparse
import asyncio
import gc
import itertools
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from imslab.ims.scscf import Policy
from imslab.net.core import Core
from imslab.uicc import Profile

K, OP = "8baf473f2f8fd09487cccbd7097c6862", "8e27b6af0e692e750f32667a3b14605d"
DOMAIN = "ims.mnc001.mcc001.3gppnetwork.org"
LOAD, OURS, ASKING, OUR_SCSCF = "127.0.6.1", "127.0.6.21", "127.0.6.22", "127.0.6.33"
PCSCF, ICSCF, SCSCF, HSS = "127.0.6.23", "127.0.6.25", "127.0.6.31", "127.0.6.41"
SUBSCRIBERS = 1000
# name -> (servers that have work, where SIPp sends to)
TARGETS = {
    "our S-CSCF, our HSS": (("ours",), OUR_SCSCF),
    "our core (P+I+S+HSS)": (("ours",), OURS),
    "Kamailio S-CSCF, our HSS": (("kamailio",), SCSCF),
    "Kamailio P-I-S, our HSS": (("kamailio",), PCSCF),
    "our core, our HSS over Cx": (("asking", "kamailio"), ASKING),
}

CHANGES = {
    '"trace_on", 1': '"trace_on", 0',
    "debug=2": "debug=2\nshm_mem_size=512",
    'Workers="2" QueueLength="32"': 'Workers="4" QueueLength="512"',
}

REGISTER = """<send retrans="500"><![CDATA[
REGISTER sip:{domain} SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
Max-Forwards: 70
From: <sip:[field0]@{domain}>;tag=[call_number]
To: <sip:[field0]@{domain}>
Call-ID: [call_id]
CSeq: {cseq} REGISTER
{authentication}Contact: <sip:[field0]@[local_ip]:[local_port]>
Expires: 3600
Supported: path
Content-Length: 0

]]></send>
<recv response="100" optional="true"/>
<recv response="{response}"{auth}/>
"""


def scenario() -> str:
    """Return the SIPp scenario: REGISTER, 401, a card that takes 5 ms, REGISTER, 200."""
    empty = (
        f'Authorization: Digest username="[field0]@{DOMAIN}", realm="{DOMAIN}", nonce="",'
        f' uri="sip:{DOMAIN}", response=""\n'
    )
    first = REGISTER.format(domain=DOMAIN, cseq=1, authentication=empty, response=401, auth=' auth="true"')
    second = REGISTER.format(domain=DOMAIN, cseq=2, authentication="[field1]\n", response=200, auth="")
    # Kamailio sends its 401 before it has kept the vector; no card answers in less than a few milliseconds.
    middle = '<pause milliseconds="5"/>\n'
    return f'<?xml version="1.0"?>\n<scenario name="register">\n{first}{middle}{second}</scenario>\n'


def profiles() -> list[Profile]:
    """Return the subscribers; they share one key, which SIPp can read."""
    k, op = bytes.fromhex(K), bytes.fromhex(OP)
    names = (f"user{n}" for n in range(SUBSCRIBERS))
    return [
        Profile(imsi=f"00101{n:010}", k=k, op=op, impi=f"{name}@{DOMAIN}", impu=(f"sip:{name}@{DOMAIN}",))
        for n, name in enumerate(names)
    ]


def random_source() -> object:
    """Return a source of octets whose RANDs give a RES without a zero octet."""
    functions = profiles()[0].functions
    good = [rand for rand in (os.urandom(16) for _ in range(4500)) if 0 not in functions.f2(rand)]
    rands = itertools.cycle(good)
    return lambda octets: next(rands) if octets == 16 else os.urandom(octets)


def serve(name: str) -> None:
    """Run one of the servers until it is killed."""
    import uvloop

    uvloop.run(_ours(None) if name == "ours" else _kamailio() if name == "kamailio" else _ours(HSS))


async def _ours(hss: str | None) -> None:
    core = Core(
        host=OURS if hss is None else ASKING, scscf="127.0.6.32", websocket_port=0, hss=hss,
        policy=Policy(algorithms=("AKAv1-MD5",)), random=random_source(),  # type: ignore[arg-type]
    )  # fmt: skip
    await core.start()
    if hss is None:
        core.add(profiles())
        await _scscf_alone(core)
    await _ready()


async def _scscf_alone(core: Core) -> None:
    """Let an S-CSCF of ours listen by itself, as Kamailio's does; its HSS is in the same process."""
    from imslab.ims import Scscf
    from imslab.net.drive import Driver
    from imslab.net.udp import UdpWire

    driver = Driver(core.clock)
    wire = await UdpWire.bind(driver, OUR_SCSCF, 5060)
    policy = Policy(algorithms=("AKAv1-MD5",))
    scscf = Scscf(wire.address, DOMAIN, core.hss.ask, random=random_source(), policy=policy)  # type: ignore[arg-type]
    driver.add(scscf)
    wire.serve(scscf)


async def _kamailio() -> None:
    from imslab.kamailio import Configuration, Kamailio

    class Loaded(Configuration):
        """The configuration for a load: no copies for our traces, room for what is under way."""

        def write(self, directory: Path) -> dict[str, Path]:
            written = Configuration.write(self, directory)
            for file in (*written.values(), *directory.glob("*.xml")):
                text = file.read_text()
                for old, new in CHANGES.items():
                    text = text.replace(old, new)
                file.write_text(text)
            return written

    where = Loaded(PCSCF, ICSCF, SCSCF, HSS, trace=(PCSCF, 9060))
    async with Kamailio(where, random=random_source()) as core:  # type: ignore[arg-type]
        core.add(profiles())
        await _ready()


async def _ready() -> None:
    """Say so, treat the memory as ``imslab core`` does, and serve until the parent closes our input."""
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)


def load(folder: Path, host: str, calls: int) -> tuple[float, int, int]:
    """Let SIPp make ``calls`` registrations as fast as they are answered; return seconds, good, failed."""
    command = ["sipp", f"{host}:5060", "-sf", str(folder / "register.xml"), "-inf", str(folder / "users.csv")]
    command += ["-i", LOAD, "-nostdin", "-m", str(calls), "-r", "20000", "-l", "50", "-timeout", "60"]
    begin = time.perf_counter()
    done = subprocess.run(
        [*command, "-buff_size", "4194304"], cwd=folder, capture_output=True, timeout=150, check=False
    )
    if done.returncode not in (0, 1):  # 1: some calls have failed
        print(
            f"sipp ended with {done.returncode}: {done.stderr.decode('latin-1').strip()[-300:]}", flush=True
        )
    seconds = time.perf_counter() - begin
    text = done.stdout.decode("latin-1")
    counts = dict(re.findall(r"(Successful|Failed) call\s*\|\s*\d+\s*\|\s*(\d+)", text)[-2:])
    return seconds, int(counts.get("Successful", 0)), int(counts.get("Failed", 0))


def busy(*processes: subprocess.Popen[str]) -> float:
    """Return the seconds that the processor has worked for these processes and all that they have started."""
    parents, ticks = {}, {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = file.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        parents[int(file.parent.name)] = int(fields[1])
        ticks[int(file.parent.name)] = int(fields[11]) + int(fields[12])  # utime, stime: man 5 proc
    family = {process.pid for process in processes}
    while new := {child for child, parent in parents.items() if parent in family} - family:
        family |= new
    return sum(ticks.get(pid, 0) for pid in family) / os.sysconf("SC_CLK_TCK")


def started(name: str) -> subprocess.Popen[str]:
    """Start a server and wait until it says that it is ready."""
    command = [sys.executable, __file__, "--serve", name]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if "ready" in line:
            return process
    raise SystemExit(f"{name} ended at once")


def main() -> int:
    """Measure all in turn and print the medians and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--calls", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return 0
    if (
        shutil.which("sipp") is None
        or shutil.which("kamailio", path=f"{os.environ['PATH']}:/usr/sbin") is None
    ):
        print("this benchmark needs SIPp and Kamailio: see imslab doctor", file=sys.stderr)
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "register.xml").write_text(scenario())
        keys = f"aka_OP=0x{OP} aka_K=0x{K} aka_AMF=0x0000"
        users = (f"user{n};[authentication username=user{n}@{DOMAIN} {keys}]" for n in range(SUBSCRIBERS))
        (folder / "users.csv").write_text("\n".join(("SEQUENTIAL", *users)) + "\n")
        servers = {
            one: started(one) for one in ("ours", "kamailio", "asking")
        }  # the last asks the second's HSS
        rates: dict[str, list[float]] = {target: [] for target in TARGETS}
        costs: dict[str, list[float]] = {target: [] for target in TARGETS}
        try:
            for _ in range(options.rounds):
                for target, (names, host) in TARGETS.items():
                    working = [servers[one] for one in names]
                    before = busy(*working)
                    seconds, good, failed = load(folder, host, options.calls)
                    rates[target].append(good / seconds)
                    costs[target].append(1e3 * (busy(*working) - before) / max(1, good))
                    print(f"{target}: {good} good, {failed} failed, {good / seconds:.0f}/s", flush=True)
        finally:
            for process in reversed(servers.values()):
                process.communicate(timeout=20)
    print(f"processors: {os.cpu_count()}; calls a round: {options.calls}; rounds: {options.rounds}")
    print(f"{'medians':27}{'registrations/s':>16}{'CPU ms each':>15}")
    rate = {target: statistics.median(found) for target, found in rates.items()}
    cost = {target: statistics.median(found) for target, found in costs.items()}
    for target in TARGETS:
        print(f"{target:27}{rate[target]:16.0f}{cost[target]:15.2f}")
    alone, core, scscf, chain, _ = TARGETS
    for ours, theirs in ((alone, scscf), (core, scscf), (core, chain)):
        faster, cheaper = rate[ours] / rate[theirs], cost[theirs] / cost[ours]
        print(
            f"{ours} : {theirs} = {faster:.2f} in registrations/s, {cheaper:.2f} for the same processor time"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
