"""A software UICC: commands in, answers out, nothing else.

Spec: ETSI TS 102 221 (UICC), 3GPP TS 31.102 (USIM), TS 31.103 (ISIM); ISO/IEC 7816-3, sections 8.2 (ATR)
and 10.3, 12.2 (T=0 and T=1). Every command is answered with a status word; none raises.
"""

from collections.abc import Callable
from functools import reduce
from operator import xor
from typing import Literal

from imslab.errors import Malformed
from imslab.uicc import apdu, aram, contents, personalisation, pins, selection, status
from imslab.uicc.access import AccessRules
from imslab.uicc.apdu import Command
from imslab.uicc.authentication import Authenticator
from imslab.uicc.filesystem import File
from imslab.uicc.ota.download import Download
from imslab.uicc.profile import Profile
from imslab.uicc.session import Channel, Refused, Session
from imslab.uicc.store import MemoryStore, Store

Protocol = Literal["T=0", "T=1"]
Handler = Callable[[Session, Channel, Command], bytes]

# Category 80; 31: how applications are selected; 73: SELECT by name, path, FID, with SFI; 20 channels, which
# the card or the terminal numbers; 66: six octets of the issuer's, here "imslab".
_HISTORICAL = bytes.fromhex("8031e073fe211f66") + b"imslab"
_INTERFACE = {
    "T=0": bytes.fromhex("96801fc7"),  # TA1 96; TD1 T=0; TD2 T=15; TA3 C7: clock stop, 5, 3 and 1.8 V
    "T=1": bytes.fromhex(
        "9681b1fe451fc7"
    ),  # TA1 96; TD1 T=1; TD2 T=1; TA3 IFSC 254; TB3 waiting; TD3 T=15; TA4 C7
}
_INTER_INDUSTRY, _UICC = 0x00, 0x80


