"""The loop that drives the machines of ``imslab.ims``: it owns their clock and their wires.

A node is fed with what arrives. What it wants sent goes either straight to another node of the
same driver, or out through a wire (UDP, TCP, WebSocket). One timer serves all its nodes.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from imslab.errors import Malformed
from imslab.ims.node import Address, Event, Node, Send
from imslab.net.tap import Clock, Tap


class Wire(Protocol):
    """A way out for one transport: a UDP socket, or all TCP or WebSocket connections of a node."""

    def send(self, octets: bytes, destination: Address) -> bool:
        """Send one SIP message; return False when ``destination`` cannot be reached by this wire."""
        ...

    def close(self) -> None:
        """Close every socket of the wire."""
        ...


class Driver:
    """Some nodes that run in one event loop.

    ``on_event``  called with each event of each node
    ``after``     called with a node after each of its steps
    """

    def __init__(
        self,
        clock: Clock,
        tap: Tap | None = None,
        *,
        on_event: Callable[[Event], None] | None = None,
        after: Callable[[Node], None] | None = None,
    ) -> None:
        self.clock, self.tap = clock, tap
        self._on_event, self._after = on_event, after
        self._nodes: list[Node] = []
        self._inside: dict[Address, Node] = {}
        self._wires: dict[tuple[int, str], Wire] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._due = float("inf")

    def add(self, *nodes: Node) -> None:
        """Drive these nodes; each reaches the others in memory, at their addresses."""
        for node in nodes:
            self._nodes.append(node)
            self._inside[node.address] = node

    def attach(self, node: Node, transport: str, wire: Wire) -> None:
        """Let ``node`` send to the world over ``transport`` through ``wire``."""
        self._wires[id(node), transport] = wire

    def arrived(self, node: Node, octets: bytes, source: Address) -> None:
        """Feed ``node`` with a message that a wire received."""
        node.receive(octets, source, self.clock())
        self.step(node)

    def step(self, node: Node) -> None:
        """Carry what ``node`` wants sent, and all that follows from it inside."""
        waiting = [node]
        while waiting:
            current = waiting.pop()
            for send in current.outgoing():
                target = self._inside.get(send.destination)
                if target is not None and target is not current:
                    self._hand_over(send, target)
                    waiting.append(target)
                elif not self._transmit(current, send):
                    current.unreachable(send, self.clock())
            self._settle(current)

    def note(self, event: Event) -> None:
        """Report something that happened at a wire."""
        if self._on_event is not None:
            self._on_event(event)

    def close(self) -> None:
        """Stop the timer and close all wires."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for wire in self._wires.values():
            wire.close()
        self._wires.clear()

    def _hand_over(self, send: Send, target: Node) -> None:
        if self.tap is not None:
            self.tap.datagram(send.source, target.address, send.octets)
        target.receive(send.message or send.octets, send.source, self.clock())

    def _transmit(self, node: Node, send: Send) -> bool:
        wire = self._wires.get((id(node), send.destination.transport))
        return wire is not None and wire.send(send.octets, send.destination)

    def _settle(self, node: Node) -> None:
        events = node.events()
        if self._on_event is not None:
            for event in events:
                self._on_event(event)
        if self._after is not None:
            self._after(node)
        at = node.timer()
        if at is not None and at < self._due:
            self._arm(at)

    def _arm(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._due = at
        delay = max(0.0, at - self.clock())
        self._timer = asyncio.get_running_loop().call_later(delay, self._fire)

    def _fire(self) -> None:
        self._timer, self._due = None, float("inf")
        now = self.clock()
        for node in self._nodes:
            at = node.timer()
            if at is not None and at <= now:
                try:
                    node.handle_timer(now)
                except Malformed as error:
                    self.note(Event(now, node.name, "timer failed", why=str(error)))
                self.step(node)
            elif at is not None and at < self._due:
                self._arm(at)
