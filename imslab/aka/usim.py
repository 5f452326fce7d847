"""The USIM's side of AKA: check the network, then freshness, then answer.

Spec: 3GPP TS 33.102, section 6.3.3. MAC comes first: a challenge that proves nothing gets no AUTS.

Teaching code: it is not constant time, but for the comparison of MACs.
"""

from dataclasses import dataclass, field

from imslab.aka.functions import AkaFunctions
from imslab.aka.sqn import NotFresh, SqnArray
from imslab.aka.vector import generate_auts, open_autn
from imslab.errors import SyncFailure


@dataclass(frozen=True, slots=True)
class Answer:
    """What a card gives for a good challenge.

    ``res``         4 to 32 octets, goes to the network
    ``ck``, ``ik``  16 or 32 octets each, stay with the terminal
    ``kc``          8 octets for GSM, from a USIM with service 27; None otherwise
    """

    res: bytes = field(repr=False)
    ck: bytes = field(repr=False)
    ik: bytes = field(repr=False)
    kc: bytes | None = field(default=None, repr=False)


def authenticate(m: AkaFunctions, array: SqnArray, rand: bytes, autn: bytes) -> tuple[Answer, SqnArray]:
    """Return the answer to ``rand`` and ``autn`` (16 octets each) and the array after it.

    Raises MacFailure when the network did not prove itself, and else SyncFailure, which carries
    AUTS (14 octets), when SQN is not fresh; the array then stays as it is.
    """
    sqn = open_autn(m, rand, autn)
    try:
        accepted = array.accept(sqn)
    except NotFresh as refusal:
        auts = generate_auts(m, rand, refusal.highest)
        raise SyncFailure(str(refusal), auts=auts) from None
    res, ck, ik, _ = m.f2_to_f5(rand)
    return Answer(res, ck, ik), accepted
