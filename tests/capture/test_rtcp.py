"""RTCP: reports out of compound datagrams, SRTCP told apart, and the way there and back."""

import pytest

from imslab.capture import open_capture, rtcp
from imslab.capture.rtcp import Report
from tests.capture.media_trace import ALICE, BOB, Datagram, indexed, trace

NTP = 0xE0000000_80000000


def words(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(4) for number in numbers)


def part(kind: int, body: bytes, count: int = 0, padding: bool = False) -> bytes:
    return bytes([0x80 | padding << 5 | count, kind]) + (len(body) // 4).to_bytes(2) + body


def block(ssrc: int, *, lost: int = 0, fraction: int = 0, last_sr: int = 0, delay: int = 0) -> bytes:
    return words(ssrc, fraction << 24 | lost & 0xFFFFFF, 1234, 55, last_sr, delay)


def sender_report(ssrc: int, *blocks: bytes, ntp: int = NTP) -> bytes:
    body = words(ssrc, ntp >> 32, ntp & 0xFFFFFFFF, 160, 10, 1600) + b"".join(blocks)
    return part(rtcp.SR, body, len(blocks))


def receiver_report(ssrc: int, *blocks: bytes) -> bytes:
    return part(rtcp.RR, words(ssrc) + b"".join(blocks), len(blocks))


def description(ssrc: int, name: str) -> bytes:
    items = bytes([2, 1, 0x78, 1, len(name)]) + name.encode() + b"\0"
    return part(rtcp.SDES, words(ssrc) + items + bytes(-len(items) % 4), 1)


BYE = part(rtcp.BYE, words(1), 1)


def read(*datagrams: bytes) -> list[Report]:
    octets = trace([(float(place), ALICE, BOB, one) for place, one in enumerate(datagrams)])
    return open_capture(octets).rtcp


def test_a_compound_packet_by_packet() -> None:
    found = read(sender_report(1, block(2, lost=-3, fraction=64)) + description(1, "alice@x") + BYE)
    assert [report.name for report in found] == ["SR", "SDES", "BYE"]
    assert rtcp.counts(found) == {200: 1, 202: 1, 203: 1}
    first = found[0]
    assert (first.ssrc, first.ntp, first.packets, first.octets) == (1, NTP, 10, 1600)
    (said,) = first.blocks
    assert (said.ssrc, said.lost, said.fraction_lost, said.highest_seq, said.jitter) == (
        2,
        -3,
        0.25,
        1234,
        55,
    )
    assert found[1].cname == "alice@x"
    assert (first.source, first.destination, first.frame) == (ALICE, BOB, 1)


def test_feedback_may_come_alone() -> None:
    (found,) = read(part(rtcp.PSFB, words(1, 2), 1))
    assert (found.name, found.ssrc) == ("PSFB", 1)


@pytest.mark.parametrize(
    "octets",
    [
        BYE[:7],
        b"\x40" + BYE[1:],
        bytes([0x80, 199]) + BYE[2:],
        bytes([0x80, 208]) + BYE[2:],
        bytes([0x81, 203, 0, 9]) + BYE[4:],
        bytes([0x80, 201, 0, 0]) + bytes(4),
        b"\xa1" + BYE[1:] + BYE,
    ],
    ids=["short", "version 1", "type 199", "type 208", "cut", "no SSRC", "padding in the first"],
)
def test_what_is_not_rtcp(octets: bytes) -> None:
    assert read(octets) == []


def test_srtcp_shows_its_first_type_and_no_reports() -> None:
    (found,) = read(sender_report(7)[:8] + bytes(20) + b"\x12" * 40)
    assert (found.type, found.ssrc, found.is_srtcp, found.blocks) == (200, 7, True, ())


def test_a_report_that_claims_more_blocks_than_it_has() -> None:
    whole = receiver_report(1, block(2))
    (found,) = read(bytes([0x80 | 31]) + whole[1:])
    assert len(found.blocks) == 1


def test_the_way_there_and_back() -> None:
    seen = NTP >> 16 & 0xFFFFFFFF
    answer = receiver_report(2, block(1, last_sr=seen, delay=65536 // 4))
    octets = trace([(0.0, ALICE, BOB, sender_report(1)), (0.33, BOB, ALICE, answer)])
    ((report, said, seconds),) = rtcp.round_trips(open_capture(octets).rtcp)
    assert (report.ssrc, said.ssrc) == (2, 1)
    assert seconds == pytest.approx(0.08, abs=1e-6)


@pytest.mark.parametrize(
    ("ssrc", "last_sr", "delay"),
    [(1, 0, 0), (1, 5, 0), (9, NTP >> 16 & 0xFFFFFFFF, 0), (1, NTP >> 16 & 0xFFFFFFFF, 65536)],
    ids=["no SR yet", "another SR", "another SSRC", "a delay that is longer"],
)
def test_what_tells_nothing_of_the_way(ssrc: int, last_sr: int, delay: int) -> None:
    answer = receiver_report(2, block(ssrc, last_sr=last_sr, delay=delay))
    octets = trace([(0.0, ALICE, BOB, sender_report(1)), (0.33, BOB, ALICE, answer)])
    assert rtcp.round_trips(open_capture(octets).rtcp) == []


def test_rows_are_found_on_columns() -> None:
    datagrams: list[Datagram] = [(0.0, ALICE, BOB, BYE), (1.0, ALICE, BOB, b"text"), (2.0, BOB, ALICE, BYE)]
    assert rtcp.rows(indexed(datagrams)).tolist() == [0, 2]
