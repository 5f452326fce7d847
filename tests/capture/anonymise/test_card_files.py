"""Files: each coding has its rule, every file of the card keeps its form."""

import pytest

from imslab.capture.anonymise.card_files import Files
from imslab.errors import Malformed
from imslab.uicc import bcd
from imslab.uicc.files import ALL_FILES, ElementaryFile
from imslab.uicc.files.isim import GbaBootstrapping, GbaNaf
from imslab.uicc.files.network import ForbiddenNetworks
from imslab.uicc.files.uicc import Application
from imslab.uicc.files.usim import Msisdn
from tests.capture.anonymise.parts import Parts

EXAMPLES = [(file, example) for file in ALL_FILES for example in getattr(file, "EXAMPLES", ())]


@pytest.mark.parametrize("file", ALL_FILES, ids=lambda file: file.NAME)
def test_every_file_of_the_package_keeps_its_length(made: Parts, file: type[ElementaryFile]) -> None:
    files = Files(made.texts, made.challenges)
    for length in range(40):
        octets = bytes(range(1, length + 1))
        assert len(files.rewrite(file.NAME, octets)) == length
    assert files.rewrite(file.NAME, b"\xff" * 20) == b"\xff" * 20


def test_a_number_record(made: Parts) -> None:
    record = b"Alice\xff\xff\xff" + bytes([6, 0x91]) + bcd.encode("15550100001", 10) + b"\xff\xff"
    new = Files(made.texts, made.challenges).rewrite("EF.MSISDN", record)
    assert bcd.decode(new[10:20]) == made.numbers.number("15550100001")
    assert new[:5].decode() == made.texts.name("Alice")
    assert new[5:10] == record[5:10]
    assert Msisdn.decode(new) != Msisdn.decode(record)


def test_networks(made: Parts) -> None:
    octets = bcd.encode_plmn("001-01") + bcd.encode_plmn("310-410") + b"\xff\xff\xff"
    new = Files(made.texts, made.challenges).rewrite("EF.FPLMN", octets)
    wanted = ["-".join(made.numbers.network(*plmn.split("-"))) for plmn in ("001-01", "310-410")]
    assert [bcd.decode_plmn(new[at : at + 3]) for at in (0, 3, 6)] == [*wanted, ""]
    assert ForbiddenNetworks.decode(new) != ForbiddenNetworks.decode(octets)


def test_a_bootstrapping(made: Parts) -> None:
    old = GbaBootstrapping(
        bytes(range(16)), "AAECAwQFBgcICQoLDA0ODw==@bsf.example.com", "2026-11-28T13:00:00Z"
    )
    octets = old.encode(120)
    new = GbaBootstrapping.decode(Files(made.texts, made.challenges).rewrite("EF.GBABP", octets))
    assert new.rand == made.challenges.rand(old.rand)
    assert new.b_tid == made.texts.name(old.b_tid)
    assert new.lifetime == old.lifetime


def test_a_list_of_web_applications(made: Parts) -> None:
    old = GbaNaf(b"naf.example.com\x01\x00\x00\x00\x02", b"AAECAwQFBgcICQoLDA0ODw==@bsf.example.com")
    new = GbaNaf.decode(Files(made.texts, made.challenges).rewrite("EF.GBANL", old.encode(90)))
    assert new.naf_id[-5:] == old.naf_id[-5:]
    assert new.naf_id[:-5].decode() == made.texts.name("naf.example.com")


def test_a_directory_names_applications_of_the_same_kind(made: Parts) -> None:
    old = Application(bytes.fromhex("a0000000871004ffffffff8907090000"), "ISIM")
    new = Application.decode(Files(made.texts, made.challenges).rewrite("EF.DIR", old.encode(40)))
    assert (new.aid[:7], new.label) == (old.aid[:7], "ISIM")
    assert new.aid != old.aid
    with pytest.raises(Malformed):
        Application.decode(Files(made.texts, made.challenges).rewrite("EF.X", old.encode(40)))


def test_application_identifiers_of_standards_stay(made: Parts) -> None:
    files = Files(made.texts, made.challenges)
    isd_r = bytes.fromhex("a0000005591010ffffffff8900000100")
    assert files.aid(isd_r) == isd_r
    vendor = bytes.fromhex("a0000012340102030405")
    assert files.aid(vendor)[:5] == vendor[:5]
    assert files.aid(vendor) != vendor
