"""Command APDUs: read, written, and the commands that the lab sends.

Spec: ETSI TS 102 221, sections 10.1 and 11; ISO/IEC 7816-4, section 5.1; 3GPP TS 31.102, section 7.1.
A command is CLA INS P1 P2, then nothing (case 1), Le (case 2), Lc and data (case 3), or Lc, data and
Le (case 4). Only short lengths: a UICC of this lab refuses the extended form with 6700.
"""

from dataclasses import dataclass

from imslab.errors import Malformed
from imslab.octets import exactly

SELECT, STATUS, READ_BINARY, UPDATE_BINARY = 0xA4, 0xF2, 0xB0, 0xD6
READ_RECORD, UPDATE_RECORD, SEARCH_RECORD = 0xB2, 0xDC, 0xA2
VERIFY, CHANGE_PIN, DISABLE_PIN, ENABLE_PIN, UNBLOCK_PIN = 0x20, 0x24, 0x26, 0x28, 0x2C
MANAGE_CHANNEL, AUTHENTICATE, GET_RESPONSE = 0x70, 0x88, 0xC0
TERMINAL_PROFILE, ENVELOPE, FETCH, TERMINAL_RESPONSE = 0x10, 0xC2, 0x12, 0x14
TERMINAL_CAPABILITY, GET_DATA = 0xAA, 0xCA

NAMES = {
    SELECT: "SELECT",
    STATUS: "STATUS",
    READ_BINARY: "READ BINARY",
    UPDATE_BINARY: "UPDATE BINARY",
    READ_RECORD: "READ RECORD",
    UPDATE_RECORD: "UPDATE RECORD",
    SEARCH_RECORD: "SEARCH RECORD",
    0x32: "INCREASE",
    0xCB: "RETRIEVE DATA",
    0xDB: "SET DATA",
    VERIFY: "VERIFY PIN",
    CHANGE_PIN: "CHANGE PIN",
    DISABLE_PIN: "DISABLE PIN",
    ENABLE_PIN: "ENABLE PIN",
    UNBLOCK_PIN: "UNBLOCK PIN",
    0x04: "DEACTIVATE FILE",
    0x44: "ACTIVATE FILE",
    AUTHENTICATE: "AUTHENTICATE",
    0x89: "AUTHENTICATE",
    0x84: "GET CHALLENGE",
    TERMINAL_CAPABILITY: "TERMINAL CAPABILITY",
    TERMINAL_PROFILE: "TERMINAL PROFILE",
    ENVELOPE: "ENVELOPE",
    FETCH: "FETCH",
    TERMINAL_RESPONSE: "TERMINAL RESPONSE",
    MANAGE_CHANNEL: "MANAGE CHANNEL",
    0x73: "MANAGE SECURE CHANNEL",
    0x75: "TRANSACT DATA",
    0x76: "SUSPEND UICC",
    0x78: "GET IDENTITY",
    GET_DATA: "GET DATA",
    0xE2: "STORE DATA",
    0xE4: "DELETE",
    0xE6: "INSTALL",
    0xE8: "LOAD",
    GET_RESPONSE: "GET RESPONSE",
}

# What an instruction carries: TS 102 221, table 10.5 and ISO/IEC 7816-4. It decides what the fifth
# octet of a five-octet command means, and where a T=0 exchange in a trace divides.
TAKES_DATA = frozenset(
    (
        *(SELECT, UPDATE_BINARY, UPDATE_RECORD, SEARCH_RECORD, 0x32, 0xCB, 0xDB),
        *(VERIFY, CHANGE_PIN, DISABLE_PIN, ENABLE_PIN, UNBLOCK_PIN, AUTHENTICATE, 0x89),
        *(TERMINAL_PROFILE, ENVELOPE, TERMINAL_RESPONSE, TERMINAL_CAPABILITY),
        *(0x73, 0x75, 0x76, 0x78, 0xE2, 0xE4, 0xE6, 0xE8),
    )
)

_SPECIFIC = b"\xff\x50"  # the one GET DATA that carries data (GlobalPlatform SEAC, 4.2.2)


