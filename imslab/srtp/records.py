"""DTLS records and the handshake messages in them, as they lie in datagrams.

Spec: RFC 6347, section 4.1 (records) and 4.2 (handshake messages: fragments, retransmission); RFC 9147,
section 4 (DTLS 1.3, whose encrypted records are seen and not read); RFC 7983 (what else shares the port).
Only what is in clear can be read: everything up to ChangeCipherSpec.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from imslab.errors import Malformed
from imslab.srtp.prf import VERSION_NAMES

HANDSHAKE = 22
LONGEST_MESSAGE = 1 << 16  # octets: certificate chains are far below
MOST_MESSAGES = 64  # remembered at once: a handshake has about twenty
_HEADER, _FRAGMENT_HEADER = 13, 12
_CONTENT_TYPES = range(20, 25)  # change_cipher_spec, alert, handshake, application_data, heartbeat
_UNIFIED = range(32, 64)  # the first octet of an encrypted record of DTLS 1.3: 001CSLEE
_ODDITIES = (0x0100,)  # OpenSSL's before DTLS had a number


@dataclass(frozen=True, slots=True)
class Record:
    """One record; ``octets`` is its content, encrypted where the epoch is not 0."""

    content_type: int
    version: int
    epoch: int
    sequence: int
    octets: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """One handshake message, put together from its fragments; ``sequence`` is its message_seq."""

    kind: int
    sequence: int
    body: bytes


def is_dtls(datagram: bytes) -> bool:
    """Tell whether a datagram looks like DTLS, by its first octet (RFC 7983) and its version."""
    if len(datagram) < _HEADER or datagram[0] not in _CONTENT_TYPES:
        return len(datagram) > 1 and datagram[0] in _UNIFIED
    return int.from_bytes(datagram[1:3]) in (*VERSION_NAMES, *_ODDITIES)


def records(datagram: bytes) -> Iterator[Record]:
    """Yield the records of a datagram; raise Malformed, after those before it, where one is cut."""
    at = 0
    while at < len(datagram):
        if datagram[at] in _UNIFIED:  # its length is optional, and all of it is encrypted: take the rest
            yield Record(datagram[at], 0, datagram[at] & 3, 0, datagram[at:])
            return
        header = datagram[at : at + _HEADER]
        end = at + _HEADER + int.from_bytes(header[11:13])
        if len(header) < _HEADER or header[0] not in _CONTENT_TYPES or end > len(datagram):
            raise Malformed(
                "no whole DTLS record", offset=at, expected="type, version, epoch, number, length"
            )
        version, epoch, sequence = (int.from_bytes(header[i:j]) for i, j in ((1, 3), (3, 5), (5, 11)))
        yield Record(header[0], version, epoch, sequence, datagram[at + _HEADER : end])
        at = end


class Assembler:
    """Puts the handshake messages of one sender together, whatever the order of their fragments.

    A retransmission gives no message again; one with the same number and other octets does: it begins
    another handshake. Memory is bounded by ``MOST_MESSAGES`` of at most ``LONGEST_MESSAGE`` octets.
    """

    def __init__(self) -> None:
        self._parts: dict[int, _Parts] = {}

    def receive(self, datagram: bytes) -> Iterator[Message]:
        """Yield the messages that a datagram completes; raise Malformed at a fault, after those before it."""
        for record in records(datagram):
            if record.content_type == HANDSHAKE and record.epoch == 0:
                yield from self._take(record.octets)

    def _take(self, octets: bytes) -> Iterator[Message]:
        at = 0
        while at < len(octets):
            header = octets[at : at + _FRAGMENT_HEADER]
            kind, (length, sequence, offset, size) = header[0], _numbers(header)
            body = octets[at + _FRAGMENT_HEADER : at + _FRAGMENT_HEADER + size]
            if len(header) < _FRAGMENT_HEADER or len(body) < size or offset + size > length:
                raise Malformed("no whole fragment of a handshake message", offset=at)
            if length > LONGEST_MESSAGE:
                raise Malformed(
                    f"a handshake message of {length} octets", expected=f"at most {LONGEST_MESSAGE}"
                )
            yield from self._add(kind, sequence, length, offset, body)
            at += _FRAGMENT_HEADER + size

    def _add(self, kind: int, sequence: int, length: int, offset: int, body: bytes) -> Iterator[Message]:
        parts = self._parts.get(sequence)
        if (
            parts is None
            or (parts.kind, len(parts.octets)) != (kind, length)
            or parts.contradicts(offset, body)
        ):
            self._parts.pop(sequence, None)
            while len(self._parts) >= MOST_MESSAGES:
                self._parts.pop(next(iter(self._parts)))
            parts = self._parts[sequence] = _Parts(kind, length)
        if not parts.complete and parts.add(offset, body):
            yield Message(kind, sequence, bytes(parts.octets))


class _Parts:
    """A message of which some octets are there."""

    def __init__(self, kind: int, length: int) -> None:
        self.kind, self.complete = kind, False
        self.octets, self._there = bytearray(length), bytearray(length)

    def contradicts(self, offset: int, body: bytes) -> bool:
        """Tell whether octets that are there differ: another message with the same number."""
        end = offset + len(body)
        pairs = zip(self.octets[offset:end], body, self._there[offset:end], strict=True)
        return any(there and old != new for old, new, there in pairs)

    def add(self, offset: int, body: bytes) -> bool:
        """Put octets in their place; tell whether the message is whole now."""
        end = offset + len(body)
        self.octets[offset:end], self._there[offset:end] = body, b"\1" * len(body)
        self.complete = self._there.count(1) == len(self.octets)
        return self.complete


def _numbers(header: bytes) -> tuple[int, int, int, int]:
    """Return length, message_seq, fragment offset and fragment length (RFC 6347, section 4.2.2)."""
    length, sequence, offset, size = (
        int.from_bytes(header[i:j]) for i, j in ((1, 4), (4, 6), (6, 9), (9, 12))
    )
    return length, sequence, offset, size
