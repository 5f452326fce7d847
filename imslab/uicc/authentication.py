"""AUTHENTICATE: the USIM and the ISIM answer a challenge.

Spec: 3GPP TS 31.102 and 31.103, section 7.1; TS 33.102, section 6.3.3 (MAC first, then SQN);
TS 33.220, annex B.3 (GBA key derivation). The array of sequence numbers is durable before the answer leaves.

Teaching code: it is not constant time.
"""

from imslab.aka import AkaFunctions, Answer, SqnArray, authenticate, c2, c3, gba
from imslab.errors import MacFailure, Malformed, SyncFailure
from imslab.uicc import gba_files, status
from imslab.uicc.apdu import Command
from imslab.uicc.files.access import PIN1
from imslab.uicc.files.base import Structure
from imslab.uicc.filesystem import Directory, File
from imslab.uicc.session import Channel, Refused, Session

USIM_AID, ISIM_AID = bytes.fromhex("a0000000871002"), bytes.fromhex("a0000000871004")
_GSM, _AKA, _HTTP_DIGEST_OR_VGCS, _GBA = 0x80, 0x81, 0x82, 0x84
_SUCCESS, _SYNC, _BOOTSTRAP, _NAF = 0xDB, 0xDC, 0xDD, 0xDE
_UST_FID, _IST_FID = 0x6F38, 0x6F07
_GSM_ACCESS, _GSM_CONTEXT, _USIM_GBA, _ISIM_GBA = 27, 38, 68, 2
SQN, KS = "sqn", "ks"


class Authenticator:
    """The keys of one card, and what it knows of sequence numbers. USIM and ISIM share them."""

    def __init__(self, functions: AkaFunctions, array: SqnArray) -> None:
        self._functions, self._array = functions, array
        self._ks: dict[str, tuple[bytes, bytes]] = {}  # application: (RAND, Ks)

    def answer(self, session: Session, channel: Channel, command: Command) -> bytes:
        """AUTHENTICATE in the context that P2 names; refuse with 6A86, 6985, 6982, 9862 or 9864."""
        if command.p1 or command.p2 not in (_GSM, _AKA, _HTTP_DIGEST_OR_VGCS, _GBA):
            raise Refused(status.WRONG_P1_P2)
        application = channel.df.application
        if application is None or not application.aid.startswith((USIM_AID, ISIM_AID)):
            raise Refused(status.CONDITIONS_NOT_SATISFIED)
        if PIN1 not in session.pins.satisfied:
            raise Refused(status.SECURITY_NOT_SATISFIED)
        is_usim = application.aid.startswith(USIM_AID)
        if command.p2 == _AKA:
            return self._aka(session, application, command.data, is_usim)
        if command.p2 == _GSM and is_usim and _has_service(application, _UST_FID, _GSM_CONTEXT):
            return self._gsm(command.data)
        if command.p2 == _GBA and _has_gba(application, is_usim):
            return self._gba(session, application, command.data)
        raise Refused(status.CONTEXT_NOT_SUPPORTED)

    def _aka(self, session: Session, application: Directory, data: bytes, is_usim: bool) -> bytes:
        rand, autn = _challenge(data)
        answer = self._authenticated(session, rand, autn)
        if isinstance(answer, bytes):
            return answer
        response = bytes((_SUCCESS,)) + _lv(answer.res, answer.ck, answer.ik)
        if is_usim and len(answer.ck) == 16 and _has_service(application, _UST_FID, _GSM_ACCESS):
            response += _lv(c3(answer.ck, answer.ik))
        return response

    def _authenticated(self, session: Session, rand: bytes, autn: bytes) -> Answer | bytes:
        """Return the answer, or the response with AUTS; refuse a wrong MAC with 9862 and no AUTS."""
        try:
            answer, array = authenticate(self._functions, self._array, rand, autn)
        except MacFailure:
            raise Refused(status.WRONG_MAC) from None
        except SyncFailure as failure:
            return bytes((_SYNC,)) + _lv(failure.auts)
        session.put(SQN, dump_array(array))
        self._array = array
        return answer

    def _gsm(self, data: bytes) -> bytes:
        """GSM context: RAND alone; SRES and Kc by c2 and c3 (TS 33.102, 6.8.1.2); no SQN."""
        (rand,) = _values(data, 16)
        res, ck, ik, _ = self._functions.f2_to_f5(rand)
        try:
            return _lv(c2(res), c3(ck, ik))
        except Malformed:
            raise Refused(status.CONTEXT_NOT_SUPPORTED) from None  # TUAK with long results has no GSM form

    def _gba(self, session: Session, application: Directory, data: bytes) -> bytes:
        if data[:1] == bytes((_BOOTSTRAP,)):
            return self._bootstrap(session, application, data[1:])
        if data[:1] == bytes((_NAF,)):
            return self._derive(session, application, data[1:])
        raise Refused(0x6A80 if data else status.WRONG_LENGTH)

    def _bootstrap(self, session: Session, application: Directory, data: bytes) -> bytes:
        """GBA bootstrap: only RES leaves the card; Ks = CK | IK stays."""
        rand, autn = _challenge(data)
        answer = self._authenticated(session, rand, autn)
        if isinstance(answer, bytes):
            return answer
        try:
            ks = gba.ks(answer.ck, answer.ik)
        except Malformed:
            raise Refused(status.CONTEXT_NOT_SUPPORTED) from None  # TUAK with long keys: GBA knows 16 octets
        session.put(f"{KS}/{application.fid:04X}", rand + ks)
        self._ks[application.key] = rand, ks
        gba_files.bootstrapped(session, application, rand)
        return bytes((_SUCCESS,)) + _lv(answer.res)

    def _derive(self, session: Session, application: Directory, data: bytes) -> bytes:
        """GBA NAF derivation: return Ks_ext_NAF, 32 octets, for a NAF identifier and the IMPI."""
        naf_id, impi = _values(data, None, None)
        if application.key not in self._ks:
            raise Refused(status.CONDITIONS_NOT_SATISFIED)
        rand, ks = self._ks[application.key]
        try:
            key = gba.ks_ext_naf(ks, rand, impi.decode("utf-8"), naf_id)
        except UnicodeDecodeError:
            raise Refused(0x6A80) from None
        gba_files.derived(session, application, naf_id)
        return bytes((_SUCCESS,)) + _lv(key)

    def restore(self, state: dict[str, bytes], applications: tuple[Directory, ...]) -> None:
        """Take up what a store kept; raise Malformed when it is damaged."""
        if SQN in state:
            self._array = read_array(state[SQN], self._array)
        for application in applications:
            kept = state.get(f"{KS}/{application.fid:04X}", b"")
            if len(kept) > 16:
                self._ks[application.key] = kept[:16], kept[16:]


