"""Headers are counted by kind and number; a flood of numbers stays small."""

import numpy as np
import pytest

from imslab.capture import encapsulation
from imslab.capture.encapsulation import OTHERS, Encapsulation


def test_headers_are_counted_by_kind_and_number() -> None:
    seen = Encapsulation()
    seen.count("VLAN", np.array([42, 7, 42]))
    seen.count("VLAN", np.array([42]))
    seen.count("GRE", np.array([42]))
    seen.count("GRE", np.zeros(0, np.int64))
    assert seen.counts == {("VLAN", 42): 3, ("VLAN", 7): 1, ("GRE", 42): 1}


def test_a_flood_of_numbers_is_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encapsulation, "_MOST_DIFFERENT", 3)
    seen = Encapsulation()
    seen.count("GTP-U", np.array([1, 2, 3, 4, 5, 5]))
    seen.count("GTP-U", np.array([2, 9]))
    seen.count("GRE", np.array([9]))
    assert seen.counts == {
        ("GTP-U", 1): 1,
        ("GTP-U", 2): 2,
        ("GTP-U", 3): 1,
        ("GTP-U", OTHERS): 4,
        ("GRE", 9): 1,
    }
