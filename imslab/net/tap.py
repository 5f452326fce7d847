"""The tap: one clock for everybody, and every packet, APDU, Cx message and secret into one trace.

A trace is written as the layers above saw it, so no packet socket and no root are needed. The
hops inside the embedded core are handed over in memory; they are written as the datagrams (SIP)
and the TCP stream (Diameter) that they would be between two machines.
"""

import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from imslab.ims.cx import Answer, Request
from imslab.ims.node import Address
from imslab.net import cx as diameter
from imslab.net.packet import Endpoint
from imslab.uicc import gsmtap
from imslab.uicc.link import Exchange

if TYPE_CHECKING:
    from imslab.net.trace import TraceWriter

_CX_CLIENT_PORT = 40_000  # where the S-CSCF's connection to the HSS begins
_MOST_MEDIA = 256 * 1024 * 1024  # octets of media: a call that nobody hangs up must not eat the memory


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
    ``unrecorded`` counts datagrams of media that came after ``most_media`` octets of them.
    """

    def __init__(
        self,
        writer: "TraceWriter",
        clock: Clock,
        *,
        hss: str = "127.0.0.41",
        most_media: int = _MOST_MEDIA,
    ) -> None:
        self.writer, self.clock = writer, clock
        self.unrecorded = 0
        self._media_left = most_media
        self._senders: set[Endpoint] = set()
        self._hss = (hss, diameter.PORT)
        self._noted: list[tuple[float, Callable[[], None]]] = []
        self._diameter: set[tuple[str, int]] = set()
        self._identifier = 0
        import_module("diameter.message")  # a third of a second that no login should seem to take

    def datagram(
        self, source: Address, destination: Address, octets: bytes, *, at: float | None = None
    ) -> None:
        """Record one SIP message over UDP, seen now or, by somebody else, ``at`` epoch seconds."""
        self._note(self.writer.udp, self.clock() if at is None else at, source[:2], destination[:2], octets)

    def esp(self, source: str, destination: str, octets: bytes) -> None:
        """Record one ESP packet, which goes from address to address."""
        self._note(self.writer.esp, self.clock(), source, destination, octets)

    def opened(self, client: Address, server: Address) -> None:
        """Record a new TCP connection."""
        self._note(self.writer.tcp_open, self.clock(), client[:2], server[:2])

    def stream(
        self, source: Address, destination: Address, octets: bytes, *, at: float | None = None
    ) -> None:
        """Record octets on a TCP connection, as they stood on the wire; ``at`` as in ``datagram``."""
        self._note(self.writer.tcp, self.clock() if at is None else at, source[:2], destination[:2], octets)

    def closed(self, source: Address, destination: Address) -> None:
        """Record the end of a TCP connection."""
        self._note(self.writer.tcp_close, self.clock(), source[:2], destination[:2])

    def media(self, source: Endpoint, destination: Endpoint, octets: bytes, *, arrived: bool = False) -> None:
        """Record one datagram of a call, as it stood on the wire: STUN, DTLS, RTP, RTCP or their SRTP.

        An endpoint tells what it sends, and what ``arrived``. Each datagram is recorded once, and where both
        ends tell this tap that is when it is sent: what arrives from somebody who has told what he sends is
        known already. So a datagram that the kernel loses between two of our ends is in the trace.
        """
        if not arrived:
            self._senders.add(source)
        elif source in self._senders:
            return
        if len(octets) > self._media_left:
            self.unrecorded += 1
            return
        self._media_left -= len(octets)
        self._note(self.writer.udp, self.clock(), source, destination, octets)

    def secret(self, line: bytes) -> None:
        """Keep one line of a key log (NSS format); ``writer.with_secrets`` puts it into the trace."""
        self.writer.secret(line)

    def card(self, terminal: str, card: str, exchange: Exchange) -> None:
        """Record what a terminal and its card said."""
        self._note(self._write_exchange, exchange.at, terminal, card, exchange)

    def reset(self, terminal: str, card: str, atr: bytes) -> None:
        """Record an answer to reset."""
        self._note(self._write_reset, self.clock(), terminal, card, atr)

    def asked(self, scscf: Address, request: Request, answer: Answer, asked: float, answered: float) -> None:
        """Record one question to the HSS, asked and answered at these times."""
        self._note(self._write_cx, asked, answered, scscf, request, answer)

    def flush(self) -> None:
        """Write what was noted, in the order in which it happened."""
        noted, self._noted = self._noted, []
        for _, write in sorted(noted, key=itemgetter(0)):  # what somebody else saw is told a little later
            write()
        self.writer.flush()

    def _note(self, write: Callable[..., None], at: float, *arguments: Any) -> None:
        self._noted.append((at, partial(write, at, *arguments)))

    def _write_exchange(self, at: float, terminal: str, card: str, exchange: Exchange) -> None:
        payloads = gsmtap.encode_exchange(exchange.command, exchange.response)
        self.writer.apdu(at, exchange.seconds, terminal, card, payloads)

    def _write_reset(self, at: float, terminal: str, card: str, atr: bytes) -> None:
        self.writer.apdu(at, 0.0, terminal, card, [gsmtap.encode_atr(atr)])

    def _write_cx(
        self, asked: float, answered: float, scscf: Address, request: Request, answer: Answer
    ) -> None:
        client = (scscf.host, _CX_CLIENT_PORT)
        if client not in self._diameter:
            self._diameter.add(client)
            self.writer.tcp_open(asked, client, self._hss)
        self._identifier += 1
        question, reply = diameter.encode(request, answer, self._identifier)
        self.writer.tcp(asked, client, self._hss, question)
        self.writer.tcp(answered, self._hss, client, reply)
