"""The table of all packets, made column by column."""

from typing import TYPE_CHECKING, Any

import numpy as np

from imslab.capture.file import CaptureFile
from imslab.capture.index import TCP, UDP, Index, address

if TYPE_CHECKING:
    import pandas as pd


def packets(file: CaptureFile, index: Index, frames: frozenset[int] | None) -> "pd.DataFrame":
    """Return one row for each packet; what is not UDP or TCP has no addresses here."""
    import pandas as pd

    records, rows = file.records, index.frame - 1
    columns: dict[str, Any] = {
        "frame": np.arange(1, len(file) + 1),
        "time": (records.time - records.time[:1]) / 1e9 if len(file) else np.zeros(0),
        "length": records.original,
    }
    protocol = np.full(len(file), "", dtype=object)
    protocol[rows] = np.where(index.protocol == UDP, "udp", np.where(index.protocol == TCP, "tcp", ""))
    columns["protocol"] = protocol
    for name, values in (
        ("src", _texts(index.source)),
        ("sport", index.sport),
        ("dst", _texts(index.target)),
        ("dport", index.dport),
        ("payload", index.length),
    ):
        column: Any = (
            np.full(len(file), "", dtype=object) if name in ("src", "dst") else np.zeros(len(file), np.int64)
        )
        column[rows] = values
        columns[name] = column
    table = pd.DataFrame(columns)
    return table if frames is None else table[table["frame"].isin(frames)].reset_index(drop=True)


def _texts(octets: Any) -> Any:
    """Return the addresses as text: each different one is written once."""
    if not len(octets):
        return np.zeros(0, dtype=object)
    different, which = np.unique(octets, axis=0, return_inverse=True)
    return np.array([address(row.tobytes()) for row in different], dtype=object)[which.reshape(-1)]
