"""What anybody can read from an application: every file identifier is tried.

Spec: ETSI TS 102 221, sections 8.4 (selection by path, 7FFF for the current application) and 11.1. A card in
a reader takes some minutes for the 65,536 of them; a software card a second.
"""

from collections.abc import Iterable

from imslab.errors import Malformed
from imslab.uicc import apdu, status
from imslab.uicc.fcp import Fcp
from imslab.uicc.link import Link, exchange, obtain

CURRENT_APPLICATION = 0x7FFF


def survey(link: Link, aid: bytes, fids: Iterable[int] = range(0x10000)) -> dict[int, bytes | None]:
    """Return the contents of each file of the application ``aid`` (1 to 16 octets), by file identifier.

    None stands for a file that is there but may not be read now; DFs are left out. Raises CardError when
    there is no such application, CardGone when the card goes away.
    """
    obtain(link, apdu.select_aid(aid))
    found: dict[int, bytes | None] = {}
    for fid in fids:
        data, sw = exchange(link, apdu.select_path(CURRENT_APPLICATION, fid))
        if not status.is_success(sw):
            continue
        try:
            parameters = Fcp.parse(data)
        except Malformed:
            continue
        if not parameters.is_directory:
            found[fid] = _contents(link, parameters)
    return found


def _contents(link: Link, parameters: Fcp) -> bytes | None:
    size = parameters.size or 0
    if parameters.record_length:
        commands = [apdu.read_record(n, parameters.record_length) for n in range(1, parameters.records + 1)]
    else:
        commands = [apdu.read_binary(at, min(256, size - at)) for at in range(0, size, 256)]
    contents = b""
    for command in commands:
        data, sw = exchange(link, command)
        if not status.is_success(sw):
            return None
        contents += data
    return contents
