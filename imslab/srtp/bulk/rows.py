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
    """Packets, each field with one value a packet.

    ``start``  where it begins in ``octets``; ``tag`` where its tag does, of ``tag_length`` octets
    ``body``   its octets without what protection added behind it, ``clear`` of them not encrypted
    ``words``  what is authenticated beyond it: ROC (nothing for GCM), or SRTCP's E bit and index
    """

    octets: Octets
    start: Integers
    body: Integers
    clear: Integers
    tag: Integers
    tag_length: int
    words: Octets
    ssrc: Integers
    index: Integers

    def __len__(self) -> int:
        return len(self.start)

    @property
    def width(self) -> int:
        """The octets of each packet, where all have one shape."""
        return int(self.body[0])

    @property
    def cut(self) -> int:
        """Where the encrypted part of each packet begins, where all have one shape."""
        return int(self.clear[0])

    def part(self, which: slice) -> "Rows":
        """Return some of the packets."""
        return Rows(
            self.octets,
            self.start[which],
            self.body[which],
            self.clear[which],
            self.tag[which],
            self.tag_length,
            self.words[which],
            self.ssrc[which],
            self.index[which],
        )


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
        self._authenticated, self._blocks, self._stream = _Room(), _Room(), _Room()

    def open(self, rows: Rows, out: Octets | None) -> Booleans:
        """Check the tags; then apply the key stream."""
        authenticated = self._authenticated.take(len(rows), rows.width + rows.words.shape[1])
        body = authenticated[:, : rows.width]
        gather(rows.octets, rows.start, rows.width, body)
        authenticated[:, rows.width :] = rows.words
        right = self._check(rows, authenticated) if rows.tag_length else np.ones(len(rows), np.bool_)
        if out is not None:
            cut = rows.cut
            out[:, :cut] = body[:, :cut]
            if cut < rows.width:
                np.bitwise_xor(body[:, cut:], self._key_stream(rows), out=out[:, cut:])
        return right

    def _check(self, rows: Rows, authenticated: Octets) -> Booleans:
        """Compare HMAC-SHA1 of each packet with its word to the tag that came with it."""
        copy, macs = self._hmac.copy, []
        for octets in _cells(authenticated):
            mac = copy()  # the state after the key: cheaper than to begin with the key again
            mac.update(octets)
            macs.append(mac.finalize())
        made = np.frombuffer(b"".join(macs), np.uint8).reshape(len(rows), 20)[:, : rows.tag_length]
        right: Booleans = (made == gather(rows.octets, rows.tag, rows.tag_length)).all(axis=1)
        return right

    def _key_stream(self, rows: Rows) -> Octets:
        """Return AES over each packet's counter blocks: salt * 2^16 xor SSRC * 2^64 xor index * 2^16, + j."""
        width = rows.width - rows.cut
        count = -(-width // _BLOCK)
        high, low = divmod(self._salt, 1 << 64)
        first = np.empty((len(rows), 2), ">u8")
        first[:, 0] = rows.ssrc.astype(np.uint64) ^ np.uint64(high)
        first[:, 1] = rows.index.astype(np.uint64) << np.uint64(16) ^ np.uint64(low)
        blocks = self._blocks.take(len(rows), count * _BLOCK)
        stream = self._stream.take(1, blocks.size + _BLOCK - 1)  # as update_into wants it
        blocks.view(np.complex128)[:] = first.view(np.complex128)  # for numpy, 16 octets at a time
        blocks.view(">u2").reshape(len(rows), count, 8)[:, :, 7] = np.arange(count, dtype=">u2")
        self._encrypt(blocks.reshape(-1).data, stream[0].data)
        return stream[0, : blocks.size].reshape(blocks.shape)[:, :width]


class _Room:
    """Memory for a matrix, the same every time: new memory is slow."""

    def __init__(self) -> None:
        self._octets = np.empty(0, np.uint8)

    def take(self, rows: int, width: int) -> Octets:
        """Return a matrix; what was returned before is overwritten."""
        if self._octets.size < rows * width:
            self._octets = np.empty(rows * width, np.uint8)
        return self._octets[: rows * width].reshape(rows, width)


class GcmRows:
    """AES-GCM: what is in clear, and SRTCP's word, are the associated data."""

    def __init__(self, keys: Keys) -> None:
        self._salt = np.frombuffer(keys.salt, ">u4").astype(np.int64)
        self._decrypt = AESGCM(keys.key).decrypt

    def open(self, rows: Rows, out: Octets | None) -> Booleans:
        """Check and decrypt at once."""
        cut, width = rows.cut, rows.width - rows.cut
        clear = gather(rows.octets, rows.start, cut)
        # The tag stands right behind the payload, as AES-GCM wants it.
        sealed = cells(rows.octets, rows.start + cut, width + rows.tag_length)
        known = np.hstack((clear, rows.words)) if rows.words.size else clear
        arguments = _cells(self._ivs(rows)), sealed, _cells(known)
        right, plain = np.ones(len(rows), np.bool_), []
        try:
            plain = list(map(self._decrypt, *arguments))
        except InvalidTag:  # rare: find out whose
            opened = [self._open_one(*one) for one in zip(*arguments, strict=True)]
            right = np.array([one is not None for one in opened])
            plain = [bytes(width) if one is None else one for one in opened]
        if out is not None:
            out[:, :cut] = clear
            out[:, cut:] = np.frombuffer(b"".join(plain), np.uint8).reshape(len(rows), width)
        return right

    def _open_one(self, iv: bytes, sealed: bytes, known: bytes) -> bytes | None:
        try:
            return self._decrypt(iv, sealed, known)
        except InvalidTag:
            return None

    def _ivs(self, rows: Rows) -> Octets:
        """Return 00 00 | SSRC | index (48 bits) xor the salt, 12 octets for each packet."""
        ivs = np.empty((len(rows), 3), ">u4")
        ivs[:, 0] = rows.ssrc >> 16 ^ self._salt[0]
        ivs[:, 1] = (rows.ssrc & 0xFFFF) << 16 ^ rows.index >> 32 ^ self._salt[1]
        ivs[:, 2] = rows.index & 0xFFFFFFFF ^ self._salt[2]
        return ivs.view(np.uint8)


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
    if width:
        matrix.view(f"V{width}")[:, 0] = windows(octets, width)[at]
    return matrix


def _cells(matrix: Octets) -> list[bytes]:
    """Return each row of a matrix without gaps."""
    found: list[bytes] = matrix.view(f"V{matrix.shape[1]}")[:, 0].tolist() if matrix.shape[1] else []
    return found or [b""] * len(matrix)
