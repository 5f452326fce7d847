"""A network in one thread as a trace: what was lost is there too, and says so."""

import pytest

from imslab.capture import open_capture
from imslab.data import profile_path
from imslab.errors import Malformed
from imslab.ims.attacks import lose
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
