"""Tunnels over UDP that carry frames or payloads: VXLAN, Geneve, TURN's channels, HEP of capture agents.

Spec: RFC 7348, RFC 8926, RFC 8656, 12.4 (ChannelData), HEP version 3 (Homer's encapsulation protocol).
"""

from collections.abc import Callable
from typing import Protocol

from imslab.capture.anonymise.segments import Flow
from imslab.capture.anonymise.text import Texts

_VXLAN, _GENEVE, _BRIDGE = 4789, 6081, 0x6558
_HEP = b"HEP3"
_HEP_NUMBERS = frozenset((1, 2, 7, 8, 9, 10, 11, 12, 13, 18, 32, 33, 34))
_HEP_V4, _HEP_V6, _HEP_PAYLOAD = frozenset((3, 4)), frozenset((5, 6)), 15
_CHANNELS = range(0x40, 0x50)
_HEP_TEXTS = frozenset((17, 19))


class Frames(Protocol):
    """What rewrites frames and packets."""

    def packet(self, octets: bytes) -> bytes:
        """Rewrite an IP packet."""

    def frame(self, octets: bytes) -> bytes:
        """Rewrite an Ethernet frame."""


class Tunnels:
    """Rewrites tunnels; ``payload`` rewrites what a datagram carried that a tunnel passes on."""

    def __init__(self, texts: Texts, inner: Frames, payload: Callable[[bytes], bytes]) -> None:
        self._texts, self._inner, self._payload = texts, inner, payload

    def rewrite(self, ports: tuple[int, int], flow: Flow, octets: bytes) -> bytes | None:
        """Return a tunnel's datagram with other contents; None when it is none."""
        if _VXLAN in ports and len(octets) >= 8 + 14 and octets[0] & 0x08:
            return octets[:8] + self._inner.frame(octets[8:])
        if _GENEVE in ports and len(octets) >= 8 and octets[0] >> 6 == 0:
            return self._geneve(octets)
        if octets.startswith(_HEP):
            return self._hep(octets)
        if octets[0] in _CHANNELS and len(octets) >= 4:
            end = 4 + int.from_bytes(octets[2:4])
            if end <= len(octets) < end + 4:
                return octets[:4] + self._payload(octets[4:end]) + bytes(len(octets) - end)
        return None

    def _geneve(self, octets: bytes) -> bytes:
        start = 8 + 4 * (octets[0] & 0x3F)
        kind, rest = int.from_bytes(octets[2:4]), octets[start:]
        head = octets[:8] + bytes(len(octets[8:start]))
        if kind == _BRIDGE:
            return head + self._inner.frame(rest)
        return head + (self._inner.packet(rest) if kind in (0x0800, 0x86DD) else bytes(len(rest)))

    def _hep(self, octets: bytes) -> bytes:
        result, at = bytearray(octets), 6
        while at + 6 <= len(octets):
            kind, start = int.from_bytes(octets[at + 2 : at + 4]), at + 6
            end = min(at + max(int.from_bytes(octets[at + 4 : start]), 6), len(octets))
            result[start:end] = self._chunk(kind, octets[start:end])
            at = end
        result[at:] = bytes(len(octets) - at)
        return bytes(result)

    def _chunk(self, kind: int, value: bytes) -> bytes:
        if kind in _HEP_NUMBERS:
            return value
        if (kind in _HEP_V4 and len(value) == 4) or (kind in _HEP_V6 and len(value) == 16):
            return self._texts.addresses.ip(value)
        if kind == _HEP_PAYLOAD:
            return self._payload(value)
        if kind in _HEP_TEXTS:
            text = self._texts.words(value.decode("utf-8", "surrogateescape"))
            return text.encode("utf-8", "surrogateescape")
        return bytes(len(value))
