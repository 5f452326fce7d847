"""ARA-M, the applet that holds the access rules of a card: its answers, and the client that reads it.

Spec: GlobalPlatform, Secure Element Access Control 1.1, section 4.2 (GET DATA). Rules that do not fit in one
response come in parts: the first names the length of all, [next] gives what follows.
"""

from imslab.errors import Malformed
from imslab.uicc import apdu, status, tlv
from imslab.uicc.access import AccessRules
from imslab.uicc.apdu import GET_DATA, Command
from imslab.uicc.filesystem import Directory
from imslab.uicc.link import Link, exchange
from imslab.uicc.session import Channel, Refused, Session

AID = bytes.fromhex("a00000015141434c00")
FID = 0x7FF8  # its place in this card's tree; no SELECT by identifier reaches it
ALL, SPECIFIC, NEXT, REFRESH_TAG = 0xFF40, 0xFF50, 0xFF60, 0xDF20
_PUBLIC_RULE = 2
_PART = 250  # octets of one response
_MOST = 0x10000  # octets of rules that a client reads
_GP = 0x80
_REF = 0xE1


def directory() -> Directory:
    """Return the applet as the card's tree holds it: no file, selected by name alone."""
    return Directory("ARA-M", FID, rules_fid=0x2F06, rule=_PUBLIC_RULE, aid=AID, label="ARA-M")


class Applet:
    """Answers GET DATA from ``rules``; a part of a long answer waits for [next] on the same channel."""

    def __init__(self, rules: AccessRules) -> None:
        self._rules = rules
        self._waiting: tuple[Channel, bytes] | None = None

    def answer(self, session: Session, channel: Channel, command: Command) -> bytes:
        """GET DATA [all], [next], [specific], [refresh tag]; refuse with 6985, 6A86, 6A80 or 6A88."""
        if channel.adf is None or channel.adf.aid != AID:
            raise Refused(status.CONDITIONS_NOT_SATISFIED)
        which = command.p1 << 8 | command.p2
        if which == SPECIFIC:
            return self._specific(command.data)
        if command.data:
            raise Refused(status.WRONG_LENGTH)
        if which == ALL:
            return self._part(session, channel, command, tlv.encode(ALL, bytes(self._rules)))
        if which == NEXT:
            return self._part(session, channel, command, self._rest(channel))
        if which == REFRESH_TAG:
            return tlv.encode(REFRESH_TAG, bytes(8))  # the rules of one powered card do not change
        raise Refused(status.WRONG_P1_P2)

    def _rest(self, channel: Channel) -> bytes:
        if self._waiting is None or self._waiting[0] is not channel:
            raise Refused(status.CONDITIONS_NOT_SATISFIED)
        return self._waiting[1]

    def _part(self, session: Session, channel: Channel, command: Command, octets: bytes) -> bytes:
        part, rest = octets[:_PART], octets[_PART:]
        session.check_le(command, len(part))
        self._waiting = (channel, rest) if rest else None
        return part

    def _specific(self, data: bytes) -> bytes:
        try:
            tlv.only(data, _REF, "GET DATA [specific]")
        except Malformed:
            raise Refused(0x6A80) from None
        found = [rule for rule in self._rules.rules if rule.reference == data]
        if not found:
            raise Refused(status.REFERENCE_NOT_FOUND)
        return tlv.encode(SPECIFIC, b"".join(rule.says for rule in found))


def read_rules(link: Link, *, channel: int = 0) -> AccessRules | None:
    """Read the rules of the card behind ``link``; None when it has no ARA-M (then nothing is permitted).

    ARA-M is the application selected on ``channel`` afterwards. Raises CardError when the card refuses,
    CardGone when it is away, Malformed when the rules are broken.
    """
    _, sw = exchange(link, apdu.select_aid(AID, channel=channel))
    if sw == status.FILE_NOT_FOUND:
        return None
    if not status.is_success(sw):
        raise status.refused("SELECT ARA-M", sw)
    octets, sw = exchange(link, _get_data(ALL, channel))
    if sw == status.REFERENCE_NOT_FOUND:
        return AccessRules()
    _accept(sw)
    return AccessRules.parse(_whole(link, channel, octets))


def _whole(link: Link, channel: int, octets: bytes) -> bytes:
    """Return the value of the FF40 object that ``octets`` begin; fetch what is missing."""
    tag, at = tlv.read_tag(octets, 0)
    if tag != ALL:
        raise Malformed(f"ARA-M answers with tag {tag:X}", offset=0, expected="FF40")
    length, start = tlv.read_length(octets, at)
    if length > _MOST:
        raise Malformed(f"ARA-M announces {length} octets of rules", expected=f"at most {_MOST}")
    while len(octets) < start + length:
        more, sw = exchange(link, _get_data(NEXT, channel))
        _accept(sw)
        if not more:
            raise Malformed(f"ARA-M ends after {len(octets) - start} of {length} octets of rules")
        octets += more
    return octets[start : start + length]


def _accept(sw: int) -> None:
    if not status.is_success(sw):
        raise status.refused("GET DATA of the access rules", sw)


def _get_data(which: int, channel: int) -> bytes:
    return bytes(Command(apdu.cla_for(channel, _GP), GET_DATA, which >> 8, which & 0xFF, b"", 256))
