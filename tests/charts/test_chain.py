"""The chain of nodes."""

from typing import Any

import pytest

from imslab.charts import chain
from imslab.errors import Malformed

NODES = [("card", "K"), ("page", ""), ("HSS", "K")]
LINKS = [("APDU", "APDU"), ("SIP", "SIP over\nWebSocket")]


def test_nodes_links_and_the_secret_are_named() -> None:
    picture = chain(NODES, LINKS, shared=("card", "HSS", "both know K"), title="x")
    texts = [text.get_text() for text in picture.figure.axes[0].texts]
    assert {"card", "page", "HSS", "APDU", "SIP over\nWebSocket", "both know K", "x"} <= set(texts)


def test_who_knows_is_coloured() -> None:
    def coloured(**options: Any) -> int:
        boxes = chain(NODES, LINKS, **options).figure.axes[0].patches
        return sum(box.get_facecolor() != (1, 1, 1, 1) for box in boxes)

    shared = ("card", "HSS", "both know K")
    assert [coloured(), coloured(shared=shared), coloured(shared=shared, also=["page"])] == [0, 2, 3]


@pytest.mark.parametrize(
    ("nodes", "links", "options", "says"),
    [
        (NODES[:1], [], {}, "2 to 7 nodes"),
        (NODES, LINKS[:1], {}, "2 to 7 nodes"),
        (NODES, [("APDU", ""), ("GTP", "")], {}, "unknown kind of link 'GTP'"),
        (NODES, LINKS, {"shared": ("card", "P-CSCF", "")}, "not both in the chain"),
        (NODES, LINKS, {"also": ["page", "P-CSCF"]}, "'P-CSCF' is not in the chain"),
    ],
)
def test_what_cannot_be_drawn(nodes: Any, links: Any, options: Any, says: str) -> None:
    with pytest.raises(Malformed, match=says):
        chain(nodes, links, **options)
