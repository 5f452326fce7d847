"""SELECT in all forms, STATUS, MANAGE CHANNEL: ETSI TS 102 221, 8.4 and 11.1."""

import pytest

from imslab.uicc import Card, Fcp, Profile
from imslab.uicc.personalisation import ISIM_AID, USIM_AID

ISIM, USIM = "a0000000871004", "a0000000871002"


def send(card: Card, command: str) -> str:
    return card.transmit(bytes.fromhex(command)).hex()


def fid(answer: str) -> int | None:
    assert answer.endswith("9000"), answer
    return Fcp.parse(bytes.fromhex(answer)[:-2]).fid


def select(card: Card, fids: str, p1: str = "00", cla: str = "00") -> str:
    return send(card, f"{cla}a4{p1}04{len(fids) // 2:02x}{fids}00")


def name(card: Card, aid: str, p2: str = "04") -> str:
    return send(card, f"00a404{p2}{len(aid) // 2:02x}{aid}00")


def aid_of(answer: str) -> bytes | None:
    assert answer.endswith("9000"), answer
    return Fcp.parse(bytes.fromhex(answer)[:-2]).aid


def test_by_file_identifier(card: Card) -> None:
    assert fid(select(card, "3f00")) == 0x3F00
    assert fid(select(card, "2fe2")) == 0x2FE2
    assert select(card, "6f07") == "6a82"  # not a child of the MF
    assert fid(select(card, "3f00")) == 0x3F00


def test_the_current_directory_and_its_parent(card: Card) -> None:
    name(card, ISIM)
    assert fid(select(card, "6f02")) == 0x6F02
    assert aid_of(select(card, "7ff1")) == ISIM_AID  # the current directory itself
    assert fid(send(card, "00a4030400")) == 0x3F00
    assert send(card, "00a4030400") == "6a82"  # nothing above the MF
    assert send(card, "00a40304023f0000") == "6700"


def test_the_current_application_stays_when_the_mf_is_selected(card: Card) -> None:
    assert select(card, "7fff") == "6a82"
    name(card, ISIM)
    select(card, "3f00")
    assert aid_of(select(card, "7fff")) == ISIM_AID
    assert fid(select(card, "6f02")) == 0x6F02


def test_full_and_partial_names(card: Card) -> None:
    assert aid_of(name(card, ISIM_AID.hex())) == ISIM_AID
    assert aid_of(name(card, ISIM)) == ISIM_AID
    assert aid_of(name(card, USIM)) == USIM_AID
    assert name(card, ISIM + "00") == "6a82"
    assert name(card, ISIM_AID.hex() + "00") == "6700"
    for absent in ("a0000005591010ffffffff8900000100", "a000000151000000"):
        assert name(card, absent) == "6a82"
    assert name(card, "a00000015141434c00") == "9000"  # ARA-M has no control parameters


def test_first_next_last_and_previous_occurrence(card: Card) -> None:
    both = "a000000087"
    assert aid_of(name(card, both)) == USIM_AID
    assert aid_of(name(card, both, "06")) == ISIM_AID
    assert name(card, both, "06") == "6a82"
    assert aid_of(name(card, both, "07")) == USIM_AID
    assert aid_of(name(card, both, "05")) == ISIM_AID


def test_an_application_can_be_terminated(card: Card) -> None:
    name(card, ISIM)
    assert name(card, ISIM, "44") == "9000"
    assert select(card, "7fff") == "6a82"
    assert select(card, "6f02") == "6a82"


def test_by_path(card: Card) -> None:
    assert fid(select(card, "2f00", "08")) == 0x2F00
    assert select(card, "7fff6f02", "08") == "6a82"
    name(card, ISIM)
    assert fid(select(card, "6f02", "09")) == 0x6F02
    assert fid(select(card, "7fff6f03", "08")) == 0x6F03
    assert select(card, "6f026f03", "08") == "6a82"
    assert select(card, "7fff6f026f03", "08") == "6a82"
    assert select(card, "2f", "08") == "6700"
    assert send(card, "00a4080400") == "6700"


def test_children_of_one_kind(card: Card) -> None:
    assert fid(select(card, "2f00", "02")) == 0x2F00
    assert select(card, "2f00", "01") == "6a82"


@pytest.mark.parametrize("p1", ["05", "0a", "80", "ff"])
def test_forms_that_do_not_exist(card: Card, p1: str) -> None:
    assert select(card, "2f00", p1) == "6a86"


