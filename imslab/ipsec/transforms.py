"""Encryption and integrity of ESP: what happens to the octets between the header and the end of a packet.

Spec: RFC 3602 (AES-CBC), RFC 2451 and RFC 2405 (3DES-CBC, DES-CBC), RFC 3686 (AES-CTR), RFC 4106 (AES-GCM),
RFC 4543 (AES-GMAC), RFC 2410 (NULL); RFC 2403, 2404 and 4868 (HMAC). Names are those of 3GPP TS 33.203,
annex H, and the same style for what 3GPP does not use. A salt stands behind its key, as the RFCs have it.

Teaching code: it is not constant time, but for the comparison of checks.
"""

import hmac
from abc import ABC, abstractmethod
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from imslab.errors import EspAuthenticationFailed, EspError, Malformed
from imslab.ipsec.keys import SALT
from imslab.octets import exactly

try:  # where libraries are new enough, single and triple DES live among what is no longer recommended
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
except ImportError:
    TripleDES = algorithms.TripleDES  # type: ignore[misc]

_AES_KEYS = (16, 24, 32)
_AES_KEYS_AND_SALT = tuple(length + SALT for length in _AES_KEYS)
_GCM_ICV = 16
_WRONG = "the integrity check value is wrong: another key, or the packet was changed"


class Transform(ABC):
    """What one security association does to a packet; lengths in octets.

    ``iv_length``   of the IV, sent in clear behind the header
    ``block``       to whole blocks of this the payload is padded (RFC 4303, 2.4: to 4 at least)
    ``icv_length``  of the integrity check value at the end
    ``counted``     the IV may not come twice: a counter will do; else nobody may foresee it
    """

    iv_length = 0
    block = 4
    icv_length = 0
    counted = False

    @abstractmethod
    def seal(self, header: bytes, iv: bytes, plain: bytes) -> bytes:
        """Return all that follows the header: IV, ciphertext, ICV."""

    @abstractmethod
    def open(self, header: bytes, body: bytes) -> bytes:
        """Return the plain octets of all that follows the header; EspAuthenticationFailed, or EspError."""


class _Clear:
    """NULL encryption (RFC 2410)."""

    iv_length, block, counted = 0, 4, False

    def encrypt(self, iv: bytes, plain: bytes) -> bytes:
        return plain

    decrypt = encrypt


class _Cbc:
    """A block cipher in CBC mode; the IV is one block."""

    counted = False

    def __init__(self, algorithm: Any) -> None:
        self._algorithm = algorithm
        self.iv_length = self.block = algorithm.block_size // 8

    def encrypt(self, iv: bytes, plain: bytes) -> bytes:
        context = Cipher(self._algorithm, modes.CBC(iv)).encryptor()
        return context.update(plain) + context.finalize()

    def decrypt(self, iv: bytes, octets: bytes) -> bytes:
        if len(octets) % self.block:
            raise EspError(f"{len(octets)} encrypted octets are not whole blocks of {self.block}")
        context = Cipher(self._algorithm, modes.CBC(iv)).decryptor()
        return context.update(octets) + context.finalize()


class _Ctr:
    """AES in counter mode: the counter block is nonce | IV | 1 (RFC 3686, section 4)."""

    iv_length, block, counted = 8, 4, True

    def __init__(self, key: bytes) -> None:
        self._algorithm, self._nonce = algorithms.AES(key[:-SALT]), key[-SALT:]

    def encrypt(self, iv: bytes, plain: bytes) -> bytes:
        counter = self._nonce + iv + b"\0\0\0\1"
        return Cipher(self._algorithm, modes.CTR(counter)).encryptor().update(plain)

    decrypt = encrypt


_Encryption = _Clear | _Cbc | _Ctr


class _Separate(Transform):
    """Encryption, then a MAC over header, IV and ciphertext (RFC 4303, 3.3.2)."""

    def __init__(self, encryption: _Encryption, key: bytes, hash_name: str, icv_length: int) -> None:
        self._encryption, self._key, self._hash = encryption, key, hash_name
        self.iv_length, self.block, self.icv_length = encryption.iv_length, encryption.block, icv_length
        self.counted = encryption.counted

    def seal(self, header: bytes, iv: bytes, plain: bytes) -> bytes:
        body = iv + self._encryption.encrypt(iv, plain)
        return body + self._icv(header + body)

    def open(self, header: bytes, body: bytes) -> bytes:
        end = len(body) - self.icv_length
        if not hmac.compare_digest(self._icv(header + body[:end]), body[end:]):
            raise EspAuthenticationFailed(_WRONG)
        return self._encryption.decrypt(body[: self.iv_length], body[self.iv_length : end])

    def _icv(self, octets: bytes) -> bytes:
        return hmac.digest(self._key, octets, self._hash)[: self.icv_length] if self._hash else b""


