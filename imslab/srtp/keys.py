"""Session keys: six values from one master key and its salt.

Spec: RFC 3711, section 4.3 (key derivation), with AES-192 and AES-256 after RFC 6188, section 3, and the
12-octet salts of RFC 7714, section 11. Letters follow the RFC: ``r`` = index DIV kdr, ``key_id`` = label | r,
``x`` = key_id xor master salt, and the key is the beginning of AES-CM's key stream from x * 2^16.

Teaching code: it is not constant time.
"""

from dataclasses import dataclass, field
from enum import IntEnum

from cryptography.hazmat.primitives.ciphers import Cipher as AesCipher
from cryptography.hazmat.primitives.ciphers import algorithms, modes

from imslab.errors import Malformed
from imslab.octets import exactly, xor
from imslab.srtp.profiles import Profile

SALT_LENGTH = 14
BLOCK = 16
HIGHEST_KDR = 1 << 24
HIGHEST_INDEX = (1 << 48) - 1
HIGHEST_SRTCP_INDEX = (1 << 31) - 1


class Label(IntEnum):
    """What a key is for (RFC 3711, sections 4.3.1 and 4.3.2)."""

    SRTP_KEY = 0
    SRTP_AUTH = 1
    SRTP_SALT = 2
    SRTCP_KEY = 3
    SRTCP_AUTH = 4
    SRTCP_SALT = 5


@dataclass(frozen=True, slots=True)
class Derivation:
    """One key, and every value on the way to it (RFC 3711, 4.3.1).

    ``label``       what it is for
    ``r``           index DIV kdr, 48 bits; 0 when keys are derived once
    ``key_id``      label | r, 7 octets
    ``salt``        master salt as it enters, 14 octets (GCM's 12 are padded with zeros on the right)
    ``x``           key_id, right aligned, xor salt; 14 octets
    ``block``       x * 2^16, the first counter block; 16 octets
    ``key_stream``  whole blocks of AES-CM under the master key
    ``value``       its beginning: the session key
    """

    label: Label
    r: int
    key_id: bytes
    salt: bytes = field(repr=False)
    x: bytes = field(repr=False)
    block: bytes = field(repr=False)
    key_stream: bytes = field(repr=False)
    value: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Keys:
    """The session keys of SRTP, or of SRTCP: for the cipher, for HMAC (empty for GCM), and the salt."""

    key: bytes = field(repr=False)
    auth: bytes = field(repr=False)
    salt: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SessionKeys:
    """All session keys of one master key: three for SRTP, three for SRTCP."""

    srtp: Keys
    srtcp: Keys

    @property
    def srtp_key(self) -> bytes:
        """SRTP's encryption key; as long as the master key."""
        return self.srtp.key

    @property
    def srtp_auth(self) -> bytes:
        """SRTP's authentication key: 20 octets, or none for GCM."""
        return self.srtp.auth

    @property
    def srtp_salt(self) -> bytes:
        """SRTP's salt: 14 octets, 12 for GCM."""
        return self.srtp.salt

    @property
    def srtcp_key(self) -> bytes:
        """SRTCP's encryption key."""
        return self.srtcp.key

    @property
    def srtcp_auth(self) -> bytes:
        """SRTCP's authentication key."""
        return self.srtcp.auth

    @property
    def srtcp_salt(self) -> bytes:
        """SRTCP's salt."""
        return self.srtcp.salt


def derive(
    master_key: bytes, master_salt: bytes, label: int, length: int, *, index: int = 0, kdr: int = 0
) -> Derivation:
    """Derive one session key of ``length`` octets, keeping each step.

    ``master_key`` has 16, 24 or 32 octets, ``master_salt`` 14 or 12; ``index`` is the packet's, 48 bits.
    Raises Malformed when a value does not fit.
    """
    exactly("the master key", master_key, 16, 24, 32)
    salt = exactly("the master salt", master_salt, SALT_LENGTH, 12).ljust(SALT_LENGTH, b"\0")
    r = _r(index, kdr)
    key_id = bytes([label]) + r.to_bytes(6)
    x = xor(key_id.rjust(SALT_LENGTH, b"\0"), salt)
    block = x + b"\0\0"
    key_stream = aes_cm(master_key, block, -(-length // BLOCK) * BLOCK)
    return Derivation(Label(label), r, key_id, salt, x, block, key_stream, key_stream[:length])


def derive_keys(
    profile: str | Profile,
    master_key: bytes,
    master_salt: bytes,
    *,
    index: int = 0,
    srtcp_index: int = 0,
    kdr: int = 0,
) -> SessionKeys:
    """Derive the six session keys of a profile, by its SDP or DTLS name.

    With a key derivation rate ``kdr`` other than 0, the keys are those for SRTP's packet ``index`` (48 bits)
    and SRTCP's ``srtcp_index`` (31 bits). Raises Malformed when a value does not have the profile's length.
    """
    profile = Profile.named(profile)
    key, salt = check_master(profile, master_key, master_salt)
    return SessionKeys(
        three_keys(profile, key, salt, Label.SRTP_KEY, index, kdr),
        three_keys(profile, key, salt, Label.SRTCP_KEY, srtcp_index, kdr),
    )


def check_master(profile: Profile, master_key: bytes, master_salt: bytes) -> tuple[bytes, bytes]:
    """Return key and salt as bytes, or raise Malformed when one does not have the profile's length."""
    return (
        exactly(f"the master key of {profile}", master_key, profile.key_length),
        exactly(f"the master salt of {profile}", master_salt, profile.salt_length),
    )


def check_kdr(kdr: int) -> int:
    """Return a key derivation rate: 0, or a power of two up to 2^24; else raise Malformed (section 4.3.1)."""
    if not 0 <= kdr <= HIGHEST_KDR or kdr & (kdr - 1):
        raise Malformed(f"{kdr} is no key derivation rate", expected="0, or a power of two up to 2^24")
    return kdr


def aes_cm(key: bytes, block: bytes, length: int) -> bytes:
    """Return ``length`` octets of AES-CM's key stream from a first counter ``block`` (RFC 3711, 4.1.1)."""
    encryptor = AesCipher(
        algorithms.AES(key), modes.CTR(exactly("the counter block", block, BLOCK))
    ).encryptor()
    return encryptor.update(bytes(length))


def three_keys(profile: Profile, key: bytes, salt: bytes, first: Label, index: int, kdr: int) -> Keys:
    """Derive the keys of SRTP, or of SRTCP: those with the label ``first`` and the two behind it."""
    lengths = profile.key_length, profile.auth_key_length, profile.salt_length
    values = [
        derive(key, salt, first + i, length, index=index, kdr=kdr).value for i, length in enumerate(lengths)
    ]
    return Keys(*values)


def _r(index: int, kdr: int) -> int:
    if not 0 <= index <= HIGHEST_INDEX:
        raise Malformed(f"{index} is no packet index", expected="48 bits")
    return index // kdr if check_kdr(kdr) else 0
