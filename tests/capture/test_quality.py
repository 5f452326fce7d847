"""The E-model: what the recommendation says for its own examples, and what must hold for any stream."""

import pytest

from imslab.capture import open_capture, quality
from tests.capture.media_trace import ALICE, BOB, packet, stream, trace


def test_the_defaults_of_g_107() -> None:
    r = quality.rating("PCMU", 0.0, 0.0)
    assert r == 93.2
    assert quality.mos(93.2) == pytest.approx(4.41, abs=0.005)  # G.107: R = 93.2 is MOS 4.41


@pytest.mark.parametrize(("r", "mos"), [(90, 4.34), (80, 4.03), (70, 3.60), (60, 3.10), (50, 2.58)])
def test_the_scale_of_g_107_annex_b(r: float, mos: float) -> None:
    assert quality.mos(r) == pytest.approx(mos, abs=0.01)


@pytest.mark.parametrize(("r", "mos"), [(-20, 1.0), (0, 1.0), (3, 1.0), (100, 4.5), (120, 4.5)])
def test_the_ends_of_the_scale(r: float, mos: float) -> None:
    assert quality.mos(r) == mos


def test_losses_at_random() -> None:
    # Ie,eff = Ie + (95 - Ie) Ppl / (Ppl + Bpl), G.107, 7.5
    assert quality.rating("G729", 0.02, 0.0) == pytest.approx(93.2 - (11 + 84 * 2 / (2 + 19.0)))
    assert quality.rating("PCMA", 0.05, 0.0) == pytest.approx(93.2 - 95 * 5 / (5 + 25.1))


def test_losses_that_come_together_are_worse() -> None:
    alone, together = (quality.rating("PCMU", 0.02, 0.0, ratio) for ratio in (1.0, 4.0))
    assert alone is not None
    assert together is not None
    assert together == pytest.approx(93.2 - 95 * 2 / (2 / 4 + 25.1))
    assert together < alone


def test_delay_hurts_more_beyond_177_ms() -> None:
    assert quality.rating("PCMU", 0.0, 0.1) == pytest.approx(93.2 - 2.4)
    assert quality.rating("PCMU", 0.0, 0.3) == pytest.approx(93.2 - 7.2 - 0.11 * (300 - 177.3))


@pytest.mark.parametrize("codec", ["opus", "G722", "AMR-WB", "VP8", ""])
def test_a_codec_without_published_values_has_none(codec: str) -> None:
    assert quality.rating(codec, 0.0, 0.0) is None


@pytest.mark.parametrize(("gaps", "lost", "ratio"), [(0, 0, 1.0), (10, 10, 1.0), (2, 10, 4.5)])
def test_burst_ratio(gaps: int, lost: int, ratio: float) -> None:
    assert quality.burst_ratio(0.1, gaps, lost) == pytest.approx(ratio)


def test_a_stream() -> None:
    whole, holed = (
        open_capture(trace(stream(numbers))) for numbers in (range(200), [n for n in range(200) if n % 10])
    )
    good, bad = (capture.mos(capture.stream(0)) for capture in (whole, holed))
    assert good is not None
    assert bad is not None
    assert good == pytest.approx(quality.mos(93.2 - 0.024 * 20), abs=0.01)
    assert bad < good - 0.5


def test_a_stream_whose_codec_is_not_known_has_none() -> None:
    capture = open_capture(
        trace([(i * 0.02, ALICE, BOB, packet(i, i * 160, payload_type=96)) for i in range(9)])
    )
    assert capture.mos(capture.stream(0)) is None
