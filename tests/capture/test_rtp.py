"""What has the form of RTP, what belongs together, and what is believed to be a stream."""

import numpy as np
import pytest

from imslab.capture import rtp
from imslab.capture.index import Index
from imslab.capture.rtp import RtpPackets
from tests.capture.media_trace import ALICE, BOB, Datagram, indexed, packet, packets, stream


def known(datagrams: list[Datagram]) -> list[bool]:
    """Return which groups are believed without any description, in the order of their first packets."""
    index, found = indexed(datagrams), packets(datagrams)
    which = rtp.is_known(index, found, np.zeros(len(found.first), np.bool_), rtp.steps(found))
    order = np.argsort(found.row[found.first])
    return [bool(one) for one in which[order]]


def read(octets: bytes) -> tuple[Index, RtpPackets]:
    datagrams = [(0.0, ALICE, BOB, octets)]
    return indexed(datagrams), packets(datagrams)


def test_the_header_as_columns() -> None:
    _, found = read(packet(0xFEDC, 0x89ABCDEF, ssrc=0xCAFEBABE, payload_type=101, marker=True))
    row = (found.payload_type, found.marker, found.seq, found.timestamp, found.ssrc, found.size)
    assert [column.tolist() for column in row] == [[101], [True], [0xFEDC], [0x89ABCDEF], [0xCAFEBABE], [160]]
    assert found.time.tolist() == [1_700_000_000_000_000_000]


@pytest.mark.parametrize(
    ("first", "rest", "payload"),
    [
        (0x80, b"", b"media"),
        (0x82, bytes(8), b"media"),
        (0x90, b"\xbe\xde\0\1" + bytes(4), b"media"),
        (0x91, bytes(4) + b"\xbe\xde\0\2" + bytes(8), b"media"),
    ],
    ids=["plain", "two CSRC", "extension", "both"],
)
def test_where_the_media_begin(first: int, rest: bytes, payload: bytes) -> None:
    index, found = read(packet(1, 1, first=first, rest=rest, payload=payload))
    start, size = int(found.start[0]), int(found.size[0])
    assert index.data[start : start + size] == payload


@pytest.mark.parametrize(
    ("padding", "size"),
    [(b"\0\0\3", 5), (b"\1", 5), (b"\xff", 6), (b"\0", 6)],
    ids=["3", "1", "wild", "none"],
)
def test_padding_is_left_out(padding: bytes, size: int) -> None:
    _, found = read(packet(1, 1, first=0xA0, payload=b"media" + padding))
    assert found.size.tolist() == [size]


@pytest.mark.parametrize(
    "octets",
    [
        packet(1, 1)[:11],
        packet(1, 1, first=0x00),
        packet(1, 1, first=0xC0),
        packet(1, 1, first=0x10),
        packet(1, 1, payload_type=72),
        packet(1, 1, payload_type=95),
        packet(1, 1, payload_type=73, marker=True),
        packet(1, 1, first=0x8F, payload=bytes(59)),
        packet(1, 1, first=0x90, rest=b"\xbe\xde\xff\xff"),
    ],
    ids=["short", "STUN", "version 3", "ZRTP", "RTCP", "RTCP's last", "RTCP RR", "CSRC cut", "extension cut"],
)
def test_what_is_not_rtp(octets: bytes) -> None:
    _, found = read(octets)
    assert len(found) == 0


def test_packets_of_one_ssrc_between_two_sockets_belong_together() -> None:
    datagrams = [
        *stream(range(4)),
        *stream(range(4), ssrc=9),
        *stream(range(4), source=BOB, target=ALICE),
        *stream(range(4), target=("10.0.0.2", 5002)),
    ]
    found = packets(datagrams)
    assert found.count.tolist() == [4, 4, 4, 4]
    for group in range(4):
        assert found.seq[found.of(group)].tolist() == [0, 1, 2, 3]
        assert found.only(group).group.tolist() == [0] * 4
    assert set(zip(found.ssrc.tolist(), found.group.tolist(), strict=True)).__len__() == 4


