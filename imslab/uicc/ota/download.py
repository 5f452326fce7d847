"""ENVELOPE (SMS-PP download) on the card, and what follows from it.

Spec: 3GPP TS 31.111, section 7.1.1; TS 31.115, section 4; ETSI TS 102 221, sections 11.2.2 to 11.2.4
(ENVELOPE, FETCH, TERMINAL RESPONSE). A response goes back as the answer to ENVELOPE, behind the header 02
71 00; or, when the sender wants an SMS-SUBMIT, as a proactive command that 91xx announces.
"""

from imslab.errors import Malformed
from imslab.uicc import status
from imslab.uicc.apdu import Command
from imslab.uicc.ota import sms
from imslab.uicc.ota.receiver import Received, Receiver, counter_from, counter_octets
from imslab.uicc.ota.remote_files import applications
from imslab.uicc.ota.response import RESPONSE_HEADER
from imslab.uicc.ota.sms import Deliver, Segment
from imslab.uicc.session import Channel, Refused, Session

_WRONG_DATA = 0x6A80
_MOST_WAITING = 16  # messages that are not whole yet; a card has little memory
_MOST_PARTS = 8


class Download:
    """Short messages for the card itself. Parts that wait for others are lost with the power; counters are
    not.
    """

    def __init__(self, session: Session, state: dict[str, bytes]) -> None:
        key_sets = session.profile.ota
        counters = {keys.version: counter_from(state.get(_name(keys.version), bytes(5))) for keys in key_sets}
        self._receiver = Receiver(
            key_sets,
            applications(session),
            counters=counters,
            save=lambda version, counter: session.put(_name(version), counter_octets(counter)),
        )
        self._parts: dict[tuple[str, int, int], dict[int, bytes]] = {}
        self._proactive = b""

    def power_on(self) -> None:
        """The power went: nothing waits any more."""
        self._parts.clear()
        self._proactive = b""

    def envelope(self, session: Session, channel: Channel, command: Command) -> bytes:
        """ENVELOPE: take one short message; return the response packet behind its header, or nothing."""
        if command.p1 or command.p2:
            raise Refused(status.WRONG_P1_P2)
        try:
            message = sms.parse_deliver(sms.parse_envelope(command.data))
            packet = self._whole(message)
            received = None if packet is None else self._receiver.receive(packet)
        except Malformed:
            raise Refused(_WRONG_DATA) from None
        if received is None or not received.response:
            return b""
        return self._answer(received, message.originator)

    def _answer(self, received: Received, originator: str) -> bytes:
        user_data = RESPONSE_HEADER + received.response
        if not received.by_submit or not sms.is_number(originator):
            return user_data
        # Its number is the sender's: who wants the answer elsewhere has to say so in another way.
        self._proactive = sms.send_short_message(sms.submit(user_data[: sms.USER_DATA], originator))
        raise Refused(0x9100 | len(self._proactive) & 0xFF)  # not a refusal: 91xx, without data

    def fetch(self, session: Session, channel: Channel, command: Command) -> bytes:
        """FETCH: hand over the proactive command that waits."""
        if command.p1 or command.p2:
            raise Refused(status.WRONG_P1_P2)
        if not self._proactive:
            raise Refused(status.CONDITIONS_NOT_SATISFIED)
        session.check_le(command, len(self._proactive))
        waiting, self._proactive = self._proactive, b""
        return waiting

    def terminal_response(self, session: Session, channel: Channel, command: Command) -> bytes:
        """TERMINAL RESPONSE: hear whether the message was sent; nothing here depends on it."""
        if command.p1 or command.p2:
            raise Refused(status.WRONG_P1_P2)
        return b""

    def _whole(self, message: Deliver) -> bytes | None:
        """Return the packet when its last part has come, None while parts are missing."""
        if not message.has_header:
            raise Malformed("a short message without header is not for the card")
        part = sms.segment(message.user_data)
        if part.total == 1:
            if not part.is_command:
                raise Malformed("the header does not say that this is a command packet")
            return part.payload
        return self._joined((message.originator, part.reference, part.total), part)

    def _joined(self, key: tuple[str, int, int], part: Segment) -> bytes | None:
        if part.total > _MOST_PARTS:
            raise Malformed(f"a packet in {part.total} parts is too long for this card")
        if part.is_command != (part.number == 1):
            raise Malformed("the first part, and only that one, says that this is a command packet")
        if key not in self._parts and len(self._parts) == _MOST_WAITING:
            del self._parts[next(iter(self._parts))]  # the oldest
        parts = self._parts.setdefault(key, {})
        parts[part.number] = part.payload
        if len(parts) < part.total:
            return None
        del self._parts[key]
        return b"".join(parts[number] for number in sorted(parts))


def _name(version: int) -> str:
    return f"ota/{version}"
