"""imslab interop: a table, a folder, and mistakes that one line explains."""

from pathlib import Path

import pytest

from imslab.capture import esp_sa
from imslab.cli import main
from imslab.data import profile_path
from tests.interop.subscribers import subscriber

ALICE = str(profile_path("alice"))
HEADER = "ipsec-3gpp;alg=hmac-sha-1-96;ealg=aes-cbc;spi-c={0}1;spi-s={0}2;port-c=5100;port-s=5101"


def test_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["interop", ALICE]) == 0
    shown = capsys.readouterr().out
    rows = {line.split()[0]: line.split()[1] for line in shown.splitlines()[1:] if line[0] != " "}
    assert rows == {
        "sipp": "no", "pjsua": "no", "kamailio": "yes", "pyhss": "yes", "pysim": "yes", "wireshark": "no",
    }  # fmt: skip
    assert "K holds an octet 5b, 00 or 0a" in shown and all(len(line) <= 100 for line in shown.splitlines())
    assert main(["interop", ALICE, "--peer", "sipp"]) == 0  # the question is answered, nothing is written
    assert "pyhss" not in capsys.readouterr().out


def test_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    profile = tmp_path / "sipp.json"
    subscriber().save(profile)
    options = (
        "--p-cscf",
        "192.0.2.1",
        "--port",
        "5070",
        "--ue",
        "192.0.2.7",
        "--amf",
        "8000",
        "--callee",
        "sip:b@x",
    )
    out = tmp_path / "kit"
    assert (
        main(["interop", str(profile), "--peer", "sipp", "--peer", "pjsua", "--out", str(out), *options]) == 0
    )
    assert "6 files in" in capsys.readouterr().out
    assert "aka_AMF=0x8000" in (out / "sipp" / "subscribers.csv").read_text()
    assert "INVITE sip:b@x SIP/2.0" in (out / "sipp" / "call.xml").read_text()
    assert "sipp 192.0.2.1:5070" in (out / "README.txt").read_text()
    assert "--bound-addr=192.0.2.7" in (out / "pjsua" / "pjsua.sh").read_text()


def test_wireshark_with_a_challenge(tmp_path: Path) -> None:
    challenge = (
        "--rand", "00" * 16, "--security-client", HEADER.format(1), "--security-server", HEADER.format(2),
    )  # fmt: skip
    where = ("--p-cscf", "192.0.2.1", "--ue", "192.0.2.7", "--out", str(tmp_path))
    assert main(["interop", ALICE, "--peer", "wireshark", *challenge, *where]) == 0
    assert len(esp_sa.read(tmp_path / "wireshark" / "esp_sa")) == 4


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--peer", "asterisk"], "no peer is called 'asterisk'; expected sipp"),
        (["--peer", "sipp", "--out", "{tmp}/kit"], "sipp cannot take alice: it takes OP"),
        (["--p-cscf", "nowhere"], "pcscf: 'nowhere' is no address"),
        (["--amf", "80"], "amf"),
        (["--amf", "xyz0"], "amf"),
        (["--rand", "00" * 16], "a part of the challenge is missing"),
        (["--rand", "00", "--security-client", "a", "--security-server", "b"], "rand"),
        (["--rand", "00" * 16, "--security-client", ";", "--security-server", "b"], "--security-client: bad"),
        (["--callee", "bob"], "the callee is no SIP or tel URI"),
        (["--out", "{tmp}/file"], "cannot be written"),
        (["--port", "0"], "--port"),
    ],
)
def test_a_mistake_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    (tmp_path / "file").write_text("x")
    assert main(["interop", ALICE, *(option.format(tmp=tmp_path) for option in options)]) == 2
    shown = capsys.readouterr()
    assert said in shown.err and "Traceback" not in shown.err


def test_a_profile_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["interop", "nowhere.json"]) == 2
    assert "nowhere.json: cannot be read" in capsys.readouterr().err
