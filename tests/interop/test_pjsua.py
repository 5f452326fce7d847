"""pjsua's command line: what bash makes of it are the octets of K, and the options that pjsua has."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imslab.data import profile_path
from imslab.interop import Target, pjsua
from imslab.uicc import Profile
from tests.interop.subscribers import DOMAIN, OP, K, subscriber

TARGET = Target(pcscf="192.0.2.1", port=5070, local="192.0.2.2", amf=b"\x80\0", algorithm="AKAv2-MD5")


def blocked(profile: Profile, target: Target = TARGET) -> list[str]:
    return [limit.why for limit in pjsua.limits(profile, target) if limit.blocks]


def arguments(script: str, folder: Path, *more: str) -> list[bytes]:
    """Run the script with a pjsua that shows what it is given, each argument ended by NUL."""
    fake = folder / "pjsua"
    fake.write_text("#!/bin/sh\nprintf '%s\\0' \"$@\"\n")
    fake.chmod(0o700)
    (folder / "pjsua.sh").write_text(script)
    environment = {"PATH": f"{folder}:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    run = subprocess.run(
        ["bash", str(folder / "pjsua.sh"), *more], env=environment, capture_output=True, check=True
    )
    return run.stdout.split(b"\0")[:-1]


@pytest.mark.component("bash")
def test_what_pjsua_gets(tmp_path: Path) -> None:
    script = pjsua.files(subscriber(), TARGET)["pjsua.sh"]
    assert arguments(script, tmp_path, "sip:bob@x") == [
        b"--id=sip:sipp@" + DOMAIN.encode(),
        b"--registrar=sip:" + DOMAIN.encode(),
        b"--realm=" + DOMAIN.encode(),
        b"--username=sipp@" + DOMAIN.encode(),
        b"--outbound=sip:192.0.2.1:5070;lr",
        b"--bound-addr=192.0.2.2",
        b"--aka-op=" + OP.hex().encode(),
        b"--aka-amf=8000",
        b"--password=" + K,
        b"--use-ims", b"--no-tcp", b"--null-audio", b"--auto-answer=200",
        b"sip:bob@x",
    ]  # fmt: skip


@pytest.mark.component("bash")
def test_every_octet_but_zero_passes_the_shell(tmp_path: Path) -> None:
    for first in range(0, 256, 16):
        k = bytes(range(first, first + 16)).replace(b"\0", b"'")
        assert b"--password=" + k in arguments(pjsua.command(subscriber(k=k), TARGET), tmp_path)


@given(st.binary(min_size=1))
def test_each_octet_is_written_in_hex(octets: bytes) -> None:
    text = pjsua.ansi_c(octets)
    assert text[:2] == "$'" and text[-1] == "'"
    assert bytes.fromhex(text[2:-1].replace("\\x", "")) == octets


@pytest.mark.component("bash")
def test_identities_are_quoted(tmp_path: Path) -> None:
    odd = replace(subscriber(), impi="it's $(id)@x y")
    assert b"--username=it's $(id)@x y" in arguments(pjsua.command(odd, TARGET), tmp_path)


def test_what_it_cannot_take() -> None:
    assert blocked(subscriber()) == []
    assert blocked(Profile.load(profile_path("alice"))) == [
        "it takes OP, and the profile has OPc alone (OP cannot be computed from it)"
    ]
    assert blocked(Profile.load(profile_path("carol")))[0] == "it computes Milenage, not tuak"
    assert blocked(subscriber(k=K[:15] + b"\0")) == [
        "K holds a zero octet, which ends the password that carries K"
    ]
    assert blocked(subscriber(k=K[:15] + b"[")) == []  # this is SIPp's
    assert blocked(subscriber(), Target(algorithm="AKAv2-SHA-256")) == [
        "it knows AKAv1-MD5 and AKAv2-MD5, not AKAv2-SHA-256"
    ]
    assert blocked(replace(subscriber(), impu=("tel:+1",))) == ["no public identity is a plain SIP URI"]
    assert f"type m, and then sip:bob@{DOMAIN}" in pjsua.usage(subscriber(), TARGET)
