"""Tables as columns: numpy arrays of the same length, where a row is a packet or something in it."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.integer[Any]]
Mask = NDArray[np.bool_]
Addresses = NDArray[np.uint8]  # n by 16 octets; IPv4 as ::ffff:a.b.c.d


@dataclass(frozen=True, slots=True)
class Columns:
    """A table; each field of a class made from this one is a column."""

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))

    def __getitem__(self, which: Any) -> Self:
        """Return the rows that a mask, positions or a slice select."""
        if isinstance(which, np.ndarray) and which.dtype == np.bool_:
            which = np.flatnonzero(which)  # once, and not for each column
        return type(self)(*(getattr(self, each.name)[which] for each in fields(self)))

    @classmethod
    def joined(cls, parts: Iterable[Self]) -> Self:
        """Return the rows of ``parts`` (one at least) one after the other."""
        tables = list(parts)
        if len(tables) == 1:
            return tables[0]
        return cls(*(np.concatenate([getattr(part, each.name) for part in tables]) for each in fields(cls)))
