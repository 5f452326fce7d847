"""GBA: one run of AKA with the home network makes a key for any number of web applications.

Spec: 3GPP TS 33.220, 4.5.2 (Ks, B-TID), annex B (key derivation), annex H (Ua protocol identifiers);
TS 24.109, 5 (the HTTP Digest password). A parameter is followed by its length, 2 octets. The order is
CK | IK, while AKAv2 (``imslab.aka.digest``) uses IK | CK.

Teaching code: it is not constant time.
"""

import base64
import hmac

from imslab.errors import Malformed
from imslab.octets import exactly

# Ua security protocol identifiers (annex H): the first octet 01 is 3GPP's.
UA_HTTP_DIGEST = bytes.fromhex("0100000002")  # HTTP Digest without TLS (TS 24.109)
UA_TMPI = bytes.fromhex("0100000007")  # the BSF as its own NAF, for the TMPI

_FC = b"\x01"
_ME, _UICC = b"gba-me", b"gba-u"
_TMPI_DOMAIN = "tmpi.bsf.3gppnetwork.org"
_TMPI_OCTETS = 24


def ks(ck: bytes, ik: bytes) -> bytes:
    """Return Ks = CK | IK, 32 octets, of CK and IK of 16 octets each (TS 33.220, 4.5.2)."""
    return exactly("ck", ck, 16) + exactly("ik", ik, 16)


def naf_id(fqdn: str, protocol: bytes = UA_HTTP_DIGEST) -> bytes:
    """Return NAF_Id: the NAF's name in ASCII, then its Ua security protocol identifier, 5 octets.

    The same NAF has another key for each protocol (TS 33.220, 4.5.2 and annex H). Malformed for a name
    that is empty or not ASCII.
    """
    if not fqdn or not fqdn.isascii():
        raise Malformed("the NAF's name must be ASCII, and not empty")
    return fqdn.encode("ascii") + exactly("Ua security protocol identifier", protocol, 5)


def ks_naf(ks: bytes, rand: bytes, impi: str, naf_id: bytes) -> bytes:
    """Return Ks_NAF, 32 octets: the key that the terminal and one NAF share (TS 33.220, B.3).

    ``ks`` has 32 octets, ``rand`` 16: those of the bootstrapping. ``impi`` is the private identity.
    """
    return _derive(ks, _ME, rand, impi, naf_id)


def ks_ext_naf(ks: bytes, rand: bytes, impi: str, naf_id: bytes) -> bytes:
    """Return Ks_ext_NAF, 32 octets: with GBA_U what the card gives away. The formula is that of Ks_NAF."""
    return _derive(ks, _ME, rand, impi, naf_id)


def ks_int_naf(ks: bytes, rand: bytes, impi: str, naf_id: bytes) -> bytes:
    """Return Ks_int_NAF, 32 octets: with GBA_U the key that never leaves the card (TS 33.220, B.3)."""
    return _derive(ks, _UICC, rand, impi, naf_id)


def b_tid(rand: bytes, bsf: str) -> str:
    """Return the B-TID, base64(RAND)@BSF: the name of one bootstrapping (TS 33.220, 4.5.2)."""
    return f"{base64.b64encode(exactly('rand', rand, 16)).decode()}@{bsf}"


def tmpi(ks: bytes, rand: bytes, impi: str, bsf_id: bytes) -> str:
    """Return the TMPI, which stands for the IMPI in the next bootstrapping (TS 33.220, B.4).

    ``bsf_id`` is the NAF_Id of the BSF itself, with ``UA_TMPI``. 24 octets are taken, 32 letters.
    """
    octets = _derive(ks, _ME, rand, impi, bsf_id)[:_TMPI_OCTETS]
    return f"{base64.b64encode(octets).decode()}@{_TMPI_DOMAIN}"


def password(ks_naf: bytes) -> str:
    """Return the HTTP Digest password at a NAF: base64 of Ks_(ext_)NAF, 44 letters (TS 24.109, 5)."""
    return base64.b64encode(exactly("ks_naf", ks_naf, 32)).decode()


def kdf_input(use: bytes, rand: bytes, impi: str, naf_id: bytes) -> bytes:
    """Return the string S that is hashed: FC 01, then each parameter and its length (TS 33.220, B.2).

    ``use`` is ``b"gba-me"`` or ``b"gba-u"``. Malformed for a parameter longer than 65535 octets.
    """
    try:
        name = impi.encode("utf-8")
        parameters = (use, exactly("rand", rand, 16), name, naf_id)
        return _FC + b"".join(value + len(value).to_bytes(2) for value in parameters)
    except (UnicodeEncodeError, OverflowError):
        raise Malformed("a parameter of the key derivation is no text, or too long") from None


def _derive(ks: bytes, use: bytes, rand: bytes, impi: str, naf_id: bytes) -> bytes:
    return hmac.digest(exactly("ks", ks, 32), kdf_input(use, rand, impi, naf_id), "sha256")
