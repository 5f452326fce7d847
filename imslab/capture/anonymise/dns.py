"""DNS with other names and addresses; compression pointers, types and times to live stay.

Spec: RFC 1035, 4.1; RFC 2782 (SRV), RFC 3403 (NAPTR), RFC 3596 (AAAA); RFC 1001 and 1002 (NetBIOS). A
record of another type becomes octets as many as before.
"""

from imslab.capture.anonymise.text import Texts

PORTS = frozenset((53, 137, 5353, 5355))
_NETBIOS, _HALVES, _A_LETTER = 32, frozenset("ABCDEFGHIJKLMNOP"), ord("A")
_NB, _NBSTAT = 32, 33  # with the second the same number as SRV: a NetBIOS name tells them apart
_HEADER = 12
_A, _NS, _CNAME, _SOA, _PTR, _MX, _TXT, _AAAA, _SRV, _NAPTR, _OPT = 1, 2, 5, 6, 12, 15, 16, 28, 33, 35, 41
_NAMES_AFTER = {_NS: 0, _CNAME: 0, _PTR: 0, _MX: 2, _SRV: 6}
_NIBBLES = frozenset("0123456789abcdef")


class Dns:
    """Rewrites DNS messages."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    def rewrite(self, octets: bytes) -> bytes | None:
        """Return a message of DNS, or of NetBIOS' name service, with other names; None when it is none."""
        if len(octets) < _HEADER:
            return None
        counts = [int.from_bytes(octets[at : at + 2]) for at in (4, 6, 8, 10)]
        if sum(counts) > 1000 or not sum(counts):
            return None
        result, at = bytearray(octets), _HEADER
        for place in range(sum(counts)):
            netbios = octets[at : at + 1] == bytes((_NETBIOS,))
            end = self._name(octets, at, result)
            at = end + 4 if place < counts[0] else self._record(octets, end, result, netbios)
            if end >= len(octets) or at > len(octets):
                return None
        result[at:] = bytes(len(octets) - at)
        return bytes(result)

    def _name(self, octets: bytes, at: int, result: bytearray) -> int:
        """Rewrite the labels of a name in place, and return where it ends."""
        start, labels = at, list[tuple[int, int]]()
        while at < len(octets) and octets[at] and octets[at] < 0xC0:
            labels.append((at + 1, min(at + 1 + octets[at], len(octets))))
            at += 1 + octets[at]
        texts = [octets[first:last].decode("utf-8", "surrogateescape") for first, last in labels]
        # A name that ends with a pointer has more labels elsewhere: a dot stands for them.
        rest = self._rest(octets, at)
        moved = self._moved(texts, rest)
        for (first, last), text in zip(labels, moved, strict=True):
            result[first:last] = text.encode("utf-8", "surrogateescape")
        return (at + 2 if at < len(octets) and octets[at] >= 0xC0 else at + 1) if at >= start else at

    def _moved(self, labels: list[str], rest: list[str]) -> list[str]:
        if not labels:
            return labels
        if len(labels[0]) == _NETBIOS and not set(labels[0]) - _HALVES:
            return [self._netbios(labels[0]), *self._moved(labels[1:], rest)]
        whole = [*labels, *rest]
        if whole[-1].lower() == "arpa":
            return self._reversed(labels, whole)
        plain = all(label and not set(label) & set(".%[]:") for label in whole)
        if not plain:
            return [self._texts.words(label) for label in labels]
        return self._texts.host(".".join(whole)).split(".")[: len(labels)]

    def _netbios(self, label: str) -> str:
        """Rewrite a name in the letters A to P, one for each half of an octet (RFC 1001, 14.1)."""
        octets = bytes(
            (ord(high) - _A_LETTER) << 4 | ord(low) - _A_LETTER
            for high, low in zip(label[::2], label[1::2], strict=True)
        )
        name = octets[:15].decode("utf-8", "surrogateescape")
        new = self._texts.words(name).encode("utf-8", "surrogateescape") + octets[15:]
        return "".join(chr(_A_LETTER + half) for octet in new for half in (octet >> 4, octet & 15))

    def _reversed(self, labels: list[str], whole: list[str]) -> list[str]:
        """Rewrite the name of an address (RFC 1035, 3.5): an address stands in it, from the end."""
        if len(whole) == 6 and all(label.isdecimal() for label in whole[:4]):
            other = self._texts.ip(".".join(reversed(whole[:4]))).split(".")
            return [*reversed(other), *whole[4:]][: len(labels)]
        if len(whole) == 34 and all(label in _NIBBLES for label in (one.lower() for one in whole[:32])):
            packed = bytes.fromhex("".join(reversed(whole[:32])))
            return [*reversed(self._texts.addresses.ip(packed).hex()), *whole[32:]][: len(labels)]
        return [self._texts.words(label) if len(label) < 4 else label for label in labels]

    def _rest(self, octets: bytes, at: int) -> list[str]:
        """Return the labels that a pointer at ``at`` leads to."""
        found: list[str] = []
        for _ in range(32):
            if at + 1 >= len(octets) or octets[at] < 0xC0:
                break
            at = int.from_bytes(octets[at : at + 2]) & 0x3FFF
            while at < len(octets) and 0 < octets[at] < 0xC0 and len(found) < 64:
                found.append(octets[at + 1 : at + 1 + octets[at]].decode("utf-8", "surrogateescape"))
                at += 1 + octets[at]
        return found

    def _record(self, octets: bytes, at: int, result: bytearray, netbios: bool) -> int:
        start = at + 10
        if start > len(octets):
            return len(octets) + 1
        kind, length = int.from_bytes(octets[at : at + 2]), int.from_bytes(octets[at + 8 : start])
        end = min(start + length, len(octets))
        data = octets[start:end]
        if kind in (_A, _AAAA) and len(data) in (4, 16):
            result[start:end] = self._texts.addresses.ip(data)
        elif kind in _NAMES_AFTER and not (netbios and kind == _NBSTAT):
            self._name(octets, start + _NAMES_AFTER[kind], result)
        elif kind == _SOA:
            self._name(octets, self._name(octets, start, result), result)
        elif kind == _NAPTR:
            self._naptr(octets, start, end, result)
        elif kind == _NB:
            for place in range(start, end - 5, 6):  # flags and an address (RFC 1002, 4.2.1.3)
                result[place + 2 : place + 6] = self._texts.addresses.ip(octets[place + 2 : place + 6])
        elif kind == _NBSTAT and netbios and data:
            self._statistics(octets, start, end, result)
        elif kind == _TXT:
            self._strings(octets, start, end, result)
        elif kind != _OPT:
            result[start:end] = self._texts.pseudonyms.octets(data) if data else data
        return start + length

    def _statistics(self, octets: bytes, start: int, end: int, result: bytearray) -> None:
        """Rewrite a node's names, of 15 octets and a kind, with flags, and its unit's address."""
        at = start + 1
        for _ in range(octets[start]):
            text = octets[at : min(at + 15, end)].decode("utf-8", "surrogateescape")
            result[at : min(at + 15, end)] = self._texts.words(text).encode("utf-8", "surrogateescape")
            at += 18
        if at < end:
            mac = octets[at : at + 6]
            result[at : at + 6] = self._texts.addresses.mac(mac) if at + 6 <= end else bytes(len(mac))
            result[at + 6 : end] = bytes(max(end - at - 6, 0))

    def _strings(self, octets: bytes, at: int, end: int, result: bytearray, count: int = 1000) -> int:
        for _ in range(count):
            if at >= end:
                break
            stop = min(at + 1 + octets[at], end)
            text = octets[at + 1 : stop].decode("utf-8", "surrogateescape")
            result[at + 1 : stop] = self._texts.words(text).encode("utf-8", "surrogateescape")
            at = stop
        return at

    def _naptr(self, octets: bytes, start: int, end: int, result: bytearray) -> None:
        at = start + 4
        for _ in range(2):  # flags and service say what is resolved, not for whom
            at = min(at + 1 + octets[at], end) if at < end else end
        at = self._strings(octets, at, end, result, 1)
        self._name(octets, at, result)
