"""The S-CSCF's end of a Cx connection, as a machine: octets and ``now`` in, octets and answers out.

Spec: RFC 6733, 5.3 (capabilities), 5.4 (disconnection), 5.5 and RFC 3539, 3.4 (watchdog), 5.6 (states of a
peer); 3GPP TS 29.228. Who asks gets a `Later`, and in any case an answer: that of the HSS, or
UNABLE_TO_DELIVER when the connection is not there, is lost, or is silent for too long. Nothing is asked
twice: a MAR that came twice would use up a SQN, and the UE sends its REGISTER again by itself.
"""

from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from typing import NamedTuple

from imslab.errors import Malformed
from imslab.ims import cx as values
from imslab.ims.node import RandomSource
from imslab.ims.procedure import Later
from imslab.net import cx, diameter
from imslab.sip import Uri

PATIENCE = 5.0  # seconds that an answer may take
WATCHDOG = 30.0  # seconds of silence after which the peer is asked for a sign of life (RFC 3539, 3.4.1: Tw)
MOST = 10_000  # questions that wait at a time; the next one is not delivered

Pushed = Callable[[values.Push, float], values.Result]  # what the HSS says by itself -> what to answer
Note = Callable[[float, str, str, str], None]  # now, what, about, why


class State(Enum):
    """Names of RFC 6733, 5.6."""

    CLOSED = "Closed"
    WAIT_CEA = "Wait-I-CEA"
    OPEN = "I-Open"


class _Question(NamedTuple):
    request: values.Request
    later: Later
    until: float


