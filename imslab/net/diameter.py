"""Diameter itself: a header, AVPs, and what two peers say before and between their questions.

Spec: RFC 6733, section 3 (header), 4 (AVPs), 5.3 (capabilities exchange), 5.4 (disconnection), 5.5
(watchdog).
The library ``python-diameter`` writes and reads the AVPs; it is loaded when the first one is.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from imslab.errors import Malformed

PORT = 3868
CAPABILITIES_EXCHANGE, DEVICE_WATCHDOG, DISCONNECT_PEER = 257, 280, 282
SUCCESS, UNSUPPORTED_COMMAND, UNABLE_TO_DELIVER, UNABLE_TO_COMPLY = 2001, 3001, 3002, 5012
VENDOR_3GPP = 10_415
HEADER = 20  # octets
MOST = 65_536  # octets in one message: a vector and a profile take a few thousand
REQUEST, PROXIABLE, ERROR = 0x80, 0x40, 0x20

# AVP codes of RFC 6733
USER_NAME, HOST_IP, AUTH_APPLICATION, VENDOR_APPLICATION, SESSION = 1, 257, 258, 260, 263
ORIGIN_HOST, SUPPORTED_VENDOR, VENDOR, RESULT, PRODUCT = 264, 265, 266, 268, 269
DISCONNECT_CAUSE, SESSION_STATE, DESTINATION_REALM, DESTINATION_HOST = 273, 277, 283, 293
ORIGIN_REALM, EXPERIMENTAL, EXPERIMENTAL_CODE = 296, 297, 298
_FIRST_3GPP = 600  # below, a code is that of RFC 6733; of TS 29.229 from here on
_OPTIONAL = frozenset((PRODUCT,))  # AVPs without the M bit (RFC 6733, 4.5)

Pair = tuple[int, Any]


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before the AVPs; the two identifiers come back in the answer (RFC 6733, section 3)."""

    command: int
    flags: int
    application: int
    hop_by_hop: int
    end_to_end: int

    @property
    def is_request(self) -> bool:
        """Whether the R bit is set."""
        return bool(self.flags & REQUEST)


