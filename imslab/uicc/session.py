"""What a card holds between two commands, and how a handler refuses.

Spec: ETSI TS 102 221, sections 8 (selection), 9 (security) and 10.3 (logical channels).
"""

from dataclasses import dataclass, field

from imslab.errors import Malformed
from imslab.uicc import fcp, status
from imslab.uicc.apdu import Command
from imslab.uicc.files.access import NEVER, AccessRules, Condition
from imslab.uicc.filesystem import Directory, File, FileSystem
from imslab.uicc.pins import PinSet
from imslab.uicc.profile import Profile
from imslab.uicc.store import Store


class Refused(Exception):
    """A handler refuses its command with the status word ``sw``; it never leaves the card."""

    def __init__(self, sw: int) -> None:
        self.sw = sw
        super().__init__(f"{sw:04X}")


@dataclass(slots=True)
class Channel:
    """The selection on one logical channel.

    ``adf``     the application, None before one was selected
    ``df``      the current directory
    ``ef``      the current file
    ``record``  the current record, 0 when undefined
    """

    df: Directory
    adf: Directory | None = None
    ef: File | None = None
    record: int = 0

    def select(self, found: Directory | File) -> None:
        """Make ``found`` the current directory or file; the record pointer becomes undefined."""
        self.record = 0
        if isinstance(found, Directory):
            self.df, self.ef = found, None
        else:
            self.df, self.ef = found.parent, found
        if (application := self.df.application) is not None:
            self.adf = application

    def select_ef(self, found: File) -> File:
        """Make ``found`` the current file (a short identifier was used)."""
        if found is not self.ef:
            self.ef, self.record = found, 0
        return found


@dataclass(slots=True)
class Session:
    """A powered card: its profile, files, PINs, channels, and the store behind them."""

    profile: Profile
    files: FileSystem
    pins: PinSet
    store: Store
    is_t0: bool = False
    channels: dict[int, Channel] = field(default_factory=dict)
    _conditions: dict[tuple[bytes, int], Condition] = field(default_factory=dict)
    _templates: dict[tuple[str, bytes], bytes] = field(default_factory=dict)

    def power_on(self) -> None:
        """Forget every selection and every PIN that was verified."""
        self.channels = {0: Channel(self.files.mf)}
        self.pins.forget()

    def demand(self, file: File, mode: int) -> None:
        """Refuse with 6982 unless the access rules of ``file`` allow ``mode`` now."""
        if not self.condition(file, mode).is_met(self.pins.satisfied):
            raise Refused(status.SECURITY_NOT_SATISFIED)

    def condition(self, file: File, mode: int) -> Condition:
        """Return what EF.ARR asks for ``mode`` on ``file``; NEVER when the rule is missing or damaged."""
        rules = file.parent.access_rules
        if rules is None or not 1 <= file.rule <= len(rules.records):
            return NEVER
        key = rules.records[file.rule - 1], mode
        if key not in self._conditions:
            self._conditions[key] = _read_condition(*key)
        return self._conditions[key]

    def control_parameters(self, found: Directory | File) -> bytes:
        """Return the FCP template of a file, or of a directory: that one shows which PINs are enabled now."""
        if isinstance(found, File):
            return found.fcp
        if found.is_applet:
            return b""  # it has no files, and nothing to say of itself
        enabled = self.pins.enabled
        key = found.key, bytes(enabled.values())
        if key not in self._templates:
            rule = (found.rules_fid, found.rule)
            self._templates[key] = bytes(fcp.for_directory(found.fid, aid=found.aid, rule=rule, pins=enabled))
        return self._templates[key]

    def check_le(self, command: Command, length: int) -> None:
        """Refuse with 6700 or 6Cxx, before anything changes, when Le is not ``length``.

        An open Le (256) means "all there is" in T=1; in T=0 the card names the length first.
        """
        if command.le is None:
            raise Refused(status.WRONG_LENGTH)
        if command.le != length and (self.is_t0 or command.le != 256):
            raise Refused(0x6C00 | length & 0xFF)

    def put(self, name: str, value: bytes) -> None:
        """Make a change durable; refuse with 6581 when the store cannot."""
        try:
            self.store.put(name, value)
        except OSError:
            raise Refused(0x6581) from None


def _read_condition(record: bytes, mode: int) -> Condition:
    try:
        return AccessRules.decode(record).condition(mode)
    except Malformed:
        return NEVER  # whoever wrote a broken rule has locked the file
