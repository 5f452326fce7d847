"""What a card keeps when its power goes: the SQN array, PIN counters, updated files.

Spec: 3GPP TS 33.102, section C.2.2 and ETSI TS 102 221 ask that these survive; how is the card's own matter.
A store maps names to octets. ``put`` returns when the value is durable: the card answers only after that.
"""

import contextlib
import json
import os
from pathlib import Path
from typing import Protocol

from imslab.errors import Malformed
from imslab.octets import unhex


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
    """A store in one file, replaced as a whole: a process killed at any moment leaves the old or the new.

    One card uses one file. The file is read when the card is made; it is written, flushed to the disk and
    renamed before ``put`` returns.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._values: dict[str, bytes] | None = None

    def load(self) -> dict[str, bytes]:
        """Return what the file holds; nothing when there is none. Raises Malformed when it is damaged."""
        self._values = self._read()
        return dict(self._values)

    def put(self, name: str, value: bytes) -> None:
        """Keep ``value`` under ``name``; raise OSError when the disk refuses."""
        before = self._read() if self._values is None else self._values
        values = {**before, name: value}
        text = json.dumps({key: octets.hex() for key, octets in values.items()}, indent=1)
        self._replace(text.encode())
        self._values = values

    def _read(self) -> dict[str, bytes]:
        try:
            content = json.loads(self._path.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        except (ValueError, RecursionError):
            raise Malformed(f"{self._path.name}: not the state of a card") from None
        if not isinstance(content, dict) or not all(isinstance(value, str) for value in content.values()):
            raise Malformed(f"{self._path.name}: not the state of a card", expected="names and octets in hex")
        return {key: unhex(f"{self._path.name}: {key}", value) for key, value in content.items()}

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

    def _flush_directory(self) -> None:
        # The new name is durable only when the directory is; not every system lets a directory be opened.
        with contextlib.suppress(OSError):
            handle = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
