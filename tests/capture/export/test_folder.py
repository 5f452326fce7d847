"""The folder for Wireshark: what is in it, and that tshark opens ESP and DTLS with it."""

import stat
from pathlib import Path
from typing import Any

import pytest

from imslab.capture import export, open_capture
from imslab.capture.esp_sa import parse
from imslab.data import path
from imslab.errors import CaptureError
from tests.capture.gm import KEYS, PAIRS, Gm

FILES = ["README.txt", "capture.pcapng", "esp_sa", "imslab.lua", "keylog.txt", "preferences"]
FINISHED = "20"


def exported(capture: Any, folder: Path) -> Path:
    found = export.wireshark(capture, folder)
    assert sorted(one.name for one in found) == sorted(one.name for one in folder.iterdir()) == FILES
    return folder


def test_what_is_in_the_folder(tmp_path: Path) -> None:
    gm = Gm().whole()
    folder = exported(open_capture(gm.octets, **KEYS), tmp_path / "new" / "folder")
    rows = parse((folder / "esp_sa").read_text())
    assert {(row.spi, row.encryption, row.encryption_key) for row in rows} == {
        ("0x000007d2", "aes-cbc", gm.vector.ck),
        ("0x000003ea", "aes-cbc", gm.vector.ck),
    }
    copy, before = (open_capture(one).file for one in (folder / "capture.pcapng", gm.octets))
    assert [copy.packet(n) for n in range(4)] == [before.packet(n) for n in range(4)]
    readme = (folder / "README.txt").read_text()
    assert f"WIRESHARK_CONFIG_DIR={folder} tshark -X lua_script:{folder}/imslab.lua" in readme
    assert "the IPsec associations: 2" in readme and "AES-GMAC" not in readme
    assert gm.vector.ck.hex() not in readme
    assert (folder / "imslab.lua").read_text().startswith("-- What Wireshark does not show")


def test_only_the_owner_reads_it_also_when_it_was_there(tmp_path: Path) -> None:
    capture = open_capture(Gm().whole().octets, **KEYS)
    exported(capture, tmp_path)
    (tmp_path / "esp_sa").chmod(0o644)
    exported(capture, tmp_path)
    for name in FILES:
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_a_folder_with_a_space_is_quoted(tmp_path: Path) -> None:
    folder = exported(open_capture(Gm().register().octets), tmp_path / "my folder")
    assert f"WIRESHARK_CONFIG_DIR='{folder}' tshark" in (folder / "README.txt").read_text()


def test_what_wireshark_cannot_open_is_said(tmp_path: Path) -> None:
    folder = exported(open_capture(Gm("aes-gmac", "null").whole().octets, **KEYS), tmp_path)
    assert parse((folder / "esp_sa").read_text()) == []
    assert "no name for AES-GMAC: 2 associations" in (folder / "README.txt").read_text()


def test_the_secrets_of_dtls(tmp_path: Path) -> None:
    folder = exported(open_capture(path("traces", "webrtc-call.pcapng")), tmp_path)
    lines = (folder / "keylog.txt").read_text().splitlines()
    assert lines and all(line.startswith("CLIENT_RANDOM ") for line in lines)
    ((_, secrets),) = open_capture(folder / "capture.pcapng").file.secrets
    assert secrets.decode().splitlines() == lines


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    capture = open_capture(Gm().register().octets)
    with pytest.raises(CaptureError, match="cannot be written"):
        export.wireshark(capture, tmp_path / "file")
    with pytest.raises(CaptureError, match="cannot be written"):
        export.decrypted(capture, tmp_path / "none" / "x.pcapng")
    with pytest.raises(CaptureError, match="cannot be written"):
        export.wav(capture, tmp_path / "file")


# -- tshark ----------------------------------------------------------------------------------------


@pytest.mark.component("tshark")
@pytest.mark.parametrize(("alg", "ealg"), [pair for pair in PAIRS if "aes-gmac" not in pair])
def test_tshark_opens_esp(alg: str, ealg: str, tmp_path: Path, tshark: Any) -> None:
    over = "gtp" if ealg == "aes-cbc" else "esp"
    folder = exported(open_capture(Gm(alg, ealg, over=over).whole().octets, **KEYS), tmp_path / "ws")
    fields = "frame.number", "sip.CSeq.seq", "esp.icv_good"
    rows = tshark(folder / "capture.pcapng", *fields, only="esp", config=folder)
    assert rows == [["3", "2", "1"], ["4", "2", "1"]]


@pytest.mark.component("tshark")
def test_without_the_folder_esp_stays_closed(tmp_path: Path, tshark: Any) -> None:
    folder = exported(open_capture(Gm().whole().octets, **KEYS), tmp_path / "ws")
    rows = tshark(folder / "capture.pcapng", "frame.number", "sip.CSeq.seq", only="esp")
    assert rows == [["3", ""], ["4", ""]]


@pytest.mark.component("tshark")
def test_tshark_opens_null_esp_without_keys(tmp_path: Path, tshark: Any) -> None:
    folder = exported(open_capture(Gm(ealg="null").whole().octets), tmp_path / "ws")
    assert parse((folder / "esp_sa").read_text()) == []
    assert len(tshark(folder / "capture.pcapng", "frame.number", only="sip && esp", config=folder)) == 2


@pytest.mark.component("tshark")
def test_tshark_opens_dtls_with_the_secrets_of_a_key_log(tmp_path: Path, tshark: Any) -> None:
    """The key log lies beside the capture; afterwards it is in it."""
    trace = open_capture(path("traces", "webrtc-call.pcapng"))
    ((_, secrets),) = trace.file.secrets
    trace.file.secrets.clear()
    (tmp_path / "bare").mkdir()
    bare = export.wireshark(trace, tmp_path / "bare")[0]
    assert b"CLIENT_RANDOM" not in bare.read_bytes()
    wanted = {"only": f"dtls.handshake.type == {FINISHED}"}
    assert tshark(bare, "frame.number", config=tmp_path / "bare", **wanted) == []
    folder = exported(open_capture(bare, keylog=secrets), tmp_path / "ws")
    assert len(tshark(folder / "capture.pcapng", "frame.number", config=folder, **wanted)) >= 2
    assert (folder / "keylog.txt").read_bytes() == secrets
