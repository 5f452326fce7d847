"""Where SELECT by file identifier and by path lead: ETSI TS 102 221, 8.4.

The tree of the example: MF / DF 7F10 / (DF 5F3A / EF 6F3A, DF 5F3B / EF 6F3B), and one ADF.
"""

import pytest

from imslab.uicc.files.base import Structure
from imslab.uicc.filesystem import Directory, File, FileSystem


def directory(fid: int, aid: bytes = b"") -> Directory:
    return Directory(f"DF {fid:04X}", fid, rules_fid=0x2F06, rule=1, aid=aid)


def file(fid: int) -> File:
    return File(f"EF {fid:04X}", fid, Structure.TRANSPARENT, [b"\0"], rule=1, sfi=3)


@pytest.fixture
def files() -> FileSystem:
    mf, telecom, phonebook, graphics = (directory(fid) for fid in (0x3F00, 0x7F10, 0x5F3A, 0x5F3B))
    mf.add(telecom)
    mf.add(file(0x2F06))
    telecom.add(phonebook)
    telecom.add(graphics)
    telecom.add(file(0x6F40))
    phonebook.add(file(0x6F3A))
    graphics.add(file(0x6F3B))
    return FileSystem(mf, (directory(0x7FF0, aid=b"\xa0\0\0\0\x87"),))


def at(files: FileSystem, *path: int) -> Directory:
    found = files.by_path(list(path), files.mf, None)
    assert isinstance(found, Directory)
    return found


@pytest.mark.parametrize(
    ("here", "reached", "not_reached"),
    [
        ((), (0x3F00, 0x7F10, 0x2F06), (0x5F3A, 0x6F40, 0x7FFF, 0x7FF0)),
        ((0x7F10,), (0x3F00, 0x7F10, 0x5F3A, 0x5F3B, 0x6F40), (0x2F06, 0x6F3A)),
        ((0x7F10, 0x5F3A), (0x3F00, 0x7F10, 0x5F3A, 0x5F3B, 0x6F3A), (0x6F40, 0x6F3B, 0x2F06)),
    ],
)
def test_what_an_identifier_reaches(
    files: FileSystem, here: tuple[int, ...], reached: tuple[int, ...], not_reached: tuple[int, ...]
) -> None:
    current = at(files, *here)
    for fid in reached:
        found = files.by_fid(fid, current, None)
        assert found is not None
        assert found.fid == fid
    assert [files.by_fid(fid, current, None) for fid in not_reached] == [None] * len(not_reached)


def test_the_application_is_found_by_7fff_alone(files: FileSystem) -> None:
    adf = files.applications[0]
    assert files.by_fid(0x7FFF, files.mf, adf) is adf
    assert files.by_path([0x7FFF], files.mf, adf) is adf
    assert files.by_path([0x7F10, 0x7FFF], files.mf, adf) is None
    assert adf.application is adf
    assert adf.parent is files.mf
    assert at(files, 0x7F10, 0x5F3A).application is None


def test_every_file_is_listed_with_its_place(files: FileSystem) -> None:
    keys = {one.key for one in files.files}
    assert keys == {"3F00/2F06", "3F00/7F10/6F40", "3F00/7F10/5F3A/6F3A", "3F00/7F10/5F3B/6F3B"}


def test_rules_are_looked_up_upwards(files: FileSystem) -> None:
    rules = at(files, 0x7F10, 0x5F3A).access_rules
    assert rules is not None
    assert rules.key == "3F00/2F06"
    assert directory(0x7F20).access_rules is None
