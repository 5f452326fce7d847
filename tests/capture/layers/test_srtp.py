"""SRTP in scapy's tree, sealed and opened with our sessions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.rtp import RTP

from imslab.capture.layers import SRTP, SRTP32, SRTPGCM
from imslab.capture.layers.srtp import looks_like_rtp, with_tag
from imslab.errors import AuthenticationFailed
from imslab.srtp import Profile, Session

PROFILES = {
    "AES_CM_128_HMAC_SHA1_80": SRTP, "AES_CM_128_HMAC_SHA1_32": SRTP32, "AEAD_AES_128_GCM": SRTPGCM,
}  # fmt: skip


def session(name: str) -> Session:
    profile = Profile.named(name)
    return Session(profile, bytes(profile.key_length), bytes(profile.salt_length))


@pytest.mark.parametrize("name", PROFILES)
def test_protected_and_unprotected(name: str) -> None:
    rtp = RTP(payload_type=8, sequence=7, timestamp=160, sourcesync=0xABCD, sync=[1, 2]) / b"media"
    packet = SRTP.protected(rtp, session(name))
    assert type(packet) is PROFILES[name]
    assert (packet.payload_type, packet.sequence, packet.ssrc, packet.csrc) == (8, 7, 0xABCD, [1, 2])
    assert (len(packet.ciphertext), len(packet.tag)) == (5, packet.tag_length)
    assert packet.unprotected(session(name)) == RTP(bytes(rtp))
    packet.tag = bytes(len(packet.tag))
    with pytest.raises(AuthenticationFailed):
        packet.unprotected(session(name))


def test_summary() -> None:
    assert SRTP(sequence=7, ssrc=0xABCD).mysummary() == "SRTP SSRC 0000abcd sequence 7"


def test_an_extension_stays_in_clear() -> None:
    octets = bytes.fromhex("90000001 00000002 00000003 bede0001 aabbccdd") + b"cipher" + b"t" * 10
    packet = SRTP(octets)
    assert (packet.extension_profile, packet.extension_data) == (0xBEDE, bytes.fromhex("aabbccdd"))
    assert (packet.ciphertext, packet.tag) == (b"cipher", b"t" * 10)
    packet.clear_cache()
    assert bytes(packet) == octets
    built = SRTP(extension=1, sequence=1, timestamp=2, ssrc=3, extension_data=bytes.fromhex("aabbccdd"))
    assert bytes(built / b"") == octets[:20]


@pytest.mark.parametrize("layer", [SRTP, SRTP32, SRTPGCM])
@given(octets=st.binary(max_size=60))
def test_anything_is_built_again_as_it_came(layer: type[SRTP], octets: bytes) -> None:
    packet = layer(b"\x80\x08" + bytes(10) + octets)
    packet.clear_cache()
    assert bytes(packet) == b"\x80\x08" + bytes(10) + octets
    assert len(packet.tag) == min(layer.tag_length, len(octets))


def test_the_class_is_that_of_the_tag() -> None:
    assert [with_tag(length) for length in (4, 10, 16, 3)] == [SRTP32, SRTP, SRTPGCM, SRTP]


def test_the_form_of_rtp() -> None:
    assert looks_like_rtp(b"\x80\x00" + bytes(10))
    assert looks_like_rtp(b"\xbf\xff" + bytes(10))
    for octets in (
        b"",
        b"\x80" + bytes(10),
        b"\x40" + bytes(11),
        b"\x80\xc8" + bytes(10),
        b"\x80\xdf" + bytes(10),
    ):
        assert not looks_like_rtp(octets)
    assert looks_like_rtp(b"\x80\xbf" + bytes(10)) and looks_like_rtp(b"\x80\xe0" + bytes(10))
