"""``imslab doctor``: what is there, what is missing, and the command that brings it."""

import platform
import shutil
import socket
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from imslab.cli import doctor, main
from imslab.cli.doctor import Finding
from imslab.data import profile_path
from imslab.errors import CardGone, NetworkError
from imslab.net import esp, xfrm
from imslab.uicc import Card, Profile, pcsc
from imslab.uicc.readiness import ReaderError, State


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
    assert doctor.bring_on_this_system(doctor.PROGRAMS[0].bring).count("install") == 2
    assert [one.bring.count("make reader") for one in doctor._obstacle(State.NO_PYSCARD, [])] == [2]


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


class InReader(Card):
    """A software card that has the manners of a card in a reader."""

    name = "Stand-in"
    left = False

    @property
    def atr(self) -> bytes:
        return self.reset()

    def close(self) -> None:
        self.left = True


def no_application(apdu: bytes) -> bytes:
    return bytes.fromhex("6a82")


@pytest.mark.parametrize(
    ("state", "name", "words"),
    [
        (State.NO_PYSCARD, "pyscard", "only for a card in a reader"),
        (State.NO_LIBRARY, "libpcsclite", "libpcsclite is not installed"),
        (State.NO_DAEMON, "PC/SC service", "does not answer"),
        (State.ACCESS_DENIED, "PC/SC service", "polkit"),
    ],
)
def test_states_before_there_are_readers(
    state: State, name: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> list[str]:
        raise ReaderError("no", state)

    monkeypatch.setattr(pcsc, "readers", refuse)
    found = doctor.card_reader()[-1]
    assert (found.name, found.found, found.needed) == (name, False, False)
    assert words in found.state
    assert found.bring


@pytest.mark.parametrize("error", [State.NO_CARD, State.MUTE_CARD, State.CARD_HELD, State.CARD_GONE])
def test_states_of_a_card(error: State, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise CardGone("gone") if error is State.CARD_GONE else ReaderError("no", error)

    monkeypatch.setattr(metadata, "version", lambda name: "2.3.1")
    monkeypatch.setattr(pcsc, "readers", lambda: ["Omnikey"])
    monkeypatch.setattr(pcsc, "connect", refuse)
    pyscard, reader, found = doctor.card_reader()
    assert (pyscard.state, reader.state) == ("2.3.1", "Omnikey")
    assert (found.name, found.state, found.found) == ("card", error.value, False)
    assert found.bring


def test_no_reader_and_no_pyscard_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "version", lambda name: "2.3.1")
    monkeypatch.setattr(pcsc, "readers", list)
    assert [one.name for one in doctor.card_reader()] == ["pyscard", "reader"]
    assert not doctor.card_reader()[-1].found


@pytest.mark.parametrize(
    ("profile", "name", "words"), [("alice", "ISIM", "there"), ("carol", "USIM", "the card has no ISIM")]
)
def test_applications_of_a_card(profile: str, name: str, words: str) -> None:
    card, found = doctor.card(InReader(Profile.load(profile_path(profile)), protocol="T=0"))  # type: ignore[arg-type]
    assert card.state.startswith("T=0 in Stand-in, ATR 3b")
    assert (found.name, found.found) == (name, True)
    assert words in found.state


def test_a_card_without_an_application(monkeypatch: pytest.MonkeyPatch) -> None:
    card = InReader(Profile.load(profile_path("alice")))
    monkeypatch.setattr(card, "transmit", no_application)
    monkeypatch.setattr(metadata, "version", lambda name: "2.3.1")
    monkeypatch.setattr(pcsc, "readers", lambda: ["Stand-in"])
    monkeypatch.setattr(pcsc, "connect", lambda: card)
    found = doctor.card_reader()[-1]
    assert (found.name, found.state) == ("ISIM", State.NO_APPLICATION.value)
    assert card.left


@pytest.mark.parametrize("allowed", [True, False])
@pytest.mark.parametrize("obstacle", ["", "Requested type not found"])
def test_ways_for_esp(allowed: bool, obstacle: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def raw_socket(host: str) -> socket.socket:
        if not allowed:
            raise NetworkError("raw sockets take root or CAP_NET_RAW")
        return socket.socket()

    monkeypatch.setattr(esp, "raw_socket", raw_socket)
    monkeypatch.setattr(xfrm, "obstacle", lambda: obstacle)
    found = doctor.ipsec()
    assert [one.found for one in found] == [True, True, allowed, not obstacle]
    assert not any(one.needed for one in found)
    assert ("CAP_NET_RAW" in found[2].state) is not allowed
    assert (obstacle in found[3].state) and ("user space" in found[3].state) is bool(obstacle)
