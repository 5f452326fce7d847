"""DTLS records in a capture, found and counted on columns: most captures have none, and stop here.

Spec: RFC 6347, 4.1 (the record header); RFC 7983 (20 to 24 tell DTLS from what shares its port).
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from imslab.capture.index import UDP, Column, Index

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE = 20, 21, 22
_TYPES = range(20, 25)
_HEADER = 13  # octets of a record
_VERSIONS = (0xFEFF, 0xFEFD, 0x0100)  # DTLS 1.0, 1.2 (1.3 says 1.2 too), OpenSSL before it had a number
_MOST_RECORDS = 32  # in one datagram


@dataclass(frozen=True, slots=True)
class DtlsRows:
    """The rows of an index that begin with a DTLS record, and its content type."""

    row: Column
    type: Column

    @property
    def has_handshake(self) -> bool:
        """Whether one of them is of a handshake."""
        return bool((self.type == HANDSHAKE).any())


def rows(index: Index) -> DtlsRows:
    """Return the datagrams that begin with a whole DTLS record."""
    kind = index.head[:, 0]
    likely = (kind >= _TYPES[0]) & (kind <= _TYPES[-1]) & (index.protocol == UDP) & (index.length > _HEADER)
    found = np.flatnonzero(likely)
    found = found[np.isin(index.words[found, 0] >> 8 & 0xFFFF, _VERSIONS)]
    found = found[index.data.u16(index.start[found] + 11) + _HEADER <= index.length[found]]
    return DtlsRows(found, kind[found].astype(np.int64))


def counts(index: Index, rows: Column) -> dict[int, int]:
    """Return how many records of each content type there are; each step goes one further, in all rows."""
    at, end = index.start[rows], index.start[rows] + index.length[rows]
    found: Counter[int] = Counter()
    for _ in range(_MOST_RECORDS):
        inside = at + _HEADER <= end
        at, end = at[inside], end[inside]
        if not len(at):
            break
        kind = index.data.u8(at)
        known = (kind >= _TYPES[0]) & (
            kind <= _TYPES[-1]
        )  # DTLS 1.3 encrypts headers too: there the walk ends
        found.update(kind[known].tolist())
        at, end = (at + _HEADER + index.data.u16(at + 11))[known], end[known]
    return dict(sorted(found.items()))
