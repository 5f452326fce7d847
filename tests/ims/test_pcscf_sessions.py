"""The P-CSCF in sessions: it believes no UE, and stays on the way (TS 24.229 5.2.6, RFC 3325, RFC 5009)."""

import pytest

from imslab.ims import Address
from imslab.ims.attacks import rewrite
from imslab.ims.call import CallState
from imslab.ims.indications import Incoming, Progress
from imslab.ims.scscf import Policy
from imslab.sip import Message

STRANGER = Address("127.0.0.66", 5060)


def from_alice(lab, edit, *, method="INVITE"):
    lab.network.intercept = rewrite(
        edit, to=lab.pcscf.address, where=lambda m: m.is_request and m.method == method and len(m.vias) == 1
    )


@pytest.mark.parametrize(
    "name",
    [
        "P-Asserted-Identity",
        "P-Served-User",
        "P-Called-Party-ID",
        "P-Charging-Vector",
        "P-Profile-Key",
        "Path",
    ],
)
def test_what_a_caller_may_not_say_reaches_nobody(home, name):
    lab = home()
    from_alice(lab, lambda m: m.append(name, "<sip:boss@evil.example>"))
    lab.alice.calls(lab.bob)
    others = [s for s in lab.network.passed if s.source != lab.alice.address]
    assert not [s for s in others if b"evil.example" in s.octets]
    assert lab.bob.call.peer == lab.alice.uri and lab.bob.call.is_asserted


def test_the_from_header_is_not_believed(home):
    lab = home()
    from_alice(lab, lambda m: m.with_header("From", f"<{lab.bob.uri}>;tag={m.from_.tag}"))
    lab.alice.calls(lab.bob)
    assert lab.bob.call.peer == lab.alice.uri


@pytest.mark.parametrize(
    ("wanted", "asserted"),
    [
        ("tel:+15550100001", "tel:+15550100001"),
        ("sip:bob@ims.mnc001.mcc001.3gppnetwork.org", "sip:alice@ims.mnc001.mcc001.3gppnetwork.org"),
    ],
    ids=["own number", "somebody else"],
)
def test_a_caller_may_prefer_what_is_its_own(home, wanted, asserted):
    lab = home()
    from_alice(lab, lambda m: m.with_header("P-Preferred-Identity", f"<{wanted}>"))
    lab.alice.calls(lab.bob)
    assert lab.bob.call.peer == asserted
    assert not [m for m in lab.bob.got() if "P-Preferred-Identity" in m]


def test_the_number_is_added_to_the_asserted_identity(home):
    lab = home()
    lab.alice.calls(lab.bob)
    identities = [str(one.uri) for one in lab.bob.got()[0].p_asserted_identity]
    assert identities == [lab.alice.uri, "tel:+15550100001"]


@pytest.mark.parametrize("privacy", ["id", "header; id", "none"])
def test_a_caller_who_wants_to_stay_unknown(home, privacy):
    """RFC 3325, 7: the last proxy removes the identity."""
    lab = home()
    from_alice(
        lab, lambda m: m.append("Privacy", privacy).with_header("From", "<sip:anonymous@x.invalid>;tag=1")
    )
    lab.alice.calls(lab.bob)
    known = privacy == "none"
    assert lab.bob.call.is_asserted is known
    assert lab.bob.call.peer == (lab.alice.uri if known else "sip:anonymous@x.invalid")


def test_the_callee_does_not_say_who_it_is(home):
    lab = home()
    lab.network.intercept = rewrite(
        lambda m: m.append("P-Asserted-Identity", "<sip:boss@evil.example>"),
        to=lab.pcscf.address,
        where=lambda m: not m.is_request and m.status > 100 and len(m.vias) == 4,
    )
    call = lab.alice.calls(lab.bob)
    assert call.peer == lab.bob.uri
    assert b"evil.example" not in b"".join(bytes(m) for m in lab.alice.got())
    final = next(m for m in lab.alice.got() if m.status == 200 and m.cseq.method == "INVITE")
    assert [str(one.uri) for one in final.p_asserted_identity] == [lab.bob.uri]


def test_a_refusal_says_nothing_of_who_was_asked(home):
    lab = home(
        habit=lambda person, one, now: isinstance(one, Incoming) and person.ue.refuse(one.call, 486, now)
    )
    lab.alice.calls(lab.bob)
    assert not [m for m in lab.alice.got() if m.status == 486 and "P-Asserted-Identity" in m]


def test_who_was_called_by_number_answers_with_it(home):
    lab = home()
    call = lab.alice.calls("tel:+15550100002")
    assert call.peer == "tel:+15550100002"


# -- P-Early-Media --------------------------------------------------------------------------------


@pytest.mark.parametrize("allowed", ["sendrecv", "inactive"])
def test_the_network_says_what_early_media_may_do(home, allowed):
    lab = home(habit=None)
    lab.pcscf.early_media = allowed
    call = lab.alice.calls(lab.bob)
    lab.network.intercept = rewrite(
        lambda m: m.append("P-Early-Media", "sendonly"), status=183, where=lambda m: len(m.vias) == 4
    )
    lab.bob.do("ring", lab.bob.call, sdp=lab.bob.sdp(), status=183)
    assert lab.alice.heard(Progress)[0].early_media == allowed == call.early_media


def test_a_ringing_without_sdp_says_nothing_of_early_media(home):
    lab = home()
    lab.alice.calls(lab.bob)
    assert lab.alice.heard(Progress)[0].early_media == ""


