"""APDUs with another subscriber: what a card was asked and what it said, as GSMTAP carries them.

Spec: ETSI TS 102 221, 10 and 11; 3GPP TS 31.102, 7.1; TS 102 223 (toolkit). Class, instruction, parameters,
lengths and status words stay. Which file is read is known from what was selected before.
"""

from dataclasses import dataclass, field

from imslab.capture.anonymise.aka import Challenges
from imslab.capture.anonymise.card_files import Files
from imslab.capture.anonymise.text import Texts
from imslab.capture.anonymise.toolkit import Toolkit
from imslab.errors import Malformed
from imslab.uicc import apdu, gsmtap
from imslab.uicc.narrator import Narrator, authenticate_parts

_READS = (apdu.READ_BINARY, apdu.READ_RECORD, apdu.SEARCH_RECORD)
_UPDATES = (apdu.UPDATE_BINARY, apdu.UPDATE_RECORD)
_BINARY = (apdu.READ_BINARY, apdu.UPDATE_BINARY)
_PINS = (apdu.VERIFY, apdu.CHANGE_PIN, apdu.DISABLE_PIN, apdu.ENABLE_PIN, apdu.UNBLOCK_PIN)
_AUTHENTICATE = (apdu.AUTHENTICATE, 0x89)
_TOOLKIT = (apdu.ENVELOPE, apdu.FETCH, apdu.TERMINAL_RESPONSE)
_KEPT = (apdu.MANAGE_CHANNEL, apdu.TERMINAL_CAPABILITY)
_BY_NAME, _BOOTSTRAP, _NAF = 0x04, b"\xdd", b"\xde"
_MOST = 1 << 16  # octets of one file


@dataclass(slots=True)
class _Conversation:
    """What a terminal and a card have said to each other so far."""

    narrator: Narrator = field(default_factory=Narrator)
    waiting: tuple[bytes, str] = (b"", "")  # the command whose data GET RESPONSE brings, and its file
    contents: dict[str, bytearray] = field(default_factory=dict)


