"""The P-CSCF's side of the security agreement: it chooses, keeps the keys, and sees who was bid down.

Spec: RFC 3329, 2.3 and 5; 3GPP TS 33.203, 7; TS 24.229, 5.2.2 (REGISTER) and 7.2A.1 (ck, ik). A REGISTER in
clear may ask for protection. Its challenge gets Security-Server and loses ck and ik, of which the P-CSCF
makes the associations; the answer to it has to come under them, and to repeat what both had said in clear. If
not, it is 494, and the registration ends here.

Teaching code: it is not constant time.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from imslab.errors import EspError, ImslabError, Malformed
from imslab.ims.node import Address, RandomSource, credentials_of
from imslab.ims.security_client import AWAITED, GRACE, LINGER
from imslab.ipsec import TRANSFORMS, Associations, Database, Receiving, SaSet, agreed
from imslab.ipsec.associations import MECHANISM
from imslab.ipsec.offer import offer
from imslab.sip import Challenge, Message, SecurityMechanism
from imslab.sip.sec_agree import same_list

SERVER_PORT = 5063  # protected; 5060 and 5061 may not be (TS 33.203, 7.1)
CLIENT_PORTS = (5062, 5064)  # taken in turns: a new set needs another one (TS 33.203, 7.4)

_ROWS = ("Security-Client", "Security-Verify")
_TAG = "sec-agree"
_KEY = 16  # octets of CK and IK; IPsec takes no others
_LONGEST = 4096  # octets of what a terminal may announce: it is kept
_NOT_YET = Receiving(1, 2, CLIENT_PORTS[0], SERVER_PORT)  # what is only listed has no SPIs yet


class Refused(ImslabError):
    """A request is answered here, with this status and these rows."""

    def __init__(self, status: int, why: str, rows: Iterable[tuple[str, object]] = ()) -> None:
        self.status, self.why, self.rows = status, why, list(rows)
        super().__init__(why)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a REGISTER has asked for: it waits for the challenge.

    ``impi``     who registers;  ``clients``: its Security-Client;  ``carrier``: as of SaSet
    ``under``    the set under which it came; None: in clear
    ``stream``   over TCP
    """

    impi: str
    host: str
    clients: tuple[SecurityMechanism, ...]
    carrier: int
    under: SaSet | None
    stream: bool = False


@dataclass(slots=True)
class Agreement:
    """What was agreed with a terminal: who it is, what both sides said, and the challenge to be answered."""

    impi: str
    clients: tuple[SecurityMechanism, ...]
    servers: tuple[SecurityMechanism, ...]
    nonce: str
    sa_set: SaSet = field(repr=False)
    confirmed: bool = False


