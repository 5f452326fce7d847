"""IP packets with other addresses: headers, extension headers, ICMP, tunnels, and what UDP, TCP and SCTP
carry.

Spec: RFC 791, RFC 8200, RFC 792, RFC 4443, RFC 4861 (neighbours), RFC 768, RFC 9293, RFC 9260 (SCTP), RFC
2784 (GRE), RFC 4303 (ESP). Ports, numbers, flags and lengths stay; what is not known becomes zeros.
"""

from collections.abc import Callable, Hashable
from typing import Protocol

from imslab.capture.anonymise import sctp
from imslab.capture.anonymise.addresses import Addresses
from imslab.capture.anonymise.checksums import adjusted
from imslab.capture.anonymise.fragments import Fragments
from imslab.capture.anonymise.segments import Flow

UDP, TCP, ICMP, ICMPV6, SCTP, ESP = 17, 6, 1, 58, 132, 50
_IP_IN_IP, _IPV6_IN_IP, _GRE, _AH, _IGMP = 4, 41, 47, 51, 2
_ERRORS, _ERRORS_V6 = frozenset((3, 4, 5, 11, 12)), frozenset((1, 2, 3, 4))
_OPTIONS, _ROUTING, _FRAGMENT, _DESTINATION, _NOTHING = 0, 43, 44, 60, 59
_KEPT_TCP_OPTIONS = frozenset((0, 1, 2, 3, 4, 5, 8))
_SOLICITATION, _ADVERTISEMENT, _REDIRECT, _ROUTER_ADVERTISEMENT, _ROUTER_SOLICITATION = (
    135,
    136,
    137,
    134,
    133,
)
_CHAINED = frozenset((0, 43, 44, 48, 50, 51, 60, 135, 139, 140))
_DEPTH = 8


class Payloads(Protocol):
    """Rewrites what transports carry; while a capture is surveyed it returns the octets as they are."""

    surveys: bool

    def datagram(self, flow: Flow, octets: bytes) -> bytes:
        """Rewrite what UDP carries."""

    def segment(self, flow: Flow, seq: int, flags: int, octets: bytes) -> bytes:
        """Rewrite what a TCP segment carries."""

    def chunk(self, octets: bytes) -> bytes:
        """Rewrite Diameter in a chunk of SCTP."""

    def sealed(self, octets: bytes, inside: Callable[[int, bytes], bytes]) -> bytes:
        """Rewrite an ESP packet."""


