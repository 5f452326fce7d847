"""The pseudo-random functions of TLS, and the exporter on top of them.

Spec: RFC 5246, section 5 (TLS and DTLS 1.2), RFC 2246, section 5 (DTLS 1.0: MD5 and SHA-1), RFC 5705,
section 4 (exporter); RFC 8446, sections 7.1 and 7.5, with the labels of RFC 9147, section 5.9 (DTLS 1.3).

Teaching code: it is not constant time.
"""

import hashlib
import hmac

from imslab.errors import Malformed
from imslab.octets import exactly, xor

DTLS_1_0, DTLS_1_2, DTLS_1_3 = 0xFEFF, 0xFEFD, 0xFEFC
VERSION_NAMES = {DTLS_1_0: "DTLS 1.0", DTLS_1_2: "DTLS 1.2", DTLS_1_3: "DTLS 1.3"}
MASTER_SECRET_LENGTH, RANDOM_LENGTH = 48, 32

# Cipher suites whose PRF is SHA-384 (RFC 5288, 5289, 5487, 5932, 8422 and IANA's registry); all others of
# DTLS 1.2 have SHA-256.
_SHA384 = frozenset(
    (0x009D, 0x009F, 0x00A1, 0x00A3, 0x00A5, 0x00A7, 0x00A9, 0x00AB, 0x00AD, 0x00AF, 0x00B1, 0x00B3, 0x00B5,
     0x00B7, 0x00B9, 0x1302, *range(0xC024, 0xC033, 2), 0xC038, *range(0xC03B, 0xC09C, 2))
)  # fmt: skip


def prf_hash(cipher_suite: int) -> str:
    """Return the hash of a cipher suite's PRF in TLS 1.2 and 1.3: "sha256" or "sha384"."""
    return "sha384" if cipher_suite in _SHA384 else "sha256"


def p_hash(name: str, secret: bytes, seed: bytes, length: int) -> bytes:
    """Return ``length`` octets of P_hash (RFC 5246, section 5): HMACs over a chain A(1), A(2), ..."""
    a, found = seed, b""
    while len(found) < length:
        a = hmac.digest(secret, a, name)
        found += hmac.digest(secret, a + seed, name)
    return found[:length]


def prf(secret: bytes, label: bytes, seed: bytes, length: int, *, hash_name: str = "sha256") -> bytes:
    """Return ``length`` octets of TLS 1.2's PRF."""
    return p_hash(hash_name, secret, label + seed, length)


def prf_1_0(secret: bytes, label: bytes, seed: bytes, length: int) -> bytes:
    """Return ``length`` octets of DTLS 1.0's PRF (TLS 1.1's): P_MD5 xor P_SHA-1 of the secret's halves."""
    half = -(-len(secret) // 2)  # an octet in the middle belongs to both
    md5 = p_hash("md5", secret[:half], label + seed, length)
    return xor(md5, p_hash("sha1", secret[-half:], label + seed, length))


def export(
    label: bytes,
    length: int,
    *,
    master_secret: bytes,
    client_random: bytes,
    server_random: bytes,
    cipher_suite: int,
    version: int = DTLS_1_2,
) -> bytes:
    """Return what the exporter of DTLS 1.0 or 1.2 gives for ``label``, without context (RFC 5705).

    ``master_secret`` has 48 octets, the randoms 32. Raises Malformed when one does not, and for DTLS 1.3,
    which has no master secret: see ``export_1_3``.
    """
    exactly("the master secret", master_secret, MASTER_SECRET_LENGTH)
    seed = exactly("the client random", client_random, RANDOM_LENGTH)
    seed += exactly("the server random", server_random, RANDOM_LENGTH)
    if version == DTLS_1_0:
        return prf_1_0(master_secret, label, seed, length)
    if version != DTLS_1_2:
        raise Malformed(f"version 0x{version:04x} has no master secret", expected="DTLS 1.0 or DTLS 1.2")
    return prf(master_secret, label, seed, length, hash_name=prf_hash(cipher_suite))


def export_1_3(label: bytes, length: int, *, exporter_secret: bytes, cipher_suite: int) -> bytes:
    """Return what the exporter of DTLS 1.3 gives for ``label``, without context (RFC 8446, 7.5).

    ``exporter_secret`` is the exporter master secret, as long as the hash of the cipher suite.
    """
    name = prf_hash(cipher_suite)
    empty = hashlib.new(name, b"").digest()
    exactly("the exporter secret", exporter_secret, len(empty))
    secret = _expand_label(name, exporter_secret, label, empty, len(empty))
    return _expand_label(name, secret, b"exporter", empty, length)


def _expand_label(name: str, secret: bytes, label: bytes, context: bytes, length: int) -> bytes:
    """HKDF-Expand-Label (RFC 8446, 7.1); DTLS writes "dtls13" before the label, without a space."""
    label = b"dtls13" + label
    info = length.to_bytes(2) + bytes([len(label)]) + label + bytes([len(context)]) + context
    block, found, count = b"", b"", 0
    while len(found) < length:
        count += 1
        block = hmac.digest(secret, block + info + bytes([count]), name)
        found += block
    return found[:length]
