"""DHCP with other hosts: how a terminal learns its address, and that of its P-CSCF.

Spec: RFC 2131, 2; RFC 2132; RFC 3361 (SIP servers). Times, masks and what is asked for stay; options that are
not known become zeros.
"""

from collections.abc import Callable, Mapping

from imslab.capture.anonymise.text import Texts

PORTS = frozenset((67, 68))
_COOKIE = bytes.fromhex("63825363")
_FIXED, _OPTIONS = 236, 240
# Mask, MTU, lease, message type, parameters wanted, size, renewal, rebinding, overload, rapid commit
_KEPT = frozenset((1, 26, 51, 52, 53, 55, 57, 58, 59, 80))
_ADDRESSES = frozenset((3, 4, 5, 6, 7, 9, 28, 42, 44, 45, 50, 54, 118))
_TEXTS = frozenset((12, 14, 15, 17, 40, 60, 64, 66, 67, 77))
_CLIENT, _SIP_SERVERS, _ETHERNET = 61, 120, 1


class Dhcp:
    """Rewrites DHCP messages."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        rules: Mapping[int, Callable[[bytes], bytes]] = {
            **dict.fromkeys(_ADDRESSES, self._addresses), **dict.fromkeys(_TEXTS, self._text),
            **dict.fromkeys(_KEPT, bytes), _CLIENT: self._client, _SIP_SERVERS: self._servers,
        }  # fmt: skip
        self._rules = rules

    def rewrite(self, octets: bytes) -> bytes | None:
        """Return a message with other hosts; None when it is none."""
        if len(octets) < _OPTIONS or octets[_FIXED:_OPTIONS] != _COOKIE:
            return None
        addresses = b"".join(self._addresses(octets[at : at + 4]) for at in range(12, 28, 4))
        hardware = octets[28:44]
        if octets[1:3] == bytes((_ETHERNET, 6)):
            hardware = self._texts.addresses.mac(hardware[:6]) + bytes(10)
        elif any(hardware):
            hardware = self._texts.pseudonyms.octets(hardware)
        names = bytes(_FIXED - 44)  # of a server and a boot file
        return octets[:12] + addresses + hardware + names + _COOKIE + self._options(octets[_OPTIONS:])

    def _options(self, octets: bytes) -> bytes:
        result, at = bytearray(octets), 0
        while at + 1 < len(octets) and octets[at] != 255:
            if octets[at] == 0:
                at += 1
                continue
            start = at + 2
            end = min(start + octets[at + 1], len(octets))
            value = octets[start:end]
            rule = self._rules.get(octets[at])
            result[start:end] = rule(value) if rule else bytes(len(value))
            at = end
        result[at + 1 :] = bytes(max(len(octets) - at - 1, 0))
        return bytes(result)

    def _addresses(self, value: bytes) -> bytes:
        if len(value) % 4:
            return bytes(len(value))
        return b"".join(self._texts.addresses.ip(value[at : at + 4]) for at in range(0, len(value), 4))

    def _text(self, value: bytes) -> bytes:
        return self._texts.name(value.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")

    def _client(self, value: bytes) -> bytes:
        """Rewrite the identifier of a client: most often its hardware address."""
        if len(value) == 7 and value[0] == _ETHERNET:
            return value[:1] + self._texts.addresses.mac(value[1:])
        return value[:1] + (self._texts.pseudonyms.octets(value[1:]) if value[1:] else b"")

    def _servers(self, value: bytes) -> bytes:
        """Rewrite SIP servers: addresses, or names in labels."""
        if value[:1] == b"\x01":
            return value[:1] + self._addresses(value[1:])
        result, at = bytearray(value), 1
        while at < len(value):
            end = min(at + 1 + value[at], len(value))
            result[at + 1 : end] = self._text(value[at + 1 : end]) if end > at + 1 else b""
            at = end
        return bytes(result)
