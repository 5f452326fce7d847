"""Transactions: a request on one hop with what answered it, how soon, and how often it was repeated.

Spec: RFC 3261, 17.1.3 and 17.2.3 (matching by branch and method), 17.1.1.2 (retransmission), 8.1.1.7 (the
magic cookie of branches). An ACK to a refusal belongs to its INVITE; an ACK to 2xx stands for itself.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from imslab.capture.reassemble import Endpoint
from imslab.capture.sip import SipEvent, view

# A capture from several interfaces shows a datagram several times within moments. What comes again later than
# this was sent again: timers A, E and G begin at T1, half a second, and nobody sets T1 this low.
_TAPPED_AGAIN = 0.05  # seconds


@dataclass(frozen=True, slots=True)
class Transaction:
    """One transaction on one hop. Times are seconds from the request, None when not seen.

    ``retransmissions``  how often the request and its responses were sent again
    ``first_response``   until any response;  ``final_response``: until the final one, and its ``status``
    """

    method: str
    call_id: str
    cseq: int | None
    source: Endpoint
    destination: Endpoint
    frame: int
    at: float
    retransmissions: int
    first_response: float | None
    final_response: float | None
    status: int | None


@dataclass(slots=True)
class _Open:
    """A transaction that is being gathered."""

    request: SipEvent
    answers: list[SipEvent] = field(default_factory=list)
    last: dict[bytes, float] = field(default_factory=dict)
    again: int = 0

    def take(self, event: SipEvent) -> None:
        octets = bytes(event.message)
        before = self.last.get(octets)
        if before is not None and event.at - before > _TAPPED_AGAIN:
            self.again += 1
        elif before is None and not event.message.is_request:
            self.answers.append(event)
        self.last[octets] = event.at


def gather(events: Iterable[SipEvent]) -> list[Transaction]:
    """Return the transactions among ``events``, in the order of their requests.

    A response whose request was not captured begins none.
    """
    found: dict[tuple[object, ...], _Open] = {}
    for event in events:
        place = _place(event)
        if place is None:
            continue
        if event.message.is_request and place not in found:
            found[place] = _Open(event)
        if place in found:
            found[place].take(event)
    return [_transaction(one) for one in found.values()]


def _place(event: SipEvent) -> tuple[object, ...] | None:
    """Return what all messages of a transaction share: hop, branch, Call-ID, number and method."""
    message = event.message
    vias, cseq = view(message, "vias"), view(message, "cseq")
    if not vias or cseq is None:
        return None
    ends = event.source, event.destination
    hop = ends if message.is_request else ends[::-1]
    if event.transport == "udp":  # a response may come back from another port (RFC 3261, 18.2.2)
        hop = (hop[0][0], 0), (hop[1][0], 0)
    method = message.method if message.is_request else cseq.method
    branch = vias[0].params.get("branch") or ""
    return *hop, branch, view(message, "call_id"), cseq.number, method


def _transaction(one: _Open) -> Transaction:
    request, message = one.request, one.request.message
    final = next((event for event in one.answers if event.message.status >= 200), None)
    cseq = view(message, "cseq")
    return Transaction(
        message.method,
        view(message, "call_id") or "",
        cseq.number if cseq else None,
        request.source,
        request.destination,
        request.frame,
        request.at,
        one.again,
        one.answers[0].at - request.at if one.answers else None,
        None if final is None else final.at - request.at,
        None if final is None else final.message.status,
    )
