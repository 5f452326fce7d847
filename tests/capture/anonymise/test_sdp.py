"""SDP: addresses, keys and names are others, codecs and ports are not."""

import base64
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imslab.sip.sdp import SessionDescription
from tests.capture.anonymise.parts import Parts, parts

OFFER = """v=0\r
o=alice 2890844526 2890844527 IN IP4 192.0.2.7\r
s=Alice's call\r
i=About lunch\r
u=http://www.home.example/alice\r
e=alice@home.example (Alice)\r
p=+1 555 010 0001\r
c=IN IP6 2001:db8::7\r
b=AS:64\r
t=2873397496 2873404696\r
k=clear:secret\r
a=group:BUNDLE 0 1\r
m=audio 49170 RTP/SAVP 0 97 101\r
c=IN IP4 192.0.2.7/127\r
a=rtpmap:97 opus/48000/2\r
a=fmtp:97 minptime=10;useinbandfec=1\r
a=rtpmap:101 telephone-event/8000\r
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20|1:4\r
a=candidate:4234997325 1 udp 2043278322 192.0.2.7 44323 typ host ufrag EsAw\r
a=candidate:2 1 UDP 1694498815 198.51.100.3 5000 typ srflx raddr 192.0.2.7 rport 44323\r
a=ice-ufrag:EsAw\r
a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r
a=fingerprint:sha-1 D2:FA:0E:C3:22:59:5E:14:95:69:92:3D:13:B4:84:24:2C:C2:A2:C0\r
a=setup:actpass\r
a=mid:0\r
a=rtcp:49171 IN IP4 192.0.2.7\r
a=ssrc:314159 cname:alice@laptop\r
a=ssrc:314159 msid:stream-alice track-1\r
a=X-vendor:alice\r
a=sendrecv\r
m=video 51372 RTP/AVP 99\r
a=rtpmap:99 H264/90000\r
a=fmtp:99 profile-level-id=42e01f;packetization-mode=1;sprop-parameter-sets=Z0LADJWgUH5A,aM4Ecg==\r
"""
GONE = """
alice lunch home.example www 192.0.2.7 198.51.100.3 2001:db8 2890844526 555 0001 secret d0RmdmcmVCspeEc3 esaw
P2uYro0UCOQ4zxjKXaWCBui1 D2:FA:0E laptop vendor track-1 4234997325
"""
KEPT = """
m=audio 49170 RTP/SAVP 0 97 101
a=rtpmap:97 opus/48000/2
a=fmtp:97 minptime=10;useinbandfec=1
b=AS:64
t=2873397496 2873404696
a=group:BUNDLE 0 1
a=setup:actpass
a=mid:0
a=sendrecv
a=fmtp:99 profile-level-id=42e01f;packetization-mode=1;sprop-parameter-sets=Z0LADJWgUH5A,aM4Ecg==
"""


def test_what_names_somebody_is_gone_and_what_says_how_stays(made: Parts) -> None:
    new = made.sdp.rewrite(OFFER)
    assert len(new) == len(OFFER)
    assert [word for word in GONE.split() if word.lower() in new.lower()] == []
    assert [line for line in KEPT.strip().split("\n") if line not in new.splitlines()] == []
    assert "44323 typ host ufrag " in new
    assert "a=ssrc:314159 cname:" in new


def test_it_is_still_sdp(made: Parts) -> None:
    old, new = (
        SessionDescription.parse(OFFER.encode()),
        SessionDescription.parse(made.sdp.rewrite(OFFER).encode()),
    )
    assert [media.port for media in new.media] == [media.port for media in old.media]


def test_an_address_is_the_same_in_every_line(made: Parts) -> None:
    new = made.sdp.rewrite(OFFER)
    address = made.texts.ip("192.0.2.7")
    assert new.count(address) == OFFER.count("192.0.2.7")


def test_the_version_counts_from_the_session(made: Parts) -> None:
    one = made.sdp.rewrite("o=- 2890844526 2890844526 IN IP4 192.0.2.7")
    two = made.sdp.rewrite("o=- 2890844526 2890844529 IN IP4 192.0.2.7")
    (session, first), (same, second) = (re.findall(r"\d{10}", line)[:2] for line in (one, two))
    assert session == same == first
    assert int(second) == int(first) + 3
    assert made.sdp.rewrite("o=- 1 3 IN IP4 192.0.2.7").split()[2] == "3"


def test_a_key_stays_a_key(made: Parts) -> None:
    new = made.sdp.rewrite(OFFER)
    match = re.search(r"inline:([^|]+)\|2\^20\|1:4", new)
    assert match
    assert len(base64.b64decode(match[1], validate=True)) == 30


def test_a_fingerprint_follows_its_certificate(made: Parts) -> None:
    line = next(line for line in OFFER.splitlines() if "fingerprint" in line)
    old = bytes.fromhex(line.split()[1].replace(":", ""))
    made.pseudonyms.known_octets[old] = bytes(range(20))
    assert made.sdp.rewrite(line).endswith(" " + bytes(range(20)).hex(":").upper())


def test_the_survey_knows_the_media(made: Parts) -> None:
    made.sdp.survey(OFFER)
    assert {49170, 49171, 51372} <= made.sdp.ports
    assert made.sdp.codecs == {97: "opus", 101: "telephone-event", 99: "h264"}
    assert made.sdp.passwords == {"EsAw": "P2uYro0UCOQ4zxjKXaWCBui1"}


@pytest.mark.parametrize(
    "line",
    [
        "alice",
        "o=alice",
        "a=",
        "c=alice",
        "m=alice",
        "x=alice",
        "a=candidate:alice",
        "=alice",
        "a=fingerprint:alice",
    ],
)
def test_a_broken_line_names_nobody_either(made: Parts, line: str) -> None:
    new = made.sdp.rewrite(line)
    assert len(new) == len(line)
    assert "alice" not in new


@settings(deadline=None)
@given(st.binary(max_size=100), st.integers(0, len(OFFER)))
def test_any_body_keeps_its_length(noise: bytes, cut: int) -> None:
    text = OFFER[:cut] + noise.decode("utf-8", "surrogateescape") + OFFER[cut + 5 :]
    made = parts()
    made.sdp.survey(text)
    new = made.sdp.rewrite(text)
    assert len(new.encode("utf-8", "surrogateescape")) == len(text.encode("utf-8", "surrogateescape"))
