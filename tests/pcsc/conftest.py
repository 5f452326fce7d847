"""A reader of one's own: pcscd with the virtual reader vpcd, in namespaces, for one test at a time.

vpcd listens on all interfaces and pcscd at one place in /run. So each station has its own network and its
own /run: stations do not meet each other, or the pcscd of the machine. An ordinary user is root in his.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 30.0  # seconds for what takes a tenth of one
NOBODY = 65534
SETUP = "mount -t tmpfs tmpfs /run && ip link set lo up && mkdir /run/pcscd && echo ready && exec sleep 86400"


class NoNamespaces(Exception):
    """This machine lets no station have a network and a /run of its own."""


def revealed(stage: Path) -> str:
    """Return the commands that let everybody read this Python and the checkout, in a mount namespace.

    A root's Python may live in /root, where nobody else may look: there /root shows these places alone.
    """
    needed = {Path(sys.base_prefix), Path(sys.prefix), ROOT}
    hidden: dict[Path, list[Path]] = {}
    for place in sorted(needed):
        for parent in reversed(place.parents):
            if not parent.stat().st_mode & 0o001:
                hidden.setdefault(parent, []).append(place)
                break
    commands = []
    for parent, places in hidden.items():
        kept = [(place, stage / f"kept{number}") for number, place in enumerate(places)]
        commands += [f"mkdir '{there}' && mount --bind '{place}' '{there}'" for place, there in kept]
        commands += [f"mount -t tmpfs -o mode=755 tmpfs '{parent}'"]
        commands += [f"mkdir -p '{place}' && mount --bind '{there}' '{place}'" for place, there in kept]
    return "".join(f"{command} || exit 1; " for command in commands)


class Station:
    """A private network and /run, the pcscd in it, and what else is started in it."""

    def __init__(self, scratch: Path, *, ordinary_user: bool = False) -> None:
        self.scratch = scratch
        own = bool(os.geteuid()) or ordinary_user  # an ordinary user is root in a namespace of his own
        become = own and not os.geteuid()
        leave = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if become else []
        user = ["--user", "--map-root-user"] if own else []
        make = [*leave, "unshare", *user, "--mount", "--net", "sh", "-c", SETUP]
        if become:
            make = ["unshare", "--mount", "sh", "-c", f'{revealed(scratch)} exec "$@"', "sh", *make]
        self._started: list[subprocess.Popen[str]] = []
        self._pcscd: subprocess.Popen[str]
        self._space = subprocess.Popen(
            make, stdout=subprocess.PIPE, text=True, cwd="/", env=self._environment()
        )
        self._started.append(self._space)
        assert self._space.stdout is not None
        if self._space.stdout.readline() != "ready\n":
            self.close()
            raise NoNamespaces(
                "no namespaces here (for an ordinary user: kernel.unprivileged_userns_clone=1)"
            )
        enter = ["--user", "--preserve-credentials"] if own else []
        # setns leaves the working directory behind: --wd keeps it.
        target = [f"--target={self._space.pid}", f"--wd={scratch}"]
        self._enter = [*leave, "nsenter", *target, *enter, "--mount", "--net"]

    def _environment(self) -> dict[str, str]:
        path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
        return {**os.environ, "PATH": path, "PYTHONPATH": self._modules(), "PYTHONDONTWRITEBYTECODE": "1"}

    def _modules(self) -> str:
        return os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])

    def start(self, *command: str, output: int | None = subprocess.PIPE) -> subprocess.Popen[str]:
        """Start a program in the station; it ends with it."""
        process = subprocess.Popen(
            [*self._enter, *command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.scratch,
            env=self._environment(),
        )
        self._started.append(process)
        return process

    def start_pcscd(self) -> subprocess.Popen[str]:
        """Start pcscd, and wait until it answers."""
        pcscd = self._pcscd = self.start("pcscd", "--foreground", "--error", output=subprocess.DEVNULL)
        self.until("import os, socket; s = socket.socket(socket.AF_UNIX); s.connect('/run/pcscd/pcscd.comm')")
        return pcscd

    def stop_pcscd(self) -> None:
        """Stop pcscd; what it leaves in /run goes with it."""
        self.end(self._pcscd)

    def until(self, code: str, *, before: str = "") -> None:
        """Wait until a line of Python, run in the station after ``before``, raises nothing."""
        waits = (
            "import time\nend = time.monotonic() + %f\nwhile True:\n try:\n  %s\n  break\n"
            " except Exception:\n  if time.monotonic() > end: raise\n  time.sleep(0.02)\n"
        )
        self.python(before + waits % (PATIENCE, code))

    def python(self, code: str, *arguments: str) -> str:
        """Run a piece of Python in the station, and return what it prints."""
        done = self._run(code, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def fails(self, code: str) -> str:
        """Run a piece of Python that ends with an exception, and return the traceback."""
        done = self._run(code)
        assert done.returncode == 1, done.stdout
        return done.stderr

    def _run(self, code: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*self._enter, sys.executable, "-c", code, *arguments],
            capture_output=True,
            text=True,
            cwd=self.scratch,
            env=self._environment(),
            timeout=2 * PATIENCE,
            check=False,
        )

    def ask(self, code: str, *arguments: str) -> dict[str, object]:
        """Run a piece of Python that prints JSON, and return that."""
        found = json.loads(self.python(code, *arguments))
        assert isinstance(found, dict)
        return found

    def imslab(self, *arguments: str, say: str = "") -> subprocess.CompletedProcess[str]:
        """Run ``imslab`` in the station."""
        return subprocess.run(
            [*self._enter, sys.executable, "-m", "imslab", *arguments],
            input=say,
            capture_output=True,
            text=True,
            cwd=self.scratch,
            env=self._environment(),
            timeout=2 * PATIENCE,
            check=False,
        )

    def serve(self, *options: str) -> subprocess.Popen[str]:
        """Start ``imslab card serve``, and wait until the card is in the reader."""
        served = self.start(sys.executable, "-m", "imslab", "card", "serve", *options)
        self.wait_for(served, "the card is in the reader")
        self.until("from imslab.uicc import pcsc; pcsc.connect().close()")
        return served

    def close(self) -> None:
        """End everything that was started here, the last first."""
        for process in reversed(self._started):
            self.end(process)

    @staticmethod
    def profile(name: str) -> Path:
        """Return the file of a lab profile."""
        return ROOT / "data" / "profiles" / f"{name}.json"

    @staticmethod
    def ends_in(process: "subprocess.Popen[str]", seconds: float) -> int:
        """Return a program's exit status; raise TimeoutError when it still runs after ``seconds``."""
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise TimeoutError from None

    @staticmethod
    def wait_for(process: "subprocess.Popen[str]", words: str) -> str:
        """Read what a program prints up to the line that holds ``words``, and return all of it."""
        assert process.stdout is not None
        seen = ""
        for line in process.stdout:
            seen += line
            if words in line:
                return seen
        raise AssertionError(f"{words!r} was never said, but: {seen}")

    @staticmethod
    def end(process: "subprocess.Popen[str]", how: signal.Signals = signal.SIGTERM) -> int:
        """End a program that was started here, by its own number; return its exit status."""
        if process.poll() is None:
            process.send_signal(how)
            try:
                process.wait(PATIENCE / 3)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        return process.returncode


@pytest.fixture(params=["root", "ordinary user"] if os.geteuid() == 0 else ["ordinary user"])
def user(request: pytest.FixtureRequest) -> str:
    """Who runs the station."""
    return str(request.param)


@pytest.fixture
def make_station(cannot_run: Callable[[str], NoReturn]) -> Iterator[Callable[[str], Station]]:
    """Make stations for a kind of user; they are ended with the test."""
    made: list[Station] = []
    with tempfile.TemporaryDirectory() as scratch:  # pytest's own lets nobody else in
        os.chmod(scratch, 0o777)

        def make(user: str) -> Station:
            try:
                made.append(Station(Path(scratch), ordinary_user=user == "ordinary user"))
            except NoNamespaces as error:
                cannot_run(str(error))
            return made[-1]

        yield make
        for station in made:
            station.close()


@pytest.fixture
def station(make_station: Callable[[str], Station]) -> Station:
    """A station with a running pcscd, of the user who runs the tests."""
    made = make_station("root" if os.geteuid() == 0 else "ordinary user")
    made.start_pcscd()
    return made
