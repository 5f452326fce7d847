import pytest
from hypothesis import given
from hypothesis import strategies as st

from imslab.errors import Malformed
from imslab.uicc import bcd

DIGITS = st.text("0123456789", max_size=20)


@given(st.text("0123456789*#,?!", max_size=20))
def test_digits_round_trip(digits: str) -> None:
    assert bcd.decode(bcd.encode(digits, 10)) == digits


@given(st.text("0123456789", min_size=1, max_size=15))
def test_imsi_round_trips(imsi: str) -> None:
    assert bcd.decode_imsi(bcd.encode_imsi(imsi)) == imsi
    assert len(bcd.encode_imsi(imsi)) == 9


@given(st.text("0123456789", min_size=3, max_size=3), st.text("0123456789", min_size=2, max_size=3))
def test_plmn_round_trips(mcc: str, mnc: str) -> None:
    assert bcd.decode_plmn(bcd.encode_plmn(f"{mcc}-{mnc}")) == f"{mcc}-{mnc}"


@given(st.binary(max_size=12))
def test_any_octets_are_digits_or_malformed(octets: bytes) -> None:
    assert len(bcd.decode(octets)) <= 2 * len(octets)
    for decode in (bcd.decode_imsi, bcd.decode_plmn):
        try:
            decode(octets)
        except Malformed:
            continue


def test_known_codings() -> None:
    assert bcd.encode_imsi("001010000000001").hex() == "080910100000000010"
    assert bcd.encode_imsi("12345678").hex() == "0511325476f8ffffff"
    assert bcd.encode_plmn("001-01").hex() == "00f110"
    assert bcd.encode_plmn("310-410").hex() == "130014"
    assert bcd.encode_plmn("") == b"\xff\xff\xff"
    assert bcd.encode("12*#", 3).hex() == "21baff"


@pytest.mark.parametrize(
    "octets", ["", "00", "09" + "11" * 9, "0829", "0829436587092143f5", "08a910100000000010"]
)
def test_what_is_no_imsi(octets: str) -> None:
    with pytest.raises(Malformed):
        bcd.decode_imsi(bytes.fromhex(octets))


@pytest.mark.parametrize("plmn", ["00101", "001-1", "01-01", "001-0101", "00x-01", "001-0é"])
def test_what_is_no_plmn(plmn: str) -> None:
    with pytest.raises(Malformed):
        bcd.encode_plmn(plmn)


@pytest.mark.parametrize("imsi", ["", "1" * 16, "12a", "１２３"])
def test_what_is_no_imsi_text(imsi: str) -> None:
    with pytest.raises(Malformed):
        bcd.encode_imsi(imsi)


def test_digits_that_do_not_fit() -> None:
    with pytest.raises(Malformed, match="do not fit"):
        bcd.encode("123456789", 4)
    with pytest.raises(Malformed, match="not a digit"):
        bcd.encode("12x")
