"""Sound of the streams as WAV files."""

import wave
from pathlib import Path

from imslab.capture import export, open_capture
from imslab.data import path
from tests.capture.gm import Gm


def test_wav(tmp_path: Path) -> None:
    capture = open_capture(path("traces", "sdes-call.pcapng"))
    files, silent = export.wav(capture, tmp_path / "sound")
    assert silent == [] and len(files) == len(capture.rtp) == 2
    for number, (file, stream) in enumerate(zip(files, capture.rtp, strict=True)):
        assert file.name.startswith(f"{number:02}-{stream.source[0]}-{stream.source[1]}-to-")
        assert file.name.endswith(f"-{stream.ssrc:08x}.wav")
        with wave.open(str(file)) as sound:
            assert sound.getframerate() == 8000 and sound.getnframes() >= 8000
        assert file.read_bytes() == capture.wav(number)


def test_streams_without_sound_say_why(tmp_path: Path) -> None:
    capture = open_capture(path("traces", "webrtc-call.pcapng"))
    files, silent = export.wav(capture, tmp_path)
    assert len(files) + len(silent) == len(capture.rtp)
    assert silent and all("VP8" in line for line in silent)


def test_a_capture_without_streams(tmp_path: Path) -> None:
    assert export.wav(open_capture(Gm().register().octets), tmp_path) == ([], [])
