"""The S-CSCF in sessions: who may call, who is called, and where that is (TS 24.229 5.4.3)."""

import pytest

from imslab.ims.attacks import rewrite
from imslab.ims.call import CallState
from imslab.ims.indications import Incoming
from imslab.sip import Message


def to_scscf(lab, edit):
    lab.network.intercept = rewrite(
        edit, to=lab.scscf.address, where=lambda m: m.is_request and m.method in ("INVITE", "UPDATE")
    )


def test_a_caller_that_is_not_registered_here(home):
    """The P-CSCF still knows alice; the registrar does not."""
    lab = home()
    lab.scscf.registrar._registrations.clear()
    call = lab.alice.calls(lab.bob)
    assert call.ending.status == 403 and "the caller is not registered" in call.ending.reason


@pytest.mark.parametrize("edit", [
    lambda m: m.without("P-Asserted-Identity"),
    lambda m: m.with_header("P-Asserted-Identity", "<sip:nobody@x>"),
], ids=["none", "unknown"])  # fmt: skip
def test_a_caller_without_an_identity(home, edit):
    lab = home()
    to_scscf(lab, edit)
    assert lab.alice.calls(lab.bob).ending.status == 403


def test_a_call_from_another_network_is_only_terminated(home):
    """Without orig in the Route nobody's services as a caller are asked for."""
    lab = home()
    to_scscf(lab, lambda m: m.without("Route", "P-Asserted-Identity"))
    call = lab.alice.calls(lab.bob)
    assert call.state is CallState.CONFIRMED and not lab.bob.call.is_asserted


@pytest.mark.parametrize("method", ["INFO", "PUBLISH", "REFER", "PRACK"])
def test_what_is_not_routed(home, method):
    lab = home()
    request = lab.alice.ue.requests.initial(method, lab.bob.uri, (), call_id="c", tag="t")
    passed = lab.network.inject(bytes(request), lab.alice.address, lab.pcscf.address)
    (reply,) = [Message.parse(s.octets) for s in passed if s.destination == lab.alice.address]
    assert reply.status == 405 and "INVITE" in reply.allow


def test_options_find_the_callee(home):
    lab = home()
    request = lab.alice.ue.requests.initial("OPTIONS", lab.bob.uri, (), call_id="c", tag="t")
    lab.network.inject(bytes(request), lab.alice.address, lab.pcscf.address)
    assert lab.alice.statuses("OPTIONS") == [200] and lab.bob.methods() == ["OPTIONS"]


def test_a_dialog_that_does_not_lead_here(home):
    lab = home()
    call = lab.alice.calls(lab.bob)
    to_scscf(lab, lambda m: m.with_rows("Route", m.all("Route")[1:]))
    lab.alice.do("update", call, b"")
    assert lab.alice.statuses("UPDATE") == [481]


def test_a_binding_that_has_run_out_does_not_ring(home):
    lab = home()
    impi = lab.bob.ue.identity.impi
    binding = next(iter(lab.scscf.registrar.by_impi(impi).bindings.values()))
    object.__setattr__(binding, "expires_at", lab.network.now)
    call = lab.alice.calls(lab.bob)
    assert call.ending.status == 480 and lab.bob.told == []


def test_one_of_two_terminals_leaves_and_the_other_one_rings(home):
    """The subscription stays with this S-CSCF while a contact is left."""
    lab = home(extra=("bob",))
    lab.bob.do("deregister")
    impi = lab.others[0].ue.identity.impi
    assert lab.hss.subscriber(impi).server
    call = lab.alice.calls(lab.others[0])
    assert call.state is CallState.CONFIRMED and lab.bob.heard(Incoming) == []
    lab.others[0].do("deregister")
    assert lab.hss.subscriber(impi).server == ""


def test_the_hss_is_asked_who_is_called(home):
    from imslab.ims import cx

    lab = home()
    asked = []
    ask = lab.scscf._ask
    lab.scscf._ask = lambda request, now: asked.append(request) or ask(request, now)
    lab.alice.calls("sip:+15550100002@x;user=phone")
    assert asked == [
        cx.LocationInfoRequest("sip:+15550100002@x"),
        cx.LocationInfoRequest("tel:+15550100002"),
    ]


def test_malformed_requests_of_a_proxy(home):
    lab = home()
    invite = lab.alice.ue.requests.initial("INVITE", lab.bob.uri, (), call_id="c", tag="t")
    for broken in (invite.without("CSeq"), invite.with_header("Route", "<<<")):
        passed = lab.network.inject(bytes(broken), lab.pcscf.address, lab.scscf.address)
        assert [Message.parse(s.octets).status for s in passed if s.source == lab.scscf.address][-1] == 400


def test_a_response_that_cannot_be_read_does_no_harm(home):
    lab = home()
    octets = b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP x;branch=z9hG4bK1\r\nContent-Length: 0\r\n\r\n"
    assert len(lab.network.inject(octets, lab.pcscf.address, lab.scscf.address)) == 1
    assert lab.network.log[-1].what == "malformed response"
