"""Checksums, MACs and ciphers of secured packets.

Spec: ETSI TS 102 225, sections 5.1.2 and 5.1.3; ISO/IEC 9797-1 (CBC-MAC, algorithm 1, zero padding); NIST
SP 800-38B (CMAC); ISO/IEC 13239 (CRC). The initial vector is zero everywhere: the counter, which comes
first, makes packets differ. Teaching code: it is not constant time.
"""

import hmac
import zlib
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

from imslab.errors import Malformed

try:  # where libraries are new enough, single and triple DES live among what is no longer recommended
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
except ImportError:
    TripleDES = algorithms.TripleDES  # type: ignore[misc]

DES_BLOCK, AES_BLOCK = 8, 16


def crc16(octets: bytes) -> bytes:
    """Return the 2 octets of CRC-16 as X.25 has it (0102030405 gives 22EC)."""
    crc = 0xFFFF
    for octet in octets:
        crc ^= octet
        for _ in range(8):
            crc = crc >> 1 ^ (0x8408 if crc & 1 else 0)
    return (crc ^ 0xFFFF).to_bytes(2)


def crc32(octets: bytes) -> bytes:
    """Return the 4 octets of CRC-32 (0102030405 gives 470B99F4)."""
    return zlib.crc32(octets).to_bytes(4)


def checksum(name: str, octets: bytes) -> bytes:
    """Return the redundancy check "CRC16" or "CRC32" of ``octets``."""
    return crc16(octets) if name == "CRC16" else crc32(octets)


def mac(name: str, key: bytes, octets: bytes, length: int) -> bytes:
    """Return the cryptographic checksum: the last block of DES in CBC mode, or the beginning of the
    AES-CMAC.
    """
    if name == "AES-CMAC":
        cmac = CMAC(algorithms.AES(key))
        cmac.update(octets)
        return cmac.finalize()[:length]
    return _des("CBC", key, padded(octets, DES_BLOCK), encrypt=True)[-DES_BLOCK:][:length]


def same(one: bytes, other: bytes) -> bool:
    """Compare two checks without telling, by time, where they differ."""
    return hmac.compare_digest(one, other)


def block_length(name: str) -> int:
    """Return the block length of a cipher in octets: 8 or 16."""
    return AES_BLOCK if name == "AES-CBC" else DES_BLOCK


def encrypt(name: str, key: bytes, octets: bytes) -> bytes:
    """Encipher whole blocks with the cipher ``name``."""
    return _run(name, key, octets, encrypt=True)


def decrypt(name: str, key: bytes, octets: bytes) -> bytes:
    """Decipher; raise Malformed when ``octets`` are not whole blocks."""
    if not octets or len(octets) % block_length(name):
        raise Malformed(f"{len(octets)} octets are not whole blocks of {block_length(name)}")
    return _run(name, key, octets, encrypt=False)


def padded(octets: bytes, block: int) -> bytes:
    """Return ``octets`` filled with 00 up to whole blocks."""
    return octets + bytes(-len(octets) % block)


def _run(name: str, key: bytes, octets: bytes, *, encrypt: bool) -> bytes:
    if name == "AES-CBC":
        return _through(Cipher(algorithms.AES(key), modes.CBC(bytes(AES_BLOCK))), octets, encrypt)
    return _des("ECB" if "ECB" in name else "CBC", key, octets, encrypt=encrypt)


def _des(mode: str, key: bytes, octets: bytes, *, encrypt: bool) -> bytes:
    # Single DES is triple DES with one key three times; with two keys the third is the first.
    triple = {8: key * 3, 16: key + key[:8]}.get(len(key), key)
    chosen: Any = modes.ECB() if mode == "ECB" else modes.CBC(bytes(DES_BLOCK))
    return _through(Cipher(TripleDES(triple), chosen), octets, encrypt)


def _through(cipher: Any, octets: bytes, encrypt: bool) -> bytes:
    context = cipher.encryptor() if encrypt else cipher.decryptor()
    return bytes(context.update(octets) + context.finalize())
