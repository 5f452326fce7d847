"""APDUs in words, for ladders: what a command asks, what an answer says.

Spec: ETSI TS 102 221, section 11; 3GPP TS 31.102, section 7.1. Labels are short. A file's name depends on
what was selected before, so the narrator reads exchanges in order; it never shows a PIN or a key.
"""

from dataclasses import dataclass

from imslab.uicc import apdu, status
from imslab.uicc.files import FILES_BY_DIRECTORY

_MF, _USIM, _ISIM = "MF", "ADF.USIM", "ADF.ISIM"
_APPLICATIONS = {
    "a0000000871002": _USIM,
    "a0000000871004": _ISIM,
    "a0000000871001": "SIM",
    "a0000003431002": "ADF.CSIM",
    "a000000151000000": "ISD",
    "a00000055910100102": "ISD-R",
    "a00000055910100101": "ECASD",
    "a00000015141434c00": "ARA-M",
}
# Files that this package does not code, but others' captures name (TS 31.102, 4.2 and 4.4; TS 31.103, 4.2).
_ONLY_NAMED = {
    (_USIM, 0x6F3B): "EF.FDN",
    (_USIM, 0x6F3C): "EF.SMS",
    (_USIM, 0x6F3E): "EF.GID1",
    (_USIM, 0x6F3F): "EF.GID2",
    (_USIM, 0x6F49): "EF.SDN",
    (_USIM, 0x6F4B): "EF.EXT2",
    (_USIM, 0x6F4C): "EF.EXT3",
    (_USIM, 0x6F50): "EF.CBMIR",
    (_USIM, 0x6F45): "EF.CBMI",
    (_USIM, 0x6FC5): "EF.PNN",
    (_USIM, 0x6FCD): "EF.SPDI",
    (_USIM, 0x6FE3): "EF.EPSLOCI",
    (_USIM, 0x6FE4): "EF.EPSNSC",
}
_CONTEXTS = {0x80: "GSM", 0x81: "3G", 0x82: "HTTP Digest", 0x84: "GBA", 0x85: "MBMS", 0x86: "local key"}
_ENVELOPES = {b"\xd1": " (SMS-PP download)", b"\xd2": " (cell broadcast)", b"\xd3": " (menu selection)"}
_PROOF = bytes.fromhex("027100")  # the user data header of a response packet
_PINS = {0x01: "PIN1", 0x81: "PIN2", 0x0A: "ADM1", 0x0B: "ADM2", 0x11: "universal PIN"}


@dataclass(slots=True)
class _Selection:
    directory: str = _MF
    application: str = ""
    file: str = ""


