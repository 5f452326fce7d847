"""An APDU's way through pcscd and vpcd and back: our card, and a bare echo card, on the same daemon.

Run: ``python -m benchmarks.pcsc [EXCHANGES]``, with pcscd, vsmartcard-vpcd and pyscard, as root or as a user
who may have namespaces. The daemon is started here, in a network and a /run of its own. The two cards sit in
the two slots of the virtual reader and take turns, so that a slower machine is slower for both. The echo card
does what vpcd asks for and no more: it answers 9000 to everything. The limit is 3 times its median.
"""

import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from imslab.data import profile_path
from imslab.uicc import Card, Profile, pcsc
from imslab.uicc.apdu import select_file
from imslab.uicc.vpcd import PORT, Slot

LIMIT = 3.0
INSIDE = "IMSLAB_BENCHMARK_INSIDE"
SETUP = 'mount -t tmpfs tmpfs /run && ip link set lo up && mkdir /run/pcscd && exec "$@"'
ECHO_ATR = bytes.fromhex("3b80800101")  # T=0 and T=1 by default: the shortest that says T=1


def echo(port: int) -> None:
    """Be the smallest card that vpcd accepts, with nothing of imslab in it."""
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while True:
        body = b""
        for _ in range(2):
            wanted = int.from_bytes(body) if body else 2
            body = b""
            while len(body) < wanted:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
                more = connection.recv(wanted - len(body))
                if not more:
                    return
                body += more
        if body == b"\4":
            connection.sendall(len(ECHO_ATR).to_bytes(2) + ECHO_ATR)
        elif len(body) > 1:
            connection.sendall(b"\0\2\x90\0")


def ours(port: int) -> None:
    card = Card(Profile.load(profile_path("alice")), protocol="T=1")
    Slot(card, port=port).serve()


def patiently(action: Callable[[], object], seconds: float = 20.0) -> object:
    """Return what ``action`` gives, as soon as it gives something without an error."""
    end = time.monotonic() + seconds
    while True:
        try:
            return action()
        except Exception:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def measure(count: int) -> list[list[float]]:
    """Return the seconds of each exchange: through the echo card, and through ours."""
    links = [patiently(lambda name=name: pcsc.connect(name)) for name in ("00 01", "00 00")]  # type: ignore[misc]
    command = select_file(0x2FE2, fcp=False)
    seconds: list[list[float]] = [[], []]
    for turn in range(count + 50):
        for link, kept in zip(links, seconds, strict=True):
            start = time.perf_counter()
            response = link.transmit(command)  # type: ignore[attr-defined]
            took = time.perf_counter() - start
            assert response == b"\x90\x00", response.hex()
            if turn >= 50:
                kept.append(took)
    for link in links:
        link.close()  # type: ignore[attr-defined]
    return seconds


def inside(count: int) -> int:
    daemon = subprocess.Popen(["pcscd", "--foreground", "--error"], stdout=subprocess.DEVNULL)
    cards: list[subprocess.Popen[bytes]] = []
    try:
        patiently(lambda: socket.socket(socket.AF_UNIX).connect("/run/pcscd/pcscd.comm"))
        for what, port in (("ours", PORT), ("echo", PORT + 1)):
            cards.append(subprocess.Popen([sys.executable, __file__, what, str(port)]))
        bare, card = (statistics.median(kept) for kept in measure(count))
    finally:
        for process in [*cards, daemon]:
            process.terminate()
            process.wait()
    print(f"echo card {bare * 1e6:7.0f} us   median of {count}, SELECT EF.ICCID, pcscd and vpcd")
    print(f"our card  {card * 1e6:7.0f} us")
    print(f"ratio     {card / bare:7.2f}      (limit {LIMIT:.0f})")
    return 0 if card / bare < LIMIT else 1


def main() -> int:
    if len(sys.argv) == 3 and sys.argv[1] in ("ours", "echo"):
        (ours if sys.argv[1] == "ours" else echo)(int(sys.argv[2]))
        return 0
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    if INSIDE in os.environ:
        return inside(count)
    place = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    if find_spec("smartcard") is None or not shutil.which("pcscd", path=place):
        print("not measured: it needs apt install pcscd vsmartcard-vpcd; make reader")
        return 0
    user = ["--user", "--map-root-user"] if os.geteuid() else []
    modules = os.pathsep.join([str(Path(__file__).resolve().parent.parent), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, INSIDE: "1", "PATH": place, "PYTHONPATH": modules}
    program = [sys.executable, __file__, str(count)]
    spaces = ["unshare", *user, "--mount", "--net", "sh", "-c", SETUP, "sh"]
    return subprocess.run([*spaces, *program], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
