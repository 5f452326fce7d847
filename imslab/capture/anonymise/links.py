"""Frames with other hardware addresses: from the link layer to what an EtherType names.

Spec: the link types of tcpdump.org/linktypes.html; IEEE 802.3, 802.1Q, 802.1ad, 802.2, 802.11; RFC 826 (ARP),
RFC 2516 (PPPoE), RFC 1661 (PPP), RFC 3032 (MPLS). A frame of another kind becomes zeros behind its header.
"""

from collections.abc import Callable

from imslab.capture.anonymise.addresses import Addresses

Network = Callable[[bytes], bytes]

_IPV4, _IPV6, _ARP, _BRIDGE = 0x0800, 0x86DD, 0x0806, 0x6558
_TAGS = frozenset((0x8100, 0x88A8, 0x9100, 0x9200))
_MPLS, _PPPOE, _PPPOE_SESSION = frozenset((0x8847, 0x8848)), 0x8863, 0x8864
_LONGEST_LENGTH = 1500  # below: a length, and 802.2 follows
_PPP = {0x0021: _IPV4, 0x0057: _IPV6, 0x0281: 0x8847}
_READ = _TAGS | _MPLS | {_IPV4, _IPV6, _ARP, _BRIDGE, _PPPOE, _PPPOE_SESSION}
_EXPERIMENT = bytes.fromhex("88b5")  # IEEE 802: for experiments, in one's own network
_BRIDGES, _NOBODY = b"\x42", bytes.fromhex("000003")  # access points of 802.2: spanning tree, none
_SNAP = bytes.fromhex("aaaa03")
_MOST_LABELS, _DEPTH = 16, 8


