"""GBA key derivation against the numbers in data/vectors/gba.json (TS 33.220, annex B)."""

from typing import Any

import pytest

from imslab.aka import gba
from imslab.data import vectors
from imslab.errors import Malformed

KNOWN = vectors("gba")
ENTRIES = pytest.mark.parametrize("entry", KNOWN["vectors"], ids=lambda entry: str(entry["id"]))
RAND, KS = bytes(range(16)), bytes(32)


def octets(entry: dict[str, Any], *names: str) -> list[bytes]:
    return [bytes.fromhex(entry[name]) for name in names]


@ENTRIES
def test_keys(entry: dict[str, Any]) -> None:
    ck, ik, ks, rand = octets(entry, "ck", "ik", "ks", "rand")
    assert gba.ks(ck, ik) == ks
    identifier = gba.naf_id(entry["naf_fqdn"], bytes.fromhex(entry["ua_security_protocol_id"]))
    assert identifier.hex() == entry["naf_id"]
    arguments = ks, rand, entry["impi"], identifier
    assert gba.ks_naf(*arguments).hex() == entry["ks_naf"]
    assert gba.ks_ext_naf(*arguments).hex() == entry["ks_ext_naf"]
    assert gba.ks_int_naf(*arguments).hex() == entry["ks_int_naf"]


@ENTRIES
def test_what_is_hashed(entry: dict[str, Any]) -> None:
    rand, identifier = octets(entry, "rand", "naf_id")
    assert gba.kdf_input(b"gba-me", rand, entry["impi"], identifier).hex() == entry["kdf_s_gba_me"]
    assert gba.kdf_input(b"gba-u", rand, entry["impi"], identifier).hex() == entry["kdf_s_gba_u"]


@ENTRIES
def test_names_and_password(entry: dict[str, Any]) -> None:
    (rand, key) = octets(entry, "rand", "ks_naf")
    assert gba.b_tid(rand, entry["btid"].partition("@")[2]) == entry["btid"]
    assert gba.password(key) == entry["http_digest_password"]


@pytest.mark.parametrize("entry", KNOWN["tmpi"], ids=lambda entry: str(entry["id"]))
def test_tmpi(entry: dict[str, Any]) -> None:
    ks, rand, bsf_id = octets(entry, "ks", "rand", "bsf_id")
    assert gba.tmpi(ks, rand, entry["impi"], bsf_id) == entry["tmpi"]
    assert gba.naf_id("bsf.mnc001.mcc001.pub.3gppnetwork.org", gba.UA_TMPI) == bsf_id


def test_every_list_of_the_file_is_read() -> None:
    assert {name for name, value in KNOWN.items() if isinstance(value, list)} == {"vectors", "tmpi"}


def test_another_naf_protocol_user_or_run_has_another_key() -> None:
    one = KS, RAND, "a@b", gba.naf_id("naf.example.com")
    others = [
        (KS, RAND, "a@b", gba.naf_id("naf.example.org")),
        (KS, RAND, "a@b", gba.naf_id("naf.example.com", gba.UA_TMPI)),
        (KS, RAND, "a@c", gba.naf_id("naf.example.com")),
        (KS, bytes(16), "a@b", gba.naf_id("naf.example.com")),
        (b"\1" * 32, RAND, "a@b", gba.naf_id("naf.example.com")),
    ]
    assert len({gba.ks_naf(*arguments) for arguments in [one, *others]}) == 6


def test_the_digest_of_a_naf_has_its_own_protocol_identifier() -> None:
    assert gba.naf_id("naf") == b"naf\x01\x00\x00\x00\x02"


@pytest.mark.parametrize("length", [0, 15, 17, 32])
def test_lengths_are_checked(length: int) -> None:
    wrong = bytes(length)
    with pytest.raises(Malformed, match="ck must be 16"):
        gba.ks(wrong, RAND)
    with pytest.raises(Malformed, match="ik must be 16"):
        gba.ks(RAND, wrong)
    with pytest.raises(Malformed, match="rand must be 16"):
        gba.b_tid(wrong, "bsf")
    with pytest.raises(Malformed, match="rand must be 16"):
        gba.ks_naf(KS, wrong, "a", b"naf")
    with pytest.raises(Malformed, match="identifier must be 5"):
        gba.naf_id("naf", wrong)


def test_other_bad_values() -> None:
    for name in ("", "näf.example"):
        with pytest.raises(Malformed, match="ASCII"):
            gba.naf_id(name)
    with pytest.raises(Malformed, match="ks must be 32"):
        gba.ks_naf(bytes(31), RAND, "a", b"naf")
    with pytest.raises(Malformed, match="ks_naf must be 32"):
        gba.password(bytes(31))
    with pytest.raises(Malformed, match="too long"):
        gba.ks_naf(KS, RAND, "a" * 65536, b"naf")
    with pytest.raises(Malformed, match="no text"):
        gba.ks_naf(KS, RAND, "\ud800", b"naf")
