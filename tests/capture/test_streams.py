"""Streams: whose they are, what they carry, whether they are protected."""

import pytest

from imslab.capture import Capture, open_capture, streams
from tests.capture.media_trace import ALICE, BOB, Datagram, call, packet, sdp, stream, trace


def opened(*datagrams: Datagram) -> Capture:
    return open_capture(trace(datagrams))


def later(datagrams: list[Datagram], seconds: float = 1.5) -> list[Datagram]:
    return [(at + seconds, *rest) for at, *rest in datagrams]  # type: ignore[misc]


def test_a_stream_of_a_call() -> None:
    capture = opened(*call(sdp(ALICE), sdp(BOB)), *later(stream(range(50))))
    (found,) = capture.rtp
    assert (found.source, found.destination, found.ssrc) == (ALICE, BOB, 0x11223344)
    assert (len(found), found.lost, found.call_id, found.encrypted) == (50, 0, "one@10.0.0.1", "none")
    assert found.codec is not None
    assert (found.codec.name, found.payload_type, found.payload_types) == ("PCMU", 0, {0: 50})
    assert found.talk == pytest.approx(1.0)
    assert found.duration == pytest.approx(0.98)
    assert capture.call(0).streams == [found]


def test_one_packet_is_a_stream_when_it_was_announced() -> None:
    assert len(opened(*call(sdp(ALICE), sdp(BOB)), (1.5, ALICE, BOB, packet(1, 1))).rtp) == 1
    assert len(opened(*call(), (1.5, ALICE, BOB, packet(1, 1))).rtp) == 0


def test_payload_types_are_those_of_the_receiver() -> None:
    offer, answered = (
        sdp(end, "96", f"rtpmap:96 {name}/8000") for end, name in ((ALICE, "AMR"), (BOB, "iLBC"))
    )
    capture = opened(
        *call(offer, answered),
        *later(stream(range(5), payload_type=96)),
        *later(stream(range(5), payload_type=96, source=BOB, target=ALICE, ssrc=2)),
    )
    names = {found.source: found.codec.name for found in capture.rtp if found.codec}
    assert names == {ALICE: "iLBC", BOB: "AMR"}


def test_without_a_description_nothing_is_known_of_protection() -> None:
    (found,) = opened(*stream(range(10), payload_type=96)).rtp
    assert (found.encrypted, found.codec, found.call_id, found.talk) == (None, None, "", None)
    assert found.jitter_mean != found.jitter_mean  # not a number


def test_srtp_that_nobody_opens() -> None:
    (found,) = opened(
        *call(sdp(ALICE, protocol="RTP/SAVP"), sdp(BOB, protocol="RTP/SAVP")), *later(stream(range(9)))
    ).rtp
    assert (found.encrypted, found.decrypted) == ("srtp", 0)


def test_loss_is_a_share() -> None:
    (found,) = opened(*stream([0, 1, 2, 3, 7])).rtp
    assert found.loss == pytest.approx(3 / 8)


def test_the_codec_is_what_is_heard() -> None:
    # More packets of keys than of sound.
    body = sdp(BOB, "0 101", "rtpmap:101 telephone-event/8000")
    keys = [
        (1.5 + i * 0.02, ALICE, BOB, packet(i, 160, payload_type=101, payload=bytes(4))) for i in range(9)
    ]
    (found,) = opened(*call(sdp(ALICE), body), *keys, *later(stream(range(9, 14)), 1.7)).rtp
    assert found.payload_type == 101
    assert found.codec is not None
    assert found.codec.name == "PCMU"
    assert found.jitter_max == pytest.approx(0.0, abs=1e-3)
    assert found.talk == pytest.approx(5 * 0.02)


def test_the_longest_streams_are_shown_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_MOST", 2)
    capture = opened(*stream(range(9), ssrc=1), *stream(range(5), ssrc=2), *stream(range(7), ssrc=3))
    assert [found.ssrc for found in capture.rtp] == [1, 3]
    assert any("3 RTP streams" in warning for warning in capture.warnings)


def test_streams_come_in_the_order_of_their_first_packets() -> None:
    capture = opened(*later(stream(range(5), ssrc=1)), *stream(range(5), ssrc=2))
    assert [found.ssrc for found in capture.rtp] == [2, 1]


def test_a_part_counts_its_own_packets() -> None:
    capture = opened(*stream(range(50)))
    (found,) = capture.between(0.09, 0.31).rtp
    assert (len(found), found.expected) == (11, 11)
    assert capture.between(10, 20).rtp == []


def test_a_reused_socket_belongs_to_the_call_that_announced_it_last() -> None:
    first, second = call(sdp(ALICE), sdp(BOB)), call(sdp(ALICE), sdp(BOB), call_id="two")
    capture = opened(
        *first, *later(stream(range(9), ssrc=1)), *later(second, 20), *later(stream(range(9), ssrc=2), 21.5)
    )
    assert [found.call_id for found in capture.rtp] == ["one@10.0.0.1", "two"]


def test_the_table() -> None:
    table = opened(*call(sdp(ALICE), sdp(BOB)), *later(stream(range(50)))).streams
    (row,) = table.to_dict("records")
    assert (row["src"], row["sport"], row["dst"], row["dport"], row["ssrc"]) == (*ALICE, *BOB, "0x11223344")
    assert (row["codec"], row["packets"], row["loss"], row["encrypted"]) == ("PCMU", 50, 0.0, "none")
    assert len(opened(*call()).streams) == 0


def test_a_stream_in_turn_channel_data() -> None:
    """What a relay carries is seen between the relay's client and the relay (RFC 8656, 12)."""
    relay = ("192.0.2.1", 3478)
    inner = [octets for _, _, _, octets in stream(range(12))]
    data = [b"\x40\x00" + len(octets).to_bytes(2) + octets for octets in inner]
    media = [(i * 0.02, ALICE, relay, octets) for i, octets in enumerate(data)]
    (found,) = opened(*media).rtp
    assert (len(found), found.ssrc, found.lost) == (12, 0x11223344, 0)
