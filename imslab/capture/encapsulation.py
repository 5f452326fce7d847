"""What the packets of a capture were wrapped in: how many bore each VLAN, label, tunnel or key."""

from collections import Counter

import numpy as np

from imslab.capture.columns import Column

_MOST_DIFFERENT = 10_000  # numbers of one kind; a flood of different ones is counted under OTHERS
OTHERS = -1


class Encapsulation:
    """Counts headers by (kind, number): ("VLAN", 42), ("GTP-U", TEID), ("GRE", key), ..."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, int]] = Counter()
        self._different: Counter[str] = Counter()

    def count(self, kind: str, numbers: Column) -> None:
        """Count one header for each of ``numbers``."""
        values, times = np.unique(numbers, return_counts=True)
        for number, many in zip(values.tolist(), times.tolist(), strict=True):
            key = kind, number
            if key not in self.counts:
                if self._different[kind] >= _MOST_DIFFERENT:
                    key = kind, OTHERS
                else:
                    self._different[kind] += 1
            self.counts[key] += many
