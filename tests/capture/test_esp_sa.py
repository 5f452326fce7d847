"""Wireshark's table of security associations."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imslab.capture.esp_sa import ENCRYPTIONS, INTEGRITIES, Row, is_known_to_wireshark, parse, written
from imslab.errors import Malformed

LINE = (
    '"IPv4","10.0.0.1","10.0.0.2","0x1001","AES-CBC [RFC3602]","0x000102030405060708090a0b0c0d0e0f",'
    '"HMAC-SHA-1-96 [RFC2404]","hmacsha1authenticati"'
)


def changed(**values: str) -> str:
    names = (
        "family",
        "source",
        "destination",
        "spi",
        "encryption",
        "encryption_key",
        "integrity",
        "integrity_key",
    )
    fields = dict(zip(names, LINE.strip('"').split('","'), strict=True)) | values
    return ",".join(f'"{fields[name]}"' for name in names)


def test_a_row() -> None:
    (row,) = parse(f"# a comment\n\n  # another\n{LINE}\n")
    assert (row.source, row.destination, row.spi) == ("10.0.0.1", "10.0.0.2", "0x00001001")
    assert (row.encryption, row.encryption_key) == ("aes-cbc", bytes(range(16)))
    assert (row.integrity, row.integrity_key) == ("hmac-sha-1-96", b"hmacsha1authenticati")
    assert row.unchecked is None
    sa = row.association(0x1001)
    assert (sa.spi, sa.encryption, sa.integrity_key) == (0x1001, "aes-cbc", b"hmacsha1authenticati")
    assert "hmacsha1" not in repr(row) and "0001" not in repr(row).replace("0x00001001", "")


def test_newer_files_have_more_fields() -> None:
    assert parse(f'{LINE},"32-bit","0"') == parse(LINE)


def test_a_short_hmac_key_is_filled_with_zeros_which_changes_nothing() -> None:
    (row,) = parse(changed(integrity_key="0x" + "11" * 16))
    assert row.integrity_key == b"\x11" * 16 + bytes(4)


def test_what_nobody_can_check() -> None:
    (row,) = parse(changed(integrity="ANY 96 bit authentication [no checking]", integrity_key=""))
    assert (row.integrity, row.integrity_key, row.unchecked) == ("null", b"", 12)
    (row,) = parse(changed(integrity="ANY 256 bit authentication [no checking]", integrity_key="0x00"))
    assert (row.integrity_key, row.unchecked) == (b"", 32)


@pytest.mark.parametrize("name", ["AES-GCM [RFC4106]", "AES-GCM with 16 octet ICV [RFC4106]"])
@pytest.mark.parametrize("integrity", ["NULL", "ANY 128 bit authentication [no checking]"])
def test_gcm_checks_by_itself(name: str, integrity: str) -> None:
    text = changed(encryption=name, encryption_key="0x" + "22" * 20, integrity=integrity, integrity_key="")
    (row,) = parse(text)
    assert (row.encryption, row.integrity, row.unchecked) == ("aes-gcm", "null", None)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"encryption": "TWOFISH-CBC"}, "line 1: encryption 'TWOFISH-CBC'"),
        ({"integrity": "MAC-RIPEMD-160-96 [RFC2857]"}, "authentication 'MAC-RIPEMD"),
        ({"integrity": "ANY 97 bit authentication [no checking]"}, "authentication 'ANY 97"),
        ({"encryption_key": "0x00"}, "the key of aes-cbc must be 16 or 24 or 32 octets, not 1"),
        ({"encryption_key": "0x0"}, "odd number"),
        ({"integrity_key": "0x" + "00" * 21}, "must be 20 octets, not 21"),
        ({"spi": "0xg"}, "is no SPI"),
        ({"spi": "4294967296"}, "is no SPI"),
        ({"spi": "0x123456789"}, "is no SPI"),
        ({"source": "host.example"}, "is no address"),
        (
            {"encryption": "AES-GCM [RFC4106]", "encryption_key": "0x" + "0" * 40,
             "integrity": "ANY 64 bit authentication [no checking]"},
            "16 octets",
        ),
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_used_says_its_line(values: dict[str, str], message: str) -> None:
    with pytest.raises(Malformed, match=message.replace("[", r"\[")) as refused:
        parse(changed(**values))
    assert "hmacsha1authenticati" not in str(refused.value)


def test_too_few_fields_and_too_many_rows() -> None:
    with pytest.raises(Malformed, match="line 2: 3 fields"):
        parse(f'{LINE}\n"IPv4","a","b"')
    with pytest.raises(Malformed, match="more than 10000 rows"):
        parse(f"{LINE}\n" * 10_001)


def row(**values: str) -> Row:
    (found,) = parse(changed(**values))
    return found


@pytest.mark.parametrize(
    ("values", "fits"),
    [
        ({}, True),
        ({"spi": "4097"}, True),
        ({"spi": "*"}, True),
        ({"spi": "0x100*"}, True),
        ({"spi": "0x101*"}, False),
        ({"spi": "0x1002"}, False),
        ({"source": "*"}, True),
        ({"source": "10.0.*.1"}, True),
        ({"source": "10.1.*.1"}, False),
        ({"destination": "10.0.0.3"}, False),
        ({"destination": "*:*"}, False),
    ],
    ids=str,
)
def test_which_packets_are_meant(values: dict[str, str], fits: bool) -> None:
    assert row(**values).fits("10.0.0.1", "10.0.0.2", 0x1001) is fits


def test_ipv6_in_any_spelling() -> None:
    one = row(family="IPv6", source="3FFE:0:0::1", destination="3ffe::*")
    assert one.fits("3ffe::1", "3ffe::2", 0x1001)
    assert not one.fits("3ffe::2", "3ffe::2", 0x1001)


@pytest.mark.parametrize("encryption", ENCRYPTIONS)
@pytest.mark.parametrize("integrity", INTEGRITIES)
def test_every_name_is_read_and_written(encryption: str, integrity: str) -> None:
    lengths = {"null": 0, "des-ede3-cbc": 24, "aes-cbc": 32, "aes-ctr": 20, "des-cbc": 8, "aes-gcm": 20}
    length = lengths[ENCRYPTIONS[encryption]]
    key = "0x" + "33" * length if length else ""
    (one,) = parse(changed(encryption=encryption, encryption_key=key, integrity=integrity, integrity_key=""))
    assert parse(written([one])) == [one]


@given(
    st.lists(st.sampled_from(["", "*", "10.0.0.1", "::1"]), min_size=2, max_size=2), st.integers(1, 2**32 - 1)
)
def test_written_and_read(ends: list[str], spi: int) -> None:
    source, destination = (end or "*" for end in ends)
    one = Row(source, destination, f"0x{spi:08x}", "des-cbc", b"12345678", "hmac-md5-96", bytes(16))
    text = written([one, one])
    assert text.startswith("# Written by imslab")
    assert parse(text) == [one, one]
    assert ('"IPv6"' in text) == ("::1" in (source, destination))


def test_what_wireshark_has_no_name_for() -> None:
    gmac = Row("*", "*", "*", "null", b"", "aes-gmac", bytes(20))
    assert not is_known_to_wireshark(gmac)
    assert is_known_to_wireshark(row())
