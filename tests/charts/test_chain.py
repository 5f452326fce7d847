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


@pytest.mark.parametrize(
    ("nodes", "links", "options", "says"),
    [
        (NODES[:1], [], {}, "2 to 7 nodes"),
        (NODES, LINKS[:1], {}, "2 to 7 nodes"),
        (NODES, [("APDU", ""), ("GTP", "")], {}, "unknown kind of link 'GTP'"),
        (NODES, LINKS, {"shared": ("card", "P-CSCF", "")}, "not both in the chain"),
    ],
)
def test_what_cannot_be_drawn(nodes: Any, links: Any, options: Any, says: str) -> None:
    with pytest.raises(Malformed, match=says):
        chain(nodes, links, **options)
