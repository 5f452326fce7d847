"""What a card notes of GBA in its own files: EF.GBABP at a bootstrapping, EF.GBANL at a derivation.

Spec: 3GPP TS 31.103, 4.2.9 and 4.2.10, and TS 31.102, 4.2.79 and 4.2.83; TS 33.220, annex G (who writes what:
RAND is the card's, B-TID and key lifetime are the terminal's).
"""

from imslab.errors import Malformed
from imslab.uicc.contents import write
from imslab.uicc.files.isim import GbaBootstrapping, GbaNaf
from imslab.uicc.files.usim import UsimGbaBootstrapping, UsimGbaNaf
from imslab.uicc.filesystem import Directory, File
from imslab.uicc.session import Session

_BOOTSTRAPPING = GbaBootstrapping.FID, UsimGbaBootstrapping.FID
_NAFS = GbaNaf.FID, UsimGbaNaf.FID


def bootstrapped(session: Session, application: Directory, rand: bytes) -> None:
    """Note RAND (16 octets) in EF.GBABP; B-TID and lifetime of the run before are gone."""
    file = _file(application, _BOOTSTRAPPING)
    if file is None or len(file.records[0]) < len(rand) + 3:
        return
    write(session, file, [GbaBootstrapping(rand).encode(len(file.records[0]))])


def derived(session: Session, application: Directory, naf_id: bytes) -> None:
    """Note the NAF, with the B-TID that its key comes from, in EF.GBANL: a NAF has one record.

    A NAF that is new takes an empty record, or else the last one, whose contents make room.
    """
    file = _file(application, _NAFS)
    if file is None:
        return
    try:
        record = GbaNaf(naf_id, _current_b_tid(application)).encode(file.record_length)
    except Malformed:
        return  # too long for the file: the key is there all the same
    number = _place(file, naf_id)
    write(session, file, [*file.records[:number], record, *file.records[number + 1 :]])


def _current_b_tid(application: Directory) -> bytes:
    file = _file(application, _BOOTSTRAPPING)
    try:
        return GbaBootstrapping.decode(file.records[0]).b_tid.encode() if file is not None else b""
    except Malformed:
        return b""  # the terminal has written what nobody can read


def _place(file: File, naf_id: bytes) -> int:
    """Return the record, from 0: this NAF's own, or else an empty one, or else the last."""
    held = [_naf(record) for record in file.records]
    return next((held.index(wanted) for wanted in (naf_id, b"") if wanted in held), len(held) - 1)


def _naf(record: bytes) -> bytes:
    try:
        return GbaNaf.decode(record).naf_id
    except Malformed:
        return b""


def _file(application: Directory, fids: tuple[int, int]) -> File | None:
    found = next((application.children[fid] for fid in fids if fid in application.children), None)
    return found if isinstance(found, File) else None
