"""What each hop did to a message: the headers that it added, removed and changed.

Spec: RFC 3261, 16.6 and 16.7; 3GPP TS 24.229, 5.2 (P-CSCF) and annex A (tables of headers). Two
messages of one capture are the same message on two hops when one arrives at the node that the
other leaves, with the same Call-ID, CSeq and start line but for the Request-URI.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imslab.capture.sip import SipEvent, view
from imslab.sip import Challenge, Credentials, Message
from imslab.sip.names import key

if TYPE_CHECKING:
    import pandas as pd

_AUTHENTICATION = {"authorization": "authorization", "www-authenticate": "www_authenticate"}


@dataclass(frozen=True, slots=True)
class Hop:
    """One message that passed through a node: names of headers, or "header: parameter" of credentials.

    ``frames``  where it arrived and where it left;  ``node``: the address in between
    """

    frames: tuple[int, int]
    node: str
    message: str
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]


def table(events: Sequence[SipEvent], names: Mapping[str, str]) -> "pd.DataFrame":
    """Return what each node did to each message: frame, node, message, added, removed, changed."""
    import pandas as pd

    rows = [
        (
            hop.frames[1],
            names.get(hop.node, hop.node),
            hop.message,
            *(", ".join(which) for which in (hop.added, hop.removed, hop.changed)),
        )
        for hop in hops(events)
    ]
    return pd.DataFrame(rows, columns=["frame", "node", "message", "added", "removed", "changed"])


def hops(events: Sequence[SipEvent]) -> list[Hop]:
    """Return a Hop for each message that was seen on both sides of a node, in the order of leaving."""
    found, left = [], list(events)
    for event in events:
        before = next((one for one in left if _passed_on(one, event)), None)
        if before is not None:
            left.remove(before)
            found.append(_hop(before, event))
    return found


def _passed_on(before: SipEvent, after: SipEvent) -> bool:
    one, other = before.message, after.message
    return (
        before.frame < after.frame
        and before.destination[0] == after.source[0]
        and (before.source[0] != after.destination[0] or _vias(one) != _vias(other))  # there and back again
        and one.is_request is other.is_request
        and one.status == other.status
        and all(view(one, name) == view(other, name) is not None for name in ("cseq", "call_id"))
    )


def _vias(message: Message) -> int:
    return len(view(message, "vias") or ())


def _hop(before: SipEvent, after: SipEvent) -> Hop:
    added, removed, changed = compare(before.message, after.message)
    message = after.message
    label = message.method if message.is_request else f"{message.status} {message.reason}".rstrip()
    return Hop((before.frame, after.frame), after.source[0], label, added, removed, changed)


def compare(before: Message, after: Message) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Return the names of what ``after`` has more, has less, and has with another value."""
    added: list[str] = []
    removed: list[str] = []
    changed: list[str] = []
    for known, name in _names(before, after).items():
        if known in _AUTHENTICATION:
            more, less = _parameters(before, after, _AUTHENTICATION[known])
            added += [f"{name}: {parameter}" for parameter in more]
            removed += [f"{name}: {parameter}" for parameter in less]
            if more or less:
                continue
        gone, new = _values(before, name) - _values(after, name), _values(after, name) - _values(before, name)
        lost, gained = gone.total(), new.total()
        changed += [name] if min(lost, gained) else []
        added += [name] if gained > lost else []
        removed += [name] if lost > gained else []
    return tuple(added), tuple(removed), tuple(changed)


def _names(*messages: Message) -> dict[str, str]:
    """Return the headers of the messages: by their key, as spelled."""
    return {key(header.name): header.name for message in reversed(messages) for header in message.headers}


def _values(message: Message, name: str) -> Counter[str]:
    return Counter(message.all(name))


def _parameters(before: Message, after: Message, which: str) -> tuple[list[str], list[str]]:
    one, other = (_parameter_names(view(message, which) or ()) for message in (before, after))
    return [name for name in other if name not in one], [name for name in one if name not in other]


def _parameter_names(values: Iterable[Challenge | Credentials]) -> list[str]:
    return list(dict.fromkeys(name for value in values for name in value.params))
