"""Opening many packets: those of one shape together, the few of a rare one each for itself."""

from collections.abc import Iterator

import numpy as np

from imslab.errors import AuthenticationFailed
from imslab.srtp.bulk.packets import Packets
from imslab.srtp.bulk.rows import Booleans, Integers, Octets, RowCipher, Rows, row_cipher
from imslab.srtp.context import Context
from imslab.srtp.packet import INDEX_WORD

_FEW = 8  # packets of one shape for which a matrix is not worth its making
_OCTETS_AT_ONCE = 1 << 18  # what a processor's cache holds


class Opener:
    """Opens packets of one context, in any order, and keeps them.

    ``place``  where in ``octets`` each packet begins that was opened
    """

    def __init__(self, context: Context, packets: Packets, *, rtcp: bool, decrypt: bool) -> None:
        self.context, self.packets, self.rtcp, self.decrypt = context, packets, rtcp, decrypt
        self.place = np.zeros(len(packets.start), np.int64)
        self._kept: list[Octets] = []
        self._size = 0
        self._ciphers: dict[int, RowCipher] = {}

    @property
    def octets(self) -> Octets:
        """The packets in clear, headers included."""
        if len(self._kept) != 1:
            self._kept = [np.concatenate([np.empty(0, np.uint8), *self._kept])]
        return self._kept[0]

    def open(self, which: Integers, index: Integers) -> Booleans:
        """Open the packets at the positions ``which`` under their indices; tell whose tag is right."""
        right, out = np.zeros(len(which), np.bool_), None
        if self.decrypt:
            self._kept.append(out := np.empty(int(self.packets.body[which].sum()), np.uint8))
        filled = 0
        for part in self._parts(which, index):
            positions = which[part]
            body = int(self.packets.body[positions[0]])
            rows = None if out is None else out[filled : filled + len(part) * body].reshape(-1, body)
            opens = self._open_few if len(part) < _FEW else self._open_rows
            right[part] = opens(positions, index[part], rows)
            self.place[positions] = self._size + filled + body * np.arange(len(part))
            filled += len(part) * body
        self._size += filled
        return right

    def _parts(self, which: Integers, index: Integers) -> Iterator[Integers]:
        """Yield what can be opened together: one shape, one set of keys, no more than a cache holds."""
        shape = self.packets.body[which], self.packets.clear[which], self._r(index)
        order = np.lexsort(shape) if any(np.ptp(values) for values in shape) else np.arange(len(which))
        changes = np.logical_or.reduce([np.diff(values[order]) != 0 for values in shape])
        for group in np.split(order, np.flatnonzero(changes) + 1):
            most = max(_OCTETS_AT_ONCE // max(int(shape[0][group[0]]), 1), _FEW)
            yield from (group[at : at + most] for at in range(0, len(group), most))

    def _r(self, index: Integers) -> Integers:
        return index // self.context.kdr if self.context.kdr else np.zeros_like(index)

    def _open_rows(self, which: Integers, index: Integers, out: Octets | None) -> Booleans:
        packets, first = self.packets, which[0]
        rows = Rows(
            packets.octets,
            packets.start[which],
            int(packets.body[first]),
            int(packets.clear[first]),
            packets.tag[which],
            self.context.tag_length(self.rtcp),
            self._words(which, index),
            packets.ssrc[which],
            index,
        )
        right = self._cipher(int(index[0])).open(rows, out)
        if out is not None:
            out[~right] = 0
        return right

    def _words(self, which: Integers, index: Integers) -> Octets:
        if not self.rtcp and self.context.is_gcm:
            return np.empty((len(which), 0), np.uint8)
        words = self.packets.word[which] if self.rtcp else index >> 16
        return words.astype(">u4").view(np.uint8).reshape(len(which), INDEX_WORD)

    def _cipher(self, index: int) -> RowCipher:
        r = index // self.context.kdr if self.context.kdr else 0
        if r not in self._ciphers:
            self._ciphers = {r: row_cipher(self.context.profile, self.context.keys(self.rtcp, index))}
        return self._ciphers[r]

    def _open_few(self, which: Integers, index: Integers, out: Octets | None) -> Booleans:
        right = np.zeros(len(which), np.bool_)
        for row, (at, under) in enumerate(zip(which.tolist(), index.tolist(), strict=True)):
            try:
                plain = self._open_one(at, under)
            except AuthenticationFailed:
                plain = bytes(int(self.packets.body[at]))
            else:
                right[row] = True
            if out is not None:
                out[row] = np.frombuffer(plain, np.uint8)
        return right

    def _open_one(self, at: int, index: int) -> bytes:
        body, tag = self.packets.one(at, self.context.tag_length(self.rtcp))
        clear, ssrc = int(self.packets.clear[at]), int(self.packets.ssrc[at])
        word = int(self.packets.word[at]).to_bytes(INDEX_WORD) if self.rtcp else self.context.word(index)
        cipher = self.context.cipher(self.rtcp, index)
        return body[:clear] + cipher.open(body[:clear], body[clear:], word, tag, ssrc, index)
