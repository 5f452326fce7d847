"""READ, UPDATE and SEARCH: the contents of transparent files and of records.

Spec: ETSI TS 102 221, sections 11.1.3 to 11.1.7. The order of the checks: is there a file, has it the right
structure, may it be done, do the parameters fit.
"""

from imslab.uicc import status
from imslab.uicc.apdu import Command
from imslab.uicc.files.access import READ, UPDATE
from imslab.uicc.files.base import Structure
from imslab.uicc.filesystem import File
from imslab.uicc.session import Channel, Refused, Session

_NEXT, _PREVIOUS, _ABSOLUTE, _BACKWARD, _ENHANCED = 0x02, 0x03, 0x04, 0x05, 0x06
_HIGHEST_SFI = 30


def read_binary(session: Session, channel: Channel, command: Command) -> bytes:
    """READ BINARY: Le octets at an offset."""
    file, offset = _transparent(session, channel, command, READ)
    contents = file.records[0]
    if offset >= len(contents):
        raise Refused(status.WRONG_OFFSET)
    # With more asked than there is, the whole rest goes up, and the card's transport answers 6Cxx.
    return contents[offset : offset + (command.le or 256)]


def update_binary(session: Session, channel: Channel, command: Command) -> bytes:
    """UPDATE BINARY: write the data at an offset."""
    file, offset = _transparent(session, channel, command, UPDATE)
    contents, data = file.records[0], command.data
    if not data:
        raise Refused(status.WRONG_LENGTH)
    if offset >= len(contents):
        raise Refused(status.WRONG_OFFSET)
    if offset + len(data) > len(contents):
        raise Refused(status.WRONG_LENGTH)
    write(session, file, [contents[:offset] + data + contents[offset + len(data) :]])
    return b""


def read_record(session: Session, channel: Channel, command: Command) -> bytes:
    """READ RECORD: absolute or current (P1 00), next, or previous."""
    file = _with_records(session, channel, command, READ)
    number = _record(file, channel, command)
    session.check_le(command, file.record_length)
    _move(channel, command, number)
    return file.records[number - 1]


def update_record(session: Session, channel: Channel, command: Command) -> bytes:
    """UPDATE RECORD: as READ RECORD; in a cyclic file PREVIOUS alone, which replaces the oldest."""
    file = _with_records(session, channel, command, UPDATE)
    if file.structure is Structure.CYCLIC:
        return _update_cyclic(session, channel, file, command)
    number = _record(file, channel, command)
    if len(command.data) != file.record_length:
        raise Refused(status.WRONG_LENGTH)
    write(session, file, [*file.records[: number - 1], command.data, *file.records[number:]])
    _move(channel, command, number)
    return b""


def _update_cyclic(session: Session, channel: Channel, file: File, command: Command) -> bytes:
    if command.p2 & 0x07 != _PREVIOUS:
        raise Refused(status.INCOMPATIBLE_WITH_FILE)
    if command.p1:
        raise Refused(status.WRONG_P1_P2)
    if len(command.data) != file.record_length:
        raise Refused(status.WRONG_LENGTH)
    write(session, file, [command.data, *file.records[:-1]])
    channel.record = 1
    return b""


def search_record(session: Session, channel: Channel, command: Command) -> bytes:
    """SEARCH RECORD: return the numbers of the records that hold the data, from P1 forward or backward."""
    file = _with_records(session, channel, command, READ)
    mode, pattern, count = command.p2 & 0x07, command.data, len(file.records)
    start = 0
    if mode == _ENHANCED:
        mode, start, pattern = _enhanced(command.data)
    if mode not in (_ABSOLUTE, _BACKWARD):
        raise Refused(status.WRONG_P1_P2)
    if not 1 <= len(pattern) <= file.record_length:
        raise Refused(status.WRONG_LENGTH)
    first = command.p1 or channel.record or (1 if mode == _ABSOLUTE else count)
    if first > count:
        raise Refused(status.RECORD_NOT_FOUND)
    order = range(first, count + 1) if mode == _ABSOLUTE else range(first, 0, -1)
    found = bytes(number for number in order if pattern in file.records[number - 1][start:])
    if not found:
        raise Refused(status.WARNING_SEARCH_FAILED)
    channel.record = found[0]
    return found


def _enhanced(data: bytes) -> tuple[int, int, bytes]:
    """Read the search indication of an enhanced search: direction, first octet in the record, pattern."""
    if len(data) < 3:
        raise Refused(status.WRONG_LENGTH)
    if data[0] & 0x08 or data[0] & 0x07 not in (_ABSOLUTE, _BACKWARD):
        raise Refused(0x6A80)  # searching after an octet, and next and previous, are not offered
    return data[0] & 0x07, data[1], data[2:]


def _transparent(session: Session, channel: Channel, command: Command, mode: int) -> tuple[File, int]:
    if command.p1 & 0x80:
        if command.p1 & 0x60:
            raise Refused(status.WRONG_P1_P2)
        file, offset = _by_sfi(channel, command.p1 & 0x1F), command.p2
    else:
        file, offset = _current(channel), command.p1 << 8 | command.p2
    if file.structure is not Structure.TRANSPARENT:
        raise Refused(status.INCOMPATIBLE_WITH_FILE)
    session.demand(file, mode)
    channel.select_ef(file)
    return file, offset


def _with_records(session: Session, channel: Channel, command: Command, mode: int) -> File:
    file = _by_sfi(channel, command.p2 >> 3) if command.p2 >> 3 else _current(channel)
    if file.structure not in (Structure.LINEAR_FIXED, Structure.CYCLIC):
        raise Refused(status.INCOMPATIBLE_WITH_FILE)
    session.demand(file, mode)
    return channel.select_ef(file)


def _by_sfi(channel: Channel, sfi: int) -> File:
    file = channel.df.by_sfi.get(sfi) if 1 <= sfi <= _HIGHEST_SFI else None
    if file is None:
        raise Refused(status.FILE_NOT_FOUND)
    return file


def _current(channel: Channel) -> File:
    if channel.ef is None:
        raise Refused(status.NO_EF_SELECTED)
    return channel.ef


def _record(file: File, channel: Channel, command: Command) -> int:
    """Return the number of the record that is meant; refuse when there is none. Nothing moves yet."""
    mode, count = command.p2 & 0x07, len(file.records)
    if mode == _ABSOLUTE:
        number = command.p1 or channel.record
    elif mode not in (_NEXT, _PREVIOUS) or command.p1:
        raise Refused(status.WRONG_P1_P2)
    elif mode == _NEXT:
        number = channel.record + 1
    else:
        number = channel.record - 1 if channel.record else count
    if file.structure is Structure.CYCLIC and mode != _ABSOLUTE:
        number = (number - 1) % count + 1
    if not 1 <= number <= count:
        raise Refused(status.RECORD_NOT_FOUND)
    return number


def _move(channel: Channel, command: Command, number: int) -> None:
    # An absolute access leaves the record pointer where it is.
    if command.p2 & 0x07 != _ABSOLUTE:
        channel.record = number


def write(session: Session, file: File, records: list[bytes]) -> None:
    """Replace the contents of ``file``: in the store first, then here; refuse with 6581."""
    session.put(f"file/{file.key}", b"".join(records))
    file.records = records
