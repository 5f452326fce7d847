"""ESP in captures from the field: what an independent tool finds, decrypts and authenticates, we do too."""

import json
from pathlib import Path
from typing import Any

import pytest

from imslab.capture import Capture, open_capture

NAMES = ["esp-wiki-1", "esp-tcpdump-sunrise", "volte-ipsec-reg"]
# tcpdump's own test of its file names this key: 3DES, and 12 octets of an HMAC that it does not check.
SUNRISE_KEY = "0x4043434545464649494a4a4c4c4f4f515152525454575758"
SUNRISE = (
    f'"IPv4","*","192.1.2.45","0x12345678","TripleDES-CBC [RFC2451]","{SUNRISE_KEY}",'
    '"ANY 96 bit authentication [no checking]",""'
)


def of(folder: Path, name: str, **options: Any) -> tuple[Capture, dict[str, Any]]:
    expected = json.loads((folder / "expect" / f"{name}.json").read_text("utf-8"))
    return open_capture(folder / "captures" / expected["file"], **options), expected


@pytest.mark.parametrize("name", NAMES)
def test_the_same_associations(field_captures: Path, name: str) -> None:
    capture, expected = of(field_captures, name)
    found = sorted((flow.source, flow.destination, f"0x{flow.spi:08x}", flow.packets) for flow in capture.esp)
    sas = expected["must"]["esp"]["sas"]
    assert found == sorted((sa["src"], sa["dst"], sa["spi"], sa["packets"]) for sa in sas)
    assert sum(packets for *_, packets in found) == expected["must"]["esp"]["frames"]


def test_wiresharks_table_opens_wiresharks_capture(field_captures: Path) -> None:
    table = field_captures / "captures" / "esp-wiki-1.esp_sa"
    capture, expected = of(field_captures, "esp-wiki-1", esp_sa=table)
    decrypted = expected["must"]["esp_decrypted"]
    assert sum(flow.decrypted for flow in capture.esp) == decrypted["frames"]
    assert sum(flow.authenticated for flow in capture.esp) == decrypted["icv_good"]
    assert {flow.keys_from for flow in capture.esp} == {"esp_sa"}
    assert {flow.encryption for flow in capture.esp} == {"aes-cbc", "des-ede3-cbc", "des-cbc", "null"}
    closed, _ = of(field_captures, "esp-wiki-1")
    assert {flow.encryption for flow in closed.esp if flow.decrypted} == {"null"}


def test_a_key_of_tcpdumps_tests(field_captures: Path, tmp_path: Path) -> None:
    table = tmp_path / "esp_sa"
    table.write_text(SUNRISE)
    capture, _ = of(field_captures, "esp-tcpdump-sunrise", esp_sa=table)
    (flow,) = capture.esp
    assert (flow.packets, flow.decrypted, flow.authenticated) == (8, 8, 0)


def test_volte(field_captures: Path) -> None:
    """SIP in NULL ESP in GTP-U; the vector in its own Diameter verifies digests and check values."""
    capture, expected = of(field_captures, "volte-ipsec-reg")
    must = expected["must"]
    assert len(capture.sip) == must["sip_total_with_null_esp"]
    outside = {row["frame"] for row in must["sip"]["ladder"]}
    inside = [event.frame for event in capture.sip if event.frame not in outside]
    assert inside == [row["frame"] for row in must["sip_inside_null_esp"]["ladder"]]
    (vector,) = must["aka"]["cx_vectors"]
    (login,) = capture.logins
    challenge = login.challenge
    assert challenge is not None and challenge.opened is not None
    assert (challenge.rand.hex(), challenge.autn.hex()) == (vector["rand"], vector["autn"])
    assert challenge.opened.ck.hex() == vector["ck"] and challenge.opened.source == "Cx"
    assert all(check["response_matches_xres"] for check in must["aka"]["digest_checks"])
    assert challenge.verified is True
    proved = {f"0x{flow.spi:08x}": (flow.packets, flow.authenticated, flow.integrity) for flow in capture.esp}
    for spi, expect in must["aka"]["esp_icv_by_spi"].items():
        assert proved[spi] == (expect["frames"], expect["icv_ok"], expect["alg"])
    assert {flow.keys_from for flow in capture.esp} == {"sec-agree (Cx)"}
