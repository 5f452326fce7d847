"""Diameter messages with other names, hosts and vectors: AVP by AVP, each as long as before.

Spec: RFC 6733, 3 and 4; TS 29.229, 6.3 (Cx); the types are those of python-diameter's dictionary. Numbers and
times stay, text and identities become others, octets that are no text become other octets, RAND, AUTN, XRES,
CK and IK those of the challenge that takes their place.
"""

from collections.abc import Iterator
from functools import lru_cache

from imslab.capture.anonymise.aka import Challenges
from imslab.capture.anonymise.bodies import is_text
from imslab.capture.anonymise.text import Texts
from imslab.capture.anonymise.xml import Xml

HEADER = 20  # octets
_VENDOR = 0x80
_3GPP = 10_415
_AUTHENTICATE, _AUTHORIZATION = (
    609,
    610,
)  # SIP-Authenticate: RAND | AUTN; SIP-Authorization: XRES, RAND | AUTS
_SECRETS = {_AUTHORIZATION: "res", 625: "ck", 626: "ik"}  # of an MAA, behind SIP-Authenticate
_SCHEME, _USER_DATA, _FRAMED_PREFIX = 608, 606, 97
# Text that belongs to the protocol: Product-Name, SIP-Authentication-Scheme, ...
_KEPT_TEXT = frozenset((_SCHEME,))
_MSISDN, _IMEI = frozenset((701, 1402)), frozenset((1402, 1403))
_GROUPED_BY_TYPE = "AvpGrouped"
_DEPTH = 8


class Diameter:
    """Rewrites Diameter messages."""

    def __init__(self, texts: Texts, challenges: Challenges) -> None:
        self._texts, self._challenges, self._xml = texts, challenges, Xml(texts)

    def survey(self, octets: bytes) -> None:
        """Take in networks and challenges of a message, or of several one after the other."""
        self._texts.numbers.note_networks(octets)
        for message in _messages(octets):
            rand = b""
            for code, vendor, value in _flat(message[HEADER:], 0):
                if (code, vendor) == (_AUTHENTICATE, _3GPP) and len(value) >= 32:
                    rand = value[:16]
                    self._challenges.note(rand, value[16:32])
                elif (code, vendor) == (_AUTHORIZATION, _3GPP) and len(value) == 30:
                    self._challenges.note_auts(value[:16], value[16:])
                elif vendor == _3GPP and code in _SECRETS and rand:  # in the order of TS 29.229, 6.3.13
                    self._challenges.note_vector(rand, **{_SECRETS[code]: value})

    def rewrite(self, octets: bytes) -> bytes:
        """Return messages with other names; what follows the last whole one becomes zeros behind its AVPs."""
        parts = [message[:HEADER] + self._avps(message[HEADER:], 0) for message in _messages(octets)]
        done = b"".join(parts)
        rest = octets[len(done) :]
        return done + rest[:HEADER] + self._avps(rest[HEADER:], 0)

    def _avps(self, octets: bytes, depth: int) -> bytes:
        result, at = bytearray(octets), 0
        for code, vendor, start, end in _places(octets):
            result[start:end] = self._value(code, vendor, octets[start:end], depth)
            at = end + -end % 4
            result[end : min(at, len(octets))] = bytes(min(at, len(octets)) - end)
        result[at:] = bytes(max(len(octets) - at, 0))
        return bytes(result)

    def _value(self, code: int, vendor: int, value: bytes, depth: int) -> bytes:
        kind = kind_of(code, vendor)
        octets = self._texts.pseudonyms.octets
        if kind == _GROUPED_BY_TYPE and depth < _DEPTH:
            return self._avps(value, depth + 1)
        if kind in (
            "AvpInteger32",
            "AvpUnsigned32",
            "AvpInteger64",
            "AvpUnsigned64",
            "AvpTime",
            "AvpFloat32",
        ):
            return value if len(value) in (4, 8) else octets(value)
        if kind == "AvpAddress":
            return self._address(value)
        if vendor == _3GPP and code in (_AUTHENTICATE, _AUTHORIZATION):
            return self._vector(value)
        if vendor == _3GPP and code in _KEPT_TEXT:
            return value
        if vendor == _3GPP and code in _MSISDN | _IMEI and not is_text(value):
            return self._texts.numbers.semi_octets(value)
        if is_text(value):
            return self._text(value)
        return octets(value)

    def _text(self, value: bytes) -> bytes:
        text = value.decode("utf-8", "surrogateescape")
        is_xml = text.lstrip().startswith("<")
        other = self._xml.rewrite(text) if is_xml else self._texts.name(text)
        return other.encode("utf-8", "surrogateescape")

    def _vector(self, value: bytes) -> bytes:
        """Rewrite RAND | AUTN, RAND | AUTS, or XRES."""
        octets = self._texts.pseudonyms.octets
        if len(value) == 32 and octets(value[:16]) == self._challenges.rand(value[:16]):
            return self._challenges.rand(value[:16]) + self._challenges.autn(value[:16], value[16:])
        if len(value) == 30:
            return self._challenges.rand(value[:16]) + octets(value[16:])
        return octets(value)

    def _address(self, value: bytes) -> bytes:
        """Rewrite an address behind its family (RFC 6733, 4.3.1)."""
        rest = value[2:]
        if (value[:2], len(rest)) in ((b"\x00\x01", 4), (b"\x00\x02", 16)):
            return value[:2] + self._texts.addresses.ip(rest)
        if value[:2] == b"\x00\x08" and is_text(rest):  # E.164
            return value[:2] + self._text(rest)
        return value[:2] + self._texts.pseudonyms.octets(rest)


def _messages(octets: bytes) -> Iterator[bytes]:
    at = 0
    while at + HEADER <= len(octets) and octets[at] == 1:
        length = int.from_bytes(octets[at + 1 : at + 4])
        if length < HEADER or length % 4 or at + length > len(octets):
            return
        yield octets[at : at + length]
        at += length


def _places(octets: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Yield (code, vendor, start, end) of the value of each AVP, the last one cut or not."""
    at = 0
    while at + 8 <= len(octets):
        code, flags = int.from_bytes(octets[at : at + 4]), octets[at + 4]
        length = int.from_bytes(octets[at + 5 : at + 8])
        start = at + (12 if flags & _VENDOR else 8)
        if length < start - at or start > len(octets):
            return
        vendor = int.from_bytes(octets[at + 8 : start]) if flags & _VENDOR else 0
        yield code, vendor, start, min(at + length, len(octets))
        at += length + -length % 4


def _flat(octets: bytes, depth: int) -> Iterator[tuple[int, int, bytes]]:
    for code, vendor, start, end in _places(octets):
        yield code, vendor, octets[start:end]
        if kind_of(code, vendor) == _GROUPED_BY_TYPE and depth < _DEPTH:
            yield from _flat(octets[start:end], depth + 1)


@lru_cache(maxsize=4096)
def kind_of(code: int, vendor: int) -> str:
    """Return the type of an AVP as the dictionary of python-diameter calls it; "" when it knows none."""
    from diameter.message.avp import dictionary

    known = dictionary.AVP_DICTIONARY if not vendor else dictionary.AVP_VENDOR_DICTIONARY.get(vendor, {})
    found = known.get(code)
    return found["type"].__name__ if found else ""
