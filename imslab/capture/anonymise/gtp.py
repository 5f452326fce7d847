"""GTP with other subscribers: user packets in tunnels, and the information elements that set the tunnels
up.

Spec: 3GPP TS 29.281 (GTP-U), TS 29.274 (GTP-C version 2), TS 29.060 (version 1), TS 24.008, 10.5.6.3
(protocol configuration options, with the P-CSCF's address). Tunnel numbers, cells' kinds and qualities
stay; elements that are not known become zeros.
"""

from collections.abc import Callable, Mapping

from imslab.capture.anonymise.text import Texts

USER_PORT, CONTROL_PORT = 2152, 2123
_USER_DATA, _ERROR, _END_MARKER = 255, 26, 254
# Cause, recovery, AMBR, EBI, indication, RAT, bearer quality, PTI, PDN type, charging id, restriction,
# selection mode, bearer flags, UE time zone, delay value, counter, port number
_KEPT = frozenset((2, 3, 72, 73, 77, 80, 82, 94, 95, 97, 99, 100, 114, 126, 127, 128, 135, 170, 202))
_GROUPS = frozenset((93, 109, 180))
_ADDRESS_CONTAINERS = frozenset((0x0001, 0x0003, 0x000C, 0x000D, 0x0010))
_DEPTH = 4


class Gtp:
    """Rewrites GTP; ``packet`` rewrites the IP packet of a user."""

    def __init__(self, texts: Texts, packet: Callable[[bytes], bytes]) -> None:
        self._texts, self._packet = texts, packet
        numbers = texts.numbers
        self._elements: Mapping[int, Callable[[bytes], bytes]] = {
            1: numbers.semi_octets, 75: numbers.semi_octets, 76: numbers.semi_octets,
            71: self.access_point, 74: self._address, 78: self._configuration, 79: self._allocated,
            83: self._network, 87: self._endpoint,
        }  # fmt: skip

    # -- the user's packets ----------------------------------------------------------------------

    def user(self, octets: bytes) -> bytes | None:
        """Return a message of GTP-U with another user's packet; None when it is none."""
        if len(octets) < 8 or octets[0] >> 4 != 3:
            return None
        start = self._start(octets)
        end = min(8 + int.from_bytes(octets[2:4]), len(octets))
        if start > end:
            return None
        body, tail = octets[start:end], bytes(len(octets) - end)
        if octets[1] == _USER_DATA:
            is_ip = bool(body) and body[0] >> 4 in (4, 6)
            return octets[:start] + (self._packet(body) if is_ip else bytes(len(body))) + tail
        return octets[:start] + self._short(body) + tail

    @staticmethod
    def _start(octets: bytes) -> int:
        """Return where the payload begins: behind extension headers (TS 29.281, 5.2)."""
        if not octets[0] & 0x07:
            return 8
        at, kind = 12, octets[11] if len(octets) >= 12 and octets[0] & 0x04 else 0
        while kind and at < len(octets) and octets[at]:
            at += 4 * octets[at]
            kind = octets[at - 1] if at <= len(octets) else 0
        return at

    def _short(self, octets: bytes) -> bytes:
        """Rewrite the elements of other messages: restart counter, tunnel, address of the other end."""
        result, at = bytearray(octets), 0
        while at < len(octets):
            size = {14: 2, 16: 5}.get(octets[at])
            if size is None:
                end = min(at + 3 + int.from_bytes(octets[at + 1 : at + 3]), len(octets))
                value = octets[at + 3 : end]
                result[at + 3 : end] = self._address(value) if octets[at] == 133 else bytes(len(value))
                size = max(end - at, 1)
            at += size
        return bytes(result)

    # -- control ---------------------------------------------------------------------------------

    def control(self, octets: bytes) -> bytes | None:
        """Return messages of GTP-C version 2 with other elements; None when they are none."""
        parts, at = [], 0
        while at + 8 <= len(octets) and octets[at] >> 5 == 2:
            head = at + (12 if octets[at] & 0x08 else 8)
            end = at + 4 + int.from_bytes(octets[at + 2 : at + 4])
            if not head <= end <= len(octets):
                break
            parts.append(octets[at:head] + self._information(octets[head:end], 0))
            at = end
        done = b"".join(parts)
        return done + bytes(len(octets) - len(done)) if parts else None

    def _information(self, octets: bytes, depth: int) -> bytes:
        result, at = bytearray(octets), 0
        while at + 4 <= len(octets):
            start = at + 4
            end = min(start + int.from_bytes(octets[at + 1 : at + 3]), len(octets))
            value = octets[start:end]
            if octets[at] in _GROUPS and depth < _DEPTH:
                result[start:end] = self._information(value, depth + 1)
            elif octets[at] not in _KEPT:
                rule = self._elements.get(octets[at])
                result[start:end] = rule(value) if rule and value else bytes(len(value))
            at = end
        result[at:] = bytes(len(octets) - at)
        return bytes(result)

    def access_point(self, value: bytes) -> bytes:
        """Rewrite an access point name, a domain name in labels (TS 23.003, 9.1)."""
        labels, at = [], 0
        while at < len(value) and at + 1 + value[at] <= len(value):
            labels.append(value[at + 1 : at + 1 + value[at]].decode("utf-8", "surrogateescape"))
            at += 1 + value[at]
        if at != len(value) or any("." in label or not label for label in labels):
            return bytes(len(value))
        new = self._texts.host(".".join(labels)).split(".")
        encoded = [label.encode("utf-8", "surrogateescape") for label in new]
        return b"".join(bytes((len(label),)) + label for label in encoded)

    def _address(self, value: bytes) -> bytes:
        return self._texts.addresses.ip(value) if len(value) in (4, 16) else bytes(len(value))

    def _allocated(self, value: bytes) -> bytes:
        """Rewrite the address of a user (PAA): IPv4, a prefix and IPv6, or both."""
        ip = self._texts.addresses.ip
        if len(value) == 5:
            return value[:1] + ip(value[1:])
        if len(value) in (18, 22):
            return value[:2] + ip(value[2:18]) + (ip(value[18:]) if value[18:] else b"")
        return value[:1] + bytes(len(value) - 1)

    def _network(self, value: bytes) -> bytes:
        return self._texts.numbers.plmn(value[:3]) + value[3:] if len(value) >= 3 else value

    def _endpoint(self, value: bytes) -> bytes:
        """Rewrite the addresses of a tunnel's end (F-TEID)."""
        rest, ip = value[5:], self._texts.addresses.ip
        if len(rest) == 20:
            return value[:5] + ip(rest[:4]) + ip(rest[4:])
        return value[:5] + (ip(rest) if len(rest) in (4, 16) else bytes(len(rest)))

    def _configuration(self, value: bytes) -> bytes:
        """Rewrite the addresses among protocol configuration options; of other options zeros are left."""
        result, at = bytearray(value), 1
        while at + 3 <= len(value):
            kind, start = int.from_bytes(value[at : at + 2]), at + 3
            end = min(start + value[at + 2], len(value))
            body = value[start:end]
            known = kind in _ADDRESS_CONTAINERS and len(body) in (4, 16)
            result[start:end] = self._texts.addresses.ip(body) if known else bytes(len(body))
            at = end
        result[at:] = bytes(len(value) - at)
        return bytes(result)
