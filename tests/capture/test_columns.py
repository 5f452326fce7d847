"""Tables as columns: rows are chosen, tables are joined."""

from dataclasses import dataclass

import numpy as np

from imslab.capture.columns import Column, Columns


@dataclass(frozen=True, slots=True)
class Two(Columns):
    one: Column
    other: Column


TABLE = Two(np.arange(4), np.arange(4) * 10)


def test_rows_are_chosen_by_mask_positions_or_slice() -> None:
    assert len(TABLE) == 4
    assert TABLE[np.array([True, False, False, True])].other.tolist() == [0, 30]
    assert TABLE[np.array([3, 1, 1])].one.tolist() == [3, 1, 1]
    assert TABLE[1:3].other.tolist() == [10, 20]


def test_tables_are_joined() -> None:
    joined = Two.joined([TABLE[:1], TABLE[3:], TABLE[:0]])
    assert (joined.one.tolist(), joined.other.tolist()) == ([0, 3], [0, 30])
    assert Two.joined([TABLE]) is TABLE
