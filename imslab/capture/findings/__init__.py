"""What is wrong in a capture, in plain words, each with its evidence.

A rule is a function that looks at the evidence and yields findings; ``RULES`` names all of them. Nothing is
found without a frame that shows it, and what the capture cannot show (a hop that was not captured, a key that
nobody gave) is not found.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from imslab.capture.findings import access, media, protection, signalling
from imslab.capture.findings.evidence import Evidence
from imslab.capture.findings.finding import MOST_FRAMES, Finding, Findings, Severity

if TYPE_CHECKING:
    from imslab.capture.capture import Capture

__all__ = ["RULES", "Finding", "Findings", "Severity", "find"]

Rule = Callable[[Evidence], Iterator[Finding]]

RULES: tuple[Rule, ...] = (
    access.keys_to_terminal,
    access.version_1_chosen,
    access.repeated_challenge,
    access.sequence_number_back,
    access.resynchronisation_storm,
    access.without_authentication,
    access.wrong_answer,
    protection.null_encryption,
    protection.old_algorithms,
    protection.security_verify,
    protection.identity_from_terminal,
    media.keys_in_clear,
    media.wrong_fingerprint,
    media.old_dtls,
    media.one_way,
    media.high_jitter,
    media.high_loss,
    signalling.retransmissions,
)
_MOST = 1000  # findings that are kept
_ORDER = list(Severity)


def find(capture: "Capture") -> Findings:
    """Return what is wrong in a capture, the worst first, then in the order of frames."""
    evidence = Evidence(capture)
    found = [_bounded(one) for rule in RULES for one in rule(evidence)]
    found.sort(key=lambda one: (_ORDER.index(one.severity), one.frames[:1]))
    return Findings(found[:_MOST])


def _bounded(one: Finding) -> Finding:
    return replace(one, frames=tuple(dict.fromkeys(one.frames))[:MOST_FRAMES])