class Internet:
    """Rewrites IP packets; ``bridged`` rewrites an Ethernet frame within a tunnel."""

    def __init__(
        self, addresses: Addresses, payloads: Payloads, typed: Callable[[int, bytes], bytes]
    ) -> None:
        self._addresses, self._payloads, self._typed = addresses, payloads, typed
        self.fragments = Fragments()
        self._depth = 0

    def packet(self, octets: bytes) -> bytes:
        """Return an IP packet with other addresses; zeros for what is none, and behind its end."""
        version = octets[0] >> 4 if octets else 0
        if self._depth > _DEPTH or (version, len(octets) >= 20) not in ((4, True), (6, True)):
            return bytes(len(octets))
        self._depth += 1
        try:
            return self._v4(octets) if version == 4 else self._v6(octets)
        finally:
            self._depth -= 1

    def finish_fragments(self) -> None:
        """Rewrite the datagrams that came in fragments and are whole."""

        def rewrite(key: Hashable, whole: bytes) -> bytes:
            source, target, protocol = key[0], key[1], key[2]  # type: ignore[index]
            return self._transport(protocol, source, target, whole)

        self.fragments.close(rewrite)

    # -- headers ---------------------------------------------------------------------------------

    def _v4(self, octets: bytes) -> bytes:
        start, total = (octets[0] & 0x0F) * 4, int.from_bytes(octets[2:4])
        if not 20 <= start <= len(octets):
            return octets[:12] + bytes(len(octets) - 12)
        end = min(total, len(octets)) if total >= start else len(octets)
        source, target = octets[12:16], octets[16:20]
        ip = self._addresses.ip
        options = _v4_options(octets[20:start], ip)
        new = octets[:12] + ip(source) + ip(target) + options
        head = new[:10] + adjusted(octets[10:12], octets[:start], new) + new[12:]
        place, more = (int.from_bytes(octets[6:8]) & 0x1FFF) * 8, bool(octets[6] & 0x20)
        payload, protocol = octets[start:end], octets[9]
        if place or more:
            key = source, target, protocol, octets[4:6]
            body = self._fragment(key, place, more, payload)
        else:
            body = self._transport(protocol, source, target, payload)
        return head + body + bytes(len(octets) - end)

    def _v6(self, octets: bytes) -> bytes:
        if len(octets) < 40:
            return octets[:8] + bytes(len(octets) - 8)
        length, ip = int.from_bytes(octets[4:6]), self._addresses.ip
        end = min(40 + length, len(octets)) if length else len(octets)
        source, target = octets[8:24], octets[24:40]
        body = self._following(octets[6], source, target, octets[40:end])
        return octets[:8] + ip(source) + ip(target) + body + bytes(len(octets) - end)

    def _following(self, kind: int, source: bytes, target: bytes, octets: bytes) -> bytes:
        """Rewrite extension headers, and what follows them."""
        parts: list[bytes] = []
        for _ in range(_DEPTH):
            if kind not in (_OPTIONS, _ROUTING, _DESTINATION, _FRAGMENT) or len(octets) < 8:
                break
            size = 8 if kind == _FRAGMENT else min(8 * (octets[1] + 1), len(octets))
            head, octets = octets[:size], octets[size:]
            if kind == _FRAGMENT:
                place = int.from_bytes(head[2:4])
                if place & 0xFFF9:
                    key = source, target, head[0], head[4:8]
                    return b"".join(
                        [*parts, head, self._fragment(key, place & 0xFFF8, bool(place & 1), octets)]
                    )
            elif kind == _ROUTING:
                target = head[8:24] if len(head) >= 24 and head[3] else target
                head = head[:8] + self._addresses_in(head[8:])
            else:
                head = head[:2] + _v6_options(head[2:], self._addresses.ip)
            parts.append(head)
            kind = head[0]
        return b"".join([*parts, self._transport(kind, source, target, octets)])

    def _addresses_in(self, octets: bytes) -> bytes:
        whole = len(octets) // 16 * 16
        found = [self._addresses.ip(octets[at : at + 16]) for at in range(0, whole, 16)]
        return b"".join(found) + bytes(len(octets) - whole)

    def _fragment(self, key: tuple[bytes, bytes, int, bytes], place: int, more: bool, octets: bytes) -> bytes:
        source, target, protocol, _ = key
        if self._payloads.surveys:
            whole = self.fragments.survey(key, place, more, octets)
            if whole is not None:
                self._transport(protocol, source, target, whole)
            return octets
        new = self.fragments.part(key, place, octets)
        if new is None:  # the rest never came: the first one is like a packet that was cut
            return bytes(len(octets)) if place else self._transport(protocol, source, target, octets)
        return new

    # -- transports ------------------------------------------------------------------------------

    def _transport(self, protocol: int, source: bytes, target: bytes, octets: bytes) -> bytes:
        if protocol == UDP and len(octets) >= 8:
            return self._udp(source, target, octets)
        if protocol == TCP and len(octets) >= 8:
            return self._tcp(source, target, octets)
        if protocol in (_IP_IN_IP, _IPV6_IN_IP):
            return self.packet(octets)
        if protocol == ICMP:
            return self._icmp(octets)
        if protocol == ICMPV6:
            return self._icmpv6(source, target, octets)
        if protocol == SCTP and len(octets) >= 12:
            return sctp.rewrite(octets, self._addresses.ip, self._payloads.chunk)
        if protocol == ESP and len(octets) >= 8:
            return self._payloads.sealed(
                octets, lambda kind, inner: self._transport(kind, source, target, inner)
            )
        if protocol == _GRE and len(octets) >= 4:
            return self._gre(octets)
        if protocol == _AH and len(octets) >= 12:
            size = 4 * (octets[1] + 2)
            head = octets[:12] + bytes(len(octets[12:size]))
            return head + self._following(octets[0], source, target, octets[size:])
        if protocol == _IGMP and len(octets) == 8:
            return octets  # a group, which is nobody
        # A header that names the next one in its first octet ends the chain: "no next header".
        first = bytes((_NOTHING,)) if protocol in _CHAINED else b"\0"
        return first[: len(octets)].ljust(len(octets), b"\0")

    def _pseudo(self, source: bytes, target: bytes) -> tuple[bytes, bytes]:
        ip = self._addresses.ip
        return source + target, ip(source) + ip(target)

    def _udp(self, source: bytes, target: bytes, octets: bytes) -> bytes:
        ports, length = (int.from_bytes(octets[:2]), int.from_bytes(octets[2:4])), int.from_bytes(octets[4:6])
        end = min(length, len(octets)) if length >= 8 else len(octets)
        payload = octets[8:end]
        new = self._payloads.datagram((source, ports[0], target, ports[1]), payload)
        old_pseudo, new_pseudo = self._pseudo(source, target)
        checksum = adjusted(octets[6:8], old_pseudo + payload, new_pseudo + new, never_zero=True)
        return octets[:6] + checksum + new + bytes(len(octets) - end)

    def _tcp(self, source: bytes, target: bytes, octets: bytes) -> bytes:
        start = (octets[12] >> 4) * 4 if len(octets) > 12 else 0
        if len(octets) < 20 or not 20 <= start <= len(octets):
            return octets[:8] + bytes(len(octets) - 8)  # quoted, or cut: ports and number
        flow = source, int.from_bytes(octets[:2]), target, int.from_bytes(octets[2:4])
        payload = octets[start:]
        new = self._payloads.segment(flow, int.from_bytes(octets[4:8]), octets[13], payload)
        head = octets[:20] + _tcp_options(octets[20:start])
        old_pseudo, new_pseudo = self._pseudo(source, target)
        checksum = adjusted(octets[16:18], old_pseudo + octets[20:], new_pseudo + head[20:] + new)
        return head[:16] + checksum + head[18:] + new

    def _icmp(self, octets: bytes) -> bytes:
        if len(octets) < 8:
            return bytes(len(octets))
        head = octets[:8]
        if octets[0] == 5:  # redirect: the gateway's address
            head = octets[:4] + self._addresses.ip(octets[4:8])
        rest = self.packet(octets[8:]) if octets[0] in _ERRORS else bytes(len(octets) - 8)
        return head[:2] + adjusted(octets[2:4], octets[4:], head[4:] + rest) + head[4:] + rest

    def _icmpv6(self, source: bytes, target: bytes, octets: bytes) -> bytes:
        if len(octets) < 8:
            return bytes(len(octets))
        kind, head, ip = octets[0], octets[:8], self._addresses.ip
        if kind in _ERRORS_V6:
            new = head + self.packet(octets[8:])
        elif kind in (_SOLICITATION, _ADVERTISEMENT) and len(octets) >= 24:
            new = head + ip(octets[8:24]) + self._neighbour_options(octets[24:])
        elif kind == _REDIRECT and len(octets) >= 40:
            new = head + ip(octets[8:24]) + ip(octets[24:40]) + self._neighbour_options(octets[40:])
        elif kind == _ROUTER_ADVERTISEMENT and len(octets) >= 16:
            new = octets[:16] + self._neighbour_options(octets[16:])
        elif kind == _ROUTER_SOLICITATION:
            new = head + self._neighbour_options(octets[8:])
        elif kind in (130, 131, 132, 143):  # who listens to which group
            new = octets[:8] + self._groups(kind, octets[8:])
        else:
            new = head + bytes(len(octets) - 8)
        old_pseudo, new_pseudo = self._pseudo(source, target)
        checksum = adjusted(octets[2:4], old_pseudo + octets[4:], new_pseudo + new[4:])
        return new[:2] + checksum + new[4:]

    def _groups(self, kind: int, octets: bytes) -> bytes:
        if kind != 143:
            return self._addresses.ip(octets[:16]) + bytes(len(octets[16:])) if len(octets) >= 16 else octets
        result, at = bytearray(octets), 0
        while at + 20 <= len(octets):  # RFC 3810, 5.2
            end = at + 20 + 16 * int.from_bytes(octets[at + 2 : at + 4]) + 4 * octets[at + 1]
            result[at + 4 : at + 20] = self._addresses.ip(octets[at + 4 : at + 20])
            result[at + 20 : end] = self._addresses_in(octets[at + 20 : end])
            at = end
        return bytes(result[: len(octets)])

    def _neighbour_options(self, octets: bytes) -> bytes:
        """Rewrite hardware addresses, prefixes and name servers (RFC 4861, 4.6; RFC 8106)."""
        result, at = bytearray(octets), 0
        while at + 8 <= len(octets) and octets[at + 1]:
            end = min(at + 8 * octets[at + 1], len(octets))
            body = octets[at + 2 : end]
            if octets[at] in (1, 2):
                result[at + 2 : at + 8] = self._addresses.mac(body[:6])
            elif octets[at] == 3 and len(body) == 30:
                result[at + 16 : at + 32] = self._addresses.ip(body[14:])
            elif octets[at] == 25:
                result[at + 8 : end] = self._addresses_in(body[6:])
            elif octets[at] != 5:
                result[at + 2 : end] = bytes(end - at - 2)
            at = end
        result[at:] = bytes(len(octets) - at)
        return bytes(result)

    def _gre(self, octets: bytes) -> bytes:
        flags, kind = octets[0], int.from_bytes(octets[2:4])
        start = 4 + 4 * sum(bool(flags & bit) for bit in (0x80, 0x20, 0x10))
        if octets[1] & 7:  # version 1: PPP
            return octets[:4] + bytes(len(octets) - 4)
        return octets[:start] + self._typed(kind, octets[start:])


