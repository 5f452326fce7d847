"""Write what passed between the nodes as pcapng, so that Wireshark and `imslab.capture` open it.

Spec: IETF draft-ietf-opsawg-pcapng (section header, interface description, name resolution,
enhanced packet and decryption secrets blocks), with one section, one interface of link type RAW
(101) and timestamps in nanoseconds. APDUs are GSMTAP on UDP port 4729, as Wireshark and pySim
read them. Secrets are lines of an NSS key log (draft-ietf-tls-keylogfile).

A trace is made of what the layers above sent: there is no clock and no socket here. TCP is
written as a well-behaved stack would have sent it, with acknowledgements that ride on data.
"""

import math
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO

from imslab.errors import Malformed
from imslab.net.packet import Endpoint, Flags, esp_packet, packed_address, tcp_packet, udp_packet

RAW_IP = 101  # LINKTYPE_RAW
GSMTAP_PORT = 4729
SEGMENT = 1400  # octets of payload in one TCP segment, at most
_SECTION, _INTERFACE, _NAMES, _PACKET, _SECRETS = 0x0A0D0D0A, 1, 4, 6, 0x0A
_TLS_KEY_LOG = 0x544C534B  # the type of secret that a key log is: "TLSK"
_BYTE_ORDER_MAGIC = 0x1A2B3C4D
_COMMENT, _APPLICATION, _TSRESOL = 1, 4, 9  # option codes; 9 is meant for an interface
_KEY_LOG_LINE = re.compile(rb"[A-Z0-9_]+ [0-9A-Fa-f]{64} (?:[0-9A-Fa-f]{2})+")
_LONGEST_SECRET = 512  # octets of a line
_UNACKNOWLEDGED = 32_768  # octets in one direction before the other end sends a bare ACK
_FIRST_SEQUENCE = 1_000  # arbitrary, and the same in each run: a trace must be reproducible


@dataclass(slots=True)
class _Half:
    """One direction of a TCP connection: the next octet to send, and what the peer has confirmed."""

    seq: int
    confirmed: int


