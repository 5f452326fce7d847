"""A token bucket on a clock that stands still."""

import pytest

from imslab.errors import BridgeRefused
from imslab.web.bucket import Bucket


def taken(bucket: Bucket, now: float) -> int:
    count = 0
    while True:
        try:
            bucket.take(now)
        except BridgeRefused:
            return count
        count += 1


def test_a_burst_then_what_comes_in() -> None:
    bucket = Bucket("questions", rate=2.0, burst=5.0, now=100.0)
    assert taken(bucket, 100.0) == 5
    assert taken(bucket, 101.0) == 2
    assert taken(bucket, 101.4) == 0
    assert taken(bucket, 101.5) == 1
    assert taken(bucket, 1e6) == 5  # never more than a burst


def test_a_refusal_says_of_what_and_how_long_to_wait() -> None:
    bucket = Bucket("questions", rate=0.5, burst=1.0, now=0.0)
    bucket.take(0.0)
    with pytest.raises(BridgeRefused, match=r"too many questions: wait 1\.5 s") as refused:
        bucket.take(0.5)
    assert refused.value.name == "TooMany"


def test_a_clock_that_goes_back_gives_nothing() -> None:
    bucket = Bucket("questions", rate=1.0, burst=1.0, now=100.0)
    bucket.take(100.0)
    assert taken(bucket, 50.0) == 0
