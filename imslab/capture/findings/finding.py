"""What is wrong in a capture, as values: how bad, what, what it means, where the specification says so."""

import html
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

MOST_FRAMES = 100  # that one finding names


class Severity(StrEnum):
    """How bad it is: a secret or a proof is lost; something is weak or fails; worth knowing."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding.

    ``rule``    a short name that stays the same: "keys-to-ue"
    ``what``    what was seen;  ``why``: what it means, and for whom
    ``clause``  where a specification says otherwise
    ``frames``  the evidence, in order; of many the first ones
    """

    severity: Severity
    rule: str
    what: str
    why: str
    clause: str
    frames: tuple[int, ...]


class Findings(list[Finding]):
    """A list of findings, the worst first, which a notebook shows as a table."""

    @property
    def table(self) -> "pd.DataFrame":
        """The findings as a table: severity, rule, what, why, clause, frames."""
        import pandas as pd

        names = Finding.__slots__
        rows = [
            [str(getattr(one, name)) if name == "severity" else getattr(one, name) for name in names]
            for one in self
        ]
        return pd.DataFrame(rows, columns=list(names))

    def _repr_html_(self) -> str:
        if not self:
            return "<p>Nothing was found.</p>"
        return f"<table>{''.join(map(_row, self))}</table>"


def _row(one: Finding) -> str:
    frames = ", ".join(map(str, one.frames))
    cells = (one.severity, f"{one.what}. {one.why}", one.clause, f"frames {frames}" if frames else "")
    written = (f"<td style='text-align:left'>{html.escape(str(cell))}</td>" for cell in cells)
    return f"<tr>{''.join(written)}</tr>"
