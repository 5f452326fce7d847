"""Key derivation against RFC 3711 B.3, RFC 6188 7, RFC 7714's lengths, and the key streams of B.2."""

import hashlib

import pytest

from imslab.data import vectors
from imslab.errors import Malformed
from imslab.srtp import Label, Profile, aes_cm, derive, derive_keys

VECTORS = vectors("srtp")["vectors"]
SECRET = bytes.fromhex("e1f97a0d3e018be0d64fa32c06de4139")
SALT = bytes.fromhex("0ec675ad498afeebb6960b3aabe6")


def by_kind(kind):
    found = [v for v in VECTORS if v["kind"] == kind]
    return pytest.mark.parametrize("v", found, ids=[v["id"] for v in found])


def octets(v, *names):
    return [bytes.fromhex(v[name]) for name in names]


@by_kind("kdf")
def test_each_key_of_the_rfcs(v):
    key, salt = octets(v, "master_key", "master_salt")
    for name, label in v["labels"].items():
        wanted = bytes.fromhex(v[name])
        assert derive(key, salt, label, len(wanted)).value == wanted


@by_kind("kdf_all")
def test_all_six_keys_of_a_profile(v):
    keys = derive_keys(v["profile"], *octets(v, "master_key", "master_salt"))
    for name in ("srtp_key", "srtp_auth", "srtp_salt", "srtcp_key", "srtcp_auth", "srtcp_salt"):
        assert getattr(keys, name).hex() == v[name]
    assert (keys.srtp.key, keys.srtcp.salt) == (keys.srtp_key, keys.srtcp_salt)


@by_kind("kdf_kdr")
def test_keys_change_with_the_index(v):
    key, salt = octets(v, "master_key", "master_salt")
    for case in v["cases"]:
        r = case["index_div_kdr"]
        made = derive(key, salt, Label.SRTP_KEY, 16, index=256 * r + 255, kdr=256 if r else 0)
        assert (made.value.hex(), made.r) == (case["cipher_key"], r)


@by_kind("aes_cm_keystream")
def test_key_stream_blocks(v):
    key, block = octets(v, "session_key", "counter_block")
    assert aes_cm(key, block, 16).hex() == v["keystream"]
    # ... and as the block that it is in a stream from the first
    first = bytes.fromhex(v["session_salt_shifted"])
    assert aes_cm(key, first, 16 * (v["block_index"] + 1))[-16:].hex() == v["keystream"]


@by_kind("aes_cm_keystream_length")
def test_a_whole_segment_of_key_stream(v):
    stream = aes_cm(
        bytes.fromhex(v["session_key"]), bytes.fromhex("f0f1f2f3f4f5f6f7f8f9fafbfcfd0000"), v["octets"]
    )
    assert hashlib.sha256(stream).hexdigest() == v["sha256_of_keystream"]


def test_the_steps_of_a_derivation_are_those_of_rfc_3711_b_3():
    step = derive(SECRET, SALT, Label.SRTP_AUTH, 94)
    assert step.key_id.hex() == "01000000000000"
    assert step.x.hex() == "0ec675ad498afeeab6960b3aabe6"  # the label stands at octet 7
    assert step.block == step.x + b"\0\0"
    assert len(step.key_stream) == 96 and step.key_stream.startswith(step.value)
    assert step.key_stream == aes_cm(SECRET, step.block, 96)


def test_a_salt_of_12_octets_is_padded_on_the_right():
    step = derive(bytes(16), b"\xff" * 12, Label.SRTP_SALT, 12)
    assert step.salt == b"\xff" * 12 + b"\0\0"
    assert step.x.hex() == "ffffffffffffff" + "fd" + "ffffffff0000"


def test_srtcp_counts_its_own_index():
    keys = derive_keys("AES_CM_128_HMAC_SHA1_80", SECRET, SALT, index=0, srtcp_index=16, kdr=16)
    assert keys.srtp == derive_keys("AES_CM_128_HMAC_SHA1_80", SECRET, SALT).srtp
    assert keys.srtcp.key == derive(SECRET, SALT, Label.SRTCP_KEY, 16, index=16, kdr=16).value


@pytest.mark.parametrize("kdr", [-1, 3, 1 << 25, 12])
def test_a_derivation_rate_is_a_power_of_two(kdr):
    with pytest.raises(Malformed, match="key derivation rate"):
        derive(SECRET, SALT, 0, 16, kdr=kdr)


@pytest.mark.parametrize("kdr", [1, 2, 1 << 24])
def test_rates_from_1_to_2_to_the_24(kdr):
    assert derive(SECRET, SALT, 0, 16, index=kdr, kdr=kdr).r == 1


@pytest.mark.parametrize("index", [-1, 1 << 48])
def test_an_index_has_48_bits(index):
    with pytest.raises(Malformed, match="packet index"):
        derive(SECRET, SALT, 0, 16, index=index, kdr=1)


@pytest.mark.parametrize("lengths", [(15, 14), (16, 13), (17, 14), (16, 15)])
def test_lengths_that_no_profile_has_are_refused(lengths):
    with pytest.raises(Malformed, match="octets"):
        derive(bytes(lengths[0]), bytes(lengths[1]), 0, 16)
    with pytest.raises(Malformed, match="AES_CM_128_HMAC_SHA1_80 must be"):
        derive_keys("AES_CM_128_HMAC_SHA1_80", bytes(lengths[0]), bytes(lengths[1]))


def test_the_keys_of_another_profile_are_refused():
    with pytest.raises(Malformed, match="must be 12 octets"):
        derive_keys(Profile.named("AEAD_AES_128_GCM"), SECRET, SALT)


def test_no_key_is_in_a_repr():
    shown = repr((derive(SECRET, SALT, 0, 16), derive_keys("AES_CM_128_HMAC_SHA1_80", SECRET, SALT)))
    assert "c61e7a93" not in shown and "\\xc6" not in shown and "e1f97a0d" not in shown
