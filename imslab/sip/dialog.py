"""A dialog: what two user agents remember of each other between requests.

Spec: RFC 3261, section 12. The value is frozen; each request in or out gives the next one.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

from imslab.errors import Malformed
from imslab.sip.headers import NameAddr
from imslab.sip.message import Message
from imslab.sip.syntax import MAX_UINT32
from imslab.sip.uri import Uri


@dataclass(frozen=True, slots=True)
class Dialog:
    """One side's view of a dialog.

    ``local``, ``remote``  the addresses with their tags, as From and To carry them
    ``remote_target``      where requests go: the peer's Contact
    ``routes``             the route set, the nearest proxy first
    ``local_cseq``         the last number used; ``remote_cseq`` the last one seen, None before the first
    """

    call_id: str
    local: NameAddr
    remote: NameAddr
    remote_target: Uri
    routes: tuple[NameAddr, ...] = ()
    local_cseq: int = 0
    remote_cseq: int | None = None

    @classmethod
    def of_client(cls, request: Message, response: Message) -> Self:
        """Build the caller's dialog out of its request and the response (RFC 3261, 12.1.2)."""
        return cls(
            response.call_id,
            response.from_,
            response.to,
            _target(response),
            response.record_routes[::-1],
            request.cseq.number,
        )

    @classmethod
    def of_server(cls, request: Message, response: Message) -> Self:
        """Build the called side's dialog out of the request and its own response (RFC 3261, 12.1.1)."""
        return cls(
            request.call_id,
            response.to,
            request.from_,
            _target(request),
            request.record_routes,
            remote_cseq=request.cseq.number,
        )

    @property
    def id(self) -> tuple[str, str, str]:
        """Call-ID, local tag, remote tag; a missing tag is "" (RFC 3261, 12)."""
        return self.call_id, self.local.tag or "", self.remote.tag or ""

    def request(
        self, method: str, headers: Iterable[tuple[str, object]] = (), body: bytes = b""
    ) -> tuple[Message, Self]:
        """Build the next request within the dialog and return it with the next dialog (RFC 3261, 12.2.1.1).

        ``headers`` brings Via, Contact and the rest; From, To, Call-ID, CSeq and Route are made here.
        ACK repeats the number of its INVITE, every other method takes the next one.
        """
        number = self.local_cseq + (method != "ACK")
        if number > MAX_UINT32:
            raise Malformed("the CSeq of this dialog is used up")
        return self._write(method, number, headers, body), replace(self, local_cseq=number)

    def ack(self, number: int, headers: Iterable[tuple[str, object]] = (), body: bytes = b"") -> Message:
        """Build the ACK for a 2xx to the INVITE that had the CSeq ``number`` (RFC 3261, 13.2.2.4)."""
        return self._write("ACK", number, headers, body)

    def _write(self, method: str, number: int, headers: Iterable[tuple[str, object]], body: bytes) -> Message:
        uri, routes = self._routing()
        own: list[tuple[str, object]] = [("Max-Forwards", 70), *(("Route", route) for route in routes)]
        own += [
            ("From", self.local),
            ("To", self.remote),
            ("Call-ID", self.call_id),
            ("CSeq", f"{number} {method}"),
        ]
        given = list(headers)
        vias = [row for row in given if row[0].lower() in ("via", "v")]
        others = [row for row in given if row[0].lower() not in ("via", "v")]
        return Message.request(method, uri, vias + own + others, body)

    def answered(self, response: Message) -> Self:
        """Return the dialog after a response of the peer: a 2xx may move the target (RFC 3261, 12.2.1.2)."""
        moves = 200 <= response.status < 300 and response.method in _TARGET_REFRESH and response.contacts
        return replace(self, remote_target=response.contacts[0].uri) if moves else self

    def confirmed(self, response: Message) -> Self:
        """Return the dialog after the 2xx that confirms it: its route set counts (RFC 3261, 13.2.2.4)."""
        return replace(self, remote_target=_target(response), routes=response.record_routes[::-1])

    def received(self, request: Message) -> Self:
        """Return the dialog after a request of the peer (RFC 3261, 12.2.2).

        Raise Malformed when its CSeq is not higher than the last one: the answer is 500. A new Contact
        in INVITE, UPDATE, SUBSCRIBE, NOTIFY and REFER moves the remote target.
        """
        number = request.cseq.number
        last = -1 if self.remote_cseq is None else self.remote_cseq
        if request.method != "ACK" and number <= last:
            raise Malformed(f"CSeq {number} is not higher than {last}: answer 500")
        moves = request.method in _TARGET_REFRESH and request.contacts
        target = request.contacts[0].uri if moves else self.remote_target
        return replace(self, remote_cseq=max(number, last), remote_target=target)

    def _routing(self) -> tuple[Uri, tuple[NameAddr, ...]]:
        # A first route without lr is a strict router: it takes the place of the Request-URI (12.2.1.1).
        if self.routes and not self.routes[0].uri.is_loose_router:
            return self.routes[0].uri, (*self.routes[1:], NameAddr(self.remote_target))
        return self.remote_target, self.routes


# Requests that may change the remote target: RFC 3261, 12.2; RFC 3311 (UPDATE); RFC 6665 (SUBSCRIBE, NOTIFY).
_TARGET_REFRESH = frozenset(("INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY", "REFER"))


def _target(message: Message) -> Uri:
    if not message.contacts:
        raise Malformed("no Contact, so no remote target", expected="one Contact")
    return message.contacts[0].uri
