"""The tree of files in a software card.

Spec: ETSI TS 102 221, section 8. Directories are found by identifier, applications by AID; contents are
octets, and know nothing of what they mean.
"""

from imslab.uicc import fcp
from imslab.uicc.files.base import Structure

MF_FID, CURRENT_ADF = 0x3F00, 0x7FFF


class File:
    """An elementary file. ``records`` is its contents: all in one when transparent, else each record."""

    __slots__ = (
        "fcp",
        "fid",
        "key",
        "name",
        "parent",
        "record_length",
        "records",
        "rule",
        "sfi",
        "structure",
    )

    def __init__(
        self,
        name: str,
        fid: int,
        structure: Structure,
        records: list[bytes],
        *,
        rule: int,
        sfi: int | None = None,
    ) -> None:
        self.name, self.fid, self.structure, self.rule, self.sfi = name, fid, structure, rule, sfi
        self.records = records
        self.record_length = 0 if structure is Structure.TRANSPARENT else len(records[0])
        self.parent: Directory
        self.key = ""
        self.fcp = b""

    def placed(self, parent: "Directory") -> None:
        """Note where the file stands; its template and its name in a store follow from that."""
        self.parent, self.key = parent, f"{parent.key}/{self.fid:04X}"
        size = sum(map(len, self.records))
        rule, length = (parent.rules_fid, self.rule), self.record_length
        self.fcp = bytes(
            fcp.for_file(self.fid, self.structure, size, rule=rule, sfi=self.sfi, record_length=length)
        )


class Directory:
    """The MF, a DF, or an ADF (which has an ``aid`` and a ``label``)."""

    __slots__ = ("aid", "by_sfi", "children", "fid", "key", "label", "name", "parent", "rule", "rules_fid")

    def __init__(
        self, name: str, fid: int, *, rules_fid: int, rule: int, aid: bytes = b"", label: str = ""
    ) -> None:
        self.name, self.fid, self.aid, self.label = name, fid, aid, label
        self.rules_fid, self.rule = rules_fid, rule
        self.parent: Directory | None = None
        self.key = f"{fid:04X}"
        self.children: dict[int, Directory | File] = {}
        self.by_sfi: dict[int, File] = {}

    def add(self, child: "Directory | File") -> None:
        """Put a file, or a DF that is still empty, into this directory: its place is fixed here."""
        self.children[child.fid] = child
        if isinstance(child, File):
            child.placed(self)
            if child.sfi:
                self.by_sfi[child.sfi] = child
        else:
            child.parent, child.key = self, f"{self.key}/{child.fid:04X}"

    @property
    def files(self) -> list[File]:
        """The elementary files that stand directly in this directory."""
        return [child for child in self.children.values() if isinstance(child, File)]

    @property
    def is_applet(self) -> bool:
        """Whether this is an application without a file system: ARA-M."""
        return bool(self.aid) and not self.children

    @property
    def application(self) -> "Directory | None":
        """The ADF that this directory is, or stands in."""
        here: Directory | None = self
        while here is not None and not here.aid:
            here = here.parent
        return here

    @property
    def access_rules(self) -> File | None:
        """EF.ARR, where this directory's files look up their rules."""
        here: Directory | None = self
        while here is not None:
            found = here.children.get(self.rules_fid)
            if isinstance(found, File):
                return found
            here = here.parent
        return None


class FileSystem:
    """The MF and the applications of one card; applications in the order of EF.DIR."""

    def __init__(self, mf: Directory, applications: tuple[Directory, ...]) -> None:
        self.mf, self.applications = mf, applications
        for adf in applications:
            adf.parent = mf

    @property
    def files(self) -> list[File]:
        """Every elementary file of the card."""
        found: list[File] = []
        waiting = [self.mf, *self.applications]
        while waiting:
            here = waiting.pop()
            found += here.files
            waiting += [child for child in here.children.values() if isinstance(child, Directory)]
        return found

    def by_fid(self, fid: int, current: Directory, adf: Directory | None) -> "Directory | File | None":
        """Find what SELECT by file identifier reaches from ``current`` (section 8.4.2), or None."""
        if fid == MF_FID:
            return self.mf
        if fid == CURRENT_ADF:
            return adf
        if fid in current.children:
            return current.children[fid]
        if fid == current.fid:
            return current
        return self._above(fid, current)

    def _above(self, fid: int, current: Directory) -> "Directory | None":
        # The parent, and the DFs beside the current one; not the files beside it.
        parent = current.parent
        if parent is None:
            return None
        if parent.fid == fid:
            return parent
        beside = parent.children.get(fid)
        return beside if isinstance(beside, Directory) else None

    def by_path(self, fids: list[int], start: Directory, adf: Directory | None) -> "Directory | File | None":
        """Follow a path down from ``start``; 7FFF may come first and stands for ``adf``."""
        here: Directory | File | None = start
        for position, fid in enumerate(fids):
            if position == 0 and fid == CURRENT_ADF:
                here = adf
            elif isinstance(here, Directory):
                here = here.children.get(fid)
            else:
                return None
        return here
