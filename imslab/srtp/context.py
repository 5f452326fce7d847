"""The cryptographic context: what sender and receiver agreed on, and the ciphers that come out of it.

Spec: RFC 3711, section 3.2.1 (its parameters) and 4.3.1 (kdr: new session keys every so many packets);
RFC 4568, section 6.3 (what SDP may say about them).
"""

from dataclasses import dataclass, field, fields
from typing import TypedDict

from imslab.errors import Malformed
from imslab.srtp.cipher import CounterMode, Gcm, packet_cipher
from imslab.srtp.index import check_window
from imslab.srtp.keys import Keys, Label, check_kdr, check_master, three_keys
from imslab.srtp.packet import INDEX_WORD
from imslab.srtp.profiles import Cipher, Profile

LONGEST_MKI = 128  # octets, RFC 4568, section 6.1
_MOST_CIPHERS = 64  # kept with a kdr: reordered packets come back to the last few keys


class Parameters(TypedDict, total=False):
    """The parameters of a context that have defaults, for those who pass them on."""

    mki: bytes
    kdr: int
    window: int
    unencrypted_srtp: bool
    unencrypted_srtcp: bool
    unauthenticated_srtp: bool
    negotiated_e_bit: bool


@dataclass(frozen=True, slots=True)
class Context:
    """One master key with its parameters.

    ``profile``  by its name in SDP or DTLS, or a Profile
    ``master_key``, ``master_salt``   of the profile's lengths
    ``mki``      master key identifier, 0 to 128 octets, which packets then carry
    ``kdr``      key derivation rate: 0, or a power of two up to 2^24
    ``window``   size of the replay window, 64 to 32768
    ``unencrypted_srtp``, ``unencrypted_srtcp``, ``unauthenticated_srtp``   as RFC 4568, 6.3, has them
    ``negotiated_e_bit``  refuse SRTCP whose E bit is not as negotiated

    ``is_gcm``         the tag is a part of the ciphertext, before the MKI, and not behind it
    ``encrypts``       SRTP's payload is encrypted;  ``encrypts_rtcp``: SRTCP is, and has the E bit

    Raises Malformed when an argument does not fit the profile.
    """

    profile: Profile
    master_key: bytes = field(repr=False)
    master_salt: bytes = field(repr=False)
    mki: bytes = b""
    kdr: int = 0
    window: int = 128
    unencrypted_srtp: bool = False
    unencrypted_srtcp: bool = False
    unauthenticated_srtp: bool = False
    negotiated_e_bit: bool = False
    # What follows from these:
    is_gcm: bool = field(init=False, repr=False, compare=False)
    encrypts: bool = field(init=False, repr=False, compare=False)
    encrypts_rtcp: bool = field(init=False, repr=False, compare=False)
    _ciphers: dict[tuple[bool, int], CounterMode | Gcm] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "profile", Profile.named(self.profile))
        key, salt = check_master(self.profile, self.master_key, self.master_salt)
        object.__setattr__(self, "master_key", key)
        object.__setattr__(self, "master_salt", salt)
        object.__setattr__(self, "mki", bytes(self.mki))
        in_clear = self.profile.cipher is Cipher.NULL
        object.__setattr__(self, "is_gcm", self.profile.cipher is Cipher.AES_GCM)
        object.__setattr__(self, "encrypts", not (in_clear or self.unencrypted_srtp))
        object.__setattr__(self, "encrypts_rtcp", not (in_clear or self.unencrypted_srtcp))
        check_kdr(self.kdr)
        check_window(self.window)
        if len(self.mki) > LONGEST_MKI:
            raise Malformed(f"an MKI of {len(self.mki)} octets", expected=f"at most {LONGEST_MKI}")
        if self.unauthenticated_srtp and self.is_gcm:
            raise Malformed("AES-GCM always authenticates (RFC 7714, section 12)")

    def __reduce__(self) -> tuple[type["Context"], tuple[object, ...]]:
        return type(self), tuple(getattr(self, one.name) for one in fields(self) if one.init)  # no ciphers

    def tag_length(self, rtcp: bool) -> int:
        """Return the octets of an authentication tag."""
        if rtcp:
            return self.profile.rtcp_tag_length
        return 0 if self.unauthenticated_srtp else self.profile.tag_length

    def trailer_length(self, rtcp: bool) -> int:
        """Return the octets that protection adds behind a packet: E bit and index, MKI, tag."""
        return (INDEX_WORD if rtcp else 0) + len(self.mki) + self.tag_length(rtcp)

    def word(self, index: int) -> bytes:
        """Return what HMAC covers beyond an SRTP packet: ROC, 4 octets. GCM has it in its IV."""
        return b"" if self.is_gcm else (index >> 16).to_bytes(4)

    def keys(self, rtcp: bool, index: int) -> Keys:
        """Return the session keys for the packet ``index``."""
        first = Label.SRTCP_KEY if rtcp else Label.SRTP_KEY
        return three_keys(self.profile, self.master_key, self.master_salt, first, index, self.kdr)

    def cipher(self, rtcp: bool, index: int) -> CounterMode | Gcm:
        """Return the cipher for a packet: another one whenever index DIV kdr is another."""
        r = index // self.kdr if self.kdr else 0
        found = self._ciphers.get((rtcp, r))
        if found is None:
            if len(self._ciphers) > _MOST_CIPHERS:
                self._ciphers.clear()
            found = packet_cipher(self.profile, self.keys(rtcp, index), self.tag_length(rtcp))
            self._ciphers[rtcp, r] = found
        return found
