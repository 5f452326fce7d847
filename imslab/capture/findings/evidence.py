"""What the rules look at: a capture, and who in it is a terminal.

Spec: RFC 3261, 18.2.1 (the first Via is that of who made the request) and 10.2 (who registers himself).
"""

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

from imslab.capture.reassemble import Endpoint
from imslab.capture.sip import SipEvent, view

_CHALLENGES = (401, 407)

if TYPE_CHECKING:
    from imslab.capture.capture import Capture
    from imslab.capture.registration import Registration


class Evidence:
    """A capture, with what several rules ask of it."""

    def __init__(self, capture: "Capture") -> None:
        self.capture = capture

    @cached_property
    def registers(self) -> list[SipEvent]:
        """The REGISTERs that somebody sent for himself, on their first hop."""
        found, arrived = [], set[object]()
        for event in filter(_registers_himself, self.capture.sip):
            which = view(event.message, "call_id"), str(view(event.message, "cseq"))
            if (*which, event.source[0]) not in arrived:  # else it is passed on, by who adds no Via
                found.append(event)
            arrived.add((*which, event.destination[0]))
        return found

    @property
    def logins(self) -> "list[Registration]":
        """The registrations of terminals; not those that an S-CSCF makes with an application server."""
        return [login for login in self.capture.logins if not any(map(_is_third_party, login.messages))]

    def is_terminal(self, end: Endpoint) -> bool:
        """Tell whether a terminal has this socket: one that registers, and to which nobody registers."""
        return end in self._sockets or end[0] in self._hosts

    def from_terminals(self, events: "Iterable[SipEvent] | None" = None) -> list[SipEvent]:
        """Return the requests that terminals sent."""
        among = self.capture.sip if events is None else events
        return [event for event in among if event.message.is_request and self.is_terminal(event.source)]

    def to_terminals(self, events: "Iterable[SipEvent] | None" = None) -> list[SipEvent]:
        """Return the responses that terminals received."""
        among = self.capture.sip if events is None else events
        return [
            event for event in among if not event.message.is_request and self.is_terminal(event.destination)
        ]

    @cached_property
    def authenticates(self) -> bool:
        """Whether anybody registers, or is asked for a proof."""
        messages = [event.message for event in self.capture.sip]
        return any(
            one.method == "REGISTER" if one.is_request else one.status in _CHALLENGES for one in messages
        )

    @cached_property
    def repeats(self) -> bool:
        """Whether any message comes twice: sent again, or seen on several taps."""
        seen = {(event.source, event.destination, bytes(event.message)) for event in self.capture.sip}
        return len(seen) < len(self.capture.sip)

    @cached_property
    def sealed(self) -> frozenset[int]:
        """The frames whose SIP came out of encryption: nobody on the way could read it."""
        flows = (flow for flow in self.capture.esp if flow.encryption not in ("", "null"))
        return frozenset(frame for flow in flows for frame in flow.frames)

    @cached_property
    def _sockets(self) -> frozenset[Endpoint]:
        return frozenset(event.source for event in self.registers)

    @cached_property
    def _hosts(self) -> frozenset[str]:
        network = {event.destination[0] for event in self.registers}
        return frozenset(host for host, _ in self._sockets) - network


def _registers_himself(event: SipEvent) -> bool:
    message = event.message
    if not message.is_request or message.method != "REGISTER" or _is_third_party(event):
        return False
    return len(view(message, "vias") or ()) == 1


def _is_third_party(event: SipEvent) -> bool:
    """Tell whether a message belongs to a REGISTER for somebody else (TS 24.229, 5.4.1.7)."""
    ends = [view(event.message, name) for name in ("from_", "to")]
    return None not in ends and ends[0].uri != ends[1].uri
