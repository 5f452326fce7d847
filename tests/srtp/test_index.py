"""The packet index: the guess of RFC 3711's appendix A, and the replay window."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imslab.data import vectors
from imslab.errors import Malformed, Replayed
from imslab.srtp import guess_roc
from imslab.srtp.index import ReplayWindow, RtpIndex

(GUESSES,) = (v for v in vectors("srtp")["vectors"] if v["kind"] == "index_guess")


@pytest.mark.parametrize(
    "case", GUESSES["cases"], ids=lambda c: f"s_l={c['s_l']}-roc={c['roc']}-seq={c['seq']}"
)
def test_the_guess_of_appendix_a(case):
    roc = guess_roc(case["s_l"], case["roc"], case["seq"])
    assert roc == case["v"]
    assert roc * 65536 + case["seq"] == case["index"]


def at(highest):
    state = RtpIndex()
    state.accept(highest)
    return state


def test_a_first_packet_has_the_initial_roc():
    assert RtpIndex().guess(65535) == 65535
    assert RtpIndex(7).guess(65535) == 7 * 65536 + 65535


def test_no_roc_is_before_0():
    # The RFC's arithmetic gives 2^32 - 1; the packet can only be one far ahead.
    assert at(10).guess(65500) == 65500
    assert at(65536 + 10).guess(65500) == 65500


def test_no_roc_is_beyond_the_last():
    last = (1 << 48) - 1
    assert at(last).guess(0) == last - 65535


@settings(deadline=None)
@given(st.integers(0, (1 << 48) - 1), st.integers(0, 65535))
def test_the_index_is_the_nearest_there_is(highest, seq):
    index = at(highest).guess(seq)
    others = (index - 65536, index + 65536)
    assert index % 65536 == seq
    assert all(abs(o - highest) >= abs(index - highest) for o in others if 0 <= o < 1 << 48)


@settings(deadline=None)
@given(st.lists(st.integers(0, 300), max_size=60), st.sampled_from([64, 128]))
def test_the_window_remembers_what_a_set_would(indices, size):
    window, seen = ReplayWindow(size), set()
    for index in indices:
        known = index in seen or (bool(seen) and index <= max(seen) - size)
        if known:
            with pytest.raises(Replayed):
                window.check(index)
        else:
            window.check(index)
            window.accept(index)
            seen.add(index)


def test_the_edge_of_the_window():
    window = ReplayWindow(64)
    window.accept(1000)
    window.check(937)
    with pytest.raises(Replayed, match="64 behind"):
        window.check(936)
    with pytest.raises(Replayed, match="before"):
        window.check(1000)


def test_a_jump_far_ahead_forgets_what_was_before():
    window = ReplayWindow(64)
    window.accept(5)
    window.accept(1 << 40)
    window.check((1 << 40) - 1)
    with pytest.raises(Replayed):
        window.check(5)


@pytest.mark.parametrize("size", [0, 63, (1 << 15) + 1])
def test_a_window_has_at_least_64(size):
    with pytest.raises(Malformed, match="64 to 32768"):
        ReplayWindow(size)
