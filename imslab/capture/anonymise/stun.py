"""STUN and TURN with other names and addresses; checks are computed anew where the password is known.

Spec: RFC 8489, 5 and 14; RFC 8445, 7.1 (which password a check has); RFC 8656 (TURN), 12.4 (ChannelData); RFC
5769 shows the checks. The transaction's number becomes another one, the same in request and answer.
"""

import hmac
import zlib
from collections.abc import Callable, Mapping

from imslab.capture.anonymise.bodies import is_text
from imslab.capture.anonymise.text import Texts
from imslab.octets import xor

COOKIE = bytes.fromhex("2112a442")
_HEADER = 20
_USERNAME, _INTEGRITY, _DATA, _FINGERPRINT = 0x0006, 0x0008, 0x0013, 0x8028
_PLAIN_ADDRESS = frozenset((0x0001, 0x0002, 0x0004, 0x0005, 0x8023, 0x802B, 0x802C))
_XORED_ADDRESS = frozenset((0x0012, 0x0016, 0x0020, 0x8020))
# CHANNEL-NUMBER, LIFETIME, REQUESTED-TRANSPORT, PRIORITY, USE-CANDIDATE, ICE-CONTROLLED and -CONTROLLING's
# tie breakers are numbers; so are UNKNOWN-ATTRIBUTES, EVEN-PORT, RESPONSE-PORT, CHANGE-REQUEST.
_NUMBERS = frozenset((0x000C, 0x000D, 0x0019, 0x0024, 0x0025, 0x000A, 0x0018, 0x0027, 0x0003, 0x0017, 0x001A))
_ERROR_CODE = 0x0009
_FINGERPRINT_XOR = 0x5354554E


class Stun:
    """Rewrites STUN messages.

    ``passwords``  user name of ICE -> password, both as they were;  ``inside``: rewrites what is in DATA
    """

    def __init__(self, texts: Texts, passwords: Mapping[str, str], inside: Callable[[bytes], bytes]) -> None:
        self._texts, self._passwords, self._inside = texts, passwords, inside
        self._names: dict[bytes, str] = {}  # transaction -> USERNAME, for the answer

    @staticmethod
    def is_stun(octets: bytes) -> bool:
        """Tell whether octets are a STUN message, with the magic cookie and a length that fits."""
        return (
            len(octets) >= _HEADER
            and octets[0] < 0x40
            and octets[4:8] == COOKIE
            and int.from_bytes(octets[2:4]) + _HEADER <= len(octets)
            and octets[3] % 4 == 0
        )

    def rewrite(self, octets: bytes) -> bytes:
        """Return a message with other names and addresses; what follows it becomes zeros."""
        end = _HEADER + int.from_bytes(octets[2:4])
        old, new = octets[8:_HEADER], self._texts.pseudonyms.octets(octets[8:_HEADER])
        result = bytearray(octets[:8] + new + bytes(len(octets) - _HEADER))
        for kind, start, stop in _attributes(octets, end):
            result[start - 4 : start] = octets[start - 4 : start]
            value = octets[start:stop]
            if kind == _USERNAME:
                self._names[old] = value.decode("utf-8", "replace")
            if kind == _INTEGRITY:
                result[start:stop] = self._integrity(result, octets, start, value)
            elif kind == _FINGERPRINT and len(value) == 4:
                result[start:stop] = self._fingerprint(result, octets, start, value)
            else:
                result[start:stop] = self._value(kind, value, old, new)
        return bytes(result)

    def _value(self, kind: int, value: bytes, old: bytes, new: bytes) -> bytes:
        texts = self._texts
        if kind in _PLAIN_ADDRESS:
            return self._address(value, bytes(16), bytes(16))
        if kind in _XORED_ADDRESS:
            return self._address(value, COOKIE + old, COOKIE + new)
        if kind == _DATA:
            return self._inside(value)
        if kind in _NUMBERS or (len(value) <= 8 and kind in (0x8029, 0x802A)):
            return value
        head = 4 if kind == _ERROR_CODE else 0  # class and number, then the reason
        text = value[head:]
        if text and is_text(text):
            other = texts.words(text.decode("utf-8", "surrogateescape"))
            return value[:head] + other.encode("utf-8", "surrogateescape")
        return value[:head] + (texts.pseudonyms.octets(text) if text else b"")

    def _address(self, value: bytes, old: bytes, new: bytes) -> bytes:
        """Rewrite the address of a mapped address; its port stays."""
        address = value[4:]
        if len(address) not in (4, 16):
            return value[:4] + self._texts.pseudonyms.octets(address) if address else value
        width = len(address)
        other = self._texts.addresses.ip(xor(address, old[:width]))
        return value[:4] + xor(other, new[:width])

    def _integrity(self, result: bytearray, octets: bytes, start: int, value: bytes) -> bytes:
        """Return MESSAGE-INTEGRITY under the new password, where it was right under the old one."""
        name = self._names.get(octets[8:_HEADER], "").partition(":")[0]
        password = self._passwords.get(name)
        if password is not None and hmac.compare_digest(_hmac(octets, start, password), value):
            return _hmac(bytes(result), start, self._texts.words(password))
        return self._texts.pseudonyms.octets(value)

    @staticmethod
    def _fingerprint(result: bytearray, octets: bytes, start: int, value: bytes) -> bytes:
        right = _crc(octets, start) == int.from_bytes(value)
        return _crc(bytes(result), start).to_bytes(4) if right else value


def _attributes(octets: bytes, end: int) -> list[tuple[int, int, int]]:
    """Return (type, start, end) of the value of each attribute."""
    found, at = [], _HEADER
    while at + 4 <= end:
        start = at + 4
        length = int.from_bytes(octets[at + 2 : start])
        found.append((int.from_bytes(octets[at : at + 2]), start, min(start + length, end)))
        at = start + length + -length % 4
    return found


def _hmac(octets: bytes, start: int, password: str) -> bytes:
    """Return the check over everything before it, with a length that ends with it (RFC 8489, 14.5)."""
    text = octets[:2] + (start - _HEADER + 20).to_bytes(2) + octets[4 : start - 4]
    return hmac.digest(password.encode(), text, "sha1")


def _crc(octets: bytes, start: int) -> int:
    text = octets[:2] + (start - _HEADER + 4).to_bytes(2) + octets[4 : start - 4]
    return zlib.crc32(text) ^ _FINGERPRINT_XOR
