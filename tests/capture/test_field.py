"""Captures from the field: what we find is what an independent tool finds.

Only link types and transports of this stage: packets everywhere; SIP where it is in plain IP over UDP
or TCP. Tunnels (GTP) and fragments come later, and their files are named here with the reason.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from imslab.capture import apdu, index, open_capture
from imslab.errors import CaptureError

LATER = {
    "encap-ipv6-fragments": "two INVITEs come in IPv6 fragments",
    "volte-call-short": "half of the SIP is in GTP-U",
    "volte-ipsec-reg": "half of the SIP is in GTP-U",
}


def expectations(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text("utf-8")) for path in sorted((folder / "expect").glob("*.json"))]


def test_every_packet_is_counted(field_captures: Path) -> None:
    wrong = {}
    for expected in expectations(field_captures):
        must = expected["must"]
        try:
            found = len(open_capture(field_captures / "captures" / expected["file"]))
        except CaptureError:
            found = -1
        if found != must.get("packets", found) or (found < 0 and not must.get("may_refuse")):
            wrong[expected["name"]] = (found, must.get("packets"))
    assert wrong == {}


def sip_found(path: Path) -> dict[str, Any]:
    events = open_capture(path).sip
    return {
        "messages": len(events),
        "requests_by_method": Counter(e.message.method for e in events if e.message.is_request),
        "responses_by_status": Counter(str(e.message.status) for e in events if not e.message.is_request),
        "by_transport": Counter(e.transport for e in events),
        "frames": [e.frame for e in events],
    }


def test_every_sip_message_is_found_and_no_other(field_captures: Path) -> None:
    wrong, compared = {}, 0
    for expected in expectations(field_captures):
        must = expected["must"]
        if expected["name"] in LATER or "must_not_crash" in must:
            continue
        found = sip_found(field_captures / "captures" / expected["file"])
        want = must.get("sip", {"messages": 0})
        for key in ("messages", "requests_by_method", "responses_by_status", "by_transport"):
            if found[key] != want.get(key, {} if key != "messages" else 0):
                wrong[expected["name"], key] = (found[key], want.get(key))
        ladder = want.get("ladder", [])
        if len(ladder) == found["messages"] and [row["frame"] for row in ladder] != found["frames"]:
            wrong[expected["name"], "frames"] = found["frames"]
        compared += "sip" in must
    assert wrong == {}
    assert compared >= 20


@pytest.mark.parametrize("name", sorted(LATER))
def test_what_comes_later_is_found_in_part_and_said(field_captures: Path, name: str) -> None:
    expected = json.loads((field_captures / "expect" / f"{name}.json").read_text("utf-8"))
    capture = open_capture(field_captures / "captures" / expected["file"])
    assert 0 < len(capture.sip) < expected["must"]["sip"]["messages"]
    assert "fragments" in " ".join(capture.warnings)


def test_registrations_of_the_field(field_captures: Path) -> None:
    capture = open_capture(field_captures / "captures" / "sip-hello-scan.pcapng")
    (row, *rest) = capture.registrations.to_dict("records")
    assert (row["result"], row["algorithm"], row["verified"]) == ("registered", "MD5", None)
    assert [other["result"] for other in rest] == ["registered"]


def test_the_keys_in_a_field_challenge_are_seen(field_captures: Path) -> None:
    capture = open_capture(field_captures / "captures" / "volte-ipsec-reg.pcapng")
    challenges = [challenge for login in capture.logins for challenge in login.challenges]
    assert {challenge.algorithm for challenge in challenges} == {"AKAv1-MD5"}
    assert all(challenge.keys_sent and len(challenge.rand) == 16 for challenge in challenges)


def test_apdus_of_the_field(field_captures: Path) -> None:
    expected = json.loads((field_captures / "expect" / "gsmtap-pysim.json").read_text("utf-8"))
    must = expected["must"]["gsm_sim"]
    events = open_capture(field_captures / "captures" / expected["file"]).apdu_events
    asked = [event for event in events if event.command]
    assert (len(events), len(asked)) == (must["frames"], must["apdu_frames"])
    assert Counter(f"0x{event.command[1]:02x}" for event in asked) == must["by_ins"]
    assert Counter(f"0x{event.sw:04x}" for event in asked) == must["by_sw"]
    assert len(apdu.pairs(asked)) < len(asked)


def test_nothing_in_the_field_breaks_a_table(field_captures: Path) -> None:
    for expected in expectations(field_captures):
        try:
            capture = open_capture(field_captures / "captures" / expected["file"])
        except CaptureError:
            continue
        tables = capture.packets, capture.messages, capture.apdus, capture.registrations, capture.vectors
        assert len(tables[0]) == len(capture)
        assert all(isinstance(warning, str) for warning in capture.warnings)
        assert len(index.build(capture.file)) <= len(capture)
