"""Authentication vectors: what the network sends, what the card checks, and the way back.

Spec: 3GPP TS 33.102, section 6.3. AUTN = (SQN xor AK) | AMF | MAC-A, 16 octets;
AUTS = (SQN_MS xor AK*) | MAC-S, 14 octets, with AMF* = 0000 inside MAC-S.

AUTN and AUTS carry 8 octets of MAC. Of a longer MAC of TUAK the first 8 are sent.

Teaching code: it is not constant time, but for the comparison of MACs.
"""

import hmac
from dataclasses import dataclass, field

from imslab.aka.functions import AkaFunctions
from imslab.errors import MacFailure, Malformed
from imslab.octets import exactly, xor

_MAC = 8  # octets of MAC-A in AUTN and of MAC-S in AUTS
_AMF_STAR = bytes(2)


@dataclass(frozen=True, slots=True)
class AuthenticationVector:
    """One challenge and the answers to it.

    ``rand``, ``autn``  16 octets each, sent to the card
    ``xres``            4 to 32 octets, what the card must answer
    ``ck``, ``ik``      16 or 32 octets each

    Raises Malformed when a length is another.
    """

    rand: bytes
    autn: bytes
    xres: bytes = field(repr=False)
    ck: bytes = field(repr=False)
    ik: bytes = field(repr=False)

    def __post_init__(self) -> None:
        # One cheap look first: an AuC makes many vectors, and nearly all are right.
        if not (len(self.rand) == len(self.autn) == len(self.ck) == len(self.ik) == 16):
            exactly("rand", self.rand, 16)
            exactly("autn", self.autn, 16)
            exactly("ck", self.ck, 16, 32)
            exactly("ik", self.ik, 16, 32)
        if not 4 <= len(self.xres) <= 32:
            raise Malformed(f"xres must be 4 to 32 octets, not {len(self.xres)}")

    @property
    def sqn_xor_ak(self) -> bytes:
        """Return SQN xor AK, 6 octets: the sequence number, hidden."""
        return self.autn[:6]

    @property
    def amf(self) -> bytes:
        """Return AMF, 2 octets."""
        return self.autn[6:8]

    @property
    def mac_a(self) -> bytes:
        """Return MAC-A, 8 octets: proves the network to the card."""
        return self.autn[8:]


def generate_vector(m: AkaFunctions, rand: bytes, sqn: bytes, amf: bytes = b"\0\0") -> AuthenticationVector:
    """Return the vector for ``rand`` (16 octets), ``sqn`` (6) and ``amf`` (2), as an AuC does (6.3.2)."""
    mac_a, xres, ck, ik, ak = m.f1_to_f5(rand, sqn, amf)
    hidden = (int.from_bytes(sqn) ^ int.from_bytes(ak)).to_bytes(6)  # f1 has seen that SQN has 6 octets
    return AuthenticationVector(rand, hidden + amf + mac_a[:_MAC], xres, ck, ik)


def open_autn(m: AkaFunctions, rand: bytes, autn: bytes) -> bytes:
    """Return SQN, 6 octets, in ``autn`` (16 octets); raise MacFailure unless MAC-A is right (6.3.3).

    XMAC is computed with the AMF that stands in AUTN, never with a configured one.
    """
    autn = exactly("autn", autn, 16)
    sqn, amf = xor(autn[:6], m.f5(rand)), autn[6:8]
    if not hmac.compare_digest(m.f1(rand, sqn, amf)[:_MAC], autn[8:]):
        raise MacFailure("MAC-A in AUTN is wrong: the network has not proved that it knows K")
    return sqn


def generate_auts(m: AkaFunctions, rand: bytes, sqn_ms: bytes) -> bytes:
    """Return AUTS, 14 octets, for ``rand`` of the challenge that failed and SQN_MS, 6 octets (6.3.3)."""
    return xor(exactly("sqn_ms", sqn_ms, 6), m.f5_star(rand)) + m.f1_star(rand, sqn_ms, _AMF_STAR)[:_MAC]


def open_auts(m: AkaFunctions, rand: bytes, auts: bytes) -> bytes:
    """Return SQN_MS, 6 octets, in ``auts`` (14 octets); raise MacFailure unless MAC-S is right (6.3.5)."""
    auts = exactly("auts", auts, 14)
    sqn_ms = xor(auts[:6], m.f5_star(rand))
    if not hmac.compare_digest(m.f1_star(rand, sqn_ms, _AMF_STAR)[:_MAC], auts[6:]):
        raise MacFailure("MAC-S in AUTS is wrong: the card has not proved that it knows K")
    return sqn_ms
