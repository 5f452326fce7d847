"""ESP: packets that are authenticated, and most often encrypted.

Spec: RFC 4303, sections 2 (the packet), 3.3 (sending) and 3.4 (receiving), without 64-bit sequence numbers.

   SPI | sequence number | IV | payload | padding | pad length | next header | ICV
                               <---------------- encrypted --------------->
   <--------------------------- authenticated ---------------------------->

In transport mode the payload is what followed the IP header: a UDP datagram or a TCP segment. What the
associations of an IMS terminal are, ``imslab.ipsec.associations`` knows.

Teaching code: it is not constant time, but for the comparison of checks.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from imslab.errors import EspError, EspReplayed, Malformed
from imslab.ipsec.transforms import Transform, transform
from imslab.octets import exactly

TCP, UDP, IPV4, IPV6, NOTHING = 6, 17, 4, 41, 59  # next headers (IANA): the last marks a dummy packet
WINDOW = 64  # packets (RFC 4303, 3.4.3)

_HEADER, _TRAILER = 8, 2  # octets
_PADDING = bytes(range(1, 256))
_LAST = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Packet:
    """An ESP packet that was opened.

    ``next_header``  what the payload is: 17 UDP, 6 TCP, 4 and 41 a whole IP packet (tunnel mode)
    """

    spi: int
    sequence: int
    next_header: int
    payload: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SecurityAssociation:
    """One direction between two ends: its name, algorithms and keys.

    ``spi``          1 to 4294967295: names the association at the end that receives
    ``encryption``   "null", "aes-cbc", "aes-gcm" ... (``transforms.ENCRYPTIONS``)
    ``integrity``    "null", "hmac-sha-1-96", "aes-gmac" ... (``transforms.INTEGRITIES``)

    Raises Malformed for a bad SPI, an unknown algorithm, a key of a wrong length.
    """

    spi: int
    encryption: str
    encryption_key: bytes = field(repr=False)
    integrity: str
    integrity_key: bytes = field(repr=False)
    transform: Transform = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 0 < self.spi <= _LAST:
            raise Malformed(f"{self.spi} is no SPI", expected="1 to 4294967295")
        keys = (self.encryption, self.encryption_key, self.integrity, self.integrity_key)
        object.__setattr__(self, "transform", transform(*keys))

    def seal(self, sequence: int, next_header: int, payload: bytes, iv: bytes) -> bytes:
        """Return an ESP packet.

        ``iv`` has ``transform.iv_length`` octets; with CBC nobody may foresee it, with GCM, GMAC and CTR
        it may never come twice under one key.
        """
        if not 0 < sequence <= _LAST:
            raise Malformed(f"{sequence} is no sequence number", expected="1 to 4294967295")
        header = self.spi.to_bytes(4) + sequence.to_bytes(4)
        plain = with_trailer(payload, next_header, self.transform.block)
        return header + self.transform.seal(header, exactly("iv", iv, self.transform.iv_length), plain)

    def open(self, octets: bytes) -> Packet:
        """Check and open an ESP packet of this association, whether or not it was seen before.

        Raises EspAuthenticationFailed when its check is wrong, EspError when it is cut, is of another
        SPI, or its padding is not 1, 2, 3 ...
        """
        spi, sequence = header(octets)
        if spi != self.spi:
            raise EspError(f"the packet is of SPI {spi}, not {self.spi}")
        least = _HEADER + self.transform.iv_length + _TRAILER + self.transform.icv_length
        if len(octets) < least:
            raise EspError(f"an ESP packet of {len(octets)} octets; with these algorithms it has {least}")
        plain = self.transform.open(octets[:_HEADER], octets[_HEADER:])
        return Packet(spi, sequence, *without_trailer(plain))


def header(octets: bytes) -> tuple[int, int]:
    """Return SPI and sequence number of an ESP packet; EspError when it is shorter than both."""
    if len(octets) < _HEADER:
        raise EspError(f"{len(octets)} octets are no ESP packet: SPI and sequence number have {_HEADER}")
    return int.from_bytes(octets[:4]), int.from_bytes(octets[4:8])


def with_trailer(payload: bytes, next_header: int, block: int = 4) -> bytes:
    """Return ``payload`` with padding 1, 2, 3 ..., its length and the next header (RFC 4303, 2.4)."""
    missing = -(len(payload) + _TRAILER) % block
    return payload + _PADDING[:missing] + bytes((missing, next_header))


def without_trailer(plain: bytes) -> tuple[int, bytes]:
    """Return next header and payload; EspError unless the padding is 1, 2, 3 ... and lies within."""
    if len(plain) < _TRAILER:
        raise EspError(f"{len(plain)} octets have no room for pad length and next header")
    length, next_header = plain[-2], plain[-1]
    end = len(plain) - _TRAILER - length
    if end < 0 or plain[end:-2] != _PADDING[:length]:
        raise EspError("the padding is not 1, 2, 3 ...: another key, or another encryption")
    return next_header, plain[:end]


class Outbound:
    """The sender's side: numbers the packets, from 1 (RFC 4303, 3.3.3).

    ``random``  gives octets: the IV of CBC. That of GCM, GMAC and CTR is the sequence number, which never
    comes twice.
    """

    def __init__(self, association: SecurityAssociation, random: Callable[[int], bytes]) -> None:
        self.association, self._random = association, random
        self.sequence = 0

    def seal(self, next_header: int, payload: bytes) -> bytes:
        """Return the next packet; EspError when 2**32 - 1 were sent: the association is used up."""
        if self.sequence == _LAST:
            raise EspError("the sequence numbers are used up: agree on a new association")
        self.sequence += 1
        return self.association.seal(self.sequence, next_header, payload, self._iv())

    def _iv(self) -> bytes:
        kind = self.association.transform
        return self.sequence.to_bytes(kind.iv_length) if kind.counted else self._random(kind.iv_length)


class Inbound:
    """The receiver's side: takes each packet once (RFC 4303, 3.4.3).

    ``window``  how many packets before the highest number may still come; it moves only when the check
    of a packet was right.
    """

    def __init__(self, association: SecurityAssociation, window: int = WINDOW) -> None:
        if window < 1:
            raise Malformed(f"a replay window of {window} packets")
        self.association, self._window = association, window
        self.highest, self._seen = 0, 0  # bit n of _seen: highest - n has come

    def open(self, octets: bytes) -> Packet:
        """Return the opened packet.

        Raises EspReplayed when its number has come or lies before the window, and what
        ``SecurityAssociation.open`` raises; then nothing has changed here.
        """
        self._refuse_seen(header(octets)[1])
        packet = self.association.open(octets)
        self._note(packet.sequence)
        return packet

    def _refuse_seen(self, sequence: int) -> None:
        behind = self.highest - sequence
        if sequence == 0 or behind >= self._window:
            raise EspReplayed(f"number {sequence} lies before the window, which ends at {self.highest}")
        if behind >= 0 and self._seen >> behind & 1:
            raise EspReplayed(f"number {sequence} has come before")

    def _note(self, sequence: int) -> None:
        ahead = sequence - self.highest
        if ahead > 0:
            shifted = self._seen << ahead if ahead < self._window else 0
            self._seen, self.highest = (shifted | 1) & (1 << self._window) - 1, sequence
        else:
            self._seen |= 1 << -ahead