def test_a_shared_bucket_joins_no_groups() -> None:
    # All keys end in the same bucket when their products with the mixer begin alike: small keys do.
    keys = np.array([0, 5, 0, 5, 7, 0], np.uint64)
    inverse = pow(int(rtp._MIXER), -1, 1 << 64)
    colliding = np.array([int(key) * inverse % (1 << 64) for key in keys], np.uint64)
    group = rtp._groups(colliding)
    assert len(np.unique(group)) == 3
    for key in (0, 5, 7):
        assert len(np.unique(group[keys == key])) == 1


def test_a_part_of_the_packets() -> None:
    found = packets([*stream(range(4)), *stream(range(4), ssrc=9), *stream(range(3), ssrc=10)])
    kept = found.take(found.ssrc != 9)
    assert kept.count.tolist() == [
        found.count[group] for group in range(3) if 9 not in found.ssrc[found.of(group)]
    ]
    assert sorted(set(kept.group.tolist())) == [0, 1]
    assert found.take(np.ones(len(found), np.bool_)) is found


def test_steps_are_signed_and_wrap() -> None:
    found = packets(stream([65534, 65535, 65536, 65538, 65537]))
    assert rtp.steps(found).tolist() == [0, 1, 1, 2, -1]


@pytest.mark.parametrize(
    ("numbers", "believed"),
    [
        ([0, 1], False),
        ([0, 1, 2], True),
        ([65534, 65535, 65536, 65537], True),
        ([0, 1, 3, 2, 4, 5], True),
        ([0, 0, 1, 1, 2, 2, 3, 3], True),
        ([5, 5, 5, 5, 5, 5], False),
        ([0, 1000, 2000, 3000, 4000], False),
        ([9, 300, 17, 40_000, 2, 555], False),
    ],
    ids=["two", "three", "wrap", "reordered", "twice", "constant", "leaps", "chance"],
)
def test_sequence_numbers_make_a_stream(numbers: list[int], believed: bool) -> None:
    assert known(stream(numbers)) == [believed]


def test_timestamps_that_run_back_are_no_stream() -> None:
    datagrams = [(i * 0.02, ALICE, BOB, packet(i, 1_000_000 - i * 160)) for i in range(20)]
    assert known(datagrams) == [False]


def test_dns_with_high_ids_is_no_stream() -> None:
    # ID as first octets, flags where SEQ would be, counts where the SSRC would be.
    query = b"\x00\x01\x00\x00\x00\x00\x00\x00" + b"\x03www\x07example\x03org\x00\x00\x01\x00\x01"
    datagrams = [(i * 0.1, ALICE, BOB, bytes([0x80 + i, i]) + b"\x01\x00" + query) for i in range(30)]
    assert known(datagrams) in ([], [False])


def test_chance_makes_no_stream() -> None:
    random = np.random.default_rng(1)
    datagrams = [
        (i * 0.01, ALICE, BOB, b"\x80" + random.bytes(7) + b"\0\0\0\1" + random.bytes(20))
        for i in range(2000)
    ]
    assert True not in known(datagrams)


def test_what_the_socket_of_a_stream_sends_elsewhere_is_one_too() -> None:
    other = ("10.0.0.2", 5002)
    strange = ("10.0.0.1", 4002)
    single = [(0.5, ALICE, other, packet(7, 7, ssrc=1)), (0.6, strange, other, packet(7, 7, ssrc=2))]
    assert known([*stream(range(10)), *single]) == [True, True, False]


def test_an_announced_group_needs_no_more_than_the_form() -> None:
    datagrams = stream([7])
    index, found = indexed(datagrams), packets(datagrams)
    assert rtp.is_known(index, found, np.ones(1, np.bool_), rtp.steps(found)).tolist() == [True]


def test_nothing_is_nothing() -> None:
    found = packets([(0.0, ALICE, BOB, b"hello, this is text")])
    assert len(found) == 0
    assert found.count.tolist() == []
    assert rtp.is_steady(found, rtp.steps(found)).tolist() == []
