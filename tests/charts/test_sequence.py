"""What a USIM remembers of SQN, as a picture."""

import pytest

from imslab.aka import SqnArray
from imslab.aka.sqn import join_sqn
from imslab.charts import sqn_array
from imslab.errors import Malformed

ARRAY = SqnArray({0: 5, 4: 9}, age_limit=6)


def words(*sqns: bytes) -> list[str]:
    axes = sqn_array(ARRAY, *sqns, title="x").figure.axes[0]
    return [text.get_text() for text in axes.texts]


def test_bars_are_the_array() -> None:
    bars = sqn_array(ARRAY).figure.axes[0].patches
    assert [bar.get_height() for bar in bars][:6] == [5, 0, 0, 0, 9, 0]  # type: ignore[attr-defined]
    assert len(bars) == 32


def test_each_sqn_gets_the_verdict_of_the_card() -> None:
    found = words(join_sqn(10, 0), join_sqn(9, 4), join_sqn(2, 7))
    assert found[:2] == ["highest SEQ_MS", "SEQ_MS - L"]
    assert found[2:] == ["accept", "stale", "too old"]


def test_a_limit_outside_the_picture_is_not_drawn() -> None:
    assert "SEQ_MS + delta" not in words()


def test_too_many_columns() -> None:
    with pytest.raises(Malformed, match="too wide"):
        sqn_array(SqnArray(ind_length=7))