class Framer:
    """Cuts a byte stream (RFC 6733, 2.1) into messages by their length."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def receive(self, octets: bytes) -> list[bytes]:
        """Take octets, return the messages that they complete; Malformed when the stream is no Diameter."""
        self._buffer += octets
        found = []
        while len(self._buffer) >= 4:
            length = int.from_bytes(self._buffer[1:4])
            if self._buffer[0] != 1 or not HEADER <= length <= MOST:
                raise Malformed("no Diameter message on this stream", expected="version 1 and a length")
            if len(self._buffer) < length:
                break
            found.append(bytes(self._buffer[:length]))
            del self._buffer[:length]
        return found


class Avps:
    """The AVPs of a message or of a group; what is missing or of another type reads as nothing."""

    def __init__(self, avps: Iterable[Any]) -> None:
        self._avps: dict[int, list[Any]] = {}
        for avp in avps:
            self._avps.setdefault(avp.code, []).append(avp)

    def octets(self, code: int) -> bytes:
        """Return the value of the first AVP ``code``; nothing when there is none."""
        return bytes(self._avps[code][0].payload) if code in self._avps else b""

    def text(self, code: int) -> str:
        """Return a UTF8String or DiameterIdentity."""
        return self.octets(code).decode("utf-8", "replace")

    def texts(self, code: int) -> list[str]:
        """Return the values of all AVPs ``code``."""
        return [bytes(avp.payload).decode("utf-8", "replace") for avp in self._avps.get(code, [])]

    def number(self, code: int) -> int:
        """Return an Unsigned32 or Enumerated; 0 when it has not 4 octets."""
        octets = self.octets(code)
        return int.from_bytes(octets) if len(octets) == 4 else 0

    def group(self, code: int) -> "Avps":
        """Return what is in a Grouped AVP."""
        found = self._avps.get(code)
        try:
            return Avps(found[0].value if found else [])
        except Exception:  # a group that cannot be read holds nothing for us
            return Avps([])


def parse(octets: bytes) -> tuple[Header, Avps]:
    """Read one message; Malformed when its length or an AVP in it is broken."""
    from diameter.message import Message

    _check_length(octets)
    try:
        message = Message.from_bytes(octets, plain_msg=True)
        avps = Avps(message.avps)
    except Exception as error:  # the library lets whatever it meets through: struct, OS and Unicode errors
        raise Malformed(f"a Diameter message that cannot be read ({type(error).__name__})") from None
    header = message.header
    identifiers = header.hop_by_hop_identifier, header.end_to_end_identifier
    return Header(header.command_code, header.command_flags, header.application_id, *identifiers), avps


def message(header: Header, pairs: Iterable[Pair]) -> bytes:
    """Return the octets of a message: (code, value) for each AVP, a list of pairs for a group.

    Raises Malformed for a value that an AVP cannot hold, and for an identifier of more than 32 bits.
    """
    from diameter.message import Message, MessageHeader

    for identifier in (header.hop_by_hop, header.end_to_end):
        if not 0 <= identifier < 2**32:
            raise Malformed(f"{identifier} is no identifier of 32 bits")
    written = MessageHeader(
        command_flags=header.flags,
        command_code=header.command,
        application_id=header.application,
        hop_by_hop_identifier=header.hop_by_hop,
        end_to_end_identifier=header.end_to_end,
    )
    return bytes(Message(written, [_avp(*pair) for pair in pairs]).as_bytes())


def prepared(pairs: Iterable[Pair]) -> list[Pair]:
    """Return the same AVPs, made once for many messages: what a node says in each of them."""
    return [(code, _avp(code, value)) for code, value in pairs]


def present(pairs: Iterable[Pair]) -> list[Pair]:
    """Return the pairs that have a value."""
    return [(code, value) for code, value in pairs if value]


@dataclass(frozen=True, slots=True)
class Node:
    """What a Diameter node says of itself: identity (an FQDN), realm, address, the application it speaks."""

    host: str
    realm: str
    address: str
    application: int

    def answer(self, header: Header, result: int = SUCCESS) -> bytes:
        """Return the answer to CER, DWR, DPR, or an error for any other request."""
        pairs: list[Pair] = [(RESULT, result), *self._origin]
        if header.command == CAPABILITIES_EXCHANGE:
            pairs += self._capabilities
        flags = header.flags & ~REQUEST | (ERROR if 3000 <= result < 4000 else 0)
        replied = Header(header.command, flags, header.application, header.hop_by_hop, header.end_to_end)
        return message(replied, pairs)

    def request(self, command: int, identifier: int) -> bytes:
        """Return a CER, DWR or DPR of this node; ``identifier`` (32 bits) comes back in the answer."""
        pairs: list[Pair] = [*self._origin]
        if command == CAPABILITIES_EXCHANGE:
            pairs += self._capabilities
        elif command == DISCONNECT_PEER:
            pairs.append((DISCONNECT_CAUSE, 0))  # REBOOTING: come back later (RFC 6733, 5.4.3)
        return message(Header(command, REQUEST, 0, identifier, identifier), pairs)

    @property
    def _origin(self) -> list[Pair]:
        return [(ORIGIN_HOST, self.host.encode()), (ORIGIN_REALM, self.realm.encode())]

    @property
    def _capabilities(self) -> list[Pair]:
        application = [(VENDOR, VENDOR_3GPP), (AUTH_APPLICATION, self.application)]
        return [
            (HOST_IP, self.address),
            (VENDOR, VENDOR_3GPP),
            (PRODUCT, "imslab"),
            (SUPPORTED_VENDOR, VENDOR_3GPP),
            (VENDOR_APPLICATION, application),
        ]


def _check_length(octets: bytes) -> None:
    if len(octets) < HEADER or octets[0] != 1:
        raise Malformed("no Diameter message", offset=0, expected="version 1 and a header of 20 octets")
    claimed = int.from_bytes(octets[1:4])
    if claimed != len(octets):
        raise Malformed(f"a Diameter message of {claimed} octets in {len(octets)}", offset=1)


def _avp(code: int, value: Any) -> Any:
    from diameter.message.avp import Avp
    from diameter.message.avp.errors import AvpEncodeError

    if isinstance(value, Avp):
        return value
    vendor = VENDOR_3GPP if code >= _FIRST_3GPP else 0
    if isinstance(value, list):
        value = [_avp(*pair) for pair in value]
    try:
        return Avp.new(code, vendor, value=value, is_mandatory=code not in _OPTIONAL)
    except AvpEncodeError:  # its text repeats the value, which may be a key
        raise Malformed(f"AVP {code} cannot hold a {type(value).__name__}") from None
