"""SELECT, STATUS and MANAGE CHANNEL.

Spec: ETSI TS 102 221, sections 8.4 (methods for selecting), 11.1.1, 11.1.2 and 11.1.17. Each handler takes
the session, the channel and the command; it returns response data, or refuses.
"""

from imslab.uicc import fcp, status, tlv
from imslab.uicc.apdu import Command
from imslab.uicc.filesystem import Directory, File
from imslab.uicc.session import Channel, Refused, Session

CHANNELS = 20
_BY_FID, _CHILD_DF, _CHILD_EF, _PARENT, _BY_NAME, _FROM_MF, _FROM_DF = (
    0x00,
    0x01,
    0x02,
    0x03,
    0x04,
    0x08,
    0x09,
)
_NO_DATA, _RETURN = 0x0C, (0x00, 0x04, 0x0C)
_OPEN, _CLOSE = 0x00, 0x80
_TERMINATE = 0x40


def select(session: Session, channel: Channel, command: Command) -> bytes:
    """SELECT: change the current directory or file; return the FCP unless P2 says that none is wanted."""
    returns = command.p2 & 0x1C if command.p1 == _BY_NAME else command.p2
    if returns not in _RETURN or command.p2 & 0xA0:
        raise Refused(status.WRONG_P1_P2)
    if command.p1 == _BY_NAME:
        return _by_name(session, channel, command)
    found = _find(session, channel, command)
    if found is None:
        raise Refused(status.FILE_NOT_FOUND)
    channel.select(found)
    return b"" if returns == _NO_DATA else session.control_parameters(found)


def _find(session: Session, channel: Channel, command: Command) -> Directory | File | None:
    p1, data, files = command.p1, command.data, session.files
    if p1 in (_FROM_MF, _FROM_DF):
        start = files.mf if p1 == _FROM_MF else channel.df
        return files.by_path(_path(data), start, channel.adf)
    if p1 == _PARENT:
        if data:
            raise Refused(status.WRONG_LENGTH)
        return channel.df.parent
    if p1 not in (_BY_FID, _CHILD_DF, _CHILD_EF):
        raise Refused(status.WRONG_P1_P2)
    if len(data) != 2:
        raise Refused(status.WRONG_LENGTH)
    fid = data[0] << 8 | data[1]
    if p1 == _BY_FID:
        return files.by_fid(fid, channel.df, channel.adf)
    child = channel.df.children.get(fid)
    return child if isinstance(child, Directory if p1 == _CHILD_DF else File) else None


def _path(data: bytes) -> list[int]:
    if not data or len(data) % 2:
        raise Refused(status.WRONG_LENGTH)
    return [data[i] << 8 | data[i + 1] for i in range(0, len(data), 2)]


def _by_name(session: Session, channel: Channel, command: Command) -> bytes:
    """Select an application by its AID, or by its beginning: first, last, next or previous occurrence."""
    if not 1 <= len(command.data) <= 16:
        raise Refused(status.WRONG_LENGTH)
    matching = [adf for adf in session.files.applications if adf.aid.startswith(command.data)]
    adf = _occurrence(matching, channel.adf, command.p2 & 0x03)
    if adf is None:
        raise Refused(status.FILE_NOT_FOUND)
    if command.p2 & _TERMINATE:
        if channel.adf is adf:
            channel.adf = None
            channel.select(session.files.mf)
        return b""
    channel.select(adf)
    return b"" if command.p2 & 0x1C == _NO_DATA else session.control_parameters(adf)


def _occurrence(matching: list[Directory], current: Directory | None, which: int) -> Directory | None:
    if not matching:
        return None
    if which in (0b00, 0b01):
        return matching[-which]
    step = 1 if which == 0b10 else -1
    position = (
        matching.index(current) + step if current in matching else (0 if step > 0 else len(matching) - 1)
    )
    return matching[position] if 0 <= position < len(matching) else None


def report_status(session: Session, channel: Channel, command: Command) -> bytes:
    """STATUS: return the FCP of the current directory, or its AID, or nothing; P1 is only noted."""
    if command.p1 > 0x02 or command.p2 not in (0x00, 0x01, 0x0C):
        raise Refused(status.WRONG_P1_P2)
    if command.p2 == 0x0C:
        return b""
    if command.p2 == 0x00:
        return session.control_parameters(channel.df)
    application = channel.df.application
    return tlv.encode(fcp.DF_NAME, application.aid if application else b"")


def manage_channel(session: Session, channel: Channel, command: Command) -> bytes:
    """MANAGE CHANNEL: open a channel (P2 00: the card chooses and tells which), or close one."""
    if command.p1 == _CLOSE:
        if command.p2 not in session.channels or command.p2 == 0:
            raise Refused(status.WRONG_P1_P2 if command.p2 == 0 else status.CHANNEL_NOT_SUPPORTED)
        del session.channels[command.p2]
        return b""
    if command.p1 != _OPEN or command.p2 >= CHANNELS:
        raise Refused(status.WRONG_P1_P2)
    number = command.p2 or next((n for n in range(1, CHANNELS) if n not in session.channels), 0)
    if not number or number in session.channels:
        raise Refused(status.FUNCTION_NOT_SUPPORTED)
    if not command.p2:
        session.check_le(command, 1)
    # From the basic channel the MF becomes current, from another one what is current there.
    basic = channel is session.channels[0]
    session.channels[number] = Channel(session.files.mf) if basic else Channel(channel.df, channel.adf)
    return b"" if command.p2 else bytes((number,))
