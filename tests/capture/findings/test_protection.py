"""Findings of the Gm interface: each is found where it is, and not where all is well."""

import pytest

from imslab.capture import open_capture
from imslab.capture.findings import Finding, Severity, find
from imslab.ipsec import UDP
from tests.capture.gm import KEYS, PCSCF, SCSCF, UE, Gm


def found(octets: bytes, rule: str, keys: bool = True) -> list[Finding]:
    return [one for one in find(open_capture(octets, **(KEYS if keys else {}))) if one.rule == rule]


@pytest.mark.parametrize(("alg", "ealg"), [("hmac-sha-1-96", "aes-cbc"), ("null", "aes-gcm")], ids="/".join)
def test_a_well_protected_login_has_no_finding(alg: str, ealg: str) -> None:
    octets = Gm(alg, ealg).whole().octets
    assert find(open_capture(octets, **KEYS)) == find(open_capture(octets)) == []


@pytest.mark.parametrize(("alg", "ealg"), [("hmac-sha-1-96", "null"), ("aes-gmac", "null")], ids="/".join)
def test_null_encryption(alg: str, ealg: str) -> None:
    for keys in (True, False):
        (one,) = found(Gm(alg, ealg).whole().octets, "null-encryption", keys)
        assert (one.severity, one.frames) == (Severity.WARNING, (3, 4))
        assert "0x000007d2" in one.what


@pytest.mark.parametrize(
    ("alg", "ealg", "old"),
    [
        ("hmac-md5-96", "aes-cbc", ["HMAC-MD5"]),
        ("hmac-sha-1-96", "des-ede3-cbc", ["3DES"]),
        ("hmac-md5-96", "des-ede3-cbc", ["HMAC-MD5", "3DES"]),
        ("hmac-sha-1-96", "aes-cbc", []),
    ],
)
def test_algorithms_of_the_past(alg: str, ealg: str, old: list[str]) -> None:
    octets = Gm(alg, ealg).whole().octets
    assert [one.what.split()[0] for one in found(octets, "old-algorithm")] == old
    assert [one.frames for one in found(octets, "old-algorithm")] == [(2, 3, 4)] * len(old)
    assert [one.frames for one in found(octets, "old-algorithm", keys=False)] == [(2,)] * len(old)


def test_an_old_algorithm_that_the_terminal_only_offers_is_none() -> None:
    assert found(Gm("hmac-md5-96").register().octets, "old-algorithm") == []


def test_security_verify_that_is_missing() -> None:
    (one,) = found(
        Gm(ealg="null").register().challenge().second("Supported: path").octets, "no-security-verify"
    )
    assert (one.severity, one.frames) == (Severity.ERROR, (2, 3))
    assert "RFC 3329, 2.3.1" in one.clause


def test_security_verify_that_differs() -> None:
    gm = Gm(ealg="null").register().challenge()
    weaker = str(gm.server).replace("hmac-sha-1-96", "hmac-md5-96")
    octets = gm.second(f"Security-Verify: {weaker}").octets
    (one,) = found(octets, "security-verify-differs")
    assert (one.severity, one.frames) == (Severity.ERROR, (2, 3))
    assert found(octets, "no-security-verify") == []


def test_security_verify_that_nobody_asked_for_or_that_was_taken_out_by_the_pcscf() -> None:
    gm = Gm().register().challenge("Supported: path")
    gm.clear(UE, PCSCF, gm.message("REGISTER sip:x SIP/2.0", 2, gm.answer()))
    assert found(gm.octets, "no-security-verify") == []
    gm = Gm(ealg="null").whole()
    gm.clear(PCSCF, SCSCF, gm.message("REGISTER sip:x SIP/2.0", 2, gm.answer()))
    assert found(gm.octets, "no-security-verify") == found(gm.octets, "security-verify-differs") == []


PAI = "P-Asserted-Identity: <sip:president@example.com>"


def test_an_identity_that_a_terminal_asserts() -> None:
    gm = Gm().register()
    gm.clear(UE, PCSCF, gm.message("INVITE sip:b SIP/2.0", 5, PAI, method="INVITE"))
    gm.clear(PCSCF, SCSCF, gm.message("INVITE sip:b SIP/2.0", 5, PAI, method="INVITE"))
    (one,) = found(gm.octets, "pai-from-ue")
    assert (one.severity, one.frames) == (Severity.WARNING, (2,))


def test_an_identity_that_the_network_asserts_or_a_terminal_prefers() -> None:
    gm = Gm().register()
    gm.clear(
        UE,
        PCSCF,
        gm.message("INVITE sip:b SIP/2.0", 5, PAI.replace("Asserted", "Preferred"), method="INVITE"),
    )
    gm.clear(PCSCF, SCSCF, gm.message("INVITE sip:b SIP/2.0", 5, PAI, method="INVITE"))
    gm.clear(PCSCF, UE, gm.message("INVITE sip:b SIP/2.0", 6, PAI, method="INVITE"))
    assert found(gm.octets, "pai-from-ue") == []


def test_terminals_on_the_hosts_of_the_network_are_told_by_their_sockets() -> None:
    gm = Gm()
    for source, rows in ((5070, ()), (5080, (PAI,))):
        message = gm.message("REGISTER sip:x SIP/2.0", source, *rows)
        gm.trace.udp(gm.tick(), (PCSCF, source), (PCSCF, 5060), message)
    gm.trace.udp(
        gm.tick(), (PCSCF, 5060), (PCSCF, 6060), gm.message("INVITE sip:b SIP/2.0", 5, PAI, method="INVITE")
    )
    assert [one.frames for one in found(gm.octets, "pai-from-ue")] == [(2,)]


def test_esp_that_is_not_opened_is_no_evidence() -> None:
    gm = Gm(ealg="des-ede3-cbc")
    gm.protected(gm.associations.request, b"x" * 100)
    assert UDP == 17 and found(gm.octets, "null-encryption") == found(gm.octets, "old-algorithm") == []
