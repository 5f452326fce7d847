"""What session descriptions say: sockets, payload types, protection."""

import pytest

from imslab.capture import announcements, open_capture
from imslab.capture.announcements import Announcements
from tests.capture.media_trace import ALICE, BOB, PEER, UE, Datagram, answer, invite, sdp, trace


def read(*datagrams: Datagram) -> tuple[Announcements, list[str]]:
    warnings: list[str] = []
    return announcements.read(open_capture(trace(datagrams)).sip, warnings), warnings


def told(body: bytes, **fields: str) -> Announcements:
    return read((0.0, UE, PEER, invite(body, **fields)))[0]


def test_socket_call_and_sender() -> None:
    (found,) = told(sdp(ALICE)).all
    assert (found.sockets, found.call_id, found.sender, found.frame) == ((ALICE,), "one@10.0.0.1", UE, 1)
    assert not found.is_secure


def test_the_same_description_on_another_hop_is_one() -> None:
    found, _ = read((0.0, UE, PEER, invite(sdp(ALICE))), (0.1, PEER, BOB, invite(sdp(ALICE))))
    assert len(found.all) == 1


@pytest.mark.parametrize(
    ("body", "secure"),
    [
        (sdp(ALICE), False),
        (sdp(ALICE, protocol="RTP/SAVP"), True),
        (sdp(ALICE, protocol="UDP/TLS/RTP/SAVPF"), True),
        (sdp(ALICE, "0", "crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x"), True),
        (sdp(ALICE, "0", session=("fingerprint:sha-256 00",)), True),
    ],
    ids=["AVP", "SAVP", "DTLS", "best effort", "fingerprint of the session"],
)
def test_who_asks_for_srtp(body: bytes, secure: bool) -> None:
    assert told(body).all[0].is_secure is secure


def test_codecs_of_the_description_and_of_rfc_3551() -> None:
    body = sdp(ALICE, "96 97 8", "rtpmap:96 opus/48000/2", "fmtp:96 useinbandfec=1", "rtpmap:97 broken")
    (found,) = told(body).all
    opus = found.codec(96)
    assert opus is not None
    assert (opus.name, opus.clock_rate, opus.channels, opus.parameters) == (
        "opus",
        48000,
        2,
        "useinbandfec=1",
    )


def test_a_static_type_needs_no_description() -> None:
    (found,) = told(sdp(ALICE, "8")).all
    pcma = found.codec(8)
    assert pcma is not None
    assert pcma.name == "PCMA"
    assert found.codec(99) is None


def test_candidates_are_sockets_too() -> None:
    body = sdp(
        ("10.0.0.1", 9),
        "0",
        "candidate:1 1 udp 2130706431 192.168.1.2 40000 typ host",
        "candidate:1 2 udp 2130706431 192.168.1.2 40001 typ host",
        "candidate:2 1 tcp 1 192.168.1.2 9 typ host",
        "candidate:3 1 UDP 1 2001:db8::1 40002 typ srflx",
        "candidate:4 1 udp 1 abc.local 40003 typ host",
        "candidate:5 1 udp 1 192.168.1.2 ４ typ host",
    )
    assert told(body).all[0].sockets == (("192.168.1.2", 40000), ("2001:db8::1", 40002))


@pytest.mark.parametrize(
    ("host", "port"), [("10.0.0.1", 0), ("10.0.0.1", 9), ("0.0.0.0", 4000), ("host.example", 4000)]
)
def test_what_is_no_socket(host: str, port: int) -> None:
    assert told(sdp((host, port))).sockets == []


def test_sections_in_a_bundle_share_their_sockets() -> None:
    body = sdp(ALICE, "96", "mid:0", "rtpmap:96 opus/48000/2", session=("group:BUNDLE 0 1", "group:BUNDLE"))
    body += b"m=video 0 RTP/AVP 97\r\na=mid:1\r\na=rtpmap:97 VP8/90000\r\nm=text 6000 RTP/AVP 98\r\n"
    found = told(body)
    assert len(found.all) == 2
    vp8 = found.all[0].codec(97)
    assert vp8 is not None
    assert (vp8.name, vp8.kind) == ("VP8", "video")
    assert found.all[1].sockets == (("10.0.0.1", 6000),)


def test_the_last_description_before_a_frame_holds() -> None:
    found, _ = read(
        (0.0, UE, PEER, invite(sdp(ALICE, "96", "rtpmap:96 opus/48000"))),
        (1.0, UE, PEER, invite(sdp(ALICE, "96", "rtpmap:96 AMR/8000"), call_id="two")),
    )
    calls = [found.at(ALICE, frame) for frame in (1, 2, 100)]
    assert [one.call_id for one in calls if one] == ["one@10.0.0.1", "two", "two"]
    early = found.at(ALICE, 0)
    assert early is not None
    assert early.call_id == "one@10.0.0.1"
    assert found.at(BOB) is None
    assert [one.call_id for one in found.of("two")] == ["two"]


def test_an_ice_name_brings_further_sockets() -> None:
    found = told(sdp(ALICE, "0", "ice-ufrag:abcd"))
    found.learn(("192.0.2.1", 7), "abcd")
    found.learn(("192.0.2.1", 7), "abcd")
    found.learn(("192.0.2.1", 8), "nobody")
    learnt = found.at(("192.0.2.1", 7))
    assert learnt is not None
    assert learnt.call_id == "one@10.0.0.1"
    assert found.at(("192.0.2.1", 8)) is None


def test_a_description_within_a_multipart_body() -> None:
    body = (
        b"--x\r\nContent-Type: application/sdp\r\n\r\n" + sdp(ALICE) + b"\r\n--x\r\n\r\nv=0 else\r\n--x--\r\n"
    )
    assert told(body, content_type="multipart/mixed;boundary=x").sockets == [ALICE]


def test_another_body_is_no_description() -> None:
    assert told(sdp(ALICE), content_type="text/plain").all == ()


def test_a_broken_description_is_a_warning() -> None:
    found, warnings = read((0.0, UE, PEER, answer("200 OK", b"v=0\r\nnonsense\r\n")))
    assert found.all == ()
    assert len(warnings) == 1
    assert warnings[0].startswith("frame 1: SDP, but ")
