"""Two plain RTP endpoints call each other, with keys in SDP and without; what else a peer may do."""

import asyncio
import socket
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from imslab.capture import index
from imslab.errors import ImslabError, Malformed, NetworkError, SrtpError
from imslab.media import RtpEndpoint, pitch
from imslab.sip.sdp import Attribute, SessionDescription
from imslab.srtp import Profile

ALICE, BOB = "127.0.9.21", "127.0.9.22"
SUITES = ["AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "AEAD_AES_128_GCM", "AEAD_AES_256_GCM", ""]


@asynccontextmanager
async def ends(suites=("AES_CM_128_HMAC_SHA1_80",), bobs=None, **settings):
    settings = {"interval": 0.05, **settings}
    alice = RtpEndpoint("alice", ALICE, suites=suites, **settings)
    bob = RtpEndpoint("bob", BOB, suites=suites if bobs is None else bobs, **settings)
    try:
        yield alice, bob
    finally:
        await asyncio.gather(alice.close(), bob.close())


@asynccontextmanager
async def calling(**settings):
    async with ends(**settings) as (alice, bob):
        await describe(alice, bob)
        await asyncio.gather(alice.connected(), bob.connected())
        yield alice, bob


async def describe(alice, bob, direction="sendrecv"):
    await alice.accept(await bob.answer(await alice.offer(direction)))


def changed(octets, **values):
    """Return a description whose sound has other values."""
    description = SessionDescription.parse(octets)
    return bytes(replace(description, media=(replace(description.media[0], **values),)))


@pytest.mark.parametrize("codec", ["PCMA", "PCMU"])
@pytest.mark.parametrize("suite", SUITES)
async def test_each_hears_the_other(suite, codec):
    async with calling(suites=[suite] if suite else [], codecs=[codec]) as (alice, bob):
        await asyncio.gather(*(end.recorded(seconds=0.2) for end in (alice, bob)))
        for end, peer in ((alice, bob), (bob, alice)):
            assert abs(end.sound.pitch - pitch(peer.name)) <= 1 / end.sound.seconds
            assert end.profile == (Profile.named(suite) if suite else None)
            assert not end.refused
            assert {line.encoding for line in end.statistics} == {codec}
            assert end.moments.described < end.moments.first_packet <= end.moments.first_sound
            assert (end.pictures, end.moments.ice_connected, end.moments.dtls_done) == ([], None, None)


@pytest.mark.parametrize("suite", ["AES_CM_128_HMAC_SHA1_80", ""])
async def test_the_trace_holds_each_packet_once_as_it_stood_on_the_wire(recording, suite):
    async with calling(suites=[suite] if suite else [], tap=recording.tap) as (alice, bob):
        await bob.recorded(seconds=0.1)
        while alice.reports.peer is None:
            await asyncio.sleep(0)
    capture = recording.capture
    rows = index.build(capture)
    packets = [(rows.endpoints(i), capture.packet(i)[28:]) for i in range(len(capture))]
    assert len(set(packets)) == len(packets) and capture.secrets == []
    lengths = Counter(len(octets) for (source, _), octets in packets if source[1] % 2 == 0)
    tag = 10 if suite else 0
    assert set(lengths) == {12 + 160 + tag}
    assert all(octets[1] in (200, 201) for (source, _), octets in packets if source[1] % 2)
    counted = sum(line.packets for end in (alice, bob) for line in end.statistics if line.direction == "out")
    assert lengths.total() == counted


async def test_each_end_reports_what_it_got():
    async with calling() as (alice, bob):
        while alice.reports.peer is None or alice.reports.peer.round_trip is None:
            await asyncio.sleep(0)
        report = alice.reports.peer
        assert (report.lost, report.fraction) == (0, 0.0)
        assert abs(report.round_trip) < 5 and report.jitter >= 0


async def test_a_call_holds_and_goes_on():
    async with calling() as (alice, bob):
        key = SessionDescription.parse(bytes(alice.local)).media[0].get("crypto")
        await describe(alice, bob, "sendonly")
        assert bob.local.direction is None and bob.local.media[0].direction == "recvonly"
        assert alice.ready
        sent = sum(line.packets for line in bob.statistics if line.direction == "out")
        await bob.recorded(seconds=bob.recorder.seconds + 0.1)
        assert sum(line.packets for line in bob.statistics if line.direction == "out") == sent
        await describe(alice, bob)
        await alice.recorded(seconds=alice.recorder.seconds + 0.1)
        assert alice.local.media[0].get("crypto") == key  # the same key: SRTP's indices go on
        assert alice.local.origin.session_version == "3"
        assert not alice.refused and not bob.refused


async def test_the_answer_refuses_what_is_no_sound():
    async with ends(suites=[]) as (alice, bob):
        offer = await alice.offer()
        video = b"m=video 40000 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n"
        answer = SessionDescription.parse(await bob.answer(offer + video))
        assert [(media.kind, media.port > 0) for media in answer.media] == [("audio", True), ("video", False)]


async def test_the_answer_takes_one_codec_of_the_offer():
    async with ends(suites=[]) as (alice, bob):
        offer = changed(await alice.offer(), formats=("18", "0", "8"))
        answer = SessionDescription.parse(await bob.answer(offer))
        assert answer.media[0].formats == ("0",)


async def test_reports_go_where_the_description_says():
    async with ends(suites=[]) as (alice, bob):
        there = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        there.bind((ALICE, 0))
        there.setblocking(False)
        try:
            attribute = Attribute("rtcp", f"{there.getsockname()[1]} IN IP4 {ALICE}")
            await bob.answer(changed(await alice.offer(), attributes=(attribute,)))
            report = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(there, 1500), 5)
            assert report[1] == 200  # a sender report
        finally:
            there.close()


