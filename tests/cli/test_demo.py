"""``imslab demo`` as a process: what it prints, what it refuses, and that it stops."""

import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from imslab import cli
from imslab.capture import open_capture


def start(*options):
    command = [sys.executable, "-m", "imslab", "demo", "--port", "0", *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def stop(process, with_signal=signal.SIGINT):
    process.send_signal(with_signal)
    return process.communicate(timeout=20)


def read_until(process, words):
    lines = []
    while not lines or words not in lines[-1]:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        lines.append(line)
    return lines


@pytest.mark.parametrize("with_signal", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_two_addresses_serves_them_and_stops(tmp_path, with_signal):
    trace = tmp_path / "demo.pcapng"
    process = start("--trace", str(trace))
    try:
        lines = read_until(process, "Ctrl-C stops.")
        addresses = dict(re.findall(r"  (\w+): (http://127\.0\.0\.1:\d+/\w+)#pair=\d{6}\n", "".join(lines)))
        assert list(addresses) == ["alice", "bob"]
        for name, address in addresses.items():
            assert address.endswith(f"/{name}")
            with urllib.request.urlopen(address) as page:
                assert page.status == 200
            with urllib.request.urlopen(f"{address}/settings.json") as settings:
                assert [one["name"] for one in json.load(settings)["contacts"]][-1] == "carol"
    finally:
        out, err = stop(process, with_signal)
    assert (process.returncode, err) == (0, "")
    assert "imslab inspect" in out
    capture = open_capture(trace.read_bytes())
    assert "alice's card" in capture.names.values()


def test_quiet_and_tls():
    process = start("--quiet", "--tls", "--answer-only", "--passwords")
    try:
        lines = "".join(read_until(process, "Ctrl-C stops."))
    finally:
        out, err = stop(process)
    assert (process.returncode, out, err) == (0, "", "")
    assert "  alice: https://127.0.0.1:" in lines
    assert len(re.findall(r"Password of (alice|bob), .*: [\w-]{8}\n", lines)) == 2
    assert re.search(r"fingerprint must be\n  (?:[0-9a-f]{2}:){31}[0-9a-f]{2}\n", lines)


def test_a_reader_without_a_card_is_said_at_once_and_waited_for():
    process = start("--quiet", "--reader", "no such reader")
    try:
        lines = "".join(read_until(process, "Ctrl-C stops."))
    finally:
        stop(process)
    assert process.returncode == 0
    assert "The page will ask for alice's card: " in lines and "bob's card" not in lines


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--host", "192.0.2.1"), "add --tls"),
        (("--host", "192.0.2.1", "--tls"), "192.0.2.1"),
        (("--core", "sip:x"), "no WebSocket"),
        (("--core", "ws://127.0.0.1:1", "--tls"), "https may not open ws://"),
        (("--profile", "missing.json"), "missing.json"),
        (("--trace", "/nowhere/x.pcapng"), "/nowhere/x.pcapng"),
    ],
)
def test_what_it_refuses(capsys, options, words):
    assert cli.main(["demo", "--port", "0", *options]) == 2
    out, err = capsys.readouterr()
    assert out == "" and words in err and err.startswith("imslab: ") and err.count("\n") == 1


def test_a_port_that_is_taken(capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert cli.main(["demo", "--port", str(taken.getsockname()[1])]) == 2
    assert "choose another with --port" in capsys.readouterr().err
