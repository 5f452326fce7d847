"""Whole captures: nobody is left in them, nothing else has changed, and what verified verifies."""

import base64
import gzip
import io
import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imslab.capture import Capture, open_capture
from imslab.capture.anonymise import Anonymised, anonymise
from imslab.capture.anonymise.leftovers import codings
from imslab.capture.file import read_file
from imslab.capture.registrations import Challenge
from imslab.data import path, profile_path
from imslab.errors import CaptureError, Malformed
from imslab.net.trace import TraceWriter
from imslab.uicc import Profile

SEED = b"a seed of the tests"
PROFILES = [Profile.load(profile_path(name)) for name in ("alice", "bob")]
TRACES = sorted(file.stem for file in path("traces").glob("*.pcapng"))


# The header of CER and CEA (command 257, application 0; RFC 6733, 5.3) reads like alice's IMSI in BCD.
_PEERS = re.compile(rb"\x01\x00..[\x00\x80]\x00\x01\x01\x00{4}", re.DOTALL)


def trace(name: str) -> Path:
    return path("traces", f"{name}.pcapng")


def made_of(name: str, *, keys: bool = True) -> tuple[bytes, Anonymised]:
    octets = trace(name).read_bytes()
    return octets, anonymise(octets, seed=SEED, profile=PROFILES if keys else None)


def opened(made: Anonymised) -> Capture:
    return open_capture(made.octets, **{name: made.keys[0][name] for name in ("k", "opc")})


def counted(capture: Capture) -> dict[str, Any]:
    """Return what must be the same before and after."""
    said = [
        (e.frame, e.transport, e.message.method if e.message.is_request else e.message.status)
        for e in capture.sip
    ]
    logins = [
        (one.algorithm, one.result, one.status, one.resync, one.frames, len(one.challenges))
        for one in capture.logins
    ]
    apdus = [(e.frame, e.command[:5], e.sw, len(e.response)) for e in capture.apdu_events]
    return {
        "packets": len(capture),
        "times": capture.file.records.time.tolist(),
        "sip": said,
        "logins": logins,
        "apdus": apdus,
        "cx": [(e.frame, e.message.name, e.message.result) for e in capture.cx_events],
        "http": [(e.frame, e.message.start_line.split()[0]) for e in capture.http],
        "problems": len(capture.warnings),
    }


def asked(capture: Capture) -> list[Challenge]:
    return [challenge for login in capture.logins for challenge in login.challenges]


def verified(capture: Capture) -> list[bool | None]:
    return [challenge.verified for challenge in asked(capture)]


@pytest.mark.parametrize("name", TRACES)
def test_our_traces_show_the_same_and_verify_with_the_key_to_throw_away(name: str) -> None:
    octets, made = made_of(name)
    before, after = open_capture(octets, profile=PROFILES), opened(made)
    assert len(made.octets) == len(octets)
    assert counted(after) == counted(before)
    # of whom no key was given, the capture itself tells the answers, before and after
    ours = [pair.opened is not None and pair.opened.source == "key" for pair in asked(before)]
    told = verified(open_capture(made.octets))
    now = [
        with_key if known else without
        for known, with_key, without in zip(ours, verified(after), told, strict=True)
    ]
    assert now == verified(before)
    assert made.report.leftovers == ()
    assert made.report.unsigned == 0


@pytest.mark.parametrize("name", TRACES)
def test_nobody_is_left_in_our_traces_in_any_coding(name: str) -> None:
    octets, made = made_of(name)
    found = 0
    for secret in _secrets(octets):
        found += secret in octets
        assert secret not in made.octets, secret
    lowered, before = (_PEERS.sub(b"", whole.lower()) for whole in (made.octets, octets))
    for text in _identities():
        for coding in {coding.lower() for coding in codings(text) if len(coding) >= 5}:
            found += coding in before
            assert coding not in lowered, (text, coding)
    assert found > 8  # they had been there


def _identities() -> set[str]:
    found: set[str] = set()
    for profile in PROFILES:
        found |= {
            profile.name,
            profile.imsi,
            profile.iccid,
            profile.msisdn.strip("+"),
            profile.impi,
            profile.domain,
        }
        found |= {*profile.impu, *profile.pcscf}
    return found


def _secrets(octets: bytes) -> set[bytes]:
    """Return challenges, answers and keys that a capture shows, as octets, in hex and in base64."""
    found: set[bytes] = set()
    capture = open_capture(octets, profile=PROFILES)
    for challenge in (challenge for login in capture.logins for challenge in login.challenges):
        found |= {challenge.rand, challenge.autn, challenge.nonce.encode()}
        for profile in PROFILES:
            if challenge.rand:
                found |= set(profile.functions.f2_to_f5(challenge.rand)[:3])
    for event in capture.sip:
        found |= {value.encode() for name in ("Call-ID",) for value in event.message.all(name)}
    found |= {profile.functions.k for profile in PROFILES}  # type: ignore[attr-defined]
    return {
        form for one in found if len(one) >= 8 for form in (one, one.hex().encode(), base64.b64encode(one))
    }


