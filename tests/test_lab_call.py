"""lab.alice.call(lab.bob): signalling through the core, media both ways, what is seen of it, and its end."""

import asyncio
import threading

import pytest

import imslab
from imslab.data import path
from imslab.errors import CallFailed, ImslabError, Malformed
from imslab.media import pitch


@pytest.fixture
async def lab():
    threads = set(threading.enumerate())
    lab = imslab.Lab(seed="calls")
    yield lab
    await lab.aclose()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    left = {thread.name for thread in set(threading.enumerate()) - threads}
    assert not {name for name in left if not name.startswith("asyncio_")}  # those of the loop go with it


async def test_a_call_with_sound_and_picture_both_ways(lab):
    call = await lab.alice.call(lab.bob)
    await call.talk(0.5)
    for name, other in (("alice", "bob"), ("bob", "alice")):
        end = call.ends[name]
        assert end.sound.pitch == pytest.approx(pitch(other), abs=5)
        assert end.pictures and call.picture(name).data[:4] == b"\x89PNG"
        assert call.sound(name).data[:4] == b"RIFF"
    assert set(call.statistics["kind"]) == {"audio", "video"}
    ending = await call.hang_up()
    assert (ending.status, ending.by) == (None, "us")
    assert call.record.state == "ended" and call.record.status == 200
    assert set(call.streams["encrypted"]) == {"srtp"} and len(call.streams) == 4
    assert {arrow.kind for arrow in call.record.arrows()} >= {"SIP"}
    assert "<svg" in call.ladder()._repr_svg_() and "<table>" in call._repr_html_()


async def test_the_steps_come_in_their_order(lab):
    call = await lab.alice.call(lab.bob)
    steps = dict(call.steps["alice"])
    order = ["ringing", "answered", "ICE connected", "DTLS done", "first packet", "first picture"]
    assert [steps[name] for name in order] == sorted(steps[name] for name in order)
    assert "ringing" not in dict(call.steps["bob"])
    drawn = call.timing(title="When")._repr_svg_()
    assert "ms since INVITE" in drawn and "first picture" in drawn


async def test_the_keys_of_a_call_are_those_of_its_handshake(lab):
    call = await lab.alice.call(lab.bob, profiles=["SRTP_AEAD_AES_128_GCM"])
    mine, theirs = call.keying, call.ends["bob"].keying
    assert mine.profile.name == theirs.profile.name == "AEAD_AES_128_GCM"
    assert mine.ledger == theirs.ledger and {mine.role, theirs.role} == {"client", "server"}
    assert mine.client_random == theirs.client_random
    assert mine.ledger.client_key.hex() not in repr(mine)


@pytest.mark.parametrize(("media", "encrypted"), [("sdes", "srtp"), ("rtp", "none")])
async def test_a_call_without_dtls(lab, media, encrypted):
    call = await lab.alice.call(lab.bob, media=media)
    await call.talk(0.3)
    assert call.ends["bob"].sound.pitch == pytest.approx(pitch("alice"), abs=10)
    with pytest.raises(ImslabError, match="no DTLS"):
        _ = call.keying
    with pytest.raises(ImslabError, match="seen nothing"):
        call.picture("bob")
    await call.hang_up()
    assert set(call.streams["encrypted"]) == {encrypted} and len(call.streams) == 2


async def test_hold_and_resume(lab):
    call = await lab.alice.call(lab.bob, media="rtp")
    await call.hold()
    assert b"a=sendonly" in call.signalling.local
    await call.resume()
    assert b"a=sendonly" not in call.signalling.local
    await call.talk(0.1)


@pytest.mark.parametrize("status", [486, 603, 480])
async def test_a_callee_who_refuses(lab, status):
    with pytest.raises(CallFailed) as caught:
        await lab.alice.call(lab.bob, answer=status, media="rtp")
    assert caught.value.status == status
    assert lab.capture.call().state == "failed" and lab.capture.call().status == status


async def test_who_has_left_is_not_there(lab):
    await lab.bob.register()
    await lab.bob.deregister()
    with pytest.raises(CallFailed) as caught:
        await lab.alice.call(lab.bob, media="rtp")
    assert caught.value.status == 480
    await lab.bob.register()
    await (await lab.alice.call(lab.bob, media="rtp")).hang_up()
    await lab.alice.deregister()
    with pytest.raises(ImslabError, match="alice has left the network: register first"):
        await lab.alice.call(lab.bob)


async def test_nobody_has_this_address(lab):
    with pytest.raises(CallFailed) as caught:
        await lab.alice.call("sip:nobody@ims.mnc001.mcc001.3gppnetwork.org", media="rtp")
    assert caught.value.status == 404


async def test_media_that_are_none_and_ends_that_are_not_there(lab):
    with pytest.raises(Malformed, match="unknown media 'smoke'"):
        await lab.alice.call(lab.bob, media="smoke")
    call = await lab.alice.call(lab.bob, media="rtp")
    with pytest.raises(Malformed, match="'carol' has no end"):
        call.sound("carol")


async def test_giving_up_while_it_rings(lab):
    calling = asyncio.ensure_future(lab.alice.call(lab.bob, media="rtp", answer=None))
    while not any(event.message.status == 180 for event in responses(lab)):
        await asyncio.sleep(0.01)
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    while lab.capture.call().state != "cancelled":
        await asyncio.sleep(0.01)


def responses(lab):
    try:
        return [event for event in lab.capture.sip if not event.message.is_request]
    except ImslabError:
        return []


async def test_a_text_message_arrives(lab):
    await lab.alice.message(lab.bob, "Grüße")
    assert [(text.sender, text.text) for text in lab.bob.messages] == [
        (lab.alice.card.profile.impu[0], "Grüße")
    ]
    await lab.bob.deregister()
    with pytest.raises(CallFailed) as caught:
        await lab.alice.message(lab.bob, "again")
    assert caught.value.status == 480


async def test_two_calls_one_after_the_other_are_two(lab):
    for _ in range(2):
        await (await lab.bob.call(lab.alice, media="rtp")).hang_up()
    assert list(lab.capture.calls["state"]) == ["ended", "ended"]
    assert len(set(lab.capture.calls["call_id"])) == 2


async def test_a_recorded_call_in_the_same_words():
    lab = imslab.Lab(trace=path("traces", "webrtc-call.pcapng"))
    call = await lab.alice.call(lab.bob)
    assert call.record.state == "ended" and len(call.streams) == 4
    assert (call.streams["decrypted"] == call.streams["packets"]).all()
    assert call.picture("bob").data[:4] == b"\x89PNG" and call.sound("alice").data[:4] == b"RIFF"
    order = ["ringing", "answered", "ICE connected", "DTLS done", "first packet"]
    steps = dict(call.steps["alice"])
    assert list(steps) == order and sorted(steps.values()) == list(steps.values())
    assert "first packet" in call.timing()._repr_svg_()
    assert {arrow.kind for arrow in call.record.arrows()} >= {"SIP", "Cx", "STUN", "DTLS", "RTP"}
    assert await call.hang_up() is None
    second = await lab.alice.call(lab.bob)
    assert second.call_id != call.call_id
    with pytest.raises(ImslabError, match="no call of bob"):
        await lab.bob.call(lab.alice)
    with pytest.raises(ImslabError, match="a recording sends no messages"):
        await lab.alice.message(lab.bob, "hello")
    lab.close()
