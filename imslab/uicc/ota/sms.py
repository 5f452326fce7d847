"""SMS-PP: secured packets in short messages, and short messages in ENVELOPE.

Spec: 3GPP TS 31.115, section 4 (UDH 70, concatenation); TS 23.040, sections 9.2.2.1 (SMS-DELIVER), 9.2.2.2
(SMS-SUBMIT) and 9.2.3.24.1 (concatenation); TS 31.111, section 7.1.1 (ENVELOPE, SMS-PP download); ETSI TS
102 223, section 6.6.9 (SEND SHORT MESSAGE).
"""

from dataclasses import dataclass

from imslab.errors import Malformed
from imslab.octets import exactly
from imslab.uicc import tlv
from imslab.uicc.apdu import ENVELOPE, Command

USER_DATA = 140  # octets of TP-UD in one message, its header included
COMMAND_HEADER = bytes.fromhex("027000")
_IEI_COMMAND, _IEI_CONCATENATED = 0x70, 0x00
_PID_DOWNLOAD, _DCS_CLASS_2 = 0x7F, 0xF6
_DELIVER, _SUBMIT, _LAST, _HAS_HEADER = 0x00, 0x01, 0x04, 0x40
_TAG_DOWNLOAD, _TAG_DEVICES, _TAG_TPDU, _TAG_ADDRESS = 0xD1, 0x82, 0x8B, 0x86
_FROM_NETWORK = bytes.fromhex("8381")


@dataclass(frozen=True, slots=True)
class Segment:
    """One TP-UD taken apart: whether its header says "command packet", and where it stands in the whole."""

    payload: bytes
    is_command: bool
    reference: int = 0
    total: int = 1
    number: int = 1


@dataclass(frozen=True, slots=True)
class Deliver:
    """An SMS-DELIVER: who sent it, how it is to be treated, and its user data, header included."""

    originator: str
    pid: int
    dcs: int
    timestamp: bytes
    user_data: bytes
    has_header: bool


def segments(packet: bytes, reference: int = 0) -> list[bytes]:
    """Return the TP-UD of each short message that carries ``packet``: one, or up to 255 concatenated ones.

    ``reference``  0 to 255, the same in each part. Raises Malformed when the packet is too long.
    """
    if len(COMMAND_HEADER) + len(packet) <= USER_DATA:
        return [COMMAND_HEADER + packet]
    first, other = USER_DATA - 8, USER_DATA - 6
    parts = [packet[:first]] + [packet[at : at + other] for at in range(first, len(packet), other)]
    if len(parts) > 255 or not 0 <= reference <= 255:
        raise Malformed("a packet takes at most 255 short messages, and its reference is 0 to 255")
    counted = [bytes((0x00, 0x03, reference, len(parts), n)) for n in range(1, len(parts) + 1)]
    # Only the first one says that this is a command packet.
    headers = [b"\x07" + counted[0] + b"\x70\x00"] + [b"\x05" + one for one in counted[1:]]
    return [header + part for header, part in zip(headers, parts, strict=True)]


def segment(user_data: bytes) -> Segment:
    """Take a TP-UD apart; raise Malformed when its header is cut or counts wrong."""
    if not user_data or user_data[0] >= len(user_data):
        raise Malformed("the user data header is cut", offset=0)
    end, at = 1 + user_data[0], 1
    is_command, place = False, (0, 1, 1)
    while at < end:
        if at + 2 > end or at + 2 + user_data[at + 1] > end:
            raise Malformed("an element of the user data header is cut", offset=at)
        element, value = user_data[at], user_data[at + 2 : at + 2 + user_data[at + 1]]
        if element == _IEI_COMMAND:
            is_command = True
        elif element == _IEI_CONCATENATED:
            place = _place(value, at)
        at += 2 + len(value)
    return Segment(bytes(user_data[end:]), is_command, *place)


def _place(value: bytes, at: int) -> tuple[int, int, int]:
    if len(value) != 3 or not 1 <= value[2] <= value[1]:
        raise Malformed("the concatenation element is wrong", offset=at, expected="reference, total, number")
    return value[0], value[1], value[2]


def deliver(
    user_data: bytes, *, originator: str = "12345678", timestamp: bytes = bytes(7), more: bool = False
) -> bytes:
    """Return the SMS-DELIVER TPDU around a TP-UD with header: PID 7F (download to the UICC), DCS F6 (class
    2, 8 bit).

    ``timestamp``  7 octets as TP-SCTS has them; ``more`` messages wait.
    """
    if len(user_data) > USER_DATA:
        raise Malformed(f"a short message holds {USER_DATA} octets, not {len(user_data)}")
    first = _DELIVER | _HAS_HEADER | (0 if more else _LAST)
    address, stamp = _address(originator), exactly("TP-SCTS", timestamp, 7)
    head = bytes((first,)) + address + bytes((_PID_DOWNLOAD, _DCS_CLASS_2)) + stamp
    return head + bytes((len(user_data),)) + user_data


