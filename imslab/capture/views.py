"""What a chart draws of a capture, and where the charts are found.

``Arrow`` is the one value that the capture room (floor 4) hands to the charts (floor 5). An
import may not go up, so the charts enter themselves in the registry here when they are
imported, and ``picture`` imports them by name when somebody first asks for one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from imslab.errors import ImslabError

APDU, SIP, CX, HTTP = "APDU", "SIP", "Cx", "HTTP"
STUN, DTLS, RTP = "STUN", "DTLS", "RTP"
CHARTS = "imslab.charts"

Chart = Callable[..., Any]
_charts: dict[str, Chart] = {}


@dataclass(frozen=True, slots=True)
class Arrow:
    """One thing that went from one node to another.

    ``at``                     epoch seconds
    ``source, destination``    the nodes, as the names or addresses that ``names`` of a chart explains
    ``label``                  a few words: "REGISTER", "401 Unauthorized · AKAv2-MD5"
    ``kind``                   "APDU", "SIP", "Cx", "HTTP", "STUN", "DTLS" or "RTP": the colour
    ``detail``                 a second line in small print
    ``frame``                  the number of the packet in the capture, from 1; None when live
    ``seconds``                how long the answer took, where that is known (a card's time)
    """

    at: float
    source: str
    destination: str
    label: str
    kind: str
    detail: str = ""
    frame: int | None = None
    seconds: float | None = None


def register(name: str, chart: Chart) -> None:
    """Enter ``chart`` as what draws ``name`` ("ladder", "timing", ...)."""
    _charts[name] = chart


def picture(name: str, arrows: Sequence[Arrow], names: Mapping[str, str], **options: Any) -> Any:
    """Return the chart ``name`` of ``arrows``; ImslabError when no such chart is known."""
    return drawn(name, arrows, names, **options)


def drawn(name: str, *things: Any, **options: Any) -> Any:
    """Return what ``name`` draws of ``things``; ImslabError when nothing of that name is known."""
    if name not in _charts:
        import_module(CHARTS)
    if name not in _charts:
        raise ImslabError(f"no chart is called {name!r}; there are: {', '.join(sorted(_charts))}")
    return _charts[name](*things, **options)
