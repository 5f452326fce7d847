"""What is wrong in a capture, in plain words, each with its evidence.

A rule is a function that looks at the evidence and yields findings; each module names its own in ``RULES``,
and is loaded when the capture holds what it looks at. Nothing is found without a frame that shows it; what
the capture cannot show (a hop that was not captured, a key that nobody gave) is not found.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING

from imslab.capture.findings.evidence import Evidence
from imslab.capture.findings.finding import MOST_FRAMES, Finding, Findings, Severity

if TYPE_CHECKING:
    from imslab.capture.capture import Capture

__all__ = ["Finding", "Findings", "Severity", "find", "rules"]

Rule = Callable[[Evidence], Iterator[Finding]]

# The modules, and what a capture must hold so that they have something to look at.
MODULES: Mapping[str, Callable[[Evidence], bool]] = {
    "access": lambda evidence: evidence.authenticates,
    "protection": lambda evidence: evidence.authenticates or bool(evidence.capture.esp),
    "media": lambda evidence: bool(evidence.capture.sip or evidence.capture.rtp or evidence.capture.dtls),
    "signalling": lambda evidence: evidence.repeats,
}
_MOST = 1000  # findings that are kept
_ORDER = list(Severity)


def rules(module: str) -> tuple[Rule, ...]:
    """Return the rules of one of ``MODULES``."""
    found: tuple[Rule, ...] = import_module(f"{__name__}.{module}").RULES
    return found


def find(capture: "Capture") -> Findings:
    """Return what is wrong in a capture, the worst first, then in the order of frames."""
    evidence = Evidence(capture)
    able = [module for module, has_something in MODULES.items() if has_something(evidence)]
    found = [_bounded(one) for module in able for rule in rules(module) for one in rule(evidence)]
    found.sort(key=lambda one: (_ORDER.index(one.severity), one.frames[:1]))
    return Findings(found[:_MOST])


def _bounded(one: Finding) -> Finding:
    return replace(one, frames=tuple(dict.fromkeys(one.frames))[:MOST_FRAMES])
