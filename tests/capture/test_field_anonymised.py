"""Captures from the field, anonymised: the same counts, no name left, nothing malformed that was not.

What is written goes to a temporary folder and nowhere else: each capture has a licence of its own.
"""

import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from imslab.capture import Capture, open_capture
from imslab.capture.anonymise import Anonymised, anonymise
from imslab.errors import CaptureError

SEED = b"a seed of the tests"


def captures(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "captures").iterdir() if path.suffix != ".esp_sa")


def made_of(path: Path) -> Anonymised | None:
    try:
        return anonymise(path, seed=SEED)
    except CaptureError:
        return None


def counted(capture: Capture) -> dict[str, Any]:
    events = capture.sip
    return {
        "packets": len(capture),
        "octets": int(capture.file.records.length.sum()),
        "frames": [event.frame for event in events],
        "transports": Counter(event.transport for event in events),
        "methods": Counter(event.message.method for event in events if event.message.is_request),
        "statuses": Counter(event.message.status for event in events if not event.message.is_request),
        "logins": [(one.algorithm, one.result, one.status, one.frames) for one in capture.logins],
        "apdus": [(e.frame, e.command[:4], e.sw) for e in capture.apdu_events if e.response],
        "rtp": sorted((row.ssrc, row.packets, row.lost) for row in capture.streams.itertuples()),
    }


def test_the_field_shows_the_same_and_names_nobody(field_captures: Path) -> None:
    wrong: dict[Any, Any] = {}
    compared = 0
    for path in captures(field_captures):
        made = made_of(path)
        if made is None:
            continue
        before, after = open_capture(path), open_capture(made.octets)
        one, other = counted(before), counted(after)
        differing = {key: (one[key], other[key]) for key in one if one[key] != other[key]}
        if differing:
            wrong[path.name] = differing
        if made.report.leftovers and not path.name.startswith(("corrupt", "fuzz", "ip-frag-garbage")):
            wrong[path.name, "leftovers"] = made.report.leftovers[:3]
        compared += bool(before.sip)
    assert wrong == {}
    assert compared > 30


def test_hosts_and_users_of_the_field_are_gone(field_captures: Path) -> None:
    wrong = {}
    for path in captures(field_captures):
        made = made_of(path)
        if made is None:
            continue
        lowered = made.octets.lower()
        for event in open_capture(path).sip:
            uri = getattr(_view(event.message, "from_"), "uri", None)
            user, host = getattr(uri, "user", None) or "", getattr(uri, "host", "") or ""
            for text in (user, host):
                if len(text) > 5 and text.lower() != "anonymous" and text.lower().encode() in lowered:
                    wrong[path.name] = text
    assert wrong == {}


def _view(message: object, name: str) -> object:
    try:
        return getattr(message, name)
    except ValueError:
        return None


def test_digests_verify_with_what_the_capture_itself_holds(field_captures: Path) -> None:
    made = anonymise(field_captures / "captures" / "volte-ipsec-reg.pcapng", seed=SEED)
    assert made.report.protocols["ESP"] == 42
    assert (made.report.signed, made.report.unsigned) == (3, 0)


@pytest.mark.component("tshark")
def test_tshark_finds_nothing_malformed_that_was_not(field_captures: Path, tmp_path: Path) -> None:
    wrong = {}
    for path in captures(field_captures):
        made = made_of(path)
        if made is not None:
            file = tmp_path / path.name.removesuffix(".gz")
            file.write_bytes(made.octets)
            if new := malformed(file) - malformed(path):
                wrong[path.name] = new
    assert wrong == {}


def malformed(path: Path) -> set[str]:
    command = ["tshark", "-r", str(path), "-Y", "_ws.malformed", "-T", "fields", "-e", "frame.number"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    return set(done.stdout.split())
