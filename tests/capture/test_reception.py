"""What arrived: counted at once for all streams, and one packet after the other here."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imslab.capture import reception
from imslab.capture.rtp import RtpPackets


def made(groups: list[list[int]], ticks: int = 160) -> RtpPackets:
    """Return packets with these sequence numbers; each group's come every 20 ms."""
    seqs = np.array([seq & 0xFFFF for group in groups for seq in group], np.int64)
    owner = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    place = np.concatenate([np.arange(len(group)) for group in groups])
    zero = np.zeros(len(seqs), np.int64)
    stamps = np.array([seq * ticks & 0xFFFFFFFF for group in groups for seq in group], np.int64)
    columns = place * 20_000_000, zero, zero > 0, seqs, stamps, zero, zero, zero + 160, zero > 0, owner
    return RtpPackets(np.arange(len(seqs)), *columns, np.flatnonzero(np.diff(owner, prepend=-1)))


def received(*groups: list[int]) -> reception.Reception:
    packets = made(list(groups))
    return reception.receive(packets, np.full(len(packets), 8000), np.ones(len(packets), np.bool_))


def plain(seqs: list[int]) -> dict[str, int]:
    """Count one packet after the other."""
    number, highest, late, copies, seen = seqs[0] & 0xFFFF, None, 0, 0, set[int]()
    for before, seq in zip([seqs[0], *seqs], seqs, strict=False):
        number += ((seq - before + 0x8000) & 0xFFFF) - 0x8000
        copies += number in seen
        late += number not in seen and highest is not None and number < highest
        highest = number if highest is None else max(highest, number)
        seen.add(number)
    ordered = sorted(seen)
    holes = [after - before - 1 for before, after in pairwise(ordered) if after > before + 1]
    return {
        "packets": len(seqs),
        "expected": ordered[-1] - ordered[0] + 1,
        "unique": len(seen),
        "lost": ordered[-1] - ordered[0] + 1 - len(seen),
        "duplicates": copies,
        "reordered": late,
        "gaps": len(holes),
        "longest_gap": max(holes, default=0),
        "first_seq": seqs[0] & 0xFFFF,
        "last_seq": seqs[-1] & 0xFFFF,
    }


CASES = {
    "whole": [1, 2, 3, 4],
    "lost": [1, 2, 5, 6, 8],
    "copies": [1, 1, 2, 2, 3],
    "reordered": [1, 3, 2, 4, 6, 5],
    "late copy": [1, 2, 3, 1, 4],
    "wrap": [65533, 65535, 0, 2],
    "reordered over the wrap": [65535, 1, 0, 65534, 2],
    "one": [7],
}


@pytest.mark.parametrize("seqs", CASES.values(), ids=CASES.keys())
def test_counts(seqs: list[int]) -> None:
    found = received(seqs)
    assert {name: getattr(found, name)[0] for name in plain(seqs)} == plain(seqs)


def test_streams_do_not_mix() -> None:
    found = received(*CASES.values())
    for group, seqs in enumerate(CASES.values()):
        assert {name: getattr(found, name)[group] for name in plain(seqs)} == plain(seqs)


numbers = st.lists(st.integers(-3, 4), min_size=1, max_size=40).map(
    lambda steps: [65_500 + sum(steps[: i + 1]) for i in range(len(steps))]
)


@settings(deadline=None)
@given(groups=st.lists(numbers, min_size=1, max_size=5))
def test_any_order_is_counted_as_packet_by_packet(groups: list[list[int]]) -> None:
    found = received(*groups)
    for group, seqs in enumerate(groups):
        assert {name: getattr(found, name)[group] for name in plain(seqs)} == plain(seqs)


def test_copies_are_marked_and_the_first_is_none() -> None:
    assert received([1, 1, 2, 1]).is_copy.tolist() == [False, True, False, True]


def test_times_and_octets() -> None:
    found = received([1, 2, 4])
    assert (found.began[0], found.ended[0]) == (0.0, pytest.approx(0.04))
    assert found.longest_wait[0] == pytest.approx(0.02)
    assert found.octets.tolist() == [480]


def test_extended_numbers_go_over_the_wrap() -> None:
    assert reception.extended(made([[65535, 0, 65534, 1]])).tolist() == [65535, 65536, 65534, 65537]


@pytest.mark.parametrize(
    ("seqs", "ticks"),
    [([1, 2, 3, 4], 160), ([1, 3, 5], 0), ([1], 0), ([1, 1, 1], 0)],
    ids=["ptime", "gaps", "one", "copies"],
)
def test_how_a_timestamp_grows(seqs: list[int], ticks: int) -> None:
    assert reception.frame_ticks(made([seqs]), 0) == ticks


def test_a_pause_is_no_frame() -> None:
    packets = made([list(range(40))])
    stamps = packets.timestamp.copy()
    stamps[20:] += 16_000
    paused: Any = packets.__class__(
        **{name: getattr(packets, name) for name in packets.__slots__} | {"timestamp": stamps}
    )
    assert reception.frame_ticks(paused, 0) == 160
    mostly = np.concatenate([[0], np.cumsum([160] * 4 + [1280] * 35)])
    noise: Any = packets.__class__(
        **{name: getattr(packets, name) for name in packets.__slots__} | {"timestamp": mostly}
    )
    assert reception.frame_ticks(noise, 0) == 160


def test_instants_count_frames_and_not_packets() -> None:
    packets = made([[1, 2, 3, 4], [1, 2]], ticks=0)
    assert reception.instants(packets, np.ones(6, np.bool_)).tolist() == [1, 1]
    assert reception.instants(made([[1, 2, 3]]), np.array([True, False, True])).tolist() == [2]


def test_no_stream_at_all() -> None:
    packets = made([[1]]).take(np.zeros(1, np.bool_))
    found = reception.receive(packets, np.zeros(0, np.int64), np.zeros(0, np.bool_))
    assert found.packets.tolist() == []
    assert found.jitter_mean.tolist() == []
