"""Findings of authentication: each is found where it is, and not where all is well."""

import base64
from collections.abc import Callable
from typing import Any

import pytest

from imslab.aka import generate_vector
from imslab.aka.digest import nonce_for
from imslab.capture import open_capture
from imslab.capture.findings import Finding, Severity, find
from tests.capture.gm import KEYS, PCSCF, UE, Gm

Login = Callable[..., Any]


def found(octets: bytes, rule: str, **keys: str) -> list[Finding]:
    return [one for one in find(open_capture(octets, **keys)) if one.rule == rule]


def rules(octets: bytes, **keys: str) -> list[str]:
    return [one.rule for one in find(open_capture(octets, **keys))]


# -- all is well -----------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["AKAv1-MD5", "AKAv2-MD5", "AKAv2-SHA-256"])
def test_a_clean_login_has_no_finding(login: Any, keys: dict[str, str], algorithm: str) -> None:
    login.algorithm = algorithm
    octets = login.whole().octets
    assert rules(octets, **keys) == rules(octets) == []


def test_one_resynchronisation_is_normal(login: Any, keys: dict[str, str]) -> None:
    assert rules(login.resynchronised().octets, **keys) == []


# -- ck and ik -------------------------------------------------------------------------------------


def test_keys_that_reach_the_terminal() -> None:
    (one,) = found(Gm().register().challenge(keys=True).octets, "keys-to-ue")
    assert (one.severity, one.frames) == (Severity.ERROR, (2,))
    assert "TS 24.229, 5.2.2" in one.clause and "CK and IK" in one.what


def test_keys_on_the_way_to_the_pcscf_are_as_they_should_be(login: Any) -> None:
    login.register(1, login.first())
    login.challenge(1)  # with ck and ik from the S-CSCF to the P-CSCF, without them to the terminal
    assert found(login.octets, "keys-to-ue") == []


# -- versions --------------------------------------------------------------------------------------


def challenged(gm: Gm, cseq: int, *algorithms: str) -> None:
    rows = [
        f'WWW-Authenticate: Digest realm="r", nonce="{gm.nonce}", algorithm={algorithm}, qop="auth"'
        for algorithm in algorithms
    ]
    gm.clear(PCSCF, UE, gm.message("SIP/2.0 401 Unauthorized", cseq, *rows))


@pytest.mark.parametrize("chosen", ["AKAv1-MD5", "AKAv2-MD5"])
@pytest.mark.parametrize(
    "offered", [("AKAv2-MD5", "AKAv1-MD5"), ("AKAv1-MD5",), ("AKAv2-MD5",)], ids=",".join
)
def test_version_1_where_version_2_was_offered(offered: tuple[str, ...], chosen: str) -> None:
    gm = Gm(algorithm=chosen).register()
    challenged(gm, 1, *offered)
    gm.clear(UE, PCSCF, gm.message("REGISTER sip:x SIP/2.0", 2, gm.answer()))
    gm.clear(PCSCF, UE, gm.message("SIP/2.0 200 OK", 2))
    expected = [(2,)] if chosen == "AKAv1-MD5" and "AKAv2-MD5" in offered else []
    assert [one.frames for one in found(gm.octets, "akav1-chosen")] == expected


# -- challenges that come again --------------------------------------------------------------------


def twice(nonce: str, again: str, cseq: int = 3) -> bytes:
    gm = Gm().register()
    for value, number in ((nonce, 1), (again, cseq)):
        gm.nonce = value
        challenged(gm, number, "AKAv1-MD5" if len(value) > 40 else "MD5")
    return gm.octets


FIRST, OTHER = nonce_for(bytes(16), bytes(16)), nonce_for(bytes(16), bytes(15) + b"\1")
NEW = nonce_for(b"\1" * 16, bytes(16))


def test_a_rand_that_comes_again() -> None:
    for again in (FIRST, OTHER):  # with whatever AUTN
        (one,) = found(twice(FIRST, again), "repeated-rand")
        assert (one.severity, one.frames) == (Severity.ERROR, (2, 3))
    assert found(twice(FIRST, NEW), "repeated-rand") == []


def test_the_same_401_again_or_on_another_hop_is_none() -> None:
    assert found(twice(FIRST, FIRST, cseq=1), "repeated-rand") == []


def test_a_nonce_that_comes_again() -> None:
    (one,) = found(twice("abc", "abc"), "repeated-nonce")
    assert (one.severity, one.frames, one.clause) == (Severity.WARNING, (2, 3), "RFC 7616, 3.3")
    assert found(twice("abc", "abd"), "repeated-nonce") == []
    short = base64.b64encode(bytes(31)).decode()
    assert found(twice(short, short), "repeated-rand") == []


# -- sequence numbers ------------------------------------------------------------------------------


def with_numbers(login: Any, *numbers: int) -> bytes:
    for cseq, number in enumerate(numbers, 1):
        rand = bytes([cseq]) * 16
        login.vector = generate_vector(login.m, rand, number.to_bytes(6))
        login.nonce = nonce_for(login.vector.rand, login.vector.autn)
        login.call_id = f"{cseq}@x"
        login.register(1, login.first())
        login.challenge(1)
        login.register(2, login.answer())
        login.final(2)
    return bytes(login.octets)


