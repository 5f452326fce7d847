"""The S-CSCF: registrar, and the proxy that finds who is called.

Spec: 3GPP TS 24.229, 5.4.1 (registration) and 5.4.3 (sessions), RFC 3261 10.3 (bindings) and 16 (proxy),
RFC 3327 (Path), RFC 3680 (reg event). In this lab it does the work of the I-CSCF as well, and serves both
ends of a call in one pass.

Teaching code: it is not constant time.
"""

from functools import partial

from imslab.errors import Malformed
from imslab.ims import cx, location
from imslab.ims.authenticator import ALGORITHMS, Authenticator, Policy
from imslab.ims.bindings import OutOfOrder, Registrar, Registration
from imslab.ims.node import Address, Answered, RandomSource, credentials_of, parsed
from imslab.ims.procedure import Ask, Procedure, run
from imslab.ims.proxy import RECORDED, Proxy, ResponseContext, Target, hop, is_same_route
from imslab.ims.regevent import Watchers
from imslab.ims.words import warning
from imslab.sip import Message, transaction

__all__ = ["ALGORITHMS", "METHODS", "Policy", "Scscf"]

# Requests that may come without a dialog; REGISTER and SUBSCRIBE are for the registrar itself.
ROUTED = ("INVITE", "MESSAGE", "OPTIONS")
# What is answered when the HSS does not say yes; a 504 may be asked again (RFC 3261, 21.5.5).
_REFUSALS = {cx.Result.UNABLE_TO_DELIVER: 504, cx.Result.UNABLE_TO_COMPLY: 480}
METHODS = ", ".join(("REGISTER", "SUBSCRIBE", *ROUTED, "ACK", "CANCEL", "BYE", "PRACK", "UPDATE"))


