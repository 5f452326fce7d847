"""Two WebRTC endpoints call each other: sound and pictures, keys, the trace, what goes wrong, the end."""

import asyncio
import hashlib
import io
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from imslab.errors import FingerprintMismatch, ImslabError, Malformed, NetworkError, SrtpError
from imslab.media import WebRtcEndpoint, pitch
from imslab.media.picture import CLOCK_BOX, NAME_BOX, TestPicture
from imslab.media.recorder import Recorder
from imslab.sip.sdp import SessionDescription
from imslab.srtp import Profile

PROFILES = [
    "AEAD_AES_128_GCM",
    "AEAD_AES_256_GCM",
    "AES_CM_128_HMAC_SHA1_80",
    "AES_CM_128_HMAC_SHA1_32",
]


def likeness(seen, drawn, box):
    """Correlate one part of two pictures: 1 is the same, 0 nothing in common."""
    left, top, right, bottom = box
    one, other = (part[top:bottom, left:right].mean(axis=2).ravel() for part in (seen, drawn))
    return np.corrcoef(one, other)[0, 1]


def clock_of(seen, drawn):
    """Return the time that the clock of a picture shows, found by comparing it with all that it could be."""
    return max(drawn, key=lambda at: likeness(seen, drawn[at], CLOCK_BOX))


@pytest.mark.parametrize("profile", PROFILES)
async def test_each_hears_and_sees_the_other(call, profile):
    async with call(profiles=[profile], bobs=PROFILES) as (alice, bob):
        await asyncio.gather(*(end.recorded(seconds=0.3, pictures=4) for end in (alice, bob)))
        for end, peer in ((alice, bob), (bob, alice)):
            assert end.keying.profile == Profile.named(profile)
            assert abs(end.sound.pitch - pitch(peer.name)) <= 1 / end.sound.seconds
            seen = [np.asarray(Image.open(io.BytesIO(png))) for png in end.pictures]
            picture = TestPicture(peer.name)
            assert likeness(seen[-1], picture.draw(0), NAME_BOX) > 0.9
            assert likeness(seen[-1], TestPicture(end.name).draw(0), NAME_BOX) < 0.6
            times = range(int(end.moments.described * 10), int(end.clock() * 10) + 1)
            drawn = {tenth: picture.draw(tenth / 10 + 0.05) for tenth in times}
            first, last = (clock_of(one, drawn) for one in (seen[0], seen[-1]))
            assert first < last  # the clock runs, between the offer and now


async def test_both_ends_have_the_same_keys_and_each_its_own_role(call):
    async with call() as (alice, bob):
        one, other = alice.keying, bob.keying
        assert one.ledger.exported == other.ledger.exported
        assert (one.role, other.role) == (
            "server",
            "client",
        )  # the answerer says a=setup:active (RFC 5763, 5)
        assert (one.client_random, one.server_random) == (other.client_random, other.server_random)
        assert alice.key_log == bob.key_log
        assert alice.key_log[0].split()[1] == one.client_random.hex().encode()
        for end, peer in ((alice, bob), (bob, alice)):
            digest = hashlib.sha256(end.keying.certificate).hexdigest().upper()
            (told,) = (text for text in peer.local.media[0].all("fingerprint") if "sha-256" in text)
            assert told.replace(":", "") == f"sha-256 {digest}"
        assert alice.keying.ledger.exported.hex() not in repr(alice.keying)


async def test_the_moments_follow_each_other(call):
    async with call() as (alice, bob):
        await asyncio.gather(*(end.recorded(seconds=0.1, pictures=1) for end in (alice, bob)))
        for end in (alice, bob):
            moments = end.moments
            order = [moments.described, moments.ice_connected, moments.dtls_done, moments.first_packet]
            assert order == sorted(order)
            assert moments.first_packet < min(moments.first_sound, moments.first_picture)
            assert moments.closed is None
    assert alice.moments.closed > alice.moments.first_picture


