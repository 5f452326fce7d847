"""What protects one packet: AES in counter mode with HMAC-SHA1, or AES-GCM.

Spec: RFC 3711, sections 4.1.1 (AES-CM), 4.1.2 (NULL) and 4.2.1 (HMAC-SHA1); RFC 7714, sections 8 and 9 (GCM).
Both kinds are asked alike: ``clear`` goes as it is and is authenticated, ``payload`` is encrypted too, and
``word`` is what is authenticated beyond them: the ROC, which is not sent, or SRTCP's E bit and index, which
is.

Teaching code: it is not constant time.
"""

from hmac import compare_digest
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher as AesCipher
from cryptography.hazmat.primitives.ciphers import algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hmac import HMAC

from imslab.errors import AuthenticationFailed
from imslab.srtp.keys import Keys
from imslab.srtp.profiles import Cipher, Profile

MOST_PAYLOAD = 1 << 20  # octets: the block counter of AES-CM has 16 bits (RFC 3711, section 4.1.1)


class PacketCipher(Protocol):
    """What a session asks of a cipher with its session keys."""

    tag_length: int

    def seal(self, clear: bytes, payload: bytes, word: bytes, ssrc: int, index: int) -> tuple[bytes, bytes]:
        """Return the encrypted payload and the tag."""

    def open(self, clear: bytes, payload: bytes, word: bytes, tag: bytes, ssrc: int, index: int) -> bytes:
        """Return the payload in clear; raise AuthenticationFailed when the tag is not right."""


class CounterMode:
    """AES-CM and HMAC-SHA1; the NULL cipher too, with all octets in clear."""

    def __init__(self, keys: Keys, tag_length: int) -> None:
        self.tag_length = tag_length
        self._salt = int.from_bytes(keys.salt) << 16
        # Built once: each packet only sets another counter block, or copies HMAC's state after the key.
        self._aes = AesCipher(algorithms.AES(keys.key), modes.CTR(bytes(16))).encryptor()
        self._hmac = HMAC(keys.auth, hashes.SHA1())

    def iv(self, ssrc: int, index: int) -> bytes:
        """Return the first counter block: (salt * 2^16) xor (SSRC * 2^64) xor (index * 2^16), 16 octets."""
        return (self._salt ^ ssrc << 64 ^ index << 16).to_bytes(16)

    def tag(self, *pieces: bytes) -> bytes:
        """Return the authentication tag over the pieces one after the other."""
        mac = self._hmac.copy()
        for piece in pieces:
            mac.update(piece)
        return mac.finalize()[: self.tag_length]

    def seal(self, clear: bytes, payload: bytes, word: bytes, ssrc: int, index: int) -> tuple[bytes, bytes]:
        """Encrypt, then authenticate what was encrypted."""
        sealed = self._apply(payload, ssrc, index)
        return sealed, self.tag(clear, sealed, word)

    def open(self, clear: bytes, payload: bytes, word: bytes, tag: bytes, ssrc: int, index: int) -> bytes:
        """Check the tag, and only then decrypt."""
        if not compare_digest(self.tag(clear, payload, word), tag):
            raise AuthenticationFailed(
                "the authentication tag is wrong: another key or ROC, or a changed packet"
            )
        return self._apply(payload, ssrc, index)

    def _apply(self, payload: bytes, ssrc: int, index: int) -> bytes:
        if not payload:
            return b""
        self._aes.reset_nonce(self.iv(ssrc, index))
        return self._aes.update(payload)


class Gcm:
    """AES-GCM: what is in clear, and SRTCP's word, are the associated data."""

    def __init__(self, keys: Keys, tag_length: int) -> None:
        self.tag_length = tag_length
        self._salt = int.from_bytes(keys.salt)
        self._aead = AESGCM(keys.key)

    def iv(self, ssrc: int, index: int) -> bytes:
        """Return 00 00 | SSRC | index (ROC | SEQ, or SRTCP's) xor the salt, 12 octets."""
        return (self._salt ^ ssrc << 48 ^ index).to_bytes(12)

    def seal(self, clear: bytes, payload: bytes, word: bytes, ssrc: int, index: int) -> tuple[bytes, bytes]:
        """Encrypt and authenticate at once."""
        sealed = self._aead.encrypt(self.iv(ssrc, index), payload, clear + word)
        return sealed[: len(payload)], sealed[len(payload) :]

    def open(self, clear: bytes, payload: bytes, word: bytes, tag: bytes, ssrc: int, index: int) -> bytes:
        """Check and decrypt at once."""
        try:
            return self._aead.decrypt(self.iv(ssrc, index), payload + tag, clear + word)
        except InvalidTag:
            pass
        raise AuthenticationFailed("the authentication tag is wrong: another key or ROC, or a changed packet")


def packet_cipher(profile: Profile, keys: Keys, tag_length: int) -> CounterMode | Gcm:
    """Return what protects packets of a profile with these session keys."""
    return (Gcm if profile.cipher is Cipher.AES_GCM else CounterMode)(keys, tag_length)
