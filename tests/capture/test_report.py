"""The contract of inspect --json: everything that it names is there, and fits the schema."""

import json
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from imslab.capture import Capture, open_capture
from imslab.capture.report import report
from imslab.data import path
from tests.capture.media_trace import ALICE, BOB, PEER, UE, call, invite, sdp, stream, trace

SCHEMA = json.loads(path("schema", "inspect.schema.json").read_text("utf-8"))
TRACES = sorted(file.stem for file in path("traces").glob("*.pcapng"))
K, OPC = "465b5ce8b199b49faa5f0a2ee238a6bc", "cd63cb71954a9f4e48a5994e37a02baf"  # TS 35.208, set 1


def checked(capture: Capture) -> dict[str, Any]:
    """Return the report as JSON has it, after it was held against the schema."""
    found: dict[str, Any] = json.loads(json.dumps(report(capture), allow_nan=False))
    jsonschema.Draft202012Validator(SCHEMA).validate(found)
    return found


def test_the_schema_is_one_and_refuses_what_is_none() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    found = checked(open_capture(trace(call())))
    for change in ({"sip": None}, {"capture": {**found["capture"], "packets": -1}}, {"surprise": 1}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft202012Validator(SCHEMA).validate({**found, **change})


@pytest.mark.parametrize("name", TRACES)
def test_every_committed_trace(name: str) -> None:
    capture = open_capture(path("traces", f"{name}.pcapng"), k=K, opc=OPC)
    found = checked(capture)
    assert found["capture"]["packets"] == len(capture)
    assert found["sip"]["messages"] == len(capture.sip)
    assert found["warnings"] == []


def test_the_file() -> None:
    octets = trace(call(seconds=10))
    found = checked(open_capture(octets))["capture"]
    assert (found["format"], found["packets"], found["link_types"]) == ("pcapng", 6, ["RAW"])
    assert (found["first"], found["last"]) == (1_700_000_000.0, pytest.approx(1_700_000_011.01))
    assert found["octets"] == sum(open_capture(octets).packets["length"])
    assert not found["truncated"]
    assert checked(open_capture(octets[:-40]))["capture"]["truncated"]


def test_sip() -> None:
    broken = b"INVITE sip:b SIP/2.0\r\nContent-Length: 999\r\n\r\n"
    found = checked(open_capture(trace([*call(), (20.0, UE, PEER, broken)])))
    assert found["sip"]["requests"] == {"ACK": 1, "BYE": 1, "INVITE": 2}
    assert found["sip"]["responses"] == {"180": 1, "200": 2}
    assert found["sip"]["transports"] == {"udp": 7, "tcp": 0, "ws": 0}
    assert found["sip"]["malformed"] == 1
    assert len(found["warnings"]) == 1


def test_a_call_and_its_stream() -> None:
    media = [(at + 2, *rest) for at, *rest in stream([n for n in range(100) if n != 7])]
    found = checked(open_capture(trace([*call(sdp(ALICE), sdp(BOB)), *media])))  # type: ignore[list-item]
    (one,) = found["calls"]
    assert (one["state"], one["status"], one["setup_s"], one["duration_s"]) == ("ended", 200, 1.0, 10.0)
    assert one["frames"] == [1, 2, 3, 4, 104, 105]
    (rtp,) = found["rtp"]
    assert (rtp["src"], rtp["sport"], rtp["dst"], rtp["dport"], rtp["ssrc"]) == (*ALICE, *BOB, "0x11223344")
    assert (rtp["packets"], rtp["expected"], rtp["lost"], rtp["loss"]) == (99, 100, 1, 0.01)
    assert (rtp["codec"], rtp["payload_types"], rtp["encrypted"], rtp["decrypted"]) == (
        "PCMU",
        {"0": 99},
        "none",
        0,
    )
    assert (rtp["dtmf"], rtp["call_id"]) == ("", one["call_id"])
    assert 1 < rtp["mos"] < 4.5


def test_what_is_not_known_is_null() -> None:
    (rtp,) = checked(open_capture(trace(stream(range(9), payload_type=96))))["rtp"]
    unknown = ("codec", "jitter_ms_mean", "jitter_ms_max", "mos", "talk_s", "encrypted", "call_id")
    assert [rtp[name] for name in unknown] == [None] * len(unknown)
    (one,) = checked(open_capture(trace([(0.0, UE, PEER, invite())])))["calls"]
    assert (one["state"], one["status"], one["setup_s"], one["duration_s"]) == ("calling", None, None, None)


def test_a_call_of_all_layers() -> None:
    found = checked(open_capture(path("traces", "webrtc-call.pcapng")))
    assert [one["srtp_profile"] for one in found["dtls"]] == ["AEAD_AES_128_GCM", "AES_CM_128_HMAC_SHA1_80"]
    assert all(one["matches_sdp"] == {"client": True, "server": True} for one in found["dtls"])
    assert {one["encrypted"] for one in found["rtp"]} == {"srtp"}
    assert all(one["decrypted"] == one["packets"] for one in found["rtp"])
    assert found["stun"]["messages"] == sum(found["stun"]["by_type"].values()) > 0
    assert found["rtcp"]["packets"] == sum(found["rtcp"]["by_type"].values()) > 0
    assert found["apdu"]["authenticate"] == 2


def test_a_registration_shows_its_challenge_and_no_key() -> None:
    capture = open_capture(path("traces", "register-akav2.pcapng"))
    found = checked(capture)
    for row in found["registrations"]:
        assert row["aka"]["autn"] == row["aka"]["sqn_xor_ak"] + row["aka"]["amf"] + row["aka"]["mac_a"]
    assert {row["result"] for row in found["registrations"]} == {"registered"}


def test_findings_are_those_of_the_capture() -> None:
    capture = open_capture(path("traces", "sdes-call.pcapng"))
    found = checked(capture)["findings"]
    assert found
    assert len(found) == len(capture.findings)


def test_a_part() -> None:
    found = checked(open_capture(trace(call())).where([1, 2]))
    assert (found["capture"]["packets"], found["sip"]["messages"]) == (2, 2)
    assert found["capture"]["last"] == pytest.approx(1_700_000_000.1)


def test_an_empty_capture() -> None:
    found = checked(open_capture(trace([])))
    assert found["capture"]["first"] is None
    assert (found["capture"]["packets"], found["rtp"], found["calls"]) == (0, [], [])


def test_no_secret_is_in_a_report() -> None:
    for name in ("webrtc-call", "sdes-call"):
        capture = open_capture(path("traces", f"{name}.pcapng"), k=K, opc=OPC)
        text = json.dumps(report(capture))
        secrets = [key.key.hex() for key in capture.whole.srtp_keys]
        assert secrets
        assert not any(secret in text for secret in [*secrets, K, OPC])