def takes_data(header: bytes) -> bool:
    """Tell whether a command with this header (CLA INS P1 P2) carries data to the card."""
    return header[1] in TAKES_DATA or (header[1] == GET_DATA and header[2:4] == _SPECIFIC)


@dataclass(frozen=True, slots=True)
class Command:
    """One command APDU. ``le`` is how many octets are asked for, 1 to 256, or None when none are."""

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes = b""
    le: int | None = None

    def __post_init__(self) -> None:
        if any(not 0 <= octet <= 0xFF for octet in (self.cla, self.ins, self.p1, self.p2)):
            raise Malformed("CLA, INS, P1 and P2 are one octet each")
        if len(self.data) > 255:
            raise Malformed(f"a short command holds at most 255 octets, not {len(self.data)}")
        if self.le is not None and not 1 <= self.le <= 256:
            raise Malformed(f"Le must be 1 to 256, not {self.le}")

    @classmethod
    def parse(cls, octets: bytes) -> "Command":
        """Read a command APDU of case 1 to 4; raise Malformed when it is cut, inconsistent or extended."""
        if len(octets) < 4:
            raise Malformed(f"a command has at least 4 octets, not {len(octets)}", offset=len(octets))
        (cla, ins, p1, p2), body = octets[:4], octets[4:]
        if len(body) <= 1:
            return cls(cla, ins, p1, p2, b"", (body[0] or 256) if body else None)
        lc = body[0]
        if lc == 0:
            raise Malformed("extended lengths are not supported", offset=4)
        if len(body) == 1 + lc:
            return cls(cla, ins, p1, p2, bytes(body[1:]))
        if len(body) == 2 + lc:
            return cls(cla, ins, p1, p2, bytes(body[1:-1]), body[-1] or 256)
        raise Malformed(f"Lc is {lc}, {len(body) - 1} octets follow", offset=4)

    def __bytes__(self) -> bytes:
        octets = bytes((self.cla, self.ins, self.p1, self.p2))
        if self.data:
            octets += bytes((len(self.data),)) + self.data
        return octets if self.le is None else octets + bytes((self.le & 0xFF,))

    @property
    def channel(self) -> int:
        """The logical channel, 0 to 19 (TS 102 221, tables 10.3 and 10.4)."""
        return channel(self.cla)

    @property
    def case(self) -> int:
        """The case, 1 to 4: bit 0 of ``case - 1`` says that Le is there, bit 1 that data is."""
        return 1 + (self.le is not None) + 2 * bool(self.data)


def channel(cla: int) -> int:
    """Return the logical channel that a class octet names: 0 to 3, or 4 to 19."""
    return 4 + (cla & 0x0F) if cla & 0x40 else cla & 0x03


def cla_for(number: int, base: int = 0x00) -> int:
    """Return the class octet for logical channel ``number`` (0 to 19); ``base`` is 00 or 80."""
    if not 0 <= number <= 19:
        raise Malformed(f"logical channels are 0 to 19, not {number}")
    return base | number if number < 4 else base | 0x40 | number - 4


def split_response(response: bytes) -> tuple[bytes, int]:
    """Divide a response into its data and its status word; raise Malformed under two octets."""
    if len(response) < 2:
        raise Malformed(f"a response has at least 2 octets, not {len(response)}")
    return bytes(response[:-2]), response[-2] << 8 | response[-1]


def split_exchange(octets: bytes) -> tuple[bytes, bytes]:
    """Divide command and response that stand together, as T=0 and GSMTAP write them.

    The fifth octet counts the command's data, or the answer's, according to INS. Raises Malformed when
    there is no room for a header of 5 octets and a status word.
    """
    if len(octets) < 7:
        raise Malformed(f"an exchange has at least 7 octets, not {len(octets)}", offset=len(octets))
    ends = 5 + octets[4] if takes_data(octets) else 5
    if ends > len(octets) - 2:  # the card refused before it took the data
        ends = 5
    return bytes(octets[:ends]), bytes(octets[ends:])


def select_file(fid: int, *, channel: int = 0, fcp: bool = True) -> bytes:
    """Return SELECT by file identifier (2 octets)."""
    return _select(0x00, fid.to_bytes(2), channel, fcp)


