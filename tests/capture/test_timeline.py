"""Which message carried which number: of a login, of one with AUTS, of a card alone."""

import pytest

from imslab.capture import open_capture
from imslab.capture.timeline import is_aka_name, sightings
from imslab.data import path
from imslab.errors import Malformed


def seen(name, **keys):
    capture = open_capture(path("traces", f"{name}.pcapng"), **keys)
    return capture, sightings(capture.sip, capture.apdu_events, capture.cx_events)


def test_one_rand_goes_from_the_hss_to_the_card_and_back():
    capture, found = seen("register-akav1")
    (rand,) = {one.values["RAND"] for one in found if "RAND" in one.values}
    assert rand == capture.logins[0].challenge.rand
    assert [one.label.split()[0] for one in found] == [
        "MAA", "401", "401", "AUTHENTICATE", "DB:", "REGISTER", "REGISTER",
    ]  # fmt: skip
    names = [capture.names[one.source] for one in found]
    assert names == ["hss", "s-cscf", "p-cscf", "alice", "alice's card", "alice", "p-cscf"]
    assert [one.at for one in found] == sorted(one.at for one in found)


def test_keys_go_as_far_as_the_p_cscf_and_the_card_makes_its_own():
    _, found = seen("register-akav1")
    having = [one.label.split()[0] for one in found if "CK" in one.values]
    assert having == ["MAA", "401", "DB:"]
    assert len({one.values["CK"] for one in found if "CK" in one.values}) == 1
    assert len({one.values["RES"] for one in found if "RES" in one.values}) == 1


def test_auts_goes_from_the_card_to_the_hss():
    capture, found = seen("register-resync")
    carrying = [(capture.names[one.source], one.values["AUTS"]) for one in found if "AUTS" in one.values]
    assert [who for who, _ in carrying] == ["alice's card", "alice", "p-cscf", "s-cscf"]
    assert len({auts for _, auts in carrying}) == 1 and len(carrying[0][1]) == 14


def test_no_octets_of_a_key_stand_in_a_repr():
    _, found = seen("register-akav1")
    key = next(one.values["CK"] for one in found if "CK" in one.values)
    assert str(key) not in repr(found) and key.hex() not in repr(found)


def test_the_picture_shows_what_is_public():
    capture, found = seen("register-resync")
    drawn = capture.registration(1).timeline(title="AUTS")._repr_svg_()
    rand = capture.logins[1].challenges[0].rand.hex()
    assert rand[:6] in drawn and "AUTS" in drawn and "(2)" in drawn
    for name in ("RES", "CK", "IK"):
        for one in found:
            if name in one.values:
                assert one.values[name].hex()[:6] not in drawn


def test_a_capture_without_aka_has_no_timeline():
    capture = open_capture(path("traces", "register-akav1.pcapng")).where([1])
    with pytest.raises(Malformed, match="1 to 120"):
        capture.timeline()


@pytest.mark.parametrize(
    ("name", "right"), [("AKAv1-MD5", True), ("MD5", False), (None, False), ("x", False)]
)
def test_names_of_algorithms(name, right):
    assert is_aka_name(name) is right