class Narrator:
    """Reads exchanges in order and labels each; one for each card."""

    def __init__(self) -> None:
        self._channels: dict[int, _Selection] = {0: _Selection()}
        self._waiting = ""  # what the last 61xx announced

    def label(self, command: bytes, response: bytes) -> tuple[str, str]:
        """Return a short text for the command and one for its response; follow what it selects."""
        if len(command) < 4:
            return "not a command", _answer_words("", b"", response)
        here = self._channels.setdefault(apdu.channel(command[0]), _Selection())
        asked = self._waiting if command[1] == apdu.GET_RESPONSE else ""
        text = self._command_words(command, here)
        kind = asked or _kind(command)
        answer = _answer_words(kind, command, response)
        self._follow(command, response, here)
        self._waiting = kind if response[-2:-1] == b"\x61" else ""
        return text, answer

    def _command_words(self, command: bytes, here: _Selection) -> str:
        ins, p1, p2, data = command[1], command[2], command[3], _data(command)
        name = apdu.NAMES.get(ins, f"INS {ins:02X}")
        if ins == apdu.SELECT:
            return f"SELECT {_selected(here, p1, data).file or _selected(here, p1, data).directory}"
        if ins in (apdu.READ_BINARY, apdu.UPDATE_BINARY):
            return f"{name} {_by_sfi(here, p1 & 0x1F) if p1 & 0x80 else here.file}".rstrip()
        if ins in (apdu.READ_RECORD, apdu.UPDATE_RECORD, apdu.SEARCH_RECORD):
            file = _by_sfi(here, p2 >> 3) if p2 >> 3 else here.file
            return f"{name} {file} {_which_record(p1, p2)}".replace("  ", " ").rstrip()
        if ins in (apdu.AUTHENTICATE, 0x89):
            context = (
                "IMS AKA" if p2 == 0x81 and here.application == _ISIM else _CONTEXTS.get(p2, f"{p2:02X}")
            )
            if p2 == 0x84:
                context += {0xDD: ", bootstrap", 0xDE: ", NAF key"}.get(data[0] if data else -1, "")
            return f"{name} ({context})"
        if ins in (apdu.VERIFY, apdu.CHANGE_PIN, apdu.DISABLE_PIN, apdu.ENABLE_PIN, apdu.UNBLOCK_PIN):
            which = _PINS.get(p2, f"key {p2:02X}")
            return f"{name.removesuffix(' PIN')} {which}{'' if data else ' (tries left?)'}"
        if ins == apdu.ENVELOPE:
            return f"{name}{_ENVELOPES.get(data[:1], '')}"
        if ins == apdu.MANAGE_CHANNEL:
            return f"{name} {f'close {p2}' if p1 & 0x80 else 'open'}"
        return name

    def _follow(self, command: bytes, response: bytes, here: _Selection) -> None:
        sw = response[-2:]
        if len(sw) < 2 or sw[0] not in (0x90, 0x91, 0x61, 0x62):
            return
        ins, p1, p2 = command[1:4]
        if ins == apdu.SELECT:
            found = _selected(here, p1, _data(command))
            here.directory, here.application, here.file = found.directory, found.application, found.file
        elif ins in (apdu.READ_BINARY, apdu.UPDATE_BINARY) and p1 & 0x80:
            here.file = _by_sfi(here, p1 & 0x1F)
        elif ins in (apdu.READ_RECORD, apdu.UPDATE_RECORD, apdu.SEARCH_RECORD) and p2 >> 3:
            here.file = _by_sfi(here, p2 >> 3)
        elif ins == apdu.MANAGE_CHANNEL:
            self._channel_changed(p1, p2, response, here)

    def _channel_changed(self, p1: int, p2: int, response: bytes, here: _Selection) -> None:
        if p1 & 0x80:
            self._channels.pop(p2, None)
        elif number := p2 or (response[0] if len(response) == 3 else 0):
            basic = here is self._channels.get(0)
            self._channels[number] = _Selection() if basic else _Selection(here.directory, here.application)


def explain_apdu(command: bytes) -> str:
    """Return a short text for one command alone, such as "SELECT ADF.ISIM" or "AUTHENTICATE (3G)"."""
    return Narrator().label(command, b"")[0]


def authenticate_parts(
    command: bytes, response: bytes
) -> tuple[list[tuple[str, bytes]], list[tuple[str, bytes]]]:
    """Divide an AUTHENTICATE exchange into named octets.

    Returns RAND, AUTN's SQN xor AK, AMF and MAC for the command; RES, CK, IK and Kc, or AUTS' SQN_MS xor AK*
    and MAC-S, for the response. A part that cannot be read is left out; nothing is raised.
    """
    data = _data(command)
    if command[3:4] == b"\x84" and data[:1] == b"\xde":
        return _naf_parts(data), _answer_parts(response[:-2], "Ks_ext_NAF")
    return _challenge_parts(data), _answer_parts(response[:-2])


def _naf_parts(data: bytes) -> list[tuple[str, bytes]]:
    """Divide the data of a NAF derivation: NAF_Id and IMPI, each after its length."""
    middle = 2 + data[1] if len(data) > 1 else len(data)
    if middle >= len(data) or middle + 1 + data[middle] != len(data):
        return []
    return [("NAF_Id", data[2:middle]), ("IMPI", data[middle + 1 :])]


def _challenge_parts(data: bytes) -> list[tuple[str, bytes]]:
    data = data[1:] if data[:1] == b"\xdd" else data
    if len(data) == 17 and data[0] == 16:
        return [("RAND", data[1:])]
    if len(data) != 34 or data[0] != 16 or data[17] != 16:
        return []
    autn = data[18:]
    return [("RAND", data[1:17]), ("SQN xor AK", autn[:6]), ("AMF", autn[6:8]), ("MAC", autn[8:])]


