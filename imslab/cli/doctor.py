"""``imslab doctor``: what is installed, what is missing, and the command that brings it."""

import platform
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING

from imslab.data import path
from imslab.errors import CardGone, ImslabError, NetworkError

if TYPE_CHECKING:
    from packaging.requirements import Requirement

    from imslab.uicc.pcsc import PcscLink
    from imslab.uicc.readiness import State

OLDEST_PYTHON = (3, 11)
SECONDS = 30  # for a program to say its version


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked for.

    ``state``   the version, or what is wrong
    ``found``   False when it is missing or of no use
    ``needed``  True when the notebooks do not run without it
    ``bring``   the command that brings it
    """

    name: str
    state: str
    found: bool
    needed: bool = False
    bring: str = ""


@dataclass(frozen=True, slots=True)
class Program:
    """A program that imslab uses where it is there, with the command that brings it on each system."""

    names: tuple[str, ...]
    purpose: str
    bring: dict[str, str]
    ask: str = "--version"


PROGRAMS = (
    Program(
        ("tshark",),
        "reads our traces",
        {
            "debian": "apt install tshark",
            "fedora": "dnf install wireshark-cli",
            "macos": "brew install wireshark",
            "windows": "winget install WiresharkFoundation.Wireshark",
        },
    ),
    Program(
        ("sipp",),
        "a SIP client that is not ours",
        {
            "debian": "apt install sip-tester",
            "fedora": "dnf install sipp",
            "macos": "brew install sipp",
            "windows": "wsl sudo apt install sip-tester",
        },
        ask="-v",
    ),
    Program(
        ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge"),
        "the demo's browser",
        {
            "debian": "apt install chromium",
            "fedora": "dnf install chromium",
            "macos": "brew install --cask google-chrome",
            "windows": "winget install Google.Chrome",
        },
    ),
)


def doctor() -> int:
    """Say what is installed, what is missing, and the command that brings it.

    The exit status is 0 when the notebooks can run.
    """
    findings = [python(), *libraries(), checkout(), *programs(), *ipsec(), *card_reader()]
    print(report(findings))
    return 0 if can_run(findings) else 1


def can_run(findings: Iterable[Finding]) -> bool:
    """Tell whether everything that the notebooks need was found."""
    return all(finding.found for finding in findings if finding.needed)


def report(findings: list[Finding]) -> str:
    """Return the findings as lines, and a last line that says whether the lab can run."""
    width = max(len(finding.name) for finding in findings)
    lines = []
    for finding in findings:
        mark = "ok" if finding.found else "MISSING" if finding.needed else "-"
        lines.append(f"{mark:8}{finding.name:{width}}  {finding.state}")
        if not finding.found and finding.bring:
            lines.append(f"{'':8}{'':{width}}  bring it: {finding.bring}")
    ready = "The lab can run: make lab" if can_run(findings) else "The lab cannot run yet: see MISSING above."
    return "\n".join([*lines, "", ready])


def python() -> Finding:
    """Look at the Python that runs this."""
    new_enough = sys.version_info >= OLDEST_PYTHON
    oldest = ".".join(map(str, OLDEST_PYTHON))
    return Finding(
        "Python", platform.python_version(), new_enough, needed=True, bring=f"Python {oldest} or newer"
    )


def libraries() -> list[Finding]:
    """Look at every library that the package names as its dependency on this system."""
    from packaging.requirements import Requirement

    wanted = [Requirement(line) for line in _requirements()]
    # The extra is given as none, so that what only an extra needs is left out.
    return [library(one) for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})]


def library(requirement: "Requirement") -> Finding:
    """Look at one library."""
    name, versions = requirement.name, str(requirement.specifier)
    bring = f"make lab   (or: pip install '{name}{versions}')"
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Finding(name, "not installed", False, needed=True, bring=bring)
    fits = requirement.specifier.contains(version, prereleases=True)
    state = version if fits else f"{version}, but {versions} is needed"
    return Finding(name, state, fits, needed=True, bring=bring)


def checkout() -> Finding:
    """Look for the notebooks and the data beside the package."""
    try:
        notebooks = sorted((path().parent / "notebooks").glob("*.ipynb"))
    except ImslabError as error:
        return Finding("checkout", str(error), False, needed=True, bring="git clone, then make lab")
    state = f"{len(notebooks)} notebooks" if notebooks else "no notebooks"
    return Finding("checkout", state, bool(notebooks), needed=True, bring="git checkout notebooks")


def programs() -> list[Finding]:
    """Look for the programs that are used where they are there."""
    findings = []
    for program in PROGRAMS:
        place = next(filter(None, map(shutil.which, program.names)), None)
        state = _version_line(place, program.ask) if place else f"not installed ({program.purpose})"
        findings.append(
            Finding(program.names[0], state, bool(place), bring=bring_on_this_system(program.bring))
        )
    return findings


def ipsec() -> list[Finding]:
    """Look for the ways on which ESP can go, and whether the kernel does it too (notebook 07)."""
    from imslab.net import esp, xfrm

    try:
        esp.raw_socket("127.0.0.1").close()
        raw = Finding("ESP over IP", 'raw sockets are allowed: Lab(esp="raw")', True)
    except NetworkError as error:
        raw = Finding("ESP over IP", str(error), False)
    obstacle = xfrm.obstacle()
    kernel = f"not here ({obstacle}); imslab does ESP in user space" if obstacle else "ip xfrm takes ESP"
    return [
        Finding("ESP in process", "needs nothing; what a Lab takes", True),
        Finding("ESP in UDP", 'needs no root: Lab(esp="udp")', True),
        raw,
        Finding("IPsec of the kernel", kernel, not obstacle),
    ]


def card_reader() -> list[Finding]:
    """Look for pyscard, the PC/SC service behind it, readers, a card, and its ISIM: up to what is missing."""
    from imslab.uicc import pcsc
    from imslab.uicc.readiness import ReaderError, State

    found: list[Finding] = []
    try:
        names = pcsc.readers()
        found.append(Finding("pyscard", metadata.version("pyscard"), True))
        if not names:
            raise ReaderError("no reader", State.NO_READER)
        found.append(Finding("reader", ", ".join(names), True))
        link = pcsc.connect()
        try:
            found += card(link)
        finally:
            link.close()
    except ReaderError as error:
        found += _obstacle(error.state, found)
    except CardGone:
        found += _obstacle(State.CARD_GONE, found)
    return found


def card(link: "PcscLink") -> list[Finding]:
    """Look for the card's ISIM, or else its USIM; no PIN is tried."""
    from imslab.uicc import apdu, status
    from imslab.uicc.isim import ISIM, USIM
    from imslab.uicc.link import exchange
    from imslab.uicc.readiness import State

    state = f"{link.protocol} in {link.name}, ATR {link.atr.hex()}"
    found = [Finding("card", state, True)]
    for name, aid in (("ISIM", ISIM), ("USIM", USIM)):
        if status.is_success(exchange(link, apdu.select_aid(aid))[1]):
            words = "there" if name == "ISIM" else f"{State.NO_ISIM.value}; identities follow from the IMSI"
            return [*found, Finding(name, words, True)]
    return [*found, *_obstacle(State.NO_APPLICATION, found)]


