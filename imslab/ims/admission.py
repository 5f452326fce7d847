"""What a P-CSCF remembers: the REGISTERs on their way, and whom it has let in.

Spec: 3GPP TS 24.229, 5.2.2 (REGISTER), 5.2.6.3 (identities); RFC 7315, 4.2 (P-Called-Party-ID).
"""

from dataclasses import dataclass, field

from imslab.ims.node import Address
from imslab.ims.security_server import Offer
from imslab.ipsec import SaSet
from imslab.sip import Message


@dataclass(frozen=True, slots=True)
class Pending:
    """A REGISTER on its way to the core: where its responses go.

    ``under``  the associations under which it came;  ``offer``: those that it asks for
    """

    source: Address
    key: object
    request: Message
    until: float
    under: SaSet | None = None
    offer: Offer | None = None


@dataclass(frozen=True, slots=True)
class Association:
    """What a successful registration leaves at the P-CSCF: who sits behind this address."""

    impi: str
    impus: tuple[str, ...]
    service_routes: tuple[str, ...]
    expires_at: float

    def identity(self, request: Message) -> str:
        """Return who the UE is in ``request``: whom it prefers to be, if it may, else the default."""
        wanted = (identity.uri.canonical for identity in request.p_preferred_identity)
        return next((uri for uri in wanted if uri in self.impus), self.impus[0])

    def called(self, request: Message) -> str:
        """Return which identity was called (RFC 7315, 4.2), or the default one."""
        called = request.p_called_party_id
        uri = called.uri.canonical if called is not None else ""
        return uri if uri in self.impus else self.impus[0]


@dataclass(frozen=True, slots=True)
class SessionKeys:
    """CK and IK of the last challenge, 16 octets each, as the S-CSCF gave them."""

    ck: bytes = field(repr=False)
    ik: bytes = field(repr=False)
