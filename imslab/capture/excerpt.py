"""A file that was read, or some frames of it: what `Capture` stands on."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from imslab.capture.file import CaptureFile
from imslab.capture.index import Index
from imslab.capture.whole import Part, Whole

if TYPE_CHECKING:
    from imslab.capture.esp_sa import Row
    from imslab.capture.media_keys import MediaKeys
    from imslab.capture.unlock import Keyring


class Excerpt:
    """The frames of a file, or of a ``part`` of it, with the keys that were given for it."""

    def __init__(
        self,
        file: CaptureFile,
        keys: "Keyring | None" = None,
        part: Part | None = None,
        *,
        media_keys: "MediaKeys | None" = None,
        esp_sa: "Sequence[Row]" = (),
    ) -> None:
        self.file = file
        self._esp_sa = esp_sa
        self._keys = keys
        self._media_keys = media_keys
        self._part = part

    def __len__(self) -> int:
        return len(self.file) if self._part is None else len(self._part.frames)

    @property
    def names(self) -> dict[str, str]:
        """The names of the nodes, by address, as the file gives them."""
        return self.file.names

    @property
    def start(self) -> float:
        """The time of the first packet of the file, epoch seconds; 0 without any."""
        time = self.file.records.time
        return int(time[0]) / 1e9 if len(time) else 0.0

    @property
    def index(self) -> Index:
        """All datagrams and segments of the file, as columns."""
        return self.whole.index

    @cached_property
    def whole(self) -> Whole:
        """What was read from the file, of which this may be a part."""
        if self._part is not None:
            return self._part.whole
        return Whole(self.file, self._keys, self._media_keys, self._esp_sa)

    @property
    def frames(self) -> frozenset[int] | None:
        """The frames of this part; None when it is the whole."""
        return None if self._part is None else self._part.frames

    def _in_part(self, frame: NDArray[Any]) -> NDArray[np.bool_]:
        return np.isin(frame, np.array(sorted(self.frames or ()), np.int64))

    def _mine(self, events: list[Any]) -> list[Any]:
        frames = self.frames
        return events if frames is None else [event for event in events if event.frame in frames]
