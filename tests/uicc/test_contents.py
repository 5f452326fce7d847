"""READ, UPDATE and SEARCH of files: ETSI TS 102 221, 11.1.3 to 11.1.7; access rules of EF.ARR."""

import pytest

from imslab.uicc import Card, MemoryStore, Profile
from imslab.uicc.files.base import Structure
from imslab.uicc.filesystem import File

ISIM, USIM = "a0000000871004", "a0000000871002"
ADM = "0020000a083838383838383838"


def send(card: Card, command: str) -> str:
    return card.transmit(bytes.fromhex(command)).hex()


def at(card: Card, aid: str, fid: str = "") -> None:
    assert send(card, f"00a4040c07{aid}") == "9000"
    if fid:
        assert send(card, f"00a4000c02{fid}") == "9000"


@pytest.fixture
def cyclic(card: Card) -> Card:
    """A card with a cyclic file 6F39 of three records, selected; PIN1 rules it, and PIN1 is disabled."""
    usim = card._session.files.applications[0]
    usim.add(File("EF.ACM", 0x6F39, Structure.CYCLIC, [b"\1\1", b"\2\2", b"\3\3"], rule=4, sfi=None))
    at(card, USIM, "6f39")
    return card


def test_read_binary_with_offset_and_length(card: Card) -> None:
    assert send(card, "00a4000c022fe2") == "9000"
    whole = "980011100000000010f6"
    assert send(card, "00b0000000") == whole + "9000"
    assert send(card, "00b0000402") == "00009000"
    assert send(card, "00b0000901") == "f69000"
    assert send(card, "00b0000902") == "6c01"
    assert send(card, "00b0000a01") == "6b00"
    assert send(card, "00b0010001") == "6b00"  # offset 256
    assert send(card, "00b00000") == "6700"
    assert send(card, "00b0000001ff") == "6700"


def test_read_binary_by_short_identifier_selects(card: Card) -> None:
    assert send(card, "00b0820003") == "9800119000"
    assert send(card, "00b0000001") == "989000"
    assert send(card, "00b082090a") == "6c01"
    assert send(card, "00b0890001") == "6a82"
    assert send(card, "00b0800001") == "6a82"
    assert send(card, "00b09f0001") == "6a82"
    assert send(card, "00b0a20001") == "6a86"


def test_nothing_selected_wrong_structure(card: Card) -> None:
    assert send(card, "00b0000001") == "6986"
    assert send(card, "00b2010400") == "6986"
    assert send(card, "00a4000c022f00") == "9000"
    assert send(card, "00b0000001") == "6981"
    assert send(card, "00a4000c022fe2") == "9000"
    assert send(card, "00b2010400") == "6981"
    assert send(card, "00a204040198") == "6981"
    assert send(card, "00a4000c023f00") == "9000"
    assert send(card, "00b0000001") == "6986"


def test_update_binary(card: Card) -> None:
    assert send(card, "00a4000c022f05") == "9000"
    assert send(card, "00d60002026672") == "9000"
    assert send(card, "00b0000000") == "656e66729000"
    assert send(card, "00d60003026672") == "6700"
    assert send(card, "00d600040166") == "6b00"
    assert send(card, "00d60000") == "6700"
    assert send(card, "00b0000000") == "656e66729000"
    assert send(card, "00d685000164") == "9000"
    assert send(card, "00b0000000") == "646e66729000"


def test_records_absolute_next_previous_current(card: Card) -> None:
    at(card, ISIM, "6f04")
    first, second, third = (send(card, f"00b20{n}0480") for n in (1, 2, 3))
    assert len({first, second, third}) == 3
    assert send(card, "00b2000480") == "6a83"  # no current record yet
    assert [send(card, "00b2000280") for _ in range(4)] == [first, second, third, "6a83"]
    assert send(card, "00b2000480") == third
    assert [send(card, "00b2000380") for _ in range(3)] == [second, first, "6a83"]
    assert send(card, "00b2030480") == third
    assert send(card, "00b2000480") == first  # absolute access leaves the pointer
    at(card, ISIM, "6f04")
    assert send(card, "00b2000380") == third  # selected anew: previous starts at the last


def test_records_by_short_identifier(card: Card) -> None:
    at(card, ISIM)
    assert send(card, "00b2012480") == send(card, "00b2010480")
    assert send(card, "00b2013c80") == "6981"  # 07 is EF.IST, transparent
    assert send(card, "00b2017480") == "6a82"


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("00b2040480", "6a83"),
        ("00b2ff0480", "6a83"),
        ("00b2010580", "6a86"),
        ("00b2010680", "6a86"),
        ("00b2010280", "6a86"),
        ("00b2010401", "6c80"),
        ("00b20104ff", "6c80"),
        ("00b20104", "6700"),
        ("00dc0104027fff", "6982"),
    ],
)
def test_refused_records(card: Card, command: str, answer: str) -> None:
    at(card, ISIM, "6f04")
    assert send(card, command) == answer


def test_a_wrong_le_does_not_move_the_pointer(t0: Card) -> None:
    at(t0, ISIM, "6f04")
    first = send(t0, "00b2010480")
    assert send(t0, "00b20002ff") == "6c80"
    assert send(t0, "00b2000200") == "6c80"
    assert send(t0, "00b2000280") == first


