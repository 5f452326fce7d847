"""Encryption and integrity of ESP: the examples of RFC 3602, and what does not go together."""

from typing import Any

import pytest

from imslab.data import vectors
from imslab.errors import EspAuthenticationFailed, EspError, Malformed
from imslab.ipsec.transforms import ENCRYPTIONS, INTEGRITIES, Transform, transform

EXAMPLES = [entry for entry in vectors("sec_agree")["esp"] if entry["id"].startswith("rfc3602")]
HEADER = bytes.fromhex("0000432100000001")

# name -> a key of each length it takes
ENCRYPTION_KEYS = {
    "null": [0],
    "des-cbc": [8],
    "des-ede3-cbc": [24],
    "aes-cbc": [16, 24, 32],
    "aes-ctr": [20, 28, 36],
    "aes-gcm": [20, 28, 36],
}
INTEGRITY_KEYS = {
    "null": [0],
    "hmac-md5-96": [16],
    "hmac-sha-1-96": [20],
    "hmac-sha-256-128": [32],
    "hmac-sha-384-192": [48],
    "hmac-sha-512-256": [64],
    "aes-gmac": [20, 28, 36],
}
# (IV, block, ICV) in octets
LAYOUT = {
    "null": (0, 4, 0), "des-cbc": (8, 8, 0), "des-ede3-cbc": (8, 8, 0), "aes-cbc": (16, 16, 0),
    "aes-ctr": (8, 4, 0), "aes-gcm": (8, 4, 16), "hmac-md5-96": (0, 4, 12), "hmac-sha-1-96": (0, 4, 12),
    "hmac-sha-256-128": (0, 4, 16), "hmac-sha-384-192": (0, 4, 24), "hmac-sha-512-256": (0, 4, 32),
    "aes-gmac": (8, 4, 16),
}  # fmt: skip


def made(encryption: str = "null", integrity: str = "null", which: int = 0) -> Transform:
    lengths = (ENCRYPTION_KEYS[encryption], INTEGRITY_KEYS[integrity])
    one, other = (bytes(range(length[min(which, len(length) - 1)])) for length in lengths)
    return transform(encryption, one, integrity, other)


EVERY = [made(name, which=n) for name, lengths in ENCRYPTION_KEYS.items() for n in range(len(lengths))]
EVERY += [
    made(integrity=name, which=n) for name, lengths in INTEGRITY_KEYS.items() for n in range(len(lengths))
]
EVERY += [
    made(one, other)
    for one in ENCRYPTIONS
    for other in INTEGRITIES
    if one not in ("null", "aes-gcm") and other not in ("null", "aes-gmac")
]


def test_every_name_is_tried() -> None:
    assert set(ENCRYPTION_KEYS) == set(ENCRYPTIONS)
    assert set(INTEGRITY_KEYS) == set(INTEGRITIES)
    assert len(EVERY) == 3 + 3 * 3 + 6 + 3 + 4 * 5


@pytest.mark.parametrize("entry", EXAMPLES, ids=lambda entry: str(entry["id"]))
def test_rfc_3602(entry: dict[str, Any]) -> None:
    values = {name: bytes.fromhex(text) for name, text in entry.items() if name in _OCTETS}
    plain = values.get("plaintext", values.get("payload_with_trailer"))
    encrypted = values.get("ciphertext", values.get("encrypted"))
    assert plain is not None
    aes = transform("aes-cbc", values["key"], "null", b"")
    header = values.get("spi_seq", HEADER)
    assert aes.seal(header, values["iv"], plain) == values["iv"] + (encrypted or b"")
    assert aes.open(header, values["iv"] + (encrypted or b"")) == plain


_OCTETS = ("key", "iv", "plaintext", "ciphertext", "spi_seq", "payload_with_trailer", "encrypted")


@pytest.mark.parametrize("name", sorted(LAYOUT))
def test_layout(name: str) -> None:
    one = made(name) if name in ENCRYPTIONS else made(integrity=name)
    assert (one.iv_length, one.block, one.icv_length) == LAYOUT[name]
    assert one.counted == (name in ("aes-ctr", "aes-gcm", "aes-gmac"))


def test_sealed_and_opened() -> None:
    for one in EVERY:
        plain, iv = bytes(range(48)), bytes(range(100, 100 + one.iv_length))
        sealed = one.seal(HEADER, iv, plain)
        assert sealed.startswith(iv)
        assert len(sealed) == one.iv_length + len(plain) + one.icv_length
        assert one.open(HEADER, sealed) == plain


def test_what_encrypts_hides_and_what_does_not_shows() -> None:
    plain = bytes(range(48))
    for name in ENCRYPTIONS:
        sealed = made(name).seal(HEADER, bytes(made(name).iv_length), plain)
        assert (plain[:8] in sealed) == (name == "null")
    for name in INTEGRITIES:
        assert plain in made(integrity=name).seal(HEADER, bytes(made(integrity=name).iv_length), plain)


@pytest.mark.parametrize("name", [name for name in INTEGRITIES if name != "null"] + ["aes-gcm"])
def test_every_octet_counts_the_header_too(name: str) -> None:
    one = made(name) if name == "aes-gcm" else made("null", name)
    sealed = one.seal(HEADER, bytes(one.iv_length), bytes(16))
    for at in range(len(sealed)):
        with pytest.raises(EspAuthenticationFailed):
            one.open(HEADER, sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :])
    for at in range(len(HEADER)):
        with pytest.raises(EspAuthenticationFailed):
            one.open(HEADER[:at] + bytes([HEADER[at] ^ 1]) + HEADER[at + 1 :], sealed)


def test_blocks_that_are_not_whole() -> None:
    with pytest.raises(EspError, match="17 encrypted octets are not whole blocks of 16"):
        made("aes-cbc").open(HEADER, bytes(33))


def test_counter_mode_starts_at_one() -> None:
    # RFC 3686, section 6, test vector 1: nonce 00000030, IV 0, "Single block msg".
    key = bytes.fromhex("ae6852f8121067cc4bf7a5765577f39e00000030")
    sealed = transform("aes-ctr", key, "null", b"").seal(HEADER, bytes(8), b"Single block msg")
    assert sealed[8:].hex() == "e4095d4fb7a7b3792d6175a3261311b8"


@pytest.mark.parametrize(
    ("encryption", "length", "integrity", "other"),
    [
        ("aes-gcm", 20, "hmac-sha-1-96", 20),
        ("aes-gcm", 20, "null", 20),
        ("aes-cbc", 16, "aes-gmac", 20),
        ("null", 16, "aes-gmac", 20),
        ("rot13", 0, "null", 0),
        ("null", 0, "crc32", 4),
        ("null", 1, "null", 0),
        ("null", 0, "null", 1),
        ("aes-cbc", 20, "null", 0),
        ("aes-gcm", 16, "null", 0),
        ("aes-ctr", 16, "null", 0),
        ("des-ede3-cbc", 16, "null", 0),
        ("des-cbc", 24, "null", 0),
        ("null", 0, "hmac-sha-1-96", 16),
        ("null", 0, "hmac-md5-96", 20),
        ("null", 0, "aes-gmac", 16),
    ],
)
def test_what_does_not_go_together(encryption: str, length: int, integrity: str, other: int) -> None:
    with pytest.raises(Malformed):
        transform(encryption, bytes(length), integrity, bytes(other))


def test_no_key_is_shown() -> None:
    assert "0001" not in repr(made("aes-cbc", "hmac-sha-1-96"))
