"""The tap: one clock for everybody, and every packet, APDU and Cx message into one trace.

A trace is written as the layers above saw it, so no packet socket and no root are needed. The
hops inside the embedded core are handed over in memory; they are written as the datagrams (SIP)
and the TCP stream (Diameter) that they would be between two machines.
"""

import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from imslab.ims.cx import Answer, Request
from imslab.ims.node import Address
from imslab.net import cx as diameter
from imslab.uicc import gsmtap
from imslab.uicc.link import Exchange

if TYPE_CHECKING:
    from imslab.net.trace import TraceWriter

_CX_CLIENT_PORT = 40_000  # where the S-CSCF's connection to the HSS begins


class Clock:
    """Epoch seconds that never go back: wall time at the start, the steady counter from there."""

    def __init__(self) -> None:
        self._epoch = time.time() - time.perf_counter()

    def __call__(self) -> float:
        """Return now, in epoch seconds."""
        return self._epoch + time.perf_counter()


class Tap:
    """Notes what passes between the nodes, and writes it into ``writer`` when it is flushed.

    Writing costs more than a node's own work, so it waits: a trace shows what the nodes did and
    not what it cost to watch them. ``hss`` is where the trace shows the HSS (TCP port 3868).
    """

    def __init__(self, writer: "TraceWriter", clock: Clock, *, hss: str = "127.0.0.41") -> None:
        self.writer, self.clock = writer, clock
        self._hss = (hss, diameter.PORT)
        self._noted: list[Callable[[], None]] = []
        self._diameter: set[tuple[str, int]] = set()
        self._identifier = 0
        import_module("diameter.message")  # a third of a second that no login should seem to take

    def datagram(self, source: Address, destination: Address, octets: bytes) -> None:
        """Record one SIP message over UDP."""
        self._note(self.writer.udp, self.clock(), source[:2], destination[:2], octets)

    def opened(self, client: Address, server: Address) -> None:
        """Record a new TCP connection."""
        self._note(self.writer.tcp_open, self.clock(), client[:2], server[:2])

    def stream(self, source: Address, destination: Address, octets: bytes) -> None:
        """Record octets on a TCP connection, as they stood on the wire."""
        self._note(self.writer.tcp, self.clock(), source[:2], destination[:2], octets)

    def closed(self, source: Address, destination: Address) -> None:
        """Record the end of a TCP connection."""
        self._note(self.writer.tcp_close, self.clock(), source[:2], destination[:2])

    def card(self, terminal: str, card: str, exchange: Exchange) -> None:
        """Record what a terminal and its card said."""
        self._note(self._write_exchange, terminal, card, exchange)

    def reset(self, terminal: str, card: str, atr: bytes) -> None:
        """Record an answer to reset."""
        self._note(self._write_reset, self.clock(), terminal, card, atr)

    def asked(self, scscf: Address, request: Request, answer: Answer, asked: float, answered: float) -> None:
        """Record one question to the HSS, asked and answered at these times."""
        self._note(self._write_cx, scscf, request, answer, asked, answered)

    def flush(self) -> None:
        """Write what was noted, in the order in which it happened."""
        noted, self._noted = self._noted, []
        for write in noted:
            write()
        self.writer.flush()

    def _note(self, write: Callable[..., None], *arguments: Any) -> None:
        self._noted.append(partial(write, *arguments))

    def _write_exchange(self, terminal: str, card: str, exchange: Exchange) -> None:
        payloads = gsmtap.encode_exchange(exchange.command, exchange.response)
        self.writer.apdu(exchange.at, exchange.seconds, terminal, card, payloads)

    def _write_reset(self, at: float, terminal: str, card: str, atr: bytes) -> None:
        self.writer.apdu(at, 0.0, terminal, card, [gsmtap.encode_atr(atr)])

    def _write_cx(
        self, scscf: Address, request: Request, answer: Answer, asked: float, answered: float
    ) -> None:
        client = (scscf.host, _CX_CLIENT_PORT)
        if client not in self._diameter:
            self._diameter.add(client)
            self.writer.tcp_open(asked, client, self._hss)
        self._identifier += 1
        question, reply = diameter.encode(request, answer, self._identifier)
        self.writer.tcp(asked, client, self._hss, question)
        self.writer.tcp(answered, self._hss, client, reply)