class Cards:
    """Rewrites the APDUs of a capture, in the order of time."""

    def __init__(self, texts: Texts, challenges: Challenges) -> None:
        self._texts, self._challenges = texts, challenges
        self._files, self._toolkit = Files(texts, challenges), Toolkit(texts)
        self._conversations: dict[object, _Conversation] = {}

    def survey(self, payload: bytes, ends: object) -> None:
        """Take in the challenges in a GSMTAP packet; ``ends`` tells conversations apart."""
        exchange = _exchange(payload)
        if exchange is None:
            self._conversations.pop(ends, None)
            return
        here = self._conversations.setdefault(ends, _Conversation())
        command = self._asked(exchange[0], here)
        if command[1] in _AUTHENTICATE:
            asked, answered = map(dict, authenticate_parts(command, exchange[1]))
            if "MAC" in asked:
                autn = asked["SQN xor AK"] + asked["AMF"] + asked["MAC"]
                self._challenges.note(asked["RAND"], autn)
                found = {name.lower(): answered.get(name, b"") for name in ("RES", "CK", "IK")}
                self._challenges.note_vector(asked["RAND"], **found)
                if "MAC-S" in answered:
                    auts = answered["SQN_MS xor AK*"] + answered["MAC-S"]
                    self._challenges.note_auts(asked["RAND"], auts)
        here.waiting = (command, "") if exchange[1][-2:-1] == b"\x61" else (b"", "")

    def start(self) -> None:
        """Begin at the first packet again, to rewrite what was surveyed."""
        self._conversations.clear()

    def rewrite(self, payload: bytes, ends: object) -> bytes:
        """Return a GSMTAP packet with another subscriber."""
        exchange = _exchange(payload)
        if exchange is None:
            self._conversations.pop(ends, None)
            return self._not_whole(payload)
        here = self._conversations.setdefault(ends, _Conversation())
        command, response = exchange
        file = _file(here.narrator.label(command, response)[0])
        asked, known = self._asked(command, here), here.waiting[1]
        new_command = command[:5] + self._question(command, file, here)
        data = self._answer(asked, response[:-2], known or file, here)
        here.waiting = (asked, known or file) if response[-2:-1] == b"\x61" else (b"", "")
        return payload[: len(payload) - len(command) - len(response)] + new_command + data + response[-2:]

    @staticmethod
    def _asked(command: bytes, here: _Conversation) -> bytes:
        """Return the command whose answer comes now: GET RESPONSE fetches that of the one before."""
        return here.waiting[0] if command[1] == apdu.GET_RESPONSE and here.waiting[0] else command

    def _not_whole(self, payload: bytes) -> bytes:
        """An answer to reset stays: it names a kind of card; what else is no exchange becomes zeros."""
        try:
            packet = gsmtap.decode(payload)
        except Malformed:
            return payload[:16] + bytes(len(payload[16:]))
        if (packet.type, packet.subtype) == (gsmtap.TYPE_SIM, gsmtap.SUBTYPE_ATR):
            return payload
        return payload[: len(payload) - len(packet.octets)] + bytes(len(packet.octets))

    # -- commands --------------------------------------------------------------------------------

    def _question(self, command: bytes, file: str, here: _Conversation) -> bytes:
        data, ins = command[5:], command[1]
        if not data or ins in _KEPT:
            return data
        if ins == apdu.SELECT:
            return self._files.aid(data) if command[2] == _BY_NAME else data
        if ins in _UPDATES:
            return self._contents(command, data, file, here)
        if ins in _PINS:
            return b"".join(self._pin(data[at : at + 8]) for at in range(0, len(data), 8))
        if ins in _AUTHENTICATE:
            return self._challenge(data)
        return self._toolkit.rewrite(data) if ins in _TOOLKIT else self._files.opaque(data)

    def _pin(self, octets: bytes) -> bytes:
        digits = octets.rstrip(b"\xff")
        if not digits.isdigit():
            return self._files.opaque(octets)
        return self._texts.numbers.number(digits.decode()).encode() + octets[len(digits) :]

    def _challenge(self, data: bytes) -> bytes:
        start = 1 if data[:1] == _BOOTSTRAP else 0
        rand, autn = data[start + 1 : start + 17], data[start + 18 : start + 34]
        if data[start : start + 1] == b"\x10" and len(rand) == 16:
            head = data[: start + 1] + self._challenges.rand(rand) + data[start + 17 : start + 18]
            rest = self._challenges.autn(rand, autn) if len(autn) == 16 else self._files.opaque(autn)
            return head + rest + self._files.opaque(data[start + 34 :])
        if data[:1] == _NAF and len(data) > 2 and data[1] + 2 < len(data):
            return self._naf(data)
        return data[:1] + self._files.opaque(data[1:])

    def _naf(self, data: bytes) -> bytes:
        """Rewrite NAF_Id and IMPI, and learn the key that the card derives from them."""
        middle = 2 + data[1]
        naf_id, impi = data[2:middle], data[middle + 1 :]
        new_naf_id, new_impi = self._files.naf_id(naf_id), self._files.text(impi)
        names = [value.decode("utf-8", "replace") for value in (impi, new_impi)]
        for rand in self._challenges.opened:
            self._challenges.naf_keys(rand, (names[0], naf_id), (names[1], new_naf_id))
        return data[:2] + new_naf_id + data[middle : middle + 1] + new_impi

    # -- responses -------------------------------------------------------------------------------

    def _answer(self, command: bytes, data: bytes, file: str, here: _Conversation) -> bytes:
        ins = command[1]
        if not data or ins in _KEPT:
            return data
        if ins in (apdu.SELECT, apdu.STATUS):
            return self._template(data)
        if ins in _READS and ins != apdu.SEARCH_RECORD:
            return self._contents(command, data, file, here)
        if ins == apdu.SEARCH_RECORD:
            return data  # numbers of records
        if ins in _AUTHENTICATE:
            return self._result(data)
        return self._toolkit.rewrite(data) if ins in _TOOLKIT else self._files.opaque(data)

    def _contents(self, command: bytes, data: bytes, file: str, here: _Conversation) -> bytes:
        """Rewrite what is read from, or written to, a file; a part of one as a part of the whole."""
        if command[1] not in _BINARY:
            return self._files.rewrite(file, data)
        at = command[3] if command[2] & 0x80 else command[2] << 8 | command[3]
        held = here.contents.setdefault(file, bytearray())
        if at > len(held) or at + len(data) > _MOST:
            return self._files.opaque(data)
        held[at : at + len(data)] = data
        return self._files.rewrite(file, bytes(held[: at + len(data)]))[at:]

    def _result(self, data: bytes) -> bytes:
        """Rewrite RES, CK, IK, Kc, AUTS, or a key, each behind its length."""
        octets = self._texts.pseudonyms.octets
        result, at = bytearray(data), 1 if data[0] in (0xDB, 0xDC) else 0
        while at < len(data):
            end = min(at + 1 + data[at], len(data))
            result[at + 1 : end] = octets(data[at + 1 : end])
            at = end
        return bytes(result)

    def _template(self, data: bytes) -> bytes:
        """Rewrite the application's name in a file control template (TS 102 221, 11.1.1.3)."""
        if data[:1] == b"\x84":
            return data[:2] + self._files.aid(data[2:])
        if data[:1] != b"\x62" or len(data) < 2:
            return self._files.opaque(data)
        head = 2 if data[1] < 0x80 else 3
        result, at = bytearray(data), head
        while at + 2 <= len(data):
            end = min(at + 2 + data[at + 1], len(data))
            if data[at] == 0x84:
                result[at + 2 : end] = self._files.aid(data[at + 2 : end])
            elif data[at] not in _OF_A_TEMPLATE:
                result[at + 2 : end] = self._files.opaque(data[at + 2 : end])
            at = end
        return bytes(result)


# Size, total size, descriptor, identifier, life cycle, SFI, security attributes, proprietary, PIN status.
_OF_A_TEMPLATE = frozenset((0x80, 0x81, 0x82, 0x83, 0x88, 0x8A, 0x8B, 0x8C, 0xAB, 0xA5, 0xC6))


def _exchange(payload: bytes) -> tuple[bytes, bytes] | None:
    try:
        return gsmtap.decode(payload).exchange
    except Malformed:
        return None


def _file(label: str) -> str:
    """Return the name of the file in a label of the narrator: "READ BINARY EF.IMSI" names EF.IMSI."""
    return next((word for word in label.split() if word.startswith("EF.")), label)
