"""What the tap notes of a call: each datagram once, and no more of them than fit."""

import io

import pytest

from imslab.capture import index
from imslab.capture.file import CaptureFile, read_file
from imslab.net.packet import Endpoint
from imslab.net.tap import Clock, Tap
from imslab.net.trace import TraceWriter

ALICE, BOB, BROWSER = ("127.0.0.11", 50_000), ("127.0.0.12", 50_002), ("127.0.0.1", 50_004)


class Recording:
    """A tap and what it wrote."""

    def __init__(self, **settings: int) -> None:
        self.file = io.BytesIO()
        self.tap = Tap(TraceWriter(self.file), Clock(), **settings)  # type: ignore[arg-type]

    @property
    def capture(self) -> CaptureFile:
        self.tap.flush()
        return read_file(self.tap.writer.with_secrets(self.file.getvalue()))

    @property
    def datagrams(self) -> list[tuple[Endpoint, Endpoint, bytes]]:
        capture = self.capture
        ends = (index.build(capture).endpoints(i) for i in range(len(capture)))
        return [(*two, capture.packet(i)[28:]) for i, two in enumerate(ends)]


@pytest.fixture
def recording() -> Recording:
    return Recording()


def test_a_datagram_that_both_ends_tell_is_there_once(recording: Recording) -> None:
    recording.tap.media(ALICE, BOB, b"one")
    recording.tap.media(ALICE, BOB, b"one", arrived=True)
    recording.tap.media(BOB, ALICE, b"two")
    recording.tap.media(BOB, ALICE, b"two", arrived=True)
    assert recording.datagrams == [(ALICE, BOB, b"one"), (BOB, ALICE, b"two")]


def test_what_arrives_from_somebody_who_tells_nothing_is_there(recording: Recording) -> None:
    recording.tap.media(BROWSER, ALICE, b"from a browser", arrived=True)
    recording.tap.media(ALICE, BROWSER, b"to it")
    recording.tap.media(BROWSER, ALICE, b"again", arrived=True)
    assert [octets for _, _, octets in recording.datagrams] == [b"from a browser", b"to it", b"again"]


def test_each_datagram_bears_the_time_at_which_it_was_told(recording: Recording) -> None:
    before = recording.tap.clock()
    recording.tap.media(ALICE, BOB, b"x")
    after = recording.tap.clock()
    (at,) = recording.capture.records.time.tolist()
    assert before - 1e-6 <= at / 1e9 <= after + 1e-6


def test_media_beyond_the_limit_is_counted_and_not_kept() -> None:
    recording = Recording(most_media=10)
    for octets in (b"1234", b"123456", b"1", b""):
        recording.tap.media(ALICE, BOB, octets)
    assert [octets for _, _, octets in recording.datagrams] == [b"1234", b"123456", b""]
    assert recording.tap.unrecorded == 1


def test_a_secret_reaches_the_trace(recording: Recording) -> None:
    line = b"CLIENT_RANDOM " + b"00" * 32 + b" " + b"11" * 48
    recording.tap.secret(line)
    assert recording.capture.secrets == [(0x544C534B, line + b"\n")]
