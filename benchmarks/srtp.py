"""SRTP of a whole stream, and packet by packet, beside libsrtp in the same process.

Run: ``python -m benchmarks.srtp [SECONDS for each size and profile]``. Everybody opens the same packets,
replay and authentication included, and keeps the packets in clear. The rounds are taken in turns, each in a
few hundredths of a second of processor time, and ratios are the medians over the rounds: a machine that does
other things slows all alike. "HMAC-SHA1 alone" and "AES-GCM alone" are the calls that nobody can do without,
through the fastest way that Python has to them, and nothing else. Two processes are timed by the clock on the
wall: with a stream each, which shows what the machine's processors can do together, and with one stream cut
in two (``imslab.srtp.parallel``).
"""

import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from itertools import count
from multiprocessing import get_context

import numpy as np
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hmac import HMAC
from pylibsrtp import Policy
from pylibsrtp import Session as Libsrtp

from imslab.srtp import Profile, Session, bulk
from imslab.srtp.parallel import Workers

CM, GCM = "AES_CM_128_HMAC_SHA1_80", "AEAD_AES_128_GCM"
_POLICY = {CM: Policy.SRTP_PROFILE_AES128_CM_SHA1_80, GCM: Policy.SRTP_PROFILE_AEAD_AES_128_GCM}
AIMS = {(CM, 160): 1.2, (GCM, 160): 1.4, (CM, 1200): 1.0, (GCM, 1200): 1.0}  # bulk : libsrtp
SESSION_AIM = 0.25  # session : libsrtp
_PACKETS, _LONG_STREAM = 4_000, 60_000
_FEWEST_ROUNDS = 5


@dataclass(frozen=True)
class Stream:
    """Packets of one SSRC, protected by libsrtp, and the same in one piece."""

    name: str
    key: bytes
    packets: list[bytes]
    sealed: list[bytes]

    @property
    def master(self) -> tuple[str, bytes, bytes]:
        """Profile, master key and salt."""
        return self.name, self.key[:16], self.key[16:]

    @property
    def laid(self) -> tuple[bytes, np.ndarray, np.ndarray]:
        """The protected packets one behind the other, where each begins, and how long it is."""
        length = np.array([len(packet) for packet in self.sealed])
        return b"".join(self.sealed), np.cumsum(length) - length, length


