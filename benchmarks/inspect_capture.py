"""`imslab inspect --json` on a large capture beside tshark, with tcpdump as the floor; whole processes.

Run: ``python benchmarks/inspect_capture.py [PACKETS] [--rounds N] [--keep FOLDER]``; 500,000 packets unless
told. The capture is made here: calls of G.711, 50 streams in all, 1 % of their packets lost, and SIP among
them (the calls, and OPTIONS as keep-alive every ten seconds). tshark counts with ``-z rtp,streams`` and
``-z sip,stat``, in one run and in two. What is counted has to be the same, or the benchmark fails. Then
the same with SRTP, its keys in the session descriptions: imslab opens it, tshark cannot. Memory is the most
that was resident. Processor time stands beside the time by the clock, for a machine that is busy.
"""

import argparse
import base64
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

CALLS, LOSS = 25, 0.01
TICK = 20_000  # microseconds between the packets of a stream
TICKS = 500  # ... that are made at a time
OCTETS = 160  # of G.711 in a packet
START = 1_700_000_000
ETHERNET = bytes.fromhex("0200000000020200000000010800")
UE, PEER, PROXY = "10.1.{}.1", "10.2.{}.1", "10.0.0.10"
SDP = "v=0\r\no=- 1 1 IN IP4 {0}\r\ns=-\r\nc=IN IP4 {0}\r\nt=0 0\r\nm=audio {1} RTP/{2} 8\r\n"
CRYPTO = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{}\r\n"
TAG = 10  # octets that SRTP puts behind a packet
KEEP_ALIVE = 0.002  # of all packets: every phone is asked every ten seconds


class Sip(NamedTuple):
    """One SIP message: when (microseconds), from where, to where, what."""

    at: int
    source: str
    target: str
    octets: bytes


# -- the capture ------------------------------------------------------------------------------------


def checksum(header: bytes) -> int:
    """Return the checksum of an IPv4 header (RFC 1071)."""
    total = sum(struct.unpack(f"!{len(header) // 2}H", header))
    return ~(total + (total >> 16) + (total + (total >> 16) >> 16)) & 0xFFFF


def packet(source: str, target: str, sport: int, dport: int, payload: bytes) -> bytes:
    """Return an Ethernet frame with a UDP datagram."""
    addresses = b"".join(bytes(map(int, text.split("."))) for text in (source, target))
    head = struct.pack("!BBHHHBBH", 0x45, 0, 28 + len(payload), 0, 0x4000, 64, 17, 0) + addresses
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return ETHERNET + head + struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload


