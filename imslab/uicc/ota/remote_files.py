"""Remote file management: a script of commands, run on the card's files.

Spec: ETSI TS 102 226, sections 5.2.1 and 8; 3GPP TS 31.116, section 4. The script starts in the application
that the TAR names, on a selection of its own: what the terminal has selected stays as it is. It may do what
ADM1 and PIN1 allow, and nothing but files.
"""

from collections.abc import Callable
from dataclasses import replace

from imslab.errors import Malformed
from imslab.uicc import apdu, contents, selection, status
from imslab.uicc.apdu import Command
from imslab.uicc.files.access import ADM1, PIN1
from imslab.uicc.filesystem import Directory
from imslab.uicc.ota.keys import KeySet
from imslab.uicc.ota.script import TAR_ISIM, TAR_SIM, TAR_USIM, ScriptAnswer, parse
from imslab.uicc.pins import PinSet
from imslab.uicc.session import Channel, Refused, Session

GRANTED = frozenset((ADM1, PIN1))
_USIM, _ISIM = bytes.fromhex("a0000000871002"), bytes.fromhex("a0000000871004")
_GSM = 0xA0
LARGEST_ANSWER = 96  # octets of data that fit in one delivery report with any protection
_WRONG_DATA = 0x6A80

_COMMANDS: dict[int, Callable[[Session, Channel, Command], bytes]] = {
    apdu.SELECT: selection.select,
    apdu.READ_BINARY: contents.read_binary,
    apdu.UPDATE_BINARY: contents.update_binary,
    apdu.READ_RECORD: contents.read_record,
    apdu.UPDATE_RECORD: contents.update_record,
    apdu.SEARCH_RECORD: contents.search_record,
}


class _Granted(PinSet):
    """What a key set of the card's issuer stands for: ADM1 and PIN1 are as good as verified."""

    def __init__(self) -> None:
        super().__init__({})
        self.satisfied = GRANTED


class RemoteFiles:
    """The application behind one TAR."""

    def __init__(self, session: Session, start: Directory, *, gsm: bool = False) -> None:
        self._session, self._start, self._gsm = session, start, gsm

    def run(self, keys: KeySet, octets: bytes) -> bytes:
        """Run a script until its end, or until a command is refused; return the answer for the proof of
        receipt.
        """
        try:
            commands = parse(octets)
        except Malformed:
            return bytes(ScriptAnswer(0, _WRONG_DATA))  # a script that is cut is not begun
        session = replace(self._session, pins=_Granted())
        channel = Channel(self._session.files.mf)
        channel.select(self._start)
        answer, waiting = ScriptAnswer(0, status.OK), b""
        for number, command in enumerate(commands[:255], 1):
            sw, data, waiting = self._step(session, channel, command, waiting)
            answer = ScriptAnswer(number, sw, data[:LARGEST_ANSWER])
            if sw != status.OK and sw >> 8 != 0x61:
                break
        return bytes(answer)

    def _step(
        self, session: Session, channel: Channel, command: Command, waiting: bytes
    ) -> tuple[int, bytes, bytes]:
        """Run one command: its status word, its data, and the data that waits for GET RESPONSE."""
        if command.cla not in ((0x00, _GSM) if self._gsm else (0x00,)):
            return status.CLA_NOT_SUPPORTED, b"", b""
        if command.ins == apdu.GET_RESPONSE:
            return _get_response(command, waiting)
        handler = _COMMANDS.get(command.ins)
        if handler is None:
            return status.INS_NOT_SUPPORTED, b"", b""
        try:
            data = handler(session, channel, command)
        except Refused as refusal:
            return refusal.sw, b"", b""
        if command.ins in apdu.TAKES_DATA:
            return (0x6100 | len(data) & 0xFF, b"", data) if data else (status.OK, b"", b"")
        if command.le not in (len(data), 256):
            return 0x6C00 | len(data) & 0xFF, b"", b""
        return status.OK, data, b""


def _get_response(command: Command, waiting: bytes) -> tuple[int, bytes, bytes]:
    if not waiting:
        return status.CONDITIONS_NOT_SATISFIED, b"", b""
    return status.OK, waiting[: command.le or 256], b""


def applications(session: Session) -> dict[bytes, Callable[[KeySet, bytes], bytes]]:
    """Return what this card offers, by TAR: the files from the MF, those of the USIM, those of the ISIM."""
    found: dict[bytes, Callable[[KeySet, bytes], bytes]] = {
        TAR_SIM: RemoteFiles(session, session.files.mf, gsm=True).run
    }
    for tar, aid in ((TAR_USIM, _USIM), (TAR_ISIM, _ISIM)):
        for adf in session.files.applications:
            if adf.aid.startswith(aid):
                found[tar] = RemoteFiles(session, adf).run
    return found
