"""What a card keeps when its power goes: the SQN array, PIN counters, updated files.

Spec: 3GPP TS 33.102, section C.2.2 and ETSI TS 102 221 ask that these survive; how is the card's own matter.
A store maps names to octets. ``put`` returns when the value is durable: the card answers only after that.
"""

import contextlib
import errno
import json
import os
from pathlib import Path
from typing import Protocol

from imslab.errors import Malformed
from imslab.octets import unhex

_MOST_APPENDED = 1000  # lines: about 100 kB


class Store(Protocol):
    """Where a card keeps its state."""

    def load(self) -> dict[str, bytes]:
        """Return everything that was put; raise Malformed when the store is damaged."""

    def put(self, name: str, value: bytes) -> None:
        """Keep ``value`` under ``name``; raise OSError when that cannot be done."""


class MemoryStore:
    """A store that lives as long as this object: it survives the card's power-off, not the process."""

    def __init__(self) -> None:
        self._values: dict[str, bytes] = {}

    def load(self) -> dict[str, bytes]:
        """Return everything that was put."""
        return dict(self._values)

    def put(self, name: str, value: bytes) -> None:
        """Keep ``value`` under ``name``."""
        self._values[name] = value


class FileStore:
    """A store in one file: a process killed, or a power cut, at any moment leaves each value old or new.

    One card uses one file. The file is read when the card is made. Its first line is the whole state, one
    JSON object; each ``put`` appends one more object and flushes it to the disk before it returns. Now and
    then the file is replaced by a first line alone. A last line that is cut was never promised.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._values: dict[str, bytes] | None = None
        self._length = 0  # octets of the file that count; what stands behind them is cut off
        self._appended = 0

    def load(self) -> dict[str, bytes]:
        """Return what the file holds; nothing when there is none. Raises Malformed when it is damaged."""
        self._values = self._read()
        return dict(self._values)

    def put(self, name: str, value: bytes) -> None:
        """Keep ``value`` under ``name``; raise OSError when the disk refuses."""
        before = self._read() if self._values is None else self._values
        values = {**before, name: value}
        if not self._length or self._appended >= _MOST_APPENDED:
            self._replace(_line(values))
        else:
            self._append(_line({name: value}))
        self._values = values

    def _read(self) -> dict[str, bytes]:
        self._length = self._appended = 0
        try:
            octets = self._path.read_bytes()
        except FileNotFoundError:
            return {}
        # A file of before this form, or one that was edited by hand, may be one object on several lines.
        values = self._object(octets, whole=True)
        if values is not None:
            return values
        first, *lines = octets.splitlines(keepends=True) or [b""]
        values = self._object(first)
        assert values is not None
        self._length = len(first)
        for number, line in enumerate(lines, 1):
            if not line.endswith(b"\n") and number == len(lines):
                break  # cut while it was written
            values |= self._object(line) or {}
            self._length, self._appended = self._length + len(line), number
        return values

    def _object(self, octets: bytes, *, whole: bool = False) -> dict[str, bytes] | None:
        """Read one JSON object; raise Malformed, or return None for ``whole``, when it is none."""
        try:
            content = json.loads(octets)
        except (ValueError, RecursionError):
            if whole:
                return None
            raise Malformed(f"{self._path.name}: not the state of a card") from None
        if not isinstance(content, dict) or not all(isinstance(value, str) for value in content.values()):
            raise Malformed(f"{self._path.name}: not the state of a card", expected="names and octets in hex")
        return {key: unhex(f"{self._path.name}: {key}", value) for key, value in content.items()}

    def _append(self, octets: bytes) -> None:
        with open(self._path, "r+b", buffering=0) as file:
            file.truncate(self._length)  # an append that failed, or was cut, before this one
            file.seek(self._length)
            if file.write(octets) != len(octets):
                raise OSError(errno.ENOSPC, "the state of the card was not written whole")
            os.fsync(file.fileno())
        self._length, self._appended = self._length + len(octets), self._appended + 1

    def _replace(self, octets: bytes) -> None:
        temporary = self._path.with_name(f".{self._path.name}.new")
        # The state holds PINs: nobody else may read it.
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with open(handle, "wb") as file:
                file.write(octets)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self._path)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        self._flush_directory()
        self._length, self._appended = len(octets), 0

    def _flush_directory(self) -> None:
        # The new name is durable only when the directory is; not every system lets a directory be opened.
        with contextlib.suppress(OSError):
            handle = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def _line(values: dict[str, bytes]) -> bytes:
    return json.dumps({key: octets.hex() for key, octets in values.items()}).encode() + b"\n"
