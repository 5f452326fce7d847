"""What an HSS says by itself, as Diameter octets: RTR 304 and PPR 305, and what an S-CSCF answers.

Spec: 3GPP TS 29.228, 6.1.3 (network initiated de-registration) and 6.6 (change of the profile), TS 29.229.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from imslab.ims.cx import PushProfileRequest, RegistrationTerminationRequest, Result
from imslab.net import cx_avps, diameter
from imslab.net.cx_avps import PPR, RTR
from imslab.net.diameter import Avps, Header, Pair

if TYPE_CHECKING:
    from imslab.net.cx import CxMessage, Peers


def encode_termination(impi: str, impus: Iterable[str], peers: "Peers", *, identifier: int) -> bytes:
    """Return an RTR: the S-CSCF shall let this user go (TS 29.228, 6.1.3); no ``impus`` means all."""
    why = "taken out by the operator"
    reason = [(cx_avps.REASON_CODE, 0), (cx_avps.REASON_INFO, why)]  # PERMANENT_TERMINATION
    named = [(cx_avps.IMPU, impu) for impu in impus]
    pairs = [*_opening(impi, peers, identifier), *named, (cx_avps.REASON, reason)]
    return cx_avps.request(RTR, identifier, pairs)


def encode_profile(impi: str, impus: Iterable[str], peers: "Peers", *, identifier: int) -> bytes:
    """Return a PPR: what the subscription says now (TS 29.228, 6.6)."""
    data = (cx_avps.USER_DATA, cx_avps.subscription(impi, impus))
    return cx_avps.request(PPR, identifier, [*_opening(impi, peers, identifier), data])


def encode_push_answer(push: "CxMessage", result: Result, origin: str, realm: str) -> bytes:
    """Return the RTA or PPA to ``push`` of the S-CSCF ``origin``."""
    pairs = [*cx_avps.opening(push.session, origin, realm), cx_avps.result_of(result)]
    flags, identifiers = diameter.PROXIABLE, (push.identifier, push.end_to_end)
    return diameter.message(Header(push.command, flags, cx_avps.APPLICATION, *identifiers), pairs)


def read_termination(avps: Avps, _: int | None) -> RegistrationTerminationRequest:
    """Read the AVPs of an RTR."""
    return RegistrationTerminationRequest(avps.text(diameter.USER_NAME), tuple(avps.texts(cx_avps.IMPU)))


def read_profile(avps: Avps, _: int | None) -> PushProfileRequest | None:
    """Read the AVPs of a PPR; None when it brings no identities: what changed then is nothing to us."""
    impus = cx_avps.identities(avps.text(cx_avps.USER_DATA))
    return PushProfileRequest(avps.text(diameter.USER_NAME), impus) if impus else None


def _opening(impi: str, peers: "Peers", identifier: int) -> list[Pair]:
    to = [
        (diameter.DESTINATION_HOST, peers.scscf.encode()),
        (diameter.DESTINATION_REALM, peers.realm.encode()),
    ]
    session = f"{peers.hss};0;{identifier}"
    return [*cx_avps.opening(session, peers.hss, peers.realm), *to, (diameter.USER_NAME, impi)]
