"""DTLS without a socket: two ends in one cell, and whoever stands between them.

Spec: RFC 6347 (DTLS 1.2), RFC 5764 (use_srtp, the exporter), RFC 5763, section 5 (certificates are signed by
themselves; what makes them mean something is ``a=fingerprint``). OpenSSL does the handshake in memory, and
every datagram passes through the hands of the caller, who may drop, change or answer it.

    client, server = End("client"), End("server")
    shake_hands(client, server)
    client.check(server.fingerprint)
    client.ledger.session("client").protect(...)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from imslab.errors import SrtpError
from imslab.srtp import Profile
from imslab.srtp.dtls import Ledger, Role
from imslab.srtp.fingerprint import Fingerprint
from imslab.srtp.keylog import KeyLog
from imslab.srtp.records import records

PROFILES = ("AEAD_AES_128_GCM", "AES_CM_128_HMAC_SHA1_80")
LONGEST_DATAGRAM = 1200  # octets, as WebRTC has it
_MOST_FLIGHTS = 20  # a handshake takes five; more is a quarrel
_CERTIFICATE_DAYS = 30


@dataclass(frozen=True, slots=True)
class Datagram:
    """One datagram of a handshake, and the role of who sent it."""

    sender: Role
    octets: bytes


class End:
    """One end of a DTLS connection.

    ``role``         "client" (a=setup:active) or "server"
    ``profiles``     the SRTP profiles that it offers or takes, best first; none: no use_srtp at all
    ``certificate``  its own, DER; made for this end, and signed by itself
    ``done``         the handshake is over, and both ends proved that they saw the same
    """

    def __init__(self, role: Role, profiles: Sequence[str] = PROFILES) -> None:
        self.role: Role = role
        self.done = False
        self._lines: list[bytes] = []
        key, made = _certificate()
        self.certificate = _der(made)
        self._connection = self._connect(key, made, [Profile.named(name) for name in profiles])

    @property
    def fingerprint(self) -> Fingerprint:
        """What this end writes into its SDP."""
        return Fingerprint.of(self.certificate)

    @property
    def peer_certificate(self) -> bytes:
        """The certificate that the other end showed, DER; raises SrtpError before it did."""
        shown = self._connection.get_peer_certificate(as_cryptography=True)
        if shown is None:
            raise SrtpError("the other end has shown no certificate yet")
        return _der(shown)

    @property
    def ledger(self) -> Ledger:
        """The four SRTP keys; SrtpError before the handshake is done, or when no profile was agreed."""
        if not self.done:
            raise SrtpError(
                f"the handshake of the DTLS {self.role} is not done: what came so far proves nothing"
            )
        return Ledger.from_connection(self._connection)

    @property
    def key_log(self) -> KeyLog:
        """The secrets of this connection, as a capture needs them."""
        return KeyLog.parse(b"\n".join(self._lines))

    def check(self, announced: Fingerprint) -> None:
        """Raise FingerprintMismatch unless the other end showed the certificate that its SDP announced."""
        announced.check(self.peer_certificate)

    def receive(self, *datagrams: bytes) -> list[bytes]:
        """Take datagrams, and return those to send. Raises SrtpError when the handshake fails."""
        from OpenSSL import SSL

        for octets in datagrams:
            self._connection.bio_write(octets)
            self._advance(SSL)
        if not datagrams:
            self._advance(SSL)
        return self._outgoing(SSL)

    def _advance(self, ssl: Any) -> None:
        try:
            self._connection.do_handshake()
            self.done = True
        except ssl.WantReadError:
            pass
        except ssl.Error as error:
            raise SrtpError(f"the DTLS {self.role} gives up: {_reason(error)}") from None

    def _outgoing(self, ssl: Any) -> list[bytes]:
        try:
            octets = self._connection.bio_read(1 << 16)
        except ssl.WantReadError:
            return []
        return _datagrams(octets)

    def _connect(self, key: Any, certificate: Any, profiles: Sequence[Profile]) -> Any:
        from OpenSSL import SSL

        context = SSL.Context(SSL.DTLS_METHOD)
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
        context.use_certificate(certificate)
        context.use_privatekey(key)
        context.set_keylog_callback(lambda _, line: self._lines.append(line))
        if profiles:
            context.set_tlsext_use_srtp(b":".join(map(_openssl_name, profiles)))
        connection = SSL.Connection(context)
        connection.set_connect_state() if self.role == "client" else connection.set_accept_state()
        connection.set_ciphertext_mtu(LONGEST_DATAGRAM)
        return connection


def shake_hands(client: End, server: End) -> list[Datagram]:
    """Carry datagrams to and fro until both ends are content; return them in order.

    Raises SrtpError when an end gives up.
    """
    passed: list[Datagram] = []
    flight, sender, receiver = client.receive(), client, server
    for _ in range(_MOST_FLIGHTS):
        if not flight:
            return passed
        passed += [Datagram(sender.role, octets) for octets in flight]
        flight, sender, receiver = receiver.receive(*flight), receiver, sender
    raise SrtpError("the DTLS handshake does not come to an end")


def _openssl_name(profile: Profile) -> bytes:
    if profile.dtls_name is None:
        raise SrtpError(f"{profile} has no code in DTLS: keys of this length come by SDES")
    return profile.dtls_name.replace("_HMAC", "").encode()


def _datagrams(octets: bytes) -> list[bytes]:
    """Divide records into datagrams of at most ``LONGEST_DATAGRAM`` octets."""
    found = [b""]
    at = 0
    for record in records(octets):
        size = 13 + len(record.octets)
        if found[-1] and len(found[-1]) + size > LONGEST_DATAGRAM:
            found.append(b"")
        found[-1] += octets[at : at + size]
        at += size
    return [datagram for datagram in found if datagram]


def _certificate() -> tuple[Any, Any]:
    """Return a private key and a certificate that it signed itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "imslab")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1))
    builder = builder.not_valid_after(now + timedelta(days=_CERTIFICATE_DAYS))
    return key, builder.sign(key, hashes.SHA256())


def _der(certificate: Any) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return bytes(certificate.public_bytes(Encoding.DER))


def _reason(error: Any) -> str:
    """Return OpenSSL's own words, without its places."""
    return str(error.args[0][0][-1]) if error.args and error.args[0] else type(error).__name__