# Where a state shows, by its name; all others are about the card.
_PLACES = {
    "NO_PYSCARD": "pyscard",
    "NO_LIBRARY": "libpcsclite",
    "NO_DAEMON": "PC/SC service",
    "ACCESS_DENIED": "PC/SC service",
    "NO_READER": "reader",
    "NO_APPLICATION": "ISIM",
}


def _obstacle(state: "State", before: list[Finding]) -> list[Finding]:
    """Return what is in the way, after what was found so far; all of it only for a card in a reader."""
    from imslab.uicc.readiness import State, remedy

    there = [] if before or state is State.NO_PYSCARD else [Finding("pyscard", _pyscard_version(), True)]
    words = state.value + (" (only for a card in a reader)" if state is State.NO_PYSCARD else "")
    bring = remedy(state, _system())
    return [*there, Finding(_PLACES.get(state.name, "card"), words, False, bring=bring)]


def _pyscard_version() -> str:
    try:
        return metadata.version("pyscard")
    except metadata.PackageNotFoundError:
        return "there"


def bring_on_this_system(commands: dict[str, str]) -> str:
    """Return the command for this system; on a Linux that is not known, those of Debian and Fedora."""
    known = commands.get(_system(), "")
    if known or _system() in ("macos", "windows"):
        return known
    return "   or: ".join(commands[name] for name in ("debian", "fedora") if name in commands)


def _system() -> str:
    named = {"darwin": "macos", "win32": "windows"}.get(sys.platform)
    if named:
        return named
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return ""
    like = f"{release.get('ID', '')} {release.get('ID_LIKE', '')}".split()
    families = {"debian": "debian", "ubuntu": "debian", "fedora": "fedora", "rhel": "fedora"}
    return next((families[name] for name in like if name in families), "")


def _version_line(program: str, ask: str = "--version") -> str:
    """Return what a program says about its version; its exit status does not count (sipp's is 255)."""
    try:
        done = subprocess.run([program, ask], capture_output=True, text=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return f"{program} (does not say its version)"
    return _first_line(done.stdout) or program


def _first_line(text: str) -> str:
    return next((line.strip().rstrip(".") for line in text.splitlines() if re.search(r"\d\.\d", line)), "")


def _requirements() -> list[str]:
    """Return the dependencies as the checkout names them, or as the installed package does."""
    try:
        project = tomllib.loads((path().parent / "pyproject.toml").read_text("utf-8"))["project"]
        return list(project["dependencies"])
    except (ImslabError, OSError, KeyError, tomllib.TOMLDecodeError):
        return metadata.requires("imslab") or []