class CxPeer:
    """One HSS, over one connection after the other.

    ``node``     what we say of ourselves
    ``random``   gives the first identifier, so that those of two runs differ (RFC 6733, section 3)
    ``pushed``   carries out RTR and PPR
    ``note``     writes a line into the log
    """

    def __init__(self, node: diameter.Node, *, random: RandomSource, pushed: Pushed, note: Note) -> None:
        self.node = node
        self.state = State.CLOSED
        self.identity, self.realm = "", node.realm  # of the HSS; as it names itself in its CEA
        self._pushed, self._note = pushed, note
        self._identifier = int.from_bytes(random(4))
        self._session = random(4).hex()
        self._framer = diameter.Framer()
        self._queue: list[bytes] = []
        self._waiting: dict[int, _Question] = {}
        self._heard, self._probed = 0.0, False

    # -- the connection -------------------------------------------------------------------------

    def connected(self, now: float) -> None:
        """Begin on a new connection: say who we are (CER)."""
        self.state, self._framer = State.WAIT_CEA, diameter.Framer()
        self._heard, self._probed = now, False
        self._queue = [self.node.request(diameter.CAPABILITIES_EXCHANGE, self._next())]

    def lost(self, now: float, why: str = "") -> None:
        """Take notice that the connection is gone: nothing that was asked will be answered."""
        if self.state is State.CLOSED:
            return
        if self.state is State.OPEN:
            self._note(now, "HSS lost", self.identity, why)
        self.state, self._queue = State.CLOSED, []
        waiting, self._waiting = self._waiting, {}
        for question in waiting.values():
            self._undelivered(question, now)

    def leave(self, now: float) -> None:
        """Say goodbye (DPR); the owner sends what is ``outgoing`` and closes."""
        if self.state is State.OPEN:
            farewell = self.node.request(diameter.DISCONNECT_PEER, self._next())
            self.lost(now)
            self._queue = [farewell]

    def outgoing(self) -> list[bytes]:
        """Return, once, what is to be sent now."""
        queue, self._queue = self._queue, []
        return queue

    # -- questions ------------------------------------------------------------------------------

    def ask(self, request: values.Request, now: float) -> values.Answer | Later:
        """Send a question; the answer comes later, unless it cannot be sent."""
        if self.state is not State.OPEN or len(self._waiting) >= MOST:
            return values.failure(request, values.Result.UNABLE_TO_DELIVER)
        identifier, later = self._next(), Later()
        peers = cx.Peers(self.node.host, self.identity, self.realm)
        session = f"{self.node.host};{self._session};{identifier}"
        self._queue.append(cx.encode_request(request, peers, session=session, identifier=identifier))
        self._waiting[identifier] = _Question(request, later, now + PATIENCE)
        return later

    def receive(self, octets: bytes, now: float) -> None:
        """Take octets of the stream; what is no Diameter ends the connection."""
        try:
            for message in self._framer.receive(octets):
                self._heard, self._probed = now, False
                self._take(message, now)
        except Malformed as error:
            self._note(now, "no Diameter", self.identity, str(error))
            self.lost(now, "it sends what is no Diameter")

    def _take(self, octets: bytes, now: float) -> None:
        said = cx.decode(octets)
        if self.state is State.WAIT_CEA:
            self._introduced(octets, said, now)
        elif self.state is State.OPEN and said.is_request:
            self._asked(octets, said, now)
        elif (question := self._waiting.pop(said.identifier, None)) is not None:
            question.later.answer(self._read(question.request, said, now), now)
        # else a late answer, or one to our DWR: that it came is all it says

    def _introduced(self, octets: bytes, said: cx.CxMessage, now: float) -> None:
        if said.name != "CEA" or said.result != diameter.SUCCESS:
            self._note(now, "HSS refused us", said.origin, f"{said.name}, result {said.result}")
            self.lost(now)
            return
        _, avps = diameter.parse(octets)
        self.state, self.identity = State.OPEN, said.origin
        self.realm = avps.text(diameter.ORIGIN_REALM) or self.node.realm
        self._note(now, "HSS found", self.identity, "")

    def _asked(self, octets: bytes, said: cx.CxMessage, now: float) -> None:
        """Answer what the HSS asks: RTR, PPR, and what Diameter itself asks."""
        if said.name in ("RTR", "PPR"):
            # A PPR that names no identity changes nothing that we keep.
            push = said.value if isinstance(said.value, values.Push) else None
            result = values.Result.SUCCESS if push is None else self._pushed(push, now)
            self._queue.append(cx.encode_push_answer(said, result, self.node.host, self.node.realm))
            return
        known = (diameter.DEVICE_WATCHDOG, diameter.DISCONNECT_PEER)
        code = diameter.SUCCESS if said.command in known else diameter.UNSUPPORTED_COMMAND
        reply = self.node.answer(diameter.parse(octets)[0], code)
        if said.command == diameter.DISCONNECT_PEER:
            self.lost(now, "it says goodbye")
        self._queue.append(reply)

    def _read(self, request: values.Request, said: cx.CxMessage, now: float) -> values.Answer:
        """Return what an answer says to ``request``: all that it needs, or why there is nothing."""
        answer, expected = said.value, type(values.failure(request, values.Result.SUCCESS))
        if not isinstance(answer, expected):
            self._note(now, "the HSS refused", said.name, f"result {said.result}")
            undelivered = 3000 <= (said.result or 0) < 4000  # RFC 6733, 7.1.3: it never came so far
            result = values.Result.UNABLE_TO_DELIVER if undelivered else values.Result.UNABLE_TO_COMPLY
            return values.failure(request, result)
        if isinstance(answer, values.UserAuthorizationAnswer) and not answer.impi:
            # A UAA of TS 29.229 does not name the private identity: it is the one that was asked about.
            return replace(answer, impi=request.impi or request.impu.partition(":")[2])  # type: ignore[union-attr]
        if isinstance(answer, values.ServerAssignmentAnswer):
            return replace(answer, impus=tuple(_canonical(impu) for impu in answer.impus))
        return answer

    def _undelivered(self, question: _Question, now: float) -> None:
        question.later.answer(values.failure(question.request, values.Result.UNABLE_TO_DELIVER), now)

    def _next(self) -> int:
        self._identifier = (self._identifier + 1) % 2**32
        return self._identifier

    # -- time -----------------------------------------------------------------------------------

    def timer(self) -> float | None:
        """Return when the oldest question, or the connection, runs out of patience."""
        if self.state is State.CLOSED:
            return None
        if self.state is State.WAIT_CEA:
            return self._heard + PATIENCE
        oldest = next((question.until for question in self._waiting.values()), None)
        alive = self._heard + (2 if self._probed else 1) * WATCHDOG
        return alive if oldest is None else min(oldest, alive)

    def handle_timer(self, now: float) -> None:
        """Give up questions that were not answered, ask for a sign of life, or give up the connection."""
        for identifier, question in list(self._waiting.items()):
            if question.until > now:
                break
            del self._waiting[identifier]
            self._note(now, "no answer from the HSS", self.identity, f"in {PATIENCE:g} s")
            self._undelivered(question, now)
        due = self.timer()
        if due is None or due > now:
            return
        if self.state is State.WAIT_CEA or self._probed:
            self.lost(now, "it is silent")
        else:
            self._probed = True
            self._queue.append(self.node.request(diameter.DEVICE_WATCHDOG, self._next()))


def _canonical(impu: str) -> str:
    try:
        return Uri.parse(impu).canonical
    except Malformed:
        return impu  # a wildcarded identity, say: nobody is found by it here
