"""What anybody can read: all of it, but no key."""

import pytest

from imslab.data import profile_path
from imslab.errors import CardError
from imslab.uicc import Card, Profile
from imslab.uicc.files import isim
from imslab.uicc.survey import survey

ISIM = bytes.fromhex("a0000000871004")
SOME = range(0x6F00, 0x7000)


def test_every_file_is_found_with_its_contents() -> None:
    alice = Profile.load(profile_path("alice"))
    found = survey(Card(alice), ISIM, SOME)
    assert isim.Impi.decode(found[isim.Impi.FID] or b"").text == alice.impi
    records = found[isim.Impu.FID] or b""
    assert isim.Impu.decode(records[:128]).text == alice.impu[0]
    assert len(records) == 3 * 128
    assert not any(alice.k in (contents or b"") for contents in found.values())


def test_t0_finds_the_same() -> None:
    alice = Profile.load(profile_path("alice"))
    assert survey(Card(alice, protocol="T=0"), ISIM, SOME) == survey(Card(alice), ISIM, SOME)


def test_a_file_behind_a_pin_is_there_but_not_readable() -> None:
    locked = Profile.from_dict({**Profile.load(profile_path("alice")).to_dict(), "pin1_enabled": True})
    found = survey(Card(locked), ISIM, SOME)
    assert found[isim.Impi.FID] is None
    assert found[isim.IsimAdministrativeData.FID] == b"\0\0\0"


def test_no_application_is_said() -> None:
    with pytest.raises(CardError, match="6A82"):
        survey(Card(Profile.load(profile_path("carol"))), ISIM, SOME)
