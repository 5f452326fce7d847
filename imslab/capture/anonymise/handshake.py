"""Handshakes of TLS and DTLS with other randoms, names, keys and certificates.

Spec: RFC 5246, 7.4; RFC 8446, 4; RFC 6347, 4.2 (DTLS); RFC 5764 (use_srtp); RFC 6066, 3 (server name).
What was negotiated stays: versions, cipher suites, groups, profiles. A certificate has another digest, and
where SDP names the one it was, it names the other.
"""

import hashlib

from imslab.capture.anonymise import der
from imslab.capture.anonymise.text import Texts

CLIENT_HELLO, SERVER_HELLO, HELLO_VERIFY, CERTIFICATE, SERVER_KEYS, CERTIFICATE_REQUEST = 1, 2, 3, 11, 12, 13
CERTIFICATE_VERIFY, CLIENT_KEYS = 15, 16
_DIGESTS = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")
_SERVER_NAME, _KEY_SHARE = 0, 51
# max_fragment_length, status_request, supported_groups, point formats, signature algorithms, use_srtp, ALPN,
# encrypt-then-MAC, extended master secret, record size limit, versions, PSK modes, connection id's absence
_KEPT_EXTENSIONS = frozenset((1, 5, 10, 11, 13, 14, 16, 22, 23, 28, 43, 45, 50))
_NAMED_CURVE = 3
_RETRY = hashlib.sha256(b"HelloRetryRequest").digest()  # RFC 8446, 4.1.3: a random that is none


class Handshakes:
    """Rewrites handshake messages, header excluded."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    def note_certificates(self, body: bytes) -> None:
        """Take in the digests of certificates, so that SDP may name the new ones."""
        known = self._texts.pseudonyms.known_octets
        for start, end in _certificates(body):
            old, new = body[start:end], der.rewrite(body[start:end], self._texts)
            for name in _DIGESTS:
                known[hashlib.new(name, old).digest()] = hashlib.new(name, new).digest()

    def rewrite(self, kind: int, body: bytes, *, datagram: bool) -> bytes:
        """Return the body of a message with other contents; of one that is not known, zeros."""
        if kind in (CLIENT_HELLO, SERVER_HELLO):
            return self._hello(kind, body, datagram)
        if kind == CERTIFICATE:
            return self._certificate(body)
        if kind == HELLO_VERIFY:
            return body[:3] + self._octets(body[3:])
        if kind == SERVER_KEYS and body[:1] == bytes((_NAMED_CURVE,)) and len(body) > 4:
            end = 4 + body[3]
            return body[:4] + self._octets(body[4:end]) + self._signature(body[end:])
        if kind == CERTIFICATE_VERIFY:
            return self._signature(body)
        if kind == CLIENT_KEYS:
            counted = body[0] + 1 == len(body) if body else False
            head = 1 if counted else 2
            return body[:head] + self._octets(body[head:])
        return bytes(len(body))

    def _octets(self, octets: bytes) -> bytes:
        return self._texts.pseudonyms.octets(octets) if octets else octets

    def _signature(self, body: bytes) -> bytes:
        """Rewrite a signature behind its algorithm (TLS 1.2) and its length."""
        for head in (4, 2):
            if len(body) > head and int.from_bytes(body[head - 2 : head]) == len(body) - head:
                return body[:head] + self._octets(body[head:])
        return self._octets(body)

    def _hello(self, kind: int, body: bytes, datagram: bool) -> bytes:
        """Rewrite random, session, cookie and extensions of a hello."""
        random = body[2:34]
        parts = [body[:2], random if random == _RETRY else self._octets(random)]
        at = 34
        counted = 2 if kind == CLIENT_HELLO and datagram else 1  # session; cookie
        for _ in range(counted):
            end = at + 1 + (body[at] if at < len(body) else 0)
            parts += [body[at : at + 1], self._octets(body[at + 1 : end])]
            at = end
        if kind == CLIENT_HELLO:
            suites = at + 2 + int.from_bytes(body[at : at + 2])
            end = suites + 1 + (body[suites] if suites < len(body) else 0)
        else:
            end = at + 3
        parts.append(body[at:end])
        parts.append(self._extensions(kind, body[end:]))
        return b"".join(parts)

    def _extensions(self, kind: int, octets: bytes) -> bytes:
        result, at = bytearray(octets), 2
        while at + 4 <= len(octets):
            number = int.from_bytes(octets[at : at + 2])
            start = at + 4
            end = min(start + int.from_bytes(octets[at + 2 : start]), len(octets))
            result[start:end] = self._extension(kind, number, octets[start:end])
            at = end
        result[at:] = bytes(len(octets) - at) if at < len(octets) else b""
        return bytes(result)

    def _extension(self, kind: int, number: int, value: bytes) -> bytes:
        if number in _KEPT_EXTENSIONS:
            return value
        if number == _SERVER_NAME and len(value) > 5:
            name = self._texts.host(value[5:].decode("utf-8", "surrogateescape"))
            return value[:5] + name.encode("utf-8", "surrogateescape")
        if number == _KEY_SHARE:
            return self._shares(value, 2 if kind == CLIENT_HELLO else 0)
        return bytes(len(value))

    def _shares(self, value: bytes, at: int) -> bytes:
        result = bytearray(value)
        while at + 4 <= len(value):
            end = min(at + 4 + int.from_bytes(value[at + 2 : at + 4]), len(value))
            result[at + 4 : end] = self._octets(value[at + 4 : end])
            at = end
        return bytes(result)

    def _certificate(self, body: bytes) -> bytes:
        result = bytearray(body[:3] + bytes(len(body[3:])))
        for start, end in _certificates(body):
            result[start - 3 : start] = body[start - 3 : start]
            result[start:end] = der.rewrite(body[start:end], self._texts)
        return bytes(result)


def _certificates(body: bytes) -> list[tuple[int, int]]:
    """Return where each certificate of a Certificate message (TLS 1.2 and before) begins and ends."""
    found, at = [], 3
    while at + 3 <= len(body):
        start = at + 3
        at = start + int.from_bytes(body[at:start])
        if at > len(body) or at == start:
            break
        found.append((start, at))
    return found
