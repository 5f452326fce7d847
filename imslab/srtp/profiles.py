"""The protection profiles of SRTP: which cipher, which lengths, which names.

Spec: RFC 3711, section 8.2; RFC 4568, section 6.2 (names in SDP) and RFC 6188, section 4 (AES-192, AES-256);
RFC 5764, section 4.1.2, and RFC 7714, section 14.2 (names and codes in DTLS). Lengths are octets.
"""

from dataclasses import dataclass
from enum import Enum

from imslab.errors import Malformed

AUTH_KEY_LENGTH = 20  # HMAC-SHA1, RFC 3711, section 4.2.1
MOST_PACKETS = 1 << 48  # with one master key, SRTP (RFC 3711, section 9.2)


class Cipher(Enum):
    """How the payload is made unreadable."""

    AES_CM = "AES-CM"  # counter mode, RFC 3711, section 4.1.1
    AES_GCM = "AES-GCM"  # RFC 7714: one algorithm that authenticates too
    NULL = "NULL"  # in clear, but authenticated


@dataclass(frozen=True, slots=True)
class Profile:
    """One protection profile.

    ``name``             as SDP writes it (``a=crypto``)
    ``cipher``           how the payload is encrypted
    ``key_length``       of the master key, and of the cipher's session key
    ``salt_length``      of the master salt, and of the session salt
    ``tag_length``       of SRTP's authentication tag
    ``rtcp_tag_length``  of SRTCP's, which is never cut to 4 octets
    ``code``             the number in DTLS's ``use_srtp``; None where DTLS knows no such profile
    ``dtls_name``        its name there, or None
    """

    name: str
    cipher: Cipher
    key_length: int
    salt_length: int
    tag_length: int
    rtcp_tag_length: int
    code: int | None = None
    dtls_name: str | None = None

    def __str__(self) -> str:
        return self.name

    @property
    def master_length(self) -> int:
        """Octets of a master key and its salt together, as SDP carries them."""
        return self.key_length + self.salt_length

    @property
    def auth_key_length(self) -> int:
        """Octets of the session's authentication key: 0 where the cipher authenticates by itself."""
        return 0 if self.cipher is Cipher.AES_GCM else AUTH_KEY_LENGTH

    @classmethod
    def named(cls, name: "str | Profile") -> "Profile":
        """Return the profile of an SDP name, a DTLS name, or OpenSSL's short one, or raise Malformed."""
        if isinstance(name, Profile):
            return name
        found = _BY_NAME.get(str(name).upper())
        if found is None:
            raise Malformed(f"unknown SRTP profile {str(name)[:60]!r}", expected=f"one of {', '.join(NAMES)}")
        return found

    @classmethod
    def coded(cls, code: int) -> "Profile":
        """Return the profile of a number in ``use_srtp`` (RFC 5764, 4.1.2), or raise Malformed."""
        found = next((one for one in PROFILES if one.code == code), None)
        if found is None:
            raise Malformed(f"unknown SRTP protection profile 0x{code:04x}")
        return found


def _cm(bits: int, tag: int, code: int | None = None) -> Profile:
    # RFC 4568 wrote AES_CM_128, RFC 6188 AES_192_CM: both are the field's names.
    name = f"AES_CM_128_HMAC_SHA1_{tag}" if bits == 128 else f"AES_{bits}_CM_HMAC_SHA1_{tag}"
    dtls = f"SRTP_AES{bits}_CM_HMAC_SHA1_{tag}" if code else None
    return Profile(name, Cipher.AES_CM, bits // 8, 14, tag // 8, 10, code, dtls)


def _gcm(bits: int, code: int) -> Profile:
    name = f"AEAD_AES_{bits}_GCM"
    return Profile(name, Cipher.AES_GCM, bits // 8, 12, 16, 16, code, f"SRTP_{name}")


def _null(tag: int, code: int) -> Profile:
    # The keys of HMAC still come from a 16-octet master key and a 14-octet salt, by AES.
    name = f"NULL_HMAC_SHA1_{tag}"
    return Profile(name, Cipher.NULL, 16, 14, tag // 8, 10, code, f"SRTP_{name}")


PROFILES = (
    _cm(128, 80, 1), _cm(128, 32, 2), _cm(192, 80), _cm(192, 32), _cm(256, 80), _cm(256, 32),
    _gcm(128, 7), _gcm(256, 8),
    _null(80, 5), _null(32, 6),
)  # fmt: skip
NAMES = tuple(profile.name for profile in PROFILES)


def _names(profile: Profile) -> set[str]:
    names = {profile.name, profile.name.replace("AES_CM_128", "AES_128_CM")}
    for bits in ("192", "256"):
        names.add(profile.name.replace(f"AES_{bits}_CM", f"AES_CM_{bits}"))
    if profile.dtls_name:
        names |= {profile.dtls_name, profile.dtls_name.replace("_HMAC", "")}  # the second is OpenSSL's
    return names


_BY_NAME = {name: profile for profile in PROFILES for name in _names(profile)}