# -- what goes wrong ----------------------------------------------------------------------------


async def test_keys_that_somebody_took_out_are_missed():
    async with ends(bobs=[]) as (alice, bob):
        with pytest.raises(SrtpError, match=r"the peer says RTP/SAVP and this end RTP/AVP"):
            await bob.answer(await alice.offer())
        with pytest.raises(SrtpError, match="taken the keys out"):
            await alice.answer(await bob.offer())


async def test_a_wrong_key_opens_nothing():
    async with ends() as (alice, bob):
        answer = (await bob.answer(await alice.offer())).decode()
        start = answer.index("inline:") + 7
        other = "B" if answer[start] == "A" else "A"
        await alice.accept((answer[:start] + other + answer[start + 1 :]).encode())
        while not alice.refused:
            await asyncio.sleep(0)
        with pytest.raises(NetworkError, match=r"refused: [0-9]+ AuthenticationFailed"):
            await alice.connected(timeout=0.01)
        assert alice.sound is None and alice.statistics[0].direction == "out"
        await bob.connected()  # alice's own key is right


async def test_without_protection_anybody_is_heard_with_protection_nobody_else():
    for suites in ([], ["AES_CM_128_HMAC_SHA1_80"]):
        async with calling(suites=suites) as (alice, bob):
            forged = bytes.fromhex("80080001000000a0deadbeef") + bytes(160)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mallory:
                mallory.sendto(forged, (bob.host, bob.local.media[0].port))
                while not bob.refused and all(line.ssrc != 0xDEADBEEF for line in bob.statistics):
                    await asyncio.sleep(0)
            assert any(line.ssrc == 0xDEADBEEF for line in bob.statistics) is not bool(suites)
            assert bob.refused == ({"AuthenticationFailed": 1} if suites else {})


@pytest.mark.parametrize("octets", [b"", b"\x80", b"\x00" * 12, bytes(11), b"\xa0" + bytes(10) + b"\xff"])
async def test_what_is_no_rtp_is_counted_and_dropped(octets):
    async with calling(suites=[]) as (_, bob):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mallory:
            for port in (bob.local.media[0].port, bob.local.media[0].port + 1):
                mallory.sendto(octets, (bob.host, port))
            while bob.refused["Malformed"] < (2 if octets else 1):  # an empty RTCP packet reports nothing
                await asyncio.sleep(0)


async def test_a_peer_that_says_goodbye_ends_the_wait_at_once():
    async with calling() as (alice, bob):
        waiting = asyncio.create_task(alice.recorded(seconds=99, timeout=60))
        await bob.close()
        with pytest.raises(NetworkError, match="has ended the media"):
            await waiting


async def test_media_that_never_come_end_the_wait():
    async with ends() as (alice, bob):
        with pytest.raises(NetworkError, match=r"no media for alice .* there is no answer yet"):
            await alice.connected(timeout=0.02)
        offer = changed(await alice.offer(), port=9)
        await bob.answer(offer)
        with pytest.raises(NetworkError, match=r"packets go to 127\.0\.9\.21:9, refused: none"):
            await bob.connected(timeout=0.05)


OFFER = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.9.21\r\ns=-\r\nc=IN IP4 127.0.9.21\r\nt=0 0\r\n"
    b"m=audio 40000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
)
BAD = {
    "empty": (b"", "session description"),
    "no media": (OFFER[: OFFER.index(b"m=")], "without sound"),
    "refused": (OFFER.replace(b"40000", b"0"), "without sound"),
    "no codec": (OFFER.replace(b"RTP/AVP 8", b"RTP/AVP 18"), "no codec in common in payload types 18"),
    "no address": (OFFER.replace(b"c=IN IP4 127.0.9.21\r\n", b""), "where the sound goes"),
    "a name": (OFFER.replace(b"c=IN IP4 127.0.9.21", b"c=IN IP4 example.org"), "not an IP address"),
    "rtcp": (OFFER + b"a=rtcp:70000\r\n", "a=rtcp"),
    "rtcp name": (OFFER + b"a=rtcp:40001 IN IP4 x\r\n", "not an IP address"),
}


@pytest.mark.parametrize("offer", BAD)
async def test_a_description_that_cannot_be_taken_is_refused(offer):
    octets, message = BAD[offer]
    async with ends(suites=[]) as (_, bob):
        with pytest.raises(Malformed, match=message):
            await bob.answer(octets)
        assert not bob.ready and bob.remote is None


async def test_the_old_way_to_hold_is_understood():
    async with calling(suites=[]) as (alice, bob):
        hold = (await alice.offer()).replace(b"c=IN IP4 127.0.9.21", b"c=IN IP4 0.0.0.0")
        await bob.answer(hold)
        sent = bob.statistics
        await bob.recorded(seconds=bob.recorder.seconds + 0.1)
        assert [s.packets for s in bob.statistics if s.direction == "out"] == [
            s.packets for s in sent if s.direction == "out"
        ]


async def test_an_answer_needs_an_offer_and_an_open_end():
    async with ends() as (alice, bob):
        answer = await bob.answer(await alice.offer())
        await alice.accept(answer)
        with pytest.raises(ImslabError, match="no offer open"):
            await alice.accept(answer)
        await alice.close()
        with pytest.raises(ImslabError, match="make another"):
            await alice.offer()


async def test_nothing_is_left_of_it():
    before = asyncio.all_tasks()
    async with calling() as (alice, _):
        port = alice.local.media[0].port
    assert asyncio.all_tasks() == before
    for free in (port, port + 1):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((ALICE, free))
