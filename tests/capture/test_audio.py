"""The sound of a stream: what PyAV encoded is heard again, at its time; what is closed is said to be."""

import io
import wave
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from imslab.capture import Capture, audio, open_capture
from imslab.capture.audio import Sound
from imslab.data import path
from imslab.errors import Malformed, SrtpError
from tests.capture.media_trace import ALICE, BOB, Datagram, call, packet, sdp, trace

TONE = 440.0


def tone(rate: int, seconds: float) -> np.ndarray[Any, np.dtype[np.int16]]:
    place = np.arange(round(rate * seconds))
    return (np.sin(2 * np.pi * TONE * place / rate) * 12_000).astype(np.int16)


def encoded(name: str, rate: int, seconds: float = 1.0) -> Iterator[bytes]:
    """Yield a tone as a codec's packets of 20 ms."""
    import av

    context: Any = av.CodecContext.create(name, "w")
    context.sample_rate, context.layout, context.format = rate, "mono", "s16"
    if name == "libopus":
        context.options = {"frame_duration": "20"}
    samples = tone(rate, seconds)
    for at in range(0, len(samples), rate // 50):
        frame: Any = av.AudioFrame.from_ndarray(
            samples[None, at : at + rate // 50], format="s16", layout="mono"
        )
        frame.sample_rate = rate
        yield from (bytes(found) for found in context.encode(frame))


def heard(sound: Sound) -> float:
    """Return the loudest frequency."""
    spectrum = np.abs(np.fft.rfft(sound.samples.astype(float) * np.hanning(len(sound.samples))))
    return float(np.argmax(spectrum) * sound.rate / len(sound.samples))


def opened(payloads: list[bytes], mapping: str, ticks: int, payload_type: int = 96) -> Capture:
    body = sdp(BOB, str(payload_type), *([f"rtpmap:{payload_type} {mapping}"] if mapping else []))
    media = [
        (2 + i * 0.02, ALICE, BOB, packet(i, i * ticks, payload_type=payload_type, payload=payload))
        for i, payload in enumerate(payloads)
    ]
    return open_capture(trace([*call(sdp(ALICE), body), *media]))


@pytest.mark.parametrize(
    ("name", "mapping", "rate", "ticks", "payload_type"),
    [
        ("pcm_mulaw", "", 8000, 160, 0),
        ("pcm_alaw", "", 8000, 160, 8),
        ("g722", "", 16000, 160, 9),
        ("libopus", "opus/48000/2", 48000, 960, 96),
    ],
    ids=["PCMU", "PCMA", "G722", "opus"],
)
def test_what_was_said_is_heard(name: str, mapping: str, rate: int, ticks: int, payload_type: int) -> None:
    capture = opened(list(encoded(name, rate)), mapping, ticks, payload_type)
    sound = capture.sound(0)
    assert sound.rate == rate
    assert sound.seconds == pytest.approx(1.0, abs=0.03)
    assert heard(sound) == pytest.approx(TONE, abs=3)


@pytest.mark.parametrize(
    ("mapping", "rate", "payload", "samples"),
    [
        ("GSM/8000", 8000, b"\xd8" + bytes(32), 160),
        ("G729/8000", 8000, bytes(20), 160),
        ("AMR/8000", 8000, b"\xf3\xc0" + bytes(31), 160),
        ("AMR-WB/16000", 16000, b"\xf4\x40" + bytes(60), 320),
    ],
    ids=["GSM", "G729", "AMR", "AMR-WB"],
)
def test_frames_of_speech_codecs(mapping: str, rate: int, payload: bytes, samples: int) -> None:
    sound = opened([payload] * 10, mapping, samples).sound(0)
    assert (sound.rate, len(sound.samples)) == (rate, 10 * samples)


def test_what_was_lost_is_silence() -> None:
    payloads = [b"\x55" * 160] * 10
    media: list[Datagram] = [
        (2 + i * 0.02, ALICE, BOB, packet(i, i * 160, payload=one))
        for i, one in enumerate(payloads)
        if i not in (4, 5)
    ]
    samples = open_capture(trace([*call(sdp(ALICE), sdp(BOB)), *media])).sound(0).samples
    assert len(samples) == 1600
    assert not samples[640:960].any()
    assert samples[:640].all()
    assert samples[960:].all()


def test_order_is_that_of_the_numbers_and_copies_are_left_out() -> None:
    payloads = [bytes([i]) * 160 for i in range(6)]
    order = [0, 2, 1, 1, 3, 5, 4]
    media: list[Datagram] = [
        (2 + at * 0.02, ALICE, BOB, packet(i, i * 160, payload=payloads[i])) for at, i in enumerate(order)
    ]
    shuffled = open_capture(trace([*call(sdp(ALICE), sdp(BOB)), *media])).sound(0)
    assert np.array_equal(shuffled.samples, opened(payloads, "", 160, 0).sound(0).samples)


def test_a_wild_timestamp_makes_no_gigabytes() -> None:
    media: list[Datagram] = [
        (2 + i * 0.02, ALICE, BOB, packet(i, 2**31 * (i == 5) + i * 160)) for i in range(10)
    ]
    sound = open_capture(trace([*call(sdp(ALICE), sdp(BOB)), *media])).sound(0)
    assert sound.seconds < 1


def test_a_sound_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio, "_LONGEST", 1)
    media: list[Datagram] = [(2 + i * 2.0, ALICE, BOB, packet(i, i * 16_000)) for i in range(5)]
    assert open_capture(trace([*call(sdp(ALICE), sdp(BOB)), *media])).sound(0).seconds == pytest.approx(1.02)


def test_a_wav_file() -> None:
    capture = opened([bytes(160)] * 50, "", 160, 0)
    with wave.open(io.BytesIO(capture.wav(0))) as read:
        assert (read.getnchannels(), read.getsampwidth(), read.getframerate(), read.getnframes()) == (
            1,
            2,
            8000,
            8000,
        )


def test_a_player() -> None:
    assert "audio" in opened([bytes(160)] * 5, "", 160, 0).streams_audio(0)._repr_html_()


@pytest.mark.parametrize(
    ("mapping", "payload_type", "says"),
    [
        ("VP8/90000", 96, "the sound of VP8 stays closed"),
        ("", 96, "which codec payload type 96 is"),
        ("", 5, "DVI4"),
    ],
)
def test_what_has_no_sound(mapping: str, payload_type: int, says: str) -> None:
    with pytest.raises(Malformed, match=says):
        opened([bytes(20)] * 5, mapping, 160, payload_type).sound(0)


def test_a_decoder_that_this_pyav_does_not_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(audio._DECODERS, "pcmu", audio._Decoder("no_such_decoder", 8000, audio._whole))
    with pytest.raises(Malformed, match="no decoder no_such_decoder"):
        opened([bytes(160)] * 5, "", 160, 0).sound(0)


def test_a_frame_that_cannot_be_decoded_is_left_out() -> None:
    good = list(encoded("libopus", 48000))
    broken = [*good[:10], b"\xff" * 3, *good[11:]]
    sound = opened(broken, "opus/48000/2", 960).sound(0)
    assert sound.seconds == pytest.approx(1.0, abs=0.05)


def test_an_encrypted_call_is_heard() -> None:
    capture = open_capture(path("traces", "webrtc-call.pcapng"))
    opus = [number for number, stream in enumerate(capture.rtp) if str(stream.codec) == "opus"]
    assert len(opus) == 4
    for number in opus:
        sound = capture.sound(number)
        assert sound.rate == 48000
        assert sound.samples.astype(float).std() > 500


def test_a_call_that_nobody_opened_is_not() -> None:
    secure = [sdp(end, "0", protocol="RTP/SAVP") for end in (ALICE, BOB)]
    media = [(2 + i * 0.02, ALICE, BOB, packet(i, i * 160)) for i in range(5)]
    with pytest.raises(SrtpError, match="no key opened it"):
        open_capture(trace([*call(*secure), *media])).sound(0)


def test_a_stream_that_is_not_there() -> None:
    with pytest.raises(Malformed, match="no such stream"):
        opened([bytes(160)] * 5, "", 160, 0).sound(3)
