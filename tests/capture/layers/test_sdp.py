"""SDP in scapy's tree."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imslab.capture.layers import SDP, SDPLine
from imslab.capture.layers.text import MOST_LINES
from imslab.errors import Malformed

BODY = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\n"
    b"m=audio 4000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\nm=video 0 RTP/AVP 96\r\n"
)


def again(octets: bytes) -> bytes:
    packet = SDP(octets)
    packet.clear_cache()
    return bytes(packet)


def test_lines() -> None:
    packet = SDP(BODY)
    assert packet.values("m") == ["audio 4000 RTP/AVP 0", "video 0 RTP/AVP 96"]
    assert packet.values("k") == []
    assert packet.description.media[0].port == 4000
    assert packet.summary() == "SDP audio 4000 RTP/AVP 0, video 0 RTP/AVP 96"
    assert packet.lines[6].summary() == "a=rtpmap:0 PCMU/8000"


@pytest.mark.parametrize(
    "octets",
    [BODY, BODY[:-2], BODY.replace(b"\r\n", b"\n"), b"\r\n\r\n", b"xx=1\r\n=\r\nno sign\r\rv=0", b"\xff\0=1"],
    ids=["body", "no end", "LF", "empty lines", "odd lines", "octets"],
)
def test_built_again_as_it_came(octets: bytes) -> None:
    assert bytes(SDP(octets)) == again(octets) == octets


@given(st.binary(min_size=1, max_size=100))
def test_anything_is_built_again_as_it_came(octets: bytes) -> None:
    assert again(octets) == octets


def test_a_line_without_a_letter_is_all_value() -> None:
    line = SDPLine(b"rtpmap:0\r\n")
    assert (line.type, line.equals, line.value) == (b"", b"", b"rtpmap:0")


def test_a_flood_of_lines_is_bounded() -> None:
    octets = b"a=x\r\n" * (MOST_LINES + 9)
    assert len(SDP(octets).lines) == MOST_LINES
    assert again(octets) == octets


def test_built_of_lines() -> None:
    lines = [SDPLine(type=letter, value=value) for letter, value in ((b"v", b"0"), (b"s", b"-"))]
    assert bytes(SDP(lines=lines)) == b"v=0\r\ns=-\r\n"


def test_a_description_that_cannot_be_read_says_so() -> None:
    with pytest.raises(Malformed):
        _ = SDP(b"x").description
