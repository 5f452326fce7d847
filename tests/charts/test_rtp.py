"""A stream as a picture: late packets, lost packets."""

import pytest

from imslab.capture import open_capture
from imslab.capture.streams import RtpStream
from imslab.charts import rtp
from imslab.charts.rtp import lateness, losses, player
from imslab.errors import Malformed
from tests.capture.media_trace import ALICE, BOB, packet, stream, trace


def only(datagrams: object) -> RtpStream:
    (found,) = open_capture(trace(datagrams)).rtp  # type: ignore[arg-type]
    return found


def test_a_packet_is_as_late_as_it_came_after_its_time() -> None:
    media = stream(range(10))
    at, *rest = media[4]
    media[4] = (at + 0.015, *rest)  # type: ignore[assignment]
    seconds, late = lateness(only(media), 8000)
    assert late.tolist() == pytest.approx([0, 0, 0, 0, 15, 0, 0, 0, 0, 0], abs=1e-3)
    assert seconds[-1] == pytest.approx(0.18)


def test_a_wrap_of_the_timestamp_is_not_late() -> None:
    media = [(i * 0.02, ALICE, BOB, packet(i, 2**32 - 800 + i * 160)) for i in range(10)]
    assert lateness(only(media), 8000)[1].max() == pytest.approx(0, abs=1e-3)


def test_losses_stand_where_packets_are_missing() -> None:
    arrived, lost = losses(only(stream([n for n in range(100) if not 60 <= n < 63])), 1.0)
    assert arrived.tolist() == [50, 47]
    assert lost.tolist() == [0, 3]


def test_losses_over_a_wrap_and_behind_a_late_packet() -> None:
    found = only(stream([65534, 65535, 65537, 65536, 65538]))
    assert losses(found, 10.0)[1].sum() == 1 + 1  # each jump ahead


def test_the_picture() -> None:
    svg = rtp(only(stream([n for n in range(200) if n % 20])), title="A stream").svg()
    assert "A stream" in svg
    assert "190 arrived" in svg
    assert "9 lost" in svg


def test_a_long_stream_is_thinned() -> None:
    assert len(rtp(only(stream(range(9000)))).svg()) < 900_000


@pytest.mark.parametrize("datagrams", [stream([1, 2, 3], payload_type=96)], ids=["unknown codec"])
def test_what_cannot_be_drawn(datagrams: object) -> None:
    with pytest.raises(Malformed, match="a codec that is known"):
        rtp(only(datagrams))


def test_a_player_holds_the_octets() -> None:
    assert player(b"RIFF").data == b"RIFF"
