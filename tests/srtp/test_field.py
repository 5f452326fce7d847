"""Captures from the field: SRTP decrypts to what libsrtp gave, DTLS handshakes say what tshark says."""

import base64
import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from imslab.capture import index, open_capture
from imslab.srtp import Candidate, Session, bulk
from imslab.srtp.handshake import MESSAGE_NAMES, Reader
from imslab.srtp.records import is_dtls, records

SRTP = ["srtp-membrane", "srtp-rtpproxy-alice"]
DTLS = ["dtls-mercury-frag-ch", "dtls-webrtc-stun", "dtls12-zeek", "stun-dtls-server"]


def expectation(folder: Path, name: str) -> dict[str, Any]:
    return json.loads((folder / "expect" / f"{name}.json").read_text("utf-8"))


def datagrams(
    folder: Path, expected: dict[str, Any]
) -> list[tuple[tuple[bytes, int], tuple[bytes, int], bytes]]:
    """Return sender, receiver and octets of every datagram."""
    found = index.build(open_capture(folder / "captures" / expected["file"]).file)
    return [
        (
            (bytes(found.source[row]), int(found.sport[row])),
            (bytes(found.target[row]), int(found.dport[row])),
            bytes(found.data[slice(int(found.start[row]), int(found.start[row]) + int(found.length[row]))]),
        )
        for row in range(len(found))
    ]


def digest(packets: list[bytes]) -> str:
    return hashlib.sha256(b"".join(len(one).to_bytes(2) + one for one in packets)).hexdigest()


@pytest.mark.parametrize("name", SRTP)
def test_srtp_decrypts_completely(field_captures, unprotect, name):
    expected = expectation(field_captures, name)
    must = expected["must"]["srtp"]
    octets = [one for _, _, one in datagrams(field_captures, expected)]
    opened = 0
    for stream in must["streams"]:
        master, ssrc = base64.b64decode(stream["key"]), int(stream["ssrc"], 16).to_bytes(4)
        packets = [one for one in octets if one[8:12] == ssrc]
        found = unprotect(must["profile"], master[:16], master[16:], packets)
        assert found.ok.all() and len(found) == stream["authenticated"]
        assert digest(list(found)) == stream["plaintext_sha256"]
        assert found[0].hex().startswith(stream["first_plaintext_hex"])
        session = Session(must["profile"], master[:16], master[16:])
        assert digest([session.unprotect(one) for one in packets]) == stream["plaintext_sha256"]
        opened += len(found)
    assert opened == must["authenticated_rtp"]


@pytest.mark.parametrize("name", SRTP)
def test_the_tag_finds_the_key(field_captures, name):
    expected = expectation(field_captures, name)
    keys = {
        text: base64.b64decode(text)
        for other in SRTP
        for text in expectation(field_captures, other)["must"]["srtp"]["keys_base64"]
    }
    candidates = {
        text: Candidate("AES_CM_128_HMAC_SHA1_80", key[:16], key[16:]) for text, key in keys.items()
    }
    for _, _, packet in datagrams(field_captures, expected)[:20]:
        (text,) = (text for text, candidate in candidates.items() if candidate.matches(packet))
        assert text in expected["must"]["srtp"]["keys_base64"]


def test_the_roc_of_a_field_capture_is_0(field_captures):
    expected = expectation(field_captures, "srtp-membrane")
    (text,) = expected["must"]["srtp"]["keys_base64"]
    key = base64.b64decode(text)
    octets = [one for _, _, one in datagrams(field_captures, expected)]
    starts = [sum(map(len, octets[:position])) for position in range(len(octets))]
    candidate = Candidate("AES_CM_128_HMAC_SHA1_80", key[:16], key[16:])
    found = bulk.find_rocs(candidate, b"".join(octets), starts, list(map(len, octets)))
    assert found == {0xD366768F: 0, 0x562DF298: 0}


@pytest.mark.parametrize("name", DTLS)
def test_dtls_handshakes_say_what_tshark_says(field_captures, name):
    expected = expectation(field_captures, name)
    must = expected["must"]["dtls"]
    readers = {}
    kinds, versions, messages, frames = Counter(), Counter(), Counter(), 0
    for sender, receiver, octets in datagrams(field_captures, expected):
        if is_dtls(octets):
            frames += 1
            for record in records(octets):
                kinds[str(record.content_type)] += 1
                versions[f"0x{record.version:04x}"] += 1
            reader = readers.setdefault(frozenset((sender, receiver)), Reader())
            messages.update(MESSAGE_NAMES[message.kind] for message in reader.receive(sender, octets))
    assert (frames, kinds, versions) == (
        must["frames"],
        must["records_by_content_type"],
        must["record_versions"],
    )
    assert messages == must["handshake_first_fragments"]
    found = [one for reader in readers.values() for one in reader.handshakes]
    clients = [one.client_hello for one in found if one.client_hello]
    servers = [one.server_hello for one in found if one.server_hello]
    assert Counter(f"0x{one.cipher_suite:04x}" for one in servers) == must["server_selected_ciphersuites"]
    for hellos, name_of in ((clients, "use_srtp_offered"), (servers, "use_srtp_selected")):
        assert Counter(f"0x{code:04x}" for one in hellos for code in one.srtp_profiles) == must[name_of]
    shown = {certificate for one in found for chain in one.chains.values() for certificate in chain}
    assert sorted(hashlib.sha256(one).hexdigest() for one in shown) == must["certificate_sha256"]
    assert [one.server_name for one in clients if one.server_name] == must["sni"]