class Card:
    """One card in one slot. It is powered when it is made; ``reset`` gives its ATR.

    ``profile``   what the card was personalised with
    ``protocol``  "T=1": answers come at once; "T=0": case 4 answers 61xx, a wrong Le 6Cxx, a trailing Le 6700
    ``store``     what survives power-off; without it the state lives as long as the card

    Raises Malformed when the profile does not fit a card, or the store is damaged or another card's.
    """

    def __init__(self, profile: Profile, *, protocol: Protocol = "T=1", store: Store | None = None) -> None:
        if protocol not in _INTERFACE:
            raise Malformed(f"unknown protocol {protocol!r}", expected="T=0 or T=1")
        self.profile, self.protocol = profile, protocol
        self._is_t0 = protocol == "T=0"
        self._pending = b""
        self._authenticator = Authenticator(profile.functions, profile.sqn_array)
        self._session = self._start(profile, MemoryStore() if store is None else store)
        self._handlers = self._table()

    def _start(self, profile: Profile, store: Store) -> Session:
        p = profile
        own = pins.pin_set(p.pin1, p.puk1, p.pin2, p.puk2, p.adm, pin1_enabled=p.pin1_enabled)
        session = Session(profile, personalisation.file_system(profile), own, store, self._is_t0)
        state = store.load()
        if state.get("iccid", profile.iccid.encode()) != profile.iccid.encode():
            raise Malformed("the store belongs to another card", expected=f"ICCID {profile.iccid}")
        if not state:
            store.put("iccid", profile.iccid.encode())
        for file in session.files.files:
            _restore(file, state.get(f"file/{file.key}"))
        if "pins" in state:
            own.restore(state["pins"])
        self._authenticator.restore(state, session.files.applications)
        self._download = Download(session, state)
        own.save = lambda octets: session.put("pins", octets)
        session.power_on()
        return session

    def _table(self) -> dict[int, tuple[int, Handler]]:
        """Return, for each instruction, the class it belongs to and what does it."""
        return {
            apdu.SELECT: (_INTER_INDUSTRY, selection.select),
            apdu.READ_BINARY: (_INTER_INDUSTRY, contents.read_binary),
            apdu.UPDATE_BINARY: (_INTER_INDUSTRY, contents.update_binary),
            apdu.READ_RECORD: (_INTER_INDUSTRY, contents.read_record),
            apdu.UPDATE_RECORD: (_INTER_INDUSTRY, contents.update_record),
            apdu.SEARCH_RECORD: (_INTER_INDUSTRY, contents.search_record),
            apdu.AUTHENTICATE: (_INTER_INDUSTRY, self._authenticator.answer),
            apdu.MANAGE_CHANNEL: (_INTER_INDUSTRY, selection.manage_channel),
            apdu.GET_RESPONSE: (_INTER_INDUSTRY, _nothing_pending),
            apdu.VERIFY: (_INTER_INDUSTRY, _verify),
            apdu.CHANGE_PIN: (_INTER_INDUSTRY, _change_pin),
            apdu.DISABLE_PIN: (_INTER_INDUSTRY, _disable_pin),
            apdu.ENABLE_PIN: (_INTER_INDUSTRY, _enable_pin),
            apdu.UNBLOCK_PIN: (_INTER_INDUSTRY, _unblock_pin),
            apdu.STATUS: (_UICC, selection.report_status),
            apdu.GET_DATA: (_UICC, aram.Applet(self.profile.access or AccessRules()).answer),
            apdu.ENVELOPE: (_UICC, self._download.envelope),
            apdu.FETCH: (_UICC, self._download.fetch),
            apdu.TERMINAL_RESPONSE: (_UICC, self._download.terminal_response),
            apdu.TERMINAL_PROFILE: (_UICC, _noted),
            apdu.TERMINAL_CAPABILITY: (_UICC, _noted),
        }

    def reset(self) -> bytes:
        """Switch off and on: selections and verified PINs are gone; return the ATR (at most 33 octets)."""
        self._pending = b""
        self._session.power_on()
        self._download.power_on()
        return self.profile.atr or atr(self.protocol)

    def transmit(self, apdu: bytes, /) -> bytes:
        """Answer one command APDU with data and status word."""
        try:
            return self._answer(bytes(apdu))
        except Refused as refusal:
            return refusal.sw.to_bytes(2)

    def _answer(self, octets: bytes) -> bytes:
        if len(octets) < 4:
            raise Refused(status.WRONG_LENGTH)
        pending, self._pending = self._pending, b""
        channel, handler = self._dispatch(octets[0], octets[1])
        command = self._command(octets)
        if octets[1] == apdu.GET_RESPONSE and pending:
            return self._get_response(command, pending)
        return self._respond(command, handler(self._session, channel, command))

    def _dispatch(self, cla: int, ins: int) -> tuple[Channel, Handler]:
        if cla & (0x20 if cla & 0x40 else 0x30):
            raise Refused(status.CLA_NOT_SUPPORTED)
        if not cla & 0x40 and cla & 0x0C:
            raise Refused(status.SECURE_MESSAGING_NOT_SUPPORTED)
        found = self._handlers.get(ins)
        if found is None:
            raise Refused(status.INS_NOT_SUPPORTED)
        if cla & 0x80 != found[0]:
            raise Refused(status.CLA_NOT_SUPPORTED)
        channel = self._session.channels.get(apdu.channel(cla))
        if channel is None:
            raise Refused(status.CHANNEL_NOT_SUPPORTED)
        return channel, found[1]

    def _command(self, octets: bytes) -> Command:
        if self._is_t0:
            return _t0_command(octets)
        try:
            command = Command.parse(octets)
        except Malformed:
            raise Refused(status.WRONG_LENGTH) from None
        if command.data and not apdu.takes_data(octets):
            raise Refused(status.WRONG_LENGTH)
        return command

    def _respond(self, command: Command, data: bytes) -> bytes:
        if not data:
            return b"\x90\x00"
        if apdu.takes_data(bytes((command.cla, command.ins, command.p1, command.p2))):
            return self._case_4(command, data)
        self._session.check_le(command, len(data))
        return data + b"\x90\x00"

    def _case_4(self, command: Command, data: bytes) -> bytes:
        # T=1 without Le: a terminal that forgot it still gets the answer, as from most cards.
        le = 0 if self._is_t0 else command.le or 256
        self._pending = data[le:]
        if self._pending:
            return data[:le] + bytes((0x61, len(self._pending) & 0xFF))
        return data + b"\x90\x00"

    def _get_response(self, command: Command, pending: bytes) -> bytes:
        if command.p1 or command.p2:
            raise Refused(status.WRONG_P1_P2)
        if command.le is None:
            raise Refused(status.WRONG_LENGTH)
        le = command.le
        if le > len(pending) and (self._is_t0 or le != 256):
            self._pending = pending
            raise Refused(0x6C00 | len(pending) & 0xFF)
        self._pending = pending[le:]
        rest = bytes((0x61, len(self._pending) & 0xFF)) if self._pending else b"\x90\x00"
        return pending[:le] + rest


