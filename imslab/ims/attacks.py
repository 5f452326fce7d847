"""What somebody on the way can do: lose a message, write it anew, bid down, relay a card's answer.

Each function returns an ``intercept`` for ``imslab.ims.network.Network``. Attacks of RFC 3310,
section 5, and RFC 4169, sections 1 and 4, are two lines with them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from imslab.aka import Answer
from imslab.ims.network import Card, Intercept
from imslab.ims.node import Address, Send
from imslab.ims.pcscf import Pcscf
from imslab.sip import Message

Where = Callable[[Message], bool]


def rewrite(
    change: Callable[[Message], Message],
    *,
    to: Address | None = None,
    status: int | None = None,
    where: Where | None = None,
) -> Intercept:
    """Return an intercept that delivers ``change(message)`` in the place of each message that fits.

    ``to``      only messages for this address
    ``status``  only responses with this status
    ``where``   only messages for which this is true
    """
    fits = _fits(to, status, where)

    def intercept(send: Send) -> Iterable[Send]:
        if send.destination.is_protected:
            return [send]  # he sees an ESP packet, and no message
        message = Message.parse(send.octets)
        return [send._replace(octets=bytes(change(message))) if fits(send, message) else send]

    return intercept


def lose(
    count: int = 1, *, to: Address | None = None, status: int | None = None, where: Where | None = None
) -> Intercept:
    """Return an intercept that loses the first ``count`` messages that fit, as ``rewrite`` tests them."""
    fits, left = _fits(to, status, where), count

    def intercept(send: Send) -> Iterable[Send]:
        nonlocal left
        if left <= 0 or send.destination.is_protected or not fits(send, Message.parse(send.octets)):
            return [send]
        left -= 1
        return []

    return intercept


def bid_down(transform: str) -> Intercept:
    """Return an intercept that leaves only ``transform`` in what two ends say of it in clear.

    Both then choose the weakest in good faith; that is what Security-Verify is for (RFC 3329, 5). An end
    that does not offer it is left alone.
    """
    names = ("Security-Client", "Security-Server")

    def weaker(message: Message) -> Message:
        for name, rows in zip(names, (message.security_client, message.security_server), strict=True):
            kept = [one for one in rows if f"{one.ealg}/{one.alg}" == transform]
            message = message.with_rows(name, kept) if kept else message
        return message

    return rewrite(weaker)


def leak_keys(pcscf: Pcscf) -> None:
    """Let a P-CSCF leave ck and ik in the challenge: TS 24.229, 5.2.2 forbids it, some in the field do it."""
    pcscf._challenged = lambda response, pending: response  # type: ignore[method-assign]


def _fits(to: Address | None, status: int | None, where: Where | None) -> Callable[[Send, Message], bool]:
    def fits(send: Send, message: Message) -> bool:
        return (
            to in (None, send.destination)
            and status in (None, message.status)
            and (where is None or where(message))
        )

    return fits


@dataclass(frozen=True, slots=True)
class Relay:
    """A thief who gets RES from somebody else's card, and neither CK nor IK.

    Such is what a card gives away where its answer travels in clear: in EAP-AKA (RFC 4187, 10.8: AT_RES),
    at a UMTS base station, or in AKAv1 outside of TLS (RFC 4169, section 1).
    """

    card: Card

    def authenticate(self, rand: bytes, autn: bytes) -> Answer:
        """Return the card's RES, 4 to 32 octets, with zeros for CK and IK, which the thief has to guess."""
        return Answer(res=self.card.authenticate(rand, autn).res, ck=bytes(16), ik=bytes(16))
