"""SCTP with other addresses: chunks that carry Diameter are rewritten, what others carry becomes zeros.

Spec: RFC 9260, 3; RFC 6733, 2.1 (Diameter's payload protocol identifiers); TS 24.229 knows it between CSCFs.
Chunk types, lengths and numbers stay; a payload that is blanked is called nothing (identifier 0).
"""

from collections.abc import Callable

from imslab.capture.anonymise.checksums import crc32c

HEADER = 12  # octets
_DATA, _INIT, _INIT_ACK, _HEARTBEAT, _HEARTBEAT_ACK = 0, 1, 2, 4, 5
_ABORT, _ERROR, _COOKIE_ECHO = 6, 9, 10
_WHOLE, _DIAMETER = 3, frozenset((46, 47))  # beginning and end of a message in one chunk
_V4, _V6 = b"\x00\x05", b"\x00\x06"
# Supported address types, ECN, forward TSN, supported extensions: what a stack can, and not who it is.
_KEPT = (b"\x00\x0c", b"\x80\x00", b"\xc0\x00", b"\x80\x08")

Rewrite = Callable[[bytes], bytes]


def rewrite(octets: bytes, ip: Rewrite, diameter: Rewrite) -> bytes:
    """Return a packet with other addresses and payloads; its checksum is right where it was."""
    result, at = bytearray(octets), HEADER
    while at + 4 <= len(octets):
        kind = octets[at]
        end = min(at + max(int.from_bytes(octets[at + 2 : at + 4]), 4), len(octets))
        if kind == _DATA and end >= at + 16:
            result[at + 12 : end] = _data(octets[at:end], diameter)
        elif kind in (_INIT, _INIT_ACK, _HEARTBEAT, _HEARTBEAT_ACK):
            start = at + (20 if kind in (_INIT, _INIT_ACK) else 4)
            _parameters(octets, start, end, ip, result)
        elif kind in (_ABORT, _ERROR, _COOKIE_ECHO):
            result[at + 4 : end] = bytes(end - at - 4)
        at = end + -end % 4
    return _checked(octets, bytes(result))


def _checked(old: bytes, new: bytes) -> bytes:
    without = [octets[:8] + bytes(4) + octets[HEADER:] for octets in (old, new)]
    if crc32c(without[0]).to_bytes(4, "little") != old[8:HEADER]:
        return new
    return new[:8] + crc32c(without[1]).to_bytes(4, "little") + new[HEADER:]


def _data(chunk: bytes, diameter: Rewrite) -> bytes:
    """Return payload protocol identifier and payload."""
    if chunk[1] & _WHOLE == _WHOLE and int.from_bytes(chunk[12:16]) in _DIAMETER:
        return chunk[12:16] + diameter(chunk[16:])
    return bytes(len(chunk) - 12)


def _parameters(octets: bytes, at: int, end: int, ip: Rewrite, result: bytearray) -> None:
    while at + 4 <= end:
        kind, stop = octets[at : at + 2], min(at + max(int.from_bytes(octets[at + 2 : at + 4]), 4), end)
        value = octets[at + 4 : stop]
        if (kind, len(value)) in ((_V4, 4), (_V6, 16)):
            result[at + 4 : stop] = ip(value)
        elif kind not in _KEPT:
            result[at + 4 : stop] = bytes(len(value))
        at = stop + -(stop - at) % 4
