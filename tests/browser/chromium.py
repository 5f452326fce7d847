"""The stage of the demo (``imslab.web.stage``), as the tests call it."""

from imslab.web.stage import (
    Stage,
    call_state,
    dial,
    drawn,
    figures,
    launched,
    marks,
    missing,
    staged,
    state,
    until,
)

__all__ = [
    "Stage",
    "call_state",
    "dial",
    "drawn",
    "figures",
    "launched",
    "marks",
    "missing",
    "staged",
    "state",
    "until",
]
