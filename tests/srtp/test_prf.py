"""TLS's pseudo-random functions and exporters, against published values and other people's code."""

import ssl

import pytest

from imslab.data import vectors
from imslab.errors import Malformed
from imslab.srtp import prf

EXPORTED = [v for v in vectors("srtp")["vectors"] if v["kind"] == "dtls_srtp_exporter"]


def octets(v, *names):
    return [bytes.fromhex(v[name]) for name in names]


@pytest.mark.parametrize("v", EXPORTED, ids=[v["id"] for v in EXPORTED])
def test_what_openssl_exported(v):
    secret, client, server, wanted = octets(
        v, "master_secret", "client_random", "server_random", "keying_material"
    )
    suite = int(v["cipher_suite"], 16)
    assert prf.prf_hash(suite) == v["prf_hash"]
    made = prf.export(
        v["label"].encode(),
        len(wanted),
        master_secret=secret,
        client_random=client,
        server_random=server,
        cipher_suite=suite,
    )
    assert made == wanted


def test_prf_of_tls_1_2_with_sha_256():
    """The test vector that passed on the TLS working group's list in 2009 (P_SHA256, 100 octets)."""
    secret = bytes.fromhex("9bbe436ba940f017b17652849a71db35")
    seed = bytes.fromhex("a0ba9f936cda311827a6f796ffd5198c")
    made = prf.prf(secret, b"test label", seed, 100)
    assert made.hex() == (
        "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af"
        "0fa022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff701"
        "87347b66"
    )


def test_prf_of_tls_1_0():
    """What the library that Python's ssl stands on derives: here with two halves that share an octet."""
    from cryptography.hazmat.primitives import hashes, hmac

    def chain(hash_, secret, seed, length):
        a, out = seed, b""
        while len(out) < length:
            one = hmac.HMAC(secret, hash_)
            one.update(a)
            a = one.finalize()
            two = hmac.HMAC(secret, hash_)
            two.update(a + seed)
            out += two.finalize()
        return out[:length]

    for size in (47, 48):
        secret, half = bytes(range(size)), (size + 1) // 2
        md5 = chain(hashes.MD5(), secret[:half], b"labelseed", 60)
        sha1 = chain(hashes.SHA1(), secret[-half:], b"labelseed", 60)
        wanted = bytes(a ^ b for a, b in zip(md5, sha1, strict=True))
        assert prf.prf_1_0(secret, b"label", b"seed", 60) == wanted


def test_an_exporter_of_dtls_1_3_expands_twice():
    """HKDF by another's code: Derive-Secret for the label, then "exporter"; DTLS's own prefix."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

    def expand(secret, label, context, length):
        label = b"dtls13" + label
        info = length.to_bytes(2) + bytes([len(label)]) + label + bytes([len(context)]) + context
        return HKDFExpand(hashes.SHA256(), length, info).derive(secret)

    digest = hashes.Hash(hashes.SHA256())
    empty, secret = digest.finalize(), bytes(range(32))
    wanted = expand(expand(secret, b"EXTRACTOR-dtls_srtp", empty, 32), b"exporter", empty, 60)
    made = prf.export_1_3(b"EXTRACTOR-dtls_srtp", 60, exporter_secret=secret, cipher_suite=0x1301)
    assert made == wanted


def test_the_hash_of_each_cipher_suite_that_openssl_knows():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers("ALL:COMPLEMENTOFALL:@SECLEVEL=0")
    suites = {one["id"] & 0xFFFF: one["name"] for one in context.get_ciphers()}
    assert len(suites) > 50
    for number, name in suites.items():
        assert prf.prf_hash(number) == ("sha384" if name.endswith("SHA384") else "sha256"), name


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (0xC03C, "sha256"),  # TLS_RSA_WITH_ARIA_128_CBC_SHA256
        (0xC03D, "sha384"),  # TLS_RSA_WITH_ARIA_256_CBC_SHA384
        (0xC09A, "sha256"),  # TLS_ECDHE_PSK_WITH_CAMELLIA_128_CBC_SHA256
        (0xC09B, "sha384"),  # ... 256_CBC_SHA384
        (0xC09D, "sha256"),  # TLS_RSA_WITH_AES_256_CCM
        (0xC038, "sha384"),  # TLS_ECDHE_PSK_WITH_AES_256_CBC_SHA384
        (0x00A9, "sha384"),  # TLS_PSK_WITH_AES_256_GCM_SHA384
        (0xCCA9, "sha256"),  # TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
    ],
)
def test_the_hash_of_suites_that_openssl_may_lack(number, name):
    assert prf.prf_hash(number) == name


@pytest.mark.parametrize(
    "change", [{"master_secret": bytes(47)}, {"client_random": b""}, {"server_random": bytes(33)}]
)
def test_lengths_are_checked(change):
    values = {"master_secret": bytes(48), "client_random": bytes(32), "server_random": bytes(32)} | change
    with pytest.raises(Malformed, match="octets"):
        prf.export(b"label", 60, **values, cipher_suite=0xC02B)


def test_dtls_1_3_has_no_master_secret():
    values = {"master_secret": bytes(48), "client_random": bytes(32), "server_random": bytes(32)}
    with pytest.raises(Malformed, match="no master secret"):
        prf.export(b"label", 60, **values, cipher_suite=0x1301, version=prf.DTLS_1_3)
    with pytest.raises(Malformed, match="48 octets"):
        prf.export_1_3(b"label", 60, exporter_secret=bytes(32), cipher_suite=0x1302)


def test_the_version_decides_the_prf():
    values = {"master_secret": bytes(48), "client_random": bytes(32), "server_random": bytes(32)}
    old = prf.export(b"label", 60, **values, cipher_suite=0xC009, version=prf.DTLS_1_0)
    assert old == prf.prf_1_0(bytes(48), b"label", bytes(64), 60)
    assert old != prf.export(b"label", 60, **values, cipher_suite=0xC009)
