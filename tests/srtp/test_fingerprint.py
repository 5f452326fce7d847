"""Certificate fingerprints against a=fingerprint."""

import hashlib

import pytest

from imslab.errors import FingerprintMismatch, Malformed
from imslab.srtp.fingerprint import HASHES, Fingerprint, check_fingerprints

CERTIFICATE, OTHER = b"a certificate in DER", b"another certificate"


def upper(name, certificate=CERTIFICATE):
    digest = hashlib.new(name.replace("-", ""), certificate).digest()
    return ":".join(f"{octet:02X}" for octet in digest)


@pytest.mark.parametrize("name", HASHES)
def test_each_hash(name):
    shown = f"{name} {upper(name)}"
    assert str(Fingerprint.of(CERTIFICATE, name)) == shown
    assert Fingerprint.parse(shown) == Fingerprint.of(CERTIFICATE, name)
    Fingerprint.parse(shown).check(CERTIFICATE)
    with pytest.raises(FingerprintMismatch, match=name):
        Fingerprint.parse(shown).check(OTHER)


def test_an_example_of_rfc_8122():
    text = "sha-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB"
    assert str(Fingerprint.parse(text)) == text
    assert Fingerprint.parse(text.lower().replace("sha-1", "SHA-1")) == Fingerprint.parse(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "bad a=fingerprint"),
        ("sha-256", "bad a=fingerprint"),
        ("sha-256 AA BB", "bad a=fingerprint"),
        ("sha-256 AA:BB", "2 octets"),
        (f"sha-1 {upper('sha-256')}", "32 octets"),
        (f"sha-3 {upper('sha-256')}", "unknown hash"),
        ("md5 " + ":".join(["AA"] * 16), "must not be used"),
        (f"sha-256 {upper('sha-256').replace(':', '')}", "bad octets"),
        (f"sha-256 {upper('sha-256')}:", "bad octets"),
        (f"sha-256 {upper('sha-256')[:-1]}G", "bad octets"),
        (f"sha-256 {upper('sha-256')[:-2]}+1", "bad octets"),
    ],
)
def test_what_is_no_fingerprint(text, why):
    with pytest.raises(Malformed, match=why):
        Fingerprint.parse(text)


def test_the_strongest_hash_counts():
    weak, strong = Fingerprint.of(CERTIFICATE, "sha-1"), Fingerprint.of(CERTIFICATE, "sha-384")
    assert check_fingerprints([strong, weak], CERTIFICATE) is strong
    # A weak hash that matches does not help a strong one that does not.
    with pytest.raises(FingerprintMismatch, match="sha-384"):
        check_fingerprints([weak, Fingerprint.of(OTHER, "sha-384")], CERTIFICATE)


def test_one_of_several_certificates_will_do():
    announced = [Fingerprint.of(OTHER), Fingerprint.of(CERTIFICATE)]
    assert check_fingerprints(announced, CERTIFICATE) == announced[1]


def test_no_fingerprint_is_no_identity():
    with pytest.raises(FingerprintMismatch, match="no fingerprint"):
        check_fingerprints([], CERTIFICATE)


def test_an_unknown_hash_cannot_be_computed():
    with pytest.raises(Malformed):
        Fingerprint.of(CERTIFICATE, "md5")
