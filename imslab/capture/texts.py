"""Text messages: what MESSAGE carried, once for all hops, and whether it was taken.

Spec: RFC 3428 (pager mode: each MESSAGE stands for itself; 200 and 202 say that it was taken).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from imslab.capture.calls import answers_to, identity
from imslab.capture.sip import SipEvent, view

_METHOD = "MESSAGE"


@dataclass(frozen=True, slots=True)
class TextMessage:
    """One text message. ``at``: epoch seconds, of the first hop that was seen; ``frame``: its frame.

    ``text``    what a text/plain body says; of another body, its type and how many octets it has
    ``status``  the final status that reached the sender, None when none was seen
    """

    frame: int
    at: float
    sender: str
    recipient: str
    text: str
    status: int | None


def gather(events: Iterable[SipEvent]) -> list[TextMessage]:
    """Return the text messages among ``events``; one that was challenged and sent again is one."""
    found: dict[str, list[SipEvent]] = {}
    for event in events:
        call_id = view(event.message, "call_id")
        if call_id and (_asks(event) or answers_to(event, _METHOD)):
            found.setdefault(call_id, []).append(event)
    return [text for mine in found.values() if any(map(_asks, mine)) for text in _texts(mine)]


def _asks(event: SipEvent) -> bool:
    return event.message.is_request and event.message.method == _METHOD


def _texts(events: Sequence[SipEvent]) -> list[TextMessage]:
    """Return the texts of one Call-ID: requests with the same body are one."""
    bodies: dict[bytes, list[SipEvent]] = {}
    for event in filter(_asks, events):
        bodies.setdefault(event.message.body, []).append(event)
    return [_text(requests, events) for requests in bodies.values()]


def _text(requests: Sequence[SipEvent], events: Sequence[SipEvent]) -> TextMessage:
    first = requests[0]
    numbers = {view(event.message, "cseq") for event in requests}
    answers = [event for event in events if view(event.message, "cseq") in numbers and not _asks(event)]
    mine = [event for event in answers if event.destination == first.source] or answers
    final = [event.message.status for event in mine if event.message.status >= 200]
    sender, recipient = (identity(first, name) for name in ("from_", "to"))
    return TextMessage(first.frame, first.at, sender, recipient, _said(first), final[-1] if final else None)


def _said(event: SipEvent) -> str:
    kind = (event.message.get("Content-Type") or "").partition(";")[0].strip().lower()
    body = event.message.body
    if kind in ("", "text/plain"):
        return body.decode("utf-8", "replace")
    return f"({kind}, {len(body)} octets)"
