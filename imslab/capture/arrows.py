"""What a ladder shows of each event: one arrow for a message, two for an exchange with a card.

Labels are short, and name values without showing keys: "DB: RES CK IK", never what they are.
"""

from collections.abc import Container, Iterable

from imslab.aka.digest import is_aka, parse_nonce
from imslab.capture.apdu import ApduEvent, Pair, pairs
from imslab.capture.cx import CxEvent
from imslab.capture.http import HttpEvent
from imslab.capture.reassemble import Endpoint
from imslab.capture.sip import SipEvent, view
from imslab.capture.views import APDU, CX, HTTP, SIP, Arrow
from imslab.errors import Malformed
from imslab.ims.cx import MultimediaAuthAnswer, MultimediaAuthRequest
from imslab.ims.http import Request
from imslab.sip import Challenge, Credentials, Message

_SHOWN = 8  # hex digits of a RAND or a response


def arrows(
    sip: Iterable[SipEvent],
    apdus: Iterable[ApduEvent],
    cx: Iterable[CxEvent],
    shared: frozenset[str] = frozenset(),
    http: Iterable[HttpEvent] = (),
    protected: Container[int] = frozenset(),
) -> list[Arrow]:
    """Return the arrows of these events in the order of time.

    ``shared`` are addresses that several nodes have: there a node is an address with its port.
    ``protected`` are the frames that ESP protects.
    """
    found = [_sip_arrow(event, shared, event.frame in protected) for event in sip]
    found += [arrow for pair in pairs(apdus) for arrow in _apdu_arrows(pair)]
    found += [_cx_arrow(event, shared) for event in cx]
    found += [_http_arrow(event, shared) for event in http]
    return sorted(found, key=lambda arrow: arrow.at)


def shared_addresses(events: Iterable[SipEvent | CxEvent | HttpEvent]) -> frozenset[str]:
    """Return the addresses from which something was sent to the same address."""
    return frozenset(event.source[0] for event in events if event.source[0] == event.destination[0])


def node(end: Endpoint, shared: frozenset[str]) -> str:
    """Return the name of the column for one end of a message."""
    host, port = end
    return f"{host}:{port}" if host in shared else host


def _sip_arrow(event: SipEvent, shared: frozenset[str], protected: bool) -> Arrow:
    message = event.message
    label = message.method if message.is_request else _answer_label(message)
    label = f"{label} · ESP" if protected else label
    ends = node(event.source, shared), node(event.destination, shared)
    return Arrow(event.at, *ends, label, SIP, event.problem or _detail(message), event.frame)


def _answer_label(message: Message) -> str:
    label = f"{message.status} {message.reason}".rstrip()
    offers = view(message, "www_authenticate") or ()
    algorithms = dict.fromkeys(offer.algorithm for offer in offers if offer.algorithm)
    return " · ".join([label, *algorithms])


def _detail(message: Message) -> str:
    """Return the small print: what an engineer looks for first."""
    if message.is_request:
        given = next(iter(view(message, "authorization") or ()), None)
        if given is None:
            return ""
        words = [given.algorithm] if given.algorithm and given.nonce else []
        words += [f"auts {given.auts[:_SHOWN]}…"] if given.auts else []
        words += [f"response {given.response[:_SHOWN]}…"] if given.response and not given.auts else []
        return ", ".join(words)
    offer = next(iter(view(message, "www_authenticate") or ()), None)
    if offer is not None:
        return ", ".join([*_nonce_words(offer.algorithm, offer.nonce), *_leak(offer.ck or offer.ik)])
    info = view(message, "authentication_info")
    return f"rspauth {info.rspauth[:_SHOWN]}…" if info is not None and info.rspauth else ""


def _nonce_words(algorithm: str | None, nonce: str) -> list[str]:
    try:
        rand, autn, _ = parse_nonce(nonce) if is_aka(algorithm) else (b"", b"", b"")
    except Malformed:
        return ["nonce that cannot be read"]
    return [f"RAND {rand.hex()[:_SHOWN]}…", f"AUTN {autn.hex()[:_SHOWN]}…"] if rand else []


def _leak(keys: str | None) -> list[str]:
    return ["ck, ik"] if keys else []


def _apdu_arrows(pair: Pair) -> list[Arrow]:
    first, last = pair.events[0], pair.events[-1]
    if not first.command:
        return [Arrow(first.at, first.card, first.terminal, first.answer, APDU, "", first.frame)]
    began = first.at - (first.seconds or 0.0)
    rand = pair.parts.get("RAND", b"").hex()
    detail = f"RAND {rand[:_SHOWN]}…" if rand else ""
    return [
        Arrow(began, first.terminal, first.card, first.label, APDU, detail, first.frame),
        Arrow(last.at, last.card, last.terminal, last.answer, APDU, "", last.frame, pair.seconds),
    ]


def _cx_arrow(event: CxEvent, shared: frozenset[str]) -> Arrow:
    message = event.message
    label = message.name if message.result is None else f"{message.name} {message.result}"
    ends = node(event.source, shared), node(event.destination, shared)
    return Arrow(event.at, *ends, label, CX, _cx_detail(event), event.frame)


def _cx_detail(event: CxEvent) -> str:
    value = event.message.value
    if isinstance(value, MultimediaAuthRequest) and value.authorization:
        return "RAND, AUTS"
    if isinstance(value, MultimediaAuthAnswer) and value.vector is not None:
        return f"RAND {value.vector.rand.hex()[:_SHOWN]}…, AUTN, XRES, CK, IK"
    return ""


def _http_arrow(event: HttpEvent, shared: frozenset[str]) -> Arrow:
    message = event.message
    label, detail = (
        (f"{message.method} {message.target}", _credentials_words(message.get("Authorization")))
        if isinstance(message, Request)
        else _http_answer(message.start_line.partition(" ")[2], message.get("WWW-Authenticate"))
    )
    ends = node(event.source, shared), node(event.destination, shared)
    return Arrow(event.at, *ends, label, HTTP, detail, event.frame)


def _credentials_words(text: str | None) -> str:
    """Return who a request says it is from, and that it brings an answer."""
    try:
        given = Credentials.parse(text) if text else None
    except Malformed:
        return "credentials that cannot be read"
    if given is None:
        return ""
    words = [f"{given.username[:_SHOWN]}…"] if given.username else []
    words += [f"auts {given.auts[:_SHOWN]}…"] if given.auts else []
    words += [f"response {given.response[:_SHOWN]}…"] if given.response and not given.auts else []
    return ", ".join(words)


def _http_answer(words: str, offered: str | None) -> tuple[str, str]:
    """Return label and small print of an answer; a challenge names its algorithm, then RAND or the realm."""
    try:
        offer = Challenge.parse(offered) if offered else None
        if offer is None or not offer.algorithm:
            return words, ""
        told = _nonce_words(offer.algorithm, offer.nonce) if is_aka(offer.algorithm) else [offer.realm]
        return f"{words} · {offer.algorithm}", ", ".join(told)
    except Malformed:
        return words, "a challenge that cannot be read"