class _Gcm(Transform):
    """AES-GCM: the header is authenticated, the rest is encrypted too (RFC 4106)."""

    iv_length, icv_length, counted = 8, _GCM_ICV, True

    def __init__(self, key: bytes) -> None:
        self._aead, self._salt = AESGCM(key[:-SALT]), key[-SALT:]

    def seal(self, header: bytes, iv: bytes, plain: bytes) -> bytes:
        return iv + self._aead.encrypt(self._salt + iv, plain, header)

    def open(self, header: bytes, body: bytes) -> bytes:
        try:
            return self._aead.decrypt(self._salt + body[:8], body[8:], header)
        except InvalidTag:
            raise EspAuthenticationFailed(_WRONG) from None


class _Gmac(Transform):
    """AES-GMAC: GCM that encrypts nothing; header, IV and payload are authenticated (RFC 4543)."""

    iv_length, icv_length, counted = 8, _GCM_ICV, True

    def __init__(self, key: bytes) -> None:
        self._aead, self._salt = AESGCM(key[:-SALT]), key[-SALT:]

    def seal(self, header: bytes, iv: bytes, plain: bytes) -> bytes:
        return iv + plain + self._aead.encrypt(self._salt + iv, b"", header + iv + plain)

    def open(self, header: bytes, body: bytes) -> bytes:
        covered, icv = body[:-_GCM_ICV], body[-_GCM_ICV:]
        try:
            self._aead.decrypt(self._salt + body[:8], icv, header + covered)
        except InvalidTag:
            raise EspAuthenticationFailed(_WRONG) from None
        return covered[8:]


# name -> (lengths of the key, how it is made of a key)
_ENCRYPTIONS: dict[str, tuple[tuple[int, ...], Any]] = {
    "null": ((0,), lambda key: _Clear()),
    "des-cbc": ((8,), lambda key: _Cbc(TripleDES(key * 3))),  # triple DES with one key is single DES
    "des-ede3-cbc": ((24,), lambda key: _Cbc(TripleDES(key))),
    "aes-cbc": (_AES_KEYS, lambda key: _Cbc(algorithms.AES(key))),
    "aes-ctr": (_AES_KEYS_AND_SALT, _Ctr),
}
# name -> (length of the key, hash, length of the ICV)
_INTEGRITIES = {
    "null": (0, "", 0),
    "hmac-md5-96": (16, "md5", 12),
    "hmac-sha-1-96": (20, "sha1", 12),
    "hmac-sha-256-128": (32, "sha256", 16),
    "hmac-sha-384-192": (48, "sha384", 24),
    "hmac-sha-512-256": (64, "sha512", 32),
}
ENCRYPTIONS = (*_ENCRYPTIONS, "aes-gcm")
INTEGRITIES = (*_INTEGRITIES, "aes-gmac")


def transform(encryption: str, encryption_key: bytes, integrity: str, integrity_key: bytes) -> Transform:
    """Return what these two algorithms do together.

    AES-GCM and AES-GMAC do both jobs: the other one is "null" then. Malformed for an unknown name, a key
    of a wrong length, and two that do not go together.
    """
    if encryption == "aes-gcm":
        _alone("aes-gcm", integrity, integrity_key)
        return _Gcm(exactly("the key of aes-gcm", encryption_key, *_AES_KEYS_AND_SALT))
    if integrity == "aes-gmac":
        _alone("aes-gmac", encryption, encryption_key)
        return _Gmac(exactly("the key of aes-gmac", integrity_key, *_AES_KEYS_AND_SALT))
    lengths, make = _known("encryption", _ENCRYPTIONS, encryption, ENCRYPTIONS)
    length, hash_name, icv_length = _known("integrity", _INTEGRITIES, integrity, INTEGRITIES)
    key = exactly(f"the key of {encryption}", encryption_key, *lengths)
    other_key = exactly(f"the key of {integrity}", integrity_key, length)
    return _Separate(make(key), other_key, hash_name, icv_length)


def _alone(name: str, other: str, other_key: bytes) -> None:
    if other != "null" or other_key:
        raise Malformed(f"{name} does encryption and integrity: nothing but null goes with it")


def _known(what: str, table: dict[str, Any], name: str, names: tuple[str, ...]) -> Any:
    if name not in table:
        raise Malformed(f"no {what} is called {name[:40]!r}", expected=", ".join(names))
    return table[name]