@pytest.mark.parametrize(
    ("p2", "answer"), [("0c", "9000"), ("08", "6a86"), ("84", "6a86"), ("24", "6a86"), ("05", "6a86")]
)
def test_what_p2_asks_for(card: Card, p2: str, answer: str) -> None:
    assert send(card, f"00a400{p2}022f0000") == answer
    assert send(card, f"00a400{p2}022f00") == answer


def test_a_refused_select_changes_nothing(card: Card) -> None:
    select(card, "2fe2")
    assert select(card, "7f10") == "6a82"
    assert send(card, "00b000000a").endswith("9000")


@pytest.mark.parametrize("data", ["", "2f", "2f0000"])
def test_a_file_identifier_has_two_octets(card: Card, data: str) -> None:
    assert select(card, data) == "6700"


def test_status(card: Card) -> None:
    assert fid(send(card, "80f2000000")) == 0x3F00
    assert send(card, "80f2000100") == "84009000"
    name(card, ISIM)
    select(card, "6f02")
    assert aid_of(send(card, "80f2010000")) == ISIM_AID  # the directory, although an EF is selected
    assert send(card, "80f2000100") == "8410" + ISIM_AID.hex() + "9000"
    assert send(card, "80f2000c") == "9000"
    assert send(card, "80f2030000") == "6a86"
    assert send(card, "80f2000200") == "6a86"
    assert send(card, "00f2000000") == "6e00"


def test_a_directory_shows_which_pins_are_enabled(alice: Profile) -> None:
    card = Card(alice)
    pins = Fcp.parse(bytes.fromhex(select(card, "3f00"))[:-2]).pins
    assert pins == {0x01: False, 0x81: True, 0x0A: True}
    assert send(card, "002800010831323334ffffffff") == "9000"
    assert Fcp.parse(bytes.fromhex(select(card, "3f00"))[:-2]).pins[0x01] is True


def test_every_template_is_under_128_octets_and_has_what_a_terminal_reads(card: Card) -> None:
    for aid, fids in (
        (None, "2f00 2fe2 2f05 2f06 2f08"),
        (USIM, "6f07 6fad 6f38 6f46 6f40 6f7e"),
        (ISIM, "6f02 6f03 6f04 6f09"),
    ):
        answer = name(card, aid) if aid else select(card, "3f00")
        answers = [answer, *(select(card, one) for one in fids.split())]
        for octets in map(bytes.fromhex, answers):
            assert octets[0] == 0x62
            assert octets[1] < 128
            fcp = Fcp.parse(octets[:-2])
            tags = {tag for tag, _ in fcp.objects}
            assert tags >= (
                {0x82, 0x83, 0x8A, 0x8B, 0xC6} if fcp.is_directory else {0x82, 0x83, 0x8A, 0x8B, 0x80, 0x88}
            )


def test_channels_have_their_own_selection(card: Card) -> None:
    name(card, ISIM)
    select(card, "6f02")
    assert send(card, "0070000001") == "019000"
    assert fid(send(card, "81f2000000")) == 0x3F00  # opened from the basic channel: the MF
    assert select(card, "2fe2", cla="01").endswith("9000")
    assert send(card, "01b000000a").startswith("98")
    assert send(card, "00b0000001") == "809000"  # channel 0 still stands at EF.IMPI
    assert send(card, "0170000001") == "029000"
    assert fid(send(card, "82f2000000")) == 0x3F00
    assert send(card, "02b0000001") == "6986"  # the directory is inherited, the file is not


def test_a_channel_inherits_the_application(card: Card) -> None:
    send(card, "0070000001")
    assert send(card, f"01a4040407{ISIM}00").endswith("9000")
    assert send(card, "0170000001") == "029000"
    assert aid_of(send(card, "82f2000000")) == ISIM_AID


def test_opening_and_closing(card: Card) -> None:
    assert send(card, "00700003") == "9000"
    assert send(card, "00700003") == "6a81"
    assert send(card, "00708003") == "9000"
    assert send(card, "00708003") == "6881"
    assert send(card, "03b0000001") == "6881"
    assert send(card, "00708000") == "6a86"
    assert send(card, "0070001401") == "6a86"
    assert send(card, "0070400001") == "6a86"
    assert send(card, "0070000002") == "6c01"
    assert [send(card, "0070000001") for _ in range(19)] == [f"{n:02x}9000" for n in range(1, 20)]
    assert send(card, "0070000001") == "6a81"
    assert fid(send(card, "cff2000000")) == 0x3F00  # channel 19 is CLA 4F, with bit 8 CF
    card.reset()
    assert send(card, "01a40004023f0000") == "6881"
