"""``imslab core`` as a process: what it prints, what it refuses, and that it stops."""

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys

import pytest

from imslab import cli
from imslab.capture import open_capture
from imslab.data import profile_path
from imslab.ims import Address, Hss
from imslab.ipsec import TRANSFORMS
from imslab.lab import Seeded
from imslab.net.esp import EspInUdp
from imslab.net.hss import HssServer
from imslab.net.terminal import Terminal
from imslab.uicc import Card, IsimClient, Profile

HOST = "127.0.9.21"


ANY = ("--host", HOST, "--port", "0", "--ws-port", "0")
OPC = "11" * 16


def start(*options):
    command = [sys.executable, "-m", "imslab", "core", *ANY, *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def refused(capsys):
    """Run the command in this process; return what it says when it refuses."""

    def run(*options):
        assert cli.main(["core", *ANY, *options]) == 2
        out, err = capsys.readouterr()
        assert out == "" and "Traceback" not in err
        return err

    return run


async def test_a_login_at_a_core_in_another_process(tmp_path):
    trace = tmp_path / "core.pcapng"
    process = start("--trace", str(trace), "--database", str(tmp_path / "hss.db"))
    try:
        lines = [process.stdout.readline() for _ in range(6)]
        found = re.findall(r"listens on ([\d.]+):(\d+) \((\w+)\)", "".join(lines))
        assert [name for *_, name in found] == ["UDP", "TCP", "WS"]
        assert "alice" in lines[3] and "bob" in lines[4] and lines[5] == "Ctrl-C stops.\n"
        client = IsimClient(Card(Profile.load(profile_path("alice"))))
        for host, port, transport in found:
            proxy = Address(host, int(port), transport)
            ue = Terminal(client.read_profile(), client, proxy, host="127.0.9.11")
            assert (await ue.register()).proven
            ue.close()
            await asyncio.sleep(0)
    finally:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
    assert process.returncode == 0 and err == ""
    assert out.count("S-CSCF: registered 001010000000001@") == 3
    capture = open_capture(trace.read_bytes(), profile=profile_path("alice"))
    assert [login.result for login in capture.logins] == ["registered"] * 3
    assert capture.warnings == []


async def test_a_core_that_asks_a_foreign_hss():
    alice = Profile.load(profile_path("alice"))
    hss = Hss(random=Seeded("a foreign HSS"))
    hss.add(alice)
    server = HssServer(hss, host="127.0.9.41", port=0)
    await server.start()
    process = start("--hss", f"aaa://127.0.9.41:{server.address.port}")
    try:
        lines = []
        while not (lines and lines[-1].startswith("Ctrl-C")):
            lines.append(await asyncio.to_thread(process.stdout.readline))
        assert not any(line.startswith("subscriber") for line in lines)
        port = re.search(r"listens on [\d.]+:(\d+) \(UDP\)", "".join(lines))[1]
        client = IsimClient(Card(alice))
        ue = Terminal(client.read_profile(), client, Address(HOST, int(port)), host="127.0.9.11")
        assert (await ue.register()).proven
        ue.close()
        assert server.answered == 4
    finally:
        process.send_signal(signal.SIGINT)
        _, err = await asyncio.to_thread(process.communicate, timeout=10)
        server.close()
    assert process.returncode == 0 and err == ""


async def test_a_protected_login_at_a_core_in_another_process(tmp_path):
    trace = tmp_path / "core.pcapng"
    process = start("--esp", "udp", "--esp-port", "0", "--trace", str(trace))
    try:
        lines = []
        while not (lines and lines[-1].startswith("Ctrl-C")):
            lines.append(await asyncio.to_thread(process.stdout.readline))
        said = "".join(lines)
        port = int(re.search(r"listens on [\d.]+:(\d+) \(UDP\)", said)[1])
        way = EspInUdp(int(re.search(r"takes ESP in UDP on [\d.]+:(\d+)", said)[1]))
        client = IsimClient(Card(Profile.load(profile_path("alice"))))
        proxy = Address(HOST, port)
        ue = Terminal(client.read_profile(), client, proxy, host="127.0.9.11", ipsec=TRANSFORMS, esp=way)
        assert (await ue.register()).proven and ue.ue.proxy.is_protected
        ue.close()
        await asyncio.sleep(0)
    finally:
        process.send_signal(signal.SIGINT)
        out, err = await asyncio.to_thread(process.communicate, timeout=10)
    assert process.returncode == 0 and err == "" and "S-CSCF: registered" in out


def test_an_address_in_use(refused):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind((HOST, 0))
        port = str(taken.getsockname()[1])
        said = refused("--port", port)
    assert said.startswith(f"imslab: {HOST}:{port}/UDP is in use: stop the program")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--algorithm", "MD5"), "MD5 is no AKA algorithm"),
        (("--algorithm", "AKAv3-MD5"), "AKAv3-MD5"),
        (("--qop", "none"), "unknown qop"),
        (("--profile", "absent.json"), "absent.json"),
        (("--trace", "/absent/trace.pcapng"), "cannot be written"),
        (("--database", "/absent/hss.db"), "not usable as subscriber database"),
        (("--host", "192.0.2.1"), "no address of this machine"),
        (("--hss", "sctp://hss"), "is no HSS's address; expected aaa://HOST:PORT"),
        (("--hss", "aaa://127.0.9.41:9"), "no HSS at 127.0.9.41:9"),
        (("--hss", "127.0.9.41", "--database", "hss.db"), "--hss for a foreign one"),
        (("--port", "70000"), "--port"),
        (("--esp", "pigeon"), "--esp pigeon; expected udp or raw"),
    ],
)
def test_mistakes_are_told(refused, options, words):
    assert words in refused(*options)


def test_profiles_of_two_domains(refused, tmp_path):
    other = tmp_path / "other.json"
    other.write_text(json.dumps({"imsi": "001020000000001", "k": "00" * 16, "opc": OPC}))
    assert "several domains" in refused("--profile", str(profile_path("alice")), "--profile", str(other))


def test_a_broken_profile_is_named_without_its_key(refused, tmp_path):
    broken = tmp_path / "broken.json"
    broken.write_text(json.dumps({"imsi": "001010000000001", "k": "0011223344556677", "opc": OPC}))
    said = refused("--profile", str(broken))
    assert "broken.json" in said and "k must be 16 octets" in said
    assert "00112233" not in said
