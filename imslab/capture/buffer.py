"""The octets that an index points into: those of the file, and behind them those that were put together.

A reassembled datagram, the clear text of an ESP packet or an inflated body lies nowhere in the file. It is
appended here, and has a position like any other octet: positions from ``file_length`` on are not in the file.
Nothing is ever moved or removed, so a position stays good. What lies beyond the end reads as zeros.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from imslab.capture.columns import Column
from imslab.capture.file import Buffer

_MARGIN = 64  # zeros behind the appended octets, so that most windows lie within the array


class Octets:
    """Octets by position: one at a time, many at once on numpy arrays, or a slice as bytes."""

    def __init__(self, data: Buffer) -> None:
        self._data = data
        self._file = np.frombuffer(data, np.uint8)
        self.file_length = len(self._file)
        self._parts: list[bytes] = []
        self._length = self.file_length
        self._side = np.zeros(_MARGIN, np.uint8)
        self._near: tuple[Column, NDArray[np.uint8]] = np.zeros(0, np.int64), np.zeros((0, 0), np.uint8)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, place: slice) -> bytes:
        """Return ``self[start:stop]``, which lies in the file or in one appended string."""
        start, stop = place.start or 0, self._length if place.stop is None else place.stop
        if start < self.file_length:
            return bytes(self._data[start : min(stop, self.file_length)])
        return self._appended()[
            start - self.file_length : min(stop, self._length) - self.file_length
        ].tobytes()

    def append(self, octets: bytes) -> int:
        """Put ``octets`` behind everything else and return their position."""
        return int(self.extend([octets])[0])

    def extend(self, strings: Sequence[bytes]) -> Column:
        """Append several strings at once and return the position of each."""
        lengths = np.array([len(octets) for octets in strings], np.int64)
        starts = self._length + np.cumsum(lengths) - lengths
        self._parts += strings
        self._length += int(lengths.sum())
        return starts

    def u8(self, at: Column) -> Column:
        """Return the octets at ``at``."""
        return self.windows(at, 1)[:, 0].astype(np.int64)

    def u16(self, at: Column) -> Column:
        """Return the numbers of two octets at ``at``, most significant first, as all that follow."""
        return self.windows(at, 2).view(">u2")[:, 0].astype(np.int64)

    def u32(self, at: Column) -> Column:
        """Return the numbers of four octets at ``at``."""
        return self.windows(at, 4).view(">u4")[:, 0].astype(np.int64)

    def windows(self, at: Column, width: int) -> NDArray[np.uint8]:
        """Return ``width`` octets from each position on, as an array of n by ``width``."""
        known = self._known(at, width)
        if known is not None:
            return known
        if len(self) > self.file_length and len(at):
            side = at >= self.file_length
            if side.all():
                return _windows(self._appended(), at - self.file_length, width)
            if side.any():
                found = np.empty((len(at), width), np.uint8)
                found[~side] = _windows(self._file, at[~side], width)
                found[side] = _windows(self._appended(), at[side] - self.file_length, width)
                return found
        return _windows(self._file, at, width)

    def look(self, at: Column, width: int) -> None:
        """Read ``width`` octets from each position on, and keep them until other positions are looked at.

        What lies at one distance from all these positions is then taken from there: most headers do.
        """
        self._near = at[:0], self._near[1][:0]
        self._near = at, self.windows(at, width)

    def _known(self, at: Column, width: int) -> NDArray[np.uint8] | None:
        near, octets = self._near
        if not len(at) or len(at) != len(near):
            return None
        distance = int(at[0] - near[0])
        if not 0 <= distance <= octets.shape[1] - width or (at - near != distance).any():
            return None
        if at.max() >= self.file_length:  # it may have been appended since
            return None
        return octets[:, distance : distance + width].copy()

    def _appended(self) -> NDArray[np.uint8]:
        if self._parts:
            held = self._side[: len(self._side) - _MARGIN].tobytes()
            self._side = np.frombuffer(b"".join([held, *self._parts, bytes(_MARGIN)]), np.uint8)
            self._parts = []
        return self._side


def _windows(octets: NDArray[np.uint8], at: Column, width: int) -> NDArray[np.uint8]:
    last = len(octets) - width
    inside = (at >= 0) & (at <= last)
    if inside.all():
        return _inner(octets, at, width)
    found = np.zeros((len(at), width), np.uint8)
    found[inside] = _inner(octets, at[inside], width)
    places = at[~inside][:, None] + np.arange(width)
    there = (places >= 0) & (places < len(octets))
    found[~inside] = np.where(there, octets[np.where(there, places, 0)], 0) if len(octets) else 0
    return found


def _inner(octets: NDArray[np.uint8], at: Column, width: int) -> NDArray[np.uint8]:
    if not len(at):
        return np.zeros((0, width), np.uint8)
    # Overlapping items, one octet apart: each window is copied as one piece, which is what makes this fast.
    items = np.ndarray((len(octets) - width + 1,), f"V{width}", octets, strides=(1,))
    return items[at].view(np.uint8).reshape(-1, width)
