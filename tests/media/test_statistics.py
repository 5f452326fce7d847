"""RTP headers, loss and jitter, against the text of RFC 3550 and against aiortc's own reading."""

import struct

import pytest
from aiortc.rtp import RtpPacket
from hypothesis import given
from hypothesis import strategies as st

from imslab.errors import Malformed
from imslab.media.statistics import Codec, Counter, Header, Reception, StreamStatistics, codecs
from imslab.sip.sdp import SessionDescription


def packet(
    sequence: int, timestamp: int = 0, ssrc: int = 1, payload: bytes = b"x" * 160, pt: int = 8
) -> bytes:
    return struct.pack("!BBHII", 0x80, pt, sequence, timestamp, ssrc) + payload


def received(*sequences: int) -> Reception:
    reception = Reception(8000)
    for sequence in sequences:
        reception.add(Header.parse(packet(sequence)), 0.0)
    return reception


def test_the_payload_lies_between_all_headers_and_the_padding() -> None:
    csrc, extension = bytes(8), bytes.fromhex("bede0001 00000000")
    octets = struct.pack("!BBHII", 0xB2, 0x88, 7, 9, 11) + csrc + extension + b"payload" + b"\0\0\3"
    header = Header.parse(octets)
    assert (header.payload_type, header.sequence, header.timestamp, header.ssrc) == (8, 7, 9, 11)
    assert octets[header.payload] == b"payload"
    assert header.payload_length == 7


@given(
    st.integers(0, 127), st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1), st.binary(max_size=20),
    st.lists(st.integers(0, 2**32 - 1), max_size=15), st.integers(0, 9),
)  # fmt: skip
def test_headers_are_read_as_aiortc_writes_them(
    pt: int, sequence: int, timestamp: int, payload: bytes, csrc: list[int], padding: int
) -> None:
    written = RtpPacket(
        payload_type=pt, sequence_number=sequence, timestamp=timestamp, ssrc=5, payload=payload
    )
    written.csrc, written.padding_size = csrc, padding
    octets = written.serialize()
    header = Header.parse(octets)
    assert (header.payload_type, header.sequence, header.timestamp, header.ssrc) == (
        pt,
        sequence,
        timestamp,
        5,
    )
    assert octets[header.payload] == payload


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        bytes(12),
        b"\x80" + bytes(10),
        b"\x81" + bytes(11),
        b"\xa0" + bytes(10) + b"\x01",
        b"\x90" + bytes(11),
    ],
    ids=["empty", "version 0", "11 octets", "no CSRC", "padding", "no extension"],
)
def test_what_is_no_rtp_is_refused(octets: bytes) -> None:
    with pytest.raises(Malformed):
        Header.parse(octets)


@pytest.mark.parametrize(
    ("sequences", "lost", "highest"),
    [
        ((5,), 0, 5),
        ((5, 6, 7), 0, 7),
        ((5, 7), 1, 7),
        ((5, 7, 6), 0, 7),
        ((5, 5), -1, 5),
        ((65534, 65535, 0, 1), 0, 65537),
        ((65534, 1), 2, 65537),
        ((65535, 0, 65534), -1, 65536),
        ((0, 32767), 32766, 32767),
        ((0, 32768), -1, 0),
    ],
)
def test_loss_is_what_was_expected_less_what_came(
    sequences: tuple[int, ...], lost: int, highest: int
) -> None:
    reception = received(*sequences)
    assert (reception.lost, reception.extended_highest) == (lost, highest)
    assert reception.packets == len(sequences)


def test_nothing_received_is_nothing_lost() -> None:
    assert (Reception(8000).lost, Reception(8000).jitter) == (0, 0.0)


def test_jitter_is_that_of_rfc_3550() -> None:
    # A.8 by hand: what was sent 20 ms apart comes 20, 40 and 20 ms apart: D = 0, 160, 0 timestamp units
    reception, jitter = Reception(8000), 0.0
    for number, (at, change) in enumerate([(0.0, None), (0.02, 0), (0.06, 160), (0.08, 0)]):
        reception.add(Header.parse(packet(number, 160 * number)), at)
        if change is not None:
            jitter += (change - jitter) / 16
        assert reception.jitter == pytest.approx(jitter / 8000)
    assert reception.jitter_units == int(jitter) == 9


def test_a_timestamp_that_wraps_is_no_jitter() -> None:
    reception = Reception(8000)
    for number in range(4):
        timestamp = (2**32 - 320 + 160 * number) % 2**32
        reception.add(Header.parse(packet(number, timestamp)), 1_700_000_000 + number * 0.02)
    assert reception.jitter < 1e-6


def test_streams_are_told_apart_by_ssrc_and_payload_type() -> None:
    counter = Counter()
    counter.codecs = {8: Codec("audio", "PCMA", 8000)}
    for pt, ssrc in ((8, 1), (8, 2), (96, 1)):
        counter.received(packet(1, ssrc=ssrc, pt=pt), 0.0)
    counter.sent(packet(1, ssrc=9))
    counter.sent(packet(2, ssrc=9, payload=b""))
    first, second, unknown, out = counter.report()
    assert first == StreamStatistics("in", "audio", "PCMA", 8, 1, 1, 160, 0, 0.0)
    assert (second.ssrc, unknown.kind, unknown.encoding) == (2, "unknown", "96")
    assert out == StreamStatistics("out", "audio", "PCMA", 8, 9, 2, 160)
    assert counter.sent_by(9) == (2, 160) and counter.sent_by(8) == (0, 0)
    assert [ssrc for ssrc, _ in counter.receptions()] == [1, 2, 1]


def test_retransmissions_have_no_jitter_to_speak_of() -> None:
    counter = Counter()
    counter.codecs = {97: Codec("video", "rtx", 90000)}
    counter.received(packet(1, pt=97), 0.0)
    assert [(line.encoding, line.lost, line.jitter) for line in counter.report()] == [("rtx", 0, None)]


def test_made_up_ssrcs_do_not_fill_the_memory() -> None:
    counter = Counter()
    for ssrc in range(200):
        counter.received(packet(1, ssrc=ssrc), 0.0)
    assert len(counter.report()) == 64


def test_codecs_come_from_rtpmap_and_from_rfc_3551() -> None:
    description = SessionDescription.parse(
        "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nt=0 0\nm=audio 4 RTP/AVP 96 0\na=rtpmap:96 opus/48000/2\n"
        "m=video 6 RTP/AVP 97\na=rtpmap:97 VP8/90000\na=rtpmap:x VP9/90000\n"
    )
    assert codecs(description) == {
        0: Codec("audio", "PCMU", 8000),
        8: Codec("audio", "PCMA", 8000),
        96: Codec("audio", "opus", 48000),
        97: Codec("video", "VP8", 90000),
    }
