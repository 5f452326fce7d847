"""APDUs on the wire: sent as GSMTAP while they happen, and recorded from there.

Spec: libosmocore's gsmtap.h; UDP port 4729. Off unless asked for: the packets hold PINs, CK and IK in clear.
They go to this machine alone unless another is named. SIMtrace 2 and pySim send the same form.
"""

import contextlib
import socket
from collections.abc import Callable, Iterator

from imslab.errors import Malformed, NetworkError
from imslab.net.trace import TraceWriter
from imslab.uicc import gsmtap
from imslab.uicc.link import Link

HOST = "127.0.0.1"
_LARGEST = 65_535


class Announcer:
    """Passes everything on to ``link``, and sends each exchange and each ATR as GSMTAP. Is a Link itself."""

    def __init__(self, link: Link, host: str = HOST, port: int = gsmtap.PORT) -> None:
        self._link, self._address = link, (host, port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    @property
    def protocol(self) -> str | None:
        """The transmission protocol of the link behind, where it says so."""
        return getattr(self._link, "protocol", None)

    def transmit(self, apdu: bytes, /) -> bytes:
        """Pass one command on, then tell of it."""
        response = self._link.transmit(apdu)
        with contextlib.suppress(Malformed):  # what is no exchange cannot be told
            for payload in gsmtap.encode_exchange(bytes(apdu), response):
                self._send(payload)
        return response

    def reset(self) -> bytes:
        """Pass the reset on, then tell of the ATR."""
        atr = self._link.reset()
        self._send(gsmtap.encode_atr(atr))
        return atr

    def close(self) -> None:
        """Stop telling."""
        self._socket.close()

    def _send(self, payload: bytes) -> None:
        # Nobody may be listening; the card's answer matters more than its record.
        with contextlib.suppress(OSError):
            self._socket.sendto(payload, self._address)


class Listener:
    """Hears GSMTAP on ``host``; raises NetworkError when another program hears there already."""

    def __init__(self, host: str = HOST, port: int = gsmtap.PORT) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            self._socket.bind((host, port))
        except OSError as error:
            self._socket.close()
            raise NetworkError(
                f"GSMTAP cannot be heard on {host}:{port}: {error.strerror or error}"
            ) from None
        self.address: tuple[str, int] = self._socket.getsockname()

    def close(self) -> None:
        """Hear no more."""
        self._socket.close()

    def packets(self, seconds: float) -> Iterator[tuple[str, bytes]]:
        """Yield who sent it and the payload, for each SIM packet, until none came for ``seconds``."""
        self._socket.settimeout(seconds)
        while True:
            try:
                payload, (host, _) = self._socket.recvfrom(_LARGEST)
            except TimeoutError:
                return
            with contextlib.suppress(Malformed):  # other people's packets are none of ours
                if gsmtap.decode(payload).type == gsmtap.TYPE_SIM:
                    yield host, payload

    def record(self, writer: TraceWriter, clock: Callable[[], float], seconds: float) -> int:
        """Write what is heard until nothing came for ``seconds``; return how many packets."""
        before = writer.packets
        for host, payload in self.packets(seconds):
            writer.udp(clock(), (host, gsmtap.PORT), (self.address[0], gsmtap.PORT), payload)
        return writer.packets - before
