"""Reports: written and read, the fields of RFC 3550, the round trip, and what is no RTCP."""

import struct

import pytest

from imslab.errors import Malformed
from imslab.media.rtcp import PeerReport, Reports
from imslab.media.statistics import Counter

NOW = 1_700_000_000.0
ALICE, BOB = 0xA11CE000, 0xB0B00000


def packet(sequence: int, ssrc: int) -> bytes:
    return struct.pack("!BBHII", 0x80, 8, sequence, 160 * sequence, ssrc) + bytes(160)


class End:
    """An end's counter and reports."""

    def __init__(self, ssrc: int) -> None:
        self.counter = Counter()
        self.reports = Reports(ssrc, "alice@127.0.0.11", self.counter)


def test_who_only_listens_writes_a_receiver_report_and_its_name() -> None:
    octets = End(ALICE).reports.write(NOW, 7)
    assert octets[:8] == bytes.fromhex("80c90001 a11ce000")
    assert octets[8:10] == bytes.fromhex("81ca") and b"\x01\x10alice@127.0.0.11" in octets
    assert len(octets) % 4 == 0


def test_a_sender_report_has_both_clocks_and_both_counts() -> None:
    end = End(ALICE)
    for sequence in range(3):
        end.counter.sent(packet(sequence, ALICE))
    octets = end.reports.write(NOW + 0.5, 480)
    kind, ssrc, seconds, fraction, timestamp, packets, count = struct.unpack_from("!xBxxIIIIII", octets)
    assert (kind, ssrc, timestamp, packets, count) == (200, ALICE, 480, 3, 480)
    assert (seconds, fraction) == (1_700_000_000 + 2_208_988_800, 0x80000000)


def test_what_the_peer_missed_is_read_back() -> None:
    alice, bob = End(ALICE), End(BOB)
    for sequence in (1, 2, 4, 5):
        bob.counter.received(packet(sequence, ALICE), NOW + 0.02 * sequence)
    alice.reports.read(bob.reports.write(NOW + 1, 0), NOW + 1)
    assert alice.reports.peer == PeerReport(lost=1, fraction=51 / 256, jitter=0, round_trip=None)  # 1 of 5
    bob.counter.received(packet(6, ALICE), NOW + 0.12)
    alice.reports.read(bob.reports.write(NOW + 2, 0), NOW + 2)
    assert alice.reports.peer is not None
    assert (alice.reports.peer.lost, alice.reports.peer.fraction) == (1, 0.0)  # none since


def test_the_round_trip_leaves_out_the_time_at_the_peer() -> None:
    alice, bob = End(ALICE), End(BOB)
    alice.counter.sent(packet(1, ALICE))
    bob.counter.received(packet(1, ALICE), NOW)
    bob.reports.read(alice.reports.write(NOW, 0), NOW + 0.1)  # 100 ms there
    alice.reports.read(bob.reports.write(NOW + 3, 0), NOW + 3.15)  # 150 ms back
    assert alice.reports.peer is not None and alice.reports.peer.round_trip is not None
    assert alice.reports.peer.round_trip == pytest.approx(0.25, abs=1e-4)


def test_reports_of_others_are_no_news() -> None:
    alice, bob = End(ALICE), End(BOB)
    bob.counter.received(packet(1, 0xCA201000), NOW)
    alice.reports.read(bob.reports.write(NOW, 0), NOW)
    assert alice.reports.peer is None


def test_goodbye_is_heard() -> None:
    alice, bob = End(ALICE), End(BOB)
    alice.reports.read(bob.reports.write(NOW, 0), NOW)
    assert not alice.reports.gone
    octets = bob.reports.write(NOW, 0, goodbye=True)
    assert octets.endswith(bytes.fromhex("81cb0001 b0b00000"))
    alice.reports.read(octets, NOW)
    assert alice.reports.gone


def test_no_more_than_31_streams_fit_into_a_report() -> None:
    end = End(ALICE)
    for ssrc in range(40):
        end.counter.received(packet(1, ssrc), NOW)
    octets = end.reports.write(NOW, 0)
    assert octets[0] & 31 == 31
    End(BOB).reports.read(octets, NOW)


BAD = {
    "one octet": "80",
    "half a header": "80c9",
    "version 0": "00c90001a11ce000",
    "longer than it is": "80c90005a11ce000",
    "a report without sender information": "81c80001a11ce000",
    "a report without its block": "81c90001a11ce000",
    "padding of 240 octets": "a0c90001a11ceff0",
    "two goodbyes of one": "82cb0001a11ce000",
    "feedback about nothing": "80cd0000",
    "feedback to nobody": "80ce0000",
}


@pytest.mark.parametrize("octets", BAD.values(), ids=BAD)
def test_what_is_no_rtcp_is_refused(octets: str) -> None:
    with pytest.raises(Malformed, match="not an RTCP packet"):
        End(ALICE).reports.read(bytes.fromhex(octets), NOW)
