"""Captures from the field: what we find is what an independent tool finds.

Where we find something else, exceptions.json says what and why; an exception that is none fails.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from imslab.capture import apdu, index, open_capture
from imslab.capture.file import read_file
from imslab.capture.flows import address
from imslab.errors import CaptureError

EXCEPTIONS = json.loads(Path(__file__).with_name("exceptions.json").read_text("utf-8"))


def expectations(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text("utf-8")) for path in sorted((folder / "expect").glob("*.json"))]


def differences(name: str, found: dict[str, Any], want: dict[str, Any]) -> dict[tuple[str, str], Any]:
    """Return what differs and is no exception; an exception has to be what was found."""
    known = {key: entry["found"] for key, entry in EXCEPTIONS.get(name, {}).items() if key in found}
    return {(name, key): (found[key], want[key]) for key in found if found[key] != known.get(key, want[key])}


def test_every_exception_has_its_reason_and_is_one(field_captures: Path) -> None:
    wanted = {expected["name"]: expected["must"] for expected in expectations(field_captures)}
    for name, entries in EXCEPTIONS.items():
        for key, entry in entries.items():
            assert set(entry) == {"found", "reason"}
            assert len(entry["reason"]) > 40
            assert wanted[name].get(key) != entry["found"], (name, key)


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


def test_packets_cut_by_the_snapshot_length_are_counted(field_captures: Path) -> None:
    wrong: dict[Any, Any] = {}
    compared = 0
    for expected in expectations(field_captures):
        if "packets_cut_by_snaplen" in expected["must"]:
            records = read_file(field_captures / "captures" / expected["file"]).records
            found = {"packets_cut_by_snaplen": int((records.length < records.original).sum())}
            wrong |= differences(expected["name"], found, expected["must"])
            compared += 1
    assert (wrong, compared > 0) == ({}, True)


def headers_found(path: Path) -> dict[str, Any]:
    """Count what the packets are wrapped in, and what of it is ESP."""
    rows = index.build(read_file(path))
    seen = rows.encapsulation
    source, target = (map(address, map(bytes, column)) for column in rows.flows.addresses(rows.esp.pair))
    return {
        "ipv4_fragments": seen["IP fragment", 4],
        "ipv6_fragment_headers": seen["IP fragment", 6],
        "vlan_ids": {str(number): many for (kind, number), many in seen.items() if kind == "VLAN"},
        "gtp": {f"0x{number:08x}": many for (kind, number), many in seen.items() if kind == "GTP-U"},
        "esp": Counter(zip(source, target, (f"0x{spi:08x}" for spi in rows.esp.spi.tolist()), strict=True)),
    }


def headers_wanted(must: dict[str, Any]) -> dict[str, Any]:
    associations = must.get("esp", {}).get("sas", [])
    return {
        "ipv4_fragments": must.get("ipv4_fragments", 0),
        "ipv6_fragment_headers": must.get("ipv6_fragment_headers", 0),
        "vlan_ids": must.get("vlan_ids", {}),
        "gtp": must.get("gtp", {}).get("teids", {}),
        "esp": {(each["src"], each["dst"], each["spi"]): each["packets"] for each in associations},
    }


def test_fragments_tunnels_and_esp_are_counted(field_captures: Path) -> None:
    wrong: dict[Any, Any] = {}
    compared = Counter[str]()
    for expected in expectations(field_captures):
        must = expected["must"]
        if "must_not_crash" in must:
            continue
        want = headers_wanted(must)
        found = headers_found(field_captures / "captures" / expected["file"])
        wrong |= differences(expected["name"], found, want)
        compared += Counter(key for key, value in want.items() if value)
    assert wrong == {}
    assert min(compared.values()) >= 3


def sip_found(path: Path) -> dict[str, Any]:
    """Return what is in clear, and apart from it what is in ESP without encryption."""
    capture = open_capture(path)
    rows = index.build(capture.file)
    in_esp = set(rows.frame[rows.via & index.Via.ESP > 0].tolist())
    return {
        "sip": counted([event for event in capture.sip if event.frame not in in_esp]),
        "sip_inside_null_esp": counted([event for event in capture.sip if event.frame in in_esp]),
    }


def counted(events: list[Any]) -> dict[str, Any]:
    return {
        "messages": len(events),
        "requests_by_method": Counter(e.message.method for e in events if e.message.is_request),
        "responses_by_status": Counter(str(e.message.status) for e in events if not e.message.is_request),
        "by_transport": Counter(e.transport for e in events),
        "ladder": [(e.frame, socket(*e.source), socket(*e.destination)) for e in events],
    }


def socket(host: str, port: int) -> str:
    return f"{host}:{port}"


def sip_wanted(must: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    want = {key: must.get(key, {} if key != "messages" else 0) for key in found}
    rows = must.get("ladder", [])  # of long ones only the beginning is there
    beginning = [(row["frame"], row["src"], row["dst"]) for row in rows]
    return want | {"ladder": beginning + found["ladder"][len(rows) :]}


def test_every_sip_message_is_found_and_no_other(field_captures: Path) -> None:
    wrong: dict[Any, Any] = {}
    compared = Counter[str]()
    for expected in expectations(field_captures):
        must = expected["must"]
        if "must_not_crash" in must:
            continue
        for kind, found in sip_found(field_captures / "captures" / expected["file"]).items():
            wrong |= differences(expected["name"], found, sip_wanted(must.get(kind, {}), found))
            compared[kind] += kind in must
    assert wrong == {}
    assert compared["sip"] >= 23
    assert compared["sip_inside_null_esp"] >= 1


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
        rows = index.build(capture.file)
        assert not len(rows) or 1 <= rows.frame.min() <= rows.frame.max() <= len(capture)