def test_update_record(card: Card) -> None:
    at(card, ISIM, "6f04")
    assert send(card, ADM) == "9000"
    record = b"\x80\x0bsip:x@y.org".ljust(128, b"\xff").hex()
    assert send(card, "00dc010480" + record) == "9000"
    assert send(card, "00b2010480") == record + "9000"
    assert send(card, "00dc01047f" + record[2:]) == "6700"
    assert send(card, "00dc040480" + record) == "6a83"
    assert send(card, "00dc000280" + record) == "9000"
    assert send(card, "00dc000280" + "ff" * 128) == "9000"
    assert send(card, "00b2020480") == "ff" * 128 + "9000"


def test_cyclic_files_turn(cyclic: Card) -> None:
    assert send(cyclic, "00dc0003020909") == "9000"
    assert [send(cyclic, f"00b20{n}0402") for n in (1, 2, 3)] == ["09099000", "01019000", "02029000"]
    assert send(cyclic, "00dc0104020909") == "6981"
    assert send(cyclic, "00dc0103020909") == "6a86"
    assert send(cyclic, "00dc00030109") == "6700"
    assert [send(cyclic, "00b2000202") for _ in range(3)] == ["01019000", "02029000", "09099000"]
    assert send(cyclic, "00b2000302") == "02029000"
    assert send(cyclic, "00a4000c026f39") == "9000"
    assert send(cyclic, "00b2000302") == "02029000"


def test_search_forward_and_backward(card: Card) -> None:
    at(card, ISIM, "6f04")
    sip = b"sip:".hex()
    assert send(card, f"00a2010404{sip}00") == "01039000"
    assert send(card, f"00a2020404{sip}00") == "039000"
    assert send(card, f"00a2030504{sip}00") == "03019000"
    assert send(card, f"00a2020504{sip}00") == "019000"
    assert send(card, "00a20104046666666600") == "6282"
    assert send(card, f"00a2040404{sip}00") == "6a83"
    assert send(card, f"00a2010704{sip}00") == "6a86"
    assert send(card, "00a2010400") == "6700"
    assert send(card, "00a2010481" + "ff" * 129) == "6700"
    assert send(card, f"00a2012404{sip}00") == "01039000"  # by SFI 04


def test_search_sets_the_current_record(card: Card) -> None:
    at(card, ISIM, "6f04")
    assert send(card, "00a2010404" + b"tel:".hex() + "00") == "029000"
    assert send(card, "00b2000480") == send(card, "00b2020480")
    assert send(card, "00a2000404" + b"sip:".hex() + "00") == "039000"


def test_enhanced_search_starts_inside_the_record(card: Card) -> None:
    at(card, ISIM, "6f04")
    sip = b"sip:".hex()
    assert send(card, "00a2010606" + "0400" + sip + "00") == "01039000"
    assert send(card, "00a2010606" + "0403" + sip + "00") == "6282"
    assert send(card, "00a2030606" + "0500" + sip + "00") == "03019000"
    assert send(card, "00a20106020400") == "6700"
    assert send(card, "00a2010606" + "0c73" + sip) == "6a80"


def test_search_in_t0_answers_through_get_response(t0: Card) -> None:
    at(t0, ISIM, "6f04")
    assert send(t0, "00a2010404" + b"sip:".hex()) == "6102"
    assert send(t0, "00c0000002") == "01039000"


@pytest.fixture
def locked(alice: Profile) -> Card:
    """A card that asks for PIN1."""
    return Card(Profile.from_dict({**alice.to_dict(), "pin1_enabled": True}))


PIN1 = "002000010831323334ffffffff"


def test_read_needs_pin1_where_the_rule_says_so(locked: Card) -> None:
    assert send(locked, "00b0820003") == "9800119000"  # EF.ICCID: always
    at(locked, ISIM, "6f02")
    assert send(locked, "00b0000001") == "6982"
    assert send(locked, PIN1) == "9000"
    assert send(locked, "00b0000001") == "809000"
    locked.reset()
    at(locked, ISIM, "6f02")
    assert send(locked, "00b0000001") == "6982"


def test_authenticate_needs_pin1(locked: Card) -> None:
    at(locked, ISIM)
    command = "0088008122" + "10" + "00" * 16 + "10" + "00" * 16 + "00"
    assert send(locked, command) == "6982"
    assert send(locked, PIN1) == "9000"
    assert send(locked, command) == "9862"


def test_update_needs_adm_where_the_rule_says_so(card: Card) -> None:
    at(card, ISIM, "6f02")
    assert send(card, "00d600000180") == "6982"
    assert send(card, ADM) == "9000"
    assert send(card, "00d600000180") == "9000"


def test_rules_are_read_from_ef_arr_as_it_stands(card: Card) -> None:
    at(card, ISIM, "6f02")
    assert send(card, "00b0000001") == "809000"
    assert send(card, ADM) == "9000"
    assert send(card, "00a4000c026f06") == "9000"
    assert send(card, "00dc030428" + "8001039700".ljust(80, "f")) == "9000"  # record 3: never
    assert send(card, "00a4000c026f02") == "9000"
    assert send(card, "00b0000001") == "6982"
    assert send(card, "00a4000c026f06") == "9000"
    assert send(card, "00dc030428" + "80".ljust(80, "f")) == "9000"  # a broken rule locks too
    assert send(card, "00a4000c026f02") == "9000"
    assert send(card, "00b0000001") == "6982"


class Full(MemoryStore):
    """A store whose disk is full."""

    full = False

    def put(self, name: str, value: bytes) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        super().put(name, value)


def test_a_full_store_refuses_and_changes_nothing(alice: Profile) -> None:
    store = Full()
    card = Card(alice, store=store)
    store.full = True
    assert send(card, "00a4000c022f05") == "9000"
    assert send(card, "00d60002026672") == "6581"
    assert send(card, "00b0000000") == "656effff9000"
