"""A network in which datagrams are lost, doubled and overtake each other; its clock is simulated."""

import heapq
import itertools
import random

from imslab.errors import ImslabError


class LossyNetwork:
    """Nodes and the links between them; every datagram takes its own time.

    ``loss``, ``double``  how often, 0 to 1;  ``slowest``: seconds that a datagram takes at most
    """

    def __init__(self, seed, *, loss=0.0, double=0.0, slowest=0.0):
        self.now = 1000.0
        self.sent = self.lost = self.doubled = self.overtaken = 0
        self.events = []
        self._random = random.Random(seed)
        self._loss, self._double, self._slowest = loss, double, slowest
        self._nodes, self._cards = {}, {}
        self._due = {}  # node -> when its timer was last set to
        self._heap, self._order = [], itertools.count()
        self._last = {}  # link -> when its latest datagram arrives

    def add(self, node, card=None):
        self._nodes[node.address[:2]] = node
        self._cards[node] = card

    def at(self, when, action):
        """Call ``action(now)`` at ``when``."""
        heapq.heappush(self._heap, (when, next(self._order), action))

    def run(self, until):
        """Let everything happen that happens before ``until``."""
        while self._heap and self._heap[0][0] <= until:
            self.now, _, action = heapq.heappop(self._heap)
            action(self.now)
        self.now = until

    def settle(self, node):
        """Carry what ``node`` wants sent, ask its card, and set its clock."""
        card = self._cards[node]
        while card is not None and (request := node.card_request()) is not None:
            try:
                answer = card.authenticate(request.rand, request.autn)
            except ImslabError as error:
                answer = error
            node.card_answered(answer, self.now)
        for send in node.outgoing():
            self._carry(send)
        self.events += node.events()
        at = node.timer()
        if at is not None and at < self._due.get(node, float("inf")):
            self._due[node] = at
            self.at(at, lambda now: self._fire(node, at))

    def _fire(self, node, at):
        if self._due.get(node) != at:
            return  # it was set to an earlier time
        del self._due[node]
        due = node.timer()
        if due is not None and due <= self.now:
            node.handle_timer(self.now)
        self.settle(node)

    def _carry(self, send):
        self.sent += 1
        if self._random.random() < self._loss:
            self.lost += 1
            return
        copies = 2 if self._random.random() < self._double else 1
        self.doubled += copies - 1
        for _ in range(copies):
            arrival = self.now + self._slowest * self._random.random()
            link = send.source, send.destination
            self.overtaken += arrival < self._last.get(link, 0.0)
            self._last[link] = max(arrival, self._last.get(link, 0.0))
            self.at(arrival, lambda now: self._arrive(send))

    def _arrive(self, send):
        node = self._nodes[send.destination[:2]]
        node.receive(send.octets, send.source, self.now)
        self.settle(node)
