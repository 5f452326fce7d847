"""Where each number of an authentication was seen: in Diameter, in SIP, in the card, with equal octets told.

Spec: 3GPP TS 33.102, 6.3 (RAND, AUTN, RES, CK, IK, AUTS); RFC 3310, 3.2 (nonce and auts); TS 29.229, 6.3
(Cx); TS 31.102, 7.1 (AUTHENTICATE). Octets are compared, and those of RES, CK and IK are shown to nobody.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from imslab.aka.digest import is_aka, parse_auts, parse_nonce
from imslab.capture import apdu
from imslab.capture.sip import view
from imslab.capture.views import APDU, CX, SIP
from imslab.errors import Malformed
from imslab.ims.cx import MultimediaAuthAnswer, MultimediaAuthRequest
from imslab.uicc import authenticate_parts

if TYPE_CHECKING:
    from imslab.capture.apdu import ApduEvent
    from imslab.capture.cx import CxEvent
    from imslab.capture.sip import SipEvent

VALUES = ("RAND", "AUTN", "AUTS", "RES", "CK", "IK")
SECRET = frozenset(("RES", "CK", "IK"))
_AUTS = ("SQN_MS xor AK*", "MAC-S")  # its parts in the answer of a card


@dataclass(frozen=True, slots=True)
class Sighting:
    """A message in which numbers of an authentication stand.

    ``values``  name -> octets, of those in ``VALUES`` that it carries
    """

    at: float
    frame: int
    kind: str
    source: str
    destination: str
    label: str
    values: dict[str, bytes] = field(repr=False)


def sightings(
    sip: "Iterable[SipEvent]", apdus: "Iterable[ApduEvent]", cx: "Iterable[CxEvent]"
) -> list[Sighting]:
    """Return the messages that carry such numbers, in the order of time."""
    found = [*_in_sip(sip), *_in_apdus(apdus), *_in_cx(cx)]
    return sorted((one for one in found if one.values), key=lambda one: one.at)


def _in_sip(events: "Iterable[SipEvent]") -> Iterator[Sighting]:
    for event in events:
        message = event.message
        given = view(message, "authorization") or () if message.is_request else ()
        offered = () if message.is_request else view(message, "www_authenticate") or ()
        values: dict[str, bytes] = {}
        for one in (*given, *offered):
            if is_aka_name(one.algorithm) and one.nonce:
                values |= _nonce(one.nonce)
        for one in given:
            values |= _auts(one.auts)
        for one in reversed(offered):  # the first is shown: AKAv2 has derived keys (RFC 4169)
            values |= {**_hex("CK", one.ck), **_hex("IK", one.ik)}
        label = message.method if message.is_request else f"{message.status} {message.reason}".rstrip()
        ends = event.source[0], event.destination[0]
        yield Sighting(event.at, event.frame, SIP, *ends, label, values)


def _in_apdus(events: "Iterable[ApduEvent]") -> Iterator[Sighting]:
    for pair in apdu.pairs(events):
        if not pair.parts:
            continue
        first, last = pair.events[0], pair.events[-1]
        asked, answered = authenticate_parts(pair.command, pair.response)
        command = _gathered(dict(asked))
        yield Sighting(
            first.at - (first.seconds or 0.0),
            first.frame,
            APDU,
            first.terminal,
            first.card,
            first.label,
            command,
        )
        response = {name: octets for name, octets in answered if name in VALUES}
        if auts := b"".join(octets for name, octets in answered if name in _AUTS):
            response["AUTS"] = auts
        yield Sighting(last.at, last.frame, APDU, last.card, last.terminal, last.answer, response)


def _in_cx(events: "Iterable[CxEvent]") -> Iterator[Sighting]:
    for event in events:
        value, values = event.message.value, {}
        if isinstance(value, MultimediaAuthRequest) and value.authorization:
            values = {"RAND": value.authorization[:16], "AUTS": value.authorization[16:]}
        elif isinstance(value, MultimediaAuthAnswer) and value.vector is not None:
            vector = value.vector
            values = {"RAND": vector.rand, "AUTN": vector.autn, "RES": vector.xres}
            values |= {"CK": vector.ck, "IK": vector.ik}
        ends = event.source[0], event.destination[0]
        yield Sighting(event.at, event.frame, CX, *ends, event.message.name, values)


def is_aka_name(algorithm: str | None) -> bool:
    """Tell whether a name is that of an AKA algorithm; one that nobody knows is not."""
    try:
        return is_aka(algorithm)
    except Malformed:
        return False


def _nonce(nonce: str) -> dict[str, bytes]:
    try:
        rand, autn, _ = parse_nonce(nonce)
    except Malformed:
        return {}
    return {"RAND": rand, "AUTN": autn}


def _auts(text: str | None) -> dict[str, bytes]:
    try:
        return {"AUTS": parse_auts(text)} if text else {}
    except Malformed:
        return {}


def _hex(name: str, text: str | None) -> dict[str, bytes]:
    try:
        return {name: bytes.fromhex(text)} if text else {}
    except ValueError:
        return {}


def _gathered(parts: dict[str, Any]) -> dict[str, bytes]:
    """Return RAND and AUTN out of the parts of a command."""
    autn = b"".join(parts.get(name, b"") for name in ("SQN xor AK", "AMF", "MAC"))
    found = {"RAND": parts.get("RAND", b""), "AUTN": autn}
    return {name: octets for name, octets in found.items() if octets}