@pytest.mark.parametrize("name", ["register-akav2", "register-resync"])
def test_without_a_key_nothing_verifies_and_everything_is_consistent(name: str) -> None:
    octets, made = made_of(name, keys=False)
    after = open_capture(made.octets)
    assert made.keys == ()
    assert made.report.opened == 0
    assert counted(after) == counted(open_capture(octets))
    rands = {challenge.rand for login in after.logins for challenge in login.challenges}
    asked = {pair.rand.hex() for login in after.logins for pair in login.challenges}
    assert rands
    assert asked <= set(after.vectors["rand"])


def test_addresses_of_a_trace_stay_apart_and_names_go_with_them() -> None:
    octets, made = made_of("register-akav2")
    before, after = open_capture(octets), open_capture(made.octets)
    assert len(set(after.names)) == len(set(before.names))
    assert set(after.names).isdisjoint(before.names)
    assert Counter(after.packets["protocol"]) == Counter(before.packets["protocol"])
    assert "hss" in after.names.values()
    assert "alice" not in after.names.values()


def test_the_same_seed_gives_the_same_and_another_another() -> None:
    octets = trace("register-akav1").read_bytes()
    one, same = (anonymise(octets, seed=SEED).octets for _ in range(2))
    assert one == same != anonymise(octets, seed=b"another seed of 16").octets


def test_a_seed_that_can_be_guessed_is_refused() -> None:
    with pytest.raises(Malformed, match="seed"):
        anonymise(trace("register-akav1"), seed=b"short")


def test_a_file_that_is_none() -> None:
    with pytest.raises(CaptureError):
        anonymise(b"no capture at all", seed=SEED)


def test_a_packed_file_and_a_path_give_the_same() -> None:
    file = trace("register-akav1")
    assert anonymise(gzip.compress(file.read_bytes()), seed=SEED).octets == anonymise(file, seed=SEED).octets


def test_a_report_says_what_was_done() -> None:
    _, made = made_of("register-akav2")
    text = str(made.report)
    for words in (
        "163 packets",
        "SIP: 32",
        "WebSocket: 4",
        "Diameter: 2",
        "made anew with a key: 4",
        "computed anew: 16",
        "names that still stand: none",
    ):
        assert words in text
    assert made.keys[0]["k"] not in text
    assert made.keys[0]["k"] not in repr(made.report)


def test_a_short_name_that_comes_up_by_chance_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from imslab.capture.anonymise import rewriting

    answers = [True, True, False]
    monkeypatch.setattr(rewriting, "shows", lambda names, octets: answers.pop(0))
    octets = trace("register-akav1").read_bytes()
    made = anonymise(octets, seed=SEED)
    assert answers == []
    assert made.octets == rewriting._Rewriting(read_file(octets), SEED + b"\2", []).done().octets


@pytest.mark.parametrize("cut", [25, 60, 100, 1000, 5000, 18_000])
def test_a_file_that_is_cut(cut: int) -> None:
    octets = trace("register-akav1").read_bytes()[:cut]
    made = anonymise(octets, seed=SEED)
    assert len(made.octets) == cut
    assert len(open_capture(made.octets)) == len(open_capture(octets))
    assert b"alice" not in made.octets


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_a_file_with_octets_changed_breaks_nothing(data: st.DataObject) -> None:
    octets = bytearray(trace("register-akav1").read_bytes())
    for _ in range(data.draw(st.integers(1, 30))):
        octets[data.draw(st.integers(28, len(octets) - 1))] = data.draw(st.integers(0, 255))
    made = anonymise(bytes(octets), seed=SEED)
    assert len(made.octets) == len(octets)


def test_a_call_id_is_found_wherever_it_stands() -> None:
    file = io.BytesIO()
    writer, ends = TraceWriter(file), (("192.0.2.7", 5060), ("192.0.2.8", 5060))
    call_id = b"liddell77@h.example"
    message = b"INVITE sip:b@x SIP/2.0\r\nCall-ID: %s\r\nReplaces: %s;to-tag=a;from-tag=b\r\n\r\n" % (
        call_id,
        call_id,
    )
    writer.udp(1.0, *ends, message)
    writer.tcp_open(2.0, *ends)
    writer.tcp(2.0, *ends, message[:40])
    writer.tcp(2.0, *ends, message[40:])
    writer.flush()
    after = open_capture(anonymise(file.getvalue(), seed=SEED).octets)
    one, other = (event.message for event in after.sip)
    assert one.get("Call-ID") == other.get("Call-ID")
    assert (one.get("Replaces") or "").startswith(f"{one.get('Call-ID')};to-tag=")
    assert "liddell77" not in str(one)


def malformed(file: Path) -> set[str]:
    command = [
        "tshark",
        "-r",
        str(file),
        "-Y",
        "_ws.malformed && !srtcp",
        "-T",
        "fields",
        "-e",
        "frame.number",
    ]
    return set(
        subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout.split()
    )


@pytest.mark.component("tshark")
@pytest.mark.parametrize("name", TRACES)
def test_tshark_finds_nothing_malformed_that_was_not(name: str, tmp_path: Path) -> None:
    file = tmp_path / "out.pcapng"
    file.write_bytes(made_of(name)[1].octets)
    assert malformed(file) <= malformed(trace(name))
