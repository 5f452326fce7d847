"""What a pcapng file says beside its packets: names, comments, interfaces, secrets.

Spec: draft-ietf-opsawg-pcapng, 4. Lengths and block types stay. A comment is overwritten, but for the
card's time that our own traces note; the secrets of a TLS key log become others; a block that is not known
becomes zeros.
"""

import re
import struct
from collections.abc import Callable, Iterator

from imslab.capture.anonymise.text import Texts

_SECTION, _INTERFACE, _OBSOLETE, _SIMPLE, _NAMES, _STATISTICS, _ENHANCED, _SECRETS = (
    0x0A0D0D0A, 1, 2, 3, 4, 5, 6, 10,
)  # fmt: skip
_FIXED = {_SECTION: 16, _INTERFACE: 8, _STATISTICS: 12, _NAMES: 0}
_KEY_LOG = 0x544C534B
_CARD_TIME = re.compile(rb"card time \d{1,12} us")
_HEX = re.compile(r"[0-9A-Fa-f]{16,}")
_COMMENT = b"anonymised by imslab"

Rule = Callable[[bytes], bytes]


class Blocks:
    """Rewrites the blocks of a pcapng file around its packets."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        ip, mac = texts.addresses.ip, texts.addresses.mac
        text: Rule = self._text
        # Options by block type (4.1 to 4.6): what is not named here becomes zeros.
        keep: Rule = lambda value: value  # noqa: E731
        self._options: dict[int, dict[int, Rule]] = {
            _SECTION: {2: text, 3: text, 4: text},
            _INTERFACE: {
                2: text, 3: text, 4: lambda v: ip(v[:4]) + v[4:], 5: lambda v: ip(v[:16]) + v[16:],
                6: mac, 8: keep, 9: keep, 10: keep, 11: lambda v: v[:1] + text(v[1:]), 12: text, 13: keep,
                14: keep, 15: text, 16: keep, 17: keep,
            },
            _NAMES: {2: text, 3: ip, 4: ip},
            _STATISTICS: dict.fromkeys(range(2, 9), keep),
            _ENHANCED: {2: keep, 4: keep, 5: keep, 6: keep},
            _OBSOLETE: {2: keep},
        }  # fmt: skip

    def rewrite(self, data: bytes, result: bytearray) -> int:
        """Write other names and comments into ``result``, as long as ``data``; return where blocks end."""
        last = 0
        for kind, order, start, end in _blocks(data):
            body = data[start:end]
            if kind in (_ENHANCED, _OBSOLETE):
                held = struct.unpack_from(order + "I", body, 12)[0] if len(body) >= 20 else len(body)
                packet = 20 + held
                padded = min(packet + -packet % 4, len(body))
                result[start + min(packet, len(body)) : start + padded] = bytes(
                    padded - min(packet, len(body))
                )
                result[start + padded : end] = self._optional(kind, order, body[padded:])
            elif kind == _NAMES:
                result[start:end] = self._names(order, body)
            elif kind == _SECRETS:
                result[start:end] = body[:8] + self._secrets(order, body)
            elif kind in _FIXED:
                fixed = _FIXED[kind]
                result[start:end] = body[:fixed] + self._optional(kind, order, body[fixed:])
            elif kind != _SIMPLE:
                result[start:end] = bytes(len(body))
            last = end + 4
        return last

    def _optional(self, kind: int, order: str, octets: bytes) -> bytes:
        result, at = bytearray(octets), 0
        while at + 4 <= len(octets):
            code, length = struct.unpack_from(order + "HH", octets, at)
            start = at + 4
            end = min(start + length, len(octets))
            value = octets[start:end]
            if code == 1:
                result[start:end] = _comment(value)
            elif code:
                rule = self._options[kind].get(code)
                new = rule(value) if rule else bytes(len(value))
                result[start:end] = new if len(new) == len(value) else bytes(len(value))
            at = end + -end % 4 if code else len(octets)
            result[end : min(at, len(octets))] = bytes(max(min(at, len(octets)) - end, 0))
            if not code:
                break
        return bytes(result[: len(octets)])

    def _text(self, value: bytes) -> bytes:
        return self._texts.words(value.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")

    def _names(self, order: str, body: bytes) -> bytes:
        """Rewrite a Name Resolution Block: addresses, and the names of each."""
        result, at = bytearray(body), 0
        while at + 4 <= len(body):
            kind, length = struct.unpack_from(order + "HH", body, at)
            if not kind:
                break
            start, end = at + 4, min(at + 4 + length, len(body))
            result[start:end] = self._record(kind, body[start:end])
            at = end + -end % 4
        else:
            return bytes(result)
        return bytes(result[: at + 4]) + self._optional(_NAMES, order, body[at + 4 :])

    def _record(self, kind: int, value: bytes) -> bytes:
        width = {1: 4, 2: 16}.get(kind)
        if width is None or len(value) < width:
            return bytes(len(value))
        names = value[width:].split(b"\0")
        return self._texts.addresses.ip(value[:width]) + b"\0".join(self._node(name) for name in names)

    def _node(self, name: bytes) -> bytes:
        """Rewrite the name of a node; the role of one ("P-CSCF", "HSS", "card") stays."""
        text = name.decode("utf-8", "surrogateescape")
        new = self._texts.host(text) if "." in text else self._texts.words(text, _ROLES)
        return new.encode("utf-8", "surrogateescape")

    def _secrets(self, order: str, body: bytes) -> bytes:
        """Rewrite a Decryption Secrets Block: a TLS key log keeps its form."""
        kind, length = struct.unpack_from(order + "II", body.ljust(8, b"\0"))
        value, rest = body[8 : 8 + length], body[8 + length :]
        if kind != _KEY_LOG:
            return self._texts.pseudonyms.octets(value) + bytes(len(rest)) if value else bytes(len(rest))
        text = value.decode("utf-8", "surrogateescape")
        lines = [
            line if not line.startswith("#") else "#" + " " * (len(line) - 1) for line in text.split("\n")
        ]
        new = _HEX.sub(lambda match: self._texts.hex(match.group()), "\n".join(lines))
        encoded = new.encode("utf-8", "surrogateescape")
        return (encoded if len(encoded) == len(value) else bytes(len(value))) + bytes(len(rest))


_NODES = "p i s e cscf pcscf icscf scscf hss bsf naf ue card core dns pcrf"
_ROLES = frozenset(_NODES.split())


def _comment(value: bytes) -> bytes:
    if _CARD_TIME.fullmatch(value.strip()):
        return value
    return _COMMENT[: len(value)].ljust(len(value))


def _blocks(data: bytes) -> Iterator[tuple[int, str, int, int]]:
    """Yield (type, byte order, start, end) of the body of each block, up to the first fault."""
    at, order = 0, "<"
    while at + 12 <= len(data):
        if data[at : at + 4] == b"\x0a\x0d\x0d\x0a":
            order = "<" if data[at + 8 : at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
        kind, total = struct.unpack_from(order + "II", data, at)
        total += -total % 4
        if total < 12 or at + total > len(data):
            return
        yield kind, order, at + 8, at + total - 4
        at += total
