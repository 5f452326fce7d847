"""Numbers: IMSI and domain name the same other network, ICCIDs check, semi-octets and digits agree."""

import pytest

from imslab.uicc import bcd
from tests.capture.anonymise.parts import Parts, parts


def test_an_imsi_keeps_to_its_network(made: Parts) -> None:
    made.numbers.note_networks(b"sip:ims.mnc007.mcc262.3gppnetwork.org")
    mcc, mnc = made.numbers.network("262", "07")
    imsi = made.numbers.number("262071234567890")
    assert mcc == "001"  # a network for tests
    assert imsi.startswith(mcc + mnc)
    assert imsi != "262071234567890"
    assert made.texts.host("ims.mnc007.mcc262.3gppnetwork.org") == f"ims.mnc0{mnc}.mcc{mcc}.3gppnetwork.org"


@pytest.mark.parametrize(("mcc", "mnc"), [("001", "01"), ("001", "001"), ("310", "410"), ("262", "01")])
def test_a_network_becomes_another(made: Parts, mcc: str, mnc: str) -> None:
    new = made.numbers.network(mcc, mnc)
    assert new != (mcc, mnc)
    assert new[0] == ("999" if mcc == "001" else "001")
    assert len(new[1]) == len(mnc)


def test_networks_stay_apart(made: Parts) -> None:
    known = [(mcc, f"{mnc:02}") for mcc in ("262", "310", "234") for mnc in range(60)]
    assert len({made.numbers.network(*each) for each in known}) == len(known)


def test_semi_octets_and_digits_agree(made: Parts) -> None:
    made.numbers.note_networks(b"mnc01.mcc001")
    imsi = "001010123456789"
    new = made.numbers.semi_octets(bcd.encode_imsi(imsi)[1:], 1)
    assert bcd.decode_imsi(b"\x08" + new) == made.numbers.number(imsi)
    number = "4915123456789"
    assert bcd.decode(made.numbers.semi_octets(bcd.encode(number))) == made.numbers.number(number)
    assert made.numbers.semi_octets(b"\xff\xff") == b"\xff\xff"  # filling is no number


def test_an_iccid_stays_one(made: Parts) -> None:
    iccid = "8900110100000000016"
    new = made.numbers.number(iccid)
    assert new[:2] == "89"
    assert new != iccid
    digits = [int(digit) for digit in reversed(new)]
    doubled = [2 * d - 9 * (d > 4) for d in digits[1::2]]
    assert (sum(digits[::2]) + sum(doubled)) % 10 == 0  # Luhn


def test_separators_stay_where_they_are(made: Parts) -> None:
    new = made.numbers.digits("+1-201-555-0123")
    assert [letter for letter in new if not letter.isdecimal()] == list("+---")
    assert new.replace("-", "")[1:] == made.numbers.number("12015550123")
    assert made.numbers.digits("+-") == "+-"


def test_a_counter_counts_on_and_fits_31_bits(made: Parts) -> None:
    one, next_one = made.numbers.counter("401181964"), made.numbers.counter("401181965")
    assert int(next_one) - int(one) == 1
    assert one != "401181964"
    for seed in range(20):
        assert int(parts(b"seed number %06d" % seed).numbers.counter("2147483647")) < 2**31


def test_a_network_in_octets(made: Parts) -> None:
    for plmn in ("001-01", "310-410"):
        mcc, mnc = plmn.split("-")
        assert bcd.decode_plmn(made.numbers.plmn(bcd.encode_plmn(plmn))) == "-".join(
            made.numbers.network(mcc, mnc)
        )
    assert made.numbers.plmn(b"\xff\xff\xff") == b"\xff\xff\xff"
