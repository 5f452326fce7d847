"""What a capture tells of AKA challenges by itself: the HSS's vectors, the card's answers.

Spec: 3GPP TS 29.229, 6.3.13 (SIP-Auth-Data-Item: RAND, AUTN, XRES, CK, IK); TS 31.102, 7.1.2 (AUTHENTICATE).
The keys of a registration travel from the HSS to the S-CSCF, and from the card to the terminal: whoever taps
there has them.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from imslab.capture.file import CaptureFile
from imslab.capture.index import Index
from imslab.capture.unlock import Opened, Told
from imslab.uicc.narrator import authenticate_parts

if TYPE_CHECKING:
    from imslab.capture.apdu import Pair
    from imslab.capture.cx import CxEvent

Challenge = tuple[bytes, bytes]  # RAND, AUTN


def read(file: CaptureFile, index: Index) -> Told:
    """Return what answers for a challenge out of a capture; nothing is read before the first question."""
    known: dict[Challenge, Opened] | None = None

    def answer(rand: bytes, autn: bytes) -> Opened | None:
        nonlocal known
        if known is None:
            from imslab.capture import apdu, cx

            known = told(cx.read(file, index, []), apdu.pairs(apdu.read(file, index, [])))
        return known.get((rand, autn))

    return answer


def told(cx: "Iterable[CxEvent]", pairs: "Iterable[Pair]") -> dict[Challenge, Opened]:
    """Return what Cx messages and a card's answers tell, by RAND and AUTN of 16 octets each.

    The card counts more than the HSS: what it answered is what the terminal used.
    """
    return _of_hss(cx) | _of_cards(pairs)


def _of_hss(events: "Iterable[CxEvent]") -> dict[Challenge, Opened]:
    from imslab.ims.cx import MultimediaAuthAnswer

    answers = (event.message.value for event in events)
    vectors = [one.vector for one in answers if isinstance(one, MultimediaAuthAnswer) and one.vector]
    return {(v.rand, v.autn): Opened(b"", v.xres, v.ck, v.ik, source="Cx") for v in vectors}


def _of_cards(pairs: "Iterable[Pair]") -> dict[Challenge, Opened]:
    found = {}
    for pair in pairs:
        if not pair.parts:
            continue
        asked, answered = map(dict, authenticate_parts(pair.command, pair.response))
        if "MAC" in asked and {"RES", "CK", "IK"} <= set(answered):
            autn = asked["SQN xor AK"] + asked["AMF"] + asked["MAC"]
            keys = (answered["RES"], answered["CK"], answered["IK"])
            found[asked["RAND"], autn] = Opened(b"", *keys, source="card")
    return found