@pytest.mark.parametrize(
    ("numbers", "back"),
    [
        ((0x20, 0x40, 0x60), False),
        ((0x40, 0x40), True),
        ((0x60, 0x40), True),
        ((0x61, 0x40, 0x42), False),  # other slots of the array
        ((0x61, 0x40, 0x41), True),
    ],
    ids=str,
)
def test_sqn_that_goes_back(login: Any, keys: dict[str, str], numbers: tuple[int, ...], back: bool) -> None:
    octets = with_numbers(login, *numbers)
    findings = found(octets, "sqn-back", **keys)
    assert bool(findings) is back
    assert found(octets, "sqn-back") == []  # nobody sees SQN without a key
    if back:
        assert findings[0].severity == Severity.ERROR
        assert f"{max(numbers):012x}" in findings[0].what and len(findings[0].frames) == 2


# -- resynchronisation -----------------------------------------------------------------------------


def asking(login: Any, *calls: int) -> bytes:
    """Write logins; each number is how often the card asks to resynchronise in one of them."""
    for number, times in enumerate(calls):
        login.call_id = f"{number}@x"
        for cseq in range(1, times + 2):
            login.vector = generate_vector(login.m, bytes([number * 16 + cseq]) * 16, bytes(6))
            login.register(cseq, login.answer(auts=bytes(14)) if cseq > 1 else login.first())
            login.nonce = nonce_for(login.vector.rand, login.vector.autn)
            login.challenge(cseq)
        login.final(times + 1)
    return bytes(login.octets)


@pytest.mark.parametrize(
    ("calls", "storm"),
    [((1,), False), ((1, 1), False), ((2,), True), ((1, 1, 1), True), ((3,), True)],
    ids=str,
)
def test_resynchronisation_again_and_again(login: Any, calls: tuple[int, ...], storm: bool) -> None:
    findings = found(asking(login, *calls), "resync-storm")
    assert len(findings) == storm
    if storm:
        assert f"{sum(calls)} times" in findings[0].what and len(findings[0].frames) == sum(calls)


# -- nobody was asked ------------------------------------------------------------------------------


def accepted(gm: Gm, *rows: str, cseq: int = 1) -> Gm:
    gm.clear(UE, PCSCF, gm.message("REGISTER sip:x SIP/2.0", cseq, f"Contact: <sip:{UE}>", *rows))
    gm.clear(PCSCF, UE, gm.message("SIP/2.0 200 OK", cseq, f"Contact: <sip:{UE}>;expires=60"))
    return gm


def test_a_registration_that_nobody_proved() -> None:
    (one,) = found(accepted(Gm()).octets, "no-authentication")
    assert (one.severity, one.frames) == (Severity.ERROR, (1, 2))


def test_one_that_was_proved_before_is_only_refreshed() -> None:
    gm = Gm(ealg="null").whole()  # the first in the capture is proved
    assert found(accepted(gm, cseq=3).octets, "no-authentication") == []
    assert found(accepted(Gm(), Gm().answer()).octets, "no-authentication") == []  # a nonce of before


def test_a_refusal_and_a_departure_are_none() -> None:
    gm = Gm()
    gm.clear(UE, PCSCF, gm.message("REGISTER sip:x SIP/2.0", 1, f"Contact: <sip:{UE}>"))
    gm.clear(PCSCF, UE, gm.message("SIP/2.0 403 Forbidden", 1))
    assert found(gm.octets, "no-authentication") == []
    gm = accepted(Gm(), "Expires: 0")
    assert found(gm.octets, "no-authentication") == []


def test_what_an_scscf_registers_with_an_application_server_is_none() -> None:
    gm = Gm()
    for start in ("REGISTER sip:as SIP/2.0", "SIP/2.0 200 OK"):
        message = gm.message(start, 1, f"Contact: <sip:{UE}>").replace(
            b"From: <sip:alice@", b"From: <sip:scscf@"
        )
        gm.clear(*((UE, PCSCF) if start.startswith("REG") else (PCSCF, UE)), message)
    assert found(gm.octets, "no-authentication") == []


# -- wrong answers ---------------------------------------------------------------------------------


def test_an_answer_that_is_not_right(login: Any, keys: dict[str, str]) -> None:
    login.register(1, login.first())
    login.challenge(1)
    login.register(2, login.answer(wrong=True))
    (one,) = found(login.octets, "wrong-response", **keys)
    assert (one.severity, one.frames) == (Severity.ERROR, (3, 5, 6))  # the challenge, the answer on two hops
    assert found(login.octets, "wrong-response") == []
    login.vector_from_hss()  # what the capture tells will do
    assert [one.frames for one in found(login.octets, "wrong-response")] == [(3, 5, 6)]


def test_somebody_elses_key_is_no_finding(login: Any) -> None:
    octets = login.whole().octets
    assert rules(octets, k=KEYS["opc"], opc=KEYS["k"]) == []