class Links:
    """Rewrites frames; ``network`` rewrites an IP packet, with what may follow it."""

    def __init__(self, addresses: Addresses, network: Network) -> None:
        self._addresses, self._network = addresses, network
        self.unknown: dict[int, int] = {}

    def frame(self, link: int, octets: bytes) -> bytes:
        """Return a frame of a link type (LINKTYPE_...) with other addresses."""
        rule = _LINKS.get(link)
        if rule is None:
            self.unknown[link] = self.unknown.get(link, 0) + 1
            return bytes(len(octets))
        return rule(self, octets)

    def ethernet(self, octets: bytes) -> bytes:
        """Rewrite Ethernet, from the destination on."""
        if len(octets) < 14:
            return bytes(len(octets))
        mac = self._addresses.mac
        kind = int.from_bytes(octets[12:14])
        head = mac(octets[:6]) + mac(octets[6:12])
        if kind <= _LONGEST_LENGTH:
            return head + octets[12:14] + self._llc(octets[14:])
        # What nobody here reads is no more what it says it was.
        shown = octets[12:14] if kind in _READ else _EXPERIMENT
        return head + shown + self.typed(kind, octets[14:])

    def typed(self, kind: int, octets: bytes, depth: int = 0) -> bytes:
        """Rewrite what an EtherType names."""
        if depth > _DEPTH:
            return bytes(len(octets))
        if kind in (_IPV4, _IPV6):
            return self._network(octets)
        if kind in _TAGS:
            return octets[:4] + self.typed(int.from_bytes(octets[2:4]), octets[4:], depth + 1)
        if kind in _MPLS:
            return self._mpls(octets, depth)
        if kind in (_PPPOE, _PPPOE_SESSION):
            head, rest = octets[:6], octets[6:]
            return head + (self._ppp_protocol(rest, depth) if kind == _PPPOE_SESSION else bytes(len(rest)))
        if kind == _ARP:
            return self._arp(octets)
        return self.ethernet(octets) if kind == _BRIDGE else bytes(len(octets))

    def _llc(self, octets: bytes) -> bytes:
        """802.2: SNAP names an EtherType; of others (spanning tree, IPX) the header stays."""
        if octets[:3] == _SNAP and octets[3:6] == bytes(3):
            return octets[:8] + self.typed(int.from_bytes(octets[6:8]), octets[8:])
        return (octets[:3] if octets[:1] == _BRIDGES else _NOBODY[: len(octets)]) + bytes(len(octets[3:]))

    def _mpls(self, octets: bytes, depth: int) -> bytes:
        at = 0
        while at + 4 <= len(octets) and at < 4 * _MOST_LABELS:
            at += 4
            if octets[at - 2] & 1:  # the bottom of the stack
                break
        rest = octets[at:]
        version = rest[0] >> 4 if rest else 0
        if version in (4, 6):
            return octets[:at] + self._network(rest)
        if version == 0 and len(rest) > 18:  # a control word and Ethernet (RFC 4448)
            return octets[:at] + rest[:4] + self.ethernet(rest[4:])
        return octets[:at] + bytes(len(rest))

    def _ppp_protocol(self, octets: bytes, depth: int = 0) -> bytes:
        kind = int.from_bytes(octets[:2])
        known = _PPP.get(kind)
        return octets[:2] + (self.typed(known, octets[2:], depth + 1) if known else bytes(len(octets[2:])))

    def ppp(self, octets: bytes) -> bytes:
        """Rewrite PPP, with its address and control octets or without."""
        head = 2 if octets[:2] == b"\xff\x03" else 0
        return octets[:head] + self._ppp_protocol(octets[head:])

    def _arp(self, octets: bytes) -> bytes:
        """Rewrite the two pairs of addresses of ARP."""
        if len(octets) < 8:
            return bytes(len(octets))
        hardware, protocol = octets[4], octets[5]
        result, at = bytearray(octets[:8] + bytes(len(octets) - 8)), 8
        for length in (hardware, protocol, hardware, protocol):
            value = octets[at : at + length]
            if len(value) == length == 6:
                result[at : at + 6] = self._addresses.mac(value)
            elif len(value) == length == 4:
                result[at : at + 4] = self._addresses.ip(value)
            at += length
        return bytes(result)

    def sll(self, octets: bytes) -> bytes:
        """Rewrite a Linux cooked capture."""
        if len(octets) < 16:
            return bytes(len(octets))
        head = octets[:6] + self._padded(octets[6:14], int.from_bytes(octets[4:6])) + octets[14:16]
        return head + self.typed(int.from_bytes(octets[14:16]), octets[16:])

    def sll2(self, octets: bytes) -> bytes:
        """Rewrite a Linux cooked capture, version 2."""
        if len(octets) < 20:
            return bytes(len(octets))
        head = octets[:12] + self._padded(octets[12:20], octets[11])
        return head + self.typed(int.from_bytes(octets[:2]), octets[20:])

    def _padded(self, octets: bytes, length: int) -> bytes:
        """Rewrite an address in a field of 8 octets; what fills the field becomes zeros."""
        return (self._addresses.mac(octets[:6]) if length == 6 else b"").ljust(8, b"\0")

    def null(self, octets: bytes) -> bytes:
        """Rewrite BSD's loopback: an address family of 4 octets, in either byte order."""
        rest = octets[4:]
        is_ip = bool(rest) and rest[0] >> 4 in (4, 6)
        return octets[:4] + (self._network(rest) if is_ip else bytes(len(rest)))

    def raw(self, octets: bytes) -> bytes:
        """Rewrite an IP packet."""
        return self._network(octets)

    def wireless(self, octets: bytes) -> bytes:
        """Rewrite data frames of 802.11; of others the addresses, and zeros behind them."""
        if len(octets) < 24:
            return bytes(len(octets))
        control, flags = octets[0], octets[1]
        mac = self._addresses.mac
        head = octets[:4] + b"".join(mac(octets[at : at + 6]) for at in (4, 10, 16)) + octets[22:24]
        if control & 0x0C != 0x08 or control & 0x40:  # no data, or none in it
            return head + bytes(len(octets) - 24)
        at = 24
        if flags & 0x03 == 0x03:
            head, at = head + mac(octets[24:30]), 30
        more = (2 if control & 0x80 else 0) + (4 if control & 0x80 and flags & 0x80 else 0)
        head, at = head + octets[at : at + more], at + more
        rest = octets[at:]
        return head + (bytes(len(rest)) if flags & 0x40 else self._llc(rest))  # 0x40: encrypted

    def radiotap(self, octets: bytes) -> bytes:
        """Rewrite 802.11 behind a radiotap header."""
        length = int.from_bytes(octets[2:4], "little")
        if not 8 <= length <= len(octets):
            return bytes(len(octets))
        return octets[:length] + self.wireless(octets[length:])


_LINKS: dict[int, Callable[[Links, bytes], bytes]] = {
    0: Links.null, 1: Links.ethernet, 9: Links.ppp, 50: Links.ppp, 51: lambda links, octets: links.typed(
        _PPPOE_SESSION, octets
    ), 105: Links.wireless, 108: Links.null, 113: Links.sll, 127: Links.radiotap, 276: Links.sll2,
    **dict.fromkeys((12, 14, 101, 228, 229), Links.raw),
}  # fmt: skip
