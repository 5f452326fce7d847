"""A folder that gives a capture back to Wireshark, with all keys that were found.

Spec: Wireshark's User's Guide, "ESP SAs", "Decryption Secrets Block", and its folder of personal settings, as
which this folder serves when the environment variable WIRESHARK_CONFIG_DIR names it.
"""

import os
import shlex
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from imslab.capture.esp_sa import Row, is_known_to_wireshark, written
from imslab.capture.export import copy
from imslab.errors import CaptureError
from imslab.srtp.keylog import KeyLog

if TYPE_CHECKING:
    from imslab.capture.capture import Capture

CAPTURE, TABLE, KEY_LOG, SCRIPT, PREFERENCES, README = (
    "capture.pcapng", "esp_sa", "keylog.txt", "imslab.lua", "preferences", "README.txt",
)  # fmt: skip
_PREFERENCES = """\
# Written by imslab: what Wireshark must be told so that it opens this capture.
esp.enable_encryption_decode: TRUE
esp.enable_authentication_check: TRUE
esp.enable_null_encryption_decode_heuristic: TRUE
sdp.establish_conversation: FALSE
"""
_README = """\
A capture for Wireshark, with the keys that imslab found.
WHOEVER HAS THIS FOLDER READS THE TRAFFIC.

    WIRESHARK_CONFIG_DIR={folder} wireshark -X lua_script:{folder}/imslab.lua -r {folder}/capture.pcapng
    WIRESHARK_CONFIG_DIR={folder} tshark -X lua_script:{folder}/imslab.lua -r {folder}/capture.pcapng

capture.pcapng  the frames, their numbers unchanged, and the secrets of DTLS in a Decryption Secrets Block
esp_sa          the IPsec associations: {associations} (Edit, Preferences, Protocols, ESP, ESP SAs)
keylog.txt      the same secrets of DTLS as a key log: {secrets} lines
imslab.lua      splits the AKA nonce, and shows AUTHENTICATE of the card; try -O imslab, or -Y imslab.rand
preferences     ESP is to be decrypted; and SDP must not take the ports of DTLS for RTP, or DTLS stays closed

Wireshark does not decrypt SRTP: imslab inspect --decrypted FILE writes a capture in which ESP and SRTP are
open.
{left_out}"""
_LEFT_OUT = "Wireshark has no name for AES-GMAC: {count} associations are not in esp_sa.\n"
_OWNER_ONLY = 0o600


def export(capture: "Capture", folder: str | os.PathLike[str]) -> list[Path]:
    """Write the folder (made when it is not there); return its files, which only their owner may read.

    Raises CaptureError when it cannot be written.
    """
    place = Path(folder)
    opening = capture.whole.opening
    rows = list(dict.fromkeys(opening.rows())) if opening else []
    known = [row for row in rows if is_known_to_wireshark(row)]
    secrets = capture.whole.key_log
    texts = {
        TABLE: written(known),
        KEY_LOG: bytes(secrets).decode(),
        SCRIPT: files(__package__).joinpath(SCRIPT).read_text("utf-8"),
        PREFERENCES: _PREFERENCES,
        README: _readme(place, known, len(rows) - len(known), secrets),
    }
    try:
        place.mkdir(parents=True, exist_ok=True)
        found = [_written(place / name, text.encode()) for name, text in texts.items()]
        return [_copied(capture, place / CAPTURE, bytes(secrets)), *found]
    except OSError as error:
        raise CaptureError(f"{place} cannot be written: {error.strerror or error}") from None


def _readme(place: Path, rows: list[Row], missing: int, secrets: KeyLog) -> str:
    left_out = _LEFT_OUT.format(count=missing) if missing else ""
    quoted, lines = shlex.quote(str(place)), len(secrets)
    return _README.format(folder=quoted, associations=len(rows), secrets=lines, left_out=left_out)


def _copied(capture: "Capture", path: Path, key_log: bytes) -> Path:
    _written(path, b"")
    with path.open("r+b") as file:
        copy.write(file, capture.file, copy.frames_of(capture), key_log=key_log)
    return path


def _written(path: Path, octets: bytes) -> Path:
    """Write a file that nobody but its owner may read, also when it was there with other rights."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWNER_ONLY)
    with os.fdopen(descriptor, "wb") as file:
        file.write(octets)
    path.chmod(_OWNER_ONLY)
    return path
