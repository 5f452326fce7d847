"""``imslab card``: the profile as a table, the PIN, the trace; the real reader is in tests/pcsc."""

import io
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from imslab.cli import card as command
from imslab.cli import main
from imslab.data import profile_path
from imslab.uicc import Card, IsimClient, Profile, pcsc

ALICE = Profile.load(profile_path("alice"))


class InReader(Card):
    """A software card that has the manners of a card in a reader."""

    name = "Stand-in"
    closed = False

    @property
    def atr(self) -> bytes:
        return self.reset()

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def put(monkeypatch: pytest.MonkeyPatch):
    def put(profile: Profile) -> InReader:
        card = InReader(profile, protocol="T=0")
        monkeypatch.setattr(pcsc, "connect", lambda name=None, **_: card)
        return card

    return put


def test_table_has_a_line_for_each_value() -> None:
    lines = command.table(IsimClient(Card(ALICE)).read_profile()).splitlines()
    assert lines[0].split() == ["Read", "from", "ISIM"]
    column = lines[0].index("ISIM")
    assert {line[column - 2 : column] for line in lines} == {"  "}
    assert [line[column:] for line in lines if "tel:" in line] == ["tel:+15550100001"]
    assert any("1, 2, 5" in line for line in lines)


def test_read(put, capsys: pytest.CaptureFixture[str]) -> None:
    card = put(ALICE)
    assert main(["card", "read"]) == 0
    said = capsys.readouterr().out
    assert "Stand-in: T=0, ATR 3b9e96801f" in said
    assert ALICE.impi in said
    assert card.closed


def test_a_pin_is_asked_for_and_not_shown(put, capsys, monkeypatch) -> None:
    card = put(replace(ALICE, pin1_enabled=True))
    assert main(["card", "read"]) == 2
    assert "PIN1 is needed, 3 tries remain: imslab card read --pin" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stdin", io.StringIO("1234\n"))
    assert main(["card", "read", "--pin"]) == 0
    said = capsys.readouterr()
    assert "PIN1: 3 tries remain." in said.out
    assert ALICE.impi in said.out
    assert "1234" not in said.out + said.err
    assert card.closed


def test_nothing_is_asked_when_it_would_not_be_sent(put, capsys, monkeypatch) -> None:
    card = put(replace(ALICE, pin1_enabled=True))
    for _ in range(2):
        card.transmit(bytes.fromhex("002000010839393939ffffffff"))

    def asked() -> str:
        raise AssertionError("asked")

    monkeypatch.setattr(command, "_ask_pin", asked)
    assert main(["card", "read", "--pin"]) == 2
    assert "1 try remains" in capsys.readouterr().err
    card.transmit(bytes.fromhex("002000010839393939ffffffff"))
    assert main(["card", "read", "--pin", "--even-the-last"]) == 2
    assert "UNBLOCK PIN" in capsys.readouterr().err


def test_no_profile_no_state(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["card", "serve", "--profile", "nobody"]) == 2
    assert main(["card", "serve", "--profile", str(tmp_path / "absent.json")]) == 2
    damaged = tmp_path / "damaged"
    damaged.write_text("{")
    assert main(["card", "serve", "--state", str(damaged)]) == 2
    assert main(["card", "trace", str(tmp_path / "absent" / "file"), "--port", "0"]) == 2
    said = capsys.readouterr().err
    assert said.count("imslab: ") == 4
    assert "cannot be written" in said


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_serve_and_trace_leave_cleanly(tmp_path: Path, how: signal.Signals) -> None:
    file = tmp_path / "apdus.pcapng"
    for arguments in (["serve", "--port", "1"], ["trace", str(file), "--port", "0"]):
        run = [sys.executable, "-m", "imslab", "card", *arguments]
        with subprocess.Popen(run, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            first = process.stdout.readline()
            process.stdout.readline()
            process.send_signal(how)
            try:
                assert process.wait(20) == 0
            finally:
                process.kill()
        assert first
    assert file.stat().st_mode & 0o077 == 0
    assert os.path.getsize(file) > 0
