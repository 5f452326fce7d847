"""The pcap format: a file header, then records.

Spec: draft-ietf-opsawg-pcap; the "modified" variant (magic a1b2cd34) has 8 more octets in each
record header. Times are in micro- or nanoseconds, as the magic number says.
"""

import struct
from array import array
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imslab.capture.buffer import Octets
from imslab.capture.columns import Column, Mask
from imslab.capture.file import Buffer, CaptureFile, Records
from imslab.capture.walk import walk
from imslab.errors import CaptureError

_FORMS = {0xA1B2C3D4: (16, 1_000), 0xA1B23C4D: (16, 1), 0xA1B2CD34: (24, 1_000)}  # (header, ns in a tick)
MAGIC = {
    struct.pack(order + "I", magic): (order, *form) for magic, form in _FORMS.items() for order in ("<", ">")
}
_HEADER = 24  # octets, of the file
MOST = 262_144  # octets in one packet (what libpcap and Wireshark take for the end of sanity)
_PART = 32_768  # records whose headers are read at a time
_SECOND = 1_000_000_000  # nanoseconds


def read(name: str, data: Buffer) -> CaptureFile:
    """Go through a pcap file; CaptureError when it ends within its file header."""
    if len(data) < _HEADER:
        raise CaptureError(f"{name} ends within the file header, at octet {len(data)}", offset=len(data))
    order, header, tick = MAGIC[bytes(data[:4])]
    (network,) = struct.unpack_from(order + "I", data, 20)
    form = _Pcap(data, Octets(data), order, header, tick)
    positions, stop = walk(form, form.octets.windows, _HEADER, len(data))
    capture = CaptureFile(name, "pcap", data, form.records(positions, network & 0xFFFF), byte_order=order)
    if stop < len(data):
        capture.truncated = True
        fault = form.fault(stop)
        capture.warnings.append(f"{name}: {fault}; {len(positions)} packets before that were read")
    return capture


@dataclass(frozen=True, slots=True)
class _Pcap:
    """A file of one variant: its byte order, the octets of a record header, nanoseconds in a tick."""

    data: Buffer
    octets: Octets
    order: str
    header: int
    tick: int

    def following(self, at: Column) -> Column:
        """Return where records end; -1 where one is too long, or does not fit into the file."""
        length = self._words(at + 8, 1)[:, 0]
        end = at + self.header + length
        return np.where((length <= MOST) & (end <= len(self.data)), end, -1)

    def looks_right(self, at: Column) -> Mask:
        """Tell where the numbers of a record header fit each other."""
        words = self._words(at, 4)
        good: Mask = (words[:, 1] * self.tick < _SECOND) & (words[:, 2] <= words[:, 3])
        return good & (words[:, 2] > 0) & (words[:, 3] <= MOST)

    def candidates(self, window: NDArray[np.uint8]) -> Mask:
        """Tell where the first octet of the seconds is that of the first packet: the same half year."""
        place = 3 if self.order == "<" else 0
        found = np.zeros(window.shape, np.bool_)
        found[:, : window.shape[1] - place] = window[:, place:] == self.data[_HEADER + place]
        return found

    def one_by_one(self, position: int) -> "tuple[array[int], int]":
        """Walk from one record to the next."""
        captured = struct.Struct(self.order + "I").unpack_from
        data, header, size = self.data, self.header, len(self.data)
        found = array("q")
        append, last = found.append, size - header
        while position <= last:
            (length,) = captured(data, position + 8)
            following = position + header + length
            if length > MOST or following > size:
                break
            append(position)
            position = following
        return found, position

    def fault(self, position: int) -> str:
        """Say what is wrong with the record at ``position``."""
        if len(self.data) - position < self.header:
            return f"cut at octet {position}, within a record header"
        (length,) = struct.unpack_from(self.order + "I", self.data, position + 8)
        if length > MOST:
            return f"corrupt at octet {position}: a packet of {length} octets"
        return f"cut at octet {position}: the packet there should have {length} octets"

    def records(self, at: Column, link: int) -> Records:
        """Read the headers at ``at``."""
        length, original = np.empty(len(at), np.int32), np.empty(len(at), np.uint32)
        time = np.empty(len(at), np.int64)
        for first in range(0, len(at), _PART):
            part = slice(first, first + _PART)
            words = self._words(at[part], 4)
            time[part] = words[:, 0] * _SECOND + words[:, 1] * self.tick
            length[part], original[part] = words[:, 2], words[:, 3]
        nothing = np.broadcast_to(np.int64(0), len(at))
        kind = np.broadcast_to(np.int64(link), len(at))
        return Records(at + self.header, length, original, time, kind, nothing)

    def _words(self, at: Column, count: int) -> Column:
        return self.octets.windows(at, 4 * count).view(self.order + "u4").astype(np.int64)
