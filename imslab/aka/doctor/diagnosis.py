"""What the doctor says: the parts of the challenge, each check, what it computed, and the causes."""

from dataclasses import dataclass, field
from enum import StrEnum
from html import escape

from imslab.aka.doctor.causes import Cause


class Result(StrEnum):
    """How a check came out."""

    RIGHT = "right"
    WRONG = "WRONG"
    NOTE = "note"
    OPEN = "not checked"


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its name, how it came out, and what was compared."""

    name: str
    result: Result
    detail: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is right, what is wrong, and why; ``str()`` for a terminal, a table in a notebook.

    ``parts``   the challenge, split: RAND, SQN xor AK, AMF, MAC-A (and server data), octets
    ``checks``  each check with its result
    ``values``  what was computed, as text; RES, CK and IK are there only when they were asked for
    ``causes``  the faults that together give what was seen, each proved by computation; () when there is none
    ``tried``   codes of the faults that were tried in vain, when something stays unexplained
    """

    parts: dict[str, bytes]
    checks: tuple[Check, ...]
    values: dict[str, str] = field(repr=False)
    causes: tuple[Cause, ...] = ()
    tried: tuple[str, ...] = ()

    @property
    def cause(self) -> Cause | None:
        """The first cause; None when nothing is wrong, or when nothing that was tried explains it."""
        return self.causes[0] if self.causes else None

    @property
    def ok(self) -> bool:
        """Whether everything that could be checked is right."""
        return not self.causes and all(check.result is not Result.WRONG for check in self.checks)

    @property
    def verdict(self) -> str:
        """Say in one line what came out."""
        if self.causes:
            return "; and ".join(cause.sentence for cause in self.causes)
        if self.ok:
            return "No fault found: everything that could be checked is right."
        wrong = " and ".join(check.name for check in self.checks if check.result is Result.WRONG)
        return f"{wrong} wrong, and nothing that was tried explains it"

    def __str__(self) -> str:
        lines = ["Challenge"]
        lines += [f"  {name:<12}{value.hex()}" for name, value in self.parts.items()]
        lines.append("Checks")
        lines += [f"  {check.result.value:<12}{check.name}: {check.detail}" for check in self.checks]
        if self.values:
            lines.append("Computed")
            lines += [f"  {name:<12}{value}" for name, value in self.values.items()]
        lines += self._conclusion()
        return "\n".join(lines)

    def _conclusion(self) -> list[str]:
        if self.causes:
            lines = ["Cause" if len(self.causes) == 1 else "Causes"]
            for cause in self.causes:
                lines += [f"  {cause.code}: {cause.sentence} ({cause.clause})", f"  -> {cause.advice}"]
        else:
            lines = ["Conclusion", f"  {self.verdict}"]
        if self.tried:
            lines += ["Tried in vain", *(f"  {line}" for line in _wrapped(self.tried))]
        return lines

    def _repr_html_(self) -> str:
        rows = [("Challenge", name, value.hex(), "") for name, value in self.parts.items()]
        rows += [("Check", check.name, check.detail, check.result.value) for check in self.checks]
        rows += [("Computed", name, value, "") for name, value in self.values.items()]
        for cause in self.causes:
            rows.append(("Cause", cause.code, f"{cause.sentence} ({cause.clause}). {cause.advice}", ""))
        if not self.causes:
            rows.append(("Conclusion", "", self.verdict, ""))
        if self.tried:
            rows.append(("Tried in vain", "", ", ".join(self.tried), ""))
        body = "".join(_row(*row) for row in rows)
        return f"<table><tbody>{body}</tbody></table>"


def _row(kind: str, name: str, text: str, result: str) -> str:
    weight = "bold" if kind == "Cause" or result == Result.WRONG else "normal"
    cells = "".join(f'<td style="text-align:left">{escape(cell)}</td>' for cell in (kind, name, result, text))
    return f'<tr style="font-weight:{weight}">{cells}</tr>'


def _wrapped(codes: tuple[str, ...], width: int = 100) -> list[str]:
    lines = [""]
    for code in codes:
        if len(lines[-1]) + len(code) > width:
            lines.append("")
        lines[-1] += f"{code} "
    return [line.rstrip() for line in lines]
