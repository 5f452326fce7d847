"""The pcap format: a file header, then records.

Spec: draft-ietf-opsawg-pcap; the "modified" variant (magic a1b2cd34) has 8 more octets in each
record header. Times are in micro- or nanoseconds, as the magic number says.
"""

import struct
from array import array

import numpy as np

from imslab.capture.file import Buffer, CaptureFile, Records, Words
from imslab.errors import CaptureError

_FORMS = {0xA1B2C3D4: (16, 1_000), 0xA1B23C4D: (16, 1), 0xA1B2CD34: (24, 1_000)}  # (header, ns in a tick)
MAGIC = {
    struct.pack(order + "I", magic): (order, *form) for magic, form in _FORMS.items() for order in ("<", ">")
}
_HEADER = 24  # octets, of the file
MOST = 262_144  # octets in one packet (what libpcap and Wireshark take for the end of sanity)


def read(name: str, data: Buffer) -> CaptureFile:
    """Go through a pcap file; CaptureError when it ends within its file header."""
    if len(data) < _HEADER:
        raise CaptureError(f"{name} ends within the file header, at octet {len(data)}", offset=len(data))
    order, header, tick = MAGIC[data[:4]]
    (network,) = struct.unpack_from(order + "I", data, 20)
    positions, fault = _positions(data, order, header)
    records = _records(data, order, header, tick, positions, network & 0xFFFF)
    capture = CaptureFile(name, "pcap", data, records, byte_order=order)
    if fault:
        capture.truncated = True
        capture.warnings.append(f"{name}: {fault}; {len(positions)} packets before that were read")
    return capture


def _positions(data: Buffer, order: str, header: int) -> tuple["array[int]", str]:
    """Return where each record starts, and what is wrong with the one that follows, if anything is."""
    captured = struct.Struct(order + "I").unpack_from
    found = array("q")
    append, position, last = found.append, _HEADER, len(data) - header
    while position <= last:
        (length,) = captured(data, position + 8)
        if length > MOST:
            return found, f"corrupt at octet {position}: a packet of {length} octets"
        following = position + header + length
        if following > last + header:
            return found, f"cut at octet {position}: the packet there should have {length} octets"
        append(position)
        position = following
    if position < len(data):
        return found, f"cut at octet {position}, within a record header"
    return found, ""


def _records(data: Buffer, order: str, header: int, tick: int, positions: "array[int]", link: int) -> Records:
    at = np.array(positions, np.int64)
    words = Words(data, order)
    offset, length = at + header, words.u32(at + 8)
    time = words.u32(at) * 1_000_000_000 + words.u32(at + 4) * tick
    end = offset + length
    return Records(offset, length, words.u32(at + 12), time, np.full(len(at), link, np.int64), end, end)
