"""The software card in a virtual reader: whatever speaks PC/SC can use it.

Spec: vsmartcard's virtualsmartcard/src/vpcd/vpcd.h. The driver ``vpcd`` in pcscd listens on TCP port 35963
(a second slot on 35964); the card connects to it. A frame is two octets length, big endian, then the body.
One octet from the reader is a control: 0 power off, 1 power on, 2 reset, 4 ATR, which alone is answered; more
is a command APDU.
"""

import contextlib
import socket
import time
from collections.abc import Callable

from imslab.errors import CardError, Malformed
from imslab.uicc.link import Link

PORT = 35963
POWER_OFF, POWER_ON, RESET, ATR = 0, 1, 2, 4
RETRY = 0.2  # seconds between two attempts to find the reader
_SILENCE = (
    5.0  # seconds: the reader asks for the ATR every 0.4 s, so this long without a word means it is gone
)
_LENGTH = 2


class Reader:
    """The connection to one slot of the virtual reader, frame by frame."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def receive(self) -> bytes | None:
        """Return the next frame's body; None when the reader has closed. Raises OSError."""
        head = self._octets(_LENGTH)
        return None if head is None else self._octets(int.from_bytes(head))

    def send(self, body: bytes) -> None:
        """Send one frame, in one piece: of two, the second would wait until the first is acknowledged."""
        if len(body) > 0xFFFF:
            raise Malformed(f"a frame holds at most 65535 octets, not {len(body)}")
        self._socket.sendall(len(body).to_bytes(_LENGTH) + body)

    def _octets(self, count: int) -> bytes | None:
        octets = b""
        while len(octets) < count:
            self._acknowledge_at_once()
            more = self._socket.recv(count - len(octets))
            if not more:
                return None
            octets += more
        return octets

    def _acknowledge_at_once(self) -> None:
        # vpcd writes length and body apart; its Nagle holds the body back until we acknowledge the length,
        # which the system delays by 40 ms. Linux forgets this option, so it is set before every recv.
        if hasattr(socket, "TCP_QUICKACK"):
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


class Slot:
    """Keeps ``card`` in a slot of the virtual reader, through restarts of the reader, until ``leave``.

    ``host``, ``port``  where vpcd listens
    ``on_event``        told in words: "in the reader", "the reader went away", ...

    ``card`` is any Link: a software card, a recorder of one, a card in another reader.
    """

    def __init__(
        self,
        card: Link,
        *,
        host: str = "127.0.0.1",
        port: int = PORT,
        on_event: Callable[[str], None] | None = None,
    ) -> None:
        self._card, self._address, self._say = card, (host, port), on_event or (lambda what: None)
        self._connection: socket.socket | None = None
        self._left = False

    def serve(self) -> None:
        """Serve until ``leave`` is called; wait for the reader where it is not there, or goes away.

        Raises CardError when the card behind the link goes away: then it leaves the slot.
        """
        waiting = False
        while not self._left:
            connection = self._connect()
            if connection is None:
                if not waiting:
                    self._say(f"waiting for a virtual reader on {self._address[0]}:{self._address[1]}")
                waiting = True
                time.sleep(RETRY)
                continue
            waiting = False
            self._say("the card is in the reader")
            self._serve(connection)
            if not self._left:
                self._say("the reader went away")

    def leave(self) -> None:
        """Take the card out of the slot and let ``serve`` return; may be called from another thread."""
        self._left = True
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)

    def _connect(self) -> socket.socket | None:
        try:
            connection = socket.create_connection(self._address, timeout=_SILENCE)
        except OSError:
            return None
        if self._is_itself(connection):
            connection.close()
            return None
        return connection

    @staticmethod
    def _is_itself(connection: socket.socket) -> bool:
        # Where nobody listens, a connection to a port of the ephemeral range can meet itself.
        try:
            return bool(connection.getsockname() == connection.getpeername())
        except OSError:
            return True

    def _serve(self, connection: socket.socket) -> None:
        self._connection = connection
        reader = Reader(connection)
        atr = self._card.reset()
        try:
            while not self._left and (frame := reader.receive()) is not None:
                if len(frame) > 1:
                    reader.send(self._card.transmit(frame))
                elif frame == bytes((ATR,)):
                    reader.send(atr)
                elif frame in (bytes((POWER_ON,)), bytes((RESET,))):
                    atr = self._card.reset()
        except OSError:
            pass  # the reader was killed; whether it comes back is for serve to see
        except CardError as error:
            self._say(f"the card is taken out: {error}")
            raise
        finally:
            self._connection = None
            connection.close()
