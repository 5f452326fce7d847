"""What the messages of a UE have in common: what it can do, and what it says when it cannot.

Spec: RFC 3261, 8.2.2.3 (Require), 20.5 (Allow), 20.43 (Warning), 21.4.13 (415).
"""

from imslab.sip import Message

METHODS = ("INVITE", "ACK", "CANCEL", "BYE", "PRACK", "UPDATE", "MESSAGE", "OPTIONS")
EXTENSIONS = ("100rel", "precondition", "timer")  # option tags: RFC 3262, 3312, 4028
SDP = "application/sdp"
CAPABILITIES: list[tuple[str, object]] = [
    ("Allow", ", ".join(METHODS)),
    ("Supported", ", ".join(EXTENSIONS)),
    ("Accept", SDP),
]


def unusable(request: Message) -> tuple[int, list[tuple[str, object]]] | None:
    """Return how to refuse a body that is no SDP, or a Require that is not known; None when all is well."""
    unknown = [tag for tag in request.require if tag.lower() not in EXTENSIONS]
    if unknown:
        return 420, [("Unsupported", ", ".join(unknown))]
    kind = request.content_type
    if request.body and (kind is None or kind.essence != SDP):
        return 415, [("Accept", SDP)]
    return None


def warning(text: object) -> tuple[str, object]:
    """Return a Warning that says what was wrong (RFC 3261, 20.43)."""
    return "Warning", f'399 imslab "{quotable(str(text))}"'


def quotable(text: str) -> str:
    """Return ``text`` as it may stand between quotes: one line, at most 200 characters."""
    return text.replace("\\", "").replace('"', "'").replace("\r", " ").replace("\n", " ")[:200]
