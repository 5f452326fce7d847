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

    ``room``   where they are kept, as long as they fit; None: in memory of their own
    ``place``  where in ``octets`` each packet begins that was opened
    """

    def __init__(
        self, context: Context, packets: Packets, *, rtcp: bool, decrypt: bool, room: Octets | None = None
    ) -> None:
        self.context, self.packets, self.rtcp, self.decrypt = context, packets, rtcp, decrypt
        self.place = np.zeros(len(packets.start), np.int64)
        self._room, self._kept = room, list[Octets]()
        self._size = 0
        self._ciphers: dict[int, RowCipher] = {}

    @property
    def octets(self) -> Octets:
        """The packets in clear, headers included."""
        if self._room is not None:
            return self._room[: self._size]
        if len(self._kept) != 1:
            self._kept = [np.concatenate([np.empty(0, np.uint8), *self._kept])]
        return self._kept[0]

    def open(self, which: Integers, index: Integers) -> Booleans:
        """Open the packets at the positions ``which`` under their indices; tell whose tag is right."""
        right, found = np.zeros(len(which), np.bool_), np.zeros(len(which), np.bool_)
        shape = self.packets.body[which], self.packets.clear[which], self._r(index)
        one_shape = not any(np.ptp(values) for values in shape) if len(which) else True
        order = slice(None) if one_shape else np.lexsort(shape)
        rows = self._rows(which[order], index[order])
        place = np.cumsum(rows.body) - rows.body
        out = self._take(int(rows.body.sum()) if self.decrypt else 0)
        for part in _parts([values[order] for values in shape]):
            matrix = out[place[part.start] :][: rows.body[part].sum()] if self.decrypt else None
            found[part] = self._open_part(rows.part(part), matrix)
        self.place[which[order]] = self._size + place
        self._size += len(out)
        right[order] = found
        return right

    def _take(self, count: int) -> Octets:
        """Return memory for so many octets behind what is kept."""
        if self._room is not None and self._size + count <= len(self._room):
            return self._room[self._size :][:count]
        if self._room is not None:  # packets were tried under several indices: more than was foreseen
            self._kept, self._room = [self._room[: self._size]], None
        self._kept.append(np.empty(count, np.uint8))
        return self._kept[-1]

    def _open_part(self, rows: Rows, out: Octets | None) -> Booleans:
        """Open packets of one shape and one set of keys."""
        matrix = None if out is None else out.reshape(len(rows), rows.width)
        if len(rows) < _FEW:
            return self._open_few(rows, matrix)
        right = self._cipher(int(rows.index[0])).open(rows, matrix)
        if matrix is not None and not right.all():
            matrix[~right] = 0
        return right

    def _rows(self, which: Integers, index: Integers) -> Rows:
        packets, words = self.packets, np.empty((len(which), 0), np.uint8)
        if self.rtcp or not self.context.is_gcm:
            numbers = packets.word[which] if self.rtcp else index >> 16
            words = numbers.astype(">u4").view(np.uint8).reshape(len(which), INDEX_WORD)
        return Rows(
            packets.octets,
            packets.start[which],
            packets.body[which],
            packets.clear[which],
            packets.tag[which],
            self.context.tag_length(self.rtcp),
            words,
            packets.ssrc[which],
            index,
        )

    def _r(self, index: Integers) -> Integers:
        return index // self.context.kdr if self.context.kdr else np.zeros_like(index)

    def _cipher(self, index: int) -> RowCipher:
        r = index // self.context.kdr if self.context.kdr else 0
        if r not in self._ciphers:
            self._ciphers = {r: row_cipher(self.context.profile, self.context.keys(self.rtcp, index))}
        return self._ciphers[r]

    def _open_few(self, rows: Rows, out: Octets | None) -> Booleans:
        right = np.zeros(len(rows), np.bool_)
        for row in range(len(rows)):
            try:
                plain = self._open_one(rows, row)
            except AuthenticationFailed:
                plain = bytes(rows.width)
            else:
                right[row] = True
            if out is not None:
                out[row] = np.frombuffer(plain, np.uint8)
        return right

    def _open_one(self, rows: Rows, row: int) -> bytes:
        start, tag, clear = int(rows.start[row]), int(rows.tag[row]), int(rows.clear[row])
        body = rows.octets[start : start + rows.width].tobytes()
        index, word = int(rows.index[row]), rows.words[row].tobytes()
        octets = rows.octets[tag : tag + rows.tag_length].tobytes()
        cipher = self.context.cipher(self.rtcp, index)
        return body[:clear] + cipher.open(
            body[:clear], body[clear:], word, octets, int(rows.ssrc[row]), index
        )


def _parts(shape: list[Integers]) -> Iterator[slice]:
    """Yield what can be opened together: one shape, one set of keys, no more than a cache holds."""
    changes = np.logical_or.reduce([np.diff(values) != 0 for values in shape])
    starts = [0, *(np.flatnonzero(changes) + 1).tolist()] if len(shape[0]) else []
    for first, last in zip(starts, [*starts[1:], len(shape[0])], strict=False):
        most = max(_OCTETS_AT_ONCE // max(int(shape[0][first]), 1), _FEW)
        yield from (slice(at, min(at + most, last)) for at in range(first, last, most))
