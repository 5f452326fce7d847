"""The P-CSCF: the first proxy, which believes nothing that a UE says of itself.

Spec: 3GPP TS 24.229, 5.2 (procedures), RFC 3327 (Path), RFC 3581 (rport), RFC 5626 5.2 (flow
tokens), RFC 7118 (WebSocket). It removes what only a network may write, adds Path and the
P-headers, keeps ``ck`` and ``ik`` of the 401 to itself (TS 24.229, 5.2.2), and lets other
requests in only from where a registration came.

Teaching code: it is not constant time.
"""

import base64
import binascii
import functools
import hmac
from dataclasses import dataclass, field

from imslab.errors import Malformed
from imslab.ims.node import Address, Answered, Node, RandomSource, credentials_of, parsed
from imslab.sip import BadMessage, Message, Params, Via, transaction

# Header fields that only the network may write (TS 24.229, 4.4 and 5.2.6.3; RFC 3325, 9.1).
NETWORK_ONLY = (
    "P-Asserted-Identity",
    "P-Asserted-Service",
    "P-Associated-URI",
    "P-Called-Party-ID",
    "P-Charging-Function-Addresses",
    "P-Charging-Vector",
    "P-Profile-Key",
    "P-Served-User",
    "P-Visited-Network-ID",
    "Path",
    "Service-Route",
)
# Parameters of Authorization that only the network may write (TS 24.229, 7.2A.2).
NETWORK_ONLY_PARAMETERS = ("integrity-protected", "ck", "ik")
PATIENCE = 32.0  # seconds that a proxied request may wait for its final response: 64 * T1


@dataclass(frozen=True, slots=True)
class Pending:
    """A request on its way to the core: where its responses go."""

    source: Address
    key: object
    request: Message
    until: float


@dataclass(frozen=True, slots=True)
class Association:
    """What a successful registration leaves at the P-CSCF: who sits behind this address."""

    impi: str
    impus: tuple[str, ...]
    service_routes: tuple[str, ...]
    expires_at: float


@dataclass(frozen=True, slots=True)
class SessionKeys:
    """CK and IK of the last challenge, 16 octets each, as the S-CSCF gave them."""

    ck: bytes = field(repr=False)
    ik: bytes = field(repr=False)


