"""A network in one thread: nodes, their cards, and a clock that stands still until it is moved.

Nothing here waits. ``run`` delivers until nobody has anything to say; ``advance`` moves the clock
and fires the timers on the way. ``intercept`` sees each message before it arrives: return it, drop
it, double it, forge it. Whoever wants to know what arrived reads ``passed``; ``history`` has the times,
and what was lost on the way.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

from imslab.errors import ImslabError
from imslab.ims.indications import Indication
from imslab.ims.node import Address, Event, Node, Send
from imslab.ims.ue import CardAnswer, Ue

Intercept = Callable[[Send], Iterable[Send]]
Owner = Callable[[Indication, float], None]  # what a person does, or a program, when a UE tells something


class Card(Protocol):
    """Whoever can answer a challenge: ``imslab.uicc.IsimClient``, or a forger."""

    def authenticate(self, rand: bytes, autn: bytes) -> CardAnswer:
        """Return RES, CK and IK, or raise an error of the tree in ``imslab.errors``."""
        ...


class Passage(NamedTuple):
    """One message on its way, at ``at`` seconds of the network's clock; ``lost`` when it never arrived."""

    at: float
    send: Send
    lost: bool


class Network:
    """Some nodes, each reachable at its address.

    ``now``        seconds; moved by ``advance`` only
    ``intercept``  gets each message and returns the messages to deliver in its place
    ``most``       messages in one run: more than that is a loop, and an ImslabError
    """

    def __init__(
        self, *nodes: Node, now: float = 0.0, intercept: Intercept | None = None, most: int = 10_000
    ) -> None:
        self.now, self.intercept = now, intercept
        self.passed: list[Send] = []
        self.history: list[Passage] = []
        self.log: list[Event] = []
        self._nodes: dict[tuple[str, int], Node] = {}
        self._hosts: dict[str, Node] = {}  # ESP goes from address to address, and has no ports
        self._cards: dict[int, Card] = {}
        self._owners: dict[int, Owner] = {}
        self._most = most
        for node in nodes:
            self.add(node)

    def add(self, node: Node, card: Card | None = None) -> None:
        """Connect ``node``; a Ue comes with the card that answers its challenges."""
        self._nodes[node.address[:2]] = self._hosts[node.address.host] = node
        if card is not None:
            self._cards[id(node)] = card

    def own(self, ue: Ue, owner: Owner) -> None:
        """Let ``owner`` hear what ``ue`` tells, as it happens; else it waits in ``ue.indications()``."""
        self._owners[id(ue)] = owner

    @property
    def nodes(self) -> list[Node]:
        """The nodes that are connected."""
        return list(self._nodes.values())

    def inject(self, octets: bytes, source: Address, destination: Address) -> list[Send]:
        """Deliver octets that no node has sent, as an attacker would, and run."""
        start = len(self.passed)
        self._deliver(Send(octets, source, destination))
        self.run()
        return self.passed[start:]

    def run(self) -> list[Send]:
        """Deliver until nobody has anything to say; return what passed."""
        start = len(self.passed)
        while True:
            sends = [send for node in self._nodes.values() for send in self._collect(node)]
            if not sends:
                return self.passed[start:]
            for send in sends:
                arriving = [send] if self.intercept is None else list(self.intercept(send))
                if not arriving:
                    self.history.append(Passage(self.now, send, lost=True))
                for kept in arriving:
                    self._deliver(kept)
            if len(self.passed) - start > self._most:
                raise ImslabError(f"more than {self._most} messages: two nodes answer each other for ever")

    def advance(self, seconds: float) -> list[Send]:
        """Let ``seconds`` pass: fire each timer at its time, and deliver what comes of it."""
        start, end = len(self.passed), self.now + seconds
        while (at := self._next_timer()) is not None and at <= end:
            self.now = max(self.now, at)
            for node in self._nodes.values():
                due = node.timer()
                if due is not None and due <= self.now:
                    node.handle_timer(self.now)
            self.run()
        self.now = end
        return self.passed[start:]

    def _next_timer(self) -> float | None:
        return min((at for node in self._nodes.values() if (at := node.timer()) is not None), default=None)

    def _deliver(self, send: Send) -> None:
        self.passed.append(send)
        self.history.append(Passage(self.now, send, lost=False))
        to = send.destination
        target = self._hosts.get(to.host) if to.is_protected else self._nodes.get(to[:2])
        if target is not None:
            target.receive(send.octets, send.source, self.now)

    def _collect(self, node: Node) -> list[Send]:
        if isinstance(node, Ue) and (request := node.card_request()) is not None:
            answer: CardAnswer | ImslabError
            try:
                answer = self._cards[id(node)].authenticate(request.rand, request.autn)
            except ImslabError as error:
                answer = error
            node.card_answered(answer, self.now)
        if (owner := self._owners.get(id(node))) is not None and isinstance(node, Ue):
            for indication in node.indications():
                owner(indication, self.now)
        self.log += node.events()
        return node.outgoing()
