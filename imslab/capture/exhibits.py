"""What each frame of a capture shows of AKA, as the doctor takes it: challenges, answers, vectors, proofs.

Spec: RFC 3310, 3 (nonce, response, auts, rspauth); 3GPP TS 31.102, 7.1.2 (AUTHENTICATE); TS 29.229, 6.3
(Cx); TS 24.229, 7.2A.1 (ck and ik). What a message leaves out is taken from the message that it answers.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from imslab.aka.digest import aka_version, parse_nonce
from imslab.capture import apdu
from imslab.capture.sip import SipEvent, view
from imslab.capture.timeline import is_aka_name
from imslab.capture.views import APDU, CX, SIP
from imslab.errors import Malformed
from imslab.ims.cx import MultimediaAuthAnswer, MultimediaAuthRequest
from imslab.octets import unhex
from imslab.sip import Challenge as Offer
from imslab.sip import Credentials
from imslab.uicc import authenticate_parts

if TYPE_CHECKING:
    from imslab.capture import Capture
    from imslab.capture.apdu import ApduEvent
    from imslab.capture.cx import CxEvent

_MOST_OTHERS = 20  # other nonces of one dialog, and other RANDs, that are worth a try
_AUTS = ("SQN_MS xor AK*", "MAC-S")  # its parts in the answer of a card
MAC_REFUSED = 0x9862  # TS 31.102, 7.3.1

_Place = tuple[str, int]  # Call-ID and CSeq number


@dataclass(frozen=True, slots=True)
class Exhibit:
    """What one message shows of one challenge.

    ``frame``   from 1; ``frames``: all that belong to it (a command of a card and its response)
    ``kind``    "SIP", "APDU" or "Cx";  ``what``: in words
    ``impi``    whose it is, "" when the capture does not say
    ``values``  fields of `imslab.aka.doctor.Evidence`
    ``sw``      status word of a card
    """

    frame: int
    frames: tuple[int, ...]
    kind: str
    what: str
    impi: str
    values: dict[str, Any] = field(repr=False)
    sw: int | None = None

    @property
    def challenge(self) -> tuple[bytes, bytes]:
        """RAND and AUTN, 16 octets each; Malformed when the nonce holds none."""
        if "rand" in self.values:
            return self.values["rand"], self.values["autn"]
        rand, autn, _ = parse_nonce(self.values["nonce"])
        return rand, autn


def exhibits(capture: "Capture") -> list[Exhibit]:
    """Return what a capture shows of AKA, in the order of its frames."""
    sip, cards = list(_Dialogs(capture.sip).exhibits()), list(_of_cards(capture.apdu_events))
    found = [*sip, *cards]
    found += _of_cx(capture.cx_events, _autns(found))
    owners = _owners(found)
    named = (one if one.impi else _owned(one, owners) for one in found)
    return sorted(named, key=lambda one: one.frame)


# ---- SIP


class _Dialogs:
    """The SIP messages with AKA in them, each beside the one that it answers."""

    def __init__(self, events: Iterable[SipEvent]) -> None:
        self._events = list(events)
        self._offers: dict[str, dict[str, Offer]] = {}  # Call-ID -> nonce -> offer
        self._answers: dict[_Place, tuple[SipEvent, Credentials]] = {}
        self._rands: dict[bytes, None] = {}
        self._first: dict[tuple[str, str, str], tuple[_Place, SipEvent, Credentials]] = {}

    def exhibits(self) -> Iterator[Exhibit]:
        for event in self._events:
            place = _place(event)
            if event.message.is_request:
                yield from self._answered(event, place)
            else:
                yield from self._challenged(event, place)
                yield from self._proved(event, place)

    def _challenged(self, event: SipEvent, place: _Place) -> Iterator[Exhibit]:
        offered = [
            one for one in view(event.message, "www_authenticate") or () if one.is_digest and one.nonce
        ]
        offered = [one for one in offered if is_aka_name(one.algorithm)]
        for offer in reversed(offered):
            self._offers.setdefault(place[0], {})[offer.nonce] = offer
            self._rands |= _rand(offer.nonce)
        if offered:
            values = {"nonce": offered[0].nonce, "realm": offered[0].realm} | _keys(offered)
            carried = ", with ck and ik" if "ck" in values else ""
            what = f"{event.message.status} {event.message.reason}: the challenge{carried}"
            yield Exhibit(event.frame, (event.frame,), SIP, what, "", values)

    def _answered(self, event: SipEvent, place: _Place) -> Iterator[Exhibit]:
        for given in view(event.message, "authorization") or ():
            said, answered = f"answer{', with auts' if given.auts else ''}", event
            mine = place[0], given.nonce, given.response
            first, request, earlier = self._first.get(mine, (place, event, given))
            if first != place:  # the next registration begins with the last answer (TS 24.229, 5.1.1.4.1)
                said, answered, given = f"answer of frame {request.frame}, repeated", request, earlier
            offer = self._offers.get(place[0], {}).get(given.nonce)
            algorithm = given.algorithm or (offer.algorithm if offer else None)
            if not given.is_digest or not given.nonce or not (offer or is_aka_name(algorithm)):
                continue
            self._first.setdefault(mine, (place, event, given))
            self._answers[place] = answered, given
            values = _answer(given, algorithm, answered) | self._others(place[0], given)
            what = f"{event.message.method}: the {said}"
            yield Exhibit(event.frame, (event.frame,), SIP, what, given.username, values)

    def _proved(self, event: SipEvent, place: _Place) -> Iterator[Exhibit]:
        info = view(event.message, "authentication_info")
        if info is None or info.rspauth is None or place not in self._answers:
            return
        request, given = self._answers[place]
        values = _answer(given, given.algorithm, request) | {"method": "", "response": info.rspauth}
        values |= {"auts": None, "body": event.message.body}
        values |= {name: info.params[name] for name in ("qop", "nc", "cnonce") if name in info.params}
        what = f"{event.message.status} {event.message.reason}: rspauth, the proof of the network"
        yield Exhibit(event.frame, (event.frame,), SIP, what, given.username, values)

    def _others(self, call_id: str, given: Credentials) -> dict[str, Any]:
        """Return what else this dialog would have had to hash."""
        offers = self._offers.get(call_id, {})
        nonces = [nonce for nonce in offers if nonce != given.nonce][-_MOST_OTHERS:]
        realms = dict.fromkeys(one.realm for one in offers.values() if one.realm != given.realm)
        mine = _rand(given.nonce)
        rands = [rand for rand in self._rands if rand not in mine][-_MOST_OTHERS:]
        return {"nonces": tuple(nonces), "realms": tuple(realms)[-_MOST_OTHERS:], "rands": tuple(rands)}


def _answer(given: Credentials, algorithm: str | None, event: SipEvent) -> dict[str, Any]:
    """Return what an answer says of itself, as it stands in the message."""
    said = {name: given.params.get(name) for name in ("qop", "nc", "cnonce")}
    return said | {
        "nonce": given.nonce,
        "response": given.response,
        "digest_algorithm": algorithm or "MD5",
        "method": event.message.method,
        "uri": given.uri,
        "username": given.username,
        "realm": given.realm,
        "body": event.message.body,
        "auts": given.auts or None,
        "uris": (str(event.message.uri),),
    }


def _keys(offered: Iterable[Offer]) -> dict[str, Any]:
    """Return ck and ik of the first offer that has them; with AKAv2 they are derived keys."""
    for offer in offered:
        try:
            ck, ik = unhex("ck", offer.ck or ""), unhex("ik", offer.ik or "")
        except Malformed:
            continue
        if ck and ik:
            version = aka_version(offer.algorithm)
            return {"ck": ck, "ik": ik, "derived": version == 2, "digest_algorithm": offer.algorithm}
    return {}


def _place(event: SipEvent) -> _Place:
    cseq = view(event.message, "cseq")
    return view(event.message, "call_id") or "", cseq.number if cseq else -1


def _rand(nonce: str) -> dict[bytes, None]:
    try:
        return {parse_nonce(nonce)[0]: None}
    except Malformed:
        return {}


# ---- the card and the HSS


def _of_cards(events: "Iterable[ApduEvent]") -> Iterator[Exhibit]:
    for pair in apdu.pairs(events):
        asked, answered = (
            map(dict, authenticate_parts(pair.command, pair.response)) if pair.parts else ({}, {})
        )
        if "MAC" not in asked:
            continue
        values: dict[str, Any] = {"rand": asked["RAND"]}
        values["autn"] = asked["SQN xor AK"] + asked["AMF"] + asked["MAC"]
        values |= {name.lower(): answered[name] for name in ("RES", "CK", "IK") if answered.get(name)}
        if auts := b"".join(answered.get(name, b"") for name in _AUTS):
            values["auts"] = auts
        first, last = pair.events[0], pair.events[-1]
        frames = tuple(event.frame for event in pair.events)
        what = f"{first.label}: {last.answer}"
        yield Exhibit(last.frame, frames, APDU, what, "", values, last.sw)


def _of_cx(events: "Iterable[CxEvent]", autns: dict[bytes, bytes]) -> Iterator[Exhibit]:
    events = list(events)
    owners = {event.message.end_to_end: event.message.impi for event in events if event.message.impi}
    for event in events:
        value, values = event.message.value, {}
        if isinstance(value, MultimediaAuthAnswer) and value.vector is not None:
            vector = value.vector
            autns.setdefault(vector.rand, vector.autn)
            values = {"rand": vector.rand, "autn": vector.autn, "res": vector.xres}
            values |= {"ck": vector.ck, "ik": vector.ik}
            what = "the vector of the HSS"
        elif isinstance(value, MultimediaAuthRequest) and value.authorization[:16] in autns:
            rand, auts = value.authorization[:16], value.authorization[16:]
            values = {"rand": rand, "autn": autns[rand], "auts": auts}
            what = "AUTS for the HSS"
        if values:
            impi = event.message.impi or owners.get(event.message.end_to_end, "")
            words = f"{event.message.name}: {what}"
            yield Exhibit(event.frame, (event.frame,), CX, words, impi, values)


def _autns(found: Iterable[Exhibit]) -> dict[bytes, bytes]:
    """Return the AUTN that was seen with each RAND; a MAR repeats RAND alone."""
    return dict(challenge for one in found if (challenge := _challenge(one)))


def _challenge(exhibit: Exhibit) -> tuple[bytes, bytes] | None:
    try:
        return exhibit.challenge
    except Malformed:
        return None


def _owners(found: Iterable[Exhibit]) -> dict[tuple[bytes, bytes] | None, str]:
    return {_challenge(one): one.impi for one in found if one.impi and _challenge(one)}


def _owned(exhibit: Exhibit, owners: dict[tuple[bytes, bytes] | None, str]) -> Exhibit:
    return replace(exhibit, impi=owners.get(_challenge(exhibit), ""))
