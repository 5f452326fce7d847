"""TLS and DTLS records: headers stay, handshakes get other contents, what is encrypted becomes noise.

Spec: RFC 5246, 6.2; RFC 6347, 4.1 and 4.2.2 (fragments of handshake messages).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from imslab.capture.anonymise.handshake import CERTIFICATE, Handshakes
from imslab.capture.anonymise.text import Texts

_CHANGE_CIPHER, _ALERT, _HANDSHAKE, _APPLICATION = 20, 21, 22, 23
_TLS_HEADER, _DTLS_HEADER, _FRAGMENT_HEADER = 5, 13, 12
_MOST = 1 << 17  # octets of one handshake message


@dataclass(slots=True)
class _Message:
    """A handshake message of DTLS that comes in fragments."""

    octets: bytearray
    have: set[tuple[int, int]] = field(default_factory=set)
    new: bytes = b""

    @property
    def is_whole(self) -> bool:
        covered = 0
        for start, end in sorted(self.have):
            if start > covered:
                return False
            covered = max(covered, end)
        return covered >= len(self.octets)


class Records:
    """Rewrites the records of TLS streams and of DTLS datagrams."""

    def __init__(self, texts: Texts) -> None:
        self._texts, self._handshakes = texts, Handshakes(texts)
        self._messages: dict[tuple[object, int, int, int], _Message] = {}

    # -- DTLS ------------------------------------------------------------------------------------

    @staticmethod
    def is_dtls(octets: bytes) -> bool:
        """Tell whether octets begin with a record of DTLS 1.0 or 1.2 that is whole."""
        return (
            len(octets) >= _DTLS_HEADER
            and _CHANGE_CIPHER <= octets[0] <= _APPLICATION
            and octets[1:3] in (b"\xfe\xff", b"\xfe\xfd")
            and int.from_bytes(octets[11:13]) + _DTLS_HEADER <= len(octets)
        )

    def survey(self, octets: bytes, ends: object) -> None:
        """Take in the handshake messages of a datagram from one end to another."""
        for kind, epoch, start, end in self._dtls(octets):
            if kind == _HANDSHAKE and epoch == 0:
                for place, offset, first, last in self._fragments(octets, start, end, ends):
                    if place[3] > _MOST:
                        continue
                    message = self._messages.setdefault(place, _Message(bytearray(place[3])))
                    message.octets[offset : offset + last - first] = octets[first:last]
                    message.have.add((offset, offset + last - first))
                    if place[1] == CERTIFICATE and message.is_whole:
                        self._handshakes.note_certificates(bytes(message.octets))

    def datagram(self, octets: bytes, ends: object) -> bytes:
        """Return the records of a datagram with other contents."""
        result, done = bytearray(octets), 0
        for kind, epoch, start, end in self._dtls(octets):
            if kind == _HANDSHAKE and epoch == 0:
                self._fragments_of(octets, start, end, ends, result)
            else:
                result[start:end] = self._body(kind, octets[start - 13 : start], octets[start:end], epoch > 0)
            done = end
        result[done:] = self._texts.pseudonyms.noise(b"dtls" + octets[:13], len(octets) - done)
        return bytes(result)

    def _fragments_of(self, octets: bytes, start: int, end: int, ends: object, result: bytearray) -> None:
        done = start
        for place, offset, first, last in self._fragments(octets, start, end, ends):
            message = self._messages.get(place)
            if message is None or not message.is_whole:
                result[first:last] = bytes(last - first)
            else:
                message.new = message.new or self._handshakes.rewrite(
                    place[1], bytes(message.octets), datagram=True
                )
                result[first:last] = message.new[offset : offset + last - first]
            done = last
        result[done:end] = bytes(end - done)

    @staticmethod
    def _dtls(octets: bytes) -> Iterator[tuple[int, int, int, int]]:
        """Yield (content type, epoch, start, end) of each record of a datagram."""
        at = 0
        while Records.is_dtls(octets[at:]):
            start = at + _DTLS_HEADER
            end = start + int.from_bytes(octets[start - 2 : start])
            yield octets[at], int.from_bytes(octets[at + 3 : at + 5]), start, end
            at = end

    @staticmethod
    def _fragments(
        octets: bytes, start: int, end: int, ends: object
    ) -> Iterator[tuple[tuple[object, int, int, int], int, int, int]]:
        """Yield (message, offset in it, start, end) of each fragment of a record."""
        at = start
        while at + _FRAGMENT_HEADER <= end:
            length = int.from_bytes(octets[at + 1 : at + 4])
            number, offset = int.from_bytes(octets[at + 4 : at + 6]), int.from_bytes(octets[at + 6 : at + 9])
            first = at + _FRAGMENT_HEADER
            last = first + int.from_bytes(octets[at + 9 : first])
            if last > end or offset + last - first > length:
                return
            yield (ends, octets[at], number, length), offset, first, last
            at = last

    # -- TLS -------------------------------------------------------------------------------------

    @staticmethod
    def is_tls(octets: bytes) -> bool:
        """Tell whether octets begin with the header of a TLS record."""
        return (
            len(octets) >= _TLS_HEADER
            and _CHANGE_CIPHER <= octets[0] <= _APPLICATION
            and octets[1] == 3
            and octets[2] <= 4
            and int.from_bytes(octets[3:5]) <= 1 << 14 | 1 << 11
        )

    def stream(self, octets: bytes) -> bytes:
        """Return one direction of a TLS connection with other contents."""
        result, encrypted, clear = bytearray(octets), False, bytearray()
        places: list[tuple[int, int]] = []
        for kind, start, end in self._tls(octets):
            if kind == _HANDSHAKE and not encrypted:
                places.append((start, end))
                clear += octets[start:end]
            else:
                body = octets[start:end]
                result[start:end] = self._body(kind, octets[start - 5 : start] + body[:16], body, encrypted)
            encrypted |= kind in (_CHANGE_CIPHER, _APPLICATION)
        new, taken = self._messages_of(bytes(clear)), 0
        for start, end in places:
            result[start:end] = new[taken : taken + end - start]
            taken += end - start
        done = max((end for _, _, end in self._tls(octets)), default=0)
        result[done:] = bytes(len(octets) - done)
        return bytes(result)

    def _messages_of(self, octets: bytes) -> bytes:
        result, at = bytearray(len(octets)), 0
        while at + 4 <= len(octets):
            end = at + 4 + int.from_bytes(octets[at + 1 : at + 4])
            if end > len(octets):  # cut, or encrypted after all
                result[at : at + 4] = octets[at : at + 4]
                break
            result[at : at + 4] = octets[at : at + 4]
            result[at + 4 : end] = self._handshakes.rewrite(octets[at], octets[at + 4 : end], datagram=False)
            at = end
        return bytes(result)

    @staticmethod
    def _tls(octets: bytes) -> Iterator[tuple[int, int, int]]:
        at = 0
        while Records.is_tls(octets[at : at + _TLS_HEADER]):
            start = at + _TLS_HEADER
            end = min(start + int.from_bytes(octets[at + 3 : start]), len(octets))
            yield octets[at], start, end
            at = end

    def _body(self, kind: int, context: bytes, body: bytes, encrypted: bool) -> bytes:
        """Return what a record holds that is no handshake in clear: an alert and a change stay."""
        if kind in (_CHANGE_CIPHER, _ALERT) and not encrypted and len(body) <= 2:
            return body
        return self._texts.pseudonyms.noise(b"record" + context, len(body))
