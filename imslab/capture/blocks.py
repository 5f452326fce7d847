"""The blocks of a pcapng section: where they lie, and how one leads to the next.

Spec: draft-ietf-opsawg-pcapng, section 3.1. A block begins with its type and its length, and ends with the
latter.
"""

import struct
from array import array
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imslab.capture.buffer import Octets
from imslab.capture.columns import Column, Mask
from imslab.capture.file import Buffer

SECTION_TYPE = 0x0A0D0D0A  # the same in both byte orders
INTERFACE, OBSOLETE, SIMPLE, NAMES, ENHANCED, SECRETS = 1, 2, 3, 4, 6, 10
PACKETS = (OBSOLETE, SIMPLE, ENHANCED)
LEAST = 12  # octets of a block
_LONGEST = 2**24  # octets of what is guessed to be a packet block


@dataclass(frozen=True, slots=True)
class Blocks:
    """The blocks of one section, which begins at ``start`` and has one byte order."""

    data: Buffer
    octets: Octets
    order: str
    start: int

    def words(self, at: Column, count: int) -> Column:
        """Return ``count`` numbers of 32 bits from each position on."""
        return self.octets.windows(at, 4 * count).view(self.order + "u4").astype(np.int64)

    def following(self, at: Column) -> Column:
        """Return where blocks end; -1 where the lengths of one differ, or another section begins."""
        kind, claimed = self.words(at, 2).T
        end = at + _padded(claimed)
        good = (claimed >= LEAST) & (end <= len(self.data)) & ((kind != SECTION_TYPE) | (at == self.start))
        good &= self.words(np.where(good, end - 4, 0), 1)[:, 0] == claimed
        return np.where(good, end, -1)

    def looks_right(self, at: Column) -> Mask:
        """Tell where a packet block seems to be."""
        kind, claimed = self.words(at, 2).T
        good: Mask = np.isin(kind, PACKETS) & (claimed <= _LONGEST)
        return good

    def candidates(self, window: NDArray[np.uint8]) -> Mask:
        """Tell where there is the type of a packet block; blocks begin at multiples of four octets."""
        found = np.zeros(window.shape, np.bool_)
        found[:, ::4] = np.isin(window.view(self.order + "u4"), PACKETS)
        return found

    def one_by_one(self, position: int) -> "tuple[array[int], int]":
        """Walk from one block to the next, up to the end of the section or to a fault."""
        head, tail = struct.Struct(self.order + "II").unpack_from, struct.Struct(self.order + "I").unpack_from
        data, size, found = self.data, len(self.data), array("q")
        while position + LEAST <= size:
            kind, claimed = head(data, position)
            end = position + claimed + (-claimed & 3)
            if claimed < LEAST or end > size or (kind == SECTION_TYPE and position != self.start):
                break
            if tail(data, end - 4) != (claimed,):
                break
            found.append(position)
            position = end
        return found, position

    def begins_section(self, position: int) -> bool:
        """Tell whether a section begins at ``position``."""
        return bytes(self.data[position : position + 4]) == SECTION_TYPE.to_bytes(4)

    def fault(self, position: int) -> str:
        """Say what is wrong with the block at ``position``."""
        if len(self.data) - position < LEAST:
            return f"cut at octet {position}, within a block header"
        claimed = int(self.words(np.array([position + 4]), 1)[0, 0])
        total = claimed + (-claimed & 3)
        if total < LEAST:
            return f"corrupt at octet {position}: a block of {total} octets"
        if position + total > len(self.data):
            return f"cut at octet {position}: the block there should have {total} octets"
        return f"corrupt at octet {position}: the two lengths of the block differ"


def _padded(length: Column) -> Column:
    """Return lengths with their padding, which the first writers of the format did not count."""
    return length + (-length & 3)
