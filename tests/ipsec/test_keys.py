"""Key expansion of TS 33.203, annex I, against data/vectors/sec_agree.json."""

from typing import Any

import pytest

from imslab.data import vectors
from imslab.errors import Malformed
from imslab.ipsec import keys

ENTRIES = pytest.mark.parametrize(
    "entry", vectors("sec_agree")["key_expansion"], ids=lambda entry: str(entry["id"])
)
CK, IK = bytes(range(16)), bytes(range(16, 32))


def both(entry: dict[str, Any]) -> tuple[bytes, bytes]:
    return bytes.fromhex(entry["ck_im"]), bytes.fromhex(entry["ik_im"])


@ENTRIES
def test_integrity_keys(entry: dict[str, Any]) -> None:
    ck, ik = both(entry)
    assert keys.integrity_key("hmac-md5-96", ck, ik).hex() == entry["hmac_md5_96"]
    assert keys.integrity_key("hmac-sha-1-96", ck, ik).hex() == entry["hmac_sha_1_96"]
    gmac = entry["aes_gmac_key"] + entry["aes_gmac_salt"]
    assert keys.integrity_key("aes-gmac", ck, ik).hex() == gmac
    assert keys.gmac_salt(ck, ik).hex() == entry["aes_gmac_salt"]


@ENTRIES
def test_encryption_keys(entry: dict[str, Any]) -> None:
    ck, ik = both(entry)
    assert keys.encryption_key("aes-cbc", ck, ik).hex() == entry["aes_cbc"]
    assert keys.encryption_key("null", ck, ik).hex() == entry["null_ealg"] == ""
    gcm = entry["aes_gcm_key"] + entry["aes_gcm_salt"]
    assert keys.encryption_key("aes-gcm", ck, ik).hex() == gcm
    assert keys.gcm_salt(ck, ik).hex() == entry["aes_gcm_salt"]


@ENTRIES
def test_three_des_has_two_keys_and_the_first_again(entry: dict[str, Any]) -> None:
    key = keys.encryption_key("des-ede3-cbc", *both(entry))
    assert key.hex() == entry["des_ede3_cbc"]
    assert keys.odd_parity(key).hex() == entry["des_ede3_cbc_parity_adjusted"]


@ENTRIES
def test_what_is_hashed_for_the_salts(entry: dict[str, Any]) -> None:
    assert keys.kdf_input(b"\x58", b"AES_GMAC_SALT").hex() == entry["aes_gmac_kdf_s"]
    assert keys.kdf_input(b"\x59", b"AES_GCM_SALT").hex() == entry["aes_gcm_kdf_s"]


def test_the_salts_depend_on_both_keys() -> None:
    salts = {keys.gcm_salt(CK, IK), keys.gcm_salt(IK, CK), keys.gmac_salt(CK, IK), keys.gcm_salt(CK, CK)}
    assert len(salts) == 4
    assert all(len(salt) == keys.SALT for salt in salts)


def test_names_are_those_of_the_header_in_any_case() -> None:
    assert keys.integrity_key("HMAC-SHA-1-96", CK, IK) == keys.integrity_key("hmac-sha-1-96", CK, IK)
    assert keys.integrity_key("null", CK, IK) == b""


@pytest.mark.parametrize("expand", [keys.integrity_key, keys.encryption_key])
def test_what_has_no_expansion_is_refused(expand: Any) -> None:
    for name in ("", "hmac-sha-256-128", "aes-ctr"):
        with pytest.raises(Malformed, match="has no key expansion"):
            expand(name, CK, IK)


@pytest.mark.parametrize(("ck", "ik"), [(CK[1:], IK), (CK, IK + b"\0"), (b"", b"")])
def test_lengths(ck: bytes, ik: bytes) -> None:
    for name in ("hmac-md5-96", "hmac-sha-1-96", "aes-gmac", "null"):
        with pytest.raises(Malformed, match="must be 16 octets") as refused:
            keys.integrity_key(name, ck, ik)
        assert CK[1:].hex() not in str(refused.value)
    for name in ("null", "des-ede3-cbc", "aes-cbc", "aes-gcm"):
        with pytest.raises(Malformed, match="must be 16 octets"):
            keys.encryption_key(name, ck, ik)


def test_odd_parity_changes_the_last_bit_alone() -> None:
    adjusted = keys.odd_parity(bytes(range(256)))
    assert all(octet.bit_count() % 2 == 1 for octet in adjusted)
    assert all(old & 0xFE == new & 0xFE for old, new in enumerate(adjusted))