def dump_array(array: SqnArray) -> bytes:
    """Write an array of sequence numbers: IND (2 octets) and SEQ (6) for each one that was used."""
    return b"".join(ind.to_bytes(2) + seq.to_bytes(6) for ind, seq in array.seq_ms.items())


def read_array(octets: bytes, like: SqnArray) -> SqnArray:
    """Read what ``dump_array`` wrote, with the limits of ``like``; raise Malformed when it is cut."""
    if len(octets) % 8:
        raise Malformed("the stored sequence numbers are damaged", expected="8 octets for each IND")
    entries = (octets[i : i + 8] for i in range(0, len(octets), 8))
    seq_ms = {int.from_bytes(entry[:2]): int.from_bytes(entry[2:]) for entry in entries}
    return SqnArray(seq_ms, like.ind_length, like.delta, like.age_limit)


def _challenge(data: bytes) -> list[bytes]:
    return _values(data, 16, 16)


def _values(data: bytes, *lengths: int | None) -> list[bytes]:
    """Divide values that stand after a length octet each; refuse with 6700 unless all fits exactly."""
    values, at = [], 0
    for length in lengths:
        end = at + 1 + data[at] if at < len(data) else len(data) + 1
        if end > len(data) or (length is not None and end - at - 1 != length):
            raise Refused(status.WRONG_LENGTH)
        values.append(data[at + 1 : end])
        at = end
    if at != len(data):
        raise Refused(status.WRONG_LENGTH)
    return values


def _lv(*values: bytes) -> bytes:
    return b"".join(bytes((len(value),)) + value for value in values)


def _has_service(application: Directory, table_fid: int, service: int) -> bool:
    # Straight from the file, as it stands now: an update of the table takes effect at once.
    table = application.children.get(table_fid)
    if not isinstance(table, File) or table.structure is not Structure.TRANSPARENT:
        return False
    octet, bit = divmod(service - 1, 8)
    return octet < len(table.records[0]) and bool(table.records[0][octet] >> bit & 1)


def _has_gba(application: Directory, is_usim: bool) -> bool:
    if is_usim:
        return _has_service(application, _UST_FID, _USIM_GBA)
    return _has_service(application, _IST_FID, _ISIM_GBA)