class TraceWriter:
    """Writes packets to a binary file as pcapng; for one thread.

    ``comment`` says where the trace comes from (it stands in the section header). Times are
    epoch seconds. An endpoint is ``(host, port)``. Bad addresses, ports and times raise Malformed,
    and leave the file as it was.
    """

    def __init__(self, file: BinaryIO, *, comment: str = "") -> None:
        self._file = file
        self._halves: dict[tuple[Endpoint, Endpoint], _Half] = {}
        self._named: set[tuple[str, str]] = set()
        self._secrets: dict[bytes, None] = {}  # in their order, each once
        self.packets = 0
        self._start(comment)

    def name(self, address: str, name: str) -> None:
        """Record that ``address`` is called ``name`` in this trace (once, however often it is said)."""
        octets = packed_address(address)
        text = name.encode("utf-8")
        if not text or b"\0" in text or len(text) > 255:
            raise Malformed("a node's name has 1 to 255 octets and no NUL")
        if (address, name) not in self._named:
            self._named.add((address, name))
            record = struct.pack("<HH", 1 if len(octets) == 4 else 2, len(octets) + len(text) + 1)
            self._block(_NAMES, record + _padded(octets + text + b"\0") + bytes(4))

    def udp(
        self, at: float, source: Endpoint, destination: Endpoint, payload: bytes, comment: str = ""
    ) -> None:
        """Write one datagram."""
        self._packet(_time(at), udp_packet(source, destination, payload), comment)

    def esp(self, at: float, source: str, destination: str, octets: bytes, comment: str = "") -> None:
        """Write one ESP packet (`imslab.ipsec`), which goes from address to address and has no ports."""
        self._packet(_time(at), esp_packet(source, destination, octets), comment)

    def tcp_open(self, at: float, client: Endpoint, server: Endpoint) -> None:
        """Write the three-way handshake of a new connection (RFC 9293, 3.5)."""
        first = _FIRST_SEQUENCE
        syn = tcp_packet(client, server, b"", seq=first, ack=0, flags=Flags.SYN)
        time = _time(at)
        self._packet(time, syn)
        both = Flags.SYN | Flags.ACK
        self._packet(time, tcp_packet(server, client, b"", seq=first, ack=first + 1, flags=both))
        self._halves[client, server] = _Half(first + 1, first + 1)
        self._halves[server, client] = _Half(first + 1, first + 1)
        self._segment(at, client, server, b"", Flags.ACK)

    def tcp(
        self, at: float, source: Endpoint, destination: Endpoint, payload: bytes, comment: str = ""
    ) -> None:
        """Write ``payload`` as segments of at most 1400 octets; the comment goes on the last one.

        A connection that was not opened here starts in its middle, as in a capture that began late.
        """
        self._connection(source, destination)
        for start in range(0, len(payload), SEGMENT):
            last = start + SEGMENT >= len(payload)
            flags = Flags.ACK | Flags.PSH if last else Flags.ACK
            self._segment(
                at, source, destination, payload[start : start + SEGMENT], flags, comment if last else ""
            )
            half = self._halves[source, destination]
            if half.seq - half.confirmed >= _UNACKNOWLEDGED:
                self._segment(at, destination, source, b"", Flags.ACK)

    def tcp_close(self, at: float, source: Endpoint, destination: Endpoint) -> None:
        """Write how ``source`` closes the connection and the other end agrees (RFC 9293, 3.6)."""
        self._connection(source, destination)
        for one, other in ((source, destination), (destination, source)):
            self._segment(at, one, other, b"", Flags.FIN | Flags.ACK)
            self._halves[one, other].seq += 1  # FIN takes one number
        self._segment(at, source, destination, b"", Flags.ACK)
        del self._halves[source, destination], self._halves[destination, source]

    def apdu(
        self, at: float, seconds: float, terminal_host: str, card_host: str, gsmtap_payloads: Iterable[bytes]
    ) -> None:
        """Write one exchange with a card that began at ``at`` and took ``seconds``.

        GSMTAP holds command and response in one packet, so the packet bears the time of the response,
        and a comment such as "card time 123 us" says how long before that the command was sent. When an
        exchange takes two packets (61xx, then GET RESPONSE) the card's time is that of the first.
        """
        end = _time(at) + _time(seconds)
        terminal, card = (terminal_host, GSMTAP_PORT), (card_host, GSMTAP_PORT)
        for number, payload in enumerate(gsmtap_payloads):
            micros = 0 if number else round(seconds * 1e6)
            self._packet(end, udp_packet(terminal, card, payload), f"card time {micros} us")

    def secret(self, line: bytes) -> None:
        """Keep one line of a key log for ``with_secrets`` (once: both ends of a handshake say the same).

        It cannot go into the file now: a reader that goes through the packets once needs it before them, and
        a secret is known only after the handshake. Raises Malformed for what is not one line of a key log.
        """
        text = line.rstrip(b"\r\n")
        if len(text) > _LONGEST_SECRET or not _KEY_LOG_LINE.fullmatch(text):
            raise Malformed("not a line of a key log", expected="a label, the client random and the secret")
        self._secrets[text] = None

    def with_secrets(self, trace: bytes) -> bytes:
        """Return ``trace``, which this writer wrote, with its secrets right after the section header.

        There Wireshark finds them before the handshake that they open. Without secrets it stays as it was.
        """
        if not self._secrets:
            return trace
        lines = b"".join(line + b"\n" for line in self._secrets)
        body = struct.pack("<II", _TLS_KEY_LOG, len(lines)) + _padded(lines)
        end = int.from_bytes(trace[4:8], "little")  # of the section header: its length
        return trace[:end] + _written(_SECRETS, body) + trace[end:]

    def flush(self) -> None:
        """Hand everything written so far to the operating system."""
        self._file.flush()

    def _connection(self, source: Endpoint, destination: Endpoint) -> None:
        if (source, destination) not in self._halves:
            self._halves[source, destination] = _Half(_FIRST_SEQUENCE, _FIRST_SEQUENCE)
            self._halves[destination, source] = _Half(_FIRST_SEQUENCE, _FIRST_SEQUENCE)

    def _segment(
        self,
        at: float,
        source: Endpoint,
        destination: Endpoint,
        payload: bytes,
        flags: Flags,
        comment: str = "",
    ) -> None:
        half, other = self._halves[source, destination], self._halves[destination, source]
        packet = tcp_packet(source, destination, payload, seq=half.seq, ack=other.seq, flags=flags)
        self._packet(_time(at), packet, comment)
        half.seq += len(payload)
        other.confirmed = other.seq

    def _start(self, comment: str) -> None:
        options = _options((_COMMENT, comment.encode()), (_APPLICATION, b"imslab"))
        self._block(_SECTION, struct.pack("<IHHq", _BYTE_ORDER_MAGIC, 1, 0, -1) + options)
        self._block(_INTERFACE, struct.pack("<HHI", RAW_IP, 0, 0) + _options((_TSRESOL, b"\x09")))

    def _packet(self, time: int, octets: bytes, comment: str = "") -> None:
        head = struct.pack("<IIIII", 0, time >> 32, time & 0xFFFFFFFF, len(octets), len(octets))
        self._block(_PACKET, head + _padded(octets) + _options((_COMMENT, comment.encode())))
        self.packets += 1

    def _block(self, kind: int, body: bytes) -> None:
        self._file.write(_written(kind, body))


def _written(kind: int, body: bytes) -> bytes:
    length = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", kind) + length + body + length


def _padded(octets: bytes) -> bytes:
    return octets + bytes(-len(octets) % 4)


def _options(*options: tuple[int, bytes]) -> bytes:
    """Return the options that have a value, with the end mark; nothing when none has."""
    present = [(code, value[:0xFFFF]) for code, value in options if value]
    written = b"".join(struct.pack("<HH", code, len(value)) + _padded(value) for code, value in present)
    return written + bytes(4) if written else b""


def _time(seconds: float) -> int:
    """Return nanoseconds; Malformed unless they fit into 63 bits (until the year 2262)."""
    if not math.isfinite(seconds) or not 0 <= seconds < 2**63 / 1e9:
        raise Malformed(f"{seconds!r} is no time in epoch seconds")
    whole, fraction = divmod(seconds, 1)  # apart: a float cannot hold epoch nanoseconds
    return int(whole) * 1_000_000_000 + round(fraction * 1e9)
