"""Jitter: the formula of RFC 3550 for all streams at once, against the formula as it is written."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imslab.capture.jitter import jitter, smoothed
from imslab.capture.rtp import RtpPackets


def made(arrivals: list[float], stamps: list[int], *, markers: Any = (), group: Any = None) -> RtpPackets:
    count = len(arrivals)
    zero = np.zeros(count, np.int64)
    group = zero if group is None else np.array(group)
    marker = np.isin(np.arange(count), list(markers))
    time = np.array([round(at * 1e6) for at in arrivals], np.int64)  # milliseconds in, nanoseconds out
    stamp = np.array([one & 0xFFFFFFFF for one in stamps], np.int64)
    return RtpPackets(
        np.arange(count), time, zero, marker, np.arange(count), stamp, zero, zero, zero, zero > 0, group,
        np.flatnonzero(np.diff(group, prepend=-1)),
    )  # fmt: skip


def measured(packets: RtpPackets, clock: int = 8000, media: Any = None) -> tuple[list[float], list[float]]:
    is_media = np.ones(len(packets), np.bool_) if media is None else np.array(media, np.bool_)
    mean, highest = jitter(packets, np.full(len(packets), clock), is_media)
    return mean.tolist(), highest.tolist()


def test_a_steady_stream_has_none() -> None:
    mean, highest = measured(made([0, 20, 40, 60], [0, 160, 320, 480]))
    assert (mean, highest) == ([0.0], [0.0])


def test_one_late_packet() -> None:
    # |D| = 0, 16, 16 ms: J = 0, 1, 1 + 15/16
    mean, highest = measured(made([0, 20, 56, 60], [0, 160, 320, 480]))
    assert highest == [pytest.approx(1.9375)]
    assert mean == [pytest.approx((0 + 1 + 1.9375) / 3)]


def test_the_clock_is_the_codecs() -> None:
    slow, fast = (
        measured(made([0, 20, 56], [0, n, 2 * n]), clock)[1] for n, clock in ((160, 8000), (960, 48000))
    )
    assert slow == fast == [pytest.approx(1.0)]


def test_an_unknown_clock_gives_none() -> None:
    mean, highest = measured(made([0, 20], [0, 160]), clock=0)
    assert math.isnan(mean[0])
    assert math.isnan(highest[0])


def test_a_wrap_of_the_timestamp_is_no_jitter() -> None:
    assert measured(made([0, 20, 40], [2**32 - 160, 0, 160]))[1] == [0.0]


def test_nothing_is_compared_with_what_comes_late() -> None:
    # The third packet comes after the fourth: it is 40 ms late itself, and the fifth is still on time.
    _, highest = measured(made([0, 20, 60, 60, 80], [0, 160, 480, 320, 640]))
    assert highest == [pytest.approx(20 / 16 * 15 / 16)]


def test_the_first_packet_of_a_talkspurt_does_not_count_but_moves_the_filter() -> None:
    plain = measured(made([0, 20, 56, 76, 96], [0, 160, 320, 480, 640]))
    marked = measured(made([0, 20, 56, 76, 96], [0, 160, 320, 480, 640], markers=[2]))
    assert plain[1] == [pytest.approx(1.0)]
    assert marked[1] == [pytest.approx(15 / 16)]


def test_who_marks_every_packet_marks_none() -> None:
    everywhere = made([0, 20, 56, 76], [0, 160, 320, 480], markers=[0, 1, 2, 3])
    assert measured(everywhere)[1] == [pytest.approx(1.0)]


def test_noise_moves_the_filter_and_is_not_counted() -> None:
    packets = made([0, 20, 56, 76], [0, 160, 320, 480])
    assert measured(packets, media=[1, 1, 0, 1])[1] == [0.0]


def test_packets_without_a_clock_are_left_out() -> None:
    packets = made([0, 20, 25, 40], [0, 160, 0, 320])
    clock = np.array([8000, 8000, 0, 8000])
    mean, highest = jitter(packets, clock, np.ones(4, np.bool_))
    assert (mean.tolist(), highest.tolist()) == ([0.0], [0.0])


def test_each_stream_by_itself() -> None:
    both = made([0, 20, 56, 0, 20, 40], [0, 160, 320, 0, 160, 320], group=[0, 0, 0, 1, 1, 1])
    assert measured(both)[1] == [pytest.approx(1.0), 0.0]
    clock = np.array([0, 0, 0, 8000, 8000, 8000])
    mean, _ = jitter(both, clock, np.ones(6, np.bool_))
    assert math.isnan(mean[0])
    assert mean[1] == 0.0


@settings(deadline=None)
@given(
    counts=st.lists(st.integers(1, 300), min_size=1, max_size=4),
    seed=st.integers(0, 2**32 - 1),
)
def test_blocks_give_what_one_step_after_the_other_gives(counts: list[int], seed: int) -> None:
    values = np.random.default_rng(seed).random(sum(counts)) * 100
    first = np.cumsum([0, *counts[:-1]])
    expected, at = [], 0
    for count in counts:
        j = 0.0
        for value in values[at : at + count]:
            j += (value - j) / 16
            expected.append(j)
        at += count
    assert smoothed(values, first) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_nothing_at_all() -> None:
    assert measured(made([], [])) == ([], [])