def parse_deliver(tpdu: bytes) -> Deliver:
    """Read an SMS-DELIVER TPDU; raise Malformed when it is cut or another message."""
    if len(tpdu) < 2 or tpdu[0] & 0x03 != _DELIVER:
        raise Malformed("not an SMS-DELIVER", offset=0)
    digits, at = tpdu[1], 3 + (tpdu[1] + 1) // 2
    if digits > 20 or len(tpdu) < at + 10:
        raise Malformed("the SMS-DELIVER is cut", offset=len(tpdu), expected=f"{at + 10} octets at least")
    user_data = bytes(tpdu[at + 10 :])
    if tpdu[at + 9] != len(user_data) or len(user_data) > USER_DATA:
        raise Malformed(f"TP-UDL is {tpdu[at + 9]}, {len(user_data)} octets follow", offset=at + 9)
    sign = "+" if tpdu[2] & 0x70 == 0x10 else ""
    number = sign + _digits(tpdu[3:at], digits)
    return Deliver(
        number, tpdu[at], tpdu[at + 1], bytes(tpdu[at + 2 : at + 9]), user_data, bool(tpdu[0] & _HAS_HEADER)
    )


def envelope(tpdu: bytes, *, answered: bool = True) -> bytes:
    """Return the command APDU with which a terminal hands a TPDU to the card, and asks for data."""
    inside = tlv.encode(_TAG_DEVICES, _FROM_NETWORK) + tlv.encode(_TAG_TPDU, tpdu)
    return bytes(
        Command(0x80, ENVELOPE, 0x00, 0x00, tlv.encode(_TAG_DOWNLOAD, inside), 256 if answered else None)
    )


def parse_envelope(data: bytes) -> bytes:
    """Return the TPDU in the data of an ENVELOPE (SMS-PP download); raise Malformed for another one."""
    objects = tlv.parse(tlv.only(data, _TAG_DOWNLOAD, "ENVELOPE"))
    # Bit 8 of these tags says only whether the receiver must understand them.
    values = {one.tag | 0x80: one.value for one in objects}
    if values.get(_TAG_DEVICES) != _FROM_NETWORK or _TAG_TPDU not in values:
        raise Malformed("ENVELOPE: device identities or the SMS TPDU are missing")
    return values[_TAG_TPDU]


def submit(user_data: bytes, destination: str, reference: int = 0) -> bytes:
    """Return the SMS-SUBMIT TPDU (no validity period) with which a card sends its response."""
    head = (
        bytes((_SUBMIT | _HAS_HEADER, reference))
        + _address(destination)
        + bytes((_PID_DOWNLOAD, _DCS_CLASS_2))
    )
    return head + bytes((len(user_data),)) + user_data


def parse_submit(tpdu: bytes) -> bytes:
    """Return the TP-UD of an SMS-SUBMIT without validity period; raise Malformed otherwise."""
    if len(tpdu) < 4 or tpdu[0] & 0x1B != _SUBMIT:
        raise Malformed("not an SMS-SUBMIT without validity period", offset=0)
    at = 4 + (tpdu[2] + 1) // 2
    if len(tpdu) <= at + 2 or tpdu[at + 2] != len(tpdu) - at - 3:
        raise Malformed("the SMS-SUBMIT is cut", offset=len(tpdu))
    return bytes(tpdu[at + 3 :])


def send_short_message(tpdu: bytes) -> bytes:
    """Return the proactive command SEND SHORT MESSAGE that a terminal gets with FETCH."""
    details = tlv.encode(0x81, bytes.fromhex("011300")) + tlv.encode(_TAG_DEVICES, bytes.fromhex("8183"))
    return tlv.encode(0xD0, details + tlv.encode(_TAG_TPDU, tpdu))


def parse_send_short_message(command: bytes) -> bytes:
    """Return the TPDU in the proactive command SEND SHORT MESSAGE; raise Malformed for another one."""
    values = {one.tag | 0x80: one.value for one in tlv.parse(tlv.only(command, 0xD0, "a proactive command"))}
    if values.get(0x81, b"")[1:2] != b"\x13" or _TAG_TPDU not in values:
        raise Malformed("the proactive command is not SEND SHORT MESSAGE")
    return values[_TAG_TPDU]


def is_number(text: str) -> bool:
    """Tell whether ``text`` is 1 to 20 digits, with or without a plus sign; a sender may also be a name."""
    digits = text.removeprefix("+")
    return digits.isascii() and digits.isdecimal() and len(digits) <= 20


def _address(number: str) -> bytes:
    """Return a number as TS 23.040, 9.1.2.5 has it: how many digits, type, digits two by two."""
    digits = number.removeprefix("+")
    if not is_number(number):
        raise Malformed("a number has 1 to 20 digits")
    kind = 0x91 if number.startswith("+") else 0x81
    swapped = (digits + "F" * (len(digits) % 2)).encode()
    pairs = bytes.fromhex("".join(chr(swapped[i + 1]) + chr(swapped[i]) for i in range(0, len(swapped), 2)))
    return bytes((len(digits), kind)) + pairs


def _digits(octets: bytes, count: int) -> str:
    return "".join(f"{octet & 0x0F:X}{octet >> 4:X}" for octet in octets)[:count]
