"""A key tried on packets: the tag tells whose they are, and which ROC they have."""

import pytest

from imslab.errors import Malformed, SrtpError
from imslab.srtp import PROFILES, Candidate

NAMES = [profile.name for profile in PROFILES]


@pytest.fixture
def candidate(master):
    return lambda name="AES_CM_128_HMAC_SHA1_80", **options: Candidate(*master(name), **options)


@pytest.mark.parametrize("name", NAMES)
def test_a_packet_is_known_by_its_tag(name, candidate, session, rtp, rtcp):
    sealed, sealed_rtcp = session(name).protect(rtp(7)), session(name).protect_rtcp(rtcp())
    assert candidate(name).matches(sealed)
    assert candidate(name).matches(sealed)  # as often as one likes: there is no replay
    assert candidate(name).matches(sealed_rtcp, rtcp=True)
    assert not candidate(name).matches(sealed[:-1] + bytes([sealed[-1] ^ 1]))
    assert not candidate(name).matches(sealed, roc=1)


def test_no_other_key_matches(candidate, session, rtp):
    sealed = session().protect(rtp(7))
    others = [name for name in NAMES if name not in ("AES_CM_128_HMAC_SHA1_80", "NULL_HMAC_SHA1_80")]
    assert [name for name in others if candidate(name).matches(sealed)] == []


@pytest.mark.parametrize("packet", [b"", b"\x80\0", bytes(40)])
def test_what_is_no_packet_matches_nothing(packet, candidate):
    assert not candidate().matches(packet)
    assert not candidate().matches(packet, rtcp=True)


def test_another_mki_matches_nothing(candidate, session, rtp):
    sealed = session(mki=b"\1").protect(rtp(7))
    assert candidate(mki=b"\1").matches(sealed)
    assert not candidate(mki=b"\2").matches(sealed)
    with pytest.raises(SrtpError, match="MKI"):
        candidate(mki=b"\2").find_roc(sealed)


@pytest.mark.parametrize("roc", [0, 5, 1023])
def test_the_roc_is_found(roc, candidate, session, rtp):
    assert candidate().find_roc(session(roc=roc).protect(rtp(7))) == roc


def test_a_roc_that_is_not_among_those_tried(candidate, session, rtp):
    sealed = session(roc=2000).protect(rtp(7))
    assert candidate().find_roc(sealed) is None
    assert candidate().find_roc(sealed, range(1990, 2010)) == 2000
    with pytest.raises(Malformed):
        candidate().find_roc(b"\x80")