def record(at: int, frame: bytes) -> bytes:
    """Return a record of pcap."""
    return struct.pack("<IIII", START + at // 10**6, at % 10**6, len(frame), len(frame)) + frame


def message(start: str, call: str, cseq: str, body: str = "") -> bytes:
    """Return a SIP message with the headers that one has."""
    rows = [
        start,
        f"Via: SIP/2.0/UDP {PROXY};branch=z9hG4bK{call}{cseq.split()[0]}",
        "Max-Forwards: 70",
        f"From: <sip:alice{call}@example.org>;tag=a{call}",
        f"To: <sip:bob{call}@example.org>;tag=b{call}",
        f"Call-ID: {call}@example.org",
        f"CSeq: {cseq}",
        f"Contact: <sip:alice@{PROXY}>",
        *(["Content-Type: application/sdp"] if body else []),
        f"Content-Length: {len(body)}",
    ]
    return ("\r\n".join(rows) + "\r\n\r\n" + body).encode()


def key(stream: int) -> bytes:
    """Return the master key and salt of a stream, 30 octets."""
    return bytes([stream]) * 30


def description(host: str, port: int, stream: int, sealed: bool) -> str:
    """Return the SDP of the end that sends ``stream``."""
    crypto = CRYPTO.format(base64.b64encode(key(stream)).decode()) if sealed else ""
    return SDP.format(host, port, "SAVP" if sealed else "AVP") + crypto


def dialogue(call: int, end: int, sealed: bool) -> Iterator[Sip]:
    """Yield the messages of one call, from the INVITE to the answer to its BYE."""
    ue, peer, name, begin = UE.format(call), PEER.format(call), f"call{call}", call * 1000
    offer = description(ue, 10_000, 2 * call, sealed)
    answer = description(peer, 20_000, 2 * call + 1, sealed)
    yield Sip(begin, ue, peer, message(f"INVITE sip:bob@{peer} SIP/2.0", name, "1 INVITE", offer))
    yield Sip(begin + 100, peer, ue, message("SIP/2.0 100 Trying", name, "1 INVITE"))
    yield Sip(begin + 200, peer, ue, message("SIP/2.0 180 Ringing", name, "1 INVITE"))
    yield Sip(begin + 300, peer, ue, message("SIP/2.0 200 OK", name, "1 INVITE", answer))
    yield Sip(begin + 400, ue, peer, message(f"ACK sip:bob@{peer} SIP/2.0", name, "1 ACK"))
    yield Sip(end, ue, peer, message(f"BYE sip:bob@{peer} SIP/2.0", name, "2 BYE"))
    yield Sip(end + 500, peer, ue, message("SIP/2.0 200 OK", name, "2 BYE"))


def keep_alive(count: int, end: int) -> Iterator[Sip]:
    """Yield so many messages: OPTIONS and their answers."""
    for number in range(count):
        at, ue = 40_000 + (end - 80_000) * number // count, UE.format(number // 2 % CALLS)
        name = f"ping{number // 2}"
        if number % 2 == 0:
            yield Sip(at, PROXY, ue, message(f"OPTIONS sip:{ue} SIP/2.0", name, "1 OPTIONS"))
        else:
            yield Sip(at, ue, PROXY, message("SIP/2.0 200 OK", name, "1 OPTIONS"))


def templates(tag: int) -> NDArray[np.uint8]:
    """Return one pcap record with an RTP packet for each stream, with room for a tag behind it."""
    rows = []
    for call in range(CALLS):
        ends = (UE.format(call), 10_000), (PEER.format(call), 20_000)
        for (source, sport), (target, dport) in (ends, ends[::-1]):
            rtp = struct.pack("!BBHII", 0x80, 8, 0, 0, 0x5000_0000 + len(rows)) + bytes([0xD5]) * (
                OCTETS + tag
            )
            rows.append(record(0, packet(source, target, sport, dport, rtp)))
    return np.frombuffer(b"".join(rows), np.uint8).reshape(2 * CALLS, -1)


def media(first: int, kept: NDArray[np.bool_], tag: int = 0) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Return the times and the records of the RTP packets, from tick ``first`` on, that were ``kept``."""
    tick, stream = np.nonzero(kept)
    at = 100_000 + (first + tick) * TICK + stream * (TICK // (2 * CALLS))
    records = templates(tag)[stream]
    for place, order, values in (
        (0, "<u4", START + at // 10**6), (4, "<u4", at % 10**6),
        (60, ">u2", (first + tick) % 2**16), (62, ">u4", (first + tick) * OCTETS % 2**32),
    ):  # fmt: skip
        width = int(order[2])
        records[:, place : place + width] = values.astype(order).view(np.uint8).reshape(-1, width)
    return at, records


class Seal:
    """Protects the RTP packets of all streams with libsrtp."""

    def __init__(self) -> None:
        import pylibsrtp

        # A policy takes the octets without copying them.
        self._keys = [key(stream) for stream in range(2 * CALLS)]
        self._sessions = [
            pylibsrtp.Session(pylibsrtp.Policy(key=one, ssrc_type=pylibsrtp.Policy.SSRC_ANY_OUTBOUND))
            for one in self._keys
        ]

    def __call__(self, records: NDArray[np.uint8]) -> None:
        """Protect the packet in each record, in place."""
        streams = records[:, 69].tolist()  # the last octet of the SSRC
        for row, stream in enumerate(streams):
            clear = records[row, 58:-TAG].tobytes()
            records[row, 58:] = np.frombuffer(self._sessions[stream].protect(clear), np.uint8)


def make(path: Path, packets: int, sealed: bool = False) -> None:
    """Write a capture of so many packets, the media in clear or ``sealed`` with SRTP."""
    seal, tag = (Seal(), TAG) if sealed else (None, 0)
    random = np.random.default_rng(1)
    ticks = int((packets * (1 - KEEP_ALIVE) - 7 * CALLS) / (2 * CALLS * (1 - LOSS)))
    kept = random.random((ticks, 2 * CALLS)) >= LOSS
    kept[0] = kept[-1] = True  # else the first and last packets are not known to be lost
    end = 200_000 + ticks * TICK
    signalling = [each for call in range(CALLS) for each in dialogue(call, end + call * 1000, sealed)]
    signalling += keep_alive(packets - int(kept.sum()) - len(signalling), end)
    signalling.sort()
    with path.open("wb") as file:
        file.write(struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for first in range(0, ticks, TICKS):
            at, records = media(first, kept[first : first + TICKS], tag)
            if seal is not None:
                seal(records)
            write(file, signalling, at, records)
        write(file, signalling, np.array([2**62]), np.zeros((1, 0), np.uint8))


def write(file: Any, signalling: list[Sip], at: NDArray[np.int64], records: NDArray[np.uint8]) -> None:
    """Write records, and before each what ``signalling`` has for an earlier time; that is taken away."""
    done, used = 0, 0
    for sip in signalling:
        if sip.at >= at[-1]:
            break
        place = int(np.searchsorted(at, sip.at))
        file.write(records[done:place].tobytes() + record(sip.at, packet(*sip[1:3], 5060, 5060, sip.octets)))
        done, used = place, used + 1
    file.write(records[done:].tobytes())
    del signalling[:used]


# -- what is measured -------------------------------------------------------------------------------


class Run(NamedTuple):
    """What a process took: seconds by the clock and of the processor, octets of memory; what it printed."""

    seconds: float
    processor: float
    memory: int
    output: str


def run(*command: str) -> Run:
    """Run a program and measure it."""
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        output.seek(0)
        text = output.read().decode("utf-8", "replace")
    if status:
        raise SystemExit(f"{command[0]} ended with status {status}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, text)


def best(rounds: int, *command: str) -> Run:
    """Run a program several times and return the fastest run."""
    return min((run(*command) for _ in range(rounds)), key=lambda one: one.seconds)


def ours(output: str) -> dict[str, Any]:
    """Return what imslab counted, to be compared."""
    found = json.loads(output)
    streams = {int(str(s["ssrc"]), 0): (s["packets"], s["lost"]) for s in found["rtp"]}
    return {"streams": streams, "requests": found["sip"]["requests"], "responses": found["sip"]["responses"]}


def opened(output: str) -> int:
    """Return how many packets imslab decrypted."""
    return sum(stream["decrypted"] for stream in json.loads(output)["rtp"])


def theirs(output: str) -> dict[str, Any]:
    """Return what tshark counted."""
    rows = re.findall(r"(0x[0-9A-F]{8}) +\S+ +(\d+) +(-?\d+) \(", output)
    responses, requests = Counter[str](), Counter[str]()
    for status, many in re.findall(r"(?m)^ *SIP (\d{3}) [^:]*: *(\d+)", output):
        responses[status] += int(many)
    for method, many in re.findall(r"(?m)^ *([A-Z]+) +: *(\d+)", output):
        requests[method] += int(many)
    streams = {int(ssrc, 16): (int(packets), int(lost)) for ssrc, packets, lost in rows}
    return {"streams": streams, "requests": dict(requests), "responses": dict(responses)}


def said(name: str, one: Run, packets: int, than: Run | None = None) -> None:
    took = f"{one.seconds:6.2f} s ({one.processor:5.2f} s) {packets / one.seconds:10,.0f}/s"
    ratio = ""
    if than is not None:
        ratio = f"{one.seconds / than.seconds:6.1f} ({one.processor / than.processor:.1f}) times ours"
    print(f"{name:40} {took} {one.memory / 1e6:6.0f} MB {ratio}")


def compare(path: Path, packets: int, rounds: int, sealed: bool) -> None:
    """Print what each program takes, and fail where the counts differ."""
    size, what = path.stat().st_size, "SRTP" if sealed else "RTP"
    print(f"{packets:,} packets, {what}, {size / 1e6:.0f} MB; the best of {rounds}; by the clock (processor)")
    mine = best(rounds, sys.executable, "-m", "imslab", "inspect", "--json", str(path))
    said("imslab inspect --json", mine, packets)
    print(
        f"    resident {mine.memory / 1e6:.0f} MB of the {(2 * size + 200e6) / 1e6:.0f} MB that it may take"
    )
    counted = ours(mine.output)
    if opened(mine.output) != sealed * sum(packets for packets, _ in counted["streams"].values()):
        raise SystemExit(f"{opened(mine.output)} packets were decrypted")
    floor(path, packets, mine)
    if shutil.which("tshark") is None:
        print("tshark is not here: apt install tshark")
        return
    tshark = "tshark", "-n", "-q", "-r", str(path)
    both = best(rounds, *tshark, "-z", "rtp,streams", "-z", "sip,stat")
    apart = [best(rounds, *tshark, "-z", "rtp,streams"), best(rounds, *tshark, "-z", "sip,stat")]
    said("tshark -z rtp,streams -z sip,stat", both, packets, mine)
    seconds, processor = (sum(one[place] for one in apart) for place in (0, 1))
    two = Run(seconds, processor, max(one.memory for one in apart), "")
    said("tshark -z rtp,streams; tshark -z sip,stat", two, packets, mine)
    if counted != theirs(both.output):
        raise SystemExit(f"the counts differ: {counted} and {theirs(both.output)}")
    requests = sum(counted["requests"].values())
    print(f"the counts are the same: {len(counted['streams'])} streams, {requests} SIP requests")


def floor(path: Path, packets: int, mine: Run) -> None:
    if shutil.which("tcpdump") is None:
        print("tcpdump is not here: apt install tcpdump")
        return
    said("tcpdump -w /dev/null", best(3, "tcpdump", "-r", str(path), "-w", "/dev/null"), packets, mine)


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("packets", type=int, nargs="?", default=500_000)
    parser.add_argument("--rounds", type=int, default=2, help="how often each program runs; the best counts")
    parser.add_argument("--keep", type=Path, help="a folder to write the captures to, and leave them")
    told = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        for sealed in (False, True):
            path = (told.keep or Path(folder)) / f"{'srtp' if sealed else 'rtp'}-{told.packets}.pcap"
            if not path.exists():
                make(path, told.packets, sealed)
            compare(path, told.packets, told.rounds, sealed)


if __name__ == "__main__":
    main(sys.argv[1:])
