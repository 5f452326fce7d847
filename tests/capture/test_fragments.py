"""Fragments in any order, twice, overlapping, missing, in tunnels; what is missing is said."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.contrib.gtp import GTP_U_Header
from scapy.layers.inet import IP, UDP, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, fragment6
from scapy.layers.ipsec import ESP, SecurityAssociation
from scapy.packet import Packet, Raw

from imslab.capture import fragments
from imslab.capture.ip import Via
from tests.capture.frames import ETHER, ETHERNET, RAW, V4, built, payloads

TEXT = bytes(range(256)) * 20
WHOLE4 = IP(src="10.0.0.1", dst="10.0.0.2", id=77) / UDP(sport=5060, dport=5070) / Raw(TEXT)
WHOLE6 = IPv6(src="::1", dst="::2") / IPv6ExtHdrFragment(id=77) / UDP(sport=5060, dport=5070) / Raw(TEXT)
LOST = (
    "{} fragments of {} IP datagrams were left out: the other pieces are not in the capture "
    "(the first is in frame {})"
)


def cut4(packet: Packet = WHOLE4, size: int = 800) -> list[Packet]:
    return [IP(bytes(piece)) for piece in fragment(packet, size)]


def cut6(packet: Packet = WHOLE6, size: int = 800) -> list[Packet]:
    return list(fragment6(packet, size))


PIECES = {"IPv4": cut4(), "IPv6": cut6()}
both = pytest.mark.parametrize("pieces", PIECES.values(), ids=PIECES)


@both
def test_a_datagram_belongs_to_the_frame_that_completes_it(pieces: list[Packet]) -> None:
    rows = built(RAW, *pieces, V4)
    assert (rows.frame.tolist(), rows.via.tolist()) == ([len(pieces), len(pieces) + 1], [Via.FRAGMENTS, 0])
    assert (rows.octets(0), rows.octets(1)) == (TEXT, b"payload")
    assert rows.endpoints(0)[0][1] == 5060
    assert rows.warnings == []
    assert rows.encapsulation == {("IP fragment", 4 if pieces is PIECES["IPv4"] else 6): len(pieces)}


@both
@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32))
def test_any_order_gives_the_datagram(pieces: list[Packet], seed: int) -> None:
    shuffled = pieces * 2
    random.Random(seed).shuffle(shuffled)
    found = payloads(RAW, *shuffled)
    assert 1 <= len(found) <= 2
    assert set(found) == {TEXT}


@both
def test_a_piece_that_is_missing_is_said(pieces: list[Packet]) -> None:
    for missing in range(len(pieces)):
        rows = built(RAW, V4, *pieces[:missing], *pieces[missing + 1 :])
        assert rows.frame.tolist() == [1]
        assert rows.warnings == [LOST.format(len(pieces) - 1, 1, 2)]


def test_two_datagrams_at_once() -> None:
    other = WHOLE4.copy()
    other.id, other.load = 78, TEXT[::-1]
    mixed = [piece for pair in zip(cut4(), cut4(other), strict=True) for piece in pair]
    assert payloads(RAW, *mixed) == [TEXT, TEXT[::-1]]
    other.src = "10.0.0.9"
    other.id = 77
    mixed = [piece for pair in zip(cut4(other), cut4(), strict=True) for piece in pair]
    assert payloads(RAW, *mixed) == [TEXT[::-1], TEXT]


def test_the_same_datagram_twice_is_there_twice() -> None:
    assert payloads(RAW, *cut4(), *cut4()) == [TEXT, TEXT]


def test_copies_of_pieces_are_no_loss() -> None:
    first, *rest = cut4()
    rows = built(RAW, first, first, *rest, first, rest[0])
    assert (len(rows), rows.warnings) == (1, [])


def piece(begin: int, octets: bytes, more: bool = True) -> Packet:
    return IP(src="10.0.0.1", dst="10.0.0.2", id=5, proto=17, flags="MF" * more, frag=begin // 8) / Raw(
        octets
    )


DATAGRAM = bytes(UDP(sport=1, dport=2, len=40)) + bytes(range(32))


def test_overlapping_pieces() -> None:
    pieces = piece(0, DATAGRAM[:24]), piece(8, DATAGRAM[8:32]), piece(16, DATAGRAM[16:], more=False)
    for order in (pieces, pieces[::-1], (pieces[1], pieces[2], pieces[0])):
        rows = built(RAW, *order)
        assert (rows.octets(0), rows.warnings) == (DATAGRAM[8:], [])


def test_octets_that_came_first_are_kept_and_a_difference_is_said() -> None:
    other = bytes(24)
    rows = built(RAW, piece(0, DATAGRAM[:24]), piece(8, other), piece(32, DATAGRAM[32:], more=False))
    assert rows.octets(0) == DATAGRAM[8:24] + other[:8] + DATAGRAM[32:]
    assert rows.warnings == [
        "frame 2: a fragment overlaps another one with different octets (1 such in all); "
        "the octets that came first were kept"
    ]


@settings(deadline=None)
@given(st.data())
def test_pieces_of_any_size_give_the_datagram_once_all_is_covered(data: st.DataObject) -> None:
    spans = data.draw(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5)), max_size=12))
    pieces, covered, ended = [], set[int](), False
    for begin, length in spans:
        begin, end = begin * 8, min((begin + length) * 8, 40)
        pieces.append(piece(begin, DATAGRAM[begin:end], more=end < 40))
        if len(covered) < 40 or not ended:
            covered |= set(range(begin, end))
            ended |= end == 40
    rows = built(RAW, *pieces)
    assert (len(rows) > 0) == (len(covered) == 40 and ended)
    assert all(rows.octets(row) == DATAGRAM[8:] for row in range(len(rows)))


def test_an_identification_is_used_again_after_a_minute() -> None:
    first, *_, last = piece(0, DATAGRAM[:24]), piece(24, DATAGRAM[24:], more=False)
    assert len(built(RAW, first, last, seconds=60)) == 1
    rows = built(RAW, first, last, seconds=61)
    assert (len(rows), rows.warnings) == (0, [LOST.format(2, 2, 1)])


def test_a_datagram_is_at_most_as_long_as_a_datagram_can_be() -> None:
    wild = piece(65528, bytes(400), more=False)
    rows = built(RAW, wild, *cut4())
    assert (rows.octets(0), rows.warnings) == (TEXT, [LOST.format(1, 1, 1)])


def test_pieces_behind_the_last_one_do_not_count() -> None:
    rows = built(RAW, piece(8, DATAGRAM[8:16], more=False), piece(32, DATAGRAM[32:]))
    assert (len(rows), rows.warnings) == (0, [LOST.format(2, 1, 1)])


def test_a_piece_that_the_capture_cut_does_not_complete_anything() -> None:
    first, *rest = (bytes(each) for each in cut4())
    assert len(built(RAW, first[:-9], *rest)) == 0


def test_few_datagrams_wait_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fragments, "_MOST_OPEN", 3)
    begun = [IP(id=number, proto=17, flags="MF") / Raw(bytes(8)) for number in range(10)]
    first, last = piece(0, DATAGRAM[:24]), piece(24, DATAGRAM[24:], more=False)
    assert len(built(RAW, first, *begun[:2], last)) == 1
    rows = built(RAW, first, *begun[:3], last)
    assert (len(rows), rows.warnings) == (0, [LOST.format(5, 5, 1)])


def test_extension_headers_behind_the_fragment_header() -> None:
    packet = IPv6() / IPv6ExtHdrFragment(id=3) / IPv6ExtHdrDestOpt() / UDP() / Raw(TEXT)
    assert payloads(RAW, *cut6(packet)) == [TEXT]


def test_a_tunnel_in_fragments() -> None:
    outer = IP(src="192.0.2.1", dst="192.0.2.2") / UDP(sport=2152, dport=2152) / GTP_U_Header(teid=1)
    rows = built(RAW, *cut4(outer / WHOLE4))
    assert (rows.octets(0), rows.via.tolist()) == (TEXT, [Via.GTP_U | Via.FRAGMENTS])


def test_fragments_in_tunnels_in_fragments() -> None:
    """As a base station sends them: the first fragment is too long for its tunnel, the last is not."""
    outer = IP(src="192.0.2.1", dst="192.0.2.2") / UDP(sport=2152, dport=2152) / GTP_U_Header(teid=1)
    first, *_, last = cut4(size=len(TEXT) - 100)
    tunnelled = cut4(outer / first, 2000)
    rows = built(ETHERNET, ETHER / outer / last, *(ETHER / each for each in tunnelled), ETHER / first)
    assert rows.frame.tolist() == [1 + len(tunnelled)]
    assert rows.octets(0) == TEXT
    assert rows.warnings == []


def test_copies_in_a_tunnel_and_plain_are_one_when_they_are_mixed() -> None:
    outer = IP(src="192.0.2.1", dst="192.0.2.2") / UDP(sport=2152, dport=2152) / GTP_U_Header(teid=1)
    first, last = cut4(size=len(TEXT) - 100)
    rows = built(RAW, outer / last, last, outer / first, first)
    assert (rows.frame.tolist(), rows.warnings) == ([3], [])
    rows = built(RAW, outer / first, outer / last, first, last)
    assert rows.frame.tolist() == [2, 4]


def test_esp_in_fragments_and_fragments_in_esp() -> None:
    keys = {"auth_algo": "HMAC-SHA1-96", "auth_key": bytes(20)}
    transport = SecurityAssociation(ESP, spi=1, crypt_algo="NULL", **keys)
    assert payloads(RAW, *cut4(transport.encrypt(WHOLE4))) == [TEXT]
    tunnel = SecurityAssociation(ESP, spi=2, crypt_algo="NULL", tunnel_header=IP(src="192.0.2.1"), **keys)
    sealed = [tunnel.encrypt(each, seq_num=number + 1) for number, each in enumerate(cut4())]
    rows = built(RAW, *sealed)
    assert (rows.octets(0), rows.frame.tolist()) == (TEXT, [len(sealed)])


def test_a_flood_of_fragments_copies_nothing() -> None:
    flood = [IP(id=number, proto=17, flags="MF") / Raw(bytes(1400)) for number in range(200)]
    rows = built(RAW, *flood)
    assert len(rows.data) == rows.data.file_length
    assert rows.warnings == [LOST.format(200, 200, 1)]


def test_without_times_an_identification_is_never_taken_to_be_new() -> None:
    assert fragments._TIMEOUT == 60 * 10**9
    first, last = piece(0, DATAGRAM[:24]), piece(24, DATAGRAM[24:], more=False)
    rows = built(RAW, V4)
    frame = np.array([1, 1])
    octets = [bytes(packet) for packet in (first, last)]
    host = np.array([[0] * 10 + [255, 255, 10, 0, 0, 1]] * 2, np.uint8)
    more = rows.extended(frame, host, host, np.array([4, 4]), octets)
    assert more.octets(1) == DATAGRAM[8:]
