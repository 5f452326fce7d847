"""Secure RTP: from a master key to packets that only the two ends can read.

Spec: RFC 3711 (SRTP, SRTCP), RFC 6188 (AES-192, AES-256), RFC 7714 (AES-GCM), RFC 4568 (keys in SDP),
RFC 5764 (keys from DTLS). Every value is ``bytes``, every length octets.

Teaching code: it is not constant time.
"""

from imslab.srtp.candidate import Candidate
from imslab.srtp.index import guess_roc
from imslab.srtp.keys import Derivation, Keys, Label, SessionKeys, aes_cm, derive, derive_keys
from imslab.srtp.profiles import PROFILES, Cipher, Profile
from imslab.srtp.session import Session

__all__ = [
    "PROFILES",
    "Candidate",
    "Cipher",
    "Derivation",
    "Keys",
    "Label",
    "Profile",
    "Session",
    "SessionKeys",
    "aes_cm",
    "derive",
    "derive_keys",
    "guess_roc",
]
