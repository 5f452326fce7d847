"""imslab kamailio: files to read, a core that runs, and mistakes that one line explains."""

import signal
import subprocess
import sys

import pytest

from imslab.cli import main


def test_the_configuration_is_written(tmp_path, capsys):
    assert main(["kamailio", "write", str(tmp_path / "k"), "--algorithm", "AKAv2-MD5", "--port", "5070"]) == 0
    shown = capsys.readouterr().out
    assert "kamailio -DD -E -f" in shown and "Start the HSS first" in shown
    text = (tmp_path / "k" / "scscf.cfg").read_text("utf-8")
    assert '"AKAv2-MD5"' in text and "listen=udp:127.0.0.31:5070" in text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--algorithm", "MD5"], "Kamailio does not know MD5"),
        (["--profile", "nowhere.json"], "nowhere.json"),
        (["--port", "99999"], "65535"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, capsys, options, said):
    assert main(["kamailio", "write", str(tmp_path), *options]) == 2
    assert said in capsys.readouterr().err


def test_a_place_that_cannot_be_written(tmp_path, capsys):
    (tmp_path / "file").write_text("x")
    assert main(["kamailio", "write", str(tmp_path / "file")]) == 2
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.component("kamailio")
def test_it_runs_until_ctrl_c(tmp_path):
    block = [f"127.0.77.{last}" for last in (21, 25, 31, 41)]
    options = [
        x for pair in zip(("--p-cscf", "--i-cscf", "--s-cscf", "--hss"), block, strict=True) for x in pair
    ]
    trace = tmp_path / "k.pcapng"
    command = [sys.executable, "-m", "imslab", "kamailio", "run", *options, "--trace", str(trace)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        for line in process.stdout:
            if line.startswith("Ctrl-C stops"):
                break
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")
    assert "peer gone" in rest and trace.stat().st_size > 100
