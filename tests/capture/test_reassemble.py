"""Segments in any order give the octets in their order, once, at the frame that made them readable."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.packet import Packet, Raw

from imslab.capture import index
from imslab.capture.reassemble import Chunk, Direction, first_words, streams
from tests.capture.frames import RAW, V4, capture

TEXT = bytes(range(200))


def read(*segments: tuple[int, int, bytes], first: int = 1000) -> list[Chunk]:
    """Feed (frame, offset in the stream, payload); the SYN has sequence number ``first`` - 1."""
    direction = Direction()
    found = direction.receive(0, (first - 1) % 2**32, b"", syn=True)
    for frame, offset, payload in segments:
        found += direction.receive(frame, (first + offset) % 2**32, payload)
    return found + direction.give_up()


def test_segments_in_order() -> None:
    assert read((1, 0, b"one"), (2, 3, b"two")) == [Chunk(1, b"one", True), Chunk(2, b"two")]


def test_octets_belong_to_the_frame_that_fills_the_gap() -> None:
    found = read((1, 0, b"a"), (2, 2, b"c"), (3, 3, b"d"), (4, 1, b"b"))
    assert found == [Chunk(1, b"a", True), Chunk(4, b"b"), Chunk(4, b"c"), Chunk(4, b"d")]


def test_a_retransmission_says_nothing_new() -> None:
    assert read((1, 0, b"one"), (2, 0, b"one"), (3, 3, b"two")) == [Chunk(1, b"one", True), Chunk(3, b"two")]


def test_an_overlap_is_cut() -> None:
    assert read((1, 0, b"abcd"), (2, 2, b"cdef")) == [Chunk(1, b"abcd", True), Chunk(2, b"ef")]


def test_of_two_waiting_copies_the_longer_one_counts() -> None:
    found = read((1, 2, b"c"), (2, 2, b"cd"), (3, 0, b"ab"))
    assert b"".join(chunk.octets for chunk in found) == b"abcd"


def test_a_gap_is_marked() -> None:
    assert read((1, 0, b"one"), (2, 9, b"two")) == [Chunk(1, b"one", True), Chunk(2, b"two", True)]


def test_a_gap_is_given_up_when_too_much_waits() -> None:
    direction = Direction()
    direction.receive(0, 0, b"first")
    found: list[Chunk] = []
    for n in range(257):
        found += direction.receive(n + 1, 10 + n, b"x")
    assert b"".join(chunk.octets for chunk in found) == b"x" * 257
    assert [chunk.fresh for chunk in found[:2]] == [True, False]


def test_a_stream_may_begin_in_its_middle() -> None:
    assert Direction().receive(5, 77, b"late") == [Chunk(5, b"late", True)]


def test_a_new_connection_on_the_same_ports_is_fresh() -> None:
    direction = Direction()
    direction.receive(1, 99, b"", syn=True)
    assert direction.receive(2, 100, b"old") == [Chunk(2, b"old", True)]
    direction.receive(3, 500_000, b"", syn=True)
    assert direction.receive(4, 500_001, b"new") == [Chunk(4, b"new", True)]


def test_a_repeated_syn_changes_nothing() -> None:
    direction = Direction()
    direction.receive(1, 99, b"", syn=True)
    direction.receive(2, 100, b"one")
    direction.receive(3, 99, b"", syn=True)
    assert direction.receive(4, 103, b"two") == [Chunk(4, b"two")]


@pytest.mark.parametrize("first", [1, 2**31 - 100, 2**32 - 100], ids=["low", "half", "wrap"])
@settings(deadline=None)
@given(seed=st.integers(0, 2**32), size=st.integers(1, 40), copies=st.booleans())
def test_any_order_gives_the_stream(first: int, seed: int, size: int, copies: bool) -> None:
    shuffle = random.Random(seed)
    pieces = [(offset, TEXT[offset : offset + size]) for offset in range(0, len(TEXT), size)]
    pieces = pieces * 2 if copies else pieces
    shuffle.shuffle(pieces)
    found = read(*((frame, offset, octets) for frame, (offset, octets) in enumerate(pieces)), first=first)
    assert b"".join(chunk.octets for chunk in found) == TEXT
    assert [chunk.fresh for chunk in found] == [True] + [False] * (len(found) - 1)
    assert [chunk.frame for chunk in found] == sorted(chunk.frame for chunk in found)


def segment(seq: int, text: bytes, *, back: bool = False, port: int = 7, flags: str = "A") -> Packet:
    ends = ("10.0.0.1", "10.0.0.2"), (port, 5060)
    (src, dst), (sport, dport) = (ends[0][::-1], ends[1][::-1]) if back else ends
    return IP(src=src, dst=dst) / TCP(sport=sport, dport=dport, seq=seq, flags=flags) / Raw(text)


def read_streams(rows: list[int], *packets: Packet) -> dict[tuple[int, int], list[Chunk]]:
    file = capture(RAW, *packets)
    found = streams(file, index.build(file), rows)
    return {(stream.source[1], stream.destination[1]): list(stream.chunks) for stream in found}


def test_both_directions_of_the_conversations_that_are_asked_for() -> None:
    found = read_streams(
        [2],
        segment(99, b"", flags="S"),
        V4,
        segment(100, b"hello"),
        segment(1, b"other", port=8),
        segment(50, b"hi", back=True),
        segment(105, b"again"),
    )
    assert found == {
        (7, 5060): [Chunk(3, b"hello", True), Chunk(6, b"again")],
        (5060, 7): [Chunk(5, b"hi", True)],
    }


def test_a_datagram_between_the_same_ports_is_another_conversation() -> None:
    udp = IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=7, dport=5060) / Raw(b"datagram")
    assert read_streams([1], udp, segment(1, b"x")) == {(7, 5060): [Chunk(2, b"x", True)]}


def test_nothing_asked_nothing_read() -> None:
    assert read_streams([], segment(1, b"x")) == {}


def test_first_words_are_those_of_segments() -> None:
    file = capture(RAW, V4, segment(1, b"abcdef"), segment(7, b"abc"))
    assert first_words(file, index.build(file)).tolist() == [0, 0x61626364, 0]
