"""Registrations: the REGISTER transactions of one login, with their challenges and answers.

Spec: RFC 3261, section 10; 3GPP TS 24.229, 5.1.1; RFC 3310. A registration begins with a REGISTER
and ends with a final response that is no challenge; the next REGISTER of the same Call-ID begins
another one (a re-registration). The same message seen on several hops belongs to the same one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from imslab.aka.digest import is_aka, parse_auts, parse_nonce
from imslab.capture.sip import SipEvent, view
from imslab.capture.unlock import Keyring, Opened, holds
from imslab.errors import MacFailure, Malformed
from imslab.octets import exactly, unhex
from imslab.sip import STAR, Credentials, Message
from imslab.sip import Challenge as Offer

_CHALLENGES = (401, 407)


@dataclass(frozen=True, slots=True)
class Challenge:
    """What the network asked: one nonce, split where it is AKA's.

    ``frame``        where the nonce was first seen;  ``at``: its time, epoch seconds
    ``algorithm``    of the answer where there is one, else of the first offer
    ``rand, autn``   16 octets each; empty when the algorithm is not AKA
    ``auts``         14 octets, when the answer asked to resynchronise
    ``verified``     True: the MAC and, where seen, the answer are right; False: one is wrong; None: not known
    ``sqn``          6 octets, when a key opened the challenge
    ``opened``       what is known of its answer, with its keys; None: nothing
    ``keys_sent``    the 401 carried ck= and ik= (S-CSCF to P-CSCF; a fault when the UE gets them)
    """

    frame: int
    at: float
    algorithm: str
    offered: tuple[str, ...]
    realm: str
    nonce: str
    rand: bytes = b""
    autn: bytes = b""
    auts: bytes = b""
    answered: bool = False
    verified: bool | None = None
    sqn: bytes = b""
    keys_sent: bool = False
    opened: Opened | None = field(default=None, repr=False)

    @property
    def sqn_xor_ak(self) -> bytes:
        """The first 6 octets of AUTN."""
        return self.autn[:6]

    @property
    def amf(self) -> bytes:
        """Octets 6 and 7 of AUTN."""
        return self.autn[6:8]

    @property
    def mac_a(self) -> bytes:
        """The last 8 octets of AUTN."""
        return self.autn[8:]


@dataclass(frozen=True, slots=True)
class Login:
    """One registration as data: `views` of the capture make it a thing that draws itself.

    ``result``  "registered", "deregistered", "rejected", "challenged" (no answer to the challenge was
    seen) or "unanswered";  ``status``: the last final status code, None when there is none
    """

    events: tuple[SipEvent, ...]
    challenges: tuple[Challenge, ...]
    impi: str
    impu: str
    call_id: str
    result: str
    status: int | None

    @property
    def algorithm(self) -> str:
        """The algorithm of the last answered challenge, else of the last one; "" without any."""
        return self.challenge.algorithm if self.challenge else ""

    @property
    def challenge(self) -> Challenge | None:
        """The last challenge that was answered, else the last one; None without any."""
        answered = [challenge for challenge in self.challenges if challenge.answered]
        return next(reversed(answered or self.challenges), None)

    @property
    def resync(self) -> bool:
        """Whether the card asked to resynchronise (AUTS) on the way."""
        return any(challenge.auts for challenge in self.challenges)


@dataclass(slots=True)
class _Open:
    """A registration that is being gathered."""

    events: list[SipEvent] = field(default_factory=list)
    concluded: bool = False


def gather(events: Iterable[SipEvent], keys: Keyring) -> list[Login]:
    """Return the registrations among ``events``, in the order of their first messages."""
    found: list[_Open] = []
    current: dict[str, _Open] = {}
    by_request: dict[tuple[str, int], _Open] = {}
    for event in events:
        place = _place(event.message)
        if place is None:
            continue
        mine = by_request.get(place)
        if mine is None:
            mine = current.get(place[0])
            if mine is None or (mine.concluded and event.message.is_request):
                mine = current[place[0]] = _Open()
                found.append(mine)
            by_request[place] = mine
        mine.events.append(event)
        mine.concluded |= _concludes(event.message)
    return [_login(mine.events, keys) for mine in found]


def _place(message: Message) -> tuple[str, int] | None:
    """Return (Call-ID, CSeq number) of a message of a REGISTER transaction, else None."""
    cseq, call_id = view(message, "cseq"), view(message, "call_id")
    if cseq is None or cseq.method.upper() != "REGISTER" or not call_id:
        return None
    return call_id, cseq.number


def _concludes(message: Message) -> bool:
    return not message.is_request and message.status >= 200 and message.status not in _CHALLENGES


def _login(events: Sequence[SipEvent], keys: Keyring) -> Login:
    requests = [event for event in events if event.message.is_request]
    first = events[0].message
    impi = next((given.username for _, given in _answers(requests) if given.username), "")
    to = view(first, "to")
    status = next(
        (e.message.status for e in reversed(events) if not e.message.is_request and e.message.status >= 200),
        None,
    )
    return Login(
        tuple(events),
        tuple(_challenges(events, requests, impi, keys)),
        impi,
        str(to.uri) if to else "",
        view(first, "call_id") or "",
        _result(requests, status),
        status,
    )


def _result(requests: Sequence[SipEvent], status: int | None) -> str:
    if status is None:
        return "unanswered"
    if status in _CHALLENGES:
        return "challenged"
    if status >= 300:
        return "rejected"
    return "deregistered" if requests and _leaves(requests[-1].message) else "registered"


def _leaves(request: Message) -> bool:
    """Tell whether a REGISTER takes bindings away (RFC 3261, 10.2.2)."""
    contacts, expires = view(request, "contacts"), view(request, "expires")
    if not contacts:
        return False  # a query
    if STAR in contacts:
        return True
    spans = [view(contact, "expires") for contact in contacts]
    return all((expires if span is None else span) == 0 for span in spans)


def _answers(requests: Iterable[SipEvent]) -> list[tuple[SipEvent, Credentials]]:
    return [
        (event, given)
        for event in requests
        for given in view(event.message, "authorization") or ()
        if given.is_digest
    ]


def _challenges(
    events: Sequence[SipEvent], requests: Sequence[SipEvent], impi: str, keys: Keyring
) -> list[Challenge]:
    """Return the challenges, one for each nonce; one that is offered on several hops is one."""
    offers: dict[str, list[tuple[SipEvent, Offer]]] = {}
    for event in events:
        if not event.message.is_request and event.message.status in _CHALLENGES:
            for offer in view(event.message, "www_authenticate") or ():
                if offer.is_digest:
                    offers.setdefault(offer.nonce, []).append((event, offer))
    answers = _answers(requests)
    return [
        _challenge(seen, [(e.message, given) for e, given in answers if given.nonce == nonce], impi, keys)
        for nonce, seen in offers.items()
    ]


def _challenge(
    seen: Sequence[tuple[SipEvent, Offer]],
    answers: Sequence[tuple[Message, Credentials]],
    impi: str,
    keys: Keyring,
) -> Challenge:
    event, offer = seen[0]
    offered = tuple(dict.fromkeys(offer.algorithm or "MD5" for _, offer in seen))
    algorithm = next((given.algorithm for _, given in answers if given.algorithm), None) or offered[0]
    rand, autn = _split(algorithm, offer.nonce)
    auts = next((_auts(given) for _, given in answers if given.auts), b"")
    opened, mac_wrong = _opened(keys, impi, rand, autn)
    right = [
        holds(opened, algorithm, message.method, given, message.body)
        for message, given in answers
        if opened and opened.judges(given)
    ]
    proved = bool(opened and opened.functions)  # by K; what the capture tells proves an answer and no MAC
    verified = False if mac_wrong else all(right) if right or proved else None
    opened = opened or keys.told(rand, autn) or _in_clear(offer for _, offer in seen)
    return Challenge(
        event.frame,
        event.at,
        algorithm,
        offered,
        offer.realm,
        offer.nonce,
        rand,
        autn,
        auts,
        bool(answers),
        verified,
        opened.sqn if opened else b"",
        any(offer.ck or offer.ik for _, offer in seen),
        opened,
    )


def _in_clear(offers: Iterable[Offer]) -> Opened | None:
    """Return CK and IK where a 401 carries them (TS 24.229, 7.2A.1); they tell nothing of RES."""
    for offer in offers:
        try:
            ck, ik = (exactly("key", unhex("key", text or ""), 16) for text in (offer.ck, offer.ik))
        except Malformed:
            continue
        return Opened(b"", b"", ck, ik, source="401")
    return None


def _opened(keys: Keyring, impi: str, rand: bytes, autn: bytes) -> tuple[Opened | None, bool]:
    """Return what the keys open, and whether there is a key but the MAC is not right under it."""
    if not autn:
        return None, False
    try:
        return keys.open(impi, rand, autn), False
    except MacFailure:
        return None, True


def _split(algorithm: str, nonce: str) -> tuple[bytes, bytes]:
    try:
        return parse_nonce(nonce)[:2] if is_aka(algorithm) else (b"", b"")
    except Malformed:
        return b"", b""


def _auts(given: Credentials) -> bytes:
    try:
        return parse_auts(given.auts or "")
    except Malformed:
        return b""
