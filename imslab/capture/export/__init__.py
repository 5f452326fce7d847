"""What leaves a capture: a folder for Wireshark, a capture in clear, the sound of streams as WAV files."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from imslab.errors import CaptureError, ImslabError

if TYPE_CHECKING:
    from imslab.capture.capture import Capture
    from imslab.capture.streams import RtpStream

_NOT_IN_A_NAME = re.compile(r"[^0-9A-Za-z.-]+")


def wireshark(capture: "Capture", folder: str | os.PathLike[str]) -> list[Path]:
    """Write a folder that Wireshark opens with all keys that were found (`folder.export`)."""
    from imslab.capture.export.folder import export

    return export(capture, folder)


def decrypted(capture: "Capture", path: str | os.PathLike[str]) -> int:
    """Write a pcapng in which ESP and SRTP are open; return how many frames were replaced.

    A replaced frame is an IP packet without what was around it, and keeps its number and its time.
    Raises CaptureError when the file cannot be written.
    """
    from imslab.capture.export import clear, copy

    kept = copy.frames_of(capture)
    found = clear.replacements(capture)
    replaced = {frame: found[frame] for frame in kept if frame in found}
    try:
        with Path(path).open("wb") as file:
            copy.write(file, capture.file, kept, replaced=replaced, comment="decrypted by imslab")
    except OSError as error:
        raise CaptureError(f"{path} cannot be written: {error.strerror or error}") from None
    return len(replaced)


def wav(capture: "Capture", folder: str | os.PathLike[str]) -> tuple[list[Path], list[str]]:
    """Write the sound of each stream as a WAV file; return the files, and why other streams stay silent.

    Raises CaptureError when the folder cannot be written.
    """
    place, silent = Path(folder), list[str]()
    try:
        place.mkdir(parents=True, exist_ok=True)
        return list(_sounds(capture, place, silent)), silent
    except OSError as error:
        raise CaptureError(f"{place} cannot be written: {error.strerror or error}") from None


def _sounds(capture: "Capture", place: Path, silent: list[str]) -> Iterator[Path]:
    for number, stream in enumerate(capture.rtp):
        try:
            octets = capture.wav(number)
        except ImslabError as error:
            silent.append(f"stream {number}: {error}")
            continue
        path = place / _name(number, stream)
        path.write_bytes(octets)
        yield path


def _name(number: int, stream: "RtpStream") -> str:
    (source, sport), (destination, dport) = stream.source, stream.destination
    ends = f"{source}-{sport}-to-{destination}-{dport}"
    return f"{number:02}-{_NOT_IN_A_NAME.sub('_', ends)}-{stream.ssrc:08x}.wav"
