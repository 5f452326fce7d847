"""APDUs and data objects divided into named octets, for a picture: what is what, octet by octet.

Spec: ETSI TS 102 221, section 10.1 (APDUs); ISO/IEC 7816-4, section 5.2 (data objects). What cannot be
divided is one part with the name "octets"; nothing is raised, for a picture may show what is broken.
"""

from imslab.errors import Malformed
from imslab.uicc import tlv
from imslab.uicc.apdu import AUTHENTICATE, Command
from imslab.uicc.narrator import authenticate_parts

Parts = list[tuple[str, bytes]]


def command_parts(apdu: bytes) -> Parts:
    """Return CLA, INS, P1, P2, and, where they are there, Lc, data and Le.

    The data of AUTHENTICATE in the AKA context are RAND and the parts of AUTN, with their lengths; in the
    GBA context there is a tag before them, or before NAF_Id and IMPI.
    """
    try:
        command = Command.parse(apdu)
    except Malformed:
        return [("octets", bytes(apdu))]
    parts = [(name, apdu[i : i + 1]) for i, name in enumerate(("CLA", "INS", "P1", "P2"))]
    if command.data:
        parts += [("Lc", apdu[4:5]), *_data(command)]
    return parts if command.le is None else [*parts, ("Le", apdu[-1:])]


def response_parts(response: bytes) -> Parts:
    """Return the data, if there are any, and the status word (2 octets)."""
    data = [("data", response[:-2])] if len(response) > 2 else []
    return [*data, ("SW1 SW2", response[-2:])] if len(response) >= 2 else [("octets", bytes(response))]


def object_parts(octets: bytes) -> Parts:
    """Return tag, length and value of each data object, then what is behind them: the filling, 00 or FF."""
    parts: Parts = []
    at = 0
    while at < len(octets) and octets[at] not in (0x00, 0xFF):
        try:
            _, after_tag = tlv.read_tag(octets, at)
            _, start = tlv.read_length(octets, after_tag)
            _, end = tlv.read(octets, at)
        except Malformed:
            break
        cuts = (("tag", at, after_tag), ("length", after_tag, start), ("value", start, end))
        parts += [(name, bytes(octets[i:j])) for name, i, j in cuts if j > i]
        at = end
    rest = bytes(octets[at:])
    name = "octets" if rest.strip(b"\x00\xff") else "filling"
    return [*parts, (name, rest)] if rest else parts


def _data(command: Command) -> Parts:
    if command.ins != AUTHENTICATE:
        return [("data", command.data)]
    named, _ = authenticate_parts(bytes(command), b"\x90\x00")
    if [name for name, _ in named] == ["NAF_Id", "IMPI"]:
        cut = 2 + len(named[0][1])
        tag, data = command.data[:1], command.data
        return [("tag", tag), ("length", data[1:2]), named[0], ("length", data[cut : cut + 1]), named[1]]
    if [len(value) for _, value in named] != [16, 6, 2, 8]:
        return [("data", command.data)]
    if command.data[:1] == b"\xdd":  # GBA bootstrapping
        data = command.data
        return [("tag", data[:1]), ("length", data[1:2]), named[0], ("length", data[18:19]), *named[1:]]
    # Each of RAND and AUTN stands after an octet with its length.
    return [("length", command.data[:1]), named[0], ("length", command.data[17:18]), *named[1:]]
