"""What every call is, whoever began it: its state, its moments, its end.

Spec: RFC 3261, 13 to 15; 3GPP TS 24.229, 5.1.3 (calling) and 5.1.4 (being called). ``outgoing.py`` has the
caller's half up to the answer, ``incoming.py`` the callee's; ``leg.py`` what both do from there on. Media are
octets of SDP that the owner brings: here is only checked that offer and answer fit each other (RFC 3264).
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum

from imslab.errors import CallFailed
from imslab.ims.agent import UserAgent
from imslab.ims.indications import Ended, Ending
from imslab.ims.leg import Leg
from imslab.ims.session_timer import LEAST
from imslab.ims.transactions import Server
from imslab.sip import Message


class CallState(Enum):
    """Where a call stands."""

    CALLING = "calling"  # INVITE sent or received, nothing else
    RINGING = "ringing"
    ANSWERED = "answered"  # by us, and the ACK is not here yet
    CONFIRMED = "confirmed"
    ENDING = "ending"  # CANCEL or BYE sent
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Times:
    """How long a call waits, in seconds.

    ``no_answer``  an INVITE may ring; then the caller cancels, and the callee refuses with 480
    ``session``    the session interval of RFC 4028: within it a peer or a core that is gone is noticed;
                   a peer that asks for less than ``least`` is told so (422)
    ``offer``      the owner may think about a change that the peer offers; then it is refused
    """

    no_answer: float = 120.0
    session: int = LEAST
    least: int = LEAST
    offer: float = 20.0


class Call(ABC):
    """One call, as one of its two ends sees it.

    ``peer``         who the other one is: of the network's word where ``is_asserted``, else by its own
    ``moments``      name -> seconds: invited, ringing, answered, acknowledged, ended
    ``early_media``  what the network allows before the answer (RFC 5009); "" when it said nothing
    ``ending``       why it is over; None while it is not
    """

    is_outgoing = False

    def __init__(self, agent: UserAgent, call_id: str, peer: str, times: Times, now: float) -> None:
        self.agent, self.id, self.peer, self.times = agent, call_id, peer, times
        self.is_asserted = False
        self.state = CallState.CALLING
        self.moments: dict[str, float] = {"invited": now}
        self.early_media = ""
        self.leg: Leg | None = None
        self.ending: Ending | None = None

    def __repr__(self) -> str:
        way = "to" if self.is_outgoing else "from"
        return f"<{type(self).__name__} {way} {self.peer}: {self.state.value}>"

    @property
    def local(self) -> bytes:
        """Our session description that is in force; b"" while nothing is agreed."""
        return self.leg.negotiation.local if self.leg is not None else b""

    @property
    def remote(self) -> bytes:
        """The peer's session description that is in force; b"" while nothing is agreed."""
        return self.leg.negotiation.remote if self.leg is not None else b""

    @abstractmethod
    def hang_up(self, now: float, reason: str = "") -> None:
        """End the call, whatever its state: CANCEL, a refusal, or BYE."""

    @property
    def is_answered(self) -> bool:
        """Whether the callee has answered, and nobody has hung up."""
        return self.state in (CallState.ANSWERED, CallState.CONFIRMED)

    def connected(self) -> Leg:
        """Return the leg of an answered call, or raise CallFailed."""
        if self.leg is None or not self.is_answered:
            raise CallFailed(f"the call is {self.state.value}", status=None, advice="wait for its answer")
        return self.leg

    @property
    def legs(self) -> list[Leg]:
        """Every dialog of the call."""
        return [] if self.leg is None else [self.leg]

    def acknowledged(self, ack: Message, now: float) -> None:
        """Take the ACK of a 2xx of ours."""
        if self.leg is not None:
            self.leg.acknowledged(ack, now)

    def leaves(self, leg: Leg) -> None:
        """Take notice that our BYE is on its way."""
        if self.leg is leg and self.ending is None:
            self.state = CallState.ENDING

    def left(self, leg: Leg, reason: str, now: float) -> None:
        """Take notice that the peer has left, or is gone."""
        if self.leg is leg:
            self.over(Ending(None, reason, "peer"), now)

    def prack(self, server: Server, now: float) -> None:
        """Take a PRACK; only a call that came in has anything that needs one."""
        server.reply(481, now)

    def reached(self) -> Leg:
        """Return the leg with whoever has begun to answer, or CallFailed when nobody has."""
        leg = self.leg or next(iter(self.legs), None)
        if leg is None or self.ending is not None:
            raise CallFailed(f"the call is {self.state.value}", status=None, advice="nobody to talk to")
        return leg

    def over(self, ending: Ending, now: float) -> None:
        """Take the end of the call, once."""
        if self.ending is not None:
            return
        self.ending, self.state = ending, CallState.ENDED
        self.moments["ended"] = now
        self.stop(now)
        self.agent.note(now, "call ended", f"{self.peer}: {ending.reason}")
        self.agent.indicate(Ended(self, ending))

    def stop(self, now: float) -> None:
        """Let go of every timer."""
        if self.leg is not None:
            self.leg.stop(now)

    def moment(self, name: str, now: float) -> None:
        """Note when something happened for the first time."""
        self.moments.setdefault(name, now)