def _v4_options(octets: bytes, ip: Callable[[bytes], bytes]) -> bytes:
    """Rewrite the addresses in routes of IPv4 options (RFC 791, 3.1); of other options zeros are left."""
    result, at = bytearray(octets), 0
    while at < len(octets) and octets[at]:
        if octets[at] == 1:
            at += 1
            continue
        end = min(at + max(octets[at + 1], 2), len(octets)) if at + 1 < len(octets) else len(octets)
        if octets[at] in (7, 131, 137):
            for place in range(at + 3, end - 3, 4):
                result[place : place + 4] = ip(octets[place : place + 4])
        elif octets[at] != 148:  # router alert
            result[at + 2 : end] = bytes(max(end - at - 2, 0))
        at = end
    return bytes(result)


def _v6_options(octets: bytes, ip: Callable[[bytes], bytes]) -> bytes:
    """Rewrite a home address among IPv6 options (RFC 6275, 6.3); padding and router alert stay."""
    result, at = bytearray(octets), 0
    while at + 2 <= len(octets):
        if octets[at] == 0:
            at += 1
            continue
        end = min(at + 2 + octets[at + 1], len(octets))
        if octets[at] == 0xC9 and end - at == 18:
            result[at + 2 : end] = ip(octets[at + 2 : end])
        elif octets[at] not in (1, 5, 0xC2):
            result[at + 2 : end] = bytes(end - at - 2)
        at = end
    return bytes(result)


def _tcp_options(octets: bytes) -> bytes:
    """Keep the options that every stack has; others become zeros behind their length."""
    result, at = bytearray(octets), 0
    while at + 1 < len(octets) and octets[at]:
        if octets[at] == 1:
            at += 1
            continue
        end = min(at + max(octets[at + 1], 2), len(octets))
        if octets[at] not in _KEPT_TCP_OPTIONS:
            result[at + 2 : end] = bytes(end - at - 2)
        at = end
    return bytes(result)
