"""imslab.Lab: the same cells on software cards and on a recording."""

import pytest

import imslab
from imslab.data import path, profile_path
from imslab.errors import (
    CaptureError,
    CardError,
    CardGone,
    ImslabError,
    MacFailure,
    Malformed,
    RegistrationFailed,
)
from imslab.ims.scscf import Policy
from imslab.uicc import Card, Profile, pcsc


@pytest.fixture
async def lab():
    lab = imslab.Lab(seed="tests")
    yield lab
    lab.close()


@pytest.mark.parametrize("transport", ["UDP", "TCP", "WS"])
async def test_a_login_and_its_pictures(lab, transport):
    registration = await lab.alice.register(transport=transport)
    assert (registration.result, registration.algorithm) == ("registered", "AKAv2-SHA-256")
    assert registration.challenge.verified is True
    assert {arrow.kind for arrow in registration.arrows()} == {"APDU", "SIP", "Cx"}
    nodes = {node for arrow in registration.arrows() for node in (arrow.source, arrow.destination)}
    names = {lab.capture.names[node] for node in nodes}
    assert names == {"alice", "alice's card", "p-cscf", "s-cscf", "hss"}
    assert "<svg" in registration.ladder()._repr_svg_() and "<svg" in registration.timing()._repr_svg_()


async def test_one_clock(lab):
    await lab.alice.register()
    arrows = (await lab.alice.register("AKAv1-MD5")).arrows()
    times = [arrow.at for arrow in arrows]
    assert times == sorted(times)
    kinds = [arrow.kind for arrow in arrows]
    assert kinds.index("APDU") > kinds.index("Cx") > kinds.index("SIP")


async def test_the_card_tells_who_alice_is(lab):
    profile = lab.alice.card.profile
    assert profile.impi == lab.alice.profile.impi and profile.source == "ISIM"
    assert "<table>" in profile._repr_html_()
    assert lab.alice.card.transmit(bytes.fromhex("00a4000c023f00"))[-2:] == b"\x90\x00"
    assert len(lab.alice.card.exchanges) > 10


async def test_a_stale_sqn_is_mended_and_seen(lab):
    await lab.alice.register("AKAv2-MD5")
    lab.core.hss.forget_sqn(lab.alice.profile.impi)
    registration = await lab.alice.register("AKAv2-MD5")
    assert registration.resync and registration.result == "registered"
    assert [c.verified for c in registration.challenges] == [True, True]


async def test_watching_and_leaving(lab):
    with pytest.raises(ImslabError, match="alice is not registered"):
        await lab.alice.deregister()
    with pytest.raises(ImslabError, match="register first"):
        await lab.alice.watch()
    await lab.alice.register()
    assert set((await lab.alice.watch()).values()) == {"active"}
    await lab.alice.deregister()
    assert lab.capture.logins[-1].result == "deregistered"


async def test_two_labs_side_by_side():
    one, two = imslab.Lab(seed="1"), imslab.Lab(seed="2")
    try:
        a, b = await one.alice.register(), await two.alice.register()
        assert a.messages[0].source[0] != b.messages[0].source[0]
    finally:
        one.close()
        two.close()


async def test_policy_and_failures_are_raised_and_recorded():
    lab = imslab.Lab(policy=Policy(algorithms=("AKAv1-MD5",)))
    try:
        with pytest.raises(RegistrationFailed, match="offers AKAv1-MD5"):
            await lab.alice.register("AKAv2-MD5")
        assert lab.capture.logins[-1].result == "challenged"
        with pytest.raises(Malformed, match="unknown transport 'SCTP'"):
            await lab.alice.register(transport="SCTP")
    finally:
        lab.close()


async def test_a_network_with_another_key(lab):
    await lab.start()
    stranger = {**lab.alice.profile.to_dict(), "k": "00" * 16}
    lab.core.hss.add(Profile.from_dict(stranger), sqn=0)
    with pytest.raises(MacFailure):
        await lab.alice.register()


async def test_a_lab_before_somebody_elses_hss():
    from imslab.ims import Hss
    from imslab.net.hss import HssServer

    hss = Hss(random=imslab.lab.Seeded("somebody else"))
    server = HssServer(hss, host="127.0.0.143", port=0)
    await server.start()
    try:
        async with imslab.Lab(hss=f"aaa://127.0.0.143:{server.address.port}") as lab:
            with pytest.raises(RegistrationFailed, match="403"):
                await lab.alice.register()
            hss.add(lab.alice.profile)  # provisioned there, and not by the lab
            login = await lab.alice.register("AKAv2-MD5")
            assert login.challenge.verified and lab.capture.names["127.0.0.143"] == "hss"
            assert [event.message.name for event in login.cx].count("MAR") == 1
            with pytest.raises(ImslabError, match="subscribers are provisioned there"):
                await lab.alice.provision(domain="other.example")
    finally:
        server.close()
    with pytest.raises(Malformed, match="Kamailio is given our own HSS"):
        imslab.Lab(core="kamailio", hss="aaa://127.0.0.143")


async def test_the_saved_trace_opens_as_a_lab(lab, tmp_path):
    await lab.alice.register("AKAv2-MD5")
    live = await lab.bob.register("AKAv1-MD5")
    saved = lab.save(tmp_path / "lab.pcapng")
    again = imslab.Lab(trace=saved)
    assert again.mode == "captured trace"
    recorded = await again.bob.register()
    assert recorded.challenge.nonce == live.challenge.nonce and recorded.challenge.verified
    assert again.alice.card.profile == lab.alice.card.profile
    with pytest.raises(ImslabError, match="no registration of alice like that; it holds"):
        await again.alice.register("AKAv1-MD5")
    with pytest.raises(ImslabError, match="recording"):
        again.save(tmp_path / "other.pcapng")
    with pytest.raises(ImslabError, match="core is not running"):
        _ = again.core
    again.close()


