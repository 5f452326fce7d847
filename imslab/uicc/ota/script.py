"""Scripts of remote file management: commands in a row, and what the card says about the last one.

Spec: ETSI TS 102 226, sections 5.2.1 (compact format) and 8 (remote file management). A script is command
APDUs one after the other, each with a P3: Lc and data, or Le; none has both. The answer is the number of
commands that were executed, the last status word, and the data of the last command.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from imslab.errors import Malformed
from imslab.uicc import apdu
from imslab.uicc.apdu import Command
from imslab.uicc.files import isim
from imslab.uicc.files.base import ElementaryFile, Structure

# B00010 and B00011 are those of data/vectors/ota.json (SIM and USIM, in common use). No specification names
# one for the ISIM; the lab takes the next number.
TAR_SIM, TAR_USIM, TAR_ISIM = (bytes.fromhex(tar) for tar in ("b00010", "b00011", "b00012"))
ROOM = 128  # octets of a text file or record of the lab's cards


@dataclass(frozen=True, slots=True)
class ScriptAnswer:
    """What a script came to: ``executed`` commands, the last status word, the data of the last command."""

    executed: int
    sw: int
    data: bytes = b""

    @classmethod
    def parse(cls, octets: bytes) -> "ScriptAnswer":
        """Read the data of a proof of receipt; raise Malformed under 3 octets."""
        if len(octets) < 3:
            raise Malformed(
                f"the answer to a script has at least 3 octets, not {len(octets)}", offset=len(octets)
            )
        return cls(octets[0], octets[1] << 8 | octets[2], bytes(octets[3:]))

    def __bytes__(self) -> bytes:
        return bytes((self.executed,)) + self.sw.to_bytes(2) + self.data


def parse(octets: bytes) -> list[Command]:
    """Divide a script in compact format into its commands; raise Malformed when one is cut."""
    commands, at = [], 0
    while at < len(octets):
        if at + 5 > len(octets):
            raise Malformed("a command of the script is cut", offset=at, expected="5 octets at least")
        cla, ins, p1, p2, p3 = octets[at : at + 5]
        takes = ins in apdu.TAKES_DATA
        end = at + 5 + (p3 if takes else 0)
        if end > len(octets):
            raise Malformed("the data of a command of the script is cut", offset=at + 5)
        commands.append(Command(cla, ins, p1, p2, bytes(octets[at + 5 : end]), None if takes else p3 or 256))
        at = end
    return commands


def script(commands: Iterable[Command]) -> bytes:
    """Return commands as a script in compact format; raise Malformed when one has both data and Le."""
    return b"".join(map(_written, commands))


def _written(command: Command) -> bytes:
    if command.data and command.le is not None:
        raise Malformed("a command of a compact script has data or Le, not both")
    p3 = len(command.data) if command.ins in apdu.TAKES_DATA else (command.le or 0) & 0xFF
    return bytes((command.cla, command.ins, command.p1, command.p2, p3)) + command.data


def update(
    kind: type[ElementaryFile], values: Sequence[ElementaryFile], *, room: int = ROOM
) -> list[Command]:
    """Return SELECT and UPDATE for one file: contents or first records, filled to ``room`` octets."""
    commands = [Command(0x00, apdu.SELECT, 0x00, 0x0C, kind.FID.to_bytes(2))]
    if kind.STRUCTURE is Structure.TRANSPARENT:
        return commands + [
            Command(0x00, apdu.UPDATE_BINARY, 0x00, 0x00, one.encode(room)) for one in values[:1]
        ]
    numbered = enumerate(values, 1)
    return commands + [
        Command(0x00, apdu.UPDATE_RECORD, number, 0x04, one.encode(room)) for number, one in numbered
    ]


def isim_update(
    *, impu: Sequence[str] = (), pcscf: Sequence[str] = (), domain: str = "", room: int = ROOM
) -> bytes:
    """Return the script, for TAR_ISIM, that writes these values; what is left out stays as it is.

    ``impu``, ``pcscf``  the first records of the files. Raises Malformed when a value does not fit ``room``
    octets.
    """
    commands: list[Command] = []
    if domain:
        commands += update(isim.Domain, [isim.Domain(domain)], room=room)
    if impu:
        commands += update(isim.Impu, [isim.Impu(uri) for uri in impu], room=room)
    if pcscf:
        commands += update(isim.PCscf, [isim.PCscf(host) for host in pcscf], room=room)
    return script(commands)


def read_file(kind: type[ElementaryFile], record: int = 1, length: int = ROOM) -> bytes:
    """Return the script that reads ``length`` octets of a transparent file, or one record of that length."""
    select = Command(0x00, apdu.SELECT, 0x00, 0x0C, kind.FID.to_bytes(2))
    if kind.STRUCTURE is Structure.TRANSPARENT:
        return script((select, Command(0x00, apdu.READ_BINARY, 0x00, 0x00, b"", length)))
    return script((select, Command(0x00, apdu.READ_RECORD, record, 0x04, b"", length)))
