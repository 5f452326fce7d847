"""Calls: the messages of one Call-ID that began with INVITE, over all hops, and what became of them.

Spec: RFC 3261, sections 12 to 15 and 17; RFC 6076, 4.3 and 4.5, for the times. A proxy hands a Call-ID on,
so one call seen on several hops is one; a back-to-back user agent makes another Call-ID, and so another call.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from imslab.capture.sip import SipEvent, view

CALLING, RINGING, ANSWERED, ENDED = "calling", "ringing", "answered", "ended"
CANCELLED, REDIRECTED, FAILED = "cancelled", "redirected", "failed"
_CHALLENGES = (401, 407)
_TERMINATED = 487  # Request Terminated: what a cancelled INVITE gets
_RINGS = range(180, 184)


@dataclass(frozen=True, slots=True)
class Dialling:
    """One call as data: `Call` makes it a thing that draws itself.

    Times are epoch seconds, None when not seen.

    ``state``     "calling", "ringing", "answered" (no end seen), "ended", "cancelled", "redirected", "failed"
    ``status``    the final status of the INVITE, None when none was seen
    ``began``     the first INVITE;  ``rang``: the first 180 to 183;  ``answered``: the first 2xx to it
    ``ended``     the first BYE, or what refused or cancelled the INVITE
    """

    call_id: str
    caller: str
    callee: str
    events: tuple[SipEvent, ...]
    state: str
    status: int | None
    began: float
    rang: float | None = None
    answered: float | None = None
    ended: float | None = None

    @property
    def setup(self) -> float | None:
        """Seconds from the first INVITE to the answer; None when there was none."""
        return None if self.answered is None else self.answered - self.began

    @property
    def request_delay(self) -> float | None:
        """Seconds from the first INVITE to ringing (or progress): RFC 6076, 4.3; None when it never rang."""
        return None if self.rang is None else self.rang - self.began

    @property
    def ringing(self) -> float | None:
        """Seconds from ringing to the answer, or to the end of the attempt; None when one is not known."""
        end = self.ended if self.answered is None else self.answered
        return None if self.rang is None or end is None else max(end - self.rang, 0.0)

    @property
    def duration(self) -> float | None:
        """Seconds from the answer to BYE (RFC 6076, 4.5); None when one of them was not seen."""
        if self.answered is None or self.ended is None:
            return None
        return max(self.ended - self.answered, 0.0)

    @property
    def frames(self) -> tuple[int, ...]:
        """The frames of its messages."""
        return tuple(dict.fromkeys(event.frame for event in self.events))


def gather(events: Iterable[SipEvent]) -> list[Dialling]:
    """Return the calls among ``events``, in the order of their first messages."""
    by_call_id: dict[str, list[SipEvent]] = {}
    for event in events:
        if call_id := view(event.message, "call_id"):
            by_call_id.setdefault(call_id, []).append(event)
    return [_call(call_id, mine) for call_id, mine in by_call_id.items() if any(map(_invites, mine))]


def answers_to(event: SipEvent, method: str) -> bool:
    """Tell whether a message is a response to a request of ``method``."""
    cseq = view(event.message, "cseq")
    return not event.message.is_request and cseq is not None and cseq.method.upper() == method


def identity(event: SipEvent, name: str) -> str:
    """Return the URI that the view ``name`` of a message (from_, to) has, or "" when it cannot be read."""
    address = view(event.message, name)
    return str(address.uri) if address is not None else ""


def _invites(event: SipEvent) -> bool:
    return event.message.is_request and event.message.method == "INVITE"


def _call(call_id: str, events: Sequence[SipEvent]) -> Dialling:
    invites = [event for event in events if _invites(event)]
    first = next((event for event in invites if not _tag(event, "to")), invites[0])
    numbers = {
        cseq.number for event in invites if not _tag(event, "to") and (cseq := view(event.message, "cseq"))
    }
    responses = [
        event
        for event in events
        if answers_to(event, "INVITE") and (not numbers or view(event.message, "cseq").number in numbers)
    ]
    final = _final(first, responses)
    answered = final if final is not None and final.message.status < 300 else None
    rang = _seen_by(first, [event for event in responses if event.message.status in _RINGS])
    bye = next(
        (event for event in events if event.message.is_request and event.message.method == "BYE"), None
    )
    cancel = any(event.message.is_request and event.message.method == "CANCEL" for event in events)
    end = bye if answered is not None or final is None else final
    return Dialling(
        call_id,
        identity(first, "from_"),
        identity(first, "to"),
        tuple(events),
        _state(final, rang, bye, cancel),
        None if final is None else final.message.status,
        first.at,
        None if rang is None else rang.at,
        None if answered is None else answered.at,
        None if end is None else end.at,
    )


def _final(first: SipEvent, responses: Sequence[SipEvent]) -> SipEvent | None:
    """Return what decided the call: the first 2xx, else the last refusal, a challenge only when alone."""
    finals = [event for event in responses if event.message.status >= 200]
    agreed = [event for event in finals if event.message.status < 300]
    if agreed:
        return _seen_by(first, agreed)
    refused = [event for event in finals if event.message.status not in _CHALLENGES] or finals
    last = refused[-1].message.status if refused else 0
    return _seen_by(first, [event for event in refused if event.message.status == last])


def _seen_by(first: SipEvent, events: Sequence[SipEvent]) -> SipEvent | None:
    """Return the first of ``events`` that reached whoever sent ``first``, else the first of all."""
    mine = (event for event in events if event.destination == first.source)
    return next(mine, events[0] if events else None)


def _state(final: SipEvent | None, rang: SipEvent | None, bye: SipEvent | None, cancel: bool) -> str:
    status = None if final is None else final.message.status
    if status is None:
        return CANCELLED if cancel else ENDED if bye else CALLING if rang is None else RINGING
    if status < 300:
        return ENDED if bye else ANSWERED
    if status == _TERMINATED or cancel:
        return CANCELLED
    return REDIRECTED if status < 400 else FAILED


def _tag(event: SipEvent, name: str) -> str:
    address = view(event.message, name)
    return (address.tag or "") if address is not None else ""
