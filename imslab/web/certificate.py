"""A certificate for this run, signed by itself: https and wss for machines beyond localhost.

Spec: RFC 5280 (X.509), RFC 6125 (names in subjectAltName). A browser warns before it believes such a
certificate: compare its SHA-256 with the one that the demo prints.
"""

import ipaddress
import ssl
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from imslab.errors import Malformed

DAYS = 30


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate and its key, as PEM; ``fingerprint`` is the SHA-256 of the certificate, 32 octets."""

    pem: bytes
    fingerprint: bytes
    key: bytes = field(repr=False)

    def context(self) -> ssl.SSLContext:
        """Return what a server needs to speak TLS 1.2 or newer with it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        with tempfile.TemporaryDirectory() as folder:  # ssl reads files only; this one is ours alone (0700)
            path = Path(folder) / "key.pem"
            path.write_bytes(self.key + self.pem)
            context.load_cert_chain(path)
        return context


def make(names: Sequence[str], now: datetime | None = None) -> Certificate:
    """Return a new certificate for these host names and addresses, good for 30 days.

    Raises Malformed when there is no name, or one that is none.
    """
    if not names:
        raise Malformed("a certificate needs a name", expected="a host name or an address")
    start = now or datetime.now(UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "imslab demo")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start - timedelta(hours=1))  # clocks differ
        .not_valid_after(start + timedelta(days=DAYS))
        .add_extension(x509.SubjectAlternativeName([_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )
    made = builder.sign(key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Certificate(
        made.public_bytes(serialization.Encoding.PEM), made.fingerprint(hashes.SHA256()), private
    )


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    if not name.isascii() or not name or set(name) - set("abcdefghijklmnopqrstuvwxyz0123456789.-"):
        raise Malformed(
            f"{name[:80]!r} is no host name", expected="lower case letters, digits, dots, hyphens"
        )
    return x509.DNSName(name)
