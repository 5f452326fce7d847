"""IMS identities of a subscriber whose card has no ISIM.

Spec: 3GPP TS 23.003, sections 13.2 (home domain), 13.3 (private identity), 13.4B (temporary public identity).
"""

from imslab.errors import Malformed


def home_domain(imsi: str, mnc_length: int) -> str:
    """Return the home network domain name; the MNC is written with three digits."""
    if not imsi.isascii() or not imsi.isdecimal() or not 6 <= len(imsi) <= 15:
        raise Malformed("an IMSI has 6 to 15 digits")
    if mnc_length not in (2, 3):
        raise Malformed(f"an MNC has 2 or 3 digits, not {mnc_length}")
    mcc, mnc = imsi[:3], imsi[3 : 3 + mnc_length]
    return f"ims.mnc{mnc:0>3}.mcc{mcc}.3gppnetwork.org"


def private_identity(imsi: str, mnc_length: int) -> str:
    """Return the IMPI: IMSI@home-domain."""
    return f"{imsi}@{home_domain(imsi, mnc_length)}"


def public_identity(imsi: str, mnc_length: int) -> str:
    """Return the temporary IMPU: "sip:" and the IMPI."""
    return f"sip:{private_identity(imsi, mnc_length)}"