def atr(protocol: Protocol) -> bytes:
    """Return the answer to reset of a lab card, with its check octet TCK (ISO/IEC 7816-3, section 8.2)."""
    octets = bytes((0x90 | len(_HISTORICAL),)) + _INTERFACE[protocol] + _HISTORICAL
    return b"\x3b" + octets + bytes((reduce(xor, octets),))


def _t0_command(octets: bytes) -> Command:
    """Read a T=0 command: P3 is Lc where the instruction takes data, else Le; there is never both."""
    cla, ins, p1, p2 = octets[:4]
    p3 = octets[4] if len(octets) > 4 else 0
    if apdu.takes_data(octets):
        if len(octets) != 5 + p3 and len(octets) != 4:
            raise Refused(status.WRONG_LENGTH)
        return Command(cla, ins, p1, p2, octets[5:])
    if len(octets) > 5:
        raise Refused(status.WRONG_LENGTH)
    return Command(cla, ins, p1, p2, b"", p3 or 256)


def _restore(file: File, octets: bytes | None) -> None:
    if octets is None:
        return
    if len(octets) != sum(map(len, file.records)):
        raise Malformed(f"the store holds {file.name} in another size")
    step = file.record_length or len(octets)
    file.records = [octets[i : i + step] for i in range(0, len(octets), step)]


def _checked(sw: int) -> bytes:
    if sw != status.OK:
        raise Refused(sw)
    return b""


def _verify(session: Session, _: Channel, command: Command) -> bytes:
    return _checked(session.pins.verify(_reference(command), command.data))


def _change_pin(session: Session, _: Channel, command: Command) -> bytes:
    return _checked(session.pins.change(_reference(command), command.data))


def _disable_pin(session: Session, _: Channel, command: Command) -> bytes:
    return _checked(session.pins.set_enabled(_reference(command), command.data, False))


def _enable_pin(session: Session, _: Channel, command: Command) -> bytes:
    return _checked(session.pins.set_enabled(_reference(command), command.data, True))


def _unblock_pin(session: Session, _: Channel, command: Command) -> bytes:
    return _checked(session.pins.unblock(_reference(command), command.data))


def _reference(command: Command) -> int:
    if command.p1:
        raise Refused(status.WRONG_P1_P2)
    return command.p2


def _noted(session: Session, channel: Channel, command: Command) -> bytes:
    """Take what the terminal says of itself; nothing here depends on it."""
    if command.p1 or command.p2:
        raise Refused(status.WRONG_P1_P2)
    return b""


def _nothing_pending(session: Session, channel: Channel, command: Command) -> bytes:
    raise Refused(status.CONDITIONS_NOT_SATISFIED)
