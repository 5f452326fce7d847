"""A network in one thread as a trace: what was lost is there too, and says so."""

import pytest

from imslab.capture import open_capture
from imslab.data import profile_path
from imslab.errors import Malformed
from imslab.ims.attacks import leak_keys, lose
from imslab.ims.home import HomeNetwork
from imslab.lab import Seeded
from imslab.net.record import record
from imslab.uicc import Profile

ALICE = Profile.load(profile_path("alice"))


def test_a_login_reads_like_any_other():
    home = HomeNetwork(ALICE, random=Seeded("record"))
    home.register()
    capture = open_capture(record(home), profile=ALICE)
    assert [bytes(event.message) for event in capture.sip] == [send.octets for send in home.passed]
    assert capture.registration().result == "registered"
    assert capture.registration().challenge.verified is True
    assert set(capture.names.values()) == {"UE", "P-CSCF", "S-CSCF"}
    assert capture.warnings == []


def test_a_lost_datagram_stands_at_its_time_with_a_comment():
    home = HomeNetwork(ALICE, random=Seeded("record"))
    home.intercept = lose(1, to=home.pcscf.address)
    home.register()
    home.advance(0.5)
    octets = record(home)
    assert octets.count(b"lost on the way") == 1
    times = open_capture(octets).messages["time"].tolist()
    assert times[0] == 0 and times[1:] == [0.5] * 8


def test_only_datagrams():
    home = HomeNetwork(ALICE, random=Seeded("record"), transport="TCP")
    home.register()
    with pytest.raises(Malformed, match="TCP"):
        record(home)


def test_esp_is_there_as_it_is():
    home = HomeNetwork(ALICE, random=Seeded("record"), ipsec=True)
    home.register()
    capture = open_capture(record(home), profile=ALICE)
    assert len(capture) == len(home.passed) and capture.warnings == []
    assert [flow.decrypted for flow in capture.esp] == [1, 1] and len(capture.sip) == 8


def test_what_somebody_between_two_nodes_sees():
    home = HomeNetwork(ALICE, random=Seeded("record"), ipsec=True)
    home.register()
    ends = home.ue.address.host, home.pcscf.address.host
    seen = open_capture(record(home, between=ends))
    assert [event.message.start_line[:8] for event in seen.sip] == ["REGISTER", "SIP/2.0 "]
    assert [(flow.packets, flow.decrypted) for flow in seen.esp] == [(1, 0), (1, 0)]
    leaking = HomeNetwork(ALICE, random=Seeded("record"), ipsec=True)
    leak_keys(leaking.pcscf)
    leaking.register()
    seen = open_capture(record(leaking, between=ends))
    assert [flow.keys_from for flow in seen.esp] == 2 * ["sec-agree (401)"] and len(seen.sip) == 4
