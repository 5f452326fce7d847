"""ESP packets in user space: ours and scapy's, the same algorithms, keys and payload, in one run.

Run: ``python -m benchmarks.esp [SECONDS for each]``. The payload is a UDP datagram of 1200 octets, a REGISTER
with all its headers. To seal, scapy is given a packet object that was built before the clock started; to
open, the octets of a packet, as ours is (it must dissect them: its ``decrypt`` changes the object that it
is given). The last column is what the algorithms need for sealing without any packet around them.
"""

import hmac
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from imslab.ipsec import UDP, Inbound, Outbound, SecurityAssociation

DATAGRAM = bytes.fromhex("13c617d804b80000") + b"R" * 1200
CK, IK, SALT = bytes(range(16)), bytes(range(16, 32)), b"salt"
IV = bytes(16)
# (encryption, integrity) -> scapy's names
PAIRS = {
    ("null", "hmac-md5-96"): ("NULL", "HMAC-MD5-96"),
    ("null", "hmac-sha-1-96"): ("NULL", "HMAC-SHA1-96"),
    ("des-ede3-cbc", "hmac-sha-1-96"): ("3DES", "HMAC-SHA1-96"),
    ("aes-cbc", "hmac-sha-1-96"): ("AES-CBC", "HMAC-SHA1-96"),
    ("aes-gcm", "null"): ("AES-GCM", "NULL"),
    ("null", "aes-gmac"): ("AES-NULL-GMAC", "NULL"),
}
KEYS = {
    "null": b"", "hmac-md5-96": IK, "hmac-sha-1-96": IK + bytes(4), "des-ede3-cbc": CK + IK[:8],
    "aes-cbc": CK, "aes-gcm": CK + SALT, "aes-gmac": IK + SALT,
}  # fmt: skip


def ours(encryption: str, integrity: str) -> tuple[Callable[[], object], Callable[[], object]]:
    """Return sealing and opening: the sender's count and the receiver's window included."""
    sa = SecurityAssociation(4096, encryption, KEYS[encryption], integrity, KEYS[integrity])
    sender, receiver = Outbound(sa, bytes), Inbound(sa)
    packet = sender.seal(UDP, DATAGRAM)

    def opened() -> object:
        receiver.highest = receiver._seen = 0  # so that the same packet may come again
        return receiver.open(packet)

    if receiver.open(packet).payload != DATAGRAM:
        raise SystemExit("ours does not open what it seals")
    return lambda: sender.seal(UDP, DATAGRAM), opened


def scapys(encryption: str, integrity: str) -> tuple[Callable[[], object], Callable[[], object]]:
    """Return sealing and opening by scapy."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from scapy.layers import inet, ipsec
    crypt, auth = PAIRS[encryption, integrity]
    gmac = integrity == "aes-gmac"
    sa: Any = ipsec.SecurityAssociation(
        ipsec.ESP,
        spi=4096,
        crypt_algo=crypt,
        crypt_key=KEYS[integrity if gmac else encryption] or None,
        auth_algo=auth,
        auth_key=None if gmac else KEYS[integrity] or None,
    )
    head = inet.IP(src="10.0.0.1", dst="10.0.0.2", proto=17)
    plain = inet.IP(bytes(head / DATAGRAM))
    sealed = bytes(sa.encrypt(plain, seq_num=1))
    ours = SecurityAssociation(4096, encryption, KEYS[encryption], integrity, KEYS[integrity])
    if ours.open(sealed[20:]).payload != DATAGRAM or bytes(sa.decrypt(inet.IP(sealed)))[20:] != DATAGRAM:
        raise SystemExit("scapy and ours do not agree")
    return lambda: sa.encrypt(plain, seq_num=1), lambda: sa.decrypt(inet.IP(sealed))


def bare(encryption: str, integrity: str) -> Callable[[], object]:
    """Return what sealing costs without a packet: one call for each algorithm."""
    octets = DATAGRAM + bytes(-len(DATAGRAM) % 16)
    if "aes-gcm" in (encryption, integrity) or integrity == "aes-gmac":
        aead = AESGCM(CK)
        if integrity == "aes-gmac":
            return lambda: aead.encrypt(IV[:12], b"", octets)
        return lambda: aead.encrypt(IV[:12], octets, octets[:8])
    digest = "md5" if "md5" in integrity else "sha1"
    if encryption == "null":
        return lambda: hmac.digest(IK, octets, digest)
    if encryption == "aes-cbc":
        cipher, iv = algorithms.AES(CK), IV
    else:
        from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES

        cipher, iv = TripleDES(CK + IK[:8]), IV[:8]

    def both() -> object:
        Cipher(cipher, modes.CBC(iv)).encryptor().update(octets)
        return hmac.digest(IK, octets, digest)

    return both


def per_second(works: list[Callable[[], object]], seconds: float) -> list[float]:
    """Return how often each of ``works`` runs in a second: its best round of five, taken in turns."""
    best = [0.0] * len(works)
    for _ in range(5):
        for i, work in enumerate(works):
            count, start = 0, time.perf_counter()
            while (elapsed := time.perf_counter() - start) < seconds / 5:
                for _ in range(20):
                    work()
                count += 20
            best[i] = max(best[i], count / elapsed)
    return best


def main(seconds: float = 1.0) -> None:
    print(
        f"{'packets/s':29}{'seal':>9}{'scapy':>8}{'ratio':>7}{'open':>10}{'scapy':>8}{'ratio':>7}{'bare':>10}"
    )
    for pair in PAIRS:
        mine, theirs = ours(*pair), scapys(*pair)
        seal, s_seal, opened, s_open, limit = per_second(
            [mine[0], theirs[0], mine[1], theirs[1], bare(*pair)], seconds
        )
        print(
            f"{'/'.join(pair):29}{seal:9,.0f}{s_seal:8,.0f}{seal / s_seal:7.1f}"
            f"{opened:10,.0f}{s_open:8,.0f}{opened / s_open:7.1f}{limit:10,.0f}"
        )


if __name__ == "__main__":
    main(*(float(argument) for argument in sys.argv[1:2]))