def stream(name: str, size: int, packets: int = _PACKETS) -> Stream:
    """Make a stream with payloads of ``size`` octets."""
    key = bytes(range(Profile.named(name).master_length))
    sender = Libsrtp(Policy(key=key, ssrc_type=Policy.SSRC_ANY_OUTBOUND, srtp_profile=_POLICY[name]))
    header = [b"\x80\x60" + (n % 65536).to_bytes(2) + bytes(4) + b"SSRC" for n in range(packets)]
    plain = [one + one[2:4] * (size // 2) for one in header]
    return Stream(name, key, plain, [sender.protect(packet) for packet in plain])


def by_libsrtp(of: Stream) -> list[bytes]:
    policy = Policy(key=of.key, ssrc_type=Policy.SSRC_ANY_INBOUND, srtp_profile=_POLICY[of.name])
    unprotect = Libsrtp(policy).unprotect
    return [unprotect(packet) for packet in of.sealed]


def by_session(of: Stream) -> list[bytes]:
    unprotect = Session(*of.master).unprotect
    return [unprotect(packet) for packet in of.sealed]


def limit(of: Stream) -> Callable[[], object]:
    """Return the calls alone: HMAC-SHA1 over each packet and its ROC, or AES-GCM with its IV."""
    if of.name == GCM:
        aead, ivs = AESGCM(of.key[:16]), [n.to_bytes(12) for n in range(len(of.packets))]
        known = [packet[:12] for packet in of.packets]
        sealed = [aead.encrypt(iv, p[12:], p[:12]) for iv, p in zip(ivs, of.packets, strict=True)]
        return lambda: list(map(aead.decrypt, ivs, sealed, known))
    keyed, octets = HMAC(of.key[:20], hashes.SHA1()), [packet[:-6] for packet in of.sealed]

    def macs() -> None:
        for one in octets:
            mac = keyed.copy()
            mac.update(one)
            mac.finalize()

    return macs


def rounds(
    works: dict[str, Callable[[], object]], seconds: float, clock: Callable[[], float]
) -> dict[str, list[float]]:
    """Return the times of each of ``works``, taken in turns for about so many seconds."""
    times: dict[str, list[float]] = {name: [] for name in works}
    end = time.perf_counter() + seconds
    for number in count():
        for name, work in works.items():
            start = clock()
            work()
            times[name].append(clock() - start)
        if number + 1 >= _FEWEST_ROUNDS and time.perf_counter() > end:
            return times
    raise AssertionError


def ratio(times: dict[str, list[float]], slow: str, fast: str) -> float:
    """Return how many times faster ``fast`` was: the median over the rounds."""
    return statistics.median(s / f for s, f in zip(times[slow], times[fast], strict=True))


def compare(name: str, size: int, seconds: float) -> list[str]:
    """Measure one profile and size; return the aims that were missed."""
    of = stream(name, size)
    if list(bulk.unprotect(*of.master, *of.laid)) != of.packets or by_session(of) != of.packets:
        raise SystemExit("the packets in clear are not the same")
    laid = of.laid
    works: dict[str, Callable[[], object]] = {
        "libsrtp": lambda: by_libsrtp(of),
        "bulk": lambda: bulk.unprotect(*of.master, *laid),
        "checked": lambda: bulk.unprotect(*of.master, *laid, decrypt=False),
        "session": lambda: by_session(of),
        "limit": limit(of),
    }
    times = rounds(works, seconds, time.process_time)
    rates = {work: len(of.packets) / statistics.median(taken) for work, taken in times.items()}
    bulk_ratio, session_ratio = ratio(times, "libsrtp", "bulk"), ratio(times, "libsrtp", "session")
    print(f"{name}, {size} octets, packets/s")
    alone = f"{'AES-GCM' if name == GCM else 'HMAC-SHA1'} alone"
    said = {
        "libsrtp": ("libsrtp (pylibsrtp)", ""),
        "bulk": ("bulk", f"{bulk_ratio:.2f} times libsrtp (aim {AIMS[name, size]})"),
        "checked": ("bulk, checked only", f"{ratio(times, 'libsrtp', 'checked'):.2f} times libsrtp"),
        "session": ("session", f"{session_ratio:.2f} times libsrtp (aim {SESSION_AIM})"),
        "limit": (alone, f"bulk reaches {ratio(times, 'limit', 'bulk'):.0%} of it"),
    }
    for work, (label, comment) in said.items():
        print(f"  {label:<22}{rates[work]:12,.0f}   {comment}")
    missed = [f"bulk, {name}, {size} octets"] if bulk_ratio < AIMS[name, size] else []
    return missed + ([f"session, {name}, {size} octets"] if session_ratio < SESSION_AIM else [])


def repeat(name: str, size: int, times: int) -> float:
    """Open a stream again and again, in a process of its own; return the seconds."""
    of = stream(name, size)
    laid = of.laid
    bulk.unprotect(*of.master, *laid)
    start = time.perf_counter()
    for _ in range(times):
        bulk.unprotect(*of.master, *laid)
    return time.perf_counter() - start


def side_by_side(name: str, size: int, pool: Executor, seconds: float) -> float:
    """Return how much more two processes with a stream each do than one alone."""
    times = max(int(seconds / pool.submit(repeat, name, size, 4).result()), 4)
    alone = pool.submit(repeat, name, size, times).result()
    both = [pool.submit(repeat, name, size, times) for _ in range(2)]
    return sum(alone / one.result() for one in both)


def two_processes(name: str, size: int, workers: Workers, pool: Executor, seconds: float) -> None:
    """Measure how much faster two processes are than one: with a stream each, and with one that is cut."""
    apart = side_by_side(name, size, pool, seconds)
    of = stream(name, size, _LONG_STREAM)
    laid = of.laid
    works: dict[str, Callable[[], object]] = {
        "one": lambda: bulk.unprotect(*of.master, *laid),
        "two": lambda: workers.unprotect(*of.master, *laid),
    }
    works["two"]()  # the processes start, and load what they need
    times = rounds(works, seconds, time.perf_counter)
    cut = ratio(times, "one", "two")
    print(f"{name}, {size} octets: two processes do {apart:.2f} times as much, {cut:.2f} times of one stream")


def main(seconds: float = 3.0) -> None:
    missed = [miss for name, size in AIMS for miss in compare(name, size, seconds)]
    with Workers(2) as workers, ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for name, size in AIMS:
            two_processes(name, size, workers, pool, seconds)
    if missed:
        raise SystemExit(f"an aim was missed: {'; '.join(missed)}")


if __name__ == "__main__":
    main(*(float(argument) for argument in sys.argv[1:2]))
