"""scapy's ESP opens what ours seals, and the other way round, for every pair of algorithms that both know."""

import warnings
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imslab.ipsec import TCP, UDP, SecurityAssociation

# ours -> (scapy's name, lengths of the key)
ENCRYPTIONS = {
    "null": ("NULL", (0,)),
    "des-cbc": ("DES", (8,)),
    "des-ede3-cbc": ("3DES", (24,)),
    "aes-cbc": ("AES-CBC", (16, 24, 32)),
    "aes-ctr": ("AES-CTR", (20, 28, 36)),
}
INTEGRITIES = {
    "null": ("NULL", 0),
    "hmac-md5-96": ("HMAC-MD5-96", 16),
    "hmac-sha-1-96": ("HMAC-SHA1-96", 20),
    "hmac-sha-256-128": ("SHA2-256-128", 32),
    "hmac-sha-384-192": ("SHA2-384-192", 48),
    "hmac-sha-512-256": ("SHA2-512-256", 64),
}
PAIRS = [(one, other) for one in ENCRYPTIONS for other in INTEGRITIES] + [
    ("aes-gcm", "null"),
    ("null", "aes-gmac"),
]


@st.composite
def keys(draw: st.DrawFn, encryption: str, integrity: str) -> tuple[bytes, bytes]:
    """Draw keys; none with DES keys that scapy's library finds weak."""
    if encryption == "aes-gcm":
        length = draw(st.sampled_from([20, 28, 36]))
        return draw(st.binary(min_size=length, max_size=length)), b""
    if integrity == "aes-gmac":
        length = draw(st.sampled_from([20, 28, 36]))
        return b"", draw(st.binary(min_size=length, max_size=length))
    length = draw(st.sampled_from(ENCRYPTIONS[encryption][1]))
    other = INTEGRITIES[integrity][1]
    return draw(st.binary(min_size=length, max_size=length)), draw(st.binary(min_size=other, max_size=other))


def scapys(sa: SecurityAssociation) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its library says that 3DES and MD5 are old, at import
        from scapy.layers.ipsec import ESP
        from scapy.layers.ipsec import SecurityAssociation as Theirs

    if sa.encryption == "aes-gcm":
        return Theirs(ESP, spi=sa.spi, crypt_algo="AES-GCM", crypt_key=sa.encryption_key)
    if sa.integrity == "aes-gmac":
        return Theirs(ESP, spi=sa.spi, crypt_algo="AES-NULL-GMAC", crypt_key=sa.integrity_key)
    return Theirs(
        ESP,
        spi=sa.spi,
        crypt_algo=ENCRYPTIONS[sa.encryption][0],
        crypt_key=sa.encryption_key or None,
        auth_algo=INTEGRITIES[sa.integrity][0],
        auth_key=sa.integrity_key or None,
    )


@pytest.mark.parametrize(("encryption", "integrity"), PAIRS, ids=map("/".join, PAIRS))
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_each_opens_what_the_other_seals(encryption: str, integrity: str, data: st.DataObject) -> None:
    from scapy.layers import inet

    one, other = data.draw(keys(encryption, integrity))
    sa = SecurityAssociation(data.draw(st.integers(256, 2**32 - 1)), encryption, one, integrity, other)
    sequence = data.draw(st.integers(1, 2**32 - 1))
    over_udp, text = data.draw(st.booleans()), data.draw(st.binary(max_size=100))
    transport = (inet.UDP if over_udp else inet.TCP)(sport=5062, dport=6104) / text
    plain = inet.IP(bytes(inet.IP(src="10.0.0.1", dst="10.0.0.2") / transport))
    number = UDP if over_udp else TCP
    iv = data.draw(st.binary(min_size=sa.transform.iv_length, max_size=sa.transform.iv_length))

    theirs = scapys(sa)
    sealed = theirs.encrypt(plain, seq_num=sequence, iv=iv or None)
    opened = sa.open(bytes(sealed)[20:])
    assert (opened.sequence, opened.next_header) == (sequence, number)
    assert opened.payload == bytes(plain)[20:]

    ours = sa.seal(sequence, number, bytes(plain)[20:], iv)
    assert ours == bytes(sealed)[20:]
    # scapy drops what it finds after the lengths of the inner headers
    again = theirs.decrypt(inet.IP(bytes(inet.IP(src="10.0.0.1", dst="10.0.0.2", proto=50) / ours)))
    assert bytes(again.payload)[: len(opened.payload)] == opened.payload
