"""Session descriptions: RFC 8866, WebRTC's attributes, octets written as read."""

import base64

import pytest

from imslab.data import vectors
from imslab.errors import Malformed
from imslab.sip.sdp import Attribute, Connection, Media, Origin, RtpMap, SessionDescription

# RFC 8866, section 5, example
EXAMPLE = """v=0
o=jdoe 3724394400 3724394405 IN IP4 198.51.100.1
s=Call to John Smith
i=SDP Offer #1
u=http://www.jdoe.example.com/home.html
e=Jane Doe <jane@jdoe.example.com>
p=+1 617 555-6011
c=IN IP4 198.51.100.1
b=CT:128
t=0 0
r=7d 1h 0 25h
z=2882844526 -1h 2898848070 0
k=prompt
a=recvonly
m=audio 49170 RTP/AVP 0
m=audio 49180/2 RTP/AVP 0 96
i=second
c=IN IP6 2001:db8::2
b=AS:64
a=rtpmap:96 opus/48000/2
a=fmtp:96 useinbandfec=1;stereo=0
a=sendrecv
m=video 51372 UDP/TLS/RTP/SAVPF 99
a=rtpmap:99 h263-1998/90000
a=fingerprint:sha-256 AB:CD
a=ice-pwd:verysecret
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:verysecret
a=rtcp-mux
a=setup:actpass
""".replace("\n", "\r\n").encode()


def test_written_as_read() -> None:
    assert bytes(SessionDescription.parse(EXAMPLE)) == EXAMPLE
    assert str(SessionDescription.parse(EXAMPLE.decode())) == EXAMPLE.decode()
    assert bytes(SessionDescription.parse(EXAMPLE.replace(b"\r\n", b"\n").removesuffix(b"\n"))) == EXAMPLE


def test_what_is_read_again_is_the_same_value_and_what_is_large_is_not_kept() -> None:
    assert SessionDescription.parse(EXAMPLE) is SessionDescription.parse(bytes(bytearray(EXAMPLE)))
    large = EXAMPLE + b"a=x:" + b"y" * 16_384 + b"\r\n"
    first, second = SessionDescription.parse(large), SessionDescription.parse(large)
    assert first == second and first is not second


def test_fields() -> None:
    sdp = SessionDescription.parse(EXAMPLE)
    assert sdp.origin == Origin("jdoe", "3724394400", "3724394405", "IN", "IP4", "198.51.100.1")
    assert (sdp.name, sdp.direction, sdp.bandwidths) == ("Call to John Smith", "recvonly", ("CT:128",))
    assert sdp.times == ("t=0 0", "r=7d 1h 0 25h")
    audio, second, video = sdp.media
    assert sdp.connection_of(audio) == Connection("IN", "IP4", "198.51.100.1")
    assert sdp.connection_of(second) == Connection("IN", "IP6", "2001:db8::2")
    assert (second.port, second.port_count, second.formats) == (49180, 2, ("0", "96"))
    assert second.rtpmap == {"96": RtpMap("opus", 48000, 2)}
    assert second.fmtp == {"96": "useinbandfec=1;stereo=0"}
    assert second.direction == "sendrecv"
    assert audio.direction is None
    assert (video.kind, video.protocol) == ("video", "UDP/TLS/RTP/SAVPF")
    assert video.get("setup") == "actpass"
    assert video.get("rtcp-mux") == ""
    assert video.get("none") is None
    assert video.get("none", "x") == "x"
    assert video.all("fingerprint") == ["sha-256 AB:CD"]
    assert video.rtpmap["99"] == RtpMap("h263-1998", 90000)


def test_keys_are_not_shown() -> None:
    assert "verysecret" not in repr(SessionDescription.parse(EXAMPLE))
    assert "AB:CD" in repr(SessionDescription.parse(EXAMPLE))


def test_built() -> None:
    media = Media(
        "audio", 4000, "RTP/AVP", ("0",), attributes=(Attribute("sendonly"), Attribute("ptime", "20"))
    )
    sdp = SessionDescription(Origin("-", "1", "1", "IN", "IP4", "127.0.0.1"), media=(media,))
    assert str(sdp) == (
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\na=sendonly\r\n"
        "a=ptime:20\r\n"
    )
    assert SessionDescription.parse(str(sdp)) == sdp


@pytest.mark.parametrize("entry", ["rfc5118-ipv6-in-sdp", "rfc4475-wsinv", "rfc4475-esc01"])
def test_bodies_of_the_torture_messages(entry: str) -> None:
    octets = {m["id"]: base64.b64decode(m["octets_base64"]) for m in vectors("sip_torture")["messages"]}[
        entry
    ]
    body = octets.partition(b"\r\n\r\n")[2]
    sdp = SessionDescription.parse(body)
    assert bytes(sdp) == body
    assert [m.kind for m in sdp.media] == ["audio", "video"]
    assert sdp.connection is not None
    assert "[" not in sdp.connection.address


def test_octets_that_are_not_utf8_survive() -> None:
    body = EXAMPLE.replace(b"John", b"J\xffhn")
    assert bytes(SessionDescription.parse(body)) == body


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"v=0\r\n", b""),
        (b"v=0\r\n", b"v=1\r\n"),
        (b"v=0\r\n", b"v=0\r\nv=0\r\n"),
        (b"s=Call to John Smith\r\n", b""),
        (b"o=jdoe 3724394400", b"o=jdoe"),
        (b"o=jdoe 3724394400", b"o=jdoe  1"),
        (b"c=IN IP4 198.51.100.1", b"c=IN IP4"),
        (b"c=IN IP4 198.51.100.1", b"c=IN IP4 198.51.100.1 x"),
        (b"m=audio 49170", b"m=audio 65536"),
        (b"m=audio 49170", b"m=audio -1"),
        (b"49180/2", b"49180/x"),
        (b"RTP/AVP 0\r\n", b"RTP/AVP\r\n"),
        (b"a=recvonly", b"xrecvonly"),
        (b"a=recvonly", b"x=recvonly"),
        (b"a=recvonly", b"a"),
        (b"a=recvonly", b"\r\n"),
        (b"a=recvonly", b"a=\0"),
        (b"i=second", b"t=0 0"),
        (b"a=recvonly", b"a=x\ry"),
    ],
)
def test_bad(old: bytes, new: bytes) -> None:
    assert old in EXAMPLE
    with pytest.raises(Malformed):
        SessionDescription.parse(EXAMPLE.replace(old, new, 1))


def test_bad_rtpmap_only_matters_when_asked() -> None:
    for bad in (b"opus", b"opus/x", b"opus/1/2/3", b"opus/99999999999"):
        media = SessionDescription.parse(EXAMPLE.replace(b"opus/48000/2", bad)).media[1]
        with pytest.raises(Malformed):
            _ = media.rtpmap


def test_bounds() -> None:
    for body in (b"v=0\r\n" + b"a=x\r\n" * 9000, b"v=0\r\na=" + b"x" * 300_000, b""):
        with pytest.raises(Malformed):
            SessionDescription.parse(body)
