"""The protection profiles: names, lengths, codes."""

import pytest

from imslab.errors import Malformed
from imslab.srtp import PROFILES, Cipher, Profile

NAMES = [
    ("AES_CM_128_HMAC_SHA1_80", 16, 14, 10, 10, 1),
    ("AES_CM_128_HMAC_SHA1_32", 16, 14, 4, 10, 2),
    ("AES_192_CM_HMAC_SHA1_80", 24, 14, 10, 10, None),
    ("AES_192_CM_HMAC_SHA1_32", 24, 14, 4, 10, None),
    ("AES_256_CM_HMAC_SHA1_80", 32, 14, 10, 10, None),
    ("AES_256_CM_HMAC_SHA1_32", 32, 14, 4, 10, None),
    ("AEAD_AES_128_GCM", 16, 12, 16, 16, 7),
    ("AEAD_AES_256_GCM", 32, 12, 16, 16, 8),
    ("NULL_HMAC_SHA1_80", 16, 14, 10, 10, 5),
    ("NULL_HMAC_SHA1_32", 16, 14, 4, 10, 6),
]


@pytest.mark.parametrize(("name", "key", "salt", "tag", "rtcp_tag", "code"), NAMES)
def test_lengths_of_each_profile(name, key, salt, tag, rtcp_tag, code):
    profile = Profile.named(name)
    assert (profile.key_length, profile.salt_length, profile.master_length) == (key, salt, key + salt)
    assert (profile.tag_length, profile.rtcp_tag_length) == (tag, rtcp_tag)
    assert profile.code == code
    assert profile.auth_key_length == (0 if profile.cipher is Cipher.AES_GCM else 20)
    assert str(profile) == name


def test_no_profile_is_left_out():
    assert [profile.name for profile in PROFILES] == [name for name, *_ in NAMES]


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("SRTP_AES128_CM_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_80"),  # DTLS
        ("SRTP_AES128_CM_SHA1_32", "AES_CM_128_HMAC_SHA1_32"),  # OpenSSL
        ("SRTP_AEAD_AES_256_GCM", "AEAD_AES_256_GCM"),
        ("SRTP_NULL_HMAC_SHA1_80", "NULL_HMAC_SHA1_80"),
        ("AES_CM_256_HMAC_SHA1_80", "AES_256_CM_HMAC_SHA1_80"),
        ("AES_128_CM_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_80"),
        ("aes_cm_128_hmac_sha1_80", "AES_CM_128_HMAC_SHA1_80"),
    ],
)
def test_the_names_of_others_are_known(alias, name):
    assert Profile.named(alias).name == name
    assert Profile.named(Profile.named(alias)).name == name


@pytest.mark.parametrize("name", ["", "F8_128_HMAC_SHA1_80", "AES_CM_128", "x" * 5000])
def test_an_unknown_name_is_refused_with_those_that_are_known(name):
    with pytest.raises(Malformed, match="AEAD_AES_128_GCM") as caught:
        Profile.named(name)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("profile", [one for one in PROFILES if one.code], ids=str)
def test_codes_lead_back(profile):
    assert Profile.coded(profile.code) is profile


def test_an_unknown_code_is_refused():
    with pytest.raises(Malformed, match="0x0003"):
        Profile.coded(3)
