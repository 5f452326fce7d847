"""imslab.Lab with a protected access: what a notebook types, and what it sees of it."""

import pytest

import imslab
from imslab.data import path
from imslab.errors import ImslabError, Malformed, NetworkError
from imslab.ims.scscf import Policy
from imslab.ipsec import TRANSFORMS
from imslab.net import esp


@pytest.fixture
async def lab():
    lab = imslab.Lab(seed="tests")
    yield lab
    await lab.aclose()


async def test_a_protected_login_and_its_pictures(lab):
    registration = await lab.alice.register(ipsec=True)
    assert (registration.result, registration.algorithm) == ("registered", "AKAv1-MD5")
    assert registration.challenge.verified is True
    assert [(flow.source, flow.destination) for flow in lab.capture.esp] == [
        (lab.core.host.replace(".21", ".11"), lab.core.host),
        (lab.core.host, lab.core.host.replace(".21", ".11")),
    ]
    assert {flow.decrypted for flow in lab.capture.esp} == {1}
    assert "<svg" in registration.ladder()._repr_svg_()
    assert len(lab.capture.sip) == 8 and lab.capture.warnings == []


@pytest.mark.parametrize("wanted", ["aes-gcm/null", ["null/aes-gmac", "aes-gcm/null"]], ids=str)
async def test_transforms_by_name(lab, wanted):
    await lab.alice.register(ipsec=wanted)
    assert {f"{flow.encryption}/{flow.integrity}" for flow in lab.capture.esp} == {"aes-gcm/null"}


async def test_with_and_without(lab):
    await lab.alice.register()
    assert lab.capture.esp == []
    await lab.alice.register(ipsec=True)
    again = await lab.alice.register(ipsec=True)
    assert len(lab.capture.esp) == 4 and again.result == "registered"
    (one,) = await lab.alice.repeat(1)
    assert one.result == "registered" and len(lab.capture.esp) == 6
    with pytest.raises(Malformed, match="no transform"):
        await lab.alice.register(ipsec="rot13")
    with pytest.raises(NetworkError, match="IPsec protects UDP and TCP"):
        await lab.alice.register(transport="WS", ipsec=True)


async def test_tcp_within(lab):
    await lab.alice.register(transport="TCP", ipsec=True)
    await lab.bob.register(transport="TCP", ipsec=TRANSFORMS[1])
    await lab.alice.message(lab.bob, "over two connections")
    call = await lab.alice.call(lab.bob, media="rtp")
    await lab.alice.register(transport="TCP", ipsec=True)  # new associations, and new connections in them
    await call.hang_up()
    assert [text.text for text in lab.bob.messages] == ["over two connections"]
    assert lab.capture.call_list[-1].state == "ended"
    assert all(flow.decrypted == flow.packets for flow in lab.capture.esp) and lab.capture.warnings == []
    assert [event for event in lab.log if event.what == "ESP packet dropped"] == []


async def test_in_udp_as_behind_a_nat():
    lab = imslab.Lab(seed="udp", esp="udp")
    try:
        await lab.alice.register(ipsec=True)
        assert {flow.decrypted for flow in lab.capture.esp} == {1} and len(lab.capture.sip) == 8
    finally:
        await lab.aclose()


async def test_raw_sockets_where_they_are_allowed(monkeypatch):
    def refused(host):
        raise NetworkError("raw sockets take root or CAP_NET_RAW")

    monkeypatch.setattr(esp, "raw_socket", refused)
    lab = imslab.Lab(esp="raw")
    with pytest.raises(NetworkError, match="CAP_NET_RAW"):
        await lab.alice.register(ipsec=True)
    lab.close()
    with pytest.raises(Malformed, match="unknown way for ESP 'pigeon'; expected link or udp or raw"):
        imslab.Lab(esp="pigeon")


async def test_a_message_and_a_call_over_it(lab):
    await lab.alice.register(ipsec=True)
    await lab.bob.register(ipsec=TRANSFORMS[1])
    await lab.alice.message(lab.bob, "under two associations")
    assert [text.text for text in lab.bob.messages] == ["under two associations"]
    call = await lab.alice.call(lab.bob, media="rtp")
    await call.hang_up()
    assert all(flow.decrypted == flow.packets for flow in lab.capture.esp)
    assert lab.capture.call_list[-1].state == "ended"
    assert [event for event in lab.log if event.what == "ESP packet dropped"] == []


async def test_akav2_where_the_network_offers_nothing_else():
    lab = imslab.Lab(policy=Policy(algorithms=("AKAv2-MD5",)))
    try:
        registration = await lab.alice.register(ipsec=True)
        assert registration.algorithm == "AKAv2-MD5"
        assert {flow.keys_from for flow in lab.capture.esp} == {"sec-agree (key)"}
    finally:
        await lab.aclose()


async def test_the_saved_trace_opens_as_a_lab(lab, tmp_path):
    live = await lab.alice.register(ipsec=True)
    again = imslab.Lab(trace=lab.save(tmp_path / "lab.pcapng"))
    recorded = await again.alice.register(ipsec=True)
    assert recorded.challenge.nonce == live.challenge.nonce and recorded.result == "registered"
    assert again.capture.esp == lab.capture.esp


async def test_the_committed_trace():
    lab = imslab.Lab(trace=path("traces", "register-ipsec.pcapng"))
    registration = await lab.alice.register(ipsec=True)
    assert registration.result == "registered" and registration.challenge.verified
    assert [f"{flow.encryption}/{flow.integrity}" for flow in lab.capture.esp] == [
        *4 * ["aes-cbc/hmac-sha-1-96"],
        *4 * ["aes-gcm/null"],
    ]
    assert [flow.packets for flow in lab.capture.esp] == [flow.decrypted for flow in lab.capture.esp]
    assert [login.result for login in lab.capture.logins] == 3 * ["registered"]
    assert list(lab.capture.texts["text"]) == ["nobody between us reads this"]


async def test_not_on_kamailio():
    lab = imslab.Lab(core="kamailio")
    lab._network = type("Network", (), {"esp": None, "proxy": lambda self, transport: None, "core": None})()
    with pytest.raises(ImslabError, match="take the embedded core"):
        await lab._terminal(lab.alice, "UDP", 600, TRANSFORMS)
