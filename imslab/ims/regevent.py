"""The reg event package: telling a UE, by NOTIFY, what the network knows of its registration.

Spec: RFC 6665 (SUBSCRIBE, NOTIFY), RFC 3680 (application/reginfo+xml), 3GPP TS 24.229, 5.4.2.1.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from xml.etree import ElementTree

from imslab.errors import Malformed
from imslab.ims.bindings import Registration
from imslab.ims.node import Address
from imslab.sip import STAR, Message

NAMESPACE = "urn:ietf:params:xml:ns:reginfo"
LONGEST = 600_000  # seconds
GONE = (404, 408, 481, 489)  # responses to a NOTIFY that end the subscription (RFC 6665, 4.2.2)


@dataclass(slots=True)
class Subscription:
    """One watcher: the dialog that it opened, and how many NOTIFYs it has had."""

    impi: str
    impus: tuple[str, ...]
    call_id: str
    tag: str  # ours
    local: str  # From of a NOTIFY, with our tag
    remote: str  # To of a NOTIFY: the watcher
    target: str
    routes: tuple[str, ...]
    hop: Address
    expires_at: float
    cseq: int = 0
    version: int = field(default=-1)


class Watchers:
    """All reg event subscriptions of an S-CSCF, and which of them wait for a NOTIFY."""

    def __init__(self) -> None:
        self._subscriptions: dict[tuple[str, str], Subscription] = {}
        self._due: list[Subscription] = []

    def subscribe(
        self, request: Message, registration: Registration, hop: Address, tag: str, now: float
    ) -> int:
        """Open or renew a subscription; a NOTIFY becomes due. Return its seconds."""
        contact = next(iter(request.contacts), STAR)
        if contact is STAR:
            raise Malformed("a SUBSCRIBE needs one Contact")
        seconds = min(LONGEST if request.expires is None else request.expires, LONGEST)
        old = self._subscriptions.get((request.call_id, tag))
        subscription = Subscription(
            impi=registration.impi,
            impus=registration.impus,
            call_id=request.call_id,
            tag=tag,
            local=f"<{request.to.uri}>;tag={tag}",
            remote=str(request.from_),
            target=str(contact.uri),
            routes=tuple(request.all("Record-Route")),
            hop=hop,
            expires_at=now + seconds,
            cseq=old.cseq if old else 0,
            version=old.version if old else -1,
        )
        self._subscriptions[request.call_id, tag] = subscription
        self._due.append(subscription)
        return seconds

    def changed(self, impi: str) -> None:
        """Make a NOTIFY due for every watcher of ``impi``."""
        self._due += [s for s in self._subscriptions.values() if s.impi == impi and s not in self._due]

    def answered(self, response: Message) -> None:
        """Forget a watcher that says it knows nothing of its subscription."""
        if response.status in GONE:
            self._subscriptions.pop((response.call_id, response.from_.tag or ""), None)

    def timer(self) -> float | None:
        """Return when the next subscription runs out."""
        return min((s.expires_at for s in self._subscriptions.values()), default=None)

    def expire(self, now: float) -> None:
        """Make a last NOTIFY due for each subscription that has run out."""
        self._due += [s for s in self._subscriptions.values() if s.expires_at <= now and s not in self._due]

    def notifications(
        self,
        find: Callable[[str], Registration | None],
        *,
        via: Callable[[], str],
        contact: str,
        now: float,
    ) -> list[tuple[Message, Address]]:
        """Return, once, the NOTIFYs that are due, each with its next hop."""
        due, self._due = self._due, []
        return [(self._notify(s, find(s.impi), via(), contact, now), s.hop) for s in due]

    def _notify(
        self, s: Subscription, registration: Registration | None, via: str, contact: str, now: float
    ) -> Message:
        s.cseq += 1
        s.version += 1
        left = int(s.expires_at - now)
        ended = left <= 0 or registration is None
        if ended:
            self._subscriptions.pop((s.call_id, s.tag), None)
        state = (
            f"terminated;reason={'timeout' if left <= 0 else 'noresource'}"
            if ended
            else f"active;expires={left}"
        )
        headers = [
            ("Via", via),
            ("Max-Forwards", "70"),
            *(("Route", row) for row in s.routes),
            ("From", s.local),
            ("To", s.remote),
            ("Call-ID", s.call_id),
            ("CSeq", f"{s.cseq} NOTIFY"),
            ("Contact", f"<{contact}>"),
            ("Event", "reg"),
            ("Subscription-State", state),
            ("Content-Type", "application/reginfo+xml"),
        ]
        body = reginfo(s.impus, registration, s.version, now)
        return Message.request("NOTIFY", s.target, headers=headers, body=body)


def reginfo(impus: tuple[str, ...], registration: Registration | None, version: int, now: float) -> bytes:
    """Write the full state of ``impus`` as application/reginfo+xml (RFC 3680, 5)."""
    root = ElementTree.Element("reginfo", xmlns=NAMESPACE, version=str(version), state="full")
    for number, impu in enumerate(impus):
        state = "active" if registration else "terminated"
        element = ElementTree.SubElement(root, "registration", aor=impu, id=f"r{number}", state=state)
        bindings = registration.bindings.values() if registration else ()
        for index, binding in enumerate(bindings):
            contact = ElementTree.SubElement(
                element, "contact", id=f"c{number}-{index}", state="active", event="registered"
            )
            contact.set("expires", str(int(binding.expires_at - now)))
            ElementTree.SubElement(contact, "uri").text = binding.contact.strip("<>")
    return b'<?xml version="1.0"?>\n' + ElementTree.tostring(root)


def read_reginfo(body: bytes) -> dict[str, str]:
    """Return public identity -> state ("active", "terminated", "init") of a NOTIFY's body.

    Malformed when the body is no reginfo document.
    """
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise Malformed("a reginfo document must not declare entities")
    try:
        root = ElementTree.fromstring(body)  # noqa: S314 -- what makes XML dangerous is refused above
    except (ElementTree.ParseError, ValueError) as error:
        raise Malformed(f"no reginfo document: {error}") from None
    if root.tag != f"{{{NAMESPACE}}}reginfo":
        raise Malformed("no reginfo document", expected="a reginfo element (RFC 3680, 5.1)")
    rows = root.findall(f"{{{NAMESPACE}}}registration")
    return {row.get("aor", ""): row.get("state", "") for row in rows}
