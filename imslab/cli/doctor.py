"""``imslab doctor``: what is installed, what is missing, and the command that brings it."""

import os
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
from imslab.errors import ImslabError

if TYPE_CHECKING:
    from packaging.requirements import Requirement

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
PCSC_DAEMON = {"debian": "apt install pcscd", "fedora": "dnf install pcsc-lite"}
START_DAEMON = "systemctl start pcscd.socket   (or, without systemd: pcscd)"
# pyscard has no wheel for Linux: it is built against libpcsclite.
PYSCARD = {
    "debian": "apt install gcc pkg-config python3-dev libpcsclite-dev && make reader",
    "fedora": "dnf install gcc pkgconf-pkg-config python3-devel pcsc-lite-devel && make reader",
    "macos": "make reader",
    "windows": 'pip install -e ".[reader]"',
}


def doctor() -> int:
    """Say what is installed, what is missing, and the command that brings it.

    The exit status is 0 when the notebooks can run.
    """
    findings = [python(), *libraries(), checkout(), *programs(), *card_reader()]
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


def card_reader() -> list[Finding]:
    """Look for pyscard, the PC/SC service behind it, and readers."""
    try:
        from smartcard.System import readers
    except ImportError:
        state = "not installed (only for a card in a reader)"
        return [_pcsc_daemon(), Finding("pyscard", state, False, bring=bring_on_this_system(PYSCARD))]
    found = Finding("pyscard", metadata.version("pyscard"), True)
    try:
        names = [str(reader) for reader in readers()]
    except Exception as error:  # pyscard's exceptions share no root that is not Exception
        service = bring_on_this_system(PCSC_DAEMON)
        state = f"the PC/SC service does not answer ({type(error).__name__})"
        start = f"{service}; {START_DAEMON}" if service and not shutil.which("pcscd") else START_DAEMON
        return [found, Finding("reader", state, False, bring=start)]
    state = ", ".join(names) if names else "the PC/SC service runs, and sees no reader"
    return [found, Finding("reader", state, bool(names), bring="plug in a PC/SC reader (CCID)")]


def bring_on_this_system(commands: dict[str, str]) -> str:
    """Return the command for this system; on a Linux that is not known, those of Debian and Fedora."""
    known = commands.get(_system(), "")
    if known or _system() in ("macos", "windows"):
        return known
    return "   or: ".join(commands[name] for name in ("debian", "fedora") if name in commands)


def _pcsc_daemon() -> Finding:
    if _system() in ("macos", "windows"):
        return Finding("PC/SC", "part of the system", True)
    place = shutil.which("pcscd", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
    state = _version_line(place) if place else "not installed (only for a card in a reader)"
    return Finding("pcscd", state, bool(place), bring=bring_on_this_system(PCSC_DAEMON))


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
