"""``imslab inspect``: text and JSON, keys from everywhere, and the exit status."""

import base64
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from imslab.cli import inspect, main
from imslab.data import path
from imslab.srtp import Session
from tests.capture.media_trace import ALICE, BOB, call, packet, sdp, stream, trace

K, OPC = "465b5ce8b199b49faa5f0a2ee238a6bc", "cd63cb71954a9f4e48a5994e37a02baf"  # TS 35.208, set 1
MASTER = bytes(range(30))
KEY = f"AES_CM_128_HMAC_SHA1_80:{base64.b64encode(MASTER).decode()}"
TRACE = str(path("traces", "webrtc-call.pcapng"))


def said(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main(["inspect", *arguments, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.fixture
def encrypted(tmp_path: Path) -> str:
    session = Session("AES_CM_128_HMAC_SHA1_80", MASTER[:16], MASTER[16:])
    media = [(i * 0.02, ALICE, BOB, session.protect(packet(i, i * 160))) for i in range(20)]
    (tmp_path / "call.pcapng").write_bytes(trace(media))
    return str(tmp_path / "call.pcapng")


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    found = said([TRACE], capsys)
    assert found["capture"]["file"] == "webrtc-call.pcapng"
    assert len(found["calls"]) == 2


def test_text_says_what_happened(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", TRACE]) == 0
    out = capsys.readouterr().out
    for words in (
        "packets in",
        "Registrations: 2",
        "Calls: 2",
        "Streams: 8",
        "as in SDP",
        "opened",
        "ended (200)",
    ):
        assert words in out


@pytest.mark.parametrize("how", ["option", "file", "environment"])
def test_keys_of_media(
    how: str,
    encrypted: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = {"option": ["--srtp", KEY], "file": ["--srtp", f"@{tmp_path / 'key'}"], "environment": []}[how]
    (tmp_path / "key").write_text(KEY + "\n")
    if how == "environment":
        monkeypatch.setenv("IMSLAB_SRTP", KEY)
    assert said([encrypted, *options], capsys)["rtp"][0]["decrypted"] == 20
    monkeypatch.delenv("IMSLAB_SRTP", raising=False)
    assert said([encrypted], capsys)["rtp"][0]["decrypted"] == 0


def test_several_keys(encrypted: str, capsys: pytest.CaptureFixture[str]) -> None:
    other = f"AEAD_AES_128_GCM:{base64.b64encode(bytes(28)).decode()}"
    assert said([encrypted, "--srtp", other, "--srtp", KEY], capsys)["rtp"][0]["decrypted"] == 20


def test_keys_of_a_subscriber(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    register = str(path("traces", "register-akav2.pcapng"))
    profiles = [
        word for name in ("alice", "bob") for word in ("--profile", str(path("profiles", f"{name}.json")))
    ]
    verified = [row["aka"]["verified"] for row in said([register, *profiles], capsys)["registrations"]]
    assert verified == [True] * 4
    (tmp_path / "k").write_text("00" * 16)
    wrong = said([register, "--k", f"@{tmp_path / 'k'}", "--opc", OPC], capsys)["registrations"]
    assert {row["aka"]["verified"] for row in wrong} == {False}


def test_a_key_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "keys.log").write_text("# nothing\n")
    assert said([TRACE, "--keylog", str(tmp_path / "keys.log")], capsys)["warnings"] == []


def test_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    class Stdin:
        buffer = io.BytesIO(trace(call()))

    monkeypatch.setattr(sys, "stdin", Stdin)
    assert said(["-"], capsys)["capture"]["packets"] == 6


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["no-such-file.pcap"], "cannot be opened"),
        ([str(path("profiles", "alice.json"))], "no capture"),
        ([TRACE, "--srtp", "AES_CM_42:AAAA"], "unknown SRTP profile"),
        ([TRACE, "--srtp", "AES_CM_128_HMAC_SHA1_80:AAAA"], "30 octets"),
        ([TRACE, "--keylog", "no-such-file"], "cannot be read"),
        ([TRACE, "--k", "abc"], "odd number of hex digits"),
        ([TRACE, "--opc", OPC], "without k"),
    ],
)
def test_mistakes_are_one_line(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", *arguments, "--json"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert says in captured.err
    assert captured.err.count("\n") == 1


def test_a_cut_file_is_said_and_no_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "cut.pcapng").write_bytes(trace(call())[:-30])
    found = said([str(tmp_path / "cut.pcapng")], capsys)
    assert found["capture"]["truncated"]
    assert len(found["warnings"]) == 1
    assert main(["inspect", str(tmp_path / "cut.pcapng")]) == 0
    out = capsys.readouterr().out
    assert "The file is cut" in out
    assert "Warnings: 1" in out


def test_what_a_program_waits_for_loads_no_pandas() -> None:
    code = (
        "import sys; from imslab.cli import main; main(['inspect', sys.argv[1], '--json']);"
        "heavy = {'pandas', 'matplotlib', 'scapy', 'av', 'rich.table'} & set(sys.modules);"
        "print(sorted(heavy), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, TRACE], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr.strip() == "[]"
    assert json.loads(done.stdout)["calls"]


def test_text_from_the_network_moves_no_cursor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hostile = trace(call()).replace(b"bob@example.org", b"bob\x1b[2J\x07.e.org"[:15])
    (tmp_path / "hostile.pcapng").write_bytes(hostile)
    assert main(["inspect", str(tmp_path / "hostile.pcapng")]) == 0
    out = capsys.readouterr().out
    assert "\x1b[2J" not in out
    assert "\x07" not in out


def test_long_tables_are_cut_and_say_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    many = [one for number in range(40) for one in stream(range(4), ssrc=number + 1)]
    (tmp_path / "many.pcapng").write_bytes(trace([*many, *call(sdp(ALICE), sdp(BOB))]))
    assert main(["inspect", str(tmp_path / "many.pcapng")]) == 0
    out = capsys.readouterr().out
    assert "Streams: 40" in out
    assert "... and 10 more: --json has all" in out


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("slow", "is_terminal", "shows"), [(True, True, True), (True, False, False), (False, True, False)]
)
def test_a_progress_bar_where_somebody_waits_and_looks(
    slow: bool,
    is_terminal: bool,
    shows: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "call.pcapng").write_bytes(trace(call()))
    stderr = Terminal() if is_terminal else io.StringIO()
    monkeypatch.setattr(inspect, "_PATIENCE", 0.0)
    monkeypatch.setattr(inspect, "_SLOW", 0 if slow else 2**40)
    monkeypatch.setattr(sys, "stderr", stderr)
    assert main(["inspect", str(tmp_path / "call.pcapng"), "--json"]) == 0
    assert ("calls" in stderr.getvalue()) is shows
    assert json.loads(capsys.readouterr().out)["calls"]
