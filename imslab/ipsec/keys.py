"""The keys of IPsec on the Gm interface, out of the CK and IK of one run of AKA.

Spec: 3GPP TS 33.203, annex I (CK and IK are called CK_IM and IK_IM there); TS 33.220, B.2 (the key
derivation function). Algorithms are called as in Security-Client and Security-Server (annex H).
hmac-md5-96 and des-ede3-cbc stood in releases 5 to 11, and networks still speak them.

Teaching code: it is not constant time.
"""

import hmac
from collections.abc import Callable

from imslab.errors import Malformed
from imslab.octets import exactly

SALT = 4  # octets

_GMAC, _GCM = (b"\x58", b"AES_GMAC_SALT"), (b"\x59", b"AES_GCM_SALT")

_Expansion = Callable[[bytes, bytes], bytes]


def integrity_key(alg: str, ck: bytes, ik: bytes) -> bytes:
    """Return the key of the integrity algorithm ``alg``, out of CK and IK of 16 octets each.

    hmac-md5-96: IK, 16 octets. hmac-sha-1-96: IK and four zero octets, 20. aes-gmac: IK and its salt, 20.
    null: empty. Malformed for another algorithm.
    """
    return _expand("alg", _INTEGRITY, alg, ck, ik)


def encryption_key(ealg: str, ck: bytes, ik: bytes) -> bytes:
    """Return the key of the encryption algorithm ``ealg``, out of CK and IK of 16 octets each.

    aes-cbc: CK, 16 octets. des-ede3-cbc: CK1 | CK2 | CK1, 24. aes-gcm: CK and its salt, 20. null: empty.
    Malformed for another algorithm.
    """
    return _expand("ealg", _ENCRYPTION, ealg, ck, ik)


def gmac_salt(ck: bytes, ik: bytes) -> bytes:
    """Return the salt of aes-gmac, 4 octets: the last of KDF(CK | IK, FC 58)."""
    return _salt(*_GMAC, ck, ik)


def gcm_salt(ck: bytes, ik: bytes) -> bytes:
    """Return the salt of aes-gcm, 4 octets: the last of KDF(CK | IK, FC 59)."""
    return _salt(*_GCM, ck, ik)


def kdf_input(fc: bytes, label: bytes) -> bytes:
    """Return the string S that is hashed: FC, P0 and the length of P0 in 2 octets (TS 33.220, B.2)."""
    return fc + label + len(label).to_bytes(2)


def odd_parity(key: bytes) -> bytes:
    """Return a DES key with the last bit of each octet set so that the octet has an odd number of ones.

    DES itself does not look at these bits (FIPS 46-3); some implementations check them.
    """
    return bytes(octet & 0xFE | (octet >> 1).bit_count() + 1 & 1 for octet in key)


def _salt(fc: bytes, label: bytes, ck: bytes, ik: bytes) -> bytes:
    key = exactly("ck", ck, 16) + exactly("ik", ik, 16)
    return hmac.digest(key, kdf_input(fc, label), "sha256")[-SALT:]


_INTEGRITY: dict[str, _Expansion] = {
    "hmac-md5-96": lambda ck, ik: ik,
    "hmac-sha-1-96": lambda ck, ik: ik + bytes(4),
    "aes-gmac": lambda ck, ik: ik + gmac_salt(ck, ik),
    "null": lambda ck, ik: b"",
}
_ENCRYPTION: dict[str, _Expansion] = {
    "null": lambda ck, ik: b"",
    "des-ede3-cbc": lambda ck, ik: ck + ck[:8],
    "aes-cbc": lambda ck, ik: ck,
    "aes-gcm": lambda ck, ik: ck + gcm_salt(ck, ik),
}


def _expand(what: str, table: dict[str, _Expansion], name: str, ck: bytes, ik: bytes) -> bytes:
    expansion = table.get(name.lower())
    if expansion is None:
        raise Malformed(f"{what}={name[:40]!r} has no key expansion", expected=", ".join(table))
    return expansion(exactly("ck", ck, 16), exactly("ik", ik, 16))
