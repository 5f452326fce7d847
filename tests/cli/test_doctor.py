"""``imslab doctor``: what is there, what is missing, and the command that brings it."""

import platform
import shutil
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from imslab.cli import doctor, main
from imslab.cli.doctor import Finding


def no_program(name: str, path: str | None = None) -> None:
    return None


def test_names_every_library_of_the_project() -> None:
    names = {finding.name for finding in doctor.libraries()}
    assert {"numpy", "cryptography", "scapy", "aiortc", "jupyterlab"} <= names
    assert "pyscard" not in names
    assert all(finding.needed for finding in doctor.libraries())


def test_library_that_is_missing() -> None:
    found = doctor.library(Requirement("no-such-library>=1.0"))
    assert (found.found, found.state) == (False, "not installed")
    assert "no-such-library>=1.0" in found.bring


def test_library_that_is_too_old() -> None:
    found = doctor.library(Requirement("numpy>=99"))
    assert not found.found
    assert found.state == f"{metadata.version('numpy')}, but >=99 is needed"


@pytest.mark.parametrize(
    ("system", "command"),
    [
        ("debian", "apt install tshark"),
        ("fedora", "dnf install wireshark-cli"),
        ("macos", "brew install wireshark"),
        ("windows", "winget install WiresharkFoundation.Wireshark"),
    ],
)
def test_command_is_that_of_the_system(system: str, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_system", lambda: system)
    monkeypatch.setattr(shutil, "which", no_program)
    tshark = doctor.programs()[0]
    assert (tshark.name, tshark.found, tshark.bring) == ("tshark", False, command)


def test_unknown_linux_gets_both_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_system", lambda: "")
    assert doctor.bring_on_this_system(doctor.PYSCARD).count("make reader") == 2


@pytest.mark.parametrize(
    ("release", "system"),
    [
        ({"ID": "debian"}, "debian"),
        ({"ID": "linuxmint", "ID_LIKE": "ubuntu debian"}, "debian"),
        ({"ID": "rocky", "ID_LIKE": "rhel centos fedora"}, "fedora"),
        ({"ID": "arch"}, ""),
    ],
)
def test_tells_the_family_of_a_linux(
    release: dict[str, str], system: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: release)
    assert doctor._system() == system


def test_every_program_has_a_command_for_every_system() -> None:
    systems = {"debian", "fedora", "macos", "windows"}
    assert all(set(program.bring) == systems for program in doctor.PROGRAMS)
    assert set(doctor.PYSCARD) == systems


def test_exit_status_follows_what_is_needed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "libraries", list)
    monkeypatch.setattr(doctor, "programs", lambda: [Finding("tshark", "not installed", False, bring="x")])
    monkeypatch.setattr(doctor, "checkout", lambda: Finding("checkout", "7 notebooks", True, needed=True))
    assert main(["doctor"]) == 0
    assert "The lab can run" in capsys.readouterr().out
    monkeypatch.setattr(doctor, "libraries", lambda: [Finding("numpy", "not installed", False, needed=True)])
    assert main(["doctor"]) == 1
    assert "MISSING numpy" in capsys.readouterr().out


def test_old_python_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 13))
    assert not doctor.python().found


def test_checkout_without_notebooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "path", lambda: tmp_path / "data")
    assert not doctor.checkout().found


def test_program_that_says_nothing_is_still_named(tmp_path: Path) -> None:
    mute = tmp_path / "mute"
    mute.write_text("#!/bin/sh\nexit 255\n")
    mute.chmod(0o755)
    assert doctor._version_line(str(mute)) == str(mute)
    assert "does not say its version" in doctor._version_line(str(tmp_path / "none"))


@pytest.mark.component("tshark", "sipp")
def test_versions_of_real_programs() -> None:
    states = {finding.name: finding.state for finding in doctor.programs()}
    assert "TShark" in states["tshark"]
    assert "SIPp v" in states["sipp"]
