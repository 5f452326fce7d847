"""What the P-CSCF does to a login: 3GPP TS 24.229, 5.2.2 and 7.2A; RFC 3327."""

import pytest

from imslab.capture import open_capture
from imslab.capture.hops import compare
from imslab.data import path
from imslab.sip import Message

PARTS = [
    ("Via", "SIP/2.0/UDP a;branch=z9hG4bK1"),
    ("From", "<sip:a@b>;tag=1"),
    ("To", "<sip:a@b>"),
    ("Call-ID", "1"),
    ("CSeq", "1 REGISTER"),
    ("Authorization", 'Digest username="a", nonce="", response=""'),
]
REGISTER = Message.request("REGISTER", "sip:b", PARTS)


@pytest.fixture(scope="module")
def login():
    return open_capture(path("traces", "register-akav1.pcapng")).registration()


def test_each_message_of_a_login_passes_the_pcscf_once(login):
    table = login.hops
    assert table["message"].tolist() == ["REGISTER", "401 Unauthorized", "REGISTER", "200 OK"]
    assert table["node"].unique().tolist() == ["p-cscf"]
    assert table["frame"].tolist() == sorted(table["frame"])


def test_what_the_pcscf_adds_and_takes_away(login):
    table = login.hops
    for row in (0, 2):
        added = table["added"][row].split(", ")
        assert {"Via", "Path", "P-Charging-Vector", "Authorization: integrity-protected"} <= set(added)
        assert table["removed"][row] == "Route"
        assert "Max-Forwards" in table["changed"][row]
    assert table["removed"][1] == "Via, WWW-Authenticate: ck, WWW-Authenticate: ik"
    assert table["added"][1] == "" and "Path" in table["removed"][3]


def test_compares_values_not_only_names():
    assert compare(REGISTER, REGISTER) == ((), (), ())
    more = REGISTER.prepend("Via", "SIP/2.0/UDP p;branch=z9hG4bK2")
    assert compare(REGISTER, more) == (("Via",), (), ())
    assert compare(more, REGISTER) == ((), ("Via",), ())
    other = REGISTER.with_header("Call-ID", "2")
    assert compare(REGISTER, other) == ((), (), ("Call-ID",))


def test_credentials_are_compared_parameter_by_parameter():
    vouched = REGISTER.authorization[0].having(integrity_protected="no")
    marked = REGISTER.with_header("Authorization", vouched)
    assert compare(REGISTER, marked) == (("Authorization: integrity-protected",), (), ())
    answered = REGISTER.with_header("Authorization", REGISTER.authorization[0].having(response="1"))
    assert compare(REGISTER, answered) == ((), (), ("Authorization",))


def test_what_cannot_be_read_is_compared_as_text():
    broken = REGISTER.with_header("Authorization", 'Digest username="a')
    assert compare(broken, broken) == ((), (), ())
    added, removed, _ = compare(broken, REGISTER)
    assert removed == () and "Authorization: username" in added


def test_one_side_alone_is_no_hop(login):
    part = login._capture.where(login.frames[:1])
    assert part.registration().hops.empty