class Scscf(Proxy):
    """The serving CSCF of one home domain.

    ``ask``  the HSS: `imslab.ims.Hss.ask`, or one that is asked over Diameter and answers later
    """

    name = "S-CSCF"

    def __init__(
        self,
        address: Address,
        domain: str,
        ask: Ask,
        *,
        random: RandomSource,
        policy: Policy | None = None,
    ) -> None:
        super().__init__(address, random)
        self.domain = domain
        self.policy = policy or Policy()
        self.registrar = Registrar()
        self._ask = ask
        self._answered = Answered()
        self._watchers = Watchers()
        self._name = f"scscf.{domain}"
        self._uri = f"sip:{self._name}:{address.port}"
        self._authenticator = Authenticator(domain, self.policy, self._uri, self._note)

    # -- the wire ---------------------------------------------------------------------------

    def receive(self, octets: bytes | Message, source: Address, now: float) -> None:
        """Take one SIP message; what is malformed is noted and dropped."""
        try:
            message = parsed(octets)
        except Malformed as error:
            self._note(now, "malformed message dropped", str(source), str(error))
            return
        if not message.is_request:
            self._response(message, source, now)
        elif message.method not in ("REGISTER", "SUBSCRIBE"):
            self._session(message, source, now)
        elif message is octets:
            # Handed over inside one process, and so not lost on the way: it comes twice only while it waits.
            self._answer(message, source, now, None)
        else:
            self._once(message, source, now)

    def _once(self, message: Message, source: Address, now: float) -> None:
        """Answer a request, or repeat the answer to one that came before (RFC 3261, 17.2.2)."""
        try:
            key = transaction.key(message)
        except Malformed as error:
            self._send(self._bad(message, source, now, error), source)
            return
        if self._answered.first_time(key, now):
            self._answer(message, source, now, key)
        elif (again := self._answered.repeated(key)) is not None:
            self._queue.append(again)

    def _answer(self, message: Message, source: Address, now: float, key: object) -> None:
        waits = True

        def answered(reply: Message, at: float) -> None:
            nonlocal waits
            waits = False
            self._answered.answer(key, self._send(reply, source))
            self._notify_watchers(at)

        def refused(error: Malformed, at: float) -> None:
            answered(self._bad(message, source, at, error), at)

        run(self._serve(message, source, now), self._ask, now, answered, refused)
        if waits and key is None:
            key = transaction.key(message)
            self._answered.first_time(key, now)

    def _bad(self, request: Message, source: Address, now: float, error: Malformed) -> Message:
        self._note(now, "malformed request", str(source), str(error))
        return Message.reply(request, 400, headers=[warning(error)])

    def _serve(self, request: Message, source: Address, now: float) -> Procedure[Message]:
        if request.method == "REGISTER":
            return (yield from self._register(request))
        return self._subscribe(request, source, now)

    def _reply(self, request: Message, status: int, headers: list[tuple[str, str]] | None = None) -> Message:
        tag = None if request.to.tag else self._token(6)
        return Message.reply(request, status, headers=headers or [], to_tag=tag)

    # -- registration: TS 24.229, 5.4.1.2 ---------------------------------------------------

    def _register(self, request: Message) -> Procedure[Message]:
        impu = request.to.uri.canonical
        credentials = credentials_of(request)
        impi = credentials.username if credentials else None
        found, now = yield cx.UserAuthorizationRequest(impu, impi, self._visited(request))
        assert isinstance(found, cx.UserAuthorizationAnswer)
        if found.result is not cx.Result.SUCCESS:
            self._note(now, "registration refused", impu, found.result.name)
            return self._reply(request, _REFUSALS.get(found.result, 403))
        verdict = yield from self._authenticator.check(request, credentials, found.impi, impu, now)
        if verdict.status != 200:
            return self._reply(request, verdict.status, headers=verdict.headers)
        return (yield from self._bind(request, found.impi, impu, now, verdict.headers))

    # -- bindings: RFC 3261, 10.3 -----------------------------------------------------------

    def _bind(
        self, request: Message, impi: str, impu: str, now: float, proof: list[tuple[str, str]]
    ) -> Procedure[Message]:
        asked = self.registrar.asked(request, self.policy.max_expires)
        if any(0 < seconds < self.policy.min_expires for seconds in asked.values()):
            return self._reply(request, 423, headers=[("Min-Expires", str(self.policy.min_expires))])
        leaving = self._leaves(impi, asked)
        known = self.registrar.registered(impi, now)
        assignment = cx.Assignment.RE_REGISTRATION if known else cx.Assignment.REGISTRATION
        if leaving:
            assignment = cx.Assignment.USER_DEREGISTRATION
        served, now = yield cx.ServerAssignmentRequest(impu, impi, self._uri, assignment)
        assert isinstance(served, cx.ServerAssignmentAnswer)
        if served.result is not cx.Result.SUCCESS:
            self._note(now, "the HSS refused the assignment", impi, served.result.name)
            return self._reply(request, _REFUSALS.get(served.result, 480))
        # A foreign HSS may leave out the profile when somebody goes (TS 29.228, 6.1.2.1).
        impus = served.impus or self.registrar.identities(impi) or (impu,)
        try:
            bound = self.registrar.update(impi, impus, request, asked, now)
        except OutOfOrder as error:
            self._note(now, "binding not changed", impi, str(error))
            return self._reply(request, 500)
        self._note(now, "de-registered" if leaving else "registered", impi, ", ".join(map(str, asked)))
        self._watchers.changed(impi)
        headers = [("Contact", f"{contact};expires={seconds}") for contact, seconds in bound]
        if not leaving:
            headers += [("Path", row) for row in request.all("Path")]
            headers.append(("Service-Route", f"<{self._uri.replace('sip:', 'sip:orig@', 1)};lr>"))
        headers.append(("P-Associated-URI", ", ".join(f"<{uri}>" for uri in impus)))
        return self._reply(request, 200, headers=headers + proof)

    # -- what the HSS says by itself: TS 29.228, 6.1.3 and 6.6 ------------------------------

    def pushed(self, push: cx.Push, now: float) -> cx.Result:
        """Let a user go (RTR), or take the identities of a changed subscription (PPR); tell the watchers."""
        registration = self.registrar.by_impi(push.impi)
        if registration is None:
            return cx.Result.USER_UNKNOWN
        if isinstance(push, cx.PushProfileRequest):
            self.registrar.rename(registration, push.impus)
            self._note(now, "profile changed by the HSS", push.impi, ", ".join(push.impus))
        elif push.impus and not set(push.impus) & set(registration.impus):
            return cx.Result.USER_UNKNOWN
        else:  # one identity of an implicit registration set takes the others with it (TS 23.228, 5.2.1a)
            self.registrar.remove(registration)
            self._note(now, "de-registered by the HSS", push.impi)
        self._watchers.changed(push.impi)
        self._notify_watchers(now)
        return cx.Result.SUCCESS

    def _leaves(self, impi: str, asked: dict[str, int]) -> bool:
        """Tell whether this REGISTER takes away every binding that there is."""
        if not asked or any(asked.values()):
            return False
        registration = self.registrar.by_impi(impi)
        left = set(registration.bindings) - set(asked) if registration is not None else set()
        return "*" in asked or not left

    # -- sessions: TS 24.229, 5.4.3 ---------------------------------------------------------

    def _response(self, response: Message, source: Address, now: float) -> None:
        try:
            if not self._transactions.response(response, source, now):
                self._watchers.answered(response)
        except Malformed as error:
            self._note(now, "malformed response", str(source), str(error))

    def _session(self, request: Message, source: Address, now: float) -> None:
        try:
            if gaps := request.gaps():
                raise Malformed(gaps[0])
            self._proxied(request, source, now)
        except Malformed as error:
            if request.method != "ACK":
                self._send(self._bad(request, source, now, error), source)

    def _route(self, context: ResponseContext, request: Message, now: float) -> None:
        if request.to.tag is not None:
            way = self._way(request, context.source)
            if way is None:
                context.refuse(481, now)
            else:
                context.fork([way], now)
        elif request.method not in ROUTED:
            context.refuse(405, now, [("Allow", METHODS)])
        else:
            run(
                self._initial(context, request, now), self._ask, now, _nothing, partial(self._broken, context)
            )

    def _way(self, request: Message, source: Address) -> Target | None:
        """Take our own Route off; what is left, or the Request-URI, says where to go (RFC 3261, 16.4)."""
        if not request.routes or not is_same_route(request.routes[0], self._name, self.address.port):
            return None
        onward = request.drop_first("Route")
        routes = onward.routes
        return Target(onward, hop(routes[0].uri if routes else onward.uri))

    def _broken(self, context: ResponseContext, error: Malformed, now: float) -> None:
        self._note(now, "malformed request", str(context.source), str(error))
        context.refuse(400, now)

    def _initial(self, context: ResponseContext, request: Message, now: float) -> Procedure[None]:
        if request.routes and request.routes[0].uri.user == "orig":
            yield from self._originating(context, request, now)
        else:
            yield from self._terminating(context, request)

    def _originating(self, context: ResponseContext, request: Message, now: float) -> Procedure[None]:
        """Serve the caller: it must be whom the P-CSCF says, and registered (TS 24.229, 5.4.3.2)."""
        asserted = next((identity.uri.canonical for identity in request.p_asserted_identity), "")
        caller = self.registrar.find(asserted)
        if caller is None or not self.registrar.registered(caller.impi, now):
            self._note(now, "call of a user who is not registered", asserted)
            context.refuse(403, now, [warning("the caller is not registered")])
            return
        if self.policy.challenge_calls and request.method == "INVITE":
            credentials = next((c for c in request.proxy_authorization if c.is_digest), None)
            verdict = yield from self._authenticator.check(request, credentials, caller.impi, asserted, now)
            if verdict.status != 200:
                context.refuse(verdict.status, now, verdict.headers)
                return
            request = request.without("Proxy-Authorization")
        yield from self._terminating(context, _with_number(request, asserted, caller))

    def _terminating(self, context: ResponseContext, request: Message) -> Procedure[None]:
        """Find the callee, and ring wherever it is registered (TS 24.229, 5.4.3.3)."""
        called, result, now = yield from location.called(request.uri)
        request = request.without("Route")
        if request.method in RECORDED:
            request = request.prepend("Record-Route", f"<{self._uri};lr>")
        targets = list(location.targets(request, self.registrar.find(called), now))
        if targets:
            context.fork(targets, now)
        elif result is cx.Result.SUCCESS:
            self._note(now, "callee is not registered", called)
            context.refuse(480, now, [warning("the callee is not registered")])
        elif result is cx.Result.UNABLE_TO_DELIVER:
            self._note(now, "no answer from the HSS", called)
            context.refuse(504, now, [warning("the HSS does not answer")])
        else:
            self._note(now, "no such user", called)
            context.refuse(404, now, [warning("the HSS knows no such user")])

    # -- reg event: TS 24.229, 5.4.2.1 ------------------------------------------------------

    def _subscribe(self, request: Message, source: Address, now: float) -> Message:
        if request.event is None or request.event.package.lower() != "reg":
            return self._reply(request, 489, headers=[("Allow-Events", "reg")])
        registration = self.registrar.find(request.to.uri.canonical)
        asserted = {identity.uri.canonical for identity in request.p_asserted_identity}
        # Only the user itself may watch; the identity is the P-CSCF's word, never the UE's.
        if registration is None or not asserted & set(registration.impus):
            return self._reply(request, 403)
        tag = request.to.tag or self._token(6)
        seconds = self._watchers.subscribe(request, registration, source, tag, now)
        headers = [("Record-Route", row) for row in request.all("Record-Route")]
        headers += [("Contact", f"<{self.address.uri}>"), ("Expires", str(seconds))]
        return Message.reply(request, 200, headers=headers, to_tag=None if request.to.tag else tag)

    def _notify_watchers(self, now: float) -> None:
        notifications = self._watchers.notifications(
            self.registrar.by_impi, via=self._via, contact=self.address.uri, now=now
        )
        for message, watcher in notifications:
            self._send(message, watcher)

    def _via(self) -> str:
        return f"SIP/2.0/UDP {self.address.host}:{self.address.port};branch={self._branch()}"

    def _visited(self, request: Message) -> str:
        return (request.get("P-Visited-Network-ID") or self.domain).strip('"')

    # -- time -------------------------------------------------------------------------------

    def timer(self) -> float | None:
        """Return when the next binding, subscription or transaction is due.

        Old challenges go when a new one is made.
        """
        times = (self.registrar.timer(), self._watchers.timer(), super().timer())
        return min((at for at in times if at is not None), default=None)

    def handle_timer(self, now: float) -> None:
        """Drop what has run out, and tell the HSS and the watchers (TS 24.229, 5.4.1.5)."""
        for impi, impus in self.registrar.expire(now):
            self._note(now, "registration expired", impi)
            timeout = cx.Assignment.TIMEOUT_DEREGISTRATION
            # Whatever the HSS says to that, the user is not registered here any more.
            self._ask(cx.ServerAssignmentRequest(impus[0], impi, self._uri, timeout), now)
            self._watchers.changed(impi)
        self._watchers.expire(now)
        self._authenticator.forget(now)
        super().handle_timer(now)
        self._notify_watchers(now)


def _with_number(request: Message, asserted: str, caller: Registration) -> Message:
    """Add the caller's telephone number to the asserted identity (TS 24.229, 5.4.3.2)."""
    number = next((impu for impu in caller.impus if impu.startswith("tel:")), None)
    if number is None or asserted.startswith("tel:"):
        return request
    return request.append("P-Asserted-Identity", f"<{number}>")


def _nothing(result: None, now: float) -> None:
    """Take the end of a procedure that has done all it had to do."""
