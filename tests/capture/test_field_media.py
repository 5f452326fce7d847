"""Captures from the field: calls, streams, STUN, DTLS, RTCP, APDUs as an independent tool counts them.

What is compared is what ``imslab inspect --json`` says. Streams that tshark did not count (it follows SDP
where there is any, and not all heuristics were on) are named in media_exceptions.json, each with its reason.
"""

import hashlib
import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import numpy as np
import pytest

from imslab.capture import Capture, open_capture
from imslab.capture.report import report
from imslab.data import path
from imslab.errors import CaptureError
from tests.capture.conftest import FIELD

EXTRA = json.loads(Path(__file__).with_name("media_exceptions.json").read_text("utf-8"))
EXPECTED = {
    file.stem: json.loads(file.read_text("utf-8")) for file in sorted((FIELD / "expect").glob("*.json"))
}
FUZZED = [name for name in EXPECTED if name.startswith(("corrupt-", "fuzz-", "sipbad-"))]


def opened(name: str, **keys: Any) -> Capture:
    return open_capture(FIELD / "captures" / EXPECTED[name]["file"], **keys)


@cache
def said(name: str) -> dict[str, Any]:
    """Return what inspect --json says, held against the schema."""
    found: dict[str, Any] = json.loads(json.dumps(report(opened(name)), allow_nan=False))
    schema = json.loads(path("schema", "inspect.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(schema).validate(found)
    return found


def having(key: str) -> list[str]:
    return [name for name, expected in EXPECTED.items() if key in expected["must"]]


@pytest.mark.parametrize("name", EXPECTED)
def test_every_report_fits_the_schema(name: str) -> None:
    try:
        found = said(name)
    except CaptureError:
        assert EXPECTED[name]["must"].get("may_refuse")
        return
    assert found["capture"]["packets"] == EXPECTED[name]["must"].get("packets", found["capture"]["packets"])


@pytest.mark.parametrize("name", having("sip"))
def test_sip_and_calls(name: str) -> None:
    must, found = EXPECTED[name]["must"], said(name)
    sip = must["sip"]
    total = must.get("sip_total_with_null_esp", sip["messages"])
    assert found["sip"]["messages"] == total
    if total == sip["messages"]:
        assert found["sip"]["requests"] == sip["requests_by_method"]
        assert found["sip"]["responses"] == sip["responses_by_status"]
        assert {kind: many for kind, many in found["sip"]["transports"].items() if many} == sip[
            "by_transport"
        ]
    assert len(found["calls"]) == sip["calls"]
    known = {call["call_id"]: call for call in found["calls"]}
    for call in sip["call_list"]:
        mine = known[call["call_id"]]
        assert (mine["frames"][0], mine["frames"][-1]) == (call["first_frame"], call["last_frame"])
        if call["bye"] and 200 in call["invite_final"]:
            assert mine["state"] == "ended"


def streams(rows: list[dict[str, Any]]) -> dict[tuple[Any, ...], dict[str, Any]]:
    return {(row["src"], row["sport"], row["dst"], row["dport"], row["ssrc"]): row for row in rows}


@pytest.mark.parametrize("name", having("rtp"))
def test_every_stream(name: str) -> None:
    wanted, found = streams(EXPECTED[name]["must"]["rtp"]["per_stream"]), streams(said(name)["rtp"])
    assert wanted.keys() <= found.keys()
    for key, row in wanted.items():
        for field in ("packets", "payload_types", "expected", "lost", "duplicates", "reordered"):
            assert found[key][field] == row[field], (key, field)
    values = {(*one.source, *one.destination, f"0x{one.ssrc:08X}"): one for one in opened(name).rtp}
    for key, row in wanted.items():
        for field in ("unique", "markers", "first_seq", "last_seq"):
            assert getattr(values[key], field) == row[field], (key, field)


@pytest.mark.parametrize("name", [name for name in EXPECTED if name not in FUZZED])
def test_no_stream_is_made_up(name: str) -> None:
    try:
        found = streams(said(name)["rtp"])
    except CaptureError:
        return
    wanted = streams(EXPECTED[name]["must"].get("rtp", {}).get("per_stream", []))
    extra = {key[-1] for key in found.keys() - wanted.keys()}
    assert extra == set(EXTRA.get(name, {}).get("streams", []))


def test_every_exception_has_its_reason() -> None:
    assert EXTRA.keys() <= EXPECTED.keys()
    assert all(set(entry) == {"streams", "reason"} and len(entry["reason"]) > 40 for entry in EXTRA.values())


@pytest.mark.parametrize("name", having("rtcp_by_packet_type"))
def test_rtcp(name: str) -> None:
    assert said(name)["rtcp"]["by_type"] == EXPECTED[name]["must"]["rtcp_by_packet_type"]


@pytest.mark.parametrize("name", [name for name in EXPECTED if name not in FUZZED])
def test_stun(name: str) -> None:
    try:
        found = said(name)["stun"]
    except CaptureError:
        return
    wanted = EXPECTED[name]["must"].get("stun", {"messages": 0, "by_type": {}})
    assert (found["messages"], found["by_type"]) == (wanted["messages"], wanted["by_type"])


@pytest.mark.parametrize("name", having("dtls"))
def test_dtls(name: str) -> None:
    wanted, found = EXPECTED[name]["must"]["dtls"], said(name)["dtls"]
    sessions = opened(name).dtls
    assert (
        Counter(f"0x{s.handshake.cipher_suite:04x}" for s in sessions if s.handshake.cipher_suite)
        == (wanted["server_selected_ciphersuites"])
    )
    records: Counter[str] = Counter()
    for session in found:
        records.update(session["records"])
    assert records == wanted["records_by_content_type"]
    chosen = [f"0x{s.handshake.profile.code:04x}" for s in sessions if s.handshake.profile]
    assert Counter(chosen) == wanted["use_srtp_selected"]
    offered = Counter(code for session in found for code in session["srtp_offered"])
    assert offered == wanted["use_srtp_offered"]
    shown = {text.split()[1].replace(":", "").lower() for s in found for text in s["fingerprints"].values()}
    assert shown == set(wanted["certificate_sha256"])


@pytest.mark.parametrize("name", having("gsm_sim"))
def test_apdus(name: str) -> None:
    assert said(name)["apdu"]["commands"] == EXPECTED[name]["must"]["gsm_sim"]["apdu_frames"]


@pytest.mark.parametrize("name", having("srtp"))
def test_srtp_opens_octet_by_octet_as_libsrtp_does(name: str) -> None:
    must = EXPECTED[name]["must"]["srtp"]
    capture = opened(name, srtp=[f"{must['profile']}:{key}" for key in must["keys_base64"]])
    found = {f"0x{stream.ssrc:08X}": stream for stream in capture.rtp}
    for row in must["streams"]:
        stream = found[row["ssrc"]]
        assert (stream.encrypted, len(stream), stream.decrypted) == (
            "srtp",
            row["packets"],
            row["authenticated"],
        )
        digest = hashlib.sha256()
        for packet in clear(capture, row["ssrc"]):
            digest.update(len(packet).to_bytes(2) + packet)
        assert digest.hexdigest() == row["plaintext_sha256"]
    assert sum(stream.decrypted for stream in capture.rtp) == must["authenticated_rtp"]


def clear(capture: Capture, ssrc: str) -> list[bytes]:
    """Return the opened packets of a stream, headers included, in the order of their frames."""
    (stream,) = [one for one in capture.rtp if f"0x{one.ssrc:08X}" == ssrc]
    packets, index = stream.packets, capture.index
    found = []
    for place in np.flatnonzero(packets.opened).tolist():
        octets = index.octets(int(packets.row[place]))
        head = 12 + (octets[0] & 15) * 4
        if octets[0] & 0x10:
            head += 4 + 4 * int.from_bytes(octets[head + 2 : head + 4])
        start, size = int(packets.start[place]), int(packets.size[place])
        found.append(octets[:head] + index.data[start : start + size])
    return found


@pytest.mark.parametrize("name", FUZZED)
def test_damaged_captures_give_what_can_be_read(name: str) -> None:
    try:
        capture = opened(name)
    except CaptureError:
        return
    tables = capture.calls, capture.streams, capture.transactions, capture.messages
    assert [len(table) for table in tables[:2]] == [len(capture.call_list), len(capture.rtp)]
    for call in capture.call_list:
        assert len(call.arrows()) >= len(call.messages)
    for number, stream in enumerate(capture.rtp):
        assert capture.stream(number) is stream
        assert isinstance(capture.keys_pressed(stream), list)