async def test_what_one_end_counts_as_sent_the_other_counts_as_received(call):
    async with call() as (alice, bob):
        await bob.recorded(seconds=0.1, pictures=3)
        came = {line.ssrc: line for line in bob.statistics if line.direction == "in"}
        sent = {line.ssrc: line for line in alice.statistics if line.direction == "out"}
        assert {line.encoding for line in sent.values()} == {"opus", "VP8"}
        assert came.keys() == sent.keys()
        for ssrc, line in came.items():
            assert (line.kind, line.payload_type) == (sent[ssrc].kind, sent[ssrc].payload_type)
            assert 0 < line.packets <= sent[ssrc].packets
            assert 0 < line.octets <= sent[ssrc].octets
            assert line.lost == 0 and 0 <= line.jitter < 1
            assert (sent[ssrc].lost, sent[ssrc].jitter) == (None, None)


async def test_the_offer_names_one_address_and_no_server(webrtc):
    async with webrtc() as (alice, _):
        description = SessionDescription.parse(await alice.offer())
        candidates = {line.split()[4] for media in description.media for line in media.all("candidate")}
        assert candidates == {alice.host} == {description.origin.address}
        assert [media.kind for media in description.media] == ["audio", "video"]
        assert len({media.port for media in description.media}) == 1


def sent_by(end):
    """Return how many packets an end has sent."""
    return sum(line.packets for line in end.statistics if line.direction == "out")


async def test_hold_and_resume_are_new_versions_of_one_session(call, describe):
    async with call() as (alice, bob):
        first = alice.local.origin
        await describe(alice, bob, "sendonly")
        assert [media.direction for media in bob.local.media] == ["recvonly"] * 2
        assert alice.ready and bob.ready
        await bob.recorded(seconds=bob.recorder.seconds + 0.1)  # what was being encoded is gone
        sent = sent_by(bob)
        await bob.recorded(seconds=bob.recorder.seconds + 0.1)  # alice goes on
        assert sent_by(bob) == sent
        await describe(alice, bob)
        assert alice.local.origin == replace(first, session_version="3")
        await alice.recorded(seconds=alice.recorder.seconds + 0.1)
        assert sent_by(bob) > sent


async def test_sound_alone(webrtc, describe):
    async with webrtc(kinds=["audio"]) as (alice, bob):
        await describe(alice, bob)
        await bob.recorded(seconds=0.1)
        assert {line.kind for line in bob.statistics} == {"audio"}
        assert (bob.pictures, bob.moments.first_picture, bob.recorder.last()) == ([], None, None)


async def test_a_call_of_sound_alone_is_answered_by_who_could_do_more():
    alice, bob = WebRtcEndpoint("alice", "127.0.9.11", kinds=["audio"]), WebRtcEndpoint("bob", "127.0.9.12")
    try:
        await alice.accept(await bob.answer(await alice.offer()))
        await asyncio.gather(*(end.recorded(seconds=0.1) for end in (alice, bob)))
        assert [media.kind for media in bob.local.media] == ["audio"]
        assert alice.ready and bob.ready
    finally:
        await asyncio.gather(alice.close(), bob.close())


async def test_who_sends_sound_alone_can_still_see(recording):
    alice = WebRtcEndpoint("alice", "127.0.9.11", tap=recording.tap)
    bob = WebRtcEndpoint("bob", "127.0.9.12", tap=recording.tap, kinds=["audio"])
    try:
        await alice.accept(await bob.answer(await alice.offer()))
        await bob.recorded(pictures=1)
        assert [media.direction for media in bob.local.media] == ["sendrecv", "recvonly"]
    finally:
        await asyncio.gather(alice.close(), bob.close())


class Parrot(Recorder):
    """Says what it hears, at once, and nothing else."""

    def __init__(self):
        super().__init__()
        self._waiting = np.zeros(0, np.int16)

    def hear(self, samples, rate):
        super().hear(samples, rate)
        self._waiting = np.concatenate([self._waiting, samples])

    def take(self, count):
        piece, self._waiting = self._waiting[:count], self._waiting[count:]
        return np.concatenate([piece, np.zeros(count - len(piece), np.int16)])


async def test_an_end_may_say_and_keep_something_else():
    parrot = Parrot()
    alice = WebRtcEndpoint("alice", "127.0.9.11", kinds=["audio"])
    bob = WebRtcEndpoint("bob", "127.0.9.12", kinds=["audio"], voice=parrot, recorder=parrot)
    try:
        await alice.accept(await bob.answer(await alice.offer()))
        await alice.recorded(seconds=0.6)
        assert bob.recorder is parrot
        assert alice.sound.pitch == pytest.approx(pitch("alice"), abs=5)  # her own voice
    finally:
        await asyncio.gather(alice.close(), bob.close())