def test_a_caller_who_does_not_know_early_media_is_told_nothing(home):
    lab = home(habit=None)
    from_alice(lab, lambda m: m.with_header("P-Early-Media", "sendrecv"))
    lab.alice.calls(lab.bob)
    assert "P-Early-Media" not in lab.bob.got()[0]
    lab.bob.do("ring", lab.bob.call, sdp=lab.bob.sdp(), status=183)
    assert lab.alice.heard(Progress)[0].early_media == ""


# -- who may come in, and which way ---------------------------------------------------------------


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE", "BYE", "OPTIONS", "CANCEL"])
def test_a_stranger_gets_403(home, method):
    lab = home()
    lab.alice.calls(lab.bob)
    invite = lab.alice.sent()[0]
    line = (
        bytes(invite)
        .replace(b"INVITE ", method.encode() + b" ", 1)
        .replace(b"1 INVITE", b"1 " + method.encode())
    )
    passed = lab.network.inject(line, STRANGER, lab.pcscf.address)
    assert [Message.parse(s.octets).status for s in passed[1:]] == [403]


def test_the_ack_of_a_stranger_is_dropped(home):
    lab = home()
    lab.alice.calls(lab.bob)
    ack = next(m for m in lab.alice.sent() if m.method == "ACK" and m.is_request)
    assert len(lab.network.inject(bytes(ack), STRANGER, lab.pcscf.address)) == 1


def test_a_registration_that_has_run_out_lets_nobody_call(home):
    lab = home()
    lab.network.intercept = lambda send: []
    lab.network.advance(600_001)
    lab.network.intercept = None
    invite = lab.alice.ue.requests.initial(
        "INVITE", lab.bob.uri, ("<sip:orig@x;lr>",), call_id="c", tag="t", body=b""
    )
    passed = lab.network.inject(bytes(invite), lab.alice.address, lab.pcscf.address)
    assert [Message.parse(s.octets).status for s in passed[1:]] == [403]


def test_a_ue_does_not_choose_its_way(home):
    """TS 24.229, 5.2.6.3: what the UE wrote into Route gives way to its Service-Route."""
    lab = home()
    from_alice(lab, lambda m: m.with_rows("Route", ["<sip:127.0.0.21;lr>", "<sip:evil.example;lr>"]))
    call = lab.alice.calls(lab.bob)
    assert call.state is CallState.CONFIRMED
    invite = next(m for m in lab.network.messages(to=lab.scscf.address) if m.method == "INVITE")
    assert [route.uri.host for route in invite.routes] == [f"scscf.{lab.scscf.domain}"]


@pytest.mark.parametrize(
    "routes",
    [
        lambda m: [],
        lambda m: ["<sip:127.0.0.21:5060;lr>"],
        lambda m: ["<sip:x@127.0.0.21:5060;lr>", *m.all("Route")[1:]],
        lambda m: m.all("Route")[1:],
        lambda m: m.all("Route")[:1],
        lambda m: [m.all("Route")[-1], *m.all("Route")[1:]],
    ],
    ids=["none", "no token", "forged token", "not ours", "ours alone", "of another flow"],
)
def test_a_request_within_a_call_that_takes_another_way(home, routes):
    """Neither past the S-CSCF, nor down somebody else's flow."""
    lab = home()
    call = lab.alice.calls(lab.bob)
    from_alice(lab, lambda m: m.with_rows("Route", routes(m)), method="UPDATE")
    start = len(lab.network.passed)
    lab.alice.do("update", call, b"")
    assert lab.alice.statuses("UPDATE") == [400]
    assert {s.destination for s in lab.network.passed[start:]} <= {lab.pcscf.address, lab.alice.address}


def test_the_proxies_are_on_the_way_of_the_whole_call(home):
    """RFC 3261, 16.6 step 4: both passages of the P-CSCF, and the S-CSCF once."""
    lab = home()
    call = lab.alice.calls(lab.bob)
    hosts = [route.uri.host for route in call.leg.dialog.routes]
    assert hosts == ["127.0.0.21", f"scscf.{lab.scscf.domain}", "127.0.0.21"]
    tokens = [route.uri.user for route in call.leg.dialog.routes]
    assert tokens[0] != tokens[2] and tokens[1] is None
    assert lab.bob.call.leg.dialog.routes == call.leg.dialog.routes[::-1]


def test_requests_without_what_a_proxy_needs(home):
    lab = home()
    for gone in ("Call-ID", "To", "CSeq"):
        invite = lab.alice.ue.requests.initial("INVITE", lab.bob.uri, (), call_id=gone, tag="t")
        passed = lab.network.inject(bytes(invite.without(gone)), lab.alice.address, lab.pcscf.address)
        assert [Message.parse(s.octets).status for s in passed if s.destination == lab.alice.address] == [400]


def test_a_broken_response_becomes_502(home):
    """What cannot be freed of the network's keys does not go out to a UE."""
    lab = home(policy=Policy(challenge_calls=True))
    lab.network.intercept = rewrite(
        lambda m: m.with_rows("Proxy-Authenticate", ['Digest nonce="']), status=407, to=lab.pcscf.address
    )
    call = lab.alice.calls(lab.bob)
    assert call.ending.status == 502
    assert any(e.what == "malformed response" for e in lab.network.log)


def test_a_ue_that_changed_its_address_is_another_one(home):
    """A second terminal of alice, on another address, has a flow of its own."""
    lab = home(extra=("alice",))
    lab.alice.calls(lab.bob)
    lab.others[0].calls(lab.bob)
    tokens = {one.call.leg.dialog.routes[-1].uri.user for one in lab.bob.heard(Incoming)}
    assert len(tokens) == 2
