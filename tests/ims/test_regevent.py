"""The reg event package: RFC 6665, RFC 3680, TS 24.229 5.4.2.1."""

import pytest

from imslab.errors import Malformed, RegistrationFailed
from imslab.ims import Address
from imslab.ims.attacks import rewrite
from imslab.ims.regevent import read_reginfo
from imslab.ims.ue import State
from imslab.sip import Message


def watch(lab):
    lab.ue.register(lab.network.now)
    lab.network.run()
    lab.ue.subscribe(lab.network.now)
    return [Message.parse(s.octets) for s in lab.network.run()]


@pytest.mark.parametrize("transport", ["UDP", "TCP", "WS"])
def test_a_ue_learns_the_state_of_all_its_identities(make, transport):
    lab = make(transport=transport)
    passed = watch(lab)
    assert lab.ue.reginfo == dict.fromkeys(lab.profile.impu, "active")
    notify = next(m for m in passed if m.method == "NOTIFY")
    assert notify.cseq.number == 1 and notify.event.package == "reg"
    assert notify.subscription_state.value == "active"
    assert b'version="0"' in notify.body
    subscribe = next(m for m in passed if m.method == "SUBSCRIBE")
    assert notify.call_id == subscribe.call_id
    assert [m.status for m in passed if not m.is_request and m.method == "NOTIFY"] == [200, 200]


def test_the_network_asserts_who_watches(make):
    lab = make()
    passed = watch(lab)
    inside = [m for m in passed if m.method == "SUBSCRIBE" and m.is_request][1]
    assert inside.p_asserted_identity[0].uri.canonical == lab.profile.impu[0]
    assert inside.p_preferred_identity == ()
    assert inside.routes[0].uri.user == "orig"
    assert inside.record_routes[0].uri.host == lab.pcscf.address.host


def test_a_change_is_told_with_the_next_version(make):
    lab = make()
    watch(lab)
    lab.ue.deregister(lab.network.now)
    passed = [Message.parse(s.octets) for s in lab.network.run()]
    notify = next(m for m in passed if m.method == "NOTIFY")
    assert notify.subscription_state.value == "terminated"
    assert b'version="1"' in notify.body
    assert set(lab.ue.reginfo.values()) == {"terminated"}


def test_a_subscription_runs_out_with_a_last_word(make):
    lab = make()
    watch(lab)
    lab.network.advance(600_001)
    last = [m for s in lab.network.passed if (m := Message.parse(s.octets)).method == "NOTIFY"][-1]
    assert last.cseq.number >= 2


def test_a_watcher_that_knows_nothing_of_its_subscription_is_forgotten(make):
    """RFC 6665, 4.2.2: 481 to a NOTIFY ends the subscription."""
    lab = make()
    lab.network.intercept = rewrite(
        lambda m: m.with_status(481), where=lambda m: m.status == 200 and m.cseq.method == "NOTIFY"
    )
    watch(lab)
    count = sum(s.octets.startswith(b"NOTIFY") for s in lab.network.passed)
    lab.ue.register(lab.network.now)
    lab.network.run()
    assert sum(s.octets.startswith(b"NOTIFY") for s in lab.network.passed) == count > 0


def test_nobody_watches_before_registering(make):
    lab = make()
    with pytest.raises(RegistrationFailed, match="register first"):
        lab.ue.subscribe(0.0)


def test_a_stranger_may_not_watch(make):
    lab = make()
    watch(lab)
    octets = next(s.octets for s in lab.network.passed if s.octets.startswith(b"SUBSCRIBE"))
    stranger = Address("127.0.0.66", 5060)
    branch = Message.parse(octets).via.branch.encode()
    passed = lab.network.inject(octets.replace(branch, b"z9hG4bKstranger"), stranger, lab.pcscf.address)
    assert [Message.parse(s.octets).status for s in passed if s.destination == stranger] == [403]
    assert any(e.what == "request from an unregistered address" for e in lab.network.log)


def test_another_package_is_489(make):
    lab = make()
    lab.network.intercept = lambda send: [
        send._replace(octets=send.octets.replace(b"Event: reg", b"Event: dialog"))
    ]
    watch(lab)
    assert any("489" in e.what for e in lab.network.log)
    assert lab.ue.state is State.REGISTERED


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<reginfo>",
        b"<other/>",
        b"\xff\xfe",
        b'<!DOCTYPE a [<!ENTITY b "c">]><reginfo/>',
        b"<a>" * 10_000,
    ],
)
def test_no_reginfo(body):
    with pytest.raises(Malformed):
        read_reginfo(body)
