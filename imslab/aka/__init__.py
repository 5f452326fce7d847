"""Authentication and key agreement: from K and RAND to a digest response.

Spec: 3GPP TS 33.102 (AKA, sequence numbers), TS 35.206 (Milenage), TS 35.231 (TUAK), TS 34.108
(XOR test algorithm), RFC 3310 and RFC 4169 (HTTP Digest AKA). Every value is ``bytes``, every length octets.

Teaching code: it is not constant time.
"""

from imslab.aka.algorithm import functions_for
from imslab.aka.functions import AkaFunctions
from imslab.aka.gsm import c2, c3
from imslab.aka.milenage import Milenage
from imslab.aka.sqn import (
    CounterGenerator,
    Freshness,
    NotFresh,
    PartlyTimeGenerator,
    SqnArray,
    SqnGenerator,
    TimeGenerator,
)
from imslab.aka.tuak import Tuak
from imslab.aka.usim import Answer, authenticate
from imslab.aka.vector import AuthenticationVector, generate_auts, generate_vector, open_autn, open_auts
from imslab.aka.xor3g import Xor3g

__all__ = [
    "AkaFunctions",
    "Answer",
    "AuthenticationVector",
    "CounterGenerator",
    "Freshness",
    "Milenage",
    "NotFresh",
    "PartlyTimeGenerator",
    "SqnArray",
    "SqnGenerator",
    "TimeGenerator",
    "Tuak",
    "Xor3g",
    "authenticate",
    "c2",
    "c3",
    "functions_for",
    "generate_auts",
    "generate_vector",
    "open_autn",
    "open_auts",
]