def _answer_parts(data: bytes, first: str = "RES") -> list[tuple[str, bytes]]:
    if data[:2] == b"\xdc\x0e" and len(data) == 16:
        return [("SQN_MS xor AK*", data[2:8]), ("MAC-S", data[8:])]
    names = {0xDB: (first, "CK", "IK", "Kc"), 0x04: ("SRES", "Kc")}.get(data[0] if data else -1, ())
    at, parts = (1 if data[:1] == b"\xdb" else 0), []
    for name in names:
        if at >= len(data) or at + 1 + data[at] > len(data):
            break
        parts.append((name, data[at + 1 : at + 1 + data[at]]))
        at += 1 + data[at]
    return parts


def _selected(here: _Selection, p1: int, data: bytes) -> _Selection:
    """Return what a SELECT leads to, by name."""
    if p1 == 0x04:
        name = _application(data)
        return _Selection(name, name)
    if p1 == 0x03:
        return _Selection(_MF, here.application)
    start = _Selection(_MF, here.application) if p1 == 0x08 else here
    for at in range(0, len(data) - 1, 2):
        start = _step(start, data[at] << 8 | data[at + 1])
    return start


def _step(here: _Selection, fid: int) -> _Selection:
    if fid == 0x3F00:
        return _Selection(_MF, here.application)
    if fid == 0x7FFF:
        name = here.application or "current ADF"
        return _Selection(name, here.application)
    known = FILES_BY_DIRECTORY.get(here.directory, {}).get(fid)
    if known is None and fid >> 8 in (0x5F, 0x7F):
        return _Selection(f"DF {fid:04X}", here.application)
    if known is None and fid >> 8 == 0x2F:
        known = FILES_BY_DIRECTORY[_MF].get(fid)
    return _Selection(
        here.directory,
        here.application,
        known.NAME if known else _ONLY_NAMED.get((here.directory, fid), f"{fid:04X}"),
    )


def _application(aid: bytes) -> str:
    text = aid.hex()
    return next((name for known, name in _APPLICATIONS.items() if text.startswith(known)), f"AID {text}")


def _by_sfi(here: _Selection, sfi: int) -> str:
    files = FILES_BY_DIRECTORY.get(here.directory, {}).values()
    return next((file.NAME for file in files if sfi == file.SFI), f"SFI {sfi:02X}")


def _which_record(p1: int, p2: int) -> str:
    mode = p2 & 0x07
    if mode == 0x04:
        return f"#{p1}" if p1 else "current"
    return {0x02: "next", 0x03: "previous", 0x05: f"back from #{p1}"}.get(mode, "")


def _kind(command: bytes) -> str:
    ins, p2 = command[1], command[3]
    if ins == apdu.AUTHENTICATE:
        if p2 == 0x84 and command[5:6] == b"\xde":
            return "naf"
        return "authenticate" if p2 in (0x81, 0x84) else "gsm" if p2 == 0x80 else ""
    if ins == apdu.ENVELOPE and _data(command)[:1] == b"\xd1":
        return "download"
    return "fcp" if ins in (apdu.SELECT, apdu.STATUS) else ""


def _answer_words(kind: str, command: bytes, response: bytes) -> str:
    if len(response) < 2:
        return "no answer"
    data, sw = response[:-2], response[-2] << 8 | response[-1]
    if not status.is_success(sw) and not (data and sw >> 8 == 0x61):
        return f"{sw:04X} {status.meaning(sw)}"
    if not data:
        return f"{sw:04X}" if sw == status.OK else f"{sw:04X} {status.meaning(sw)}"
    if kind == "authenticate" and data[0] in (0xDB, 0xDC):
        names = [name for name, _ in _answer_parts(data)] if data[0] == 0xDB else ["AUTS"]
        return f"{data[0]:02X}: {' '.join(names)}"
    if kind == "naf" and data[0] == 0xDB:
        return "DB: Ks_ext_NAF"
    if kind == "gsm":
        return "SRES Kc"
    if kind == "download" and data.startswith(_PROOF):
        return "proof of receipt"
    if kind == "fcp" and data[0] == 0x62:
        return "FCP"
    return f"{len(data)} octet{'s' if len(data) > 1 else ''}"


def _data(command: bytes) -> bytes:
    return command[5 : 5 + command[4]] if len(command) > 5 else b""