class Pcscf(Node):
    """The proxy CSCF: one side to the UEs, one to the core.

    ``core``     where the S-CSCF (or I-CSCF) listens
    ``origins``  web origins whose pages may open a WebSocket; browsers cannot forge the header
    """

    name = "P-CSCF"

    def __init__(
        self,
        address: Address,
        core: Address,
        domain: str,
        *,
        random: RandomSource,
        origins: tuple[str, ...] = (),
    ) -> None:
        super().__init__(address, random)
        self.core, self.domain, self.origins = core, domain, origins
        self.associations: dict[Address, Association] = {}
        self.session_keys: dict[str, SessionKeys] = {}
        self._pending: dict[str, Pending] = {}
        self._answered = Answered()
        self._secret = random(20)
        self._sent_by = f"[{address.host}]" if ":" in address.host else address.host
        self._flow_token = functools.lru_cache(maxsize=4096)(self._new_flow_token)

    # -- the wire ---------------------------------------------------------------------------

    def admits(self, origin: str | None) -> bool:
        """Tell whether a WebSocket with this Origin may open (RFC 6455, 10.2); no browser, no Origin."""
        return origin is None or origin in self.origins

    def closed(self, source: Address) -> None:
        """Forget who sat behind a connection that has ended."""
        self.associations.pop(source, None)

    def receive(self, octets: bytes | Message, source: Address, now: float) -> None:
        """Take one SIP message; what is malformed is refused if it can be answered, else dropped."""
        try:
            message = parsed(octets)
        except BadMessage as error:
            self._note(now, "malformed message", str(source), str(error))
            if error.message is not None:
                self._refuse_broken(error.message, error.status, source)
            return
        try:
            if not message.is_request:
                self._response(message, source, now)
            elif source == self.core:
                self._to_ue(message, now)
            else:
                self._from_ue(message, source, now)
        except Malformed as error:
            self._note(now, "malformed message", str(source), str(error))
            self._refuse_broken(message, 400, source)

    def _refuse_broken(self, message: Message, status: int, source: Address) -> None:
        if message.is_request and "Via" in message and message.method != "ACK":
            self._refuse(message, status, source)

    def _refuse(self, request: Message, status: int, source: Address, key: object = None) -> None:
        self._answered.answer(key, self._send(Message.reply(request, status, to_tag=self._token(6)), source))

    # -- from the UE ------------------------------------------------------------------------

    def _from_ue(self, request: Message, source: Address, now: float) -> None:
        key = (source, transaction.key(request))
        if not self._answered.first_time(key, now):
            if (again := self._answered.repeated(key)) is not None:
                self._queue.append(again)
            return
        request = self._strip(request, source, now)
        # A proxy reads what it needs, and leaves the rest to whom it is meant for (RFC 3261, 16.3).
        if gaps := request.gaps():
            raise Malformed(gaps[0])
        request = request.seen_from(source.host, source.port)
        if request.max_forwards == 0:
            self._refuse(request, 483, source, key)
            return
        if request.method == "REGISTER":
            self._forward(self._register(request, source, now), source, key, now)
            return
        association = self.associations.get(source)
        if association is None or association.expires_at <= now:
            self._note(now, "request from an unregistered address", str(source), request.method)
            if request.method != "ACK":
                self._refuse(request, 403, source, key)
            return
        self._forward(self._originating(request, association, source), source, key, now)

    def _register(self, request: Message, source: Address, now: float) -> Message:
        if (credentials := credentials_of(request)) is not None:
            told = [name for name in NETWORK_ONLY_PARAMETERS if name in credentials.params]
            if told:
                self._note(now, "removed what a UE may not say", str(source), ", ".join(told))
                credentials = credentials.without(*told)
            request = request.with_header("Authorization", credentials.having(integrity_protected="no"))
        token = self._flow_token(source)
        added = [
            ("Path", f"<sip:{token}@{self._sent_by}:{self.address.port};lr>"),
            ("Require", "path"),
            ("P-Visited-Network-ID", f'"{self.domain}"'),
            self._charging(),
        ]
        return (request.without("Route") if "Route" in request else request).extended(added)

    def _originating(self, request: Message, association: Association, source: Address) -> Message:
        wanted = [identity.uri.canonical for identity in request.p_preferred_identity]
        chosen = next((uri for uri in wanted if uri in association.impus), association.impus[0])
        request = request.without("P-Preferred-Identity").with_rows("Route", association.service_routes)
        record = f"<sip:{self._flow_token(source)}@{self._sent_by}:{self.address.port};lr>"
        added = [("P-Asserted-Identity", f"<{chosen}>"), self._charging()]
        return request.extended(added).prepend("Record-Route", record)

    def _strip(self, request: Message, source: Address, now: float) -> Message:
        told = [name for name in NETWORK_ONLY if request.get(name) is not None]
        if told:
            self._note(now, "removed what a UE may not say", str(source), ", ".join(told))
            request = request.without(*told)
        if "network-provided" in (request.get("P-Access-Network-Info") or ""):
            request = request.without("P-Access-Network-Info")
        return request

    def _charging(self) -> tuple[str, str]:
        icid = f"icid-value={self._token()};icid-generated-at={self.address.host}"
        return "P-Charging-Vector", icid

    def _forward(self, request: Message, source: Address, key: object, now: float) -> None:
        branch = self._branch()
        hops = 70 if request.max_forwards is None else request.max_forwards
        via = Via("UDP", self._sent_by, self.address.port, Params({"branch": branch}))
        if request.method != "ACK":
            self._pending[branch] = Pending(source, key, request, now + PATIENCE)
        onward = request.prepend("Via", via).with_header("Max-Forwards", hops - 1)
        self._send(onward, self.core)

    # -- responses --------------------------------------------------------------------------

    def _response(self, response: Message, source: Address, now: float) -> None:
        branch = response.via.branch or ""
        pending = self._pending.get(branch)
        if pending is None:
            self._note(now, "response to nothing that was asked", str(source), response.start_line)
            return
        status = response.status
        if status >= 200:
            del self._pending[branch]
        onward = response.drop_first("Via")
        if response.cseq.method == "REGISTER" and source == self.core:
            if status == 401:
                onward = self._challenged(onward, pending)
            elif 200 <= status < 300:
                onward = self._registered(onward, pending, now)
        self._answered.answer(pending.key, self._send(onward, pending.source))

    def _challenged(self, response: Message, pending: Pending) -> Message:
        """Keep ck and ik; the UE computes its own (TS 24.229, 5.2.2)."""
        credentials = credentials_of(pending.request)
        rows = []
        for challenge in response.www_authenticate:
            if challenge.ck and challenge.ik and credentials is not None and credentials.username:
                self._keep_keys(credentials.username, challenge.ck, challenge.ik)
            rows.append(challenge.without("ck", "ik"))
        return response.with_rows("WWW-Authenticate", rows)

    def _keep_keys(self, impi: str, ck: str, ik: str) -> None:
        try:
            self.session_keys[impi] = SessionKeys(bytes.fromhex(ck), bytes.fromhex(ik))
        except ValueError:
            raise Malformed("ck or ik of a challenge is not hex") from None

    def _registered(self, response: Message, pending: Pending, now: float) -> Message:
        """Remember who registered from this address, and for how long."""
        own = {str(contact.uri) for contact in pending.request.contacts}
        seconds = [contact.expires or 0 for contact in response.contacts if str(contact.uri) in own]
        if max(seconds, default=0) == 0:
            self.associations.pop(pending.source, None)
            return response
        credentials = credentials_of(pending.request)
        impus = tuple(identity.uri.canonical for identity in response.associated_uris)
        self.associations[pending.source] = Association(
            impi=credentials.username if credentials else "",
            impus=impus or (pending.request.to.uri.canonical,),
            service_routes=tuple(response.all("Service-Route")),
            expires_at=now + max(seconds),
        )
        return response.without("Path")

    # -- to the UE --------------------------------------------------------------------------

    def _to_ue(self, request: Message, now: float) -> None:
        """Send a request of the core down the flow that its Route names (RFC 5626, 5.3)."""
        key = (self.core, transaction.key(request))
        if not self._answered.first_time(key, now):
            if (again := self._answered.repeated(key)) is not None:
                self._queue.append(again)
            return
        target = self._flow(request.routes[0].uri.user or "") if request.routes else None
        if target is None:
            self._note(now, "no flow for a request of the core", request.uri_text)
            self._refuse(request, 430, self.core, key)
            return
        branch = self._branch()
        via = Via(target.transport, self._sent_by, self.address.port, Params({"branch": branch}))
        self._pending[branch] = Pending(self.core, key, request, now + PATIENCE)
        onward = request.drop_first("Route").without("P-Charging-Vector").prepend("Via", via)
        hops = 70 if request.max_forwards is None else request.max_forwards
        self._send(onward.with_header("Max-Forwards", hops - 1), target)

    def _new_flow_token(self, source: Address) -> str:
        # RFC 5626, 5.2: the flow itself, signed, so that no table has to be kept.
        flow = f"{source.transport}/{source.host}/{source.port}".encode()
        tag = hmac.digest(self._secret, flow, "sha1")[:10]
        return base64.urlsafe_b64encode(tag + flow).decode().rstrip("=")

    def _flow(self, token: str) -> Address | None:
        try:
            octets = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
            tag, flow = octets[:10], octets[10:]
            transport, host, port = flow.decode("ascii").split("/")
            address = Address(host, int(port), transport)
        except (ValueError, binascii.Error):
            return None
        expected = hmac.digest(self._secret, flow, "sha1")[:10]
        return address if hmac.compare_digest(tag, expected) else None

    # -- time -------------------------------------------------------------------------------

    def timer(self) -> float | None:
        """Return when the oldest pending request runs out of patience."""
        return next((pending.until for pending in self._pending.values()), None)

    def handle_timer(self, now: float) -> None:
        """Answer 408 for the core where it did not answer, and forget old associations."""
        for branch, pending in list(self._pending.items()):
            if pending.until > now:
                break
            del self._pending[branch]
            if pending.request.method != "ACK":
                self._refuse(pending.request, 408, pending.source, pending.key)
        self.associations = {a: s for a, s in self.associations.items() if s.expires_at > now}
