"""libsrtp (pylibsrtp) and ours: each opens what the other protected, and refuses what the other refuses."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pylibsrtp import Error, Policy
from pylibsrtp import Session as Libsrtp

from imslab.errors import Replayed
from imslab.srtp import Profile, Session, bulk

PROFILES = {
    "AES_CM_128_HMAC_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
    "AEAD_AES_128_GCM": Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    "AEAD_AES_256_GCM": Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
}
LONGEST = 1300  # pylibsrtp's buffer has 1500 octets
SSRCS = st.integers(0, (1 << 32) - 1)


@st.composite
def keys(draw):
    name = draw(st.sampled_from(sorted(PROFILES)))
    profile = Profile.named(name)
    return name, draw(st.binary(min_size=profile.master_length, max_size=profile.master_length))


@st.composite
def rtp_packets(draw):
    """Draw RTP packets in order: CSRCs, extensions, padding, losses, perhaps over the wrap."""
    ssrc, seq, packets = draw(SSRCS), draw(st.integers(0, 65535)), []
    for _ in range(draw(st.integers(1, 6))):
        csrcs, extended = draw(st.integers(0, 15)), draw(st.booleans())
        first = 0x80 | draw(st.sampled_from([0, 0x20])) | (0x10 if extended else 0) | csrcs
        header = (
            bytes([first, draw(st.integers(0, 255))])
            + seq.to_bytes(2)
            + draw(st.binary(min_size=4, max_size=4))
        )
        header += ssrc.to_bytes(4) + bytes(range(4 * csrcs))
        if extended:
            words = draw(st.integers(0, 20))
            header += b"\xbe\xde" + words.to_bytes(2) + bytes(4 * words)
        packets.append(header + draw(st.binary(max_size=LONGEST - len(header))))
        seq = (seq + draw(st.integers(1, 3))) % 65536
    return packets


@st.composite
def rtcp_packets(draw):
    ssrc = draw(SSRCS).to_bytes(4)
    bodies = draw(
        st.lists(
            st.binary(max_size=LONGEST // 4).map(lambda one: one[: len(one) // 4 * 4]), min_size=1, max_size=5
        )
    )
    kinds = st.sampled_from([200, 201, 205, 206])
    return [bytes([0x80, draw(kinds)]) + (1 + len(one) // 4).to_bytes(2) + ssrc + one for one in bodies]


def libsrtp(name, key, kind):
    return Libsrtp(Policy(key=key, ssrc_type=kind, srtp_profile=PROFILES[name]))


def sender(name, key):
    return libsrtp(name, key, Policy.SSRC_ANY_OUTBOUND)


def receiver(name, key):
    return libsrtp(name, key, Policy.SSRC_ANY_INBOUND)


def ours(name, key, **options):
    profile = Profile.named(name)
    return Session(profile, key[: profile.key_length], key[profile.key_length :], **options)


def in_bulk(name, key, packets, **options):
    profile = Profile.named(name)
    starts = [sum(map(len, packets[:position])) for position in range(len(packets))]
    master = key[: profile.key_length], key[profile.key_length :]
    return list(
        bulk.unprotect(profile, *master, b"".join(packets), starts, list(map(len, packets)), **options)
    )


@settings(deadline=None)
@given(keys(), rtp_packets())
def test_srtp_of_libsrtp_is_ours_octet_by_octet(drawn, packets):
    name, key = drawn
    theirs, mine = sender(name, key), ours(name, key)
    sealed = [theirs.protect(packet) for packet in packets]
    assert [mine.protect(packet) for packet in packets] == sealed
    opening = ours(name, key)
    assert [opening.unprotect(one) for one in sealed] == packets
    assert in_bulk(name, key, sealed) == packets


@settings(deadline=None)
@given(keys(), rtp_packets())
def test_libsrtp_opens_our_srtp(drawn, packets):
    name, key = drawn
    mine, theirs = ours(name, key), receiver(name, key)
    assert [theirs.unprotect(mine.protect(packet)) for packet in packets] == packets


@settings(deadline=None)
@given(keys(), rtcp_packets())
def test_srtcp_of_libsrtp_is_ours_octet_by_octet(drawn, packets):
    name, key = drawn
    theirs, mine = sender(name, key), ours(name, key, srtcp_index=1)  # libsrtp's first index is 1
    sealed = [theirs.protect_rtcp(packet) for packet in packets]
    assert [mine.protect_rtcp(packet) for packet in packets] == sealed
    opening = ours(name, key)
    assert [opening.unprotect_rtcp(one) for one in sealed] == packets
    assert in_bulk(name, key, sealed, rtcp=True) == packets


@settings(deadline=None)
@given(keys(), rtcp_packets())
def test_libsrtp_opens_our_srtcp(drawn, packets):
    name, key = drawn
    mine, theirs = ours(name, key), receiver(name, key)
    assert [theirs.unprotect_rtcp(mine.protect_rtcp(packet)) for packet in packets] == packets


@settings(deadline=None)
@given(st.lists(st.integers(-140, 200), min_size=1, max_size=60), st.sampled_from(sorted(PROFILES)))
def test_both_accept_and_refuse_the_same(steps, name):
    """Reordered, late and repeated packets in ROC 1, where no guess leads before ROC 0."""
    key = bytes(range(Profile.named(name).master_length))
    seq, sealing = 65536 + 5000, ours(name, key, window=32768)
    theirs, mine = receiver(name, key), ours(name, key)
    for warm_up in range(40000, 65536 + 5000, 20000):
        packet = sealing.protect(bytes([0x80, 0]) + (warm_up % 65536).to_bytes(2) + bytes(8) + b"payload")
        assert theirs.unprotect(packet) == mine.unprotect(packet)
    sealed = {}
    for step in steps:
        seq += step
        if seq not in sealed:
            sealed[seq] = sealing.protect(
                bytes([0x80, 0]) + (seq % 65536).to_bytes(2) + bytes(8) + b"payload"
            )
        try:
            expected = theirs.unprotect(sealed[seq])
        except Error:
            with pytest.raises(Replayed):
                mine.unprotect(sealed[seq])
        else:
            assert mine.unprotect(sealed[seq]) == expected
