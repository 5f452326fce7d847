"""What two ends of SDES agree on, and what they refuse."""

import os

import pytest

from imslab.errors import AuthenticationFailed, Malformed, SrtpError
from imslab.media.protection import Protection
from imslab.sip.sdp import Attribute, Media
from imslab.srtp import Profile

CM, CM_32, GCM = "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "AEAD_AES_128_GCM"
RTP = bytes.fromhex("8008000100000000 00000001") + b"sound" * 32
RTCP = bytes.fromhex("80c90001 00000001")


def media(attributes: list[Attribute], protocol: str = "RTP/SAVP") -> Media:
    return Media("audio", 40_000, protocol, ("8",), attributes=tuple(attributes))


def agreed(alices: list[str], bobs: list[str]) -> tuple[Protection, Protection]:
    alice, bob = Protection(alices, os.urandom), Protection(bobs, os.urandom)
    protocol = "RTP/SAVP" if alices else "RTP/AVP"
    alice.accept(media(bob.answer(media(alice.offer(), protocol)), protocol))
    return alice, bob


@pytest.mark.parametrize(
    ("alices", "bobs", "taken"),
    [([CM], [CM], CM), ([GCM, CM], [CM, GCM], GCM), ([CM_32, GCM], [GCM], GCM)],
    ids=["one", "the offer's order", "the second"],
)
def test_both_open_what_the_other_protects(alices: list[str], bobs: list[str], taken: str) -> None:
    alice, bob = agreed(alices, bobs)
    assert alice.profile == bob.profile == Profile.named(taken)
    for one, other in ((alice, bob), (bob, alice)):
        assert other.unprotect(one.protect(RTP)) == RTP != one.protect(RTP[:3] + b"\2" + RTP[4:])
        assert other.unprotect_rtcp(one.protect_rtcp(RTCP)) == RTCP
    with pytest.raises(AuthenticationFailed):
        alice.unprotect(alice.protect(RTP[:3] + b"\3" + RTP[4:]))  # each direction has its own key


def test_without_suites_packets_stay_as_they_are() -> None:
    alice, _ = agreed([], [])
    assert (alice.protocol, alice.profile, alice.offer()) == ("RTP/AVP", None, [])
    for step in (alice.protect, alice.unprotect, alice.protect_rtcp, alice.unprotect_rtcp):
        assert step(RTP) == RTP


def test_keys_stay_when_the_session_is_described_again() -> None:
    alice, bob = agreed([CM], [CM])
    bob.unprotect(alice.protect(RTP))
    assert alice.offer() == alice.offer()
    alice.accept(media(bob.answer(media(alice.offer()))))
    bob.accept(media(alice.answer(media(bob.offer()))))  # the other way round too
    with pytest.raises(SrtpError):  # the index goes on: this one was used
        alice.protect(RTP)
    later = RTP[:3] + b"\2" + RTP[4:]
    assert bob.unprotect(alice.protect(later)) == later


def test_every_suite_of_an_offer_has_a_key_and_a_tag_of_its_own() -> None:
    lines = [str(line).split() for line in Protection([GCM, CM], os.urandom).offer()]
    assert [line[:2] for line in lines] == [["crypto:1", GCM], ["crypto:2", CM]]
    assert lines[0][2] != lines[1][2]


def test_no_suite_in_common() -> None:
    with pytest.raises(SrtpError, match=f"this end knows {GCM}"):
        agreed([CM], [GCM])


def test_an_answer_takes_exactly_one_line_that_was_offered() -> None:
    alice, bob = Protection([CM, GCM], os.urandom), Protection([CM], os.urandom)
    (answer,) = bob.answer(media(alice.offer()))
    assert answer.value is not None
    other_tag = Attribute("crypto", answer.value.replace("1 ", "7 ", 1))
    for lines, message in (
        ([], "0 crypto lines"),
        ([answer, answer], "2 crypto"),
        ([other_tag], "of the offer"),
    ):
        with pytest.raises(SrtpError, match=message):
            alice.accept(media(lines))
    assert alice.profile is None
    alice.accept(media([Attribute("crypto", "1 broken"), answer]))  # one that breaks a rule is not there
    assert alice.profile == Profile.named(CM)


@pytest.mark.parametrize(
    ("suites", "protocol"), [([CM], "RTP/AVP"), ([], "RTP/SAVP"), ([CM], "UDP/TLS/RTP/SAVPF")]
)
def test_another_protocol_is_a_downgrade_or_a_mistake(suites: list[str], protocol: str) -> None:
    end = Protection(suites, os.urandom)
    for step in (end.answer, end.accept):
        with pytest.raises(SrtpError, match=f"the peer says {protocol}"):
            step(media(Protection([CM], os.urandom).offer(), protocol))


def test_keys_are_in_no_repr() -> None:
    alice, _ = agreed([CM], [CM])
    (line,) = alice.offer()
    assert line.value is not None
    key = line.value.rpartition(":")[2]
    assert key not in repr(alice) + repr(vars(alice)) + repr(line)


def test_an_unknown_suite_is_named() -> None:
    with pytest.raises(Malformed, match="ROT13"):
        Protection(["ROT13"], os.urandom)