# -- what goes wrong ----------------------------------------------------------------------------


def with_another_certificate(description):
    """Return a description whose fingerprints are those of somebody else's certificate."""
    text = description.decode()
    return re.sub(
        r"(a=fingerprint:\S+ )(..)", lambda m: m[1] + ("00" if m[2] != "00" else "01"), text
    ).encode()


async def test_a_man_in_the_middle_is_caught_by_the_end_that_was_lied_to(webrtc):
    async with webrtc() as (alice, bob):
        answer = await bob.answer(await alice.offer())
        await alice.accept(with_another_certificate(answer))
        with pytest.raises(FingerprintMismatch, match="somebody stands in the middle"):
            await alice.connected()
        assert alice.keying is None and alice.moments.dtls_done is None
        assert alice.statistics == []


async def test_a_man_in_the_middle_is_caught_by_the_one_who_answers_too(webrtc):
    async with webrtc() as (alice, bob):
        await alice.accept(await bob.answer(with_another_certificate(await alice.offer())))
        with pytest.raises(FingerprintMismatch):
            await bob.connected()


async def test_two_ends_without_a_profile_in_common_say_so(webrtc, describe):
    async with webrtc(profiles=["AEAD_AES_128_GCM"], bobs=["AES_CM_128_HMAC_SHA1_80"]) as (alice, bob):
        await describe(alice, bob)
        for end in (alice, bob):
            with pytest.raises(SrtpError, match="no SRTP profile in common"):
                await end.connected()


async def test_media_that_never_come_end_the_wait_in_the_stated_time(webrtc):
    async with webrtc() as (alice, bob):
        await bob.answer(await alice.offer())  # which alice never gets
        with pytest.raises(
            NetworkError, match=r"no media for bob on 127\.0\.9\.12 in 0\.1 s: ICE is checking"
        ):
            await bob.connected(timeout=0.1)


async def test_sound_that_never_comes_ends_the_wait_too(call):
    async with call() as (alice, _):
        with pytest.raises(NetworkError, match="not 99 s of sound and 0 pictures for alice"):
            await alice.recorded(seconds=99, timeout=0.05)


async def test_a_peer_that_goes_away_ends_the_wait_at_once(call):
    async with call() as (alice, bob):
        waiting = asyncio.create_task(alice.recorded(seconds=99, timeout=60))
        await bob.close()
        with pytest.raises(NetworkError, match="has ended the media"):
            await waiting


async def test_ones_own_goodbye_ends_the_wait_at_once(call):
    async with call() as (alice, bob):
        waiting = asyncio.create_task(alice.recorded(seconds=99, timeout=60))
        await asyncio.sleep(0)
        await alice.close()
        with pytest.raises(NetworkError, match="alice's end of the call is closed"):
            await waiting
        with pytest.raises(ImslabError, match="make another"):
            await alice.offer()


async def test_an_address_that_is_not_this_machines_is_named():
    end = WebRtcEndpoint("alice", "192.0.2.1")
    try:
        with pytest.raises(NetworkError, match=r"192\.0\.2\.1 is no address of this machine"):
            await end.offer()
    finally:
        await end.close()


async def test_an_answer_needs_an_offer(webrtc):
    async with webrtc() as (alice, bob):
        answer = await bob.answer(await alice.offer())
        await alice.accept(answer)
        with pytest.raises(ImslabError, match="no offer open"):
            await alice.accept(answer)


@pytest.mark.parametrize("kinds", [[], ["text"]])
async def test_kinds_that_it_cannot_send(kinds):
    with pytest.raises(Malformed, match="cannot send"):
        WebRtcEndpoint("alice", "127.0.9.11", kinds=kinds)


async def test_profiles_that_webrtc_has_not():
    with pytest.raises(SrtpError, match="NULL_HMAC_SHA1_80 is no profile of a WebRTC call"):
        WebRtcEndpoint("alice", "127.0.9.11", profiles=["NULL_HMAC_SHA1_80"])
