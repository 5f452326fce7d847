"""The kernel is asked whether it does ESP; nothing of this machine changes by that."""

import shlex
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from imslab.errors import Malformed
from imslab.ipsec import TRANSFORMS, Associations, Receiving, SecurityAssociation
from imslab.ipsec.keys import gcm_salt, gmac_salt
from imslab.ipsec.offer import offer
from imslab.net import xfrm

Run = Callable[..., subprocess.CompletedProcess[str]]


def answers(*answers: tuple[int, str]) -> tuple[Run, list[list[str]]]:
    """Return what takes the place of subprocess.run, and the commands that it was given."""
    asked: list[list[str]] = []
    left = iter(answers)

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        status, stderr = next(left)
        return subprocess.CompletedProcess(command, status, "", stderr)

    return run, asked


@pytest.fixture(autouse=True)
def programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")


@pytest.mark.parametrize(
    ("said", "obstacle", "asked"),
    [
        ([(0, "")], "", 1),
        ([(2, "Error: Requested type not found.\n")], "Requested type not found", 1),
        ([(1, "unshare: unshare failed: Operation not permitted"), (0, "")], "", 2),
        ([(1, "unshare: no"), (1, "unshare: unshare failed: EPERM")], "unshare: unshare failed: EPERM", 2),
        ([(3, "")], "exit status 3", 1),
    ],
)
def test_what_the_kernel_says(
    said: list[tuple[int, str]], obstacle: str, asked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, commands = answers(*said)
    monkeypatch.setattr(subprocess, "run", run)
    assert xfrm.obstacle() == obstacle and len(commands) == asked
    for command in commands:
        assert command[0] == "unshare" and "--net" in command, "never in the network of this machine"
        assert command[command.index("ip") :][:4] == ["ip", "xfrm", "state", "add"]


@pytest.mark.parametrize("absent", ["ip", "unshare"])
def test_programs_that_are_not_there(absent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None if name == absent else f"/bin/{name}")
    assert xfrm.obstacle() == f"cannot be asked: there is no {absent}"


def test_a_program_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(command: list[str], timeout: float, **_: Any) -> None:
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", hang)
    assert xfrm.obstacle() == "cannot be asked: TimeoutExpired"


@pytest.mark.component("ip", "unshare")
def test_this_machine_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    listing = ["ip", "xfrm", "state"]
    before = subprocess.run(listing, capture_output=True, check=False)
    assert isinstance(xfrm.obstacle(), str)
    assert subprocess.run(listing, capture_output=True, check=False).stdout == before.stdout


# -- what is told to a kernel -----------------------------------------------------------------------

UE, PCSCF = "127.0.0.11", "127.0.0.21"
CK, IK = bytes(range(16)), bytes(range(16, 32))


def agreed(name: str) -> Associations:
    client = offer([name], Receiving(1001, 1002, 5062, 5064))[0]
    return Associations.agree(client, offer([name], Receiving(2001, 2002, 5104, 6104))[0], CK, IK)


def test_four_states_and_a_policy_for_each_protocol() -> None:
    at_ue = xfrm.commands(agreed("aes-cbc/hmac-sha-1-96"), UE, PCSCF, at_ue=True)
    assert [command[2] for command in at_ue] == 4 * ["state"] + 8 * ["policy"]
    assert " ".join(at_ue[0]) == (
        f"ip xfrm state add src {UE} dst {PCSCF} proto esp spi 0x000007d2 mode transport reqid 1"
        f" enc cbc(aes) 0x{CK.hex()} auth-trunc hmac(sha1) 0x{IK.hex()}00000000 96"
    )
    assert " ".join(at_ue[4]) == (
        f"ip xfrm policy add src {UE} dst {PCSCF} proto udp sport 5062 dport 6104 dir out"
        f" tmpl src {UE} dst {PCSCF} proto esp mode transport reqid 1"
    )
    directions = [command[command.index("dir") + 1] for command in at_ue[4:]]
    assert directions == ["out", "out", "in", "in", "in", "in", "out", "out"]
    at_pcscf = xfrm.commands(agreed("aes-cbc/hmac-sha-1-96"), UE, PCSCF, at_ue=False)
    assert at_pcscf[:4] == at_ue[:4], "both kernels know the same four"
    opposite = {"in": "out", "out": "in"}
    assert [command[command.index("dir") + 1] for command in at_pcscf[4:]] == [
        opposite[d] for d in directions
    ]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "null/hmac-md5-96",
            ["enc", "ecb(cipher_null)", "", "auth-trunc", "hmac(md5)", f"0x{IK.hex()}", "96"],
        ),
        ("aes-gcm/null", ["aead", "rfc4106(gcm(aes))", f"0x{(CK + gcm_salt(CK, IK)).hex()}", "128"]),
        ("null/aes-gmac", ["aead", "rfc4543(gcm(aes))", f"0x{(IK + gmac_salt(CK, IK)).hex()}", "128"]),
    ],
)
def test_algorithms_by_the_names_of_the_kernel(name: str, words: list[str]) -> None:
    for command in xfrm.commands(agreed(name), UE, PCSCF, at_ue=True)[:4]:
        assert command[-len(words) :] == words


def test_what_no_kernel_has() -> None:
    odd = SecurityAssociation(2002, "aes-ctr", bytes(20), "hmac-sha-1-96", bytes(20))
    found = agreed("aes-gcm/null")
    with pytest.raises(Malformed, match="aes-ctr/hmac-sha-1-96 is nothing for ip xfrm"):
        xfrm.commands(replace(found, request=replace(found.request, sa=odd)), UE, PCSCF, at_ue=True)


@pytest.mark.component("ip", "unshare")
@pytest.mark.parametrize("name", [*TRANSFORMS, "des-ede3-cbc/hmac-md5-96"])
def test_the_kernel_understands_them(name: str, cannot_run: Callable[[str], None], monkeypatch: Any) -> None:
    """All of it where the kernel has ESP; elsewhere it lacks just this, and takes the policies."""
    monkeypatch.undo()
    inside = ["unshare", "--user", "--map-root-user", "--net"]
    if subprocess.run([*inside, "true"], capture_output=True, check=False).returncode:
        inside = ["unshare", "--net"]
        if subprocess.run([*inside, "true"], capture_output=True, check=False).returncode:
            cannot_run("no network namespace may be made here")
    script = "".join(
        shlex.join(command) + "; echo $?\n" for command in xfrm.commands(agreed(name), UE, PCSCF, at_ue=True)
    )
    done = subprocess.run([*inside, "sh", "-c", script], capture_output=True, text=True, check=True)
    statuses = done.stdout.split()
    complaints = set(done.stderr.splitlines())
    assert statuses[4:] == 8 * ["0"]
    assert statuses[:4] == 4 * ["0"] or (statuses[:4] == 4 * ["2"] and len(complaints) == 1)
    assert all("not found" in line for line in complaints), "255 is what ip itself does not understand"
