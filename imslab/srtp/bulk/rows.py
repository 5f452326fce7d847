"""Ciphers for packets of one shape together: a matrix with a row for each packet.

Spec: RFC 3711, sections 4.1.1 (AES-CM) and 4.2.1 (HMAC-SHA1); RFC 7714, sections 8 and 9 (AES-GCM). The key
stream of a whole matrix is one call of AES over its counter blocks, and one xor. HMAC and AES-GCM know no
such short cut: they are called once a packet, and are what the time goes into.

Teaching code: it is not constant time.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher as AesCipher
from cryptography.hazmat.primitives.ciphers import algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hmac import HMAC
from numpy.typing import NDArray

from imslab.srtp.keys import Keys
from imslab.srtp.profiles import Cipher, Profile

Octets = NDArray[np.uint8]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

_BLOCK = 16


@dataclass(frozen=True, slots=True)
class Rows:
    """Packets of one shape.

    ``body``   octets of each without what protection added behind it, ``clear`` of them not encrypted
    ``start``  where each begins in ``octets``; ``tag`` where its tag does, of ``tag_length`` octets
    ``words``  what is authenticated beyond it: ROC (nothing for GCM), or SRTCP's E bit and index
    """

    octets: Octets
    start: Integers
    body: int
    clear: int
    tag: Integers
    tag_length: int
    words: Octets
    ssrc: Integers
    index: Integers

    def __len__(self) -> int:
        return len(self.start)


class RowCipher(Protocol):
    """What opens packets of one shape with one set of session keys."""

    def open(self, rows: Rows, out: Octets | None) -> Booleans:
        """Return whose tag is right, and write the packets in clear into a matrix ``out``.

        A row whose tag is wrong is not to be used. Without ``out`` tags are checked, and no more.
        """


class CounterModeRows:
    """AES-CM and HMAC-SHA1; the NULL cipher too, with all octets in clear."""

    def __init__(self, keys: Keys) -> None:
        self._salt = int.from_bytes(keys.salt) << 16
        # A counter block encrypted by AES alone is a block of key stream.
        self._encrypt = AesCipher(algorithms.AES(keys.key), modes.ECB()).encryptor().update_into
        self._hmac = HMAC(keys.auth, hashes.SHA1())
        self._blocks, self._stream = np.empty(0, np.complex128), np.empty(0, np.uint8)

    def open(self, rows: Rows, out: Octets | None) -> Booleans:
        """Check the tags; then apply the key stream."""
        right = np.ones(len(rows), np.bool_)
        if rows.tag_length:
            tags = gather(rows.octets, rows.tag, rows.tag_length)
            right = (self._tags(rows)[:, : rows.tag_length] == tags).all(axis=1)
        if out is not None:
            gather(rows.octets, rows.start, rows.body, out)
            payload = out[:, rows.clear :]
            if payload.size:
                np.bitwise_xor(payload, self._key_stream(rows), out=payload)
        return right

    def _tags(self, rows: Rows) -> Octets:
        """Return HMAC-SHA1 of each packet with its word, 20 octets."""
        copy, macs = self._hmac.copy, []
        for body, word in zip(cells(rows.octets, rows.start, rows.body), _cells(rows.words), strict=True):
            mac = copy()  # the state after the key: cheaper than to begin with the key again
            mac.update(body)
            mac.update(word)
            macs.append(mac.finalize())
        return np.frombuffer(b"".join(macs), np.uint8).reshape(len(rows), 20)

    def _key_stream(self, rows: Rows) -> Octets:
        """Return AES over each packet's counter blocks: salt * 2^16 xor SSRC * 2^64 xor index * 2^16, + j."""
        width = rows.body - rows.clear
        count = -(-width // _BLOCK)
        high, low = divmod(self._salt, 1 << 64)
        first = np.empty((len(rows), 2), ">u8")
        first[:, 0] = rows.ssrc.astype(np.uint64) ^ np.uint64(high)
        first[:, 1] = rows.index.astype(np.uint64) << np.uint64(16) ^ np.uint64(low)
        blocks, stream = self._scratch(len(rows) * count)
        blocks.reshape(len(rows), count)[:] = first.view(np.complex128)  # for numpy, 16 octets at a time
        blocks.view(">u2").reshape(len(rows), count, 8)[:, :, 7] = np.arange(count)
        self._encrypt(blocks.data.cast("B"), stream.data)
        return stream[: blocks.nbytes].reshape(len(rows), count * _BLOCK)[:, :width]

    def _scratch(self, count: int) -> tuple[NDArray[np.complex128], Octets]:
        """Return room for counter blocks and key stream, the same every time: new memory is slow."""
        if len(self._blocks) < count:
            self._blocks = np.empty(count, np.complex128)
            self._stream = np.empty(count * _BLOCK + _BLOCK - 1, np.uint8)  # as update_into wants it
        return self._blocks[:count], self._stream[: count * _BLOCK + _BLOCK - 1]


class GcmRows:
    """AES-GCM: what is in clear, and SRTCP's word, are the associated data."""

    def __init__(self, keys: Keys) -> None:
        self._salt = np.frombuffer(keys.salt, np.uint8)
        self._decrypt = AESGCM(keys.key).decrypt

    def open(self, rows: Rows, out: Octets | None) -> Booleans:
        """Check and decrypt at once."""
        right, plain, decrypt = np.ones(len(rows), np.bool_), [], self._decrypt
        width = rows.body - rows.clear
        nothing = bytes(width)
        # The tag stands right behind the payload, as AES-GCM wants it.
        sealed = cells(rows.octets, rows.start + rows.clear, width + rows.tag_length)
        for iv, payload, known in zip(_cells(self._ivs(rows)), sealed, self._known(rows), strict=True):
            try:
                plain.append(decrypt(iv, payload, known))
            except InvalidTag:
                right[len(plain)] = False
                plain.append(nothing)
        if out is not None:
            gather(rows.octets, rows.start, rows.clear, out[:, : rows.clear])
            out[:, rows.clear :] = np.frombuffer(b"".join(plain), np.uint8).reshape(len(rows), width)
        return right

    def _known(self, rows: Rows) -> list[bytes]:
        if not rows.words.size:
            return cells(rows.octets, rows.start, rows.clear)
        return _cells(np.hstack((gather(rows.octets, rows.start, rows.clear), rows.words)))

    def _ivs(self, rows: Rows) -> Octets:
        """Return 00 00 | SSRC | index (48 bits) xor the salt, 12 octets for each packet."""
        ivs = np.zeros((len(rows), 12), np.uint8)
        ivs[:, 2:6] = rows.ssrc.astype(">u4").view(np.uint8).reshape(-1, 4)
        ivs[:, 6:] = rows.index.astype(">u8").view(np.uint8).reshape(-1, 8)[:, 2:]
        ivs ^= self._salt
        return ivs


def row_cipher(profile: Profile, keys: Keys) -> RowCipher:
    """Return what opens packets of a profile with these session keys."""
    return (GcmRows if profile.cipher is Cipher.AES_GCM else CounterModeRows)(keys)


def windows(octets: Octets, width: int) -> NDArray[np.void]:
    """Return a view of ``octets`` whose item i is the ``width`` octets from i on."""
    return np.ndarray((max(octets.size - width + 1, 0),), f"V{width}", octets.data, 0, (1,))


def cells(octets: Octets, at: Integers, width: int) -> list[bytes]:
    """Return ``width`` octets from each place."""
    found: list[bytes] = windows(octets, width)[at].tolist()
    return found


def gather(octets: Octets, at: Integers, width: int, out: Octets | None = None) -> Octets:
    """Return ``width`` octets from each place, one row a place; in ``out`` where it is given."""
    matrix = np.empty((len(at), width), np.uint8) if out is None else out
    if matrix.size:
        matrix.view(f"V{width}")[:, 0] = windows(octets, width)[at]
    return matrix


def _cells(matrix: Octets) -> list[bytes]:
    """Return each row of a matrix without gaps."""
    found: list[bytes] = matrix.view(f"V{matrix.shape[1]}")[:, 0].tolist() if matrix.shape[1] else []
    return found or [b""] * len(matrix)