def select_aid(aid: bytes, *, channel: int = 0, fcp: bool = True) -> bytes:
    """Return SELECT by DF name, full or right-truncated (1 to 16 octets)."""
    return _select(0x04, exactly("AID", aid, *range(1, 17)), channel, fcp)


def select_path(*fids: int, channel: int = 0, fcp: bool = True) -> bytes:
    """Return SELECT by path from the MF; the MF itself is left out, 7FFF stands for the current ADF."""
    return _select(0x08, b"".join(fid.to_bytes(2) for fid in fids), channel, fcp)


def _select(p1: int, data: bytes, channel: int, fcp: bool) -> bytes:
    return bytes(Command(cla_for(channel), SELECT, p1, 0x04 if fcp else 0x0C, data, 256 if fcp else None))


def read_binary(offset: int = 0, length: int = 256, *, channel: int = 0) -> bytes:
    """Return READ BINARY of ``length`` octets (256: all that are there) at ``offset`` (0 to 32767)."""
    if not 0 <= offset <= 0x7FFF:
        raise Malformed(f"an offset is 0 to 32767, not {offset}")
    return bytes(Command(cla_for(channel), READ_BINARY, offset >> 8, offset & 0xFF, b"", length))


def update_binary(offset: int, data: bytes, *, channel: int = 0) -> bytes:
    """Return UPDATE BINARY: write ``data`` (1 to 255 octets) at ``offset`` (0 to 32767)."""
    if not 0 <= offset <= 0x7FFF:
        raise Malformed(f"an offset is 0 to 32767, not {offset}")
    if not data:
        raise Malformed("UPDATE BINARY needs something to write")
    return bytes(Command(cla_for(channel), UPDATE_BINARY, offset >> 8, offset & 0xFF, data))


def read_record(number: int, length: int = 256, *, channel: int = 0) -> bytes:
    """Return READ RECORD, absolute, of record ``number`` (1 to 254)."""
    return bytes(Command(cla_for(channel), READ_RECORD, number, 0x04, b"", length))


def authenticate(rand: bytes, autn: bytes, *, channel: int = 0) -> bytes:
    """Return AUTHENTICATE in the 3G (USIM) or IMS AKA (ISIM) context: RAND and AUTN, 16 octets each."""
    data = b"\x10" + exactly("RAND", rand, 16) + b"\x10" + exactly("AUTN", autn, 16)
    return bytes(Command(cla_for(channel), AUTHENTICATE, 0x00, 0x81, data, 256))


def gba_bootstrap(rand: bytes, autn: bytes, *, channel: int = 0) -> bytes:
    """Return AUTHENTICATE in the GBA context, bootstrapping: RAND and AUTN, 16 octets each, behind tag DD."""
    data = b"\xdd\x10" + exactly("RAND", rand, 16) + b"\x10" + exactly("AUTN", autn, 16)
    return bytes(Command(cla_for(channel), AUTHENTICATE, 0x00, 0x84, data, 256))


def gba_naf(naf_id: bytes, impi: bytes, *, channel: int = 0) -> bytes:
    """Return AUTHENTICATE in the GBA context, NAF derivation: NAF_Id and IMPI behind tag DE, 252 at most."""
    if len(naf_id) + len(impi) > 252:
        raise Malformed("NAF_Id and IMPI do not fit in one command", expected="252 octets at most")
    data = b"\xde" + b"".join(bytes((len(value),)) + value for value in (naf_id, impi))
    return bytes(Command(cla_for(channel), AUTHENTICATE, 0x00, 0x84, data, 256))


def verify_pin(reference: int, pin: bytes = b"", *, channel: int = 0) -> bytes:
    """Return VERIFY PIN; without ``pin`` (8 octets, filled with FF) it only asks how many tries remain."""
    return bytes(Command(cla_for(channel), VERIFY, 0x00, reference, pin and exactly("PIN", pin, 8)))


def get_response(length: int, *, cla: int = 0x00) -> bytes:
    """Return GET RESPONSE for ``length`` octets (1 to 256)."""
    return bytes(Command(cla, GET_RESPONSE, 0x00, 0x00, b"", length))