@pytest.mark.parametrize("name", ["register-akav1", "register-akav2", "register-resync"])
async def test_the_committed_traces(name):
    lab = imslab.Lab(trace=path("traces", f"{name}.pcapng"))
    registration = await lab.alice.register()
    assert registration.result == "registered" and registration.challenge.verified
    assert lab.capture.warnings == []
    resyncs = [login.resync for login in lab.capture.logins]
    assert any(resyncs) == (name == "register-resync")
    algorithms = {login.algorithm for login in lab.capture.logins}
    assert algorithms == {"AKAv1-MD5"} if name == "register-akav1" else "AKAv1-MD5" not in algorithms
    assert registration.ladder() and registration.timing()


async def test_a_recording_without_bob_says_so():
    lab = imslab.Lab(trace=path("traces", "register-akav1.pcapng"))
    with pytest.raises(ImslabError, match="nothing of bob's card"):
        await lab.bob.register()


def test_nothing_yet():
    with pytest.raises(ImslabError, match="nothing has happened yet"):
        _ = imslab.Lab().capture


def test_bad_sources(tmp_path):
    with pytest.raises(Malformed, match="not both"):
        imslab.Lab(reader="auto", trace="x")
    with pytest.raises(CaptureError):
        imslab.Lab(trace=tmp_path / "absent.pcapng")
    (tmp_path / "text.pcapng").write_text("no capture at all")
    with pytest.raises(CaptureError):
        imslab.Lab(trace=tmp_path / "text.pcapng")


def test_without_a_reader_auto_takes_the_software_card(monkeypatch):
    def nothing(name=None):
        raise CardError("PC/SC does not answer.", sw1=None, sw2=None, meaning="no card")

    monkeypatch.setattr(pcsc, "connect", nothing)
    lab = imslab.Lab(reader="auto")
    assert lab.mode == "live, software cards"
    assert lab.notes == ["PC/SC does not answer. The software card takes its place."]
    with pytest.raises(CardError, match="PC/SC does not answer"):
        imslab.Lab(reader="ACR38")


async def test_a_card_whose_key_nobody_knows(monkeypatch):
    """In a reader: the identity is read, and the card refuses a network that cannot prove itself."""
    stranger = Profile(imsi="001010000000099", k=bytes(range(16)), opc=bytes(range(16)))
    card = Card(stranger, protocol="T=0")
    monkeypatch.setattr(pcsc, "connect", lambda name=None: card)
    lab = imslab.Lab(reader="auto")
    try:
        assert lab.mode == "live, card in the reader"
        assert lab.alice.card.profile.impi.startswith("001010000000099")
        with pytest.raises(MacFailure):
            await lab.alice.register()
        known = imslab.Lab(reader="auto", profile=stranger)
        assert (await known.alice.register()).result == "registered"
        known.close()
    finally:
        lab.close()


@pytest.mark.parametrize("uicc", [False, True], ids=["GBA_ME", "GBA_U"])
async def test_a_web_application_and_its_ladder(lab, uicc):
    with pytest.raises(ImslabError, match="browser"):
        _ = lab.web
    browser = await lab.alice.browser(uicc=uicc)
    page = await browser.open("http://shop.example.com/basket")
    assert lab.alice.profile.impi in page.body and "<iframe" in page._repr_html_()
    arrows = lab.capture.arrows()
    names = {lab.capture.names[node] for a in arrows for node in (a.source, a.destination)}
    assert names >= {"alice", "alice's card", "bsf", "hss", "naf"}
    labels = [arrow.label for arrow in arrows]
    assert ("AUTHENTICATE (GBA, bootstrap)" in labels) is uicc
    assert ("DB: Ks_ext_NAF" in labels) is uicc and ("DB: RES CK IK" in labels) is not uicc
    keys = lab.web.bsf.keys(page.b_tid, lab.web.naf.naf_id, lab.clock())
    assert (keys.ks_int_naf is not None) is uicc


async def test_a_recorded_login_to_a_web_application():
    lab = imslab.Lab(trace=path("traces", "gba-login.pcapng"))
    assert lab.capture.warnings == []
    assert [e.message.get("Host") for e in lab.capture.http if hasattr(e.message, "method")] == 2 * [
        "shop.example.com",
        *2 * ["bsf.mnc001.mcc001.pub.3gppnetwork.org"],
        "shop.example.com",
    ]
    assert {arrow.kind for arrow in lab.capture.arrows()} == {"APDU", "HTTP", "Cx"}
    with pytest.raises(ImslabError, match="recording"):
        await lab.alice.browser()


async def test_a_reader_that_is_pulled_out_and_the_software_card_takes_over(monkeypatch):
    alice = Profile.load(profile_path("alice"))

    class Pulled(Card):
        """A card in a reader that is pulled out with the first AUTHENTICATE."""

        def transmit(self, apdu):
            if apdu[1] == 0x88:
                raise CardGone("the card in Stand-in went away")
            return super().transmit(apdu)

    monkeypatch.setattr(pcsc, "connect", lambda name=None: Pulled(alice))
    lab = imslab.Lab(reader="auto", profile=alice)
    try:
        with pytest.raises(CardGone, match="the card in Stand-in went away"):
            await lab.alice.register()
        assert lab.mode == "live, card in the reader"  # not before it is told to
        lab.alice.take_software_card()
        assert lab.mode == "live, software cards"
        assert lab.notes[-1] == "alice goes on with the software card."
        assert (await lab.alice.register()).result == "registered"
    finally:
        lab.close()
