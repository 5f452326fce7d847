"""The P-CSCF: the first proxy, which believes nothing that a UE says of itself.

Spec: 3GPP TS 24.229, 5.2 (procedures), RFC 3327 (Path), RFC 3581 (rport), RFC 5626 5.2 (flow
tokens), RFC 7118 (WebSocket). It removes what only a network may write, adds Path and the
P-headers, keeps ``ck`` and ``ik`` of the 401 to itself (TS 24.229, 5.2.2), and lets other
requests in only from where a registration came.

Teaching code: it is not constant time.
"""

from collections.abc import Iterable

from imslab.errors import Malformed
from imslab.ims import screening
from imslab.ims.admission import Association, Pending, SessionKeys
from imslab.ims.flow import FlowTokens
from imslab.ims.node import Address, Answered, RandomSource, credentials_of, parsed
from imslab.ims.proxy import RECORDED, Branch, Proxy, ResponseContext, Target, is_same_route
from imslab.ims.security_server import Offer, Refused, SecurityServer
from imslab.ipsec import TRANSFORMS, SaSet
from imslab.sip import BadMessage, Message, NameAddr, Params, Via, transaction

PATIENCE = 32.0  # seconds that a REGISTER may wait for its final response: 64 * T1


class Pcscf(Proxy):
    """The proxy CSCF: one side to the UEs, one to the core.

    ``core``         where the S-CSCF (or I-CSCF) listens
    ``origins``      web origins whose pages may open a WebSocket; browsers cannot forge the header
    ``early_media``  what P-Early-Media allows before a call is answered (RFC 5009, 8): "sendrecv",
                     "sendonly", "recvonly" or "inactive", as the caller sees it
    ``ipsec``        transforms that it offers to a UE that asks for protection; () none
    ``ipsec_required``  a UE that does not ask gets 421
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
        early_media: str = "sendrecv",
        ipsec: tuple[str, ...] = TRANSFORMS,
        ipsec_required: bool = False,
    ) -> None:
        super().__init__(address, random)
        self.core, self.domain, self.origins = core, domain, origins
        self.early_media = early_media
        self.associations: dict[Address, Association] = {}
        self.session_keys: dict[str, SessionKeys] = {}
        self._pending: dict[str, Pending] = {}
        self._answered = Answered()
        self._flows = FlowTokens(random(20))
        self.security = SecurityServer(address.host, random=random, transforms=ipsec, required=ipsec_required)
        self.database = self.security.database
        self._under: SaSet | None = None  # the associations under which came what is being dealt with

    # -- the wire ---------------------------------------------------------------------------

    def admits(self, origin: str | None) -> bool:
        """Tell whether a WebSocket with this Origin may open (RFC 6455, 10.2); no browser, no Origin."""
        return origin is None or origin in self.origins

    def closed(self, source: Address, now: float) -> None:
        """Forget who sat behind a connection that has ended; what was sent there will not be answered."""
        self.associations.pop(source, None)
        self._transactions.lost(source, now)

    def receive(self, octets: bytes | Message, source: Address, now: float) -> None:
        """Take one SIP message, or an ESP packet that holds one; what is malformed is refused or dropped."""
        self.security.database.now = now
        if source.is_protected:
            for message, sender, used in self._opened(bytes(octets), source, now):
                self._under = used
                self._received(message, sender, now)
        else:
            self._under = None
            self._received(octets, source, now)

    def _received(self, octets: bytes | Message, source: Address, now: float) -> None:
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
                self._from_core(message, now)
            else:
                self._from_ue(message, source, now)
        except Malformed as error:
            self._note(now, "malformed message", str(source), str(error))
            self._refuse_broken(message, 400, source)

    def _refuse_broken(self, message: Message, status: int, source: Address) -> None:
        if message.is_request and "Via" in message and message.method != "ACK":
            self._refuse(message, status, source)

    def _refuse(
        self,
        request: Message,
        status: int,
        source: Address,
        key: object = None,
        rows: Iterable[tuple[str, object]] = (),
    ) -> None:
        reply = Message.reply(request, status, headers=rows, to_tag=self._token(6))
        self._answered.answer(key, self._send(reply, source))

    # -- from the UE ------------------------------------------------------------------------

    def _from_ue(self, request: Message, source: Address, now: float) -> None:
        if request.method == "REGISTER":
            self._registering(request, source, now)
            return
        request = self._checked(request, source, now)
        if not self._known(source, now):
            self._note(now, "request from an unregistered address", str(source), request.method)
            if request.method != "ACK":
                self._refuse(request, 403, source)
            return
        try:
            request = self.security.other(request, self._under)
        except Refused as refusal:
            self._refused(request, refusal, source, now)
            return
        self._proxied(request, source, now)

    def _refused(
        self, request: Message, refusal: Refused, source: Address, now: float, key: object = None
    ) -> None:
        self._note(now, f"{request.method} refused with {refusal.status}", str(source), str(refusal))
        if request.method != "ACK":
            self._refuse(request, refusal.status, source, key, refusal.rows)

    def _registering(self, request: Message, source: Address, now: float) -> None:
        key = (source, transaction.key(request))
        if not self._answered.first_time(key, now):
            if (again := self._answered.repeated(key)) is not None:
                self._queue.append(again)
            return
        request = self._checked(request, source, now)
        if request.max_forwards == 0:
            self._refuse(request, 483, source, key)
            return
        try:
            request, offer = self.security.register(request, source, self._under)
        except Refused as refusal:
            if self._under is not None:
                self.security.failed(self._under, now)
            self._refused(request, refusal, source, now, key)
            return
        self._forward(self._register(request, source, now), source, key, now, offer)

    def _checked(self, request: Message, source: Address, now: float) -> Message:
        request, told = screening.request_of_ue(request)
        self._noted(told, source, now)
        # A proxy reads what it needs, and leaves the rest to whom it is meant for (RFC 3261, 16.3).
        if gaps := request.gaps():
            raise Malformed(gaps[0])
        return request.seen_from(source.host, source.port)

    def _known(self, source: Address, now: float) -> bool:
        association = self.associations.get(source)
        return association is not None and association.expires_at > now

    def _register(self, request: Message, source: Address, now: float) -> Message:
        request, told = screening.register_of_ue(request, source.is_protected)
        self._noted(told, source, now)
        added = [
            ("Path", self._own(source)),
            ("Require", "path"),
            ("P-Visited-Network-ID", f'"{self.domain}"'),
            self._charging(),
        ]
        return (request.without("Route") if "Route" in request else request).extended(added)

    def _originating(self, request: Message, source: Address) -> Message:
        """Give an initial request its way, and the identity that the network knows (TS 24.229, 5.2.6.3)."""
        association = self.associations[source]
        request = request.with_rows("Route", association.service_routes)
        added = [("P-Asserted-Identity", f"<{association.identity(request)}>"), self._charging()]
        request = request.without("P-Preferred-Identity").extended(added)
        return request.prepend("Record-Route", self._own(source)) if request.method in RECORDED else request

    def _noted(self, told: list[str], source: Address, now: float) -> None:
        if told:
            self._note(now, "removed what a UE may not say", str(source), ", ".join(told))

    def _charging(self) -> tuple[str, str]:
        icid = f"icid-value={self._token()};icid-generated-at={self.address.host}"
        return "P-Charging-Vector", icid

    def _via_port(self, destination: Address) -> int:
        """Return where the answer is awaited: that of a protected request at the protected server port."""
        return self.security.server_port if destination.is_protected else super()._via_port(destination)

    def _own(self, flow: Address, port: int | None = None) -> str:
        """Return what stands for this proxy in Path and Record-Route, with the UE behind it."""
        return f"<sip:{self._flows.make(flow)}@{self._host}:{port or self.address.port};lr>"

    def _forward(
        self, request: Message, source: Address, key: object, now: float, offer: Offer | None
    ) -> None:
        branch = self._branch()
        hops = 70 if request.max_forwards is None else request.max_forwards
        via = Via("UDP", self._host, self.address.port, Params({"branch": branch}))
        self._pending[branch] = Pending(source, key, request, now + PATIENCE, self._under, offer)
        onward = request.prepend("Via", via).with_header("Max-Forwards", hops - 1)
        # Without an answer to repeat, a REGISTER that comes again goes on again: the first may be lost.
        self._answered.answer(key, self._send(onward, self.core))

    # -- sessions: TS 24.229, 5.2.6 and 5.2.7 -----------------------------------------------

    def _route(self, context: ResponseContext, request: Message, now: float) -> None:
        source = context.source
        if source != self.core and request.to.tag is None:
            context.fork([Target(self._originating(request, source), self.core)], now)
        elif (way := self._way(request, source)) is not None:
            context.fork([way], now)
        else:
            self._note(now, "no way for a request", str(source), request.start_line)
            context.refuse(430 if source == self.core else 400, now)

    def _way(self, request: Message, source: Address) -> Target | None:
        route = next(iter(request.routes), None)
        if route is None or not self._is_ours(route, source):
            return None
        flow = self._flows.open(route.uri.user or "")
        if flow is None:
            return None
        onward = request.drop_first("Route")
        if source == self.core:
            return Target(self._terminating(onward, flow), flow)
        # RFC 5626, 5.3: a request that comes up the flow that its token names goes on to the core.
        if flow != source or "Route" not in onward:
            return None
        return Target(self._with_identity(onward, source), self.core)

    def _is_ours(self, route: NameAddr, source: Address) -> bool:
        port = self.security.server_port if source.is_protected else self.address.port
        return is_same_route(route, self.address.host, port)

    def _with_identity(self, request: Message, source: Address) -> Message:
        asserted = f"<{self.associations[source].identity(request)}>"
        return request.without("P-Preferred-Identity").extended([("P-Asserted-Identity", asserted)])

    def _terminating(self, request: Message, flow: Address) -> Message:
        """Take out what is not for a UE, and stay on the way of its dialog (TS 24.229, 5.2.6.4)."""
        request = screening.request_for_ue(request)
        if request.to.tag is None and request.method in RECORDED:
            request = request.prepend("Record-Route", self._own(flow, self._via_port(flow)))
        return request

    def _returning(self, context: ResponseContext, branch: Branch, response: Message) -> Message:
        if context.source != self.core:
            response = self._facing(response, context.source, to_ue=True)
            return screening.response_for_ue(response)
        response = self._facing(response, branch.destination, to_ue=False)
        return self._from_callee(response, context.server.request, branch.destination)

    def _facing(self, response: Message, flow: Address, *, to_ue: bool) -> Message:
        """Return a response whose Record-Route for a UE under IPsec names the port of the side it goes to.

        The UE has to come back to the protected port, and the core knows of no other than its own
        (TS 24.229, 5.2.6.3 and 5.2.6.4; RFC 3261, 16.7 step 8).
        """
        if not flow.is_protected:
            return response
        sides = self._own(flow), self._own(flow, self.security.server_port)
        here, there = sides if to_ue else sides[::-1]
        rows = response.all("Record-Route")
        if here not in rows:
            return response
        return response.with_rows("Record-Route", [there if row == here else row for row in rows])

    def _unreached(self, branch: Branch) -> int:
        return 503 if branch.destination == self.core else 430  # RFC 5626, 5.3: the flow is gone

    def _from_callee(self, response: Message, request: Message, flow: Address) -> Message:
        """Let the network, not the callee, say who has answered (TS 24.229, 5.2.6.4.4; RFC 5009, 8)."""
        response = screening.response_of_ue(response)
        association = self.associations.get(flow)
        if association is None or not 100 < response.status < 300:
            return response
        added = [("P-Asserted-Identity", f"<{association.called(request)}>")]
        if response.status < 200 and response.body and "supported" in request.p_early_media:
            added.append(("P-Early-Media", self.early_media))
        return response.extended(added)

    # -- responses --------------------------------------------------------------------------

    def _response(self, response: Message, source: Address, now: float) -> None:
        branch = response.via.branch or ""
        pending = self._pending.get(branch)
        if pending is None:
            if not self._transactions.response(response, source, now):
                self._note(now, "response to nothing that was asked", str(source), response.start_line)
            return
        if source != self.core:
            self._note(now, "response of somebody who was not asked", str(source), response.start_line)
            return
        status = response.status
        if status >= 200:
            del self._pending[branch]
        onward = response.drop_first("Via")
        if status == 401:
            onward = self._challenged(self._agreeing(onward, pending, now), pending)
        elif 200 <= status < 300:
            onward = self._registered(onward, pending, now)
        elif status >= 300 and pending.under is not None:
            self.security.failed(pending.under, now)
        self._answered.answer(pending.key, self._send(onward, pending.source))

    def _agreeing(self, response: Message, pending: Pending, now: float) -> Message:
        """Make the associations that a REGISTER has asked for, with ck and ik of the challenge."""
        if pending.offer is None:
            return response
        try:
            return self.security.challenge(pending.offer, response, now)
        except Malformed as error:  # the UE sees that there is no Security-Server, and decides
            self._note(now, "no security agreement", pending.offer.impi, str(error))
            return response

    def _challenged(self, response: Message, pending: Pending) -> Message:
        """Keep ck and ik; the UE computes its own (TS 24.229, 5.2.2)."""
        credentials = credentials_of(pending.request)
        for challenge in response.www_authenticate:
            if challenge.ck and challenge.ik and credentials is not None and credentials.username:
                self._keep_keys(credentials.username, challenge.ck, challenge.ik)
        return screening.without_keys(response, "WWW-Authenticate", response.www_authenticate)

    def _keep_keys(self, impi: str, ck: str, ik: str) -> None:
        try:
            self.session_keys[impi] = SessionKeys(bytes.fromhex(ck), bytes.fromhex(ik))
        except ValueError:
            raise Malformed("ck or ik of a challenge is not hex") from None

    def _registered(self, response: Message, pending: Pending, now: float) -> Message:
        """Remember who registered from this address, and for how long."""
        own = {str(contact.uri) for contact in pending.request.contacts}
        seconds = [contact.expires or 0 for contact in response.contacts if str(contact.uri) in own]
        if pending.under is not None:
            self.security.registered(pending.under, now, max(seconds, default=0))
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

    # -- from the core ----------------------------------------------------------------------

    def _from_core(self, request: Message, now: float) -> None:
        """Send a request of the core down the flow that its Route names (RFC 5626, 5.3)."""
        if gaps := request.gaps():
            raise Malformed(gaps[0])
        self._proxied(request, self.core, now)

    # -- time -------------------------------------------------------------------------------

    def timer(self) -> float | None:
        """Return when the oldest REGISTER runs out of patience, or a transaction wants to be looked at."""
        pending = next((pending.until for pending in self._pending.values()), None)
        times = (pending, self._timers.next(), self.security.database.timer())
        return min((at for at in times if at is not None), default=None)

    def handle_timer(self, now: float) -> None:
        """Answer 408 for the core where it did not answer, and forget old associations."""
        self.security.database.now = now
        for branch, pending in list(self._pending.items()):
            if pending.until > now:
                break
            del self._pending[branch]
            self._refuse(pending.request, 408, pending.source, pending.key)
        super().handle_timer(now)
        self.security.database.expire(now)
        self.associations = {a: s for a, s in self.associations.items() if s.expires_at > now}
