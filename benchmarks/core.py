"""Registrations per second of the embedded core, beside a bare UDP responder, under the same load.

SIPp 3.6.1 (Debian: apt install sip-tester) registers with AKAv1-MD5 over UDP: two REGISTERs and one
AKA run each. The bare responder runs on the same event loop and answers every datagram with a
canned 401 or 200; it parses nothing and knows no key: what it reaches, Python cannot exceed here.
Where RES holds a zero octet SIPp answers wrongly (3.1 % of all RANDs); those calls are counted apart.

    python benchmarks/core.py [--calls 6000] [--rounds 3]
"""

import argparse
import asyncio
import base64
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

K, OP = "8baf473f2f8fd09487cccbd7097c6862", "8e27b6af0e692e750f32667a3b14605d"
DOMAIN = "ims.mnc001.mcc001.3gppnetwork.org"
HOST, PORT, BARE_PORT = "127.0.6.21", 5060, 5061

REGISTER = """<send retrans="500"><![CDATA[
REGISTER sip:{domain} SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
Max-Forwards: 70
From: <sip:sipp@{domain}>;tag=[call_number]
To: <sip:sipp@{domain}>
Call-ID: [call_id]
CSeq: {cseq} REGISTER
{authentication}Contact: <sip:sipp@[local_ip]:[local_port]>
Expires: 3600
Content-Length: 0

]]></send>
<recv response="{response}"{auth}/>
"""


def scenario() -> str:
    """Return the SIPp scenario: REGISTER, 401, REGISTER, 200."""
    keys = f"[authentication username=sipp@{DOMAIN} aka_OP=0x{OP} aka_K=0x{K} aka_AMF=0x0000]\n"
    first = REGISTER.format(domain=DOMAIN, cseq=1, authentication="", response=401, auth=' auth="true"')
    second = REGISTER.format(domain=DOMAIN, cseq=2, authentication=keys, response=200, auth="")
    return f'<?xml version="1.0"?>\n<scenario name="register">\n{first}{second}</scenario>\n'


class Bare(asyncio.DatagramProtocol):
    """Answers without looking at more than it must: the rows that a response copies."""

    def __init__(self, nonce: str) -> None:
        challenge = (
            f'WWW-Authenticate: Digest realm="{DOMAIN}", nonce="{nonce}", algorithm=AKAv1-MD5, qop="auth"'
        )
        self._challenge = challenge.encode() + b"\r\n"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket."""
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Send 401 to the first REGISTER and 200 to the second."""
        rows = data.split(b"\r\n")
        copied = [r for r in rows if r[:4] in (b"Via:", b"From", b"Call", b"CSeq")]
        to = next(r for r in rows if r.startswith(b"To:"))
        first = b"\r\nCSeq: 1 " in data
        line = b"SIP/2.0 401 Unauthorized" if first else b"SIP/2.0 200 OK"
        head = b"\r\n".join([line, *copied, to + b";tag=x"]) + b"\r\n"
        self._transport.sendto(
            head + (self._challenge if first else b"") + b"Content-Length: 0\r\n\r\n", addr
        )


def run_bare() -> None:
    """Run the bare responder until it is killed."""
    import uvloop

    from imslab.aka import Milenage, generate_vector

    vector = generate_vector(
        Milenage.from_op(bytes.fromhex(K), bytes.fromhex(OP)), bytes(range(16)), bytes(6)
    )
    nonce = base64.b64encode(vector.rand + vector.autn).decode()

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: Bare(nonce), local_addr=(HOST, BARE_PORT))
        print("ready", flush=True)
        await asyncio.Event().wait()

    uvloop.run(serve())


def load(folder: Path, port: int, calls: int) -> tuple[float, int, int]:
    """Let SIPp make ``calls`` registrations as fast as they are answered; return seconds, good, failed."""
    command = ["sipp", f"{HOST}:{port}", "-sf", str(folder / "register.xml"), "-i", "127.0.6.1", "-nostdin"]
    command += ["-m", str(calls), "-r", "20000", "-l", "100", "-timeout", "120", "-buff_size", "4194304"]
    begin = time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=150, check=False)
    seconds = time.perf_counter() - begin
    counts = dict(
        re.findall(r"(Successful|Failed) call\s*\|\s*\d+\s*\|\s*(\d+)", done.stdout.decode("latin-1"))[-2:]
    )
    return seconds, int(counts.get("Successful", 0)), int(counts.get("Failed", 0))


def started(command: list[str], ready: str) -> subprocess.Popen[str]:
    """Start a server and wait until it says ``ready``."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if ready in line:
            return process
    raise SystemExit(f"{' '.join(command)} ended at once")


def main() -> int:
    """Measure both in turn and print the medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--calls", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--bare", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.bare:
        run_bare()
    if shutil.which("sipp") is None:
        print("this benchmark needs SIPp: apt install sip-tester", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "register.xml").write_text(scenario())
        profile = {"imsi": "001010000000077", "k": K, "op": OP, "impi": f"sipp@{DOMAIN}"}
        (folder / "sipp.json").write_text(json.dumps({**profile, "impu": [f"sip:sipp@{DOMAIN}"]}))
        core = [sys.executable, "-m", "imslab", "core", "--host", HOST, "--port", str(PORT), "--ws-port", "0"]
        core += ["--quiet", "--algorithm", "AKAv1-MD5", "--profile", str(folder / "sipp.json")]
        servers = {
            "bare responder": (started([sys.executable, __file__, "--bare"], "ready"), BARE_PORT),
            "embedded core": (started(core, "Ctrl-C"), PORT),
        }
        rates: dict[str, list[float]] = {name: [] for name in servers}
        try:
            for _ in range(options.rounds):
                for name, (_, port) in servers.items():
                    seconds, good, failed = load(folder, port, options.calls)
                    rates[name].append((good + failed) / seconds)
                    print(f"{name}: {good} registrations, {failed} failed, {(good + failed) / seconds:.0f}/s")
        finally:
            for process, _ in servers.values():
                process.terminate()
                process.wait(10)
    bare, ours = (statistics.median(rates[name]) for name in servers)
    print(f"processors: {os.cpu_count()}; calls a round: {options.calls}; rounds: {options.rounds}")
    print(f"bare asyncio responder (uvloop)  {bare:7.0f} registrations/s  ({2 * bare:.0f} requests/s)")
    print(f"embedded core with AKA           {ours:7.0f} registrations/s  ({2 * ours:.0f} requests/s)")
    print(f"ratio core/bare                  {ours / bare:7.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
