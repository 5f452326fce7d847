"""A slot that a card is pulled out of, and put back."""

import pytest

from imslab.data import profile_path
from imslab.errors import CardError, CardGone
from imslab.uicc import Card, Profile, apdu
from imslab.uicc.link import exchange
from imslab.uicc.personalisation import ISIM_AID
from imslab.web.slot import ReaderSlot, SoftwareSlot


@pytest.fixture
def slot() -> SoftwareSlot:
    return SoftwareSlot("reader", Card(Profile.load(profile_path("alice")), protocol="T=0"))


def test_a_card_answers_until_it_is_pulled(slot: SoftwareSlot) -> None:
    link = slot.connect()
    assert slot.present() and slot.protocol == "T=0"
    assert link.reset()[:1] == b"\x3b"
    slot.pull()
    assert not slot.present()
    for attempt in (slot.connect, link.reset, lambda: link.transmit(b"\0\xa4\0\4\2\x3f\0")):
        with pytest.raises(CardGone):
            attempt()


def test_a_card_that_is_put_back_has_forgotten_what_was_selected(slot: SoftwareSlot) -> None:
    link = slot.connect()
    assert exchange(link, apdu.select_aid(ISIM_AID))[1] == 0x9000
    assert exchange(link, apdu.select_file(0x6F02))[1] == 0x9000
    slot.pull()
    slot.insert()
    assert exchange(link, apdu.select_file(0x6F02))[1] == 0x6A82  # there is no such file in the MF


def test_putting_in_what_is_in_changes_nothing(slot: SoftwareSlot) -> None:
    link = slot.connect()
    exchange(link, apdu.select_aid(ISIM_AID))
    slot.insert()
    assert exchange(link, apdu.select_file(0x6F02))[1] == 0x9000


def test_a_reader_that_is_not_there_says_so() -> None:
    slot = ReaderSlot("no reader has this name")
    assert slot.slow
    assert not slot.present()
    with pytest.raises(CardError):
        slot.connect()
