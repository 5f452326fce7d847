"""RTP and RTCP: headers and reports stay, media become noise, names become others."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imslab.capture.anonymise.media import Media
from tests.capture.anonymise.parts import Parts, parts

PAYLOAD = b"somebody says something here"


def rtp(
    payload: bytes = PAYLOAD, *, kind: int = 0, first: int = 0x80, seq: int = 1, more: bytes = b""
) -> bytes:
    return bytes((first, kind)) + struct.pack("!HII", seq, 160 * seq, 0x1234) + more + payload


def test_a_header_stays_and_media_become_noise(made: Parts) -> None:
    media = Media(made.texts, {})
    new = media.rtp(rtp())
    assert new[:12] == rtp()[:12]
    assert len(new) == len(rtp())
    assert new[12:] != PAYLOAD
    assert media.rtp(rtp()) == new  # the same packet, captured twice
    assert media.rtp(rtp(seq=2))[12:] != new[12:]  # silence must not show


def test_sources_stay_and_extensions_are_blanked(made: Parts) -> None:
    more = b"\x00\x00\x00\x07" + b"\xbe\xde\x00\x02" + b"mid=0 as"
    new = Media(made.texts, {}).rtp(rtp(first=0x91, more=more))
    assert new[12:20] == more[:8]
    assert new[20:28] == bytes(8)
    assert PAYLOAD not in new


def test_padding_counts_as_before(made: Parts) -> None:
    new = Media(made.texts, {}).rtp(rtp(PAYLOAD + b"\0\0\0\4", first=0xA0))
    assert new[-1] == 4


def test_a_key_becomes_another_one_the_same_in_all_its_packets(made: Parts) -> None:
    media = Media(made.texts, {101: "telephone-event"})
    packets = [
        rtp(bytes((5, end << 7 | 10, 0, duration)), kind=101, seq=1) for end, duration in ((0, 80), (1, 160))
    ]
    new = [media.rtp(packet) for packet in packets]
    assert new[0][12] == new[1][12] < 10
    assert [one[13:] for one in new] == [one[13:] for one in packets]
    keys = {media.rtp(rtp(bytes((5, 10, 0, 80)), kind=101, seq=seq))[12] for seq in range(99)}
    assert keys == set(range(10))  # one key does not become one other


@pytest.mark.parametrize(
    ("codec", "payload", "kept"),
    [
        ("opus", b"\x78" + PAYLOAD, 1),
        ("opus", b"\x7b\x41\x05" + PAYLOAD, 3),
        ("opus", b"\x7a\x05" + PAYLOAD, 2),
        ("opus", b"\x7b\x83\x05\xfc\x01" + PAYLOAD, 5),
        ("amr", b"\xf0\x3c" + PAYLOAD, 2),
        ("h264", b"\x7c\x85" + PAYLOAD, 3),
        ("pcmu", PAYLOAD, 0),
        ("opus", b"", 0),
    ],
)
def test_what_says_how_a_payload_is_divided_stays(made: Parts, codec: str, payload: bytes, kept: int) -> None:
    new = Media(made.texts, {96: codec}).rtp(rtp(payload, kind=96))[12:]
    assert new[:kept] == payload[:kept]
    assert PAYLOAD[3:] not in new


SENDER = struct.pack("!BBHIQIII", 0x81, 200, 12, 0x1234, 7, 160, 1, 160) + struct.pack(
    "!IIIIII", 9, 0, 1, 2, 3, 4
)
NAMES = b"\x81\xca\x00\x06\x00\x00\x12\x34\x01\x0calice@laptop\x00\x00\x00\x00\x00\x00"
BYE = b"\x81\xcb\x00\x03\x00\x00\x12\x34\x05alice\x00\x00"


def test_reports_stay_and_names_become_others(made: Parts) -> None:
    compound = SENDER + NAMES + BYE
    assert Media.is_rtcp(compound)
    new = Media(made.texts, {}).rtcp(compound)
    assert len(new) == len(compound)
    assert new[: len(SENDER)] == SENDER
    assert new[len(SENDER) :][:10] == NAMES[:10]
    assert made.texts.name("alice@laptop").encode() in new
    assert b"alice" not in new


def test_application_data_becomes_noise(made: Parts) -> None:
    media = Media(made.texts, {})
    application = b"\x80\xcc\x00\x04\x00\x00\x12\x34" + b"name" + b"alice ok"
    assert b"alice" not in media.rtcp(application)
    assert media.rtcp(application)[:8] == application[:8]


@pytest.mark.parametrize("tag", [10, 0, 4])
def test_what_is_encrypted_becomes_noise_and_its_index_stays(made: Parts, tag: int) -> None:
    index = (0x80000000 | 5).to_bytes(4)
    octets = SENDER + b"x" * (16 - tag if tag == 0 else 0) + index + b"t" * tag
    new = Media(made.texts, {}).rtcp(octets)
    assert new[:8] == octets[:8]
    assert new[8 : len(SENDER)] != SENDER[8:]
    assert new[len(octets) - tag - 4 : len(octets) - tag] == index
    assert new[len(octets) - tag :] != b"t" * tag or not tag


@pytest.mark.parametrize(
    ("octets", "is_rtp", "is_rtcp"),
    [
        (rtp(), True, False),
        (SENDER, False, True),
        (b"\x80\x00", False, False),
        (b"\x00" * 20, False, False),
        (rtp(kind=72), False, False),
        (SENDER[:20], False, False),
    ],
)
def test_which_is_which(octets: bytes, is_rtp: bool, is_rtcp: bool) -> None:
    assert (Media.is_rtp(octets), Media.is_rtcp(octets)) == (is_rtp, is_rtcp)


@settings(deadline=None)
@given(st.binary(min_size=12, max_size=90), st.sampled_from(["opus", "amr", "h264", "telephone-event", ""]))
def test_any_packet_keeps_its_length(octets: bytes, codec: str) -> None:
    media = Media(parts().texts, dict.fromkeys(range(128), codec))
    assert len(media.rtp(octets)) == len(octets)
    assert len(media.rtcp(octets)) == len(octets)
    assert len(media.rtcp(b"\x81\xca" + octets)) == len(octets) + 2
