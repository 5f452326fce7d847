"""``imslab inspect``: what it writes for Wireshark, in clear, and as sound; keys of IPsec by hand."""

import json
from pathlib import Path

import pytest

from imslab.capture import open_capture
from imslab.cli import main
from imslab.data import path
from tests.capture.gm import OPC, Gm, K

CALL = str(path("traces", "sdes-call.pcapng"))


def test_all_three(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    places = [str(tmp_path / name) for name in ("ws", "clear.pcapng", "sound")]
    options = ["--export-wireshark", places[0], "--decrypted", places[1], "--wav", places[2]]
    assert main(["inspect", CALL, "--json", *options]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["rtp"]  # what is told of the files is not in the way of a program
    lines = said.err.splitlines()
    assert lines[0] == f"6 files in {places[0]}: README.txt says how; they hold keys, keep them to yourself"
    assert lines[1].endswith(f" frames are in clear in {places[1]}") and int(lines[1].split()[0]) > 100
    assert lines[2:] == [f"2 sounds in {places[2]}"]
    assert len(open_capture(places[1])) == len(open_capture(CALL))
    assert len(list((tmp_path / "sound").glob("*.wav"))) == 2


def test_a_place_that_cannot_be_written_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    for option, place in (
        ("--wav", "file"),
        ("--export-wireshark", "file"),
        ("--decrypted", "none/x.pcapng"),
    ):
        assert main(["inspect", CALL, option, str(tmp_path / place)]) == 2
        assert capsys.readouterr().err.endswith("\n")


def test_ipsec_opens_from_k_and_from_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gm, file = Gm().whole(), tmp_path / "gm.pcapng"
    file.write_bytes(gm.octets)
    assert (
        main(
            [
                "inspect",
                str(file),
                "--k",
                K,
                "--opc",
                OPC,
                "--json",
                "--export-wireshark",
                str(tmp_path / "ws"),
            ]
        )
        == 0
    )
    by_key = json.loads(capsys.readouterr().out)
    assert by_key["sip"]["messages"] == 4 and [row["decrypted"] for row in by_key["esp"]] == [1, 1]
    assert main(["inspect", str(file), "--esp-sa", str(tmp_path / "ws" / "esp_sa"), "--json"]) == 0
    by_table = json.loads(capsys.readouterr().out)
    assert by_table["esp"] == by_key["esp"] and by_table["sip"] == by_key["sip"]
    assert main(["inspect", str(file), "--esp-sa", str(tmp_path / "none")]) == 2
    assert "cannot be read as a table of associations" in capsys.readouterr().err


def test_findings_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "gm.pcapng"
    file.write_bytes(Gm(ealg="null").register().challenge(keys=True).octets)
    assert main(["inspect", str(file)]) == 0
    assert "error: CK and IK were sent to the terminal in the 401 (frames 2)" in capsys.readouterr().out
