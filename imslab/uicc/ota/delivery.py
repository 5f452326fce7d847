"""From a server to a card, over whatever link there is: the part that network and telephone play.

Spec: 3GPP TS 31.111, section 7.1.1.2; TS 31.115, section 4; ETSI TS 102 223, section 6.8 (TERMINAL RESPONSE).
"""

from imslab.errors import Malformed
from imslab.uicc import status
from imslab.uicc.apdu import FETCH, TERMINAL_RESPONSE, Command
from imslab.uicc.link import Link, exchange
from imslab.uicc.ota import sms
from imslab.uicc.ota.coding import Spi
from imslab.uicc.ota.keys import KeySet
from imslab.uicc.ota.packet import CommandPacket
from imslab.uicc.ota.response import RESPONSE_HEADER

# "Command performed": details of SEND SHORT MESSAGE, from the terminal to the card, general result 00.
_SENT = bytes.fromhex("810301130082028281830100")


def command_packet(
    keys: KeySet, tar: bytes, data: bytes, counter: int, spi: Spi | None = None
) -> CommandPacket:
    """Return the command packet that a server makes with one of its key sets; ``seal`` protects it.

    ``spi``  what is protected and how; None for everything, with a proof of receipt in any case
    """
    return CommandPacket(Spi() if spi is None else spi, keys.kic_octet, keys.kid_octet, tar, counter, data)


def deliver(link: Link, packet: bytes, *, originator: str = "12345678", reference: int = 0) -> bytes:
    """Carry a sealed packet to the card in as many ENVELOPEs as it takes; return the response packet, b""
    when none came.

    Raises CardError when the card refuses, CardGone when it is not there, Malformed when what it answers is
    no response.
    """
    user_data = sms.segments(packet, reference)
    answer, sw = b"", status.OK
    for number, part in enumerate(user_data, 1):
        is_last = number == len(user_data)
        tpdu = sms.deliver(part, originator=originator, more=not is_last)
        answer, sw = exchange(link, sms.envelope(tpdu, answered=is_last))
        if not status.is_success(sw):
            raise status.refused("ENVELOPE (SMS-PP download)", sw)
    if sw >> 8 == 0x91:
        answer = _fetched(link, sw & 0xFF)
    if answer and not answer.startswith(RESPONSE_HEADER):
        raise Malformed("the answer to ENVELOPE is no response packet", offset=0, expected="027100")
    return answer[len(RESPONSE_HEADER) :]


def _fetched(link: Link, length: int) -> bytes:
    """Fetch SEND SHORT MESSAGE, say that it was sent, and return its user data."""
    command, sw = exchange(link, bytes(Command(0x80, FETCH, 0x00, 0x00, b"", length or 256)))
    if not status.is_success(sw):
        raise status.refused("FETCH", sw)
    user_data = sms.parse_submit(sms.parse_send_short_message(command))
    _, sw = exchange(link, bytes(Command(0x80, TERMINAL_RESPONSE, 0x00, 0x00, _SENT)))
    if not status.is_success(sw):
        raise status.refused("TERMINAL RESPONSE", sw)
    return user_data