class SecurityServer:
    """The security agreements of one P-CSCF.

    ``transforms``  what it offers, the one it likes most first; none: it has no IPsec
    ``required``    a REGISTER that asks for no protection gets 421
    """

    def __init__(
        self,
        host: str,
        *,
        random: RandomSource,
        transforms: tuple[str, ...] = TRANSFORMS,
        required: bool = False,
        server_port: int = SERVER_PORT,
    ) -> None:
        self.transforms, self.required, self.server_port = transforms, required, server_port
        self.database = Database(host, is_ue=False, random=random, on_gone=self._forget)
        self._listed = offer(transforms, _NOT_YET, ranked=True) if transforms else ()
        self._agreements: dict[SaSet, Agreement] = {}
        self._awaited: dict[str, Agreement] = {}  # by the nonce of the challenge

    def agreement(self, used: SaSet) -> Agreement | None:
        """Return what was agreed for a set; None when it is gone."""
        return self._agreements.get(used)

    # -- requests ---------------------------------------------------------------------------

    def register(self, request: Message, source: Address, used: SaSet | None) -> tuple[Message, Offer | None]:
        """Return a REGISTER as it goes on, and the protection that it asks for.

        ``used``  the set under which it came; None: in clear
        Raises Refused, with 494 when the agreement was broken or altered, 421 when there has to be one, 403
        when somebody speaks for another; Malformed for headers that cannot be read.
        """
        if sum(map(len, request.all("Security-Client"))) > _LONGEST:
            raise Malformed(f"more than {_LONGEST} octets of Security-Client")
        clients = tuple(one for one in request.security_client if one.name.lower() == MECHANISM)
        credentials = credentials_of(request)
        impi = credentials.username if credentials is not None else ""
        if used is not None:
            self._check(request, used, impi)
        else:
            self._check_in_clear(request, clients)
        if not clients or not self.transforms or source.sip_transport not in ("UDP", "TCP"):
            return without_agreement(request), None
        if agreed(clients, self._listed) is None:
            raise Refused(494, "no transform in common", self._rows())
        carrier = used.carrier if used else 0
        return without_agreement(request), Offer(impi, source.host, clients, carrier, used, source.reliable)

    def other(self, request: Message, used: SaSet | None) -> Message:
        """Return a request other than REGISTER as it goes on.

        Raises Refused with 494 when its Security-Verify is not what was said (RFC 3329, 2.3.1).
        """
        told = request.security_verify
        if told and (used is None or not self._holds(used, told)):
            raise Refused(494, "Security-Verify is not what Security-Server said", self._rows(used))
        return without_agreement(request)

    def _check_in_clear(self, request: Message, clients: tuple[SecurityMechanism, ...]) -> None:
        credentials = credentials_of(request)
        nonce = credentials.nonce if credentials is not None else ""
        awaited = self._awaited.get(nonce)
        if awaited is not None and credentials is not None and credentials.response and not credentials.auts:
            raise Refused(494, "the answer to a challenge came in clear", self._rows(awaited.sa_set))
        if request.security_verify:
            raise Refused(494, "Security-Verify in clear", self._rows())
        if self.required and not clients:
            raise Refused(421, "no protection asked for", [("Require", _TAG)])

    def _check(self, request: Message, used: SaSet, impi: str) -> None:
        """Compare what a protected REGISTER repeats with what was said in clear (TS 33.203, 7.2)."""
        known = self._agreements[used]
        rows = self._rows(used)
        if impi != known.impi:
            raise Refused(403, f"a REGISTER of {impi[:80]} under the associations of {known.impi}")
        if not self._holds(used, request.security_verify):
            raise Refused(494, "Security-Verify is not what Security-Server said", rows)
        credentials = credentials_of(request)
        nonce = credentials.nonce if credentials is not None and credentials.response else ""
        awaited = self._awaited.get(nonce)
        if awaited is not None and awaited is not known:
            raise Refused(494, "the answer to a challenge came under older associations", rows)
        if not request.security_client:
            raise Refused(494, "no Security-Client", rows)  # nothing is proved without new associations
        if not known.confirmed and not same_list(known.clients, request.security_client):
            raise Refused(494, "Security-Client is not what it was in clear", rows)

    def _holds(self, used: SaSet, told: tuple[SecurityMechanism, ...]) -> bool:
        known = self._agreements.get(used)
        return known is not None and same_list(known.servers, told)

    def _rows(self, used: SaSet | None = None) -> list[tuple[str, object]]:
        known = self._agreements.get(used) if used is not None else None
        servers = known.servers if known is not None else self._listed
        return [("Security-Server", one) for one in servers]

    # -- responses --------------------------------------------------------------------------

    def challenge(self, asked: Offer, response: Message, now: float) -> Message:
        """Return a 401 with Security-Server and one challenge: the first whose keys make associations.

        With more than one nobody could say which keys hold. Raises Malformed when none fits, or when another
        terminal has what this one announces.
        """
        challenge = next((one for one in response.www_authenticate if _has_keys(one)), None)
        if challenge is None:
            raise Malformed(
                f"no challenge with ck and ik of {_KEY} octets", expected="AKAv1-MD5 or AKAv2-MD5"
            )
        servers = offer(self.transforms, self._receiving(asked), ranked=True)
        pair = agreed(asked.clients, servers)
        assert pair is not None  # `register` has looked
        ck, ik = bytes.fromhex(challenge.ck or ""), bytes.fromhex(challenge.ik or "")
        associations = Associations.agree(*pair, ck, ik)
        self._refuse_taken(asked, associations)
        try:
            added = self.database.add(
                associations, asked.host, now + AWAITED, asked.carrier, stream=asked.stream
            )
        except EspError as error:
            raise Malformed(str(error)) from None
        agreement = Agreement(asked.impi, asked.clients, servers, challenge.nonce, added)
        self._agreements[added] = self._awaited[challenge.nonce] = agreement
        rows = [("Security-Server", one) for one in servers]
        return response.with_rows("WWW-Authenticate", [challenge]).extended(rows)

    def registered(self, used: SaSet, now: float, seconds: float) -> None:
        """A REGISTER under ``used`` was accepted for ``seconds``; 0: the terminal has left."""
        agreement = self._agreements[used]
        self._awaited.pop(agreement.nonce, None)
        agreement.confirmed = True
        for one in self.database.sets(used.peer):
            if one is not used and one.number < used.number:
                self.database.end(one, now + LINGER)
        if seconds > 0:
            self.database.limit(used, now + seconds + GRACE)
        else:
            self.database.end(used, now + LINGER)

    def failed(self, used: SaSet, now: float) -> None:
        """A REGISTER under ``used`` was refused: a set that was never confirmed goes (TS 33.203, 7.4)."""
        agreement = self._agreements[used]
        if not agreement.confirmed:
            self._awaited.pop(agreement.nonce, None)
            self.database.end(used, now + LINGER)

    def _receiving(self, asked: Offer) -> Receiving:
        before = asked.under.associations.network_request.source_port if asked.under is not None else 0
        port = next(port for port in CLIENT_PORTS if port != before)
        return Receiving(*self.database.spis(), port, self.server_port)

    def _refuse_taken(self, asked: Offer, associations: Associations) -> None:
        """Let nobody take what belongs to another terminal at the same address (TS 33.203, 7.2)."""
        peer = asked.host, associations.network_request.destination_port
        others = (self._agreements.get(one) for one in self.database.sets(peer))
        if any(other is not None and other.confirmed and other.impi != asked.impi for other in others):
            raise Malformed(f"port-s {peer[1]} of {asked.host} belongs to another terminal")

    def _forget(self, one: SaSet) -> None:
        agreement = self._agreements.pop(one, None)
        if agreement is not None:
            self._awaited.pop(agreement.nonce, None)


def without_agreement(request: Message) -> Message:
    """Return a request without what is between a terminal and its P-CSCF alone (TS 24.229, 5.2.2)."""
    if not request.keys & {"security-client", "security-verify", "require", "proxy-require"}:
        return request
    request = request.without(*_ROWS)
    for name, tags in (("Require", request.require), ("Proxy-Require", request.proxy_require)):
        left = [tag for tag in tags if tag.lower() != _TAG]
        if len(left) < len(tags):
            request = request.with_rows(name, [", ".join(left)] if left else [])
    return request


def _has_keys(challenge: Challenge) -> bool:
    try:
        keys = [bytes.fromhex(key or "") for key in (challenge.ck, challenge.ik)]
    except ValueError:
        return False
    return all(len(key) == _KEY for key in keys)
