import pytest
from hypothesis import given
from hypothesis import strategies as st

from imslab.errors import Malformed
from imslab.uicc import Fcp, fcp, tlv
from imslab.uicc.files import Structure


def test_a_file_of_records() -> None:
    made = fcp.for_file(0x6F04, Structure.LINEAR_FIXED, 0x900, rule=(0x6F06, 3), sfi=4, record_length=0x180)
    assert (
        bytes(made).hex()
        == "621a" + "820542210180" + "06" + "83026f04" + "8a0105" + "8b036f0603" + "80020900" + "880120"
    )
    found = Fcp.parse(bytes(made))
    assert (found.fid, found.structure, found.sfi) == (0x6F04, Structure.LINEAR_FIXED, 4)
    assert (found.record_length, found.records, found.size) == (0x180, 6, 0x900)
    assert found.access_rule == (0x6F06, 3)
    assert not found.is_directory
    assert found.pins == {}


def test_a_transparent_file_without_short_identifier() -> None:
    found = Fcp.parse(bytes(fcp.for_file(0x6F46, Structure.TRANSPARENT, 17, rule=(0x6F06, 2), sfi=None)))
    assert (found.structure, found.sfi, found.size) == (Structure.TRANSPARENT, None, 17)
    assert (found.record_length, found.records) == (0, 0)


@pytest.mark.parametrize("structure", Structure)
def test_every_structure_has_its_descriptor(structure: Structure) -> None:
    made = fcp.for_file(0x6F00, structure, 4, rule=(0x6F06, 1), sfi=None, record_length=2)
    assert Fcp.parse(bytes(made)).structure is structure


def test_a_directory_with_its_pins() -> None:
    pins = {reference: reference % 2 == 0 for reference in range(1, 9)}
    made = fcp.for_directory(0x7FF1, aid=b"\xa0\0\0\0\x87", rule=(0x2F06, 2), pins=pins)
    found = Fcp.parse(bytes(made))
    assert (found.is_directory, found.structure, found.fid, found.aid) == (
        True,
        None,
        0x7FF1,
        b"\xa0\0\0\0\x87",
    )
    assert found.pins == pins
    assert tlv.first(found.objects, 0xC6) == bytes.fromhex(
        "900155" + "".join(f"8301{n:02x}" for n in range(1, 9))
    )
    with pytest.raises(Malformed, match="8 keys"):
        fcp.for_directory(0x3F00, aid=b"", rule=(0x2F06, 2), pins={**pins, 9: True})
    with pytest.raises(Malformed, match="AID"):
        fcp.for_directory(0x7FF1, aid=b"\xa0", rule=(0x2F06, 2), pins={})


def test_what_is_not_there_is_none() -> None:
    empty = Fcp(())
    assert (empty.fid, empty.aid, empty.size, empty.sfi, empty.structure, empty.access_rule) == (None,) * 6
    assert (empty.is_directory, empty.records, empty.record_length, empty.pins) == (False, 0, 0, {})
    assert bytes(empty) == b"\x62\x00"
    assert Fcp.parse(bytes.fromhex("62058a01058800")).sfi is None
    assert Fcp.parse(bytes.fromhex("62068b0420000000")).access_rule is None


def test_filling_after_a_whole_template() -> None:
    assert Fcp.parse(bytes.fromhex("6203820178ff00")).is_directory


@pytest.mark.parametrize("octets", ["", "62", "6202", "6f00", "620382"])
def test_what_is_no_template(octets: str) -> None:
    with pytest.raises(Malformed):
        Fcp.parse(bytes.fromhex(octets))


@given(st.binary(max_size=60).map(lambda value: tlv.encode(0x62, value)))
def test_any_template_is_read_or_malformed(octets: bytes) -> None:
    try:
        found = Fcp.parse(octets)
        _ = found.pins
    except Malformed:
        return
    _ = found.fid, found.aid, found.size, found.sfi, found.structure, found.access_rule, found.record_length
    assert Fcp.parse(bytes(found)) == found
