"""Certificate fingerprints: how SDP says which certificate the DTLS peer must show.

Spec: RFC 8122, section 5 (``a=fingerprint``), RFC 5763, section 5. Without this comparison DTLS-SRTP proves
nothing: anybody on the way can show a certificate of his own, to both ends.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from hmac import compare_digest
from typing import Self

from imslab.errors import FingerprintMismatch, Malformed

# From weak to strong. MD5 and MD2 have names too, but must not be used (RFC 8122, section 5).
HASHES = {"sha-1": 20, "sha-224": 28, "sha-256": 32, "sha-384": 48, "sha-512": 64}
_FORBIDDEN = ("md5", "md2")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The hash of a certificate.

    ``hash_name``  as SDP writes it, in lower case: sha-256
    ``digest``     20, 28, 32, 48 or 64 octets

    Raises Malformed when the hash is unknown or forbidden, or the digest has another length.
    """

    hash_name: str
    digest: bytes

    def __post_init__(self) -> None:
        if self.hash_name in _FORBIDDEN:
            raise Malformed(f"{self.hash_name} must not be used for fingerprints (RFC 8122, section 5)")
        if self.hash_name not in HASHES:
            raise Malformed(f"unknown hash {self.hash_name[:20]!r}", expected=f"one of {', '.join(HASHES)}")
        if len(self.digest) != HASHES[self.hash_name]:
            wanted = f"{HASHES[self.hash_name]} octets"
            raise Malformed(f"a {self.hash_name} fingerprint of {len(self.digest)} octets", expected=wanted)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the value of ``a=fingerprint``: the name of a hash, and its octets in hex with colons."""
        words = text.split()
        if len(words) != 2:
            raise Malformed("bad a=fingerprint", expected="a hash and its octets in hex")
        return cls(words[0].lower(), _octets(words[1]))

    @classmethod
    def of(cls, certificate: bytes, hash_name: str = "sha-256") -> Self:
        """Compute the fingerprint of a certificate in DER."""
        if hash_name not in HASHES:
            return cls(hash_name, b"")  # raises
        return cls(hash_name, hashlib.new(hash_name.replace("-", ""), certificate).digest())

    def __str__(self) -> str:
        return f"{self.hash_name} {self.digest.hex(':').upper()}"

    def check(self, certificate: bytes) -> None:
        """Raise FingerprintMismatch unless a certificate in DER is the one that is meant."""
        check_fingerprints([self], certificate)


def check_fingerprints(announced: Iterable[Fingerprint], certificate: bytes) -> Fingerprint:
    """Return the fingerprint that a certificate (DER) has, out of those that SDP announced.

    Of several hashes the strongest counts; of several fingerprints with it, one must match (RFC 8122, section
    5.1). Raises FingerprintMismatch when none does, or none was announced.
    """
    ranked = sorted(announced, key=lambda one: HASHES[one.hash_name])
    if not ranked:
        raise FingerprintMismatch("the SDP announced no fingerprint: the DTLS peer could be anybody")
    shown = Fingerprint.of(certificate, ranked[-1].hash_name)
    for one in ranked:
        if one.hash_name == shown.hash_name and compare_digest(one.digest, shown.digest):
            return one
    raise FingerprintMismatch(
        f"the certificate of the DTLS peer has the fingerprint {shown}, and the SDP announced {ranked[-1]}: "
        "somebody stands in the middle, or changed the SDP on its way. Hang up"
    )


def _octets(text: str) -> bytes:
    pairs = text.split(":")
    if any(len(pair) != 2 or not set(pair) <= set("0123456789abcdefABCDEF") for pair in pairs):
        raise Malformed("bad octets in a=fingerprint", expected="two hex digits each, with colons between")
    return bytes.fromhex("".join(pairs))
